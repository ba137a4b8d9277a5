import {
  CsrMatrix,
  cg,
  cgAsync,
  convMatrix,
  type LinearOperator,
  lsqr,
  lsqrAsync,
  operators,
  toeplitz,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { random } from '../support/random';

function norm(v: ArrayLike<number>): number {
  return Math.sqrt(Array.from(v).reduce((sum, value) => sum + value * value, 0));
}
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return norm(Array.from(a, (value, i) => value - b[i]));
}

/** Solves (AᵀA + λ²I)·x = Aᵀb by elimination with pivots: the least squares solution, by another way. */
function normalEquations(A: LinearOperator, b: Float64Array, damp = 0): Float64Array {
  const n = A.shape[1];
  const columns = Array.from({ length: n }, (_, j) =>
    Float64Array.from(A.matvec(new Float64Array(n).fill(0).with(j, 1))),
  );
  const rows = columns.map((c, i) => [
    ...columns.map(
      (d, j) => c.reduce((sum, value, k) => sum + value * d[k], 0) + (i === j ? damp * damp : 0),
    ),
    c.reduce((sum, value, k) => sum + value * b[k], 0),
  ]);
  for (let k = 0; k < n; k++) {
    const pivot = rows.findIndex(
      (row, i) => i >= k && Math.abs(row[k]) === Math.max(...rows.slice(k).map((r) => Math.abs(r[k]))),
    );
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (const row of rows) {
      if (row === rows[k]) continue;
      const factor = row[k] / rows[k][k];
      row.forEach((_, j) => {
        row[j] -= factor * rows[k][j];
      });
    }
  }
  return Float64Array.from(rows, (row, k) => row[n] / row[k]);
}

const blur = convMatrix(random([3, 3], 'float64', 1), { inputShape: [6, 7], padding: 2 });
/** Symmetric and positive definite: Toeplitz with a diagonal that outweighs the rest. */
const definite = toeplitz(Float64Array.of(4, -1, 0.5, 0.25, 0, 0, 0, 0.125));

describe('lsqr', () => {
  test.each([0, 0.5])('least squares with damping %d, as by the normal equations', (damp) => {
    const b = random([blur.shape[0]], 'float64', 2).data as Float64Array;
    const { x, converged, residualNorm, iterations } = lsqr(blur, b, {
      damp,
      tolerance: 1e-12,
      maxIterations: 500,
    });
    expect(converged).toBe(true);
    expect(iterations).toBeGreaterThan(1);
    const expected = normalEquations(blur, b, damp);
    expect(difference(x, expected)).toBeLessThan(1e-8 * norm(expected));
    expect(residualNorm).toBeCloseTo(difference(blur.matvec(x), b), 10);
  });

  test('a consistent system is solved, the shortest solution taken where there are many', () => {
    const wide = convMatrix(random([4], 'float64', 3), { inputShape: [30] });
    const known = wide.rmatvec(random([27], 'float64', 4));
    const { x, residualNorm } = lsqr(wide, wide.matvec(known), { tolerance: 1e-13 });
    expect(difference(x, known)).toBeLessThan(1e-8 * norm(known));
    expect(residualNorm).toBeLessThan(1e-9);
  });

  test('from x0, to the same solution', () => {
    const x0 = random([42], 'float64', 5).data;
    const known = random([42], 'float64', 6).data;
    const { x } = lsqr(blur, blur.matvec(known), { x0, tolerance: 1e-13, maxIterations: 500 });
    expect(difference(x, known)).toBeLessThan(1e-7);
    const there = lsqr(blur, blur.matvec(known), { x0: known });
    expect(there.iterations).toBe(0);
    expect(there.converged).toBe(true);
    expect(there.x).not.toBe(known);
  });

  test('stops at maxIterations, and says so', () => {
    const b = random([blur.shape[0]], 'float64', 7).data;
    const steps: [number, number][] = [];
    const { converged, iterations, residualNorm } = lsqr(blur, b, {
      maxIterations: 3,
      onIteration: (iteration, residual) => {
        steps.push([iteration, residual]);
      },
    });
    expect([converged, iterations]).toEqual([false, 3]);
    expect(steps.map(([iteration]) => iteration)).toEqual([1, 2, 3]);
    expect(steps[2][1]).toBeLessThanOrEqual(steps[0][1]);
    expect(steps[2][1]).toBeCloseTo(residualNorm, 10);
  });

  test('zeros, and matrices of nothing', () => {
    expect(lsqr(blur, new Float64Array(blur.shape[0]))).toMatchObject({
      iterations: 0,
      residualNorm: 0,
      converged: true,
    });
    const none = new CsrMatrix([2, 0], new Int32Array(3), new Int32Array(0), new Float64Array(0));
    expect(lsqr(none, [3, 4])).toEqual({
      x: new Float64Array(0),
      iterations: 0,
      residualNorm: 5,
      converged: true,
    });
  });

  test("takes a user's own operator, float32 or float64", () => {
    const own: LinearOperator = {
      shape: [2, 2],
      matvec: (x) => Float32Array.of(2 * (x as Float64Array)[0], 4 * (x as Float64Array)[1]),
      rmatvec: (y) => Float32Array.of(2 * (y as Float64Array)[0], 4 * (y as Float64Array)[1]),
    };
    expect(difference(lsqr(own, [2, 8]).x, [1, 2])).toBeLessThan(1e-5);
    expect(difference(cg(own, [2, 8]).x, [1, 2])).toBeLessThan(1e-5);
  });
});

