/**
 * Iterative solvers that ask of a matrix nothing but its products. Each is a generator of the products that it needs, so
 * that one description runs to its end at once, or asynchronously with the event loop free in between.
 */
import type { AbortSignalLike } from '../backend/abort.js';
import { checkFunction, checkInteger, checkNumber, checkOneOf, checkOptions, mismatch } from '../check.js';
import { readSignal } from '../conv/options.js';
import { ShapeError } from '../errors.js';
import { dtypeOf, type FloatArray, type FloatDType, holds, uninitialised } from '../tensor/dtype.js';
import type { VectorLike } from '../tensor/take.js';
import { checkOperator, type LinearOperator, takeAnyVector } from './operator.js';
import { productOf, runSteps, runStepsAsync, type Steps } from './products.js';
import {
  combination,
  copyInto,
  dotOf,
  normOf,
  ownCopy,
  type Pauses,
  Vectors,
  zerosInSlices,
} from './vectors.js';

/** When to stop, where to begin, and how strongly to damp. */
export interface SolveOptions {
  /** On the relative residual (cg), on btol and atol (lsqr). Default 1e-8. */
  readonly tolerance?: number;
  /** Default min(2·cols, 10 000). */
  readonly maxIterations?: number;
  /** λ in (A + λ²·I)·x = b (cg), in min ‖A·x − b‖² + λ²‖x‖² (lsqr). Default 0. */
  readonly damp?: number;
  /** Where to start; the answer is the one without it. Default zeros. */
  readonly x0?: VectorLike;
  /** Of the vectors between products. Default 'float64'. */
  readonly dtype?: FloatDType;
  /**
   * Called after every iteration, with the norm of the residual as the recurrence has it, and x as it stands: it changes
   * in the next iteration, so copy what you keep. Returning false ends the solution, unconverged.
   */
  onIteration?(iteration: number, residualNorm: number, x: FloatArray): unknown;
}

/** The same, of solvers that leave the event loop free. */
export interface AsyncSolveOptions extends SolveOptions {
  /** Rejects with the signal's reason, after the product that is under way. */
  readonly signal?: AbortSignalLike;
}

/** What a solver found, and how it ended. */
export interface Solution {
  /** The solution, of as many elements as the matrix has columns. */
  readonly x: Float64Array;
  /** How many there were. */
  readonly iterations: number;
  /** ‖b − A·x‖, computed from x (with `damp` in cg: of the damped system). */
  readonly residualNorm: number;
  /** Whether the tolerance was met within maxIterations. */
  readonly converged: boolean;
}

interface Problem {
  readonly A: LinearOperator;
  readonly rows: number;
  readonly cols: number;
  readonly dtype: FloatDType;
  /** In the caller's memory and precision, as x0 is. */
  readonly b: FloatArray;
  /** Null when it is zeros. */
  readonly x0: FloatArray | null;
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly damp: number;
  /** False when the caller wants to stop. */
  readonly goesOn: (iteration: number, residualNorm: number, x: FloatArray) => boolean;
}

/**
 * Least squares by Golub–Kahan bidiagonalisation: min ‖A·x − b‖² + damp²‖x‖², A of any shape.
 *
 * Stops when ‖r‖ ≤ tolerance·(‖b‖ + ‖A‖‖x‖) (the system is consistent), or ‖Aᵀr‖ ≤ tolerance·‖A‖‖r‖ (x is a least
 * squares solution). An operator of float32 limits what can be reached to about 1e-6. NaN or infinity in A or b end it,
 * unconverged, with a residual that is not a number.
 *
 * @throws {ShapeError} when b or x0 has not the operator's length, {ArgumentError} for a bad operator or option.
 * @example lsqr(CsrMatrix.fromDense([[1, 0], [1, 1], [0, 1]]), [1, 2, 1]).x   // Float64Array [1, 1]
 *
 * Source: Paige, Saunders, LSQR, ACM TOMS 8 (1982).
 */
