/** Complex matrices, beside SciPy's and Octave's. */
import {
  ComplexCsrMatrix,
  type ComplexStructuredMatrix,
  type ComplexVectorLike,
  CsrMatrix,
  circulant,
  convMatrix,
  convolutionMatrix,
  hankel,
  Tensor,
  toeplitz,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { operandOf, type Parts, partsOf, plain } from '../support/complex';
import { type GoldenCase, golden } from '../support/golden';
import { random } from '../support/random';
import { sums } from '../support/tolerance';

const cases = ['scipy_complex_matrix', 'octave_complex'].flatMap((family) => golden(family).cases);
const of = (...calls: string[]) => cases.filter(({ call }) => calls.includes(call));
const wrap = (data: ArrayLike<number>) => ({ data, shape: [data.length] });

function expectParts(
  found: Parts<{ data: ArrayLike<number> } | ArrayLike<number>>,
  given: GoldenCase,
  name: string,
) {
  const values = (part: { data: ArrayLike<number> } | ArrayLike<number>) =>
    'data' in part ? part.data : part;
  const expected = partsOf(given.expected, name);
  // Of numbers on a grid: exact in any order.
  expect(plain(values(found.re))).toEqual(plain(expected.re.data));
  expect(plain(values(found.im))).toEqual(plain(expected.im.data));
}

function build(given: GoldenCase) {
  const c: ComplexVectorLike = operandOf(given, 'c');
  const r: ComplexVectorLike | undefined = 'r.re' in given.tensors ? operandOf(given, 'r') : undefined;
  if (given.call === 'circulant') return circulant(c);
  return given.call === 'hankel' ? hankel(c, r) : toeplitz(c, r);
}

describe('structured matrices', () => {
  test.each(of('toeplitz', 'circulant', 'hankel'))('$id', (given) => {
    const A = build(given);
    expect(A.isComplex).toBe(true);
    expect(A.shape).toEqual(given.expected['dense.re'].shape);
    expectParts(A.toDense(), given, 'dense');
    expectParts(A.matvec(operandOf(given, 'x')), given, 'matvec');
    expectParts(A.rmatvec(operandOf(given, 'y')), given, 'rmatvec');
    if ('solution.re' in given.expected) {
      const found = (A as ComplexStructuredMatrix).solve(operandOf(given, 'b'));
      const exact = partsOf(given.expected, 'solution');
      const largest = Math.max(...[exact.re, exact.im].flatMap(({ data }) => Array.from(data, Math.abs)));
      const factor = sums(2 * A.shape[1], 'float64').factor * given.plain.condition;
      for (const part of ['re', 'im'] as const)
        expectWithin(wrap(found[part]), exact[part], wrap([largest]), { factor, scale: 'largest' });
    }
  });

  test.each(of('convolutionMatrix'))('$id', (given) => {
    const { n, mode } = given.args;
    const c: ComplexVectorLike = operandOf(given, 'c');
    expectParts(convolutionMatrix(c, n, mode), given, 'dense');
  });
});

/** The tensor NAME.re and NAME.im of a case, as the library's own. */
function matrixOf({ tensors }: GoldenCase, name: string): Parts<Tensor<Float64Array>> {
  const { re, im } = partsOf(tensors, name);
  const own = ({ data, shape }: typeof re) => new Tensor(data as Float64Array, shape);
  return { re: own(re), im: own(im) };
}

describe('CSR matrices', () => {
  test.each(of('csr'))('$id', (given) => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => matrixOf(given, name));
    const A = CsrMatrix.fromDense(a);
    expect(A.nnz).toBe(given.plain.nnz);
    expectParts(A.toDense(), given, 'dense');
    expectParts(A.matvec(operandOf(given, 'x')), given, 'matvec');
    expectParts(A.rmatvec(operandOf(given, 'y')), given, 'rmatvec');
    expectParts(A.H.matvec(operandOf(given, 'y')), given, 'rmatvec');
    expectParts(A.T.H.H.T.matvec(operandOf(given, 'x')), given, 'matvec');
    expectParts(A.multiply(CsrMatrix.fromDense(b)).toDense(), given, 'product');
    expectParts(A.add(CsrMatrix.fromDense(c)).toDense(), given, 'sum');
    expectParts(A.matmat(b), given, 'product');
    const { shape, row, col, data } = A.toCOO();
    expectParts(CsrMatrix.fromCOO(shape, row, col, data).toDense(), given, 'dense');
    const same = new CsrMatrix(A.shape, A.indptr, A.indices, A.data as never) as unknown as typeof A;
    expect(same).toBeInstanceOf(ComplexCsrMatrix);
    expectParts(same.toDense(), given, 'dense');
  });

  test('a real operand has an imaginary part of 0', () => {
    const [given] = of('csr');
    const [a, b] = ['a', 'b'].map((name) => matrixOf(given, name));
    const [A, B] = [CsrMatrix.fromDense(a), CsrMatrix.fromDense(b)];
    const x = partsOf(given.tensors, 'x');
    const parts = (found: ComplexCsrMatrix) => [found.re, found.im].map((part) => plain(part.toDense().data));
    const zeros = CsrMatrix.fromDense(a.re).scale({ re: 1, im: 0 });
    expect(A.matvec(x.re)).toEqual({ re: A.re.matvec(x.re), im: A.im.matvec(x.re) });
    expect(plain(A.rmatvec(A.re.matvec(x.re)).im)).toEqual(
      plain(A.im.rmatvec(A.re.matvec(x.re)).map((v) => -v)),
    );
    expect(parts(A.re.multiply(B))).toEqual(parts(A.re.scale({ re: 1, im: 0 }).multiply(B)));
    expect(parts(A.multiply(B.re))).toEqual(parts(A.multiply(B.re.scale({ re: 1, im: 0 }))));
    expect(parts(CsrMatrix.fromDense(a.re).add(A))).toEqual(parts(A.add(zeros)));
  });

  test('scaling is multiplication by a diagonal matrix', () => {
    const [given] = of('csr');
    const A = CsrMatrix.fromDense(matrixOf(given, 'a'));
    const dense = (matrix: ComplexCsrMatrix) =>
      [matrix.toDense().re, matrix.toDense().im].map(({ data }) => plain(data));
    const diagonal = ({ re, im }: Parts<number[]>) => {
      const places = Int32Array.from(re.keys());
      const data = { re: Float64Array.from(re), im: Float64Array.from(im) };
      return CsrMatrix.fromCOO([re.length, re.length], places, places, data);
    };
    const [rows, cols] = A.shape;
    const d = (n: number) => ({
      re: Array.from({ length: n }, (_, i) => i - 1),
      im: Array.from({ length: n }, (_, i) => 2 - i),
    });
    expect(dense(A.scaleRows(d(rows)))).toEqual(dense(diagonal(d(rows)).multiply(A)));
    expect(dense(A.scaleColumns(d(cols)))).toEqual(dense(A.multiply(diagonal(d(cols)))));
    const same = (n: number) => ({ re: new Array(n).fill(3), im: new Array(n).fill(-2) });
    expect(dense(A.scale({ re: 3, im: -2 }))).toEqual(dense(A.scaleRows(same(rows))));
    expect(dense(A.scale(2))).toEqual(dense(A.add(A)));
    expect(dense(A.rows(1, 3).add(A.rows(1, 3)))).toEqual(dense(A.scale(2).rows(1, 3)));
  });

  test('parts that disagree, and memory that is shared, are refused', () => {
    const A = CsrMatrix.fromDense({
      re: [
        [1, 0],
        [2, 3],
      ],
      im: [
        [0, 1],
        [1, 1],
      ],
    });
    const { indptr, indices, data } = A;
    expect(() => CsrMatrix.fromDense({ re: [[1, 2]], im: [[1], [2]] })).toThrow('matrix.im');
    expect(
      () => new ComplexCsrMatrix([2, 2], indptr, indices, { re: data.re, im: new Float64Array(4) as never }),
    ).toThrow('data.im: expected float32, as data.re, got float64');
    expect(() => A.matvec({ re: [1, 2], im: [1] })).toThrow('x.im: expected 2 elements');
    const shared = new Float32Array(3);
    const out = { re: shared.subarray(0, 2), im: shared.subarray(1) };
    expect(() => A.matvec([1, 2], out)).toThrow('out.im: expected memory of its own');
    expect(() => A.matvec([1, 2], { re: A.data.im.subarray(0, 2), im: new Float32Array(2) })).toThrow(
      "the matrix's",
    );
    expect(() => A.matvec([1, 2], new Float32Array(2) as never)).toThrow('out: expected { re, im }');
    const x = { re: Float32Array.of(1, 2), im: Float32Array.of(3, 4) };
    expect(() => A.matvec(x, { re: x.im, im: new Float32Array(2) })).toThrow('the operand');
  });
});

