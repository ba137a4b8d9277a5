import { runInNewContext } from 'node:vm';
import {
  backendInfo,
  CsrMatrix,
  cg,
  conv2d,
  conv2dAsync,
  convInputGrad,
  convInteger,
  convMatrix,
  convWeightGrad,
  data,
  fixed,
  fold,
  lsqr,
  matmul,
  maxPool2d,
  nn,
  onnx,
  optim,
  prepareConv,
  prepareQLinearConv,
  signal,
  Tensor,
  type TypedArray,
  tensor,
  toeplitz,
  unfold,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { modelBytes, node, value } from '../support/models.js';
import { runProgram } from '../support/program.js';

// Another realm has classes of its own: its Float32Array is no instance of this one's. Test runners, frames and
// structuredClone make such arrays.
const elsewhere: typeof globalThis = runInNewContext('globalThis');
const foreign = {
  f32: (...values: number[]): Float32Array => elsewhere.Float32Array.from(values),
  f64: (...values: number[]): Float64Array => elsewhere.Float64Array.from(values),
  i32: (...values: number[]): Int32Array => elsewhere.Int32Array.from(values),
  u8: (...values: number[]): Uint8Array => elsewhere.Uint8Array.from(values),
};
const { f32, f64, i32, u8 } = foreign;

const numbers = (length: number): number[] =>
  Array.from({ length }, (_, i) => Math.fround(Math.sin(3 * i + 1)));
const x = numbers(2 * 6 * 6);
const w = numbers(3 * 2 * 3 * 3).reverse();
const g = numbers(3 * 6 * 6);

/** A call, with what makes the arrays of its operands: this realm or the other. */
interface Operands {
  f32(...values: number[]): Float32Array;
  f64(...values: number[]): Float64Array;
  i32(...values: number[]): Int32Array;
  u8(...values: number[]): Uint8Array;
}
const here: Operands = {
  f32: (...values) => Float32Array.from(values),
  f64: (...values) => Float64Array.from(values),
  i32: (...values) => Int32Array.from(values),
  u8: (...values) => Uint8Array.from(values),
};

const CALLS: Record<string, (a: Operands) => Tensor | TypedArray | Promise<Tensor>> = {
  tensor: (a) => tensor(a.f32(1, 2)),
  conv2d: (a) =>
    conv2d(
      { data: a.f32(...x), shape: [2, 6, 6] },
      { data: a.f32(...w), shape: [3, 2, 3, 3] },
      { bias: a.f32(1, 2, 3) },
    ),
  'conv2d, float64': (a) =>
    conv2d({ data: a.f64(...x), shape: [2, 6, 6] }, { data: a.f64(...w), shape: [3, 2, 3, 3] }),
  'conv2d by Winograd': (a) =>
    conv2d(
      { data: a.f32(...x), shape: [2, 6, 6] },
      { data: a.f32(...w), shape: [3, 2, 3, 3] },
      { algorithm: 'winograd' },
    ),
  'conv2d by transforms': (a) =>
    conv2d(
      { data: a.f32(...x), shape: [1, 6, 12] },
      { data: a.f32(...w.slice(0, 9)), shape: [1, 1, 3, 3] },
      { algorithm: 'fft' },
    ),
  'conv2d into out': (a) =>
    conv2d(
      { data: a.f32(...x), shape: [2, 6, 6] },
      { data: a.f32(...w), shape: [3, 2, 3, 3] },
      { padding: 1, out: new Tensor(a.f32(...g), [3, 6, 6]) },
    ),
  conv2dAsync: (a) =>
    conv2dAsync({ data: a.f32(...x), shape: [2, 6, 6] }, { data: a.f32(...w), shape: [3, 2, 3, 3] }),
  'a strided view': (a) =>
    conv2d(
      { data: a.f32(...x), shape: [2, 6, 6], stride: [1, 2, 12], offset: 0 },
      { data: a.f32(...w), shape: [3, 2, 3, 3] },
    ),
  prepareConv: (a) =>
    prepareConv({ data: a.f32(...w), shape: [3, 2, 3, 3] }).run({ data: a.f32(...x), shape: [2, 6, 6] }),
  'prepareConv, async': (a) =>
    prepareConv({ data: a.f32(...w), shape: [3, 2, 3, 3] }).runAsync({ data: a.f32(...x), shape: [2, 6, 6] }),
  convInputGrad: (a) =>
    convInputGrad(
      [2, 6, 6],
      { data: a.f32(...w), shape: [3, 2, 3, 3] },
      { data: a.f32(...g), shape: [3, 6, 6] },
      { padding: 1 },
    ),
  convWeightGrad: (a) =>
    convWeightGrad(
      { data: a.f32(...x), shape: [2, 6, 6] },
      [3, 2, 3, 3],
      { data: a.f32(...g), shape: [3, 6, 6] },
      { padding: 1 },
    ),
  unfold: (a) => unfold({ data: a.u8(...x.map(Math.abs)), shape: [2, 6, 6] }, [2, 2]),
  fold: (a) => fold({ data: a.f32(...numbers(16)), shape: [4, 4] }, [3, 3], 2),
  maxPool2d: (a) => maxPool2d({ data: a.f64(...x), shape: [2, 6, 6] }, 2),
  matmul: (a) => matmul({ data: a.f32(1, 2, 3, 4), shape: [2, 2] }, { data: a.f32(5, 6), shape: [2, 1] }),
  'matmul of bytes': (a) =>
    matmul({ data: a.u8(1, 2, 3, 4), shape: [2, 2] }, { data: a.u8(5, 6), shape: [2, 1] }),
  convInteger: (a) =>
    convInteger({ data: a.u8(1, 2, 3, 4), shape: [1, 2, 2] }, { data: a.u8(5, 6), shape: [1, 1, 1, 2] }),
  prepareQLinearConv: (a) =>
    prepareQLinearConv(
      { data: a.u8(5, 6), shape: [1, 1, 1, 2] },
      {
        inputScale: 1,
        inputZeroPoint: 0,
        weightScale: a.f64(1),
        weightZeroPoint: a.u8(0),
        outputScale: 1,
        outputZeroPoint: 0,
        bias: a.i32(3),
      },
    ).run({ data: a.u8(1, 2, 3, 4), shape: [1, 2, 2] }),
  'ConvMatrix.matvec': (a) =>
    convMatrix({ data: a.f32(...w), shape: [3, 2, 3, 3] }, { inputShape: [2, 6, 6] }).matvec(a.f32(...x)),
  'ConvMatrix.rmatvec into out': (a) =>
    convMatrix({ data: a.f64(1, 2), shape: [2] }, { inputShape: [3] }).rmatvec(a.f32(1, 2), a.f64(0, 0, 0)),
  CsrMatrix: (a) => new CsrMatrix([2, 3], a.i32(0, 1, 2), a.i32(2, 0), a.f32(3, 4)).T.matvec(a.f32(1, 2)),
  'CsrMatrix.fromCOO': (a) => CsrMatrix.fromCOO([2, 3], a.i32(0, 0), a.i32(2, 2), a.f32(3, 4)).data,
  'CsrMatrix.toDense': (a) => CsrMatrix.fromDense({ data: a.f32(1, 0, 2, 3), shape: [2, 2] }).toDense(),
  toeplitz: (a) => toeplitz(a.f32(3, 1, 0)).solve(a.f32(1, 2, 3)),
  lsqr: (a) => lsqr(convMatrix([1, 2], { inputShape: [3] }), a.f32(1, 2)).x,
  "cg with an operator of one's own": (a) =>
    cg({ shape: [2, 2], matvec: () => a.f64(2, 2), rmatvec: () => a.f64(2, 2) }, [1, 1]).x,
  'signal.conv': (a) => signal.conv(a.f64(1, 2, 3), a.f32(1, 1)),
  'signal.conv2': (a) =>
    signal.conv2({ data: a.i32(1, 2, 3, 4), shape: [2, 2] }, { data: a.f64(1, 1), shape: [1, 2] }),
  'signal.fft': (a) => signal.fft(a.f64(1, 2, 3)).re,
  'fixed.fi': (a) => fixed.fi(a.f64(0.5, -0.25), { signed: true, wordLength: 8, fractionLength: 7 }).raw,
  'nn.Linear': (a) => new nn.Linear(2, 1, { seed: 1 }).forward({ data: a.f32(1, 2), shape: [1, 2] }),
  'nn.ReLU': (a) => {
    const relu = new nn.ReLU();
    relu.forward({ data: a.f32(-1, 2), shape: [1, 2] });
    return relu.backward({ data: a.f32(3, 4), shape: [1, 2] });
  },
  'nn.loadStateDict': (a) => {
    const layer = new nn.Linear(2, 1);
    layer.loadStateDict({ weight: { data: a.f64(1, 2), shape: [1, 2] }, bias: a.f64(3) });
    return layer.stateDict().weight;
  },
  'nn.crossEntropyLoss': (a) => nn.crossEntropyLoss({ data: a.f32(1, 2), shape: [1, 2] }, a.i32(1)).grad,
  'optim.Adam': (a) => {
    const p = { name: 'p', data: new Tensor(a.f32(1, 2), [2]), grad: new Tensor(a.f32(1, -1), [2]) };
    new optim.Adam([p]).step();
    return p.data;
  },
  'data.TensorDataset': (a) =>
    new data.TensorDataset({ data: a.f32(1, 2), shape: [2, 1] }).batch(a.i32(1))[0],
};

describe('arrays of another realm', () => {
  test.each(Object.keys(CALLS))('%s', async (name) => {
    const [own, other] = await Promise.all([CALLS[name](here), CALLS[name](foreign)]);
    const values = (result: Tensor | TypedArray) => (result instanceof Tensor ? result.data : result);
    expect(Array.from(values(other))).toEqual(Array.from(values(own)));
    expect(tensor(values(other)).dtype).toBe(tensor(values(own)).dtype);
  });

  test('are those of structuredClone, and results go into them', () => {
    const out = new Tensor(f32(0, 0, 0, 0), [1, 2, 2]);
    const image = structuredClone({ data: Float32Array.of(1, 2, 3, 4), shape: [1, 2, 2] });
    expect(conv2d(image, [[[[2]]]], { out })).toBe(out);
    expect(Array.from(out.data)).toEqual([2, 4, 6, 8]);
  });

  test('are told from one another and from what is no array', () => {
    expect(() =>
      tensor(new elsewhere.DataView(new elsewhere.ArrayBuffer(8)) as unknown as Float32Array),
    ).toThrow(/data: expected/);
    const shared = new elsewhere.Float32Array(new elsewhere.SharedArrayBuffer(8));
    expect(() => tensor(shared)).toThrow('data: expected memory that is not shared (copy it first)');
    expect(() => conv2d({ data: f32(1), shape: [1, 1, 1] }, { data: f64(1), shape: [1, 1, 1, 1] })).toThrow(
      'weight: expected float32, as input',
    );
    expect(() => convMatrix([1, 2], { inputShape: [3] }).matvec([1, 2, 3], i32(0, 0))).toThrow(
      'out: expected float32, got int32',
    );
  });

  test('as labels, options and lists', () => {
    const list: number[] = elsewhere.Array.of(2, 2);
    const options = runInNewContext('({ stride: [1, 1], padding: "valid" })');
    expect(
      conv2d({ data: u8ToFloat(u8(1, 2, 3, 4)), shape: [1, ...list] }, [[[[1]]]], options).toNested(),
    ).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
    ]);
  });
});