export function lsqr(A: LinearOperator, b: VectorLike, options?: SolveOptions): Solution {
  return runSteps(lsqrSteps(readProblem(A, b, options, SOLVE_OPTIONS)));
}

/**
 * As lsqr, with the event loop free: convolutions are multiplied on threads of the library's own, vectors and matrices in
 * compressed sparse rows a slice at a turn. A user's own operator holds it for as long as its product takes. Leave b and
 * x0 alone until the promise settles: a buffer that is taken away or resized before it was copied rejects the call.
 */
export async function lsqrAsync(
  A: LinearOperator,
  b: VectorLike,
  options?: AsyncSolveOptions,
): Promise<Solution> {
  return solveAsync(lsqrSteps, A, b, options);
}

/**
 * Conjugate gradients for (A + damp²·I)·x = b with A symmetric and positive definite. Stops when the residual's norm
 * is at most tolerance·‖b‖, or (unconverged) when a direction shows that A is not positive definite, or is not finite.
 *
 * @throws {ShapeError} unless A is square and lengths agree, {ArgumentError} for a bad operator or option.
 * Source: Hestenes, Stiefel (1952).
 */
export function cg(A: LinearOperator, b: VectorLike, options?: SolveOptions): Solution {
  return runSteps(cgSteps(readProblem(A, b, options, SOLVE_OPTIONS)));
}

/** As cg, with the event loop free as in lsqrAsync. */
export async function cgAsync(
  A: LinearOperator,
  b: VectorLike,
  options?: AsyncSolveOptions,
): Promise<Solution> {
  return solveAsync(cgSteps, A, b, options);
}

async function solveAsync(
  steps: (problem: Problem) => Steps<Solution>,
  A: LinearOperator,
  b: VectorLike,
  options: AsyncSolveOptions | undefined,
): Promise<Solution> {
  const problem = readProblem(A, b, options, ASYNC_SOLVE_OPTIONS);
  return runStepsAsync(steps(problem), readSignal(options?.signal));
}

/** Norms between these leave products of two vectors, and their squares, within the range of numbers. */
const LEAST_NORM = 2 ** -200;
const MOST_NORM = 2 ** 200;

/** Brings a vector of extreme norm to norm 1; returns the norm that it has then. */
function* tame(vector: FloatArray, size: number): Pauses<number> {
  if ((size > LEAST_NORM && size < MOST_NORM) || !(size > 0 && size < Infinity)) return size;
  yield* combination(1 / size, vector, 0, vector);
  return 1;
}

/** Products in the solver's precision: an operator of the other one gets copies, in vectors that are kept. */
class Products {
  readonly #A: LinearOperator;
  readonly #vectors = new Vectors();

  constructor(A: LinearOperator) {
    this.#A = A;
  }

