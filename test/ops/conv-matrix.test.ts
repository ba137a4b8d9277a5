import {
  ConvMatrix,
  type ConvMatrixOptions,
  conv1d,
  conv2d,
  conv3d,
  convInputGrad,
  convMatrix,
  dotTest,
  tensor,
} from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conv, inputGrad } from '../oracle/conv';
import { absolute, product, type Values } from '../oracle/window';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { golden } from '../support/golden';
import { isNode } from '../support/host';
import { anyProblem, edgeProblems, layerProblems, type Problem } from '../support/problems';
import { random } from '../support/random';
import { type Float, sums } from '../support/tolerance';

const vector = (data: ArrayLike<number>): Values => ({ data, shape: [data.length] });

describe('golden data of PyTorch and SciPy', () => {
  test.each(golden('torch_conv_matrix').cases)('$id', ({ tensors, args, expected, plain }) => {
    const { weight, x, y } = tensors;
    const B = convMatrix(weight, args);
    expect(B.shape).toEqual(plain.shape);
    expect(B.outputShape).toEqual(plain.outputShape);
    expect(B.nnz).toBe(expected.data.data.length);
    expect(B.density).toBeCloseTo(B.nnz / B.shape[0] / B.shape[1], 12);

    const { indptr, indices, data } = B.toCSR();
    expect(indptr).toEqual(expected.indptr.data);
    expect(indices).toEqual(expected.indices.data);
    expect(data).toEqual(expected.data.data);

    const magnitude = convMatrix(
      absolute(weight).data.length ? tensor(Float64Array.from(absolute(weight).data), weight.shape) : weight,
      args,
    );
    const bound = sums(weight.data.length * product(weight.shape.slice(-1)), weight.dtype as Float);
    expectWithin(
      vector(B.matvec(x)),
      expected.matvec,
      vector(magnitude.matvec(Float64Array.from(x.data, Math.abs))),
      bound,
    );
    expectWithin(
      vector(B.rmatvec(y)),
      expected.rmatvec,
      vector(magnitude.rmatvec(Float64Array.from(y.data, Math.abs))),
      bound,
    );
  });

  test('every format and every accessor hold the same entries', () => {
    for (const { tensors, args } of golden('torch_conv_matrix').cases) {
      const B = convMatrix(tensors.weight, args);
      const [rows, cols] = B.shape;
      const dense = B.toDense();
      expect(dense.shape).toEqual(B.shape);
      expect(B.toCSR().toDense()).toEqual(dense);
      const coo = B.toCOO();
      const scattered = new Float64Array(rows * cols);
      coo.data.forEach((value, e) => {
        scattered[coo.row[e] * cols + coo.col[e]] += value;
      });
      expect(scattered).toEqual(Float64Array.from(dense.data));
      for (let i = 0; i < rows; i++) {
        const { indices, values } = B.row(i);
        const line = new Float64Array(cols);
        indices.forEach((j, e) => {
          line[j] = values[e];
        });
        const expected = Float64Array.from(dense.data.subarray(i * cols, (i + 1) * cols));
        expect(line).toEqual(expected);
        expect(Float64Array.from({ length: cols }, (_, j) => B.at(i, j))).toEqual(expected);
      }
      const transposed = B.T.toDense();
      expect(transposed.shape).toEqual([cols, rows]);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++) expect(transposed.data[j * rows + i]).toBe(dense.data[i * cols + j]);
      }
      expect(B.T.toCSR().toDense()).toEqual(transposed);
    }
  });
});

const CONV = { 1: conv1d, 2: conv2d, 3: conv3d } as Record<number, typeof conv2d>;

/** B·x and Bᵀ·y against the definition, for one sample of the problem. */
function expectProducts({ input, weight, options, dtype }: Problem): void {
  const inputShape = input.slice(-(weight.length - 1));
  const w = random(weight, dtype, 1);
  const B = convMatrix(w, { ...options, inputShape } as ConvMatrixOptions);
  const x = random(inputShape, dtype, 2);
  const exact = conv(x, w, options);
  const bound = sums(product(weight.slice(1)), dtype);
  expect(B.outputShape).toEqual(exact.shape);
  const y = B.matvec(x);
  expectWithin(vector(y), vector(exact.data), vector(conv(absolute(x), absolute(w), options).data), bound);
  const dy = random(exact.shape, dtype, 3);
  const back = inputGrad(inputShape, w, dy, options);
  const backMagnitude = inputGrad(inputShape, absolute(w), absolute(dy), options);
  const readers = sums(weight[0] * product(weight.slice(2)) * 2 ** (weight.length - 2), dtype);
  expectWithin(vector(B.rmatvec(dy)), vector(back.data), vector(backMagnitude.data), readers);
}