function u8ToFloat(bytes: Uint8Array): Float32Array {
  return elsewhere.Float32Array.from(bytes);
}

test('models, their weights and 64-bit inputs', async () => {
  const own = modelBytes({
    nodes: [node('Identity', ['x'], ['y'])],
    inputs: [value('x', [2], 'int64')],
    outputs: [value('y', [2], 'int64')],
  });
  const bytes = foreign.u8(...own);
  const blob = {
    size: bytes.length,
    slice: () => blob,
    arrayBuffer: async () => bytes.buffer as ArrayBuffer,
  };
  const x: BigInt64Array = elsewhere.BigInt64Array.of(3n, -4n);
  for (const source of [bytes, bytes.buffer as ArrayBuffer, blob]) {
    const network = await onnx.prepareNetwork(source);
    expect(network.run({ x: x as never }).y.data).toEqual(Int32Array.of(3, -4));
  }
  const externalData = { 'weights.bin': bytes };
  expect((await onnx.readModel(bytes, { externalData })).nodes).toHaveLength(1);
});

test('an AbortSignal is known by what it can do', async () => {
  const controller = new AbortController();
  const methods = ['throwIfAborted', 'addEventListener', 'removeEventListener'] as const;
  const alike = Object.create(null, {
    aborted: { get: () => controller.signal.aborted },
    reason: { get: () => controller.signal.reason },
    ...Object.fromEntries(
      methods.map((name) => [name, { value: controller.signal[name].bind(controller.signal) }]),
    ),
  });
  const pending = conv2dAsync(
    { data: f32(...x), shape: [2, 6, 6] },
    { data: f32(...w), shape: [3, 2, 3, 3] },
    { signal: alike },
  );
  controller.abort(new Error('enough'));
  await expect(pending).rejects.toThrow('enough');
});

test('pages without SharedArrayBuffer', () => {
  const url = new URL('../backends/programs/without-shared-memory.cjs', import.meta.url);
  expect(runProgram(url)).toEqual({ name: backendInfo().backend, values: [2, 4, 6, 8] });
});
