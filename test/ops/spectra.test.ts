import {
  CsrMatrix,
  circulant,
  convMatrix,
  convSingularValues,
  dotTest,
  type LinearOperator,
  spectralNorm,
  tensor,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { golden } from '../support/golden';
import { random } from '../support/random';

/** Eigenvalues of a symmetric matrix, by cyclic Jacobi: another way to singular values, through AᵀA. */
function eigenvalues(a: number[][]): number[] {
  const n = a.length;
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue;
        const angle = Math.atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let k = 0; k < n; k++)
          [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
        for (let k = 0; k < n; k++)
          [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
      }
    }
  }
  return a.map((row, i) => row[i]).sort((x, y) => y - x);
}

/** Singular values of an operator, descending; as many as its smaller side. */
function singularValues(A: LinearOperator): number[] {
  const [rows, cols] = A.shape;
  const columns = Array.from({ length: cols }, (_, j) =>
    Float64Array.from(A.matvec(new Float64Array(cols).fill(0).with(j, 1))),
  );
  const gram = columns.map((c) => columns.map((d) => c.reduce((sum, value, k) => sum + value * d[k], 0)));
  return eigenvalues(gram)
    .slice(0, Math.min(rows, cols))
    .map((value) => Math.sqrt(Math.max(value, 0)));
}

/** The convolution whose singular values convSingularValues gives: circular, stride 1, as many outputs as inputs. */
function circular(weight: ReturnType<typeof random>, spatial: readonly number[]) {
  const kernel = weight.shape.slice(-spatial.length);
  const padding = kernel.map((k) => [Math.floor((k - 1) / 2), Math.ceil((k - 1) / 2)] as const);
  const channels = weight.shape.length === spatial.length ? 1 : weight.shape[1];
  return convMatrix(weight, { inputShape: [channels, ...spatial], padding, paddingMode: 'circular' });
}

