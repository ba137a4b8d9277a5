import * as convmat from 'convmat';
import {
  ArgumentError,
  ConvmatError,
  conv1d,
  conv2d,
  conv2dAsync,
  conv3d,
  convBiasGrad,
  convInputGrad,
  convTranspose2d,
  convWeightGrad,
  DTypeError,
  explainConv,
  fold,
  MemoryError,
  matmul,
  prepareConv,
  ShapeError,
  tensor,
  UnsupportedError,
  unfold,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { random } from '../support/random';
import { sharedArray } from '../support/shared-memory';

const CODES = {
  ShapeError: 'ERR_CONVMAT_SHAPE',
  DTypeError: 'ERR_CONVMAT_DTYPE',
  ArgumentError: 'ERR_CONVMAT_ARGUMENT',
  UnsupportedError: 'ERR_CONVMAT_UNSUPPORTED',
  MemoryError: 'ERR_CONVMAT_MEMORY',
} as const;
const CLASSES = { ShapeError, DTypeError, ArgumentError, UnsupportedError, MemoryError };

/** A refused call: its class, and what the message must say: which argument, what it needs, what it got. */
interface Refusal {
  readonly id: string;
  readonly error: keyof typeof CODES;
  readonly message: string | RegExp;
  call(): unknown;
}

function refusal(
  id: string,
  error: keyof typeof CODES,
  message: string | RegExp,
  call: () => unknown,
): Refusal {
  return { id, error, message, call };
}

function expectRefused(thrown: unknown, { error, message }: Refusal): void {
  expect(thrown).toBeInstanceOf(CLASSES[error]);
  expect(thrown).toBeInstanceOf(ConvmatError);
  expect(thrown).toBeInstanceOf(Error);
  expect(thrown).toMatchObject({ name: error, code: CODES[error] });
  if (typeof message === 'string') expect((thrown as Error).message).toBe(message);
  else expect((thrown as Error).message).toMatch(message);
}

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return 'nothing was thrown';
}

function testRefusals(refusals: readonly Refusal[]): void {
  test.each(refusals.map((one) => ({ ...one, one })))('$id: $error', ({ one }) => {
    expectRefused(caught(one.call), one);
  });
}

const x = random([1, 2, 6, 7]);
const w = random([4, 2, 3, 3], 'float32', 2);
/** Options of any kind: what a caller without types may pass. */
const any = (value: unknown) => value as never;

