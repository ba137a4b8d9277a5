/**
 * Every public function with every kind of wrong value in every position and option: an error of the library's own
 * classes, or an answer; never another exception, never a half-written `out`. What is public is read off the library
 * itself, so that nothing new goes untried.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as convmat from 'convmat';
import {
  avgPool1d,
  avgPool2d,
  avgPool3d,
  cgAsync,
  data,
  fixed,
  image as images,
  io,
  lsqrAsync,
  maxPool1d,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  nn,
  onnx,
  operators,
  optim,
  signal,
  tensor,
} from 'convmat';
import { afterAll, describe, expect, test } from 'vitest';
import { golden } from '../support/golden';
import { isNode } from '../support/host';
import { random } from '../support/random';
import { sharedArray } from '../support/shared-memory';

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

/** 18 elements, and 9 by its own account. */
function lying(): Float32Array {
  return Object.defineProperty(new Float32Array(18), 'length', { value: 9 });
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
  'revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  },
  'object that cannot be described': () =>
    Object.create({
      get constructor() {
        throw new Error('not for you');
      },
    }),
  'large bigint': () => 1n << 100_000n,
  'detached array': detached,
  'shared array': () => sharedArray(Float32Array, 18),
  'empty typed array': () => new Float32Array(0),
  'typed array of NaN': () => new Float32Array(18).fill(NaN),
  'array that lies about its length': lying,
  'big integers': () => new BigInt64Array(18),
  'data view': () => new DataView(new ArrayBuffer(72)),
  ...(isNode && { buffer: () => Buffer.alloc(18) }),
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
  /** Where the caller's own memory for the result goes, and such memory. */
  readonly out?: Out;
}
interface Out {
  readonly at: number | 'option';
  readonly make: () => convmat.Tensor | convmat.TypedArray;
}