describe('convSingularValues', () => {
  test.each<[string, number[], number[]]>([
    ['one channel', [3, 3], [5, 6]],
    ['even sizes, where frequencies are their own mirrors', [2, 2], [4, 4]],
    ['odd sizes', [3, 2], [5, 3]],
    ['1-D', [2, 3, 3], [8]],
    ['1-D, plain', [4], [9]],
    ['more outputs', [4, 2, 3, 3], [4, 5]],
    ['more inputs', [2, 4, 3, 3], [4, 5]],
    ['as many', [3, 3, 3, 2], [3, 4]],
    ['3-D', [2, 2, 2, 2, 3], [2, 3, 3]],
    ['a pixel', [3, 5, 1, 1], [2, 2]],
  ])('%s, as through AᵀA', (_, shape, spatial) => {
    const weight = random(shape, 'float64', 1);
    const found = convSingularValues(weight, spatial);
    const expected = singularValues(circular(weight, spatial));
    expect(found.length).toBe(expected.length);
    for (let i = 1; i < found.length; i++) expect(found[i]).toBeLessThanOrEqual(found[i - 1]);
    // The square root of an eigenvalue near zero is good to the root of its error only.
    for (const [i, value] of expected.entries()) {
      expect(Math.abs(found[i] ** 2 - value ** 2)).toBeLessThan(1e-12 * expected[0] ** 2);
    }
  });

  test('a kernel wider than the input wraps around', () => {
    const wide = convSingularValues(Float64Array.of(1, 2, 3, 4, 5), [3]);
    const folded = convSingularValues(Float64Array.of(1 + 4, 2 + 5, 3), [3]);
    for (const [i, value] of wide.entries()) expect(value).toBeCloseTo(folded[i], 13);
  });

  test('small values are accurate, too: no square is taken', () => {
    const tiny = 2 ** -30;
    const weight = tensor(Float64Array.of(1, 1, 1, 1 + tiny), [2, 2, 1]);
    const [large, small] = convSingularValues(weight, [1]);
    // Their product is the determinant; through AᵀA the smaller one would be lost altogether.
    expect(Math.abs((large * small) / tiny - 1)).toBeLessThan(1e-6);
  });

  test.each(golden('numpy_spectra').cases)("$id, as LAPACK's", ({ tensors, args, expected }) => {
    const values = convSingularValues(tensors.weight, args.inputSpatial);
    expect(values.length).toBe(expected.values.data.length);
    for (const [i, value] of values.entries()) {
      expect(Math.abs(value - expected.values.data[i])).toBeLessThan(1e-14 * expected.values.data[0]);
    }
  });

  test.each([-1040, -566, 530, 1010])('scales by 2^%i with the weights, digit by digit', (exponent) => {
    const weight = random([3, 4, 2, 2], 'float64', 5);
    const scale = (value: number) => value * 2 ** (exponent / 2) * 2 ** (exponent / 2);
    // Few digits, which the range near zero holds, too.
    const few = weight.data.map((value) => Math.round(value * 16) / 16);
    const values = convSingularValues(tensor(few, weight.shape), [3, 4]);
    const scaled = convSingularValues(tensor(few.map(scale), weight.shape), [3, 4]);
    expect(Array.from(scaled)).toEqual(Array.from(values, scale));
  });

  test('values far apart: the small one of a diagonal does not vanish', () => {
    const weight = tensor(Float64Array.of(1, 0, 0, 1e-200), [2, 2, 1]);
    const [large, small] = convSingularValues(weight, [1]);
    expect(large).toBe(1);
    expect(small).toBe(1e-200);
  });

  test.each([Number.NaN, Infinity, -Infinity])('%d among the weights gives NaN, and ends', (value) => {
    const weight = random([3, 3, 2, 2], 'float64', 6);
    weight.data[7] = value;
    const values = convSingularValues(weight, [4, 4]);
    expect(values.length).toBe(48);
    expect(values.every(Number.isNaN)).toBe(true);
  });

  test('zeros, no channels, one entry', () => {
    expect(convSingularValues(new Float64Array(9), [9])).toEqual(new Float64Array(9));
    expect(convSingularValues(tensor(new Float64Array(36), [2, 2, 3, 3]), [2, 3])).toEqual(
      new Float64Array(12),
    );
    expect(convSingularValues(tensor(new Float64Array(0), [0, 2, 3]), [4])).toEqual(new Float64Array(0));
    expect(convSingularValues(Float64Array.of(-3), [1])).toEqual(Float64Array.of(3));
  });

  test('channels of a real layer', () => {
    const weight = random([32, 32, 3, 3], 'float64', 2);
    const values = convSingularValues(weight, [8, 8]);
    expect(values.length).toBe(64 * 32);
    // ‖A‖_F², from the weights and from the values.
    const squares = Array.from(weight.data).reduce((sum, w) => sum + w * w, 0) * 64;
    expect(values.reduce((sum, s) => sum + s * s, 0) / squares).toBeCloseTo(1, 12);
    expect(
      Math.abs(spectralNorm(circular(weight, [8, 8]), { tolerance: 1e-4 }) / values[0] - 1),
    ).toBeLessThan(1e-3);
  });
});

