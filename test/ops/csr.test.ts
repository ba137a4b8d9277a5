import { CsrMatrix, convMatrix, dotTest, tensor } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { golden } from '../support/golden';
import { random, stream } from '../support/random';
import { type Float, sums } from '../support/tolerance';

type Dense = number[][];
const DTYPES = ['float32', 'float64'] as const;

/** A matrix with the share `density` of its elements stored, rows of every length among them. */
function anyMatrix(rows: number, cols: number, density: number, dtype: Float, seed: number): CsrMatrix {
  const next = stream(seed);
  const values = random([rows, cols], dtype, seed);
  for (let i = 0; i < rows; i++) {
    // Rows differ in how full they are: empty ones, full ones, and most of them between.
    const share = i % 5 === 0 ? 0 : i % 7 === 0 ? 1 : density;
    for (let j = 0; j < cols; j++) if (next() >= share) values.data[i * cols + j] = 0;
  }
  return CsrMatrix.fromDense(values);
}

/** Σ_j A[i, j]·x[j] in float64, from the dense elements. */
function multiply(dense: Dense, x: ArrayLike<number>, cols: number): Float64Array {
  return Float64Array.from(dense, (row) => {
    let sum = 0;
    for (let j = 0; j < cols; j++) sum += row[j] * x[j];
    return sum;
  });
}

function transposed(dense: Dense, cols: number): Dense {
  return Array.from({ length: cols }, (_, j) => dense.map((row) => row[j]));
}

function expectProducts(A: CsrMatrix, dtype: Float): void {
  const [rows, cols] = A.shape;
  const dense = A.toDense().toNested() as Dense;
  const absolute = dense.map((row) => row.map(Math.abs));
  const wrap = (data: ArrayLike<number>) => ({ data, shape: [data.length] });
  const x = random([cols], dtype, 1).data;
  const y = random([rows], dtype, 2).data;
  expectWithin(
    wrap(A.matvec(x)),
    wrap(multiply(dense, x, cols)),
    wrap(multiply(absolute, x.map(Math.abs), cols)),
    sums(cols, dtype),
  );
  const [back, backMagnitude] = [transposed(dense, cols), transposed(absolute, cols)];
  expectWithin(
    wrap(A.rmatvec(y)),
    wrap(multiply(back, y, rows)),
    wrap(multiply(backMagnitude, y.map(Math.abs), rows)),
    sums(rows, dtype),
  );
  expectWithin(
    wrap(A.T.matvec(y)),
    wrap(multiply(back, y, rows)),
    wrap(multiply(backMagnitude, y.map(Math.abs), rows)),
    sums(rows, dtype),
  );
}

// Around the lengths of vectors, of unrolled loops and of blocks of rows.
const SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130];

describe.each(DTYPES)('products in %s', (dtype) => {
  test.each(SIZES)('rows of up to %i elements', (cols) => {
    for (const density of [0, 0.2, 0.8, 1]) expectProducts(anyMatrix(23, cols, density, dtype, cols), dtype);
  });

  test.each(SIZES)('%i rows', (rows) => {
    expectProducts(anyMatrix(rows, 37, 0.3, dtype, rows), dtype);
  });

  test('large enough for every thread', () => {
    const A = convMatrix(random([4, 4, 5, 5], dtype, 3), { inputShape: [4, 64, 64], padding: 2 });
    const x = random([A.shape[1]], dtype, 4).data;
    const csr = A.toCSR();
    const [exact, magnitude] = [
      A,
      convMatrix(tensor(random([4, 4, 5, 5], dtype, 3).data.map(Math.abs), [4, 4, 5, 5]), {
        inputShape: [4, 64, 64],
        padding: 2,
      }),
    ].map((B, i) => B.matvec(i === 0 ? x : x.map(Math.abs)));
    const wrap = (data: ArrayLike<number>) => ({ data, shape: [data.length] });
    // Both sides round.
    const bound = sums(200, dtype);
    expectWithin(wrap(csr.matvec(x)), wrap(exact), wrap(magnitude), bound);
    expect(dotTest(csr)).toBeLessThan(dtype === 'float32' ? 1e-4 : 1e-12);
  });

  test.each([0, 1, 3, 4, 8, 15, 16, 17, 33])('%i columns at a time are as many products', (columns) => {
    const A = anyMatrix(19, 21, 0.4, dtype, 5);
    const X = random([21, columns], dtype, 6);
    const Y = A.matmat(X);
    expect(Y.shape).toEqual([19, columns]);
    const dense = A.toDense().toNested() as Dense;
    for (let k = 0; k < columns; k++) {
      const x = Float64Array.from({ length: 21 }, (_, i) => X.data[i * columns + k]);
      const got = Float64Array.from({ length: 19 }, (_, i) => Y.data[i * columns + k]);
      const magnitude = multiply(
        dense.map((row) => row.map(Math.abs)),
        x.map(Math.abs),
        21,
      );
      const wrap = (data: ArrayLike<number>) => ({ data, shape: [19] });
      expectWithin(wrap(got), wrap(multiply(dense, x, 21)), wrap(magnitude), sums(21, dtype));
    }
  });
});