describe('products agree with the definition', () => {
  test.each(edgeProblems())('$id', (problem) => expectProducts(problem));
  test.each(layerProblems())('$id', (problem) => expectProducts(problem));

  test('for any geometry', () => {
    check(
      fc.property(anyProblem(), (problem) => expectProducts(problem)),
      { numRuns: 300 },
    );
  });

  test('and with convNd and convInputGrad of the library', () => {
    const weight = random([5, 3, 3, 2], 'float64', 4);
    const geometry = {
      stride: [2, 1],
      padding: [
        [1, 0],
        [2, 1],
      ],
      dilation: [1, 2],
      paddingMode: 'reflect',
    } as const;
    const B = convMatrix(weight, { ...geometry, inputShape: [3, 7, 6] });
    const x = random([3, 7, 6], 'float64', 5);
    expect(B.matvec(x)).toEqual(CONV[2](x, weight, { ...geometry, accuracy: 'strict' }).data);
    const y = random(B.outputShape, 'float64', 6);
    expect(B.rmatvec(y)).toEqual(
      convInputGrad([3, 7, 6], weight, y, { ...geometry, accuracy: 'strict' }).data,
    );
  });

  test('pruned weights, whatever is left of them', () => {
    for (const keep of [0, 0.1, 0.5]) {
      for (const mode of ['zeros', 'circular'] as const) {
        const w = random([20, 12, 3, 3], 'float32', 7);
        const kept = random(w.shape, 'float32', 8);
        w.data.forEach((_, i) => {
          if (kept.data[i] > 2 * keep - 1) w.data[i] = 0;
        });
        const options = { padding: 1, paddingMode: mode } as const;
        const B = convMatrix(w, { ...options, inputShape: [12, 19, 37] });
        const x = random([12, 19, 37], 'float32', 9);
        const magnitude = vector(conv(absolute(x), absolute(w), options).data);
        expectWithin(vector(B.matvec(x)), vector(conv(x, w, options).data), magnitude, sums(108, 'float32'));
        expect(dotTest(B)).toBeLessThan(1e-4);
      }
    }
  });
});

describe('B·X and Bᵀ·Y', () => {
  test.each([0, 1, 15, 16, 17, 40])('%i columns at a time are as many products', (columns) => {
    const B = convMatrix(random([2, 3, 2, 3], 'float32', 10), { inputShape: [3, 4, 5], padding: 1 });
    const [rows, cols] = B.shape;
    const X = random([cols, columns], 'float32', 11);
    const Y = B.matmat(X);
    expect(Y.shape).toEqual([rows, columns]);
    const Z = random([rows, columns], 'float32', 12);
    const back = B.rmatmat(Z);
    expect(back.shape).toEqual([cols, columns]);
    for (let j = 0; j < columns; j++) {
      const column = (data: ArrayLike<number>, length: number) =>
        Float32Array.from({ length }, (_, i) => data[i * columns + j]);
      expect(column(Y.data, rows)).toEqual(B.matvec(column(X.data, cols)));
      expect(column(back.data, cols)).toEqual(B.rmatvec(column(Z.data, rows)));
    }
  });
});