const GEOMETRIES = [
  { id: 'zeros, strides', options: { inputShape: [2, 5, 6], padding: 1, stride: [2, 1], groups: 2 } },
  { id: 'circular', options: { inputShape: [2, 4, 3], padding: 2, paddingMode: 'circular', groups: 2 } },
  {
    id: 'reflect, dilated',
    options: { inputShape: [2, 5, 5], padding: 2, paddingMode: 'reflect', dilation: 2, groups: 2 },
  },
  { id: 'replicate', options: { inputShape: [2, 3, 3], padding: 2, paddingMode: 'replicate', groups: 2 } },
] as const;

describe('matrices of convolutions', () => {
  test.each(of('convMatrix'))('$id', (given) => {
    const B = convMatrix(matrixOf(given, 'weight'), given.args);
    expectParts(B.toDense(), given, 'dense');
    expectParts(B.matvec(operandOf(given, 'x')), given, 'matvec');
    expectParts(B.rmatvec(operandOf(given, 'y')), given, 'rmatvec');
    expectParts(B.H.matvec(operandOf(given, 'y')), given, 'rmatvec');
    expectParts(B.toCSR().toDense(), given, 'dense');
    expectParts(B.T.T.toDense(), given, 'dense');
  });

  test.each(GEOMETRIES)('$id: formats, entries and products agree', ({ options }) => {
    // Taps of which no part, one part or both are zero.
    const of = (pattern: number[]) =>
      new Tensor(
        Float64Array.from({ length: 36 }, (_, i) => (pattern[i % 4] * ((i * 7) % 11)) / 4),
        [4, 1, 3, 3],
      );
    const weight = { re: of([1, 0, 1, 0]), im: of([1, 1, 0, 0]) };
    const B = convMatrix(weight, options);
    const [rows, cols] = B.shape;
    const { re, im } = B.toDense();
    const entry = (i: number, j: number) => ({ re: re.data[i * cols + j], im: im.data[i * cols + j] });
    const csr = B.toCSR();
    expect(csr.nnz).toBe(B.nnz);
    expect(B.nnz).toBeLessThan(convMatrix(of([1, 1, 1, 1]), options).nnz);
    expect(csr.toDense()).toEqual({ re, im });
    expect(B.toCOO().row.length).toBe(B.nnz);
    for (const row of [0, 1, Math.floor(rows / 2), rows - 1]) {
      const { indices, values } = B.row(row);
      expect(indices).toEqual(csr.indices.slice(csr.indptr[row], csr.indptr[row + 1]));
      indices.forEach((col, e) => {
        expect(B.at(row, col)).toEqual(entry(row, col));
        expect({ re: values.re[e], im: values.im[e] }).toEqual(entry(row, col));
      });
    }
    const parts = (t: Parts<{ data: Float64Array }>) => [plain(t.re.data), plain(t.im.data)];
    const X = { re: random([cols, 3], 'float64', 2), im: random([cols, 3], 'float64', 3) };
    const Y = { re: random([rows, 2], 'float64', 4), im: random([rows, 2], 'float64', 5) };
    const near = (found: Parts<{ data: Float64Array }>, expected: Parts<{ data: Float64Array }>) => {
      const wanted = parts(expected).flat();
      const got = parts(found).flat();
      expect(got.length).toBe(wanted.length);
      expect(Math.max(...got.map((value, i) => Math.abs(value - wanted[i])))).toBeLessThan(1e-12);
    };
    near(B.matmat(X), csr.matmat(X));
    near(B.rmatmat(Y), csr.H.matmat(Y));
    near(B.matmat(X.re), csr.matmat(X.re));
    near(B.rmatmat(Y.re), csr.H.matmat(Y.re));
    near(B.T.toDense(), csr.T.toDense());
    near(B.H.toDense(), csr.H.toDense());
    near(B.scale({ re: 2, im: -3 }).toDense(), csr.scale({ re: 2, im: -3 }).toDense());
    const d = { re: Float64Array.of(1, 2, 3, 4), im: Float64Array.of(0, -1, 1, 2) };
    const each = (part: Float64Array) =>
      Float64Array.from({ length: rows }, (_, i) => part[Math.floor((4 * i) / rows)]);
    near(B.scaleChannels(d).toDense(), csr.scaleRows({ re: each(d.re), im: each(d.im) }).toDense());
    expect(B.spy()).toContain('<svg');
  });
});