describe('golden data of SciPy', () => {
  test.each(golden('torch_conv_matrix').cases)('$id', ({ expected, plain, tensors }) => {
    const { indptr, indices, data } = expected;
    const A = new CsrMatrix(
      plain.shape,
      indptr.data as Int32Array,
      indices.data as Int32Array,
      data.data as Float32Array,
    );
    expect(A.nnz).toBe(data.data.length);
    const magnitude = new CsrMatrix(plain.shape, A.indptr, A.indices, A.data.map(Math.abs));
    const wrap = (values: ArrayLike<number>) => ({ data: values, shape: [values.length] });
    const bound = sums(Math.max(...plain.shape), data.dtype as Float);
    const { x, y } = tensors;
    expectWithin(
      wrap(A.matvec(x)),
      expected.matvec,
      wrap(magnitude.matvec(x.data.map(Math.abs) as Float32Array)),
      bound,
    );
    expectWithin(
      wrap(A.rmatvec(y)),
      expected.rmatvec,
      wrap(magnitude.rmatvec(y.data.map(Math.abs) as Float32Array)),
      bound,
    );
  });
});

describe('from coordinates and from dense', () => {
  test('any coordinates: sorted, and those of one place summed', () => {
    const entry = fc.record({ row: fc.nat(6), col: fc.nat(4), value: fc.integer({ min: -3, max: 3 }) });
    check(
      fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
        const A = CsrMatrix.fromCOO(
          [7, 5],
          entries.map((e) => e.row),
          entries.map((e) => e.col),
          Float64Array.from(entries, (e) => e.value),
        );
        const sumsOf = new Map<number, number>();
        for (const { row, col, value } of entries)
          sumsOf.set(row * 5 + col, (sumsOf.get(row * 5 + col) ?? 0) + value);
        const places = [...sumsOf.keys()].sort((a, b) => a - b);
        const { row, col, data } = A.toCOO();
        expect(Array.from(row, (i, p) => i * 5 + col[p])).toEqual(places);
        expect(Array.from(data)).toEqual(places.map((place) => sumsOf.get(place)));
      }),
    );
  });

  test('dense and back, NaN included', () => {
    const dense = tensor(Float64Array.of(0, 1, Number.NaN, 0, 0, 0, -0, 2), [2, 4]);
    const A = CsrMatrix.fromDense(dense);
    expect(Array.from(A.indptr)).toEqual([0, 2, 3]);
    expect(Array.from(A.indices)).toEqual([1, 2, 3]);
    expect(A.toDense().data).toEqual(Float64Array.of(0, 1, Number.NaN, 0, 0, 0, 0, 2));
    expect(
      CsrMatrix.fromDense([
        [1, 0],
        [0, 2],
      ]).dtype,
    ).toBe('float32');
  });

  test('columns out of order, and repeated ones, count as their sum', () => {
    const A = new CsrMatrix(
      [2, 3],
      Int32Array.of(0, 3, 4),
      Int32Array.of(2, 0, 2, 1),
      Float32Array.of(1, 2, 3, 4),
    );
    expect(A.toDense().toNested()).toEqual([
      [2, 0, 4],
      [0, 4, 0],
    ]);
    expect(A.matvec([1, 10, 100])).toEqual(Float32Array.of(402, 40));
    expect(A.T.toDense().toNested()).toEqual([
      [2, 0],
      [0, 4],
      [4, 0],
    ]);
  });

  test('the transpose of the transpose is the matrix, in order', () => {
    const A = anyMatrix(17, 11, 0.3, 'float64', 8);
    expect(A.T.T).toEqual(A);
    expect(A.toCSR()).toBe(A);
  });
});