describe('memory', () => {
  test.runIf(isNode)('the matrix of a 4096 × 4096 image takes kilobytes', () => {
    const gc = globalThis.gc ?? (() => {});
    gc();
    const before = process.memoryUsage();
    const B = convMatrix(random([3, 3]), { inputShape: [4096, 4096], padding: 1 });
    expect(B.nnz).toBe(9 * 4096 ** 2 - 6 * 2 * 4096 + 4);
    expect(B.at(0, 4097)).toBe(B.at(4097 * 2, 4097 * 3));
    expect(B.row(5_000_000).indices.length).toBe(9);
    const after = process.memoryUsage();
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(2 ** 20);
  });

  test('a dense matrix is refused beyond maxBytes, a sparse one beyond int32', () => {
    const B = convMatrix(random([3, 3]), { inputShape: [256, 256] });
    expect(() => B.toDense()).toThrow(expect.objectContaining({ code: 'ERR_CONVMAT_MEMORY' }));
    expect(() => convMatrix([1, 2], { inputShape: [5] }).toDense({ maxBytes: 4 * 5 * 4 - 1 })).toThrow(
      'toDense: expected a dense matrix of at most 79 bytes (options.maxBytes), got 4 × 5 of float32, 80 bytes',
    );
    expect(convMatrix([1, 2], { inputShape: [5] }).toDense({ maxBytes: 80 }).size).toBe(20);
    const huge = convMatrix(random([16, 16, 15, 15]), { inputShape: [16, 512, 512], padding: 7 });
    expect(huge.nnz).toBeGreaterThan(2 ** 31);
    for (const format of ['toCSR', 'toCOO'] as const) {
      expect(() => huge[format]()).toThrow(expect.objectContaining({ code: 'ERR_CONVMAT_MEMORY' }));
    }
  });
});

