/** Complex operators of operators, and what is solved with them. */
import {
  type ComplexLinearOperator,
  CsrMatrix,
  cg,
  cgAsync,
  convMatrix,
  dotTest,
  type LinearOperator,
  lsqr,
  lsqrAsync,
  operators,
  type PartsOf,
  spectralNorm,
  toeplitz,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { type Parts, plain } from '../support/complex';
import { random } from '../support/random';

type Any = LinearOperator | ComplexLinearOperator;
interface Complex {
  readonly re: number;
  readonly im: number;
}

const { add, asOperator, blockDiag, compose, diagonal, hstack, identity, restriction, scale, vstack } =
  operators;
const parts = (shape: number[], seed: number) => ({
  re: random(shape, 'float64', seed),
  im: random(shape, 'float64', seed + 100),
});
const isComplex = (A: Any): A is ComplexLinearOperator => 'isComplex' in A;

/** Column by column, as a list of rows. */
function denseOf(A: Any): Complex[][] {
  const [rows, cols] = A.shape;
  const dense: Complex[][] = Array.from({ length: rows }, () => []);
  for (let j = 0; j < cols; j++) {
    const unit = new Float64Array(cols);
    unit[j] = 1;
    const zero = new Float64Array(cols);
    const column: PartsOf<ArrayLike<number>> = isComplex(A)
      ? A.matvec({ re: unit, im: zero })
      : { re: A.matvec(unit), im: new Float64Array(rows) };
    for (let i = 0; i < rows; i++) dense[i].push({ re: column.re[i], im: column.im[i] });
  }
  return dense;
}

const sum = (a: Complex, b: Complex) => ({ re: a.re + b.re, im: a.im + b.im });
const product = (a: Complex, b: Complex) => ({
  re: a.re * b.re - a.im * b.im,
  im: a.re * b.im + a.im * b.re,
});
const ZERO = { re: 0, im: 0 };
const times = (a: Complex[][], b: Complex[][]) =>
  a.map((row) =>
    b[0].map((_, j) => row.reduce((total, value, k) => sum(total, product(value, b[k][j])), ZERO)),
  );
const transposed = (a: Complex[][]) => a[0].map((_, j) => a.map((row) => row[j]));
const conjugate = (a: Complex[][]) => a.map((row) => row.map(({ re, im }) => ({ re, im: -im })));

function expectNear(found: Complex[][], expected: Complex[][]) {
  expect([found.length, found[0].length]).toEqual([expected.length, expected[0].length]);
  found.forEach((row, i) => {
    row.forEach(({ re, im }, j) => {
      expect(Math.hypot(re - expected[i][j].re, im - expected[i][j].im)).toBeLessThan(1e-12);
    });
  });
}

/** One of each kind: 4 × 4 all. */
const own: ComplexLinearOperator = {
  shape: [4, 4],
  isComplex: true,
  matvec: ({ re, im }) => ({ re: im.map((v) => -2 * v), im: re.map((v) => 2 * v) }),
  rmatvec: ({ re, im }) => ({ re: im.map((v) => 2 * v), im: re.map((v) => -2 * v) }),
};
const OPERANDS: Record<string, Any> = {
  'a Toeplitz matrix': toeplitz(parts([4], 1)),
  'a CSR matrix': CsrMatrix.fromDense(parts([4, 4], 2)),
  'a convolution': convMatrix(parts([3], 3), { inputShape: [4], padding: 1 }),
  'a transposed convolution': convMatrix(parts([3], 4), { inputShape: [4], padding: 1 }).H,
  'a dense matrix': asOperator(parts([4, 4], 5)),
  'a diagonal matrix': diagonal(parts([4], 6)),
  "a user's own": own,
  'a real matrix': asOperator(random([4, 4], 'float64', 7)),
  'the identity': identity(4),
};
const complexes = Object.entries(OPERANDS).filter(([, A]) => isComplex(A));
const pairs = complexes.flatMap(([a]) => Object.keys(OPERANDS).map((b) => [a, b] as const));

describe('operators of complex operators', () => {
  test.each(pairs)('%s and %s', (a, b) => {
    const [A, B] = [OPERANDS[a], OPERANDS[b]];
    const [denseA, denseB] = [denseOf(A), denseOf(B)];
    const zeros = denseA.map((row) => row.map(() => ZERO));
    const all: [ComplexLinearOperator, Complex[][]][] = [
      [add(A, B), denseA.map((row, i) => row.map((value, j) => sum(value, denseB[i][j])))],
      [compose(A, B), times(denseA, denseB)],
      [compose(B, A), times(denseB, denseA)],
      [vstack(A, B), [...denseA, ...denseB]],
      [hstack(B, A), denseB.map((row, i) => [...row, ...denseA[i]])],
      [
        blockDiag(B, A),
        [...denseB.map((row, i) => [...row, ...zeros[i]]), ...denseA.map((row, i) => [...zeros[i], ...row])],
      ],
      [
        scale({ re: 2, im: -3 }, B),
        denseB.map((row) => row.map((value) => product(value, { re: 2, im: -3 }))),
      ],
      [compose(restriction(4, [3, 0]), A), [denseA[3], denseA[0]]],
    ];
    for (const [operator, expected] of all) {
      expectNear(denseOf(operator), expected);
      const { T, H } = asOperator(operator);
      expectNear(denseOf(T), transposed(expected));
      expectNear(denseOf(H), conjugate(transposed(expected)));
      expectNear(denseOf(T.T), expected);
      expect(dotTest(operator)).toBeLessThan(1e-13);
      expect(dotTest(T)).toBeLessThan(1e-13);
      expect(dotTest(H)).toBeLessThan(1e-13);
    }
  });

  test('a scale by a real number, and of a real vector', () => {
    for (const [, A] of complexes) {
      expectNear(
        denseOf(scale(2, A)),
        denseOf(A).map((row) => row.map((value) => product(value, { re: 2, im: 0 }))),
      );
      const operator = asOperator(A as ComplexLinearOperator);
      const x = random([4], 'float64', 9).data as Float64Array;
      const complexX = { re: x, im: new Float64Array(4) };
      expect(plain(operator.matvec(x).re)).toEqual(plain(operator.matvec(complexX).re));
      expect(plain(operator.rmatvec(x).im)).toEqual(plain(operator.rmatvec(complexX).im));
      const out = { re: new Float64Array(4), im: new Float64Array(4) };
      expect(operator.rmatvec(x, out).im).toBe(out.im);
    }
  });

  test('float32 stays float32', () => {
    const A = CsrMatrix.fromDense({ re: [[1, 2]], im: [[3, 4]] });
    expect(compose(A, scale({ re: 0, im: 1 }, identity(2, { dtype: 'float32' }))).matvec([1, 1])).toEqual({
      re: Float32Array.of(-7),
      im: Float32Array.of(3),
    });
    expect(vstack(A, A).dtype).toBe('float32');
    expect(add(A, asOperator({ re: [[1, 1]], im: [[0, 0]] })).dtype).toBe('float32');
  });

  test('an adjoint that is only a transpose fails the test', () => {
    const wrong = { ...own, rmatvec: own.matvec };
    expect(dotTest(wrong)).toBeGreaterThan(0.1);
    // Conjugating commutes with real products alone, whose parts the real part of an inner product does not tell apart.
    const conjugating: ComplexLinearOperator = {
      ...own,
      matvec: ({ re, im }) => ({ re, im: im.map((v) => -v) }),
      rmatvec: ({ re, im }) => ({ re, im: im.map((v) => -v) }),
    };
    expect(dotTest(conjugating)).toBeGreaterThan(0.1);
  });

  test('shapes are named as the caller has them', () => {
    const A = toeplitz(parts([4], 1));
    expect(() => add(A, identity(3))).toThrow('A[1]: expected 4 rows, as A[0] has, got shape [3, 3]');
    expect(() => compose(A, identity(3))).toThrow('A[1]: expected 4 rows');
    expect(() => scale({ re: 1, im: 'i' as never }, A)).toThrow('alpha.im');
    expect(() => diagonal({ re: [1], im: [1, 2] })).toThrow('d.im: expected 1 elements, as d.re');
  });
});

describe('complex systems', () => {
  const times2 = (A: ComplexLinearOperator, x: Parts<Float64Array>) => A.matvec(x) as Parts<Float64Array>;
  const error = (found: Parts<ArrayLike<number>>, exact: Parts<ArrayLike<number>>) =>
    Math.max(
      ...(['re', 'im'] as const).flatMap((part) =>
        Array.from(found[part], (v, i) => Math.abs(v - exact[part][i])),
      ),
    );
  const x = { re: Float64Array.of(1, -2, 0.5, 3), im: Float64Array.of(0, 1, -1, 2) };

  test.each(complexes)('lsqr with %s', async (_, A) => {
    if (!isComplex(A)) throw new Error('expected a complex operator');
    const b = times2(A, x);
    const { x: found, converged } = lsqr(A, b, { tolerance: 1e-14 });
    expect(converged).toBe(true);
    expect(error(found, x)).toBeLessThan(1e-8);
    expect((await lsqrAsync(A, b, { tolerance: 1e-14 })).x).toEqual(found);
  });

  test('least squares satisfy the normal equations, with damping and a start', () => {
    const A = CsrMatrix.fromDense(parts([7, 4], 11));
    const b = {
      re: random([7], 'float64', 12).data as Float64Array,
      im: random([7], 'float64', 13).data as Float64Array,
    };
    for (const options of [{}, { damp: 0.5 }, { damp: 0.5, x0: x }, { x0: [1, 2, 3, 4] }]) {
      const found = lsqr(A, b, { tolerance: 1e-14, ...options }).x;
      const Ax = A.matvec(found);
      const r = { re: Ax.re.map((v, i) => b.re[i] - v), im: Ax.im.map((v, i) => b.im[i] - v) };
      const gradient = A.rmatvec(r);
      const shift = (options.damp ?? 0) ** 2;
      const expected = { re: found.re.map((v) => shift * v), im: found.im.map((v) => shift * v) };
      expect(error(gradient, expected)).toBeLessThan(1e-10);
    }
  });

  test('cg solves Hermitian systems', async () => {
    const A = CsrMatrix.fromDense(parts([4, 4], 14));
    const gram = add(compose(A.H, A), identity(4));
    const b = times2(gram, x);
    const seen: number[] = [];
    const onIteration = (_: number, residualNorm: number, iterate: PartsOf<ArrayLike<number>>) => {
      expect(iterate.im.length).toBe(4);
      seen.push(residualNorm);
    };
    const { x: found, converged, iterations } = cg(gram, b, { tolerance: 1e-13, onIteration });
    expect(converged).toBe(true);
    // In exact arithmetic as many as there are unknowns: complex ones count once.
    expect(iterations).toBeLessThanOrEqual(5);
    expect(seen.length).toBe(iterations);
    expect(error(found, x)).toBeLessThan(1e-9);
    expect((await cgAsync(gram, b, { tolerance: 1e-13 })).x).toEqual(found);
    expect(cg(gram, b, { onIteration: () => false }).iterations).toBe(1);
  });

  test('a real matrix with a complex right-hand side', () => {
    const A = toeplitz(Float64Array.of(4, 1, 0, 0));
    const b = { re: A.matvec(x.re), im: A.matvec(x.im) };
    expect(error(lsqr(A, b).x, x)).toBeLessThan(1e-6);
    expect(error(cg(A, b).x, x)).toBeLessThan(1e-6);
  });

  test('a float32 matrix, in float32', () => {
    const A = toeplitz({ re: [4, 1, 0], im: [0, 1, 0] });
    const b = A.matvec({ re: [1, 2, 3], im: [3, 2, 1] });
    const { x: found } = lsqr(A, b, { dtype: 'float32', tolerance: 1e-6 });
    expect(error(found, { re: Float64Array.of(1, 2, 3), im: Float64Array.of(3, 2, 1) })).toBeLessThan(1e-5);
  });

  test('the spectral norm', () => {
    expect(spectralNorm(diagonal({ re: [3, 0], im: [4, 1] }))).toBeCloseTo(5, 5);
    const A = convMatrix(parts([3], 15), { inputShape: [8], padding: 1, paddingMode: 'circular' });
    // A circulant matrix: the largest size of its eigenvalues.
    const sizes = Array.from({ length: 8 }, (_, k) => {
      const [re, im] = [0, 0];
      return A.row(1).indices.reduce(
        (total, col, e) => {
          const [c, s] = [Math.cos((2 * Math.PI * k * col) / 8), Math.sin((2 * Math.PI * k * col) / 8)];
          const value = { re: A.row(1).values.re[e], im: A.row(1).values.im[e] };
          return sum(total, product(value, { re: c, im: s }));
        },
        { re, im },
      );
    }).map(({ re, im }) => Math.hypot(re, im));
    expect(spectralNorm(A)).toBeCloseTo(Math.max(...sizes), 5);
  });

  test('what a user returns is checked', () => {
    const wrong = { ...own, matvec: () => ({ re: new Float64Array(4), im: new Float64Array(3) }) };
    expect(() => lsqr(wrong, x)).toThrow('A.matvec(x).im: expected 4 elements');
    const real = { ...own, matvec: () => new Float64Array(4) };
    expect(() => lsqr(real as never, x)).toThrow('A.matvec(x): expected a complex vector { re, im }');
    expect(() => lsqr(own, { re: [1, 2, 3, 4], im: [1] })).toThrow('b.im: expected 4 elements');
  });
});