describe('arguments', () => {
  const ptr = Int32Array.of(0, 1, 2);
  const idx = Int32Array.of(0, 1);
  const val = Float32Array.of(1, 2);

  test.each<[string, () => unknown, string, string]>([
    [
      'too few offsets',
      () => new CsrMatrix([3, 2], ptr, idx, val),
      'ERR_CONVMAT_SHAPE',
      'indptr: expected 4 offsets for 3 rows, got 3',
    ],
    [
      'falling offsets',
      () => new CsrMatrix([3, 2], Int32Array.of(0, 2, 1, 2), idx, val),
      'ERR_CONVMAT_ARGUMENT',
      'indptr: expected offsets that never fall',
    ],
    [
      'offsets that do not start at 0',
      () => new CsrMatrix([2, 2], Int32Array.of(1, 1, 2), idx, val),
      'ERR_CONVMAT_ARGUMENT',
      'indptr: expected offsets from 0 to 2, got 1 to 2',
    ],
    [
      'offsets past the end',
      () => new CsrMatrix([2, 2], Int32Array.of(0, 1, 3), idx, val),
      'ERR_CONVMAT_ARGUMENT',
      'indptr: expected offsets from 0 to 2, got 0 to 3',
    ],
    [
      'a column outside',
      () => new CsrMatrix([2, 2], ptr, Int32Array.of(0, 2), val),
      'ERR_CONVMAT_ARGUMENT',
      'indices[1]: expected a column from 0 to 1, got 2',
    ],
    [
      'a negative column',
      () => new CsrMatrix([2, 2], ptr, Int32Array.of(-1, 1), val),
      'ERR_CONVMAT_ARGUMENT',
      'indices[0]',
    ],
    [
      'lengths that disagree',
      () => new CsrMatrix([2, 2], ptr, idx, new Float32Array(3)),
      'ERR_CONVMAT_SHAPE',
      'indices: expected 3 columns',
    ],
    [
      'plain arrays',
      () => new CsrMatrix([2, 2], [0, 1, 2] as never, idx, val),
      'ERR_CONVMAT_ARGUMENT',
      'indptr: expected a typed array',
    ],
    [
      'offsets of another dtype',
      () => new CsrMatrix([2, 2], Float64Array.from(ptr) as never, idx, val),
      'ERR_CONVMAT_DTYPE',
      'indptr: expected int32, got float64',
    ],
    [
      'values of another dtype',
      () => new CsrMatrix([2, 2], ptr, idx, Int32Array.from(val) as never),
      'ERR_CONVMAT_DTYPE',
      'data: expected float32 or float64, got int32',
    ],
    [
      'a shape that is none',
      () => new CsrMatrix([2] as never, ptr, idx, val),
      'ERR_CONVMAT_SHAPE',
      'shape: expected [rows, cols]',
    ],
    ['a negative shape', () => new CsrMatrix([-1, 2], ptr, idx, val), 'ERR_CONVMAT_ARGUMENT', 'shape'],
    [
      'rows past int32',
      () => CsrMatrix.fromCOO([2 ** 40, 1], [], [], new Float32Array(0)),
      'ERR_CONVMAT_MEMORY',
      'shape',
    ],
    [
      'a row that is NaN',
      () => CsrMatrix.fromCOO([2, 2], [Number.NaN], [0], val.subarray(1)),
      'ERR_CONVMAT_ARGUMENT',
      'row[0]: expected an integer from 0 to 1, got NaN',
    ],
    [
      'a fractional column',
      () => CsrMatrix.fromCOO([2, 2], [0], [0.5], val.subarray(1)),
      'ERR_CONVMAT_ARGUMENT',
      'col[0]',
    ],
    [
      'a column outside, in coordinates',
      () => CsrMatrix.fromCOO([2, 2], [0], [2], val.subarray(1)),
      'ERR_CONVMAT_ARGUMENT',
      'col[0]: expected an integer from 0 to 1, got 2',
    ],
    [
      'coordinates too few',
      () => CsrMatrix.fromCOO([2, 2], [0], [0, 1], val),
      'ERR_CONVMAT_SHAPE',
      'row: expected 2 elements, one per value, got 1',
    ],
    ['a dense vector', () => CsrMatrix.fromDense([1, 2, 3]), 'ERR_CONVMAT_SHAPE', 'matrix: expected 2 axes'],
    [
      'a dense matrix of integers',
      () => CsrMatrix.fromDense(tensor(new Int8Array(4), [2, 2])),
      'ERR_CONVMAT_DTYPE',
      'matrix',
    ],
    [
      'a short vector',
      () => new CsrMatrix([2, 2], ptr, idx, val).matvec([1]),
      'ERR_CONVMAT_SHAPE',
      'x: expected 2 elements, got 1 elements',
    ],
    [
      'a dense form past maxBytes',
      () => new CsrMatrix([2, 2], ptr, idx, val).toDense({ maxBytes: 15 }),
      'ERR_CONVMAT_MEMORY',
      'toDense',
    ],
    [
      'a dense form past 2^31 elements',
      () => CsrMatrix.fromCOO([2 ** 20, 2 ** 20], [], [], val.subarray(2)).toDense({ maxBytes: Infinity }),
      'ERR_CONVMAT_MEMORY',
      'toDense: expected at most 2^31 - 1 elements',
    ],
  ])('%s', (_, call, code, message) => {
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});

describe('offsets that were overwritten after the matrix was made', () => {
  const matrix = () => {
    const made = new CsrMatrix([2, 2], Int32Array.of(0, 1, 2), Int32Array.of(0, 1), Float32Array.of(1, 2));
    // Walked as they stand, rows would have 2³¹ entries.
    made.indptr[1] = 2 ** 31 - 1;
    return made;
  };
  test.each<[string, (m: CsrMatrix) => unknown]>([
    ['matvec', (m) => m.matvec([1, 1])],
    ['rmatvec', (m) => m.rmatvec([1, 1])],
    ['matmat', (m) => m.matmat([[1], [1]])],
    ['multiply', (m) => m.multiply(m)],
    ['add', (m) => m.add(m)],
    ['T', (m) => m.T],
    ['scale', (m) => m.scale(2)],
    ['rows', (m) => m.rows(0, 1)],
    ['toDense', (m) => m.toDense()],
    ['toCOO', (m) => m.toCOO()],
  ])('%s is refused', (_, call) => {
    expect(() => call(matrix())).toThrow(expect.objectContaining({ code: 'ERR_CONVMAT_ARGUMENT' }));
  });
});