  /** to ← A·from, or Aᵀ·from. */
  *run(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    const dtype = 'dtype' in this.#A ? this.#A.dtype : undefined;
    if ((dtype !== 'float32' && dtype !== 'float64') || dtype === dtypeOf(to)) {
      yield* productOf(this.#A, transposed, from, to);
      return;
    }
    const operand = this.#vectors.lend(from.length, dtype);
    const product = this.#vectors.lend(to.length, dtype);
    yield* copyInto(operand, from);
    yield* productOf(this.#A, transposed, operand, product);
    yield* copyInto(to, product);
    this.#vectors.giveBack(operand);
    this.#vectors.giveBack(product);
  }
}

/**
 * The vectors u and v of the bidiagonalisation stand as they come out of their sums, with the norms that they have beside
 * them: the unit vectors û and v̂ are never written, which saves two passes over memory an iteration.
 */
function* lsqrSteps(given: Problem): Steps<Solution> {
  // With a start the damping pulls x, and not the step from x0, to zero: the rows damp·I stand below A then.
  const isAugmented = given.damp !== 0 && given.x0 !== null;
  const { rows, cols, dtype, tolerance, maxIterations } = given;
  const damp = isAugmented ? 0 : given.damp;
  const length = isAugmented ? rows + cols : rows;
  const vector = (size: number): FloatArray => uninitialised(dtype, size);

  const products = new Products(given.A);

  function* multiply(x: FloatArray, y: FloatArray): Steps<void> {
    yield* products.run(false, x, y.subarray(0, rows));
    if (isAugmented) yield* combination(given.damp, x, 0, y.subarray(rows));
  }
  function* multiplyTransposed(y: FloatArray, x: FloatArray): Steps<void> {
    yield* products.run(true, y.subarray(0, rows), x);
    if (isAugmented) yield* combination(given.damp, y.subarray(rows), 1, x);
  }

  const b = yield* ownCopy(given.b, rows, dtype, 'b');
  const x = yield* startOf(given);
  const u = isAugmented ? yield* zerosInSlices(dtype, length) : vector(length);
  yield* copyInto(u.subarray(0, rows), b);
  const product = vector(length);
  const back = vector(cols);
  if (given.x0 !== null) {
    yield* multiply(x, product);
    yield* combination(-1, product, 1, u);
  }
  const startNorm = yield* normOf(b);
  let beta = yield* normOf(u);
  let sizeOfU = yield* tame(u, beta);
  const v = vector(cols);
  let alpha = 0;
  if (beta > 0) {
    yield* multiplyTransposed(u, back);
    alpha = yield* combination(1 / sizeOfU, back, 0, v);
  }
  let sizeOfV = yield* tame(v, alpha);
  const w = vector(cols);
  if (alpha > 0) yield* combination(1 / sizeOfV, v, 0, w);
  let rhoBar = alpha;
  let phiBar = beta;
  let matrixNorm = 0;
  let dampedResidual = 0;
  let iterations = 0;
  let converged = alpha === 0 || beta === 0;
  while (!converged && iterations < maxIterations && Number.isFinite(alpha) && Number.isFinite(beta)) {
    iterations++;
    yield* multiply(v, product);
    beta = yield* combination(1 / sizeOfV, product, -alpha / sizeOfU, u);
    sizeOfU = yield* tame(u, beta);
    matrixNorm = Math.hypot(matrixNorm, alpha, beta, damp);
    // A rotation removes the damping, a second one the subdiagonal.
    const rhoDamped = Math.hypot(rhoBar, damp);
    dampedResidual = Math.hypot(dampedResidual, (damp / rhoDamped) * phiBar);
    phiBar *= rhoBar / rhoDamped;
    const rho = Math.hypot(rhoDamped, beta);
    const c = rhoDamped / rho;
    const s = beta / rho;
    const sizeOfX = yield* combination(c * (phiBar / rho), w, 1, x);
    phiBar *= s;
    alpha = 0;
    if (beta > 0) {
      yield* multiplyTransposed(u, back);
      alpha = yield* combination(1 / sizeOfU, back, -beta / sizeOfV, v);
      sizeOfV = yield* tame(v, alpha);
      if (alpha > 0) yield* combination(1 / sizeOfV, v, -s * (alpha / rho), w);
    }
    rhoBar = -c * alpha;
    const residualNorm = Math.hypot(phiBar, dampedResidual);
    const stopped = !given.goesOn(iterations, residualNorm, x);
    converged =
      // An exact solution: nothing is left to divide by.
      alpha === 0 ||
      beta === 0 ||
      residualNorm <= tolerance * (startNorm + matrixNorm * sizeOfX) ||
      Math.abs(alpha * c) * Math.abs(phiBar / residualNorm) <= tolerance * matrixNorm;
    if (stopped || !Number.isFinite(residualNorm)) break;
  }
  yield* products.run(false, x, product.subarray(0, rows));
  const residualNorm = yield* combination(1, b, -1, product.subarray(0, rows));
  return {
    x: yield* inFloat64(x),
    iterations,
    residualNorm,
    converged: converged && Number.isFinite(residualNorm),
  };
}

function* startOf({ x0, cols, dtype }: Problem): Pauses<FloatArray> {
  return x0 === null ? yield* zerosInSlices(dtype, cols) : yield* ownCopy(x0, cols, dtype, 'options.x0');
}

/** A solution as it is given: in memory that nothing else writes to. */
function* inFloat64(x: FloatArray): Pauses<Float64Array> {
  if (holds(x, 'float64')) return x;
  const solution = uninitialised('float64', x.length);
  yield* copyInto(solution, x);
  return solution;
}

/** Sizes are relative to ‖r₀‖, so that no inner product leaves the range of numbers where b and x do not. */
function* cgSteps(given: Problem): Steps<Solution> {
  const { rows, cols, dtype, damp, maxIterations } = given;
  if (rows !== cols) throw mismatch(ShapeError, 'A', 'a square matrix', `${rows} × ${cols}`);
  const shift = damp * damp;
  const vector = (size: number): FloatArray => uninitialised(dtype, size);

  const products = new Products(given.A);

  function* multiply(x: FloatArray, y: FloatArray): Steps<void> {
    yield* products.run(false, x, y);
    if (shift !== 0) yield* combination(shift, x, 1, y);
  }

  const b = yield* ownCopy(given.b, rows, dtype, 'b');
  const x = yield* startOf(given);
  const r = vector(rows);
  yield* copyInto(r, b);
  const product = vector(rows);
  if (given.x0 !== null) {
    yield* multiply(x, product);
    yield* combination(-1, product, 1, r);
  }
  const limit = given.tolerance * (yield* normOf(b));
  const scale = yield* normOf(r);
  let size = scale; // ‖r‖
  if (scale > 0 && Number.isFinite(scale)) yield* combination(1 / scale, r, 0, r);
  const p = vector(rows);
  yield* copyInto(p, r);
  let squared = size > 0 ? 1 : 0; // ‖r/scale‖²
  let iterations = 0;
  while (size > limit && Number.isFinite(size) && iterations < maxIterations) {
    yield* multiply(p, product);
    const curvature = yield* dotOf(p, product);
    if (!(curvature > 0)) break;
    iterations++;
    const step = squared / curvature;
    yield* combination(scale * step, p, 1, x);
    const relative = yield* combination(-step, product, 1, r);
    size = relative * scale;
    const next = relative * relative;
    const goesOn = given.goesOn(iterations, size, x);
    yield* combination(1, r, next / squared, p);
    squared = next;
    if (!goesOn) break;
  }
  yield* multiply(x, product);
  const residualNorm = yield* combination(1, b, -1, product);
  return {
    x: yield* inFloat64(x),
    iterations,
    residualNorm,
    converged: size <= limit && Number.isFinite(residualNorm),
  };
}

const SOLVE_OPTIONS = ['tolerance', 'maxIterations', 'damp', 'x0', 'dtype', 'onIteration'] as const;
const ASYNC_SOLVE_OPTIONS = [...SOLVE_OPTIONS, 'signal'] as const;
const MOST_ITERATIONS = 10_000;

function readProblem(
  A: LinearOperator,
  b: VectorLike,
  options: SolveOptions | undefined,
  known: readonly string[],
): Problem {
  const [rows, cols] = checkOperator(A);
  const given = checkOptions(options, known);
  const dtype = checkOneOf(given.dtype ?? 'float64', 'options.dtype', ['float32', 'float64']);
  const onIteration =
    given.onIteration === undefined ? undefined : checkFunction(given.onIteration, 'options.onIteration');
  return {
    A,
    rows,
    cols,
    dtype,
    b: takeAnyVector(b, rows, 'b', dtype),
    x0: given.x0 === undefined ? null : takeAnyVector(given.x0, cols, 'options.x0', dtype),
    tolerance: checkNumber(given.tolerance ?? 1e-8, 'options.tolerance', 0),
    maxIterations: checkInteger(
      given.maxIterations ?? Math.min(2 * cols, MOST_ITERATIONS),
      'options.maxIterations',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    damp: checkNumber(given.damp ?? 0, 'options.damp'),
    goesOn: (iteration, residualNorm, x) => onIteration?.call(given, iteration, residualNorm, x) !== false,
  };
}