describe('shapes', () => {
  testRefusals([
    refusal(
      'input of two axes',
      'ShapeError',
      'input: expected 4 axes [N, C, H, W], or 3 without the batch, got shape [6, 7]',
      () => conv2d(random([6, 7]), w),
    ),
    refusal(
      'input of five axes',
      'ShapeError',
      /^input: expected 4 axes .*got shape \[1, 1, 2, 6, 7\]$/,
      () => conv2d(random([1, 1, 2, 6, 7]), w),
    ),
    refusal(
      'weight of three axes',
      'ShapeError',
      /^weight: expected 4 axes \[outChannels, inChannels\/groups, h, w\], got shape \[4, 2, 3\]$/,
      () => conv2d(x, random([4, 2, 3])),
    ),
    refusal(
      'weight of another rank, 1-D',
      'ShapeError',
      /^weight: expected 3 axes .*got shape \[4, 2, 3, 3\]$/,
      () => conv1d(random([1, 2, 6]), w),
    ),
    refusal(
      'weight of another rank, 3-D',
      'ShapeError',
      /^weight: expected 5 axes .*got shape \[4, 2, 3, 3\]$/,
      () => conv3d(random([1, 2, 6, 6, 6]), w),
    ),
    refusal('channels that differ', 'ShapeError', /^input: expected 2 channels .*got 3 channels$/, () =>
      conv2d(random([1, 3, 6, 7]), w),
    ),
    refusal(
      'channels that differ, in groups',
      'ShapeError',
      /^input: expected 4 channels .*groups 2.*got 6 channels$/,
      () => conv2d(random([1, 6, 6, 7]), w, { groups: 2 }),
    ),
    refusal(
      'groups that do not divide the input',
      'ShapeError',
      /^input: expected channels divisible by groups \(3\), got 2 channels$/,
      () => conv2d(x, random([6, 2, 3, 3]), { groups: 3 }),
    ),
    refusal(
      'groups that do not divide the output',
      'ShapeError',
      /^weight: expected output channels divisible by groups \(2\), got shape \[3, 1, 3, 3\]$/,
      () => conv2d(x, random([3, 1, 3, 3]), { groups: 2 }),
    ),
    refusal(
      'a kernel larger than the input',
      'ShapeError',
      /^weight: expected a dilated kernel within the padded input \(6 on spatial axis 0\), got 8$/,
      () => conv2d(x, random([1, 2, 8, 3])),
    ),
    refusal('a kernel larger than the padded input', 'ShapeError', /\(8 on spatial axis 0\), got 9$/, () =>
      conv2d(x, random([1, 2, 9, 3]), { padding: 1 }),
    ),
    refusal('a dilated kernel larger than the input', 'ShapeError', /\(6 on spatial axis 0\), got 7$/, () =>
      conv2d(x, w, { dilation: 3 }),
    ),
    refusal('a kernel without taps', 'ShapeError', /^weight: expected kernel sizes ≥ 1, got 0/, () =>
      conv2d(x, random([4, 2, 0, 3])),
    ),
    ...[
      [0, 2, 3, 3],
      [4, 0, 3, 3],
    ].map((shape) =>
      refusal(
        `a weight of [${shape}]`,
        'ShapeError',
        `weight: expected at least one channel in and out, got shape [${shape.join(', ')}]`,
        () => conv2d(random([1, shape[1], 6, 7]), random(shape)),
      ),
    ),
    refusal(
      'an empty image',
      'ShapeError',
      /^weight: expected a dilated kernel within the padded input \(0/,
      () => conv2d(random([1, 2, 0, 7]), w),
    ),
    refusal('a bias of another length', 'ShapeError', 'options.bias: expected shape [4], got shape [3]', () =>
      conv2d(x, w, { bias: random([3]) }),
    ),
    refusal('a bias of two axes', 'ShapeError', 'options.bias: expected shape [4], got shape [4, 1]', () =>
      conv2d(x, w, { bias: random([4, 1]) }),
    ),
    refusal(
      'data shorter than its shape',
      'ShapeError',
      /^input.*: expected 84 elements for shape \[1, 2, 6, 7\], got 83 elements$/,
      () => conv2d({ data: new Float32Array(83), shape: [1, 2, 6, 7] }, w),
    ),
    refusal('dims longer than the data', 'ShapeError', /^input.*: expected 84 elements/, () =>
      conv2d({ data: new Float32Array(83), dims: [1, 2, 6, 7] }, w),
    ),
    refusal(
      'a strided view past its data',
      'ShapeError',
      /^input: expected a view within 84 elements, got elements 1 to 84$/,
      () => conv2d({ data: new Float32Array(84), shape: [1, 2, 6, 7], stride: [84, 42, 7, 1], offset: 1 }, w),
    ),
    refusal(
      'a strided view before its data',
      'ShapeError',
      /^input: expected a view within 84 elements, got elements -1 to/,
      () =>
        conv2d({ data: new Float32Array(84), shape: [1, 2, 6, 7], stride: [84, 42, 7, -1], offset: 5 }, w),
    ),
    refusal('ragged nesting', 'ShapeError', /^input: expected nesting of shape .*got ragged arrays$/, () =>
      conv2d([[[[1, 2], [3]]]], w),
    ),
    refusal('transposed: channels that differ', 'ShapeError', /^(input|weight): expected .*channels/, () =>
      convTranspose2d(random([1, 3, 4, 4]), w),
    ),
    refusal('transposed: cropped to nothing', 'ShapeError', /^\S+: expected .*got/, () =>
      convTranspose2d(random([1, 4, 1, 1]), w, { padding: 2 }),
    ),
    refusal(
      'gradient of another output',
      'ShapeError',
      /^gradOutput: expected shape \[1, 4, 4, 5\], got shape \[1, 4, 6, 7\]$/,
      () => convInputGrad(x.shape, w, random([1, 4, 6, 7])),
    ),
    refusal(
      'weight gradient of another output',
      'ShapeError',
      /^gradOutput: expected shape \[1, 4, 4, 5\], got shape \[1, 4, 5, 4\]$/,
      () => convWeightGrad(x, w.shape, random([1, 4, 5, 4])),
    ),
    refusal('bias gradient of two axes', 'ShapeError', /^gradOutput: expected .*got shape \[3, 4\]$/, () =>
      convBiasGrad(random([3, 4])),
    ),
    refusal(
      'unfold: too few axes',
      'ShapeError',
      /^input: expected 4 axes, or 3 without the batch, got shape \[6, 7\]$/,
      () => unfold(random([6, 7]), [3, 3]),
    ),
    refusal(
      'fold: rows that are no taps',
      'ShapeError',
      /^columns: expected rows divisible by the kernel's 9 taps, got 10$/,
      () => fold(random([1, 10, 4]), [4, 4], [3, 3]),
    ),
    refusal(
      'fold: columns of another image',
      'ShapeError',
      /^columns: expected 4 columns for an output of shape \[4, 4\], got 5$/,
      () => fold(random([1, 9, 5]), [4, 4], [3, 3]),
    ),
    refusal(
      'matmul: inner sizes that differ',
      'ShapeError',
      "b: expected 3 rows, as a's columns, got shape [4, 2]",
      () => matmul(random([2, 3]), random([4, 2])),
    ),
    refusal('matmul: three axes', 'ShapeError', 'a: expected 2 axes, got shape [1, 2, 3]', () =>
      matmul(random([1, 2, 3]), random([3, 2])),
    ),
    refusal('pooling: too few axes', 'ShapeError', /^input: expected 4 axes .*got shape \[6, 7\]$/, () =>
      convmat.maxPool2d(random([6, 7]), 2),
    ),
    refusal(
      'pooling: a kernel larger than the input',
      'ShapeError',
      /^kernelSize: expected a dilated kernel within the padded input \(6 on spatial axis 0\), got 7$/,
      () => convmat.maxPool2d(x, 7),
    ),
  ]);
});

describe('geometry', () => {
  const NO_COUNTS = [0, -1, 1.5, NaN, Infinity, '2', true, {}, 2n];
  const shown = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  testRefusals(
    (['stride', 'dilation'] as const).flatMap((name) =>
      NO_COUNTS.flatMap((value) => [
        refusal(
          `${name} ${shown(value)} (${typeof value})`,
          'ArgumentError',
          new RegExp(`^options\\.${name}: expected an integer.*, got `),
          () => conv2d(x, w, { [name]: value }),
        ),
        refusal(
          `${name} [1, ${shown(value)}] (${typeof value})`,
          'ArgumentError',
          new RegExp(`^options\\.${name}\\[1\\]: expected an integer ≥ 1, got `),
          () => conv2d(x, w, { [name]: [1, value] }),
        ),
      ]),
    ),
  );
  testRefusals([
    ...[0, -2, 1.5, NaN, '2', []].map((groups) =>
      refusal(
        `groups ${shown(groups)}`,
        'ArgumentError',
        /^options\.groups: expected an integer ≥ 1, got /,
        () => conv2d(x, w, { groups: any(groups) }),
      ),
    ),
    ...[-1, 0.5, NaN, Infinity].map((padding) =>
      refusal(`padding ${padding}`, 'ArgumentError', /^options\.padding: expected an integer ≥ 0, got /, () =>
        conv2d(x, w, { padding }),
      ),
    ),
    ...[-1, 0.5, NaN].map((padding) =>
      refusal(
        `padding [0, ${padding}]`,
        'ArgumentError',
        /^options\.padding\[1\]: expected an integer ≥ 0, got /,
        () => conv2d(x, w, { padding: [0, padding] }),
      ),
    ),
    refusal(
      'padding [[0, -1], [0, 0]]',
      'ArgumentError',
      'options.padding[0][1]: expected an integer ≥ 0, got -1',
      () =>
        conv2d(x, w, {
          padding: [
            [0, -1],
            [0, 0],
          ],
        }),
    ),
    refusal(
      'padding of three sides',
      'ArgumentError',
      /^options\.padding\[1\]: expected a pair \[before, after\], got \[1, 2, 3\]$/,
      () =>
        conv2d(x, w, {
          padding: any([
            [1, 2],
            [1, 2, 3],
          ]),
        }),
    ),
    refusal(
      'padding pairs for one axis of two',
      'ArgumentError',
      /^options\.padding: expected 2 pairs \[before, after\], got \[\[1, 2\]\]$/,
      () => conv2d(x, w, { padding: [[1, 2]] }),
    ),
    refusal(
      'padding for three axes of two',
      'ArgumentError',
      /^options\.padding: expected an integer, or 2 of them, got \[1, 1, 1\]$/,
      () => conv2d(x, w, { padding: [1, 1, 1] }),
    ),
    refusal(
      'stride for one axis of two',
      'ArgumentError',
      'options.stride: expected an integer, or 2 of them, got [1]',
      () => conv2d(x, w, { stride: [1] }),
    ),
    refusal(
      "padding 'full'",
      'ArgumentError',
      `options.padding: expected numbers, 'valid' or 'same', got "full"`,
      () => conv2d(x, w, { padding: any('full') }),
    ),
    refusal(
      "padding 'same' with a stride",
      'UnsupportedError',
      /^options\.padding: expected stride 1 with padding 'same'.*got stride \[2, 2\]$/,
      () => conv2d(x, w, { padding: 'same', stride: 2 }),
    ),
    refusal(
      'reflection by the size of the input',
      'ArgumentError',
      /^options\.padding: expected at most 5 for reflect padding .*size 6 on spatial axis 0, got 6$/,
      () => conv2d(x, w, { padding: 6, paddingMode: 'reflect' }),
    ),
    refusal(
      'reflection of one element',
      'ArgumentError',
      /^options\.padding: expected at most 0 for reflect/,
      () => conv1d(random([1, 1, 1]), random([1, 1, 1]), { padding: 1, paddingMode: 'reflect' }),
    ),
    refusal(
      'circling past the size of the input',
      'ArgumentError',
      /^options\.padding: expected at most 6 for circular padding .*got 7$/,
      () => conv2d(x, w, { padding: [7, 1], paddingMode: 'circular' }),
    ),
    refusal('replication of nothing', 'ArgumentError', /^options\.padding: expected .*replicate/, () =>
      conv2d(random([1, 2, 0, 7]), w, { padding: 2, paddingMode: 'replicate' }),
    ),
    refusal(
      'an unknown padding mode',
      'ArgumentError',
      /^options\.paddingMode: expected one of 'zeros', 'circular', 'reflect', 'replicate', got "mirror"$/,
      () => conv2d(x, w, { paddingMode: any('mirror') }),
    ),
    refusal(
      'output padding as large as the stride',
      'ArgumentError',
      /^options\.outputPadding.*: expected .*got 2$/,
      () => convTranspose2d(random([1, 4, 3, 3]), w, { stride: 2, outputPadding: 2 }),
    ),
    refusal(
      'negative output padding',
      'ArgumentError',
      /^options\.outputPadding.*: expected an integer ≥ 0, got -1$/,
      () => convTranspose2d(random([1, 4, 3, 3]), w, { outputPadding: -1 }),
    ),
    ...[0, -1, 2.5, NaN].map((size) =>
      refusal(
        `unfold: a kernel of ${size}`,
        'ArgumentError',
        /^kernelSize.*: expected an integer ≥ 1, got /,
        () => unfold(x, [size, 3]),
      ),
    ),
    refusal(
      'unfold: no kernel',
      'ArgumentError',
      /^kernelSize: expected an integer, or one to three of them, got undefined$/,
      () => unfold(x, any(undefined)),
    ),
    refusal(
      'fold: an output without size',
      'ArgumentError',
      /^outputSize\[0\]: expected an integer ≥ 1, got 0$/,
      () => fold(random([1, 9, 4]), [0, 4], [3, 3]),
    ),
    refusal(
      'fold: an output of four axes',
      'ArgumentError',
      /^outputSize: expected one to three sizes, got \[4, 4, 4, 4\]$/,
      () => fold(random([1, 9, 4]), [4, 4, 4, 4], 3),
    ),
  ]);
});

describe('pooling', () => {
  const pools = { maxPool2d: convmat.maxPool2d, avgPool2d: convmat.avgPool2d };
  testRefusals(
    Object.entries(pools).flatMap(([name, pool]) => [
      refusal(
        `${name}: padding of the kernel's size`,
        'ArgumentError',
        /^options\.padding: expected less than the dilated kernel \(2\) on spatial axis 0, got 2$/,
        () => pool(x, 2, { padding: 2 }),
      ),
      refusal(
        `${name}: padding of the kernel's size on one side`,
        'ArgumentError',
        /^options\.padding: expected less than .*axis 1, got 3$/,
        () =>
          pool(x, 3, {
            padding: [
              [0, 0],
              [0, 3],
            ],
          }),
      ),
      refusal(
        `${name}: negative padding`,
        'ArgumentError',
        /^options\.padding: expected an integer ≥ 0, got -1$/,
        () => pool(x, 2, { padding: -1 }),
      ),
      refusal(`${name}: stride 0`, 'ArgumentError', /^options\.stride: expected an integer ≥ 1, got 0$/, () =>
        pool(x, 2, { stride: 0 }),
      ),
      refusal(
        `${name}: no kernel`,
        'ArgumentError',
        /^kernelSize: expected an integer, or 2 of them, got undefined$/,
        () => pool(x, any(undefined)),
      ),
      refusal(`${name}: kernel 0`, 'ArgumentError', /^kernelSize: expected an integer ≥ 1, got 0$/, () =>
        pool(x, 0),
      ),
      refusal(
        `${name}: ceilMode that is no boolean`,
        'ArgumentError',
        /^options\.ceilMode: expected true or false, got 1$/,
        () => pool(x, 2, { ceilMode: any(1) }),
      ),
      refusal(
        `${name}: an unknown option`,
        'ArgumentError',
        /^options\.strides: unknown option, expected one of stride, padding, /,
        () => pool(x, 2, any({ strides: 2 })),
      ),
    ]),
  );
  testRefusals([
    refusal(
      'maxPool2d: countIncludePad is not its option',
      'ArgumentError',
      /^options\.countIncludePad: unknown option/,
      () => convmat.maxPool2d(x, 2, any({ countIncludePad: true })),
    ),
    refusal(
      'avgPool2d: dilation is not its option',
      'ArgumentError',
      /^options\.dilation: unknown option/,
      () => convmat.avgPool2d(x, 2, any({ dilation: 2 })),
    ),
    refusal('avgPool2d: integers', 'DTypeError', 'input: expected float32 or float64, got int8', () =>
      convmat.avgPool2d(random([1, 1, 4, 4], 'int8'), 2),
    ),
    // Taps at -1 and 2 of an input of one element.
    refusal(
      'maxPool1d: a window that steps over the input',
      'ShapeError',
      /^kernelSize: expected windows .*got /,
      () => convmat.maxPool1d(random([1, 1, 1]), 2, { padding: [[1, 2]], dilation: 3, stride: 1 }),
    ),
  ]);
});

describe('dtypes', () => {
  testRefusals([
    refusal('mixed floats', 'DTypeError', 'weight: expected float32, as input, got float64', () =>
      conv2d(x, random([4, 2, 3, 3], 'float64')),
    ),
    refusal(
      'a bias of another dtype',
      'DTypeError',
      'options.bias: expected float32, as input, got float64',
      () => conv2d(x, w, { bias: random([4], 'float64') }),
    ),
    refusal('integers', 'DTypeError', /^(input|weight): expected float32 or float64, got int32$/, () =>
      conv2d(random([1, 2, 6, 7], 'int32'), random([4, 2, 3, 3], 'int32')),
    ),
    refusal(
      'an array of no dtype here',
      'DTypeError',
      /^input.*: expected one of the eight dtypes, got BigInt64Array\(84\)$/,
      () => conv2d(any({ data: new BigInt64Array(84), shape: [1, 2, 6, 7] }), w),
    ),
    refusal('matmul: mixed floats', 'DTypeError', /^b: expected float32, as a, got float64$/, () =>
      matmul(random([2, 3]), random([3, 2], 'float64')),
    ),
    refusal('matmul: int16', 'DTypeError', /^a: expected float32, float64, int8 or uint8, got int16$/, () =>
      matmul(random([2, 3], 'int16'), random([3, 2], 'int16')),
    ),
    refusal('gradients of mixed dtypes', 'DTypeError', /: expected float(32|64).*got float(32|64)$/, () =>
      convInputGrad(x.shape, w, random([1, 4, 4, 5], 'float64')),
    ),
    refusal(
      'bias gradient of integers',
      'DTypeError',
      /^gradOutput: expected float32 or float64, got int8$/,
      () => convBiasGrad(random([1, 2, 3], 'int8')),
    ),
  ]);
});

describe('out', () => {
  const shared = new Float32Array(300);
  const view = (offset: number, shape: number[]) =>
    tensor(shared.subarray(offset, offset + shape.reduce((a, b) => a * b, 1)), shape);
  testRefusals([
    refusal(
      'of another shape',
      'ShapeError',
      'out: expected shape [1, 4, 4, 5], got shape [1, 4, 5, 4]',
      () => conv2d(x, w, { out: random([1, 4, 5, 4]) }),
    ),
    refusal(
      'without the batch axis',
      'ShapeError',
      'out: expected shape [1, 4, 4, 5], got shape [4, 4, 5]',
      () => conv2d(x, w, { out: random([4, 4, 5]) }),
    ),
    refusal('of another dtype', 'DTypeError', 'out: expected float32, got float64', () =>
      conv2d(x, w, { out: random([1, 4, 4, 5], 'float64') }),
    ),
    refusal('no Tensor', 'ArgumentError', /^out: expected a Tensor, got Float32Array\(80\)$/, () =>
      conv2d(x, w, { out: any(new Float32Array(80)) }),
    ),
    refusal(
      'overlapping the input by one element',
      'ArgumentError',
      /^out: expected memory of its own, got memory shared with input$/,
      () => conv2d(view(0, [1, 2, 6, 7]), w, { out: view(83, [1, 4, 4, 5]) }),
    ),
    refusal(
      'overlapping the weight',
      'ArgumentError',
      /^out: expected memory of its own, got memory shared with weight$/,
      () => conv2d(x, view(79, [4, 2, 3, 3]), { out: view(0, [1, 4, 4, 5]) }),
    ),
    refusal(
      'overlapping the bias',
      'ArgumentError',
      /^out: expected memory of its own, got memory shared with options\.bias$/,
      () => conv2d(x, w, { bias: view(10, [4]), out: view(0, [1, 4, 4, 5]) }),
    ),
    refusal(
      'of a prepared convolution, overlapping',
      'ArgumentError',
      /^out: expected memory of its own/,
      () => prepareConv(w).run(view(0, [1, 2, 6, 7]), view(50, [1, 4, 4, 5])),
    ),
    refusal(
      'of a prepared convolution, of another shape',
      'ShapeError',
      /^out: expected shape \[1, 4, 4, 5\], got shape \[80\]$/,
      () => prepareConv(w).run(x, random([80])),
    ),
  ]);

  test('beside the input in one buffer is no overlap', () => {
    const out = view(84, [1, 4, 4, 5]);
    expect(conv2d(view(0, [1, 2, 6, 7]), w, { out })).toBe(out);
  });

  test('is left as it was by a refused call', () => {
    const out = tensor(new Float32Array(80).fill(7), [1, 4, 4, 5]);
    const calls = [
      () => conv2d(x, random([4, 3, 3, 3]), { out }),
      () => conv2d(x, w, { out, activation: any('gelu') }),
      () => conv2d(x, w, { out, bias: random([5]) }),
      () => conv2d(x, w, { out, algorithm: 'depthwise' }),
    ];
    for (const call of calls) expect(caught(call)).toBeInstanceOf(ConvmatError);
    expect(out.data).toEqual(new Float32Array(80).fill(7));
  });
});

describe('memory', () => {
  function detached(): Float32Array {
    const data = new Float32Array(84);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    return data;
  }
  const lost = tensor(new Float32Array(84), [1, 2, 6, 7]);
  structuredClone(lost.data.buffer, { transfer: [lost.data.buffer as ArrayBuffer] });
  testRefusals([
    refusal(
      'a detached buffer',
      'ArgumentError',
      /^input.*: expected an array with its buffer, got a detached buffer$/,
      () => conv2d({ data: detached(), shape: [1, 2, 6, 7] }, w),
    ),
    refusal(
      'a Tensor whose buffer was detached later',
      'ArgumentError',
      /^input.*: expected an array with its buffer, got a detached buffer$/,
      () => conv2d(lost, w),
    ),
    refusal(
      'a SharedArrayBuffer',
      'ArgumentError',
      /^input.*: expected memory that is not shared \(copy it first\), got a SharedArrayBuffer$/,
      () => conv2d({ data: sharedArray(Float32Array, 84), shape: [1, 2, 6, 7] }, w),
    ),
    refusal(
      'an out whose buffer was detached',
      'ArgumentError',
      /^out: expected an array with its buffer, got a detached buffer$/,
      () => conv2d(random([1, 2, 8, 9]), random([2, 2, 3, 3]), { out: lost }),
    ),
    refusal(
      'an output past 2^31 elements',
      'MemoryError',
      /^output: expected at most 2\^31 - 1 elements, got shape \[1, 1, 65537, 65537\] with 4295098369$/,
      () => conv2d(random([1, 1, 1, 1]), random([1, 1, 1, 1]), { padding: 32768 }),
    ),
    refusal(
      'an output past 2^53 elements',
      'MemoryError',
      /^output: expected at most 2\^31 - 1 elements/,
      () => conv3d(random([1, 1, 1, 1, 1]), random([1, 1, 1, 1, 1]), { padding: 2 ** 20 }),
    ),
    refusal('columns past 2^31 elements', 'MemoryError', /: expected at most 2\^31 - 1 elements/, () =>
      unfold(random([1, 1, 300, 300]), [200, 200], { padding: 100 }),
    ),
    refusal('a shape past 2^31 elements', 'MemoryError', /^shape: expected at most 2\^31 - 1 elements/, () =>
      tensor(new Float32Array(4), [65536, 65536]),
    ),
    refusal('a shape past 2^53 elements', 'MemoryError', /^shape: expected at most 2\^31 - 1 elements/, () =>
      tensor(new Float32Array(4), [2 ** 27, 2 ** 27]),
    ),
    refusal('matmul past 2^31 elements', 'MemoryError', /: expected at most 2\^31 - 1 elements/, () =>
      matmul(tensor(new Float32Array(70000), [70000, 1]), tensor(new Float32Array(70000), [1, 70000])),
    ),
    refusal('a pooled plane past 2^31 elements', 'MemoryError', /: expected at most 2\^31 - 1 elements/, () =>
      convmat.avgPool2d(random([1, 1, 1, 1]), 50001, { padding: 50000, stride: 1 }),
    ),
    refusal(
      'an explained shape past 2^31 elements',
      'MemoryError',
      /: expected at most 2\^31 - 1 elements/,
      () => explainConv([1, 1, 65536, 65536], { shape: [1, 1, 1, 1] }),
    ),
    refusal(
      'a padding past 2^31',
      'ArgumentError',
      /^options\.padding: expected an integer ≥ 0, got 9007199254740991$/,
      () => conv2d(x, w, { padding: Number.MAX_SAFE_INTEGER }),
    ),
    refusal(
      'a dilation past 2^53 in extent',
      'ArgumentError',
      /^options\.dilation: expected an integer ≥ 1, got 9007199254740991$/,
      () => conv2d(x, w, { dilation: Number.MAX_SAFE_INTEGER }),
    ),
  ]);
});

describe('options and operands of the wrong kind', () => {
  const NO_TENSORS = [
    undefined,
    null,
    'image',
    true,
    {},
    { shape: [1, 2, 6, 7] },
    { data: [1, 2], shape: [2] },
    () => 1,
    Symbol('x'),
    5n,
    new Map(),
    new Date(0),
  ];
  testRefusals(
    NO_TENSORS.flatMap((value) => [
      refusal(`an input that is ${String(value)}`, 'ArgumentError', /^input.*: expected .*, got /, () =>
        conv2d(any(value), w),
      ),
      refusal(`a weight that is ${String(value)}`, 'ArgumentError', /^weight.*: expected .*, got /, () =>
        conv2d(x, any(value)),
      ),
    ]).map((one, index) => ({ ...one, id: `${one.id} (${index >> 1})` })),
  );
  testRefusals([
    ...[null, 5, 'same', [], new Float32Array(2)].map((value) =>
      refusal(
        `options that are ${Array.isArray(value) ? 'an array' : String(value)}`,
        'ArgumentError',
        /^options: expected an object, got /,
        () => conv2d(x, w, any(value)),
      ),
    ),
    refusal(
      'an unknown option',
      'ArgumentError',
      /^options\.pading: unknown option, expected one of stride, padding, paddingMode, dilation, groups, bias, activation, algorithm, accuracy, precision, out$/,
      () => conv2d(x, w, any({ pading: 1 })),
    ),
    refusal('an option of another function', 'ArgumentError', /^options\.outputPadding: unknown option/, () =>
      conv2d(x, w, any({ outputPadding: 1 })),
    ),
    refusal(
      'an unknown activation',
      'ArgumentError',
      /^options\.activation: expected 'none', 'relu', 'relu6' or \{clip: \[min, max\]\}, got "gelu"$/,
      () => conv2d(x, w, { activation: any('gelu') }),
    ),
    refusal(
      'a clip without its end',
      'ArgumentError',
      /^options\.activation\.clip: expected \[min, max\] with min ≤ max, got \[1\]$/,
      () => conv2d(x, w, { activation: { clip: any([1]) } }),
    ),
    refusal(
      'a clip upside down',
      'ArgumentError',
      /^options\.activation\.clip: expected \[min, max\] with min ≤ max, got \[2, 1\]$/,
      () => conv2d(x, w, { activation: { clip: [2, 1] } }),
    ),
    refusal(
      'a clip with NaN',
      'ArgumentError',
      /^options\.activation\.clip\[0\]: expected a number, got NaN$/,
      () => conv2d(x, w, { activation: { clip: [NaN, 1] } }),
    ),
    refusal(
      'an unknown algorithm',
      'ArgumentError',
      /^options\.algorithm: expected one of 'auto', 'im2col', .*got "magic"$/,
      () => conv2d(x, w, { algorithm: any('magic') }),
    ),
    refusal(
      'an unknown accuracy',
      'ArgumentError',
      /^options\.accuracy: expected one of 'fast', 'strict', got "exact"$/,
      () => conv2d(x, w, { accuracy: any('exact') }),
    ),
    refusal(
      'an algorithm that cannot serve the geometry',
      'UnsupportedError',
      /^options\.algorithm: 'depthwise' cannot serve this call: /,
      () => conv2d(x, w, { algorithm: 'depthwise' }),
    ),
    refusal(
      'winograd of taps apart',
      'UnsupportedError',
      /^options\.algorithm: 'winograd' cannot serve this call: /,
      () => conv2d(x, w, { algorithm: 'winograd', dilation: 2 }),
    ),
    refusal(
      'a shape that is none',
      'ArgumentError',
      /^input.*shape: expected an array of sizes, got "1x2"$/,
      () => conv2d(any({ data: new Float32Array(2), shape: '1x2' }), w),
    ),
    refusal(
      'a shape of fractions',
      'ArgumentError',
      /^input.*shape\[2\]: expected an integer ≥ 0, got 6\.5$/,
      () => conv2d({ data: new Float32Array(84), shape: [1, 2, 6.5, 7] }, w),
    ),
    refusal(
      'a shape of negative sizes',
      'ArgumentError',
      /^input.*shape\[0\]: expected an integer ≥ 0, got -1$/,
      () => conv2d({ data: new Float32Array(84), shape: [-1, -2, 6, 7] }, w),
    ),
    refusal(
      'gradient of no shape',
      'ArgumentError',
      /^inputShape: expected an array of sizes, got undefined$/,
      () => convInputGrad(any(undefined), w, random([1, 4, 4, 5])),
    ),
  ]);
});

describe('asynchronous and prepared calls', () => {
  test('an async call rejects with what the plain call throws', async () => {
    const one = refusal('', 'ShapeError', /^input: expected 2 channels/, () => null);
    const promise = conv2dAsync(random([1, 3, 6, 7]), w);
    expectRefused(await promise.catch((error: unknown) => error), one);
  });

  test('a signal that is none is refused', async () => {
    const one = refusal(
      '',
      'ArgumentError',
      /^options\.signal: expected an AbortSignal, got "now"$/,
      () => null,
    );
    expectRefused(await conv2dAsync(x, w, { signal: any('now') }).catch((error: unknown) => error), one);
  });

  test('a signal that has fired rejects with AbortError', async () => {
    await expect(conv2dAsync(x, w, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  test('a disposed convolution refuses to run, and to be run; disposing twice is nothing', async () => {
    const prepared = prepareConv(w);
    prepared.run(x);
    prepared.dispose();
    prepared.dispose();
    const one = refusal(
      '',
      'ArgumentError',
      /^PreparedConv: expected one in use, got a disposed one$/,
      () => null,
    );
    expectRefused(
      caught(() => prepared.run(x)),
      one,
    );
    expectRefused(await prepared.runAsync(x).catch((error: unknown) => error), one);
  });

  testRefusals([
    refusal('preparing integers', 'DTypeError', /^weight: expected float32 or float64, got int8$/, () =>
      prepareConv(random([4, 2, 3, 3], 'int8')),
    ),
    refusal('preparing two axes', 'ShapeError', /^weight: expected 4 axes/, () =>
      prepareConv(random([3, 3])),
    ),
    refusal('preparing with out', 'ArgumentError', /^options\.out: unknown option/, () =>
      prepareConv(w, any({ out: random([1, 4, 4, 5]) })),
    ),
    refusal('preparing for a shape that does not fit', 'ShapeError', /^input: expected 2 channels/, () =>
      prepareConv(w, { inputShape: [1, 3, 6, 7] }),
    ),
    refusal('running another dtype', 'DTypeError', /^input: expected float32, got float64$/, () =>
      prepareConv(w).run(random([1, 2, 6, 7], 'float64')),
    ),
    refusal('running another rank', 'ShapeError', /^input: expected 4 axes/, () =>
      prepareConv(w).run(random([2, 6])),
    ),
  ]);
});
