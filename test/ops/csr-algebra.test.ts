import { CsrMatrix, convMatrix, Tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { type GoldenCase, type GoldenTensor, golden } from '../support/golden';
import { random } from '../support/random';
import { sharedArray } from '../support/shared-memory';

function matrixOf({ args, tensors }: GoldenCase, name: string): CsrMatrix {
  const part = (kind: string): GoldenTensor => tensors[`${name}.${kind}`];
  return new CsrMatrix(
    args[name],
    part('indptr').data as Int32Array,
    part('indices').data as Int32Array,
    part('data').data as Float32Array,
  );
}

function resultOf(problem: GoldenCase): CsrMatrix {
  const { call, args, tensors } = problem;
  const a = matrixOf(problem, 'a');
  switch (call) {
    case 'multiply':
      return a.multiply(matrixOf(problem, 'b'));
    case 'add':
      return a.add(matrixOf(problem, 'b'));
    case 'scale':
      return a.scale(args.alpha);
    case 'scaleRows':
      return a.scaleRows(tensors.d);
    case 'scaleColumns':
      return a.scaleColumns(tensors.d);
    case 'rows':
      return a.rows(args.from, args.to);
    default:
      throw new Error(`no such call: ${call}`);
  }
}

describe('golden data of SciPy', () => {
  test.each(golden('scipy_csr').cases)('$id', (problem) => {
    const { indptr, indices, data } = resultOf(problem);
    const { expected } = problem;
    expect(indptr).toEqual(expected.indptr.data);
    expect(indices).toEqual(expected.indices.data);
    expect(data).toEqual(expected.data.data);
  });
});

test('unsorted rows and entries of one place twice: columns come out ascending, values summed', () => {
  const a = new CsrMatrix(
    [2, 3],
    Int32Array.of(0, 3, 4),
    Int32Array.of(2, 0, 2, 1),
    Float64Array.of(1, 2, 3, 4),
  );
  const none = new CsrMatrix([2, 3], new Int32Array(3), new Int32Array(0), new Float64Array(0));
  const sum = a.add(none);
  expect([sum.indices, sum.data]).toEqual([Int32Array.of(0, 2, 1), Float64Array.of(2, 4, 4)]);
  const product = a.multiply(CsrMatrix.fromDense(random([3, 3], 'float64', 1)));
  expect(product.nnz).toBe(6);
});

test('matrices of nothing', () => {
  const none = (rows: number, cols: number) =>
    new CsrMatrix([rows, cols], new Int32Array(rows + 1), new Int32Array(0), new Float32Array(0));
  expect(none(0, 3).multiply(none(3, 0)).shape).toEqual([0, 0]);
  expect(none(2, 0).multiply(none(0, 4)).nnz).toBe(0);
  expect(none(0, 3).add(none(0, 3)).shape).toEqual([0, 3]);
  expect(none(5, 2).rows(2, 2).shape).toEqual([0, 2]);
});

test('a convolution after a convolution is the product of their matrices', () => {
  const first = convMatrix(random([3, 2, 3, 3], 'float64', 1), { inputShape: [2, 9, 8], padding: 1 });
  const second = convMatrix(random([2, 3, 2, 2], 'float64', 2), { inputShape: [3, 9, 8], stride: 2 });
  const both = second.toCSR().multiply(first.toCSR());
  const x = random([first.shape[1]], 'float64', 3).data;
  const expected = second.matvec(first.matvec(x));
  both.matvec(x).forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 12);
  });
});

test('float32 and float64 make float64', () => {
  const a = CsrMatrix.fromDense([[0.1]]);
  const b = CsrMatrix.fromDense({ data: Float64Array.of(0.1), shape: [1, 1] });
  expect(a.add(b).data).toEqual(Float64Array.of(Math.fround(0.1) + 0.1));
  expect(a.multiply(b).data).toEqual(Float64Array.of(Math.fround(0.1) * 0.1));
});

