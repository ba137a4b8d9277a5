import { circulant, convolutionMatrix, hankel, toeplitz } from 'convmat';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { type GoldenCase, golden } from '../support/golden';
import { random } from '../support/random';
import { type Float, sums } from '../support/tolerance';

// hankel has no solve, and no case of it asks for one.
const BUILD = { toeplitz, circulant, hankel } as unknown as Record<string, typeof toeplitz>;
const cases = golden('scipy_matrix').cases;
const matrices = cases.filter(({ call }) => call in BUILD);
const wrap = (data: ArrayLike<number>) => ({ data, shape: [data.length] });

function build({ call, tensors }: GoldenCase) {
  return BUILD[call](tensors.c, tensors.r);
}

describe('golden data of SciPy', () => {
  test.each(matrices.filter(({ expected }) => 'dense' in expected))('$id', (given) => {
    const { tensors, expected, plain } = given;
    const A = build(given);
    const { dense, matvec, rmatvec } = expected;
    const [rows, cols] = dense.shape;
    expect(A.shape).toEqual([rows, cols]);
    expect(A.toDense().shape).toEqual(dense.shape);
    expect(A.toDense().data).toEqual(dense.data);

    const dtype = dense.dtype as Float;
    const magnitude = (x: ArrayLike<number>, transposed: boolean) =>
      Float64Array.from({ length: transposed ? cols : rows }, (_, i) => {
        let sum = 0;
        for (let j = 0; j < x.length; j++)
          sum += Math.abs(dense.data[transposed ? j * cols + i : i * cols + j] * x[j]);
        return sum;
      });
    expectWithin(
      wrap(A.matvec(tensors.x)),
      matvec,
      wrap(magnitude(tensors.x.data, false)),
      sums(cols, dtype),
    );
    expectWithin(
      wrap(A.rmatvec(tensors.y)),
      rmatvec,
      wrap(magnitude(tensors.y.data, true)),
      sums(rows, dtype),
    );
    if (expected.solution) {
      // Forward errors are bounded by the condition number times those of a backward stable method.
      const largest = Math.max(...Array.from(expected.solution.data, Math.abs));
      const bound = { factor: sums(cols, dtype).factor * plain.condition, scale: 'largest' as const };
      expectWithin(wrap(A.solve(tensors.b)), expected.solution, wrap([largest]), bound);
    }
  });

  test.each(matrices.filter(({ plain }) => plain.error))('$id', (given) => {
    expect(() => build(given).solve(given.tensors.b)).toThrow(
      expect.objectContaining({
        name: 'SingularError',
        code: 'ERR_CONVMAT_SINGULAR',
        message: expect.stringMatching(/got a relative residual of [\d.e+-]+$/),
      }),
    );
  });

  test.each(cases.filter(({ call }) => call === 'convolutionMatrix'))(
    '$id',
    ({ tensors, args, expected }) => {
      const A = convolutionMatrix(tensors.a, args.n, args.mode);
      expect(A.shape).toEqual(expected.dense.shape);
      expect(A.data).toEqual(expected.dense.data);
      if (args.mode === 'full') expect(convolutionMatrix(tensors.a, args.n)).toEqual(A);
    },
  );
});

// Around the size from which products go by transform, and around its blocks.
const SHAPES = [
  [95, 95],
  [96, 96],
  [97, 300],
  [96, 1025],
  [300, 97],
  [1000, 128],
  [513, 511],
] as const;