describe('spectralNorm', () => {
  test.each([1, 2, 3])('is the largest singular value, from seed %i', (seed) => {
    const A = convMatrix(random([2, 3, 3, 2], 'float64', 3), { inputShape: [3, 4, 5], stride: [1, 2] });
    const [largest] = singularValues(A);
    expect(Math.abs(spectralNorm(A, { seed }) / largest - 1)).toBeLessThan(1e-5);
    expect(Math.abs(spectralNorm(A, { seed, tolerance: 1e-12 }) / largest - 1)).toBeLessThan(1e-9);
    expect(spectralNorm(A, { seed })).toBe(spectralNorm(A, { seed }));
  });

  test('of zeros, of nothing, of an identity', () => {
    expect(spectralNorm(convMatrix(new Float64Array(3), { inputShape: [9] }))).toBe(0);
    expect(
      spectralNorm(new CsrMatrix([2, 0], new Int32Array(3), new Int32Array(0), new Float64Array(0))),
    ).toBe(0);
    expect(spectralNorm(circulant(Float64Array.of(1, 0, 0, 0)))).toBeCloseTo(1, 14);
  });

  test.each([1e-170, 1e160])('at the scale %d', (scale) => {
    const A = circulant(Float64Array.of(1, 0.5, 0, 0.25).map((value) => value * scale));
    expect(Math.abs(spectralNorm(A) / (1.75 * scale) - 1)).toBeLessThan(1e-5);
  });

  test('stops at maxIterations', () => {
    let products = 0;
    const A = circulant(Float64Array.of(1, 0.5, 0, 0.25));
    const counted = {
      shape: A.shape,
      matvec: (x: Float64Array) => A.matvec(x),
      rmatvec: (y: Float64Array) => {
        products++;
        return A.rmatvec(y);
      },
    };
    spectralNorm(counted as LinearOperator, { maxIterations: 3, tolerance: 0 });
    expect(products).toBe(3);
  });
});

describe('dotTest', () => {
  test.each(['float32', 'float64'] as const)('is small for a right pair in %s, at any size', (dtype) => {
    for (const size of [1, 10, 200]) {
      const A = convMatrix(random([2, 2, 3, 3], dtype, 4), {
        inputShape: [2, size + 2, size + 2],
        padding: 1,
        paddingMode: 'reflect',
      });
      for (const operator of [A, A.T, A.toCSR()])
        expect(dotTest(operator, { trials: 4 })).toBeLessThan(dtype === 'float32' ? 1e-5 : 1e-13);
    }
  });

  test('is near 1 for a wrong one', () => {
    const A = convMatrix(random([3, 3], 'float64', 5), { inputShape: [60, 60] });
    const B = convMatrix(random([3, 3], 'float64', 6), { inputShape: [60, 60] });
    expect(
      dotTest({ shape: A.shape, matvec: (x) => A.matvec(x), rmatvec: (y) => B.rmatvec(y) }),
    ).toBeGreaterThan(0.5);
  });

  test('is seeded', () => {
    const A = convMatrix(random([3, 3]), { inputShape: [9, 9] });
    expect(dotTest(A, { seed: 7 })).toBe(dotTest(A, { seed: 7 }));
    expect(dotTest(A, { seed: 7, trials: 1 })).toBeLessThanOrEqual(dotTest(A, { seed: 7, trials: 5 }));
  });
});

describe('arguments', () => {
  test.each<[string, () => unknown, string, string]>([
    [
      'ranks that disagree',
      () => convSingularValues([[1, 2]], [3]),
      'ERR_CONVMAT_SHAPE',
      'weight: expected [O, I, kernel…] or [kernel…] with 1 spatial axes',
    ],
    ['an empty input', () => convSingularValues([1], [0]), 'ERR_CONVMAT_ARGUMENT', 'inputSpatial[0]'],
    [
      'no input',
      () => convSingularValues([1], []),
      'ERR_CONVMAT_SHAPE',
      'inputSpatial: expected 1 to 3 spatial sizes',
    ],
    ['integers', () => convSingularValues(new Int8Array(3), [5]), 'ERR_CONVMAT_DTYPE', 'weight'],
    ['no operator', () => spectralNorm([] as never), 'ERR_CONVMAT_ARGUMENT', 'A: expected an operator'],
    ['a bad seed', () => dotTest(circulant([1]), { seed: -1 }), 'ERR_CONVMAT_ARGUMENT', 'options.seed'],
    [
      'no trials',
      () => dotTest(circulant([1]), { trials: 0 }),
      'ERR_CONVMAT_ARGUMENT',
      'options.trials: expected an integer ≥ 1, got 0',
    ],
  ])('%s', (_, call, code, message) => {
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});
