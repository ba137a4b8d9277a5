/**
 * The promise of docs/reliability.md, of every operation: the same input gives the same bits for any number of threads,
 * alignment of the buffers, and run. Convolutions keep it on any problem in test/fuzz/operations.test.ts.
 */
import * as convmat from 'convmat';
import { CsrMatrix, fixed, signal, type Tensor, type TypedArray } from 'convmat';
import { afterEach, describe, expect, test } from 'vitest';
import { prune, random } from '../support/random';
import { shifted, shiftedArray } from '../support/shifted';

const { threads: initial } = convmat.backendInfo();
afterEach(() => convmat.setNumThreads(initial));

/** What comes out, for operands that begin this many elements into their buffers; `out`, where taken, does, too. */
type Run = (move: (t: Tensor) => Tensor, elements: number) => readonly TypedArray[];

const vector = (size: number, seed: number, dtype: 'float32' | 'float64' = 'float32') =>
  random([size], dtype, seed);

// Each large enough that several threads share it (test/native has what is split where).
const CASES: Record<string, Run> = {};
for (const dtype of ['float32', 'float64'] as const) {
  const image = random([2, 12, 40, 41], dtype, 1);
  const weight = random([20, 12, 3, 3], dtype, 2);
  const planes = random([20, 1, 3, 3], dtype, 3);
  const result = random([2, 20, 40, 41], dtype, 4);
  const size = [2, 12, 40, 41];
  for (const accuracy of ['fast', 'strict'] as const) {
    const options = { padding: 1, accuracy };
    CASES[`input gradient, ${accuracy}, ${dtype}`] = (move) => [
      convmat.convInputGrad(size, move(weight), move(result), options).data,
    ];
    CASES[`weight gradient, ${accuracy}, ${dtype}`] = (move) => [
      convmat.convWeightGrad(move(image), [20, 12, 3, 3], move(result), options).data,
    ];
    CASES[`transposed convolution, ${accuracy}, ${dtype}`] = (move) => [
      convmat.convTranspose2d(move(result), move(weight), { padding: 1, stride: 2, accuracy }).data,
    ];
  }
  const strided = random([2, 20, 20, 21], dtype, 5);
  CASES[`strided gradients, ${dtype}`] = (move) => {
    const options = { padding: 1, stride: 2 };
    const dy = move(strided);
    return [
      convmat.convInputGrad(size, move(weight), dy, options).data,
      convmat.convWeightGrad(move(image), [20, 12, 3, 3], dy, options).data,
    ];
  };
  const other = random([2, 20, 40, 41], dtype, 6);
  CASES[`depthwise gradients, ${dtype}`] = (move) => {
    const options = { padding: 1, groups: 20 };
    const [x, dy] = [move(result), move(other)];
    return [
      convmat.convInputGrad([2, 20, 40, 41], move(planes), dy, options).data,
      convmat.convWeightGrad(x, [20, 1, 3, 3], dy, options).data,
    ];
  };
  CASES[`bias gradient, ${dtype}`] = (move) => [convmat.convBiasGrad(move(result)).data];
  CASES[`max pooling, ${dtype}`] = (move) => {
    const { output, indices } = convmat.maxPool2dWithIndices(move(image), 3, { padding: 1 });
    return [output.data, indices.data, convmat.maxPool2d(move(image), 3, { stride: 2 }).data];
  };
  CASES[`average pooling, ${dtype}`] = (move) => [
    convmat.avgPool2d(move(image), 3, { stride: 1, padding: 1 }).data,
    convmat.avgPool3d(move(random([1, 3, 9, 20, 31], dtype, 7)), [2, 3, 3]).data,
  ];
  CASES[`unfold and fold, ${dtype}`] = (move) => {
    const columns = convmat.unfold(move(image), 3, { padding: 1 });
    return [columns.data, convmat.fold(move(columns), [40, 41], 3, { padding: 1 }).data];
  };
  const factors = [random([130, 300], dtype, 8), random([300, 170], dtype, 9)] as const;
  CASES[`product of matrices, ${dtype}`] = (move) => [
    convmat.matmul(move(factors[0]), move(factors[1])).data,
  ];
  const flat = [random([2, 500], dtype, 10), random([500, 700], dtype, 11)] as const;
  CASES[`product with few rows, ${dtype}`] = (move) => [convmat.matmul(move(flat[0]), move(flat[1])).data];
  const sparse = CsrMatrix.fromDense(prune(random([900, 700], dtype, 12), 0.4));
  CASES[`sparse products, ${dtype}`] = (move, elements) => {
    const { shape, indptr, indices, data } = sparse;
    const A = new CsrMatrix(
      shape,
      shiftedArray(indptr, elements),
      shiftedArray(indices, elements),
      shiftedArray(data, elements),
    );
    const [x, y] = [move(vector(700, 13, dtype)).data, move(vector(900, 14, dtype)).data];
    const out = [move(vector(900, 15, dtype)).data, move(vector(700, 16, dtype)).data];
    A.matvec(x as Float32Array, out[0] as Float32Array);
    A.rmatvec(y as Float32Array, out[1] as Float32Array);
    return [...out, A.matmat(move(random([700, 9], dtype, 17))).data];
  };
  CASES[`the matrix of a convolution, ${dtype}`] = (move) => {
    const matrix = convmat.convMatrix(move(weight), { inputShape: [12, 24, 25], padding: 1 });
    const out = [move(vector(20 * 600, 18, dtype)).data, move(vector(12 * 600, 19, dtype)).data];
    matrix.matvec(move(vector(12 * 600, 20, dtype)).data as Float32Array, out[0] as Float32Array);
    matrix.rmatvec(move(vector(20 * 600, 21, dtype)).data as Float32Array, out[1] as Float32Array);
    const { indptr, indices, data } = matrix.toCSR();
    return [...out, indptr, indices, data];
  };
}
for (const dtype of ['int8', 'uint8', 'int32'] as const) {
  const image = random([2, 30, 40, 41], dtype, 30);
  CASES[`max pooling, ${dtype}`] = (move) => [convmat.maxPool2d(move(image), 3, { padding: 1 }).data];
}
const bytes = [random([2, 24, 40, 41], 'uint8', 31), random([40, 24, 3, 3], 'int8', 32)];
const points = { padding: 1, inputZeroPoint: 7, weightZeroPoint: -3 };
const scales = { inputScale: 0.02, weightScale: 0.003, outputScale: 0.11, outputZeroPoint: 100 };
CASES['convolution of integers'] = (move) => [
  convmat.convInteger(move(bytes[0]), move(bytes[1]), points).data,
  convmat.qlinearConv(move(bytes[0]), move(bytes[1]), { ...points, ...scales }).data,
];
CASES['depthwise convolution of integers'] = (move) => {
  const weight = move(random([24, 1, 3, 3], 'int8', 33));
  return [convmat.convInteger(move(bytes[0]), weight, { ...points, groups: 24 }).data];
};
CASES['product of integers'] = (move) => [
  convmat.matmul(move(random([150, 400], 'uint8', 34)), move(random([400, 130], 'int8', 35))).data,
];
for (const accumulate of ['full', 'every-step'] as const) {
  CASES[`fixed point, ${accumulate}`] = (move) => {
    const type = { signed: true, wordLength: 12, fractionLength: 9 } as const;
    const [x, w] = [random([90, 91], 'float64', 36), random([5, 5], 'float64', 37)].map((t) =>
      fixed.fi(move(t), type),
    );
    return [fixed.conv2(x, w, { output: type, accumulate }).raw.data];
  };
}
CASES['signals'] = (move) => {
  const [a, b] = [move(vector(30_000, 38, 'float64')), move(vector(700, 39, 'float64'))];
  const [A, B] = [move(random([90, 91], 'float64', 40)), move(random([15, 16], 'float64', 41))];
  const [u, v] = [move(vector(15, 42, 'float64')), move(vector(16, 43, 'float64'))];
  return [
    signal.conv(a, b),
    signal.cconv(a, b, 4096),
    signal.conv2(A, B).data,
    signal.conv2Separable(u, v, A).data,
    signal.filter2(B, A).data,
    signal.convn(move(random([9, 20, 21], 'float64', 44)), move(random([3, 4, 5], 'float64', 45))).data,
    signal.im2col(A, [5, 6], 'sliding').data,
  ];
};
CASES['transforms'] = (move) =>
  [4096, 4095, 4099].flatMap((n) => {
    const [re, im] = [46, 47].map((seed) => move(vector(n, seed, 'float64')).data as Float64Array);
    const out = { re: move(vector(n, 48, 'float64')).data, im: move(vector(n, 49, 'float64')).data };
    signal.fft({ re, im }, n, out as { re: Float64Array; im: Float64Array });
    const real = signal.fft(re, n);
    const back = signal.ifft({ re, im }, n);
    return [out.re, out.im, real.re, real.im, back.re, back.im];
  });