describe('cg', () => {
  test.each([0, 0.7])('a definite system with damping %d', (damp) => {
    const known = random([8], 'float64', 8).data as Float64Array;
    const b = definite.matvec(known).map((value, i) => value + damp * damp * known[i]);
    const { x, converged, residualNorm, iterations } = cg(definite, b, { damp, tolerance: 1e-13 });
    expect(converged).toBe(true);
    expect(iterations).toBeLessThanOrEqual(9);
    expect(difference(x, known)).toBeLessThan(1e-11);
    expect(residualNorm).toBeLessThan(1e-11);
  });

  test('a matrix that is not definite ends the iteration unconverged', () => {
    const { converged, iterations } = cg(toeplitz(Float64Array.of(-1, 0)), [1, 1]);
    expect([converged, iterations]).toEqual([false, 0]);
  });

  test('from the solution there is nothing to do', () => {
    const x0 = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect(cg(definite, definite.matvec(x0), { x0 })).toMatchObject({
      x: x0,
      iterations: 0,
      converged: true,
    });
  });
});

describe('what is asked for is what comes', () => {
  const identity = { shape: [1, 1], matvec: (x: unknown) => x, rmatvec: (y: unknown) => y } as LinearOperator;

  test('damping pulls x to zero, wherever it starts', () => {
    for (const x0 of [0, 1, 10]) {
      expect(lsqr(identity, [1], { damp: 1, x0: [x0] }).x[0]).toBeCloseTo(0.5, 12);
      expect(cg(identity, [1], { damp: 1, x0: [x0] }).x[0]).toBeCloseTo(0.5, 12);
    }
    const b = random([blur.shape[0]], 'float64', 2).data;
    const x0 = random([blur.shape[1]], 'float64', 3).data;
    const options = { damp: 0.3, tolerance: 1e-13, maxIterations: 500 };
    const [with0, without] = [lsqr(blur, b, { ...options, x0 }).x, lsqr(blur, b, options).x];
    expect(difference(with0, without)).toBeLessThan(1e-9 * norm(without));
  });

  test.each([1e-300, 1e-170, 1e-160, 1e160, 1e300])('numbers near %d', (size) => {
    const known = random([8], 'float64', 8).data as Float64Array;
    const b = definite.matvec(known).map((value) => value * size);
    for (const solve of [lsqr, cg]) {
      const { x, converged, residualNorm } = solve(definite, b, { tolerance: 1e-12 });
      expect(converged).toBe(true);
      expect(
        difference(
          x.map((value) => value / size),
          known,
        ),
      ).toBeLessThan(1e-9);
      expect(residualNorm / size).toBeLessThan(1e-9);
    }
    // The same of the matrix: a solution of size 1.
    const scaled = toeplitz(Float64Array.of(4 * size, -size, size / 2));
    const three = known.slice(0, 3);
    for (const solve of [lsqr, cg])
      expect(difference(solve(scaled, scaled.matvec(three), { tolerance: 1e-12 }).x, three)).toBeLessThan(
        1e-9,
      );
  });

  test.each([NaN, Infinity])('%d in b or A does not pass for a solution', (bad) => {
    const b = Float64Array.of(1, bad, 1, 1, 1, 1, 1, 1);
    const matrix = CsrMatrix.fromDense({ data: Float64Array.of(1, bad, bad, 1), shape: [2, 2] });
    for (const solve of [lsqr, cg]) {
      for (const solution of [solve(definite, b), solve(matrix, [1, 2])]) {
        expect(solution.converged).toBe(false);
        expect(Number.isFinite(solution.residualNorm)).toBe(false);
      }
    }
  });

  test.each([lsqr, cg])('%o: onIteration sees x, and stops', (solve) => {
    const known = random([8], 'float64', 8).data;
    const b = definite.matvec(known);
    const sizes: number[] = [];
    const { iterations, converged, x } = solve(definite, b, {
      onIteration: (iteration, _norm, current) => {
        sizes.push(norm(current));
        return iteration < 3;
      },
    });
    expect([iterations, converged, sizes.length]).toEqual([3, false, 3]);
    expect(norm(x)).toBeCloseTo(sizes[2], 12);
  });

  test('float32 inside where asked', () => {
    const known = random([8], 'float32', 8).data;
    const seen: unknown[] = [];
    const { x } = lsqr(definite, definite.matvec(known), {
      dtype: 'float32',
      tolerance: 1e-6,
      onIteration: (_i, _n, current) => {
        seen.push(current.constructor);
      },
    });
    expect(x).toBeInstanceOf(Float64Array);
    expect(seen[0]).toBe(Float32Array);
    expect(difference(x, known)).toBeLessThan(1e-4);
  });
});