describe.each(['float32', 'float64'] as const)('large products in %s', (dtype) => {
  test.each(SHAPES)('%i by %i', (rows, cols) => {
    const c = random([rows], dtype, 1).data;
    const r = random([cols], dtype, 2).data;
    r[0] = c[0];
    const corner = r.slice();
    corner[0] = c[rows - 1];
    for (const A of [toeplitz(c, r), hankel(c, corner), ...(rows === cols ? [circulant(c)] : [])]) {
      const dense = A.toDense().data;
      const x = random([cols], dtype, 3).data;
      const y = random([rows], dtype, 4).data;
      const exact = (length: number, at: (i: number, j: number) => number, v: ArrayLike<number>) =>
        Float64Array.from({ length }, (_, i) => {
          let sum = 0;
          for (let j = 0; j < v.length; j++) sum += at(i, j) * v[j];
          return sum;
        });
      // A transform's errors are relative to the norms: ‖row‖‖x‖ ≤ the length, for elements below 1 in size.
      const bound = {
        factor: sums(4 * Math.ceil(Math.log2(rows + cols)), dtype).factor,
        scale: 'largest' as const,
      };
      const size = wrap([Math.max(rows, cols)]);
      expectWithin(wrap(A.matvec(x)), wrap(exact(rows, (i, j) => dense[i * cols + j], x)), size, bound);
      expectWithin(wrap(A.rmatvec(y)), wrap(exact(cols, (i, j) => dense[j * cols + i], y)), size, bound);
    }
  });

  test('NaN and infinity stay where the sum by definition puts them', () => {
    const c = new Float64Array(200).fill(0);
    c[0] = 1;
    const x = random([200], 'float64', 5).data as Float64Array;
    x[70] = Infinity;
    const y = toeplitz(c, new Float64Array(200).fill(0).with(0, 1)).matvec(x);
    expect(y[70]).toBe(Infinity);
    expect(y[199]).toBeNaN();
    expect(toeplitz(Float64Array.of(1, Infinity), Float64Array.of(1, 0)).matvec([1, 1])).toEqual(
      Float64Array.of(1, Infinity),
    );
  });
});

describe('systems', () => {
  test.each([50, 257, 1000])('Toeplitz and circulant systems of %i', (n) => {
    const c = random([n], 'float64', 6).data;
    c[0] = n / 4;
    for (const A of [toeplitz(c), circulant(c)]) {
      const x = random([n], 'float64', 7).data;
      const found = A.solve(A.matvec(x));
      const error = Math.max(...Array.from(found, (value, i) => Math.abs(value - x[i])));
      expect(error).toBeLessThan(1e-11);
    }
  });

  test('a solution has the dtype of the matrix, b may have the other', () => {
    const A = toeplitz(Float32Array.of(2, 1));
    expect(A.solve(Float64Array.of(3, 3))).toEqual(Float32Array.of(1, 1));
    expect(circulant([2, 1]).solve([3, 3])).toEqual(Float32Array.of(1, 1));
  });

  test('what is not a number is never passed off as a solution', () => {
    for (const A of [
      toeplitz(Float64Array.of(Number.NaN, 1)),
      circulant(Float64Array.of(1, Number.NaN)),
      toeplitz(Float64Array.of(1, Infinity)),
    ]) {
      expect(() => A.solve(Float64Array.of(1, 2))).toThrow(
        expect.objectContaining({ code: 'ERR_CONVMAT_SINGULAR' }),
      );
    }
    expect(() => toeplitz(Float64Array.of(2, 1)).solve(Float64Array.of(1, Number.NaN))).toThrow(
      expect.objectContaining({ code: 'ERR_CONVMAT_SINGULAR' }),
    );
  });
});

describe('least squares with a singular circulant matrix', () => {
  test('is what SciPy gives', () => {
    const b = Float64Array.of(1, 2, 4, 8);
    // scipy.linalg.solve_circulant(c, b, singular='lstsq'), SciPy 1.10.1.
    const ones = circulant(Float64Array.of(1, 1, 1, 1)).solve(b, { singular: 'lstsq' });
    const pairs = circulant(Float64Array.of(1, 1, 0, 0)).solve(b, { singular: 'lstsq' });
    const close = (x: Float64Array, y: number[]) =>
      y.forEach((value, i) => {
        expect(Math.abs(x[i] - value)).toBeLessThanOrEqual(2 ** -48);
      });
    close(ones, [0.9375, 0.9375, 0.9375, 0.9375]);
    close(pairs, [-0.375, 1.125, 4.125, 2.625]);
  });

  test('leaves a residual that no column sees, and has no part that the matrix does not see', () => {
    const c = Float64Array.from({ length: 12 }, (_, i) => Number(i < 3));
    const A = circulant(c);
    const b = random([12], 'float64', 3).data;
    const x = A.solve(b, { singular: 'lstsq' });
    const residual = A.matvec(x).map((value, i) => b[i] - value);
    for (const value of A.rmatvec(residual)) expect(Math.abs(value)).toBeLessThan(1e-13);
    // Frequency 4 of 12 is where three ones in a row vanish.
    for (const turn of [Math.cos, Math.sin]) {
      const unseen = x.reduce((sum, value, i) => sum + value * turn((2 * Math.PI * 4 * i) / 12), 0);
      expect(Math.abs(unseen)).toBeLessThan(1e-13);
    }
  });

  test('is for circulant matrices alone, and changes nothing for regular ones', () => {
    const options = { singular: 'lstsq' } as const;
    expect(circulant([2, 1]).solve([3, 3], options)).toEqual(Float32Array.of(1, 1));
    expect(() => toeplitz([2, 1]).solve([3, 3], options)).toThrow(
      /^options\.singular: expected 'raise', but for circulant/,
    );
    expect(() => circulant([2, 1]).solve([3, 3], { singular: 'no' as never })).toThrow(
      /^options\.singular: expected one of/,
    );
  });
});