/** A vector whose first element is this one. */
function startingWith(first: number, size: number, seed: number): Tensor {
  const t = vector(size, seed, 'float64');
  t.data[0] = first;
  return t;
}

CASES['structured matrices'] = (move) => {
  const c = move(vector(3000, 50, 'float64'));
  const [x, y] = [move(vector(2500, 52, 'float64')).data, move(vector(3000, 53, 'float64')).data];
  const T = convmat.toeplitz(c, move(startingWith(c.data[0], 2500, 51)));
  const H = convmat.hankel(c, move(startingWith(c.data[2999], 2500, 51)));
  return [
    T.matvec(x as Float64Array),
    T.rmatvec(y as Float64Array),
    H.matvec(x as Float64Array),
    convmat.circulant(c).matvec(y as Float64Array),
  ];
};

/** Bits as a string of bytes: NaN equals NaN, and -0 does not equal 0. */
function bits(arrays: readonly TypedArray[]): string[] {
  return arrays.map((array) =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('latin1'),
  );
}

describe('the same bits', () => {
  test.each(Object.entries(CASES))('%s', (_name, run) => {
    convmat.setNumThreads(1);
    const expected = bits(run((t) => t, 0));
    for (const threads of [1, 2, 3]) {
      convmat.setNumThreads(threads);
      for (const elements of [0, 1, 2, 3]) {
        const got = bits(run((t) => shifted(t, elements), elements));
        const same = got.map((part, i) => part === expected[i]);
        expect(same, `${threads} threads, ${elements} elements into the buffers`).toEqual(
          expected.map(() => true),
        );
      }
    }
  });
});