describe('asynchronously', () => {
  const image = convMatrix(random([5, 5], 'float64', 1), { inputShape: [160, 160], padding: 'same' });
  const b = random([image.shape[0]], 'float64', 2).data as Float64Array;
  const options = { maxIterations: 20, damp: 0.1 };

  test('the same, of a convolution, of an expression, and many at once', async () => {
    const stacked = operators.vstack(image, operators.scale(0.1, operators.gradient([160, 160])));
    const target = new Float64Array(stacked.shape[0]);
    target.set(b);
    const [plain, expression] = [lsqr(image, b, options), lsqr(stacked, target, { maxIterations: 20 })];
    const all = await Promise.all([
      ...Array.from({ length: 4 }, () => lsqrAsync(image, b, options)),
      ...Array.from({ length: 4 }, () => lsqrAsync(stacked, target, { maxIterations: 20 })),
    ]);
    all.forEach((solution, i) => {
      expect(solution).toEqual(i < 4 ? plain : expression);
    });
    expect(await cgAsync(definite, new Float64Array(8).fill(1))).toEqual(
      cg(definite, new Float64Array(8).fill(1)),
    );
  });

  test('lets other work run, and stops by its signal', async () => {
    const controller = new AbortController();
    let turns = 0;
    const ticking = setInterval(() => {
      turns++;
      if (turns === 3) controller.abort(new Error('enough'));
    }, 1);
    await expect(
      lsqrAsync(image, b, { maxIterations: 100_000, tolerance: 0, signal: controller.signal }),
    ).rejects.toThrow('enough');
    clearInterval(ticking);
    await expect(cgAsync(definite, [1], {})).rejects.toMatchObject({ code: 'ERR_CONVMAT_SHAPE' });
  });

  test('slice by slice as at once: vectors and matrices of many slices, in either precision', async () => {
    // More than two slices of rows and of entries each, the last one of any length.
    const rows = 140_001;
    const indptr = Int32Array.from({ length: rows + 1 }, (_, i) => 4 * i);
    const indices = Int32Array.from({ length: 4 * rows }, (_, p) => (((p >> 2) * 7 + p) % 9000) + (p & 3));
    const data = random([4 * rows], 'float32', 5).data as Float32Array;
    const tall = new CsrMatrix([rows, 9003], indptr, indices, data);
    const given = random([rows], 'float32', 6).data as Float32Array;
    const few = { maxIterations: 3 };
    const solution = await lsqrAsync(tall, given, few);
    expect(solution).toEqual(lsqr(tall, given, few));
    // One product of whole arrays is what the residual is measured by.
    const residual = tall.matvec(solution.x).map((value, i) => given[i] - value);
    expect(norm(residual)).toBeCloseTo(solution.residualNorm, 2);
    const back = new Float32Array(9003);
    for (let p = 0; p < data.length; p++) back[indices[p]] += data[p] * given[p >> 2];
    expect(difference(tall.rmatvec(given), back)).toBeLessThan(1e-4 * norm(back));
  });

  test('the library’s own operators pause: no more than a block of elements at a stretch', async () => {
    const rows = 3001;
    const dense = random([rows, 1000], 'float64', 7);
    const cases: Record<string, { A: LinearOperator; elements: number }> = {
      dense: { A: operators.asOperator(dense), elements: dense.size },
      diagonal: { A: operators.diagonal(random([300_001], 'float64', 8).data), elements: 300_001 },
      identity: { A: operators.identity(300_001), elements: 300_001 },
      restriction: {
        A: operators.restriction(
          9000,
          Int32Array.from({ length: 300_001 }, (_, i) => (i * 7919) % 9000),
        ),
        elements: 300_001,
      },
    };
    for (const [name, { A, elements }] of Object.entries(cases)) {
      const b = random([A.shape[0]], 'float64', 9).data as Float64Array;
      expect(await lsqrAsync(A, b, { maxIterations: 2 }), name).toEqual(lsqr(A, b, { maxIterations: 2 }));
      const { productSteps } = A as {
        productSteps?(transposed: boolean, from: object, to: object): Iterable<object>;
      };
      for (const transposed of [false, true]) {
        const [from, to] = transposed ? A.shape : [A.shape[1], A.shape[0]];
        const steps = productSteps?.call(A, transposed, b.slice(0, from), new Float64Array(to)) ?? [];
        expect([...steps].length, name).toBeGreaterThanOrEqual(Math.ceil(elements / 2 ** 20));
      }
    }
    // By rows, and by the sums of all rows: each entry is read once.
    const ones = new Float64Array(rows).fill(1);
    const sums = operators.asOperator(dense).rmatvec(ones);
    const expected = Float64Array.from({ length: 1000 }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += dense.data[i * 1000 + j];
      return sum;
    });
    expect(difference(sums, expected)).toBeLessThan(1e-12 * norm(expected) * rows);
    const products = operators.asOperator(dense).matvec(new Float64Array(1000).fill(1));
    const row = Float64Array.from(dense.data.slice(2999 * 1000, 3000 * 1000));
    const rowSum = row.reduce((a, value) => a + value, 0);
    expect(products[2999]).toBeCloseTo(rowSum, 10);
  });

  test('an expression of float32 in a solver of float64', async () => {
    const small = convMatrix(random([3, 3], 'float32', 1), { inputShape: [9, 9], padding: 1 });
    const sum = operators.add(small, operators.scale(0.5, operators.add(small, small)));
    const right = random([81], 'float64', 2).data as Float64Array;
    const twice = convMatrix(random([3, 3], 'float32', 1), { inputShape: [9, 9], padding: 1 }).scale(2);
    const expected = lsqr(twice, right, { maxIterations: 10, damp: 1 });
    const solution = lsqr(sum, right, { maxIterations: 10, damp: 1 });
    expect(difference(solution.x, expected.x)).toBeLessThan(1e-5);
    expect(await lsqrAsync(sum, right, { maxIterations: 10, damp: 1 })).toEqual(solution);
  });

  test('b that is taken away before it was copied rejects the call', async () => {
    const vector = new Float64Array(image.shape[0]).fill(1);
    const call = lsqrAsync(image, vector, options);
    structuredClone(vector.buffer, { transfer: [vector.buffer] });
    await expect(call).rejects.toMatchObject({ code: 'ERR_CONVMAT_ARGUMENT' });
  });
});