function call(
  name: string,
  run: (...args: never[]) => unknown,
  args: () => unknown[],
  options: readonly string[] = [],
  out?: Out,
): Call {
  return { name, run, args, options, out };
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
const stored = () => fixed.fi(random([3, 4]), type());
const filter = convmat.prepareConv(random([4, 1, 3, 3]), { groups: 4, padding: 1 });
const rgba = () => ({ data: new Uint8Array(48), width: 4, height: 3, channels: 4 });
const exported = golden('torch_onnx').cases.find(({ id }) => id === 'attention at opset 17');
const modelBytes = () => Uint8Array.from(exported?.tensors.model.data ?? []);
const model = await onnx.readModel(modelBytes());
const shapes = { x: exported?.tensors['x as exported'].shape ?? [] };
const linearized = await onnx.linearize(model, { inputShapes: shapes });
const parameter = () => new nn.Linear(3, 2).parameters();

const scratch = mkdtempSync(join(tmpdir(), 'convmat-hostile-'));
afterAll(() => rmSync(scratch, { recursive: true }));
/** A file of our own for every path that could be written to. */
const place = (path: unknown) =>
  (typeof path === 'string' && path !== '' ? join(scratch, 'file') : path) as string;

/** A folder of our own for every one that could be made. */
const folderFor = (path: unknown) =>
  (typeof path === 'string' && path !== '' ? mkdtempSync(join(scratch, 'folder-')) : path) as string;

const tensorOf = (shape: number[]) => () => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
const outOption = (shape: number[]): Out => ({ at: 'option', make: tensorOf(shape) });
const outVector = (length: number): Out => ({ at: 1, make: () => new Float32Array(length) });

/** forward, backward and outputShape of a module for inputs of this shape. */
function moduleCalls(name: string, make: () => nn.Module, shape: number[]): Call[] {
  const after = (x: never, g: never) => {
    const module = make();
    module.forward(x);
    return module.backward(g);
  };
  return [
    call(`nn.${name}.forward`, ((x: never) => make().forward(x)) as never, () => [random(shape)]),
    call(`nn.${name}.backward`, after as never, () => [random(shape), make().forward(random(shape))]),
    call(`nn.${name}.outputShape`, ((of: never) => make().outputShape(of)) as never, () => [shape]),
  ];
}

const complex = (values: number[]) => ({
  re: Float32Array.from(values),
  im: Float32Array.from(values, (value) => 1 - value),
});

const complexCsr = () => {
  const places = Int32Array.of(0, 1, 2);
  return convmat.CsrMatrix.fromCOO([3, 3], places, places, complex([4, 1, 0]));
};
const COMPLEX_CSR_ARGUMENTS = {
  matmat: () => [{ re: random([3, 2]), im: random([3, 2]) }],
  multiply: () => [complexCsr()],
  add: () => [complexCsr()],
  scale: () => [{ re: 1, im: 2 }],
  scaleRows: () => [complex([1, 2, 3])],
  scaleColumns: () => [complex([1, 2, 3])],
  rows: () => [1, 3],
};

const complexConv = () =>
  convmat.convMatrix({ re: random([1, 1, 2, 2]), im: random([1, 1, 2, 2]) }, { inputShape: [1, 3, 3] });
const COMPLEX_CONV_ARGUMENTS = {
  matmat: () => [{ re: random([9, 2]), im: random([9, 2]) }],
  rmatmat: () => [{ re: random([4, 2]), im: random([4, 2]) }],
  at: () => [1, 2],
  row: () => [1],
  scale: () => [{ re: 1, im: 2 }],
  scaleChannels: () => [complex([2])],
  spy: () => [{ format: 'svg' }],
  toDense: () => [{ maxBytes: 1000 }],
};

/** matvec, rmatvec and toDense of an operator of three rows and as many columns. */
type Structured = convmat.HankelMatrix | convmat.ComplexHankelMatrix | convmat.ComplexCsrMatrix;

function operatorCalls(name: string, make: () => Structured, out?: Out): Call[] {
  return [
    call(
      `${name}.matvec`,
      ((x: never, out: never) => make().matvec(x, out)) as never,
      () => [vector(3), undefined],
      [],
      out,
    ),
    call(
      `${name}.rmatvec`,
      ((x: never, out: never) => make().rmatvec(x, out)) as never,
      () => [vector(3), undefined],
      [],
      out,
    ),
    call(`${name}.toDense`, ((options: never) => make().toDense(options)) as never, () => [{}], ['maxBytes']),
  ];
}

const CALLS: readonly Call[] = [
  call('tensor', convmat.tensor as never, () => [new Float32Array(6), [2, 3], 'float32']),
  call(
    'Tensor',
    ((...args: ConstructorParameters<typeof convmat.Tensor>) => new convmat.Tensor(...args)) as never,
    () => [new Float32Array(6), [2, 3]],
  ),
  call('Tensor.reshape', ((shape: number[]) => image().reshape(shape)) as never, () => [[5, 12]]),
  call(
    'conv1d',
    convmat.conv1d as never,
    () => [random([1, 2, 9]), random([3, 2, 3]), {}],
    CONV,
    outOption([1, 3, 7]),
  ),
  call('conv2d', convmat.conv2d as never, () => [image(), weight(), {}], CONV, outOption([1, 3, 3, 4])),
  call(
    'conv3d',
    convmat.conv3d as never,
    () => [random([1, 2, 4, 4, 4]), random([3, 2, 2, 2, 2]), {}],
    CONV,
    outOption([1, 3, 3, 3, 3]),
  ),
  call(
    'conv1dAsync',
    convmat.conv1dAsync as never,
    () => [random([1, 2, 9]), random([3, 2, 3]), {}],
    [...CONV, 'signal'],
    outOption([1, 3, 7]),
  ),
  call(
    'conv3dAsync',
    convmat.conv3dAsync as never,
    () => [random([1, 2, 4, 4, 4]), random([3, 2, 2, 2, 2]), {}],
    [...CONV, 'signal'],
    outOption([1, 3, 3, 3, 3]),
  ),
  call(
    'convTranspose1d',
    convmat.convTranspose1d as never,
    () => [random([1, 3, 5]), random([3, 2, 3]), {}],
    [...CONV, 'outputPadding'],
    outOption([1, 2, 7]),
  ),
  call(
    'convTranspose3d',
    convmat.convTranspose3d as never,
    () => [random([1, 3, 2, 2, 2]), random([3, 2, 2, 2, 2]), {}],
    [...CONV, 'outputPadding'],
    outOption([1, 2, 3, 3, 3]),
  ),
  call(
    'conv2dAsync',
    convmat.conv2dAsync as never,
    () => [image(), weight(), {}],
    [...CONV, 'signal'],
    outOption([1, 3, 3, 4]),
  ),
  call(
    'convTranspose2d',
    convmat.convTranspose2d as never,
    () => [random([1, 3, 5, 6]), weight(), {}],
    [...CONV, 'outputPadding'],
    outOption([1, 2, 7, 8]),
  ),
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
    [],
    { at: 1, make: tensorOf([1, 3, 3, 4]) },
  ),
  call(
    'PreparedConv.runAsync',
    ((...args: [never, never]) => convmat.prepareConv(weight()).runAsync(...args)) as never,
    () => [image(), {}],
    ['signal', 'out'],
    outOption([1, 3, 3, 4]),
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
  call(
    'PreparedConv.explain',
    ((shape: never) => convmat.prepareConv(weight()).explain(shape)) as never,
    () => [[1, 2, 5, 6]],
  ),
  ...Object.entries({ maxPool1d, avgPool1d, maxPool3d, avgPool3d }).map(([name, pool]) =>
    call(name, pool as never, () => [random([1, 2, ...Array(Number(name.at(-2))).fill(5)]), 2, {}], [
      'stride',
      'padding',
      'dilation',
      'ceilMode',
      'countIncludePad',
    ]),
  ),
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
  call(
    'CsrMatrix.rmatvec',
    ((y: never, out: never) => csr().rmatvec(y, out)) as never,
    () => [vector(4), undefined],
    [],
    outVector(9),
  ),
  call('CsrMatrix.toDense', ((options: never) => csr().toDense(options)) as never, () => [{}], ['maxBytes']),
  call(
    'ConvMatrix.T.matvec',
    ((y: never, out: never) => matrix().T.matvec(y, out)) as never,
    () => [vector(4), undefined],
    [],
    outVector(9),
  ),
  call(
    'ConvMatrix.T.rmatvec',
    ((x: never, out: never) => matrix().T.rmatvec(x, out)) as never,
    () => [vector(), undefined],
    [],
    outVector(4),
  ),
  call('ConvMatrix.T.toDense', ((options: never) => matrix().T.toDense(options)) as never, () => [{}], [
    'maxBytes',
  ]),
  ...operatorCalls('StructuredMatrix', () => convmat.toeplitz([4, 1, 0]), outVector(3)),
  ...operatorCalls('HankelMatrix', () => convmat.hankel([4, 1, 0]), outVector(3)),
  ...operatorCalls('ComplexStructuredMatrix', () => convmat.toeplitz(complex([4, 1, 0]))),
  ...operatorCalls('ComplexHankelMatrix', () => convmat.hankel(complex([4, 1, 0]))),
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
  call('StructuredMatrix.solve', ((b: never) => convmat.toeplitz([4, 1, 0]).solve(b)) as never, () => [
    vector(3),
  ]),
  call(
    'ComplexStructuredMatrix.solve',
    ((b: never) => convmat.circulant(complex([4, 1, 0])).solve(b)) as never,
    () => [vector(3)],
  ),
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
  ...Object.entries({ lsqrAsync, cgAsync }).map(([name, solve]) =>
    call(name, solve as never, () => [convmat.toeplitz([4, 1, 0]), vector(3), {}], [
      'tolerance',
      'maxIterations',
      'x0',
      'signal',
    ]),
  ),
  call('ConvMatrix.scale', ((alpha: number) => matrix().scale(alpha)) as never, () => [2]),
  call('ConvMatrix.scaleChannels', ((d: never) => matrix().scaleChannels(d)) as never, () => [[2]]),
  call(
    'ComplexCsrMatrix',
    ((...args: ConstructorParameters<typeof convmat.ComplexCsrMatrix>) =>
      new convmat.ComplexCsrMatrix(...args)) as never,
    () => [[2, 3], Int32Array.of(0, 1, 2), Int32Array.of(0, 2), complex([1, 2])],
  ),
  ...operatorCalls('ComplexCsrMatrix', complexCsr),
  ...(['matmat', 'rmatmat', 'at', 'row', 'scale', 'scaleChannels', 'spy', 'toDense'] as const).map((name) =>
    call(
      `ComplexConvMatrix.${name}`,
      ((...args: never[]) => Reflect.apply(complexConv()[name], complexConv(), args)) as never,
      () => COMPLEX_CONV_ARGUMENTS[name](),
    ),
  ),
  ...(['matmat', 'multiply', 'add', 'scale', 'scaleRows', 'scaleColumns', 'rows'] as const).map((name) =>
    call(
      `ComplexCsrMatrix.${name}`,
      ((...args: never[]) => Reflect.apply(complexCsr()[name], complexCsr(), args)) as never,
      () => COMPLEX_CSR_ARGUMENTS[name](),
    ),
  ),
  call('CsrMatrix.multiply', ((B: never) => csr().T.multiply(B)) as never, () => [csr()]),
  call('CsrMatrix.add', ((B: never) => csr().add(B)) as never, () => [csr()]),
  call('CsrMatrix.scale', ((alpha: number) => csr().scale(alpha)) as never, () => [2]),
  call('CsrMatrix.scaleRows', ((d: never) => csr().scaleRows(d)) as never, () => [vector(4)]),
  call('CsrMatrix.scaleColumns', ((d: never) => csr().scaleColumns(d)) as never, () => [vector()]),
  call('CsrMatrix.rows', ((...args: [number, number]) => csr().rows(...args)) as never, () => [1, 3]),
  ...(['add', 'vstack', 'hstack', 'blockDiag'] as const).map((name) =>
    call(`operators.${name}`, operators[name] as never, () => [matrix(), csr()]),
  ),
  call('operators.compose', operators.compose as never, () => [matrix().T, csr()]),
  call('operators.scale', operators.scale as never, () => [2, matrix()]),
  call('operators.asOperator', operators.asOperator as never, () => [random([2, 3])]),
  call('operators.identity', operators.identity as never, () => [3, {}], ['dtype']),
  call('operators.diagonal', operators.diagonal as never, () => [vector(3)]),
  call('operators.restriction', operators.restriction as never, () => [5, [1, 3], {}], ['dtype']),
  call('operators.diagonals', operators.diagonals as never, () => [csr()]),
  call('operators.tilePlan', operators.tilePlan as never, () => [csr(), 2, 2]),
  call('operators.difference', operators.difference as never, () => [[3, 4], 1, {}], [
    'order',
    'boundary',
    'dtype',
  ]),
  ...(['gradient', 'laplacian'] as const).map((name) =>
    call(`operators.${name}`, operators[name] as never, () => [[3, 4], {}], ['boundary', 'dtype']),
  ),
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
  call('prepareQLinearConv', convmat.prepareQLinearConv as never, () => [bytes().weight, quantised()], [
    ...GEOMETRY,
    ...Object.keys(quantised()),
    'bias',
    'outputDType',
    'inputDType',
    'inputShape',
  ]),
  call(
    'PreparedQLinearConv.run',
    ((...args: [never, never]) =>
      convmat.prepareQLinearConv(bytes().weight, quantised()).run(...args)) as never,
    () => [bytes().image, undefined],
    [],
    { at: 1, make: () => tensor(new Uint8Array(36), [1, 3, 3, 4]) },
  ),
  call(
    'PreparedQLinearConv.outputShape',
    ((shape: never) => convmat.prepareQLinearConv(bytes().weight, quantised()).outputShape(shape)) as never,
    () => [[1, 2, 5, 6]],
  ),
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
  call('signal.filter', signal.filter as never, () => [vector(3), [1, 0.5], vector(5)]),
  call('signal.deconv', signal.deconv as never, () => [vector(5), [1, 0.5]]),
  call('signal.xcorr', signal.xcorr as never, () => [vector(5), vector(3), {}], ['accuracy']),
  call('signal.convmtx', signal.convmtx as never, () => [vector(3), 4]),
  ...(['fft2', 'ifft2'] as const).map((name) =>
    call(
      `signal.${name}`,
      signal[name] as never,
      () => [{ re: random([3, 4]), im: random([3, 4], 'float32', 2) }],
      ['re', 'im'],
    ),
  ),
  ...(['fftAlong', 'ifftAlong', 'fftshift', 'ifftshift'] as const).map((name) =>
    call(`signal.${name}`, signal[name] as never, () => [random([3, 4]), 1]),
  ),
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
  call(
    'Tensor.from',
    ((...args: [never]) => convmat.Tensor.from(...args)) as never,
    () => [new Float32Array(6), {}],
    ['shape', 'dtype', 'order'],
  ),
  call('Tensor.permute', ((axes: never) => random([2, 3]).permute(axes)) as never, () => [[1, 0]]),
  call('Tensor.transpose', ((...axes: number[]) => random([2, 3]).transpose(...axes)) as never, () => [0, 1]),
  call('Tensor.slice', ((...ranges: never[]) => random([2, 3]).slice(...ranges)) as never, () => [1, [0, 2]]),
  call('Tensor.cast', ((dtype: never) => random([2, 3]).cast(dtype)) as never, () => ['int8']),
  call('Tensor.ravel', ((order: never) => random([2, 3]).ravel(order)) as never, () => ['F']),
  call('concat', convmat.concat as never, () => [[random([2, 3]), random([1, 3])], 0]),
  call('pad', convmat.pad as never, () => [random([2, 3]), [[1, 2]], {}], ['mode', 'value']),
  call('fixed.add', fixed.add as never, () => [stored(), stored(), type()]),
  call('fixed.multiply', fixed.multiply as never, () => [stored(), stored(), type()]),
  call('fixed.cast', fixed.cast as never, () => [stored(), type()]),
  call('fixed.relu', fixed.relu as never, () => [stored()]),
  call(
    'fixed.conv2d',
    fixed.conv2d as never,
    () => [fixed.fi(random([2, 4, 5]), type()), fixed.fi(random([3, 2, 2, 2]), type()), { output: type() }],
    ['output', 'bias', 'stride', 'padding', 'groups', 'accumulate'],
  ),
  call('maxPool1dWithIndices', convmat.maxPool1dWithIndices as never, () => [random([1, 2, 6]), 2, {}], [
    'stride',
    'padding',
  ]),
  call('maxPool3dWithIndices', convmat.maxPool3dWithIndices as never, () => [random([1, 4, 4, 4]), 2, {}], [
    'stride',
    'padding',
  ]),
  ...([1, 2, 3] as const).flatMap((rank) => [
    call(
      `nn.BatchNorm${rank}d`,
      ((...args: [number]) => new nn[`BatchNorm${rank}d`](...args)) as never,
      () => [2, {}],
      ['eps', 'momentum', 'affine', 'trackRunningStats'],
    ),
    call(
      `nn.ConvTranspose${rank}d`,
      ((...args: [number, number, number]) => new nn[`ConvTranspose${rank}d`](...args)) as never,
      () => [2, 3, 3, {}],
      [...GEOMETRY, 'outputPadding', 'bias', 'seed'],
    ),
  ]),
  ...([1, 3] as const).flatMap((rank) => [
    call(
      `nn.MaxPool${rank}d`,
      ((...args: [number]) => new nn[`MaxPool${rank}d`](...args)) as never,
      () => [2, {}],
      ['stride', 'padding', 'dilation', 'ceilMode'],
    ),
    call(
      `nn.AvgPool${rank}d`,
      ((...args: [number]) => new nn[`AvgPool${rank}d`](...args)) as never,
      () => [2, {}],
      ['stride', 'padding', 'ceilMode', 'countIncludePad', 'divisorOverride'],
    ),
  ]),
  call('nn.AdaptiveAvgPool2d', ((size: number) => new nn.AdaptiveAvgPool2d(size)) as never, () => [2]),
  call('nn.Dropout', ((...args: [number]) => new nn.Dropout(...args)) as never, () => [0.5, {}], ['seed']),
  call('nn.GELU', ((options: never) => new nn.GELU(options)) as never, () => [{}], ['approximate']),
  call('nn.LeakyReLU', ((slope: number) => new nn.LeakyReLU(slope)) as never, () => [0.1]),
  call('nn.Softmax', ((axis: number) => new nn.Softmax(axis)) as never, () => [1]),
  call('nn.Sigmoid', (() => new nn.Sigmoid()) as never, () => [undefined]),
  call('nn.Tanh', (() => new nn.Tanh()) as never, () => [undefined]),
  call('nn.SiLU', (() => new nn.SiLU()) as never, () => [undefined]),
  call('nn.Residual', ((...args: [nn.Module]) => new nn.Residual(...args)) as never, () => [
    new nn.ReLU(),
    new nn.Tanh(),
  ]),
  call(
    'nn.SparseLinear',
    ((...args: [convmat.CsrMatrix]) => new nn.SparseLinear(...args)) as never,
    () => [csr(), {}],
    ['bias', 'inputShape', 'outputShape'],
  ),
  call('nn.foldBatchNorm', nn.foldBatchNorm as never, () => [
    new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.BatchNorm2d(3)),
  ]),
  call('nn.Module.train', ((mode: never) => new nn.ReLU().train(mode)) as never, () => [false]),
  ...moduleCalls('BatchNorm1d', () => new nn.BatchNorm1d(2), [3, 2, 4]),
  ...moduleCalls('ConvTranspose1d', () => new nn.ConvTranspose1d(2, 3, 3), [1, 2, 9]),
  ...moduleCalls('MaxPool1d', () => new nn.MaxPool1d(2), [1, 2, 6]),
  ...moduleCalls('AvgPool1d', () => new nn.AvgPool1d(2), [1, 2, 6]),
  ...moduleCalls('AdaptiveAvgPool2d', () => new nn.AdaptiveAvgPool2d(2), [1, 2, 5, 6]),
  ...moduleCalls('Dropout', () => new nn.Dropout(0.5, { seed: 1 }), [3, 4]),
  ...moduleCalls('Softmax', () => new nn.Softmax(), [3, 4]),
  ...moduleCalls('Tanh', () => new nn.Tanh(), [3, 4]),
  ...moduleCalls('Residual', () => new nn.Residual(new nn.Tanh()), [3, 4]),
  ...moduleCalls('SparseLinear', () => new nn.SparseLinear(csr()), [2, 9]),
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
  ...([1, 3] as const).map((rank) =>
    call(
      `nn.Conv${rank}d`,
      ((...args: [number, number, number]) => new nn[`Conv${rank}d`](...args)) as never,
      () => [2, 3, 3, {}],
      [...GEOMETRY, 'bias', 'seed'],
    ),
  ),
  call('nn.AvgPool2d', ((...args: [number]) => new nn.AvgPool2d(...args)) as never, () => [2, {}], [
    'stride',
    'padding',
    'ceilMode',
    'countIncludePad',
  ]),
  call('nn.Flatten', (() => new nn.Flatten()) as never, () => [undefined]),
  call('nn.ReLU', (() => new nn.ReLU()) as never, () => [undefined]),
  ...moduleCalls('Conv1d', () => new nn.Conv1d(2, 3, 3), [1, 2, 9]),
  ...moduleCalls('Linear', () => new nn.Linear(3, 2), [4, 3]),
  ...moduleCalls('MaxPool2d', () => new nn.MaxPool2d(2), [1, 2, 5, 6]),
  ...moduleCalls('AvgPool2d', () => new nn.AvgPool2d(2), [1, 2, 5, 6]),
  ...moduleCalls('Flatten', () => new nn.Flatten(), [1, 2, 5, 6]),
  ...moduleCalls('ReLU', () => new nn.ReLU(), [1, 2, 5, 6]),
  ...moduleCalls('Sequential', () => new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.ReLU()), [1, 2, 5, 6]),
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
    'nn.Module.loadStateDict',
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
  ...(
    [
      'readNpy',
      'readNpz',
      'openNpz',
      'readSparseNpz',
      'readMatrixMarket',
      'readSafetensors',
      'openSafetensors',
    ] as const
  ).map((name) =>
    call(`io.${name}`, io[name] as never, () => ['/nowhere/at-all', {}], ['maxBytes', 'int64']),
  ),
  call('io.encodeNpy', io.encodeNpy as never, () => [image()]),
  call('io.encodeNpz', io.encodeNpz as never, () => [{ a: image(), b: vector(3) }], ['a', '../b', '']),
  call(
    'io.encodeSafetensors',
    io.encodeSafetensors as never,
    () => [{ a: image() }, { metadata: { format: 'pt' } }],
    ['metadata'],
  ),
  call(
    'io.writeSafetensors',
    ((path: never, t: never, options: never) => io.writeSafetensors(place(path), t, options)) as never,
    () => ['file', { a: image() }, {}],
    ['metadata'],
  ),
  call('io.writeNpy', ((path: never, t: never) => io.writeNpy(place(path), t)) as never, () => [
    'file',
    image(),
  ]),
  call(
    'io.writeNpz',
    ((path: never, arrays: never) => io.writeNpz(place(path), arrays)) as never,
    () => ['file', { a: image(), b: vector(3) }],
    ['a', '../b', ''],
  ),
  call('io.writeSparseNpz', ((path: never, m: never) => io.writeSparseNpz(place(path), m)) as never, () => [
    'file',
    csr(),
  ]),
  call(
    'io.writeMatrixMarket',
    ((path: never, m: never, options: never) => io.writeMatrixMarket(place(path), m, options)) as never,
    () => ['file', csr(), {}],
  ),
  call('image.gaussian', images.gaussian as never, () => [1.5, 5]),
  call('image.box', images.box as never, () => [3]),
  call('image.sobel', images.sobel as never, () => ['x']),
  call('image.sharpen', images.sharpen as never, () => [1]),
  ...(['fromPixels', 'fromPixelsAsync'] as const).map((name) =>
    call(`image.${name}`, images[name] as never, () => [rgba(), {}], [
      ...(name === 'fromPixels' ? ['out'] : []),
      'channels',
      'premultiply',
      'scale',
      'mean',
      'std',
    ]),
  ),
  ...(['toPixels', 'toPixelsAsync'] as const).map((name) =>
    call(`image.${name}`, images[name] as never, () => [random([1, 3, 4, 5]), {}], [
      ...(name === 'toPixels' ? ['out'] : []),
      'scale',
      'offset',
      'unpremultiply',
      'dtype',
    ]),
  ),
  ...(['convolve', 'convolveAsync'] as const).map((name) =>
    call(`image.${name}`, images[name] as never, () => [rgba(), filter, {}], ['from', 'to']),
  ),
  call('onnx.readModel', onnx.readModel as never, () => [modelBytes(), {}], ['externalData']),
  call('onnx.prepareNetwork', onnx.prepareNetwork as never, () => [model, { inputShapes: shapes }], [
    'inputShapes',
    'accuracy',
  ]),
  // What a caller's own onProgress throws is the caller's.
  call('onnx.linearize', onnx.linearize as never, () => [model, { inputShapes: shapes }], [
    'inputShapes',
    'merge',
    'maxBytes',
  ]),
  call(
    'onnx.writeModel',
    ((path: never, m: never, options: never) => onnx.writeModel(place(path), m, options)) as never,
    () => ['file', model, {}],
    ['externalData'],
  ),
  call('onnx.Model.summary', ((of: never) => model.summary(of)) as never, () => [shapes], ['x']),
  call(
    'onnx.LinearizedNetwork.run',
    ((feeds: never) => linearized.run(feeds)) as never,
    () => [{ x: random(shapes.x) }],
    ['x'],
  ),
  call(
    'onnx.LinearizedNetwork.toModel',
    ((options: never) => linearized.toModel(options)) as never,
    () => [{}],
    ['maxBytes'],
  ),
  call(
    'onnx.LinearizedNetwork.write',
    ((folder: never) => linearized.write(folderFor(folder))) as never,
    () => ['folder'],
  ),
  call('setNumThreads', convmat.setNumThreads as never, () => [2]),
];

