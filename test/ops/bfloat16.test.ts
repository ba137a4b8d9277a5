/** `precision: 'bf16'`: operands rounded to bfloat16 wherever it is an option, products summed in float32. */
import * as convmat from 'convmat';
import {
  ArgumentError,
  type ConvOptions,
  DTypeError,
  explainConv,
  matmul,
  prepareConv,
  Tensor,
  type TensorLike,
  tensor,
  UnsupportedError,
} from 'convmat';
import { afterEach, describe, expect, test } from 'vitest';
import { bfloat16, rounded } from '../oracle/bfloat16';
import { conv } from '../oracle/conv';
import { absolute, product } from '../oracle/window';
import { ALGORITHMS } from '../support/algorithms';
import { expectSame, expectWithin } from '../support/compare';
import { type GoldenCase, golden } from '../support/golden';
import { compiled, GraphOf } from '../support/graphs';
import { normal, random, stream } from '../support/random';
import { expectRefusal } from '../support/refusals';
import { EXACT, sums, transformed } from '../support/tolerance';

type Conv = (input: TensorLike, weight: TensorLike, options?: ConvOptions) => Tensor;
const CONV: Record<number, Conv> = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };
const BF16 = { precision: 'bf16' } as const;

const { threads: initial } = convmat.backendInfo();
afterEach(() => convmat.setNumThreads(initial));

describe('golden data of PyTorch', () => {
  test.each(golden('torch_bfloat16').cases)('$id', ({ call, tensors, args, expected }: GoldenCase) => {
    const { input, weight, bias, a, b } = tensors;
    if (call === 'matmul') {
      const [m, k] = a.shape;
      const c = matmul(a, b, args);
      // The products of one factor each are the factors.
      const sizes = Array.from({ length: m * b.shape[1] }, () => 16 * k);
      expectWithin(c, expected.output, { data: sizes, shape: c.shape }, k === 1 ? EXACT : sums(k, 'float32'));
      return;
    }
    const y = CONV[weight.shape.length - 2](input, weight, { ...args, bias });
    const { activation: _, precision: __, ...geometry } = args;
    const magnitude = conv(absolute(input), absolute(weight), geometry, bias && absolute(bias));
    expectWithin(y, expected.output, magnitude, sums(product(weight.shape.slice(1)), 'float32'));
  });
});

test('any float32 is rounded as arithmetic has it', () => {
  const next = stream(3);
  const bits = Int32Array.from({ length: 20_000 }, () => next() * 2 ** 32);
  const values = new Float32Array(bits.buffer);
  const column = new Tensor(values, [values.length, 1]);
  const want = values.map(bfloat16);
  const check = (shape: readonly number[], got: Tensor) =>
    expectWithin(got, { data: want, shape }, { data: want, shape }, EXACT);
  check(column.shape, matmul(column, [[1]], BF16));
  const row = [1, values.length];
  check(row, matmul([[1]], new Tensor(values, row), BF16));
});

const layers = [
  { input: [1, 3, 12, 11], weight: [8, 3, 3, 3], options: { padding: 1 } },
  { input: [2, 40, 9, 10], weight: [24, 40, 3, 3], options: { padding: 1 } },
  { input: [1, 64, 8, 9], weight: [40, 64, 1, 1], options: {} },
  { input: [1, 48, 13, 12], weight: [16, 48, 3, 3], options: { padding: 1, stride: 2 } },
  { input: [1, 12, 14, 15], weight: [12, 1, 3, 3], options: { padding: 1, groups: 12 } },
  { input: [1, 1, 40, 41], weight: [1, 1, 9, 9], options: { padding: 4 } },
] as const;