describe('arguments', () => {
  const B = convMatrix(
    [
      [1, 2],
      [3, 4],
    ],
    { inputShape: [3, 3] },
  );

  test('is a ConvMatrix that the textbook prints', () => {
    expect(B).toBeInstanceOf(ConvMatrix);
    expect(B.toDense().toNested()).toEqual([
      [1, 2, 0, 3, 4, 0, 0, 0, 0],
      [0, 1, 2, 0, 3, 4, 0, 0, 0],
      [0, 0, 0, 1, 2, 0, 3, 4, 0],
      [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]);
  });

  test('the rank is what weight and input agree on', () => {
    expect(convMatrix(random([2, 3, 4]), { inputShape: [3, 9] }).outputShape).toEqual([2, 6]);
    expect(convMatrix(random([2, 3, 4]), { inputShape: [5, 6, 7] }).outputShape).toEqual([1, 4, 4, 4]);
    expect(convMatrix(random([2, 3, 4]), { inputShape: [1, 5, 6, 7] }).outputShape).toEqual([1, 4, 4, 4]);
    expect(convMatrix(random([2, 1, 4]), { inputShape: [9] }).outputShape).toEqual([2, 6]);
  });

  test('a vector of the other dtype is converted, one of integers refused', () => {
    const x = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
    expect(B.matvec(x)).toEqual(Float32Array.of(37, 47, 67, 77));
    expect(
      B.matvec([
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ]),
    ).toEqual(Float32Array.of(37, 47, 67, 77));
    expect(() => B.matvec(Int32Array.from(x))).toThrow(
      expect.objectContaining({ code: 'ERR_CONVMAT_DTYPE' }),
    );
  });

  test('out receives the result and is returned', () => {
    const out = new Float32Array(4);
    expect(B.matvec(new Float32Array(9).fill(1), out)).toBe(out);
    expect(out).toEqual(Float32Array.of(10, 10, 10, 10));
    const back = new Float32Array(9);
    expect(B.T.matvec(out, back)).toBe(back);
    expect(B.T.rmatvec(back)).toEqual(B.matvec(back));
  });

  test.each<[string, () => unknown, string, string]>([
    [
      'a short vector',
      () => B.matvec(new Float32Array(8)),
      'ERR_CONVMAT_SHAPE',
      'x: expected 9 elements, got 8 elements',
    ],
    [
      'a long vector',
      () => B.rmatvec(new Float32Array(5)),
      'ERR_CONVMAT_SHAPE',
      'y: expected 4 elements, got 5 elements',
    ],
    [
      'a short out',
      () => B.matvec(new Float32Array(9), new Float32Array(3)),
      'ERR_CONVMAT_SHAPE',
      'out: expected 4 elements, got 3 elements',
    ],
    [
      'out of another dtype',
      () => B.matvec(new Float32Array(9), new Float64Array(4)),
      'ERR_CONVMAT_DTYPE',
      'out: expected float32, got float64',
    ],
    ['no vector', () => B.matvec('x' as never), 'ERR_CONVMAT_ARGUMENT', 'x: expected a tensor'],
    [
      'a matrix of other rows',
      () => B.matmat(random([8, 2])),
      'ERR_CONVMAT_SHAPE',
      'X: expected shape [9, columns], got shape [8, 2]',
    ],
    [
      'a row outside',
      () => B.at(4, 0),
      'ERR_CONVMAT_ARGUMENT',
      'row: expected an integer from 0 to 3, got 4',
    ],
    [
      'a column outside',
      () => B.at(0, -1),
      'ERR_CONVMAT_ARGUMENT',
      'col: expected an integer from 0 to 8, got -1',
    ],
    [
      'a row that is none',
      () => B.row(Number.NaN),
      'ERR_CONVMAT_ARGUMENT',
      'row: expected an integer from 0 to 3, got NaN',
    ],
    [
      'integers',
      () => convMatrix(new Int32Array(3), { inputShape: [5] }),
      'ERR_CONVMAT_DTYPE',
      'weight: expected float32 or float64, got int32',
    ],
    ['no input shape', () => convMatrix([1, 2], {} as never), 'ERR_CONVMAT_ARGUMENT', 'options.inputShape'],
    [
      'an input of another rank',
      () => convMatrix([[1, 2]], { inputShape: [5] }),
      'ERR_CONVMAT_SHAPE',
      'options.inputShape: expected [channels, spatial…]',
    ],
    [
      'channels that disagree',
      () => convMatrix(random([2, 3, 3, 3]), { inputShape: [4, 5, 5] }),
      'ERR_CONVMAT_SHAPE',
      'options.inputShape: expected 3 channels',
    ],
    [
      'an unknown option',
      () => convMatrix([1], { inputShape: [5], pading: 1 } as never),
      'ERR_CONVMAT_ARGUMENT',
      'options.pading: unknown option',
    ],
    [
      'a kernel that does not fit',
      () => convMatrix([1, 2, 3], { inputShape: [2] }),
      'ERR_CONVMAT_SHAPE',
      'within the padded input',
    ],
    [
      'a bad maxBytes',
      () => B.toDense({ maxBytes: Number.NaN }),
      'ERR_CONVMAT_ARGUMENT',
      'options.maxBytes: expected a number ≥ 0, got NaN',
    ],
  ])('%s', (_, call, code, message) => {
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  test('out must not share memory with the operand', () => {
    const memory = new Float32Array(12);
    expect(() => B.matvec(memory.subarray(0, 9), memory.subarray(8, 12))).toThrow(
      'out: expected memory of its own, got memory shared with the operand',
    );
  });

  test('the weight is copied', () => {
    const weight = Float32Array.of(1, 2);
    const A = convMatrix(weight, { inputShape: [3] });
    weight[0] = 7;
    expect(A.at(0, 0)).toBe(1);
    expect(A.matvec(Float32Array.of(1, 0, 0))).toEqual(Float32Array.of(1, 0));
  });
});

describe('accuracy', () => {
  const [inputShape, weightShape] = [
    [1, 1, 90, 80],
    [1, 1, 41, 37],
  ] as const;
  const geometry = { padding: [20, 18], paddingMode: 'reflect' } as const;
  const [x, g] = [random(inputShape, 'float64', 1), random(inputShape, 'float64', 2)];
  const w = random(weightShape, 'float64', 3);
  test.each(['strict', 'fast'] as const)(
    "products are those of '%s' convolutions, to the bit",
    (accuracy) => {
      const A = convMatrix(w, { inputShape: [90, 80], accuracy, ...geometry });
      expect(A.matvec(x.data)).toEqual(conv2d(x, w, { accuracy, ...geometry }).data);
      expect(A.rmatvec(g.data)).toEqual(convInputGrad(inputShape, w, g, { accuracy, ...geometry }).data);
      expect(A.T.matvec(g.data)).toEqual(A.rmatvec(g.data));
    },
  );
  test("is 'strict' where nothing is said, and one of the two", () => {
    const [A, B] = [
      convMatrix(w, { inputShape: [90, 80] }),
      convMatrix(w, { inputShape: [90, 80], accuracy: 'strict' }),
    ];
    expect(A.matvec(x.data)).toEqual(B.matvec(x.data));
    const wrong = { inputShape: [90, 80], accuracy: 'exact' } as unknown as ConvMatrixOptions;
    expect(() => convMatrix(w, wrong)).toThrow(
      /options\.accuracy: expected one of 'fast', 'strict', got "exact"/,
    );
  });
});