describe('arguments', () => {
  test.each<[string, () => unknown, string, string]>([
    [
      'no operator',
      () => lsqr({} as never, [1]),
      'ERR_CONVMAT_ARGUMENT',
      'A: expected an operator {shape: [rows, cols], matvec, rmatvec}',
    ],
    ['null', () => cg(null as never, [1]), 'ERR_CONVMAT_ARGUMENT', 'A: expected an operator'],
    [
      'a short right-hand side',
      () => lsqr(blur, [1]),
      'ERR_CONVMAT_SHAPE',
      'b: expected 72 elements, got 1 elements',
    ],
    [
      'a short start',
      () => cg(definite, new Float64Array(8), { x0: [1] }),
      'ERR_CONVMAT_SHAPE',
      'options.x0: expected 8 elements, got 1 elements',
    ],
    [
      'a matrix that is not square',
      () => cg(blur, new Float64Array(72)),
      'ERR_CONVMAT_SHAPE',
      'A: expected a square matrix, got 72 × 42',
    ],
    [
      'a negative tolerance',
      () => lsqr(blur, new Float64Array(72), { tolerance: -1 }),
      'ERR_CONVMAT_ARGUMENT',
      'options.tolerance',
    ],
    [
      'a fractional maxIterations',
      () => lsqr(blur, new Float64Array(72), { maxIterations: 0.5 }),
      'ERR_CONVMAT_ARGUMENT',
      'options.maxIterations',
    ],
    [
      'an unknown option',
      () => lsqr(blur, new Float64Array(72), { tol: 1 } as never),
      'ERR_CONVMAT_ARGUMENT',
      'options.tol: unknown option',
    ],
    [
      'onIteration that is no function',
      () => lsqr(blur, new Float64Array(72), { onIteration: 1 } as never),
      'ERR_CONVMAT_ARGUMENT',
      'options.onIteration',
    ],
    [
      'an operator of another length than it says',
      () =>
        lsqr(
          { shape: [2, 2], matvec: () => new Float64Array(3), rmatvec: () => new Float64Array(2) },
          [1, 2],
          { x0: [1, 1] },
        ),
      'ERR_CONVMAT_SHAPE',
      'A.matvec(x): expected 2 elements',
    ],
    [
      'an operator that returns nothing',
      () =>
        lsqr({ shape: [2, 2], matvec: () => new Float64Array(2), rmatvec: () => undefined as never }, [1, 2]),
      'ERR_CONVMAT_ARGUMENT',
      'A.rmatvec(y): expected a typed array',
    ],
  ])('%s', (_, call, code, message) => {
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});