const SEVEN = 7;

/** The reason a result is not allowed, or null. */
async function misbehaviour(
  { run, out }: Call,
  args: unknown[],
  wrongAt?: number | string,
): Promise<string | null> {
  const own = out !== undefined && wrongAt !== undefined && wrongAt !== out.at ? out.make() : undefined;
  const memory = own instanceof convmat.Tensor ? own.data : own;
  memory?.fill(SEVEN);
  if (own !== undefined && out?.at === 'option') {
    const options = args.at(-1);
    if (wrongAt !== args.length - 1 && typeof options === 'object')
      args[args.length - 1] = { ...options, out: own };
  } else if (own !== undefined) args[out?.at as number] = own;
  try {
    await run(...(args as never[]));
  } catch (error) {
    if (memory?.some((value) => value !== SEVEN)) return 'out is half-written';
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
        const reason = await misbehaviour(one, args, at);
        if (reason !== null) found.push(`argument ${at} is ${kind}: ${reason}`);
      }
      for (const option of one.options ?? []) {
        const args = one.args();
        args[args.length - 1] = { ...(args[args.length - 1] as object), [option]: make() };
        const reason = await misbehaviour(one, args, option === 'out' ? 'option' : option);
        if (reason !== null) found.push(`option ${option} is ${kind}: ${reason}`);
      }
    }
    expect(found).toEqual([]);
  });
});

