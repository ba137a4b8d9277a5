/**
 * Every public function with every kind of wrong value in every position and option: an error of the library's own
 * classes, or an answer; never another exception, never a half-written `out`.
 */
import * as convmat from 'convmat';
import {
  avgPool2d,
  data,
  fixed,
  io,
  maxPool2d,
  maxPool2dWithIndices,
  nn,
  optim,
  signal,
  tensor,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { random } from '../support/random';

function detached(): Float32Array {
  const array = new Float32Array(18);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

function cyclic(): unknown[] {
  const array: unknown[] = [];
  array.push(array);
  return array;
}

const throwing = new Proxy({}, { get: () => undefined, has: () => true });

/** Each made anew, so that no call sees what another did to it. */
const HOSTILE: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  'minus one': () => -1,
  zero: () => 0,
  'one and a half': () => 1.5,
  NaN: () => NaN,
  infinity: () => Infinity,
  '2^31': () => 2 ** 31,
  '2^53': () => 2 ** 53,
  bigint: () => 3n,
  symbol: () => Symbol('s'),
  'empty text': () => '',
  text: () => 'constructor',
  'long text': () => 'x'.repeat(1e5),
  function: () => () => 1,
  class: () => class Odd {},
  object: () => ({}),
  'object without prototype': () => Object.create(null),
  'frozen array': () => Object.freeze([]),
  'empty array': () => [],
  'array of holes': () => new Array(3),
  'array of text': () => ['1', '2'],
  'array of negatives': () => [-1, -1],
  'array of three': () => [1, 1, 1],
  'nested too deeply': () => Array.from({ length: 40 }).reduce((inner: unknown) => [inner], 1),
  'ragged array': () => [[1, 2], [3]],
  'array in itself': cyclic,
  'huge length': () => ({ length: 2 ** 40 }),
  proxy: () => throwing,
  map: () => new Map(),
  date: () => new Date(NaN),
  regexp: () => /x/,
  promise: () => Promise.resolve(1),
  'detached array': detached,
  'shared array': () => new Float32Array(new SharedArrayBuffer(72)),
  'empty typed array': () => new Float32Array(0),
  'typed array of NaN': () => new Float32Array(18).fill(NaN),
  'big integers': () => new BigInt64Array(18),
  'data view': () => new DataView(new ArrayBuffer(72)),
  buffer: () => Buffer.alloc(18),
  'shape without data': () => ({ shape: [1, 2, 3, 3] }),
  'data without shape': () => ({ data: new Float32Array(18) }),
  'shape that lies': () => ({ data: new Float32Array(18), shape: [1e9, 1e9] }),
  'strides that leave': () => ({ data: new Float32Array(18), shape: [3, 3], stride: [1e9, -1e9], offset: 5 }),
  'detached tensor': () => ({ data: detached(), shape: [1, 2, 3, 3] }),
  'tensor without axes': () => tensor(1),
  'tensor of nothing': () => tensor(new Float32Array(0), [0, 2, 3, 3]),
  'tensor of integers': () => tensor(new Int16Array(18), [1, 2, 3, 3]),
  'tensor of float64': () => random([1, 2, 3, 3], 'float64'),
  'tensor of five axes': () => random([1, 1, 2, 3, 3]),
};

/** A call that works, and the options it may take besides: each argument and option is replaced in turn. */
interface Call {
  readonly name: string;
  readonly run: (...args: never[]) => unknown;
  readonly args: () => unknown[];
  readonly options?: readonly string[];
}

function call(
  name: string,
  run: (...args: never[]) => unknown,
  args: () => unknown[],
  options: readonly string[] = [],
): Call {
  return { name, run, args, options };
}

const GEOMETRY = ['stride', 'padding', 'paddingMode', 'dilation', 'groups'];
const CONV = [...GEOMETRY, 'bias', 'activation', 'algorithm', 'accuracy', 'out'];
const image = () => random([1, 2, 5, 6]);
const weight = () => random([3, 2, 3, 3], 'float32', 2);
const matrix = () => convmat.convMatrix(random([1, 1, 2, 2]), { inputShape: [1, 3, 3] });
const csr = () => matrix().toCSR();
const vector = (length = 9) => random([length]).data;
const type = () => ({ signed: true, wordLength: 8, fractionLength: 4 });
const bytes = () => ({ image: random([1, 2, 5, 6], 'uint8'), weight: random([3, 2, 3, 3], 'int8', 2) });
const quantised = () => ({
  inputScale: 0.5,
  inputZeroPoint: 3,
  weightScale: 0.25,
  weightZeroPoint: 0,
  outputScale: 4,
  outputZeroPoint: 5,
});
const parameter = () => new nn.Linear(3, 2).parameters();

const CALLS: readonly Call[] = [
  call('tensor', convmat.tensor as never, () => [new Float32Array(6), [2, 3], 'float32']),
  call(
    'Tensor',
    ((...args: ConstructorParameters<typeof convmat.Tensor>) => new convmat.Tensor(...args)) as never,
    () => [new Float32Array(6), [2, 3]],
  ),
  call('reshape', ((shape: number[]) => image().reshape(shape)) as never, () => [[5, 12]]),
  call('conv1d', convmat.conv1d as never, () => [random([1, 2, 9]), random([3, 2, 3]), {}], CONV),
  call('conv2d', convmat.conv2d as never, () => [image(), weight(), {}], CONV),
  call('conv3d', convmat.conv3d as never, () => [random([1, 2, 4, 4, 4]), random([3, 2, 2, 2, 2]), {}], CONV),
  call('conv2dAsync', convmat.conv2dAsync as never, () => [image(), weight(), {}], [...CONV, 'signal']),
  call('convTranspose2d', convmat.convTranspose2d as never, () => [random([1, 3, 5, 6]), weight(), {}], [
    ...CONV,
    'outputPadding',
  ]),
  call(
    'convInputGrad',
    convmat.convInputGrad as never,
    () => [[1, 2, 5, 6], weight(), random([1, 3, 3, 4]), {}],
    [...GEOMETRY, 'accuracy'],
  ),
  call(
    'convWeightGrad',
    convmat.convWeightGrad as never,
    () => [image(), [3, 2, 3, 3], random([1, 3, 3, 4]), {}],
    [...GEOMETRY, 'accuracy'],
  ),
  call('convBiasGrad', convmat.convBiasGrad as never, () => [random([1, 3, 3, 4])]),
  call('prepareConv', convmat.prepareConv as never, () => [weight(), {}], [...CONV, 'inputShape']),
  call(
    'PreparedConv.run',
    ((...args: [never, never]) => convmat.prepareConv(weight()).run(...args)) as never,
    () => [image(), undefined],
  ),
  call(
    'PreparedConv.runAsync',
    ((...args: [never, never]) => convmat.prepareConv(weight()).runAsync(...args)) as never,
    () => [image(), {}],
    ['signal', 'out'],
  ),
  call(
    'PreparedConv.outputShape',
    ((shape: never) => convmat.prepareConv(weight()).outputShape(shape)) as never,
    () => [[1, 2, 5, 6]],
  ),
  call('explainConv', convmat.explainConv as never, () => [[1, 2, 5, 6], weight(), {}], GEOMETRY),
  call('unfold', convmat.unfold as never, () => [image(), [3, 3], {}], GEOMETRY),
  call('fold', convmat.fold as never, () => [random([1, 18, 12]), [5, 6], [3, 3], {}], GEOMETRY),
  call('matmul', convmat.matmul as never, () => [random([2, 3]), random([3, 2])]),
  ...Object.entries({ maxPool2d, maxPool2dWithIndices, avgPool2d }).map(([name, pool]) =>
    call(name, pool as never, () => [image(), 2, {}], [
      'stride',
      'padding',
      'dilation',
      'ceilMode',
      'countIncludePad',
    ]),
  ),
  call('convMatrix', convmat.convMatrix as never, () => [random([3, 2, 3, 3]), { inputShape: [2, 4, 5] }], [
    ...GEOMETRY,
    'inputShape',
  ]),
  ...(['matvec', 'rmatvec', 'matmat', 'rmatmat', 'row'] as const).map((name) =>
    call(`ConvMatrix.${name}`, ((...args: [never]) => matrix()[name](...args)) as never, () => [
      name === 'matvec' ? vector() : name === 'row' ? 2 : random([name === 'matmat' ? 9 : 4, 2]),
      undefined,
    ]),
  ),
  call('ConvMatrix.at', ((row: never, col: never) => matrix().at(row, col)) as never, () => [1, 2]),
  call('ConvMatrix.toDense', ((options: never) => matrix().toDense(options)) as never, () => [{}], [
    'maxBytes',
  ]),
  call('ConvMatrix.spy', ((options: never) => matrix().spy(options)) as never, () => [{}], [
    'format',
    'maxSize',
  ]),
  call(
    'CsrMatrix',
    ((...args: ConstructorParameters<typeof convmat.CsrMatrix>) => new convmat.CsrMatrix(...args)) as never,
    () => [[2, 3], Int32Array.of(0, 1, 2), Int32Array.of(0, 2), Float32Array.of(1, 2)],
  ),
  call('CsrMatrix.fromCOO', convmat.CsrMatrix.fromCOO.bind(convmat.CsrMatrix) as never, () => [
    [2, 3],
    [0, 1],
    [0, 2],
    Float32Array.of(1, 2),
  ]),
  call('CsrMatrix.fromDense', convmat.CsrMatrix.fromDense.bind(convmat.CsrMatrix) as never, () => [
    random([2, 3]),
  ]),
  call('CsrMatrix.matvec', ((x: never, out: never) => csr().matvec(x, out)) as never, () => [
    vector(),
    undefined,
  ]),
  call('CsrMatrix.matmat', ((x: never) => csr().matmat(x)) as never, () => [random([9, 2])]),
  call(
    'convToLinear',
    convmat.convToLinear as never,
    () => [random([3, 2, 3, 3]), { inputShape: [2, 4, 5] }],
    [...GEOMETRY, 'inputShape', 'bias', 'sparse'],
  ),
  call('linearToConv', convmat.linearToConv as never, () => [random([3, 18]), { inputShape: [2, 3, 3] }], [
    'inputShape',
    'bias',
  ]),
  call('toeplitz', convmat.toeplitz as never, () => [vector(3), undefined]),
  call('circulant', convmat.circulant as never, () => [vector(3)]),
  call('hankel', convmat.hankel as never, () => [vector(3), undefined]),
  call('toeplitz.solve', ((b: never) => convmat.toeplitz([4, 1, 0]).solve(b)) as never, () => [vector(3)]),
  call('convolutionMatrix', convmat.convolutionMatrix as never, () => [vector(3), 5, 'full']),
  // What a caller's own onIteration throws is the caller's.
  call('lsqr', convmat.lsqr as never, () => [matrix(), vector(4), {}], [
    'tolerance',
    'maxIterations',
    'damp',
    'x0',
  ]),
  call('cg', convmat.cg as never, () => [convmat.toeplitz([4, 1, 0]), vector(3), {}], [
    'tolerance',
    'maxIterations',
    'x0',
  ]),
  call('spectralNorm', convmat.spectralNorm as never, () => [matrix(), {}], [
    'tolerance',
    'maxIterations',
    'seed',
  ]),
  call('dotTest', convmat.dotTest as never, () => [matrix(), {}], ['trials', 'seed']),
  call('convSingularValues', convmat.convSingularValues as never, () => [weight(), [4, 5]]),
  call('convInteger', convmat.convInteger as never, () => [bytes().image, bytes().weight, {}], [
    ...GEOMETRY,
    'inputZeroPoint',
    'weightZeroPoint',
  ]),
  call('qlinearConv', convmat.qlinearConv as never, () => [bytes().image, bytes().weight, quantised()], [
    ...GEOMETRY,
    ...Object.keys(quantised()),
    'bias',
    'outputDType',
  ]),
  call('signal.conv', signal.conv as never, () => [vector(5), vector(3), 'full']),
  call('signal.conv2', signal.conv2 as never, () => [random([4, 5]), random([2, 2]), 'full']),
  call('signal.conv2Separable', signal.conv2Separable as never, () => [
    vector(3),
    vector(2),
    random([4, 5]),
    'full',
  ]),
  call('signal.convn', signal.convn as never, () => [random([3, 4, 2]), random([2, 2, 2]), 'full']),
  call('signal.filter2', signal.filter2 as never, () => [random([2, 2]), random([4, 5]), 'same']),
  call('signal.cconv', signal.cconv as never, () => [vector(5), vector(3), 4]),
  call('signal.fft', signal.fft as never, () => [vector(5), 7]),
  call('signal.ifft', signal.ifft as never, () => [{ re: new Float64Array(5), im: new Float64Array(5) }, 7]),
  call('signal.im2col', signal.im2col as never, () => [random([4, 5]), [2, 2], 'sliding']),
  call('signal.col2im', signal.col2im as never, () => [random([4, 6]), [2, 2], [4, 6], 'distinct']),
  call('fixed.fi', fixed.fi as never, () => [random([3, 4]), type()], [
    'signed',
    'wordLength',
    'fractionLength',
    'rounding',
    'overflow',
  ]),
  call(
    'fixed.conv2',
    fixed.conv2 as never,
    () => [fixed.fi(random([4, 5]), type()), fixed.fi(random([2, 2]), type()), { output: type() }],
    ['shape', 'output', 'productShift', 'accumulate'],
  ),
  call('nn.Linear', ((...args: [number, number]) => new nn.Linear(...args)) as never, () => [3, 2, {}], [
    'bias',
    'seed',
  ]),
  call(
    'nn.Conv2d',
    ((...args: [number, number, number]) => new nn.Conv2d(...args)) as never,
    () => [2, 3, 3, {}],
    [...GEOMETRY, 'bias', 'seed'],
  ),
  call('nn.Conv2d.forward', ((x: never) => new nn.Conv2d(2, 3, 3).forward(x)) as never, () => [image()]),
  call(
    'nn.Conv2d.outputShape',
    ((shape: never) => new nn.Conv2d(2, 3, 3).outputShape(shape)) as never,
    () => [[1, 2, 5, 6]],
  ),
  call('nn.MaxPool2d', ((...args: [number]) => new nn.MaxPool2d(...args)) as never, () => [2, {}], [
    'stride',
    'padding',
    'dilation',
    'ceilMode',
  ]),
  call('nn.ReLU.forward', ((x: never) => new nn.ReLU().forward(x)) as never, () => [image()]),
  call(
    'nn.ReLU.backward',
    ((g: never) => {
      const relu = new nn.ReLU();
      relu.forward(image());
      return relu.backward(g);
    }) as never,
    () => [image()],
  ),
  call('nn.Sequential', ((...modules: never[]) => new nn.Sequential(...modules)) as never, () => [
    new nn.ReLU(),
    new nn.Flatten(),
  ]),
  call(
    'nn.Sequential.summary',
    ((shape: never) => new nn.Sequential(new nn.Conv2d(2, 3, 3)).summary(shape)) as never,
    () => [[2, 5, 6]],
  ),
  call(
    'nn.loadStateDict',
    ((state: never) => new nn.Linear(3, 2).loadStateDict(state)) as never,
    () => [{ weight: random([2, 3]), bias: random([2]) }],
    ['weight', 'bias'],
  ),
  call('nn.linearize', nn.linearize as never, () => [new nn.Sequential(new nn.Conv2d(2, 3, 3)), [2, 5, 6]]),
  call('nn.mseLoss', nn.mseLoss as never, () => [random([3, 2]), random([3, 2])]),
  call('nn.crossEntropyLoss', nn.crossEntropyLoss as never, () => [random([3, 2]), [0, 1, 1]]),
  call('nn.l1Penalty', nn.l1Penalty as never, () => [parameter()[0], 0.1]),
  ...(['SGD', 'Adagrad', 'Adam', 'AdamW', 'RMSprop'] as const).map((name) =>
    call(
      `optim.${name}`,
      ((p: never, o: never) => new optim[name](p, o)) as never,
      () => [parameter(), { lr: 0.1 }],
      [
        'lr',
        'momentum',
        'dampening',
        'nesterov',
        'weightDecay',
        'l1',
        'lrDecay',
        'initialAccumulatorValue',
        'eps',
        'betas',
        'alpha',
        'centered',
      ],
    ),
  ),
  call('data.TensorDataset', ((...tensors: never[]) => new data.TensorDataset(...tensors)) as never, () => [
    random([4, 2]),
    random([4]),
  ]),
  call(
    'data.TensorDataset.get',
    ((i: never) => new data.TensorDataset(random([4, 2])).get(i)) as never,
    () => [1],
  ),
  call(
    'data.DataLoader',
    ((dataset: never, options: never) => [...new data.DataLoader(dataset, options)]) as never,
    () => [new data.TensorDataset(random([4, 2])), {}],
    ['batchSize', 'shuffle', 'seed', 'dropLast'],
  ),
  ...(['readNpy', 'readNpz', 'readSparseNpz', 'readMatrixMarket'] as const).map((name) =>
    call(`io.${name}`, io[name] as never, () => ['/nowhere/at-all']),
  ),
  call('setNumThreads', convmat.setNumThreads as never, () => [2]),
];

/** The reason a result is not allowed, or null. */
async function misbehaviour({ run }: Call, args: unknown[]): Promise<string | null> {
  try {
    await run(...(args as never[]));
  } catch (error) {
    if (error instanceof convmat.ConvmatError) {
      if (!/^ERR_CONVMAT_[A-Z]+$/.test(error.code)) return `code ${error.code}`;
      return error.message.length > 0 ? null : 'no message';
    }
    const { syscall, name, message } = error as NodeJS.ErrnoException;
    // A file that cannot be opened is the system's to report.
    if (syscall === 'open') return null;
    return `${name}: ${message}`;
  }
  return null;
}

describe('any wrong value in any position', () => {
  test.each(CALLS)('$name', async (one) => {
    const found: string[] = [];
    expect(await misbehaviour(one, one.args()), 'the call itself').toBeNull();
    for (const [kind, make] of Object.entries(HOSTILE)) {
      for (let at = 0; at < one.args().length; at++) {
        const args = one.args();
        args[at] = make();
        const reason = await misbehaviour(one, args);
        if (reason !== null) found.push(`argument ${at} is ${kind}: ${reason}`);
      }
      for (const option of one.options ?? []) {
        const args = one.args();
        args[args.length - 1] = { ...(args[args.length - 1] as object), [option]: make() };
        const reason = await misbehaviour(one, args);
        if (reason !== null) found.push(`option ${option} is ${kind}: ${reason}`);
      }
    }
    expect(found).toEqual([]);
  });
});

test('a refused call leaves out as it was', async () => {
  for (const [kind, make] of Object.entries(HOSTILE)) {
    for (const option of CONV.filter((name) => name !== 'out')) {
      const out = tensor(new Float32Array(36).fill(7), [1, 3, 3, 4]);
      const before = out.data.slice();
      try {
        convmat.conv2d(image(), weight(), { [option]: make(), out });
      } catch {
        expect(out.data, `${option} is ${kind}`).toEqual(before);
      }
    }
  }
});