describe.each(layers)('$input by $weight', ({ input, weight, options }) => {
  const [x, w] = [normal(input, 1), normal(weight, 2)];
  const bias = normal([weight[0]], 3);
  const n = product(weight.slice(1));
  const exact = conv(rounded(x), rounded(w), options, bias);
  const magnitude = conv(absolute(rounded(x)), absolute(rounded(w)), options, absolute(bias));

  test('sums what rounding leaves, by every algorithm that serves', () => {
    for (const algorithm of ['auto', ...ALGORITHMS] as const) {
      const isSum = algorithm !== 'winograd' && algorithm !== 'fft';
      const run = () => convmat.conv2d(x, w, { ...options, ...BF16, algorithm, bias });
      try {
        expectWithin(run(), exact, magnitude, (isSum ? sums : transformed)(n, 'float32'));
      } catch (error) {
        if (!(error instanceof UnsupportedError)) throw error;
      }
    }
  });

  test('errs by no more than the page on accuracy says', () => {
    const unrounded = conv(x, w, options, bias);
    const sizes = conv(absolute(x), absolute(w), options, absolute(bias));
    const factor = 2 ** -7 + 2 ** -16 + sums(n, 'float32').factor;
    const y = convmat.conv2d(x, w, { ...options, ...BF16, bias });
    expectWithin(y, unrounded, sizes, { factor, scale: 'own' });
    // And it rounds: float32 would not err so.
    expect(() => expectWithin(y, unrounded, sizes, sums(n, 'float32'))).toThrow();
  });

  test('prepared, off the event loop and by two threads the same bits', async () => {
    const y = convmat.conv2d(x, w, { ...options, ...BF16, bias, activation: 'relu' });
    using prepared = prepareConv(w, { ...options, ...BF16, bias, activation: 'relu' });
    expectSame(prepared.run(x), y);
    expectSame(await prepared.runAsync(x), y);
    expectSame(await convmat.conv2dAsync(x, w, { ...options, ...BF16, bias, activation: 'relu' }), y);
    convmat.setNumThreads(2);
    expectSame(prepared.run(x, new Tensor(new Float32Array(y.size), y.shape)), y);
  });

  test('operands stay as they are', () => {
    const [before, weights] = [x.data.slice(), w.data.slice()];
    convmat.conv2d(x, w, { ...options, ...BF16 });
    expect(x.data).toEqual(before);
    expect(w.data).toEqual(weights);
  });

  test('is explained', () => {
    const explained = explainConv(input, w, { ...options, ...BF16 });
    expect(explained.precision).toBe('bf16');
    expect(explained.reason).toMatch(/bfloat16/);
    expect(['im2col', 'direct', 'depthwise', 'toeplitz']).toContain(explained.chosen);
    using prepared = prepareConv(w, { ...options, ...BF16 });
    expect(prepared.explain(input).reason).toBe(explained.reason);
    expect(explainConv(input, w, options).precision).toBe('float32');
  });
});

test('a unit of tiles takes what fills its tiles, and nothing else', () => {
  const reasonOf = (input: readonly number[], weight: readonly number[], options: ConvOptions) =>
    explainConv([...input], { shape: [...weight] }, options).reason;
  const { isa } = convmat.backendInfo();
  const onTiles = /unit of tiles/;
  const large = [
    [1, 64, 14, 14],
    [64, 64, 3, 3],
  ] as const;
  if (isa === 'amx') expect(reasonOf(...large, BF16)).toMatch(onTiles);
  else expect(reasonOf(...large, BF16)).not.toMatch(onTiles);
  expect(reasonOf(...large, {})).not.toMatch(onTiles);
  expect(reasonOf([1, 3, 56, 56], [64, 3, 7, 7], BF16)).not.toMatch(onTiles);
  expect(reasonOf([1, 64, 1, 1], [64, 64, 1, 1], BF16)).not.toMatch(onTiles);
});

test('weights that are a column times a row are none when they are rounded', () => {
  const line = normal([15], 4).data;
  const outer = Float32Array.from({ length: 225 }, (_, i) => line[Math.floor(i / 15)] * line[i % 15]);
  const [x, w] = [normal([1, 1, 60, 61], 5), new Tensor(outer, [1, 1, 15, 15])];
  const exact = conv(rounded(x), rounded(w), { padding: 7 });
  const magnitude = conv(absolute(x), absolute(w), { padding: 7 });
  for (const algorithm of ['auto', 'im2col'] as const)
    expectWithin(
      convmat.conv2d(x, w, { padding: 7, ...BF16, algorithm }),
      exact,
      magnitude,
      sums(230, 'float32'),
    );
});

test('NaN and infinity come out where direct summation puts them', () => {
  const [x, w] = [normal([1, 40, 9, 8], 6), normal([20, 40, 3, 3], 7)];
  x.data.set([Number.NaN, Infinity, 3.4e38, 1e-39], 100);
  w.data.set([-Infinity, 3.4e38, 1e-40], 1000);
  const y = convmat.conv2d(x, w, { ...BF16, bias: new Float32Array(20) });
  const want = conv(rounded(x), rounded(w), {});
  const finite = (value: number) => (Math.abs(value) > 3.4e38 ? Math.sign(value) * Infinity : value);
  y.data.forEach((value, i) => {
    const expected = finite(want.data[i]);
    if (!Number.isFinite(expected)) expect(value).toBe(expected);
    else if (Math.abs(expected) < 1e30) expect(Math.abs(value - expected)).toBeLessThan(1e-3);
  });
});

test('transposed convolution', () => {
  const [x, w] = [normal([2, 24, 7, 6], 8), normal([24, 10, 3, 3], 9)];
  for (const options of [{ padding: 1 }, { stride: 2, padding: 1, outputPadding: 1 }]) {
    const y = convmat.convTranspose2d(x, w, { ...options, ...BF16 });
    const same = convmat.convTranspose2d(rounded(x), rounded(w), { ...options, accuracy: 'strict' });
    const magnitude = convmat.convTranspose2d(absolute64(rounded(x)), absolute64(rounded(w)), options);
    expectWithin(y, same, magnitude, {
      ...sums(24 * 9, 'float32'),
      factor: 2 * sums(24 * 9, 'float32').factor,
    });
  }
});