describe('arguments', () => {
  test.each<[string, () => unknown, string, string]>([
    [
      'r against c',
      () => toeplitz([1, 2], [3, 4]),
      'ERR_CONVMAT_ARGUMENT',
      "r: expected a first entry equal to c's first entry (1), got 3",
    ],
    [
      'r against c, Hankel',
      () => hankel([1, 2], [1, 4]),
      'ERR_CONVMAT_ARGUMENT',
      "r: expected a first entry equal to c's last entry (2), got 1",
    ],
    [
      'an empty column',
      () => toeplitz([]),
      'ERR_CONVMAT_SHAPE',
      'c: expected at least one element, got none',
    ],
    [
      'an empty row',
      () => hankel([1], []),
      'ERR_CONVMAT_SHAPE',
      'r: expected at least one element, got none',
    ],
    [
      'integers',
      () => circulant(Int32Array.of(1, 2)),
      'ERR_CONVMAT_DTYPE',
      'c: expected float32 or float64, got int32',
    ],
    [
      'mixed dtypes',
      () => toeplitz(Float32Array.of(1), Float64Array.of(1)),
      'ERR_CONVMAT_DTYPE',
      'r: expected float32, as c, got float64',
    ],
    [
      'n of 0',
      () => convolutionMatrix([1, 2], 0),
      'ERR_CONVMAT_ARGUMENT',
      'n: expected an integer ≥ 1, got 0',
    ],
    [
      'n that is none',
      () => convolutionMatrix([1, 2], 1.5),
      'ERR_CONVMAT_ARGUMENT',
      'n: expected an integer ≥ 1, got 1.5',
    ],
    [
      'an unknown mode',
      () => convolutionMatrix([1, 2], 3, 'half' as never),
      'ERR_CONVMAT_ARGUMENT',
      "mode: expected one of 'full', 'same', 'valid'",
    ],
    ['an empty a', () => convolutionMatrix([], 3), 'ERR_CONVMAT_SHAPE', 'a: expected at least one element'],
    [
      'a system that is not square',
      () => toeplitz([1, 2, 3], [1, 0]).solve([1, 2, 3]),
      'ERR_CONVMAT_SHAPE',
      'solve: expected a square matrix, got 3 × 2',
    ],
    [
      'a right-hand side too short',
      () => toeplitz([1, 2]).solve([1]),
      'ERR_CONVMAT_SHAPE',
      'b: expected 2 elements, got 1 elements',
    ],
    [
      'a vector too long',
      () => hankel([1, 2]).matvec([1, 2, 3]),
      'ERR_CONVMAT_SHAPE',
      'x: expected 2 elements, got 3 elements',
    ],
    [
      'a dense form past maxBytes',
      () => toeplitz([1, 2]).toDense({ maxBytes: 8 }),
      'ERR_CONVMAT_MEMORY',
      'toDense',
    ],
    [
      'a convolution matrix past 2^31 elements',
      () => convolutionMatrix(new Float32Array(65536), 65536),
      'ERR_CONVMAT_MEMORY',
      'result',
    ],
  ])('%s', (_, call, code, message) => {
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  test('out receives the result and is returned', () => {
    const out = new Float32Array(2);
    expect(toeplitz([1, 2, 3], [1, 4]).rmatvec([1, 1, 1], out)).toBe(out);
    expect(out).toEqual(Float32Array.of(6, 7));
  });
});