describe('refusals', () => {
  const a = CsrMatrix.fromDense(random([3, 4], 'float32', 1));
  test.each<[string, () => unknown, string]>([
    ['a product of other shapes', () => a.multiply(a), 'B: expected 4 rows, got shape [3, 4]'],
    ['a sum of other shapes', () => a.add(a.T), 'B: expected shape [3, 4], got shape [4, 3]'],
    ['what is no matrix', () => a.add({} as never), 'B: expected a CsrMatrix'],
    ['rows beyond the last', () => a.rows(1, 4), 'to: expected an integer from 1 to 3, got 4'],
    ['factors of another length', () => a.scaleRows([1, 2]), 'd: expected 3 elements, got 2 elements'],
    ['a factor that is no number', () => a.scale('2' as never), 'alpha: expected a number'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });
});

describe("a matrix's own arrays", () => {
  const shared = () => {
    const memory = new ArrayBuffer(512);
    const indptr = new Int32Array(memory, 0, 9);
    const indices = new Int32Array(memory, 64, 8);
    const data = new Float32Array(memory, 128, 8);
    for (let i = 0; i < 8; i++) [indptr[i + 1], indices[i], data[i]] = [i + 1, i, 1];
    return { memory, matrix: new CsrMatrix([8, 8], indptr, indices, data) };
  };
  test.each([0, 4, 32, 60, 64, 92, 128, 156])('receive no result: out at byte %d', (offset) => {
    const { memory, matrix } = shared();
    const out = new Float32Array(memory, offset, 8);
    const x = new Float32Array(8).fill(1);
    const refusal = expect.objectContaining({ code: 'ERR_CONVMAT_ARGUMENT' });
    expect(() => matrix.matvec(x, out)).toThrow(refusal);
    expect(() => matrix.rmatvec(x, out)).toThrow(refusal);
    expect(matrix.matvec(x, new Float32Array(memory, 192, 8))).toEqual(x);
  });

  test('cannot be put in others’ place', () => {
    const { matrix } = shared();
    expect(() => {
      (matrix as { indices: unknown }).indices = sharedArray(Int32Array, 8);
    }).toThrow(TypeError);
  });
});

test('structures that are the same, overlap and miss each other, over many groups of columns', () => {
  const [rows, cols] = [40, 300];
  // Every third, every seventh, and neighbouring columns from a place that moves with the row.
  const patterns = [
    (i: number, j: number) => (i + j) % 3 === 0,
    (i: number, j: number) => (i * j) % 7 === 1,
    (i: number, j: number) => j >= 5 * i && j < 5 * i + 9,
  ];
  const values = random([rows, cols], 'float64', 9).data;
  const matrices = patterns.map((has) =>
    CsrMatrix.fromDense(
      new Tensor(
        Float64Array.from(values, (value, p) => (has(Math.floor(p / cols), p % cols) ? value : 0)),
        [rows, cols],
      ),
    ),
  );
  for (const a of matrices) {
    for (const b of matrices) {
      const [x, y] = [a.toDense().data, b.toDense().data];
      expect(a.add(b).toDense().data).toEqual(x.map((value, p) => value + y[p]));
      const product = a.multiply(b.T);
      const { data } = product.toDense();
      for (let p = 0; p < data.length; p++) {
        const [i, j] = [Math.floor(p / rows), p % rows];
        let sum = 0;
        for (let k = 0; k < cols; k++) sum += x[i * cols + k] * y[j * cols + k];
        expect(Math.abs(data[p] - sum)).toBeLessThan(1e-12);
      }
      for (let i = 0; i < rows; i++) {
        const columns = product.indices.subarray(product.indptr[i], product.indptr[i + 1]);
        expect(columns).toEqual(Int32Array.from(new Set(columns)).sort());
      }
    }
  }
});

describe('sums of rows that are looked at in blocks of 64', () => {
  /** Rows of three entries, but for one that is short, unsorted or different. */
  function banded(rows: number, odd: number, columns: readonly number[], seed: number): CsrMatrix {
    const of = (row: number) => (row === odd ? columns : [row, row + 1, row + 3]);
    const lists = Array.from({ length: rows }, (_, row) => of(row));
    const indptr = Int32Array.from({ length: rows + 1 }, (_, row) =>
      lists.slice(0, row).reduce((sum, { length }) => sum + length, 0),
    );
    const indices = Int32Array.from(lists.flat());
    // Integers, whose sums are exact in any order.
    return new CsrMatrix(
      [rows, rows + 4],
      indptr,
      indices,
      Float64Array.from(indices, (_, i) => i + seed),
    );
  }
  test.each([1, 63, 64, 65, 200])('%i rows', (rows) => {
    const same = [rows - 1, rows, rows + 2];
    for (const odd of [0, 62, 63, 64, rows - 1].filter((row) => row < rows)) {
      // The same columns; others; none; unsorted, and one of them twice.
      for (const columns of [same, [0, 1, 2], [], [2, 0, 2]]) {
        for (const others of [columns, same]) {
          const [a, b] = [banded(rows, odd, columns, 1), banded(rows, odd, others, 2)];
          const sum = a.add(b);
          const [dense, left, right] = [sum, a, b].map((m) => m.toDense().data);
          expect(dense).toEqual(left.map((value, i) => value + right[i]));
          const inOrder = sum.T.T;
          expect([sum.indptr, sum.indices]).toEqual([inOrder.indptr, inOrder.indices]);
        }
      }
    }
  });
});