/** What has no arguments to get wrong. */
const WITHOUT_ARGUMENTS =
  /^backendInfo$|^image\.laplacian$|\.(encode|toNested|toFloat|toCSR|toCOO|conjugate|parameters|zeroGrad|stateDict|step|dispose)$/;
/** For the library itself: not in its types, or protected. */
const INTERNAL =
  /\.(forget|copy|describe|multiplications|explainShape|forwardRectified|backwardRectified|keep|initialState|update|decay|batch|warm|value|slope|inMode|children|buffers|affine|toString|eval|productAsync|productSteps|withWeight|forwardInto|forwardRectifiedInto|backwardInto|backwardRectifiedInto|backwardParameters|hidesInput|hidesGradient)$/;
/** Made by the library alone (convMatrix, fi, readModel, linearize), or abstract. */
const NOT_CONSTRUCTED = [
  'ConvMatrix',
  'ComplexConvMatrix',
  'fixed.FixedTensor',
  'nn.Module',
  'onnx.Model',
  'onnx.LinearizedNetwork',
];

function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

function methodsOf(prototype: object): string[] {
  const all = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return all
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name);
}

/** The names of everything that can be called, 'fixed.fi' and 'Tensor.reshape' among them. */
function surface(room: object, prefix = ''): string[] {
  return Object.entries(room).flatMap(([key, value]) => {
    const name = `${prefix}${key}`;
    if (typeof value === 'object' && value !== null) return surface(value, `${name}.`);
    if (typeof value !== 'function') return [];
    if (!isClass(value)) return [name];
    if (value === convmat.ConvmatError || value.prototype instanceof convmat.ConvmatError) return [];
    const statics = Object.getOwnPropertyNames(value).filter((own) => typeof value[own] === 'function');
    const members = [...statics, ...methodsOf(value.prototype)].map((own) => `${name}.${own}`);
    return NOT_CONSTRUCTED.includes(name) ? members : [name, ...members];
  });
}

test('nothing public goes untried', () => {
  const made = {
    PreparedConv: convmat.prepareConv(weight()),
    PreparedQLinearConv: convmat.prepareQLinearConv(bytes().weight, quantised()),
    StructuredMatrix: convmat.toeplitz([4, 1, 0]),
    HankelMatrix: convmat.hankel([4, 1, 0]),
    'ConvMatrix.T': matrix().T,
    Optimizer: new optim.SGD(parameter(), { lr: 0.1 }),
  };
  const ofResults = Object.entries(made).flatMap(([name, value]) => {
    const prototypes = [Object.getPrototypeOf(value), Object.getPrototypeOf(Object.getPrototypeOf(value))];
    const own = prototypes.filter((prototype) => prototype !== Object.prototype);
    return own.flatMap(methodsOf).map((method) => `${name}.${method}`);
  });
  const tried = new Set(CALLS.map(({ name }) => name));
  const untried = [...surface(convmat), ...ofResults].filter(
    (name) => !tried.has(name) && !WITHOUT_ARGUMENTS.test(name) && !INTERNAL.test(name),
  );
  expect(untried).toEqual([]);
});