function absolute64({ data, shape }: Tensor): Tensor {
  return new Tensor(Float64Array.from(data, Math.abs), shape);
}

test('networks round what their convolutions read, and tell so', () => {
  const window = { strides: [1, 1], dilations: [1, 1], groups: 1 };
  const of = new GraphOf();
  const x = of.input([1, 20, 10, 11], 1);
  const attributes = (pad: number) =>
    ({
      ...window,
      kernel: [2 * pad + 1, 2 * pad + 1],
      pads: [
        [pad, pad],
        [pad, pad],
      ],
    }) as never;
  const shape = [1, 32, 10, 11];
  const [first, second] = [random([32, 20, 3, 3], 'float32', 10), random([32, 32, 1, 1], 'float32', 11)];
  const constant = (w: Tensor) => of.constantOf(w.shape, w.data as Float32Array);
  const a = of.add('Conv', attributes(1), [x, constant(first)], shape);
  const b = of.add('Unary', { fn: 'Relu', alpha: 0, beta: 0 } as never, [a], shape);
  const c = of.add('Conv', attributes(0), [b, constant(second)], shape);
  const input = random([1, 20, 10, 11], 'float32', 12);
  const network = compiled(of.graph(c), { exactness: { accuracy: 'fast', precision: 'bf16' } });
  const [y] = network.run([input.data as Float32Array]);
  expect(network.executable.steps.filter(({ algorithm }) => /bfloat16/.test(algorithm))).toHaveLength(2);
  network.release();
  const between = convmat.conv2d(input, first, { padding: 1, activation: 'relu', ...BF16 });
  const want = convmat.conv2d(between, second, BF16);
  const size = Math.sqrt(Array.from(want.data).reduce((sum, v) => sum + v * v, 0) / want.size);
  const worst = ({ data }: Tensor) =>
    Array.from(data).reduce((most, v, i) => Math.max(most, Math.abs(v - y[i])), 0) / size;
  // Where float32 sums differ in their last bits, what lies between may round to its other neighbour.
  expect(worst(want)).toBeLessThan(1e-3);
  expect(
    worst(convmat.conv2d(convmat.conv2d(input, first, { padding: 1, activation: 'relu' }), second)),
  ).toBeGreaterThan(2e-3);
});

describe('refusals', () => {
  const [x, w] = [random([1, 2, 5, 5]), random([3, 2, 3, 3])];
  const [x64, w64] = [random([1, 2, 5, 5], 'float64'), random([3, 2, 3, 3], 'float64')];
  test('other words', () => {
    for (const precision of ['bfloat16', 'f16', '', 16] as never[]) {
      for (const call of [
        () => convmat.conv2d(x, w, { precision }),
        () => prepareConv(w, { precision }),
        () => explainConv([1, 2, 5, 5], w, { precision }),
        () => matmul([[1]], [[1]], { precision }),
      ])
        expectRefusal(call, ArgumentError, /options\.precision: .*'float32', 'bf16'/);
    }
  });
  test('other operands', () => {
    const message = /expected float32, which precision 'bf16' rounds, got (float64|uint8|int32)/;
    expectRefusal(() => convmat.conv2d(x64, w64, BF16), DTypeError, message);
    expectRefusal(
      () => convmat.convTranspose2d(random([1, 3, 5, 5], 'float64'), w64, BF16),
      DTypeError,
      message,
    );
    expectRefusal(() => prepareConv(w64, BF16), DTypeError, message);
    expectRefusal(() => explainConv([1, 2, 5, 5], w64, BF16), DTypeError, message);
    expectRefusal(
      () => explainConv([1, 2, 5, 5], { shape: [3, 2, 3, 3] }, { ...BF16, dtype: 'float64' }),
      DTypeError,
      message,
    );
    expectRefusal(
      () => matmul(random([2, 2], 'float64'), random([2, 2], 'float64'), BF16),
      DTypeError,
      message,
    );
    expectRefusal(
      () => matmul(tensor(Uint8Array.of(1), [1, 1]), tensor(Uint8Array.of(1), [1, 1]), BF16),
      DTypeError,
      message,
    );
    expectRefusal(
      () =>
        convmat.conv2d(tensor(Uint8Array.of(1), [1, 1, 1, 1]), tensor(Uint8Array.of(1), [1, 1, 1, 1]), BF16),
      DTypeError,
      /float32/,
    );
  });
  test("'float32' is what it was", () => {
    expectSame(convmat.conv2d(x, w, { precision: 'float32' }), convmat.conv2d(x, w));
    expectSame(convmat.conv2d(x64, w64, { precision: 'float32' }), convmat.conv2d(x64, w64));
    expect(matmul([[2]], [[3]], { precision: 'float32' }).data[0]).toBe(6);
  });
});
