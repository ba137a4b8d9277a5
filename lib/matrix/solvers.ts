/**
 * Iterative solvers that ask of a matrix nothing but its products. Each is a generator of the products that it needs, so
 * that one description runs to its end at once, or asynchronously with the event loop free in between.
 */
import type { AbortSignalLike } from '../backend/abort.js';
import { checkFunction, checkInteger, checkNumber, checkOneOf, checkOptions, mismatch } from '../check.js';
import { readSignal } from '../conv/options.js';
import { ShapeError } from '../errors.js';
import { type ComplexVectorLike, isParts, type PartsOf } from '../tensor/complex.js';
import { type FloatArray, type FloatDType, holds, uninitialised } from '../tensor/dtype.js';
import type { VectorLike } from '../tensor/take.js';
import { isComplexOperator, type Operand, Planar, partsOfPlanar } from './complex.js';
import { type ComplexLinearOperator, checkOperator, type LinearOperator, takeAnyVector } from './operator.js';
import { productOf, runSteps, runStepsAsync, type Steps } from './products.js';
import { combination, copyInto, dotOf, normOf, ownCopy, type Pauses, zerosInSlices } from './vectors.js';

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

/** The options of complex systems. */
export interface ComplexSolveOptions extends Omit<SolveOptions, 'x0' | 'onIteration'> {
  /** Where to start; the answer is the one without it. Default zeros. */
  readonly x0?: ComplexVectorLike;
  /** As in SolveOptions, with both parts of x as they stand. */
  onIteration?(iteration: number, residualNorm: number, x: PartsOf<FloatArray>): unknown;
}

/** The same, of solvers that leave the event loop free. */
export interface AsyncComplexSolveOptions extends ComplexSolveOptions {
  /** Rejects with the signal's reason, after the product that is under way. */
  readonly signal?: AbortSignalLike;
}

/** What a solver found, and how it ended; of a complex system, x is { re, im }. */
export interface Solution<X = Float64Array> {
  /** The solution, of as many elements as the matrix has columns. */
  readonly x: X;
  /** How many there were. */
  readonly iterations: number;
  /** ‖b − A·x‖, computed from x (with `damp` in cg: of the damped system). */
  readonly residualNorm: number;
  /** Whether the tolerance was met within maxIterations. */
  readonly converged: boolean;
}

/** A real problem: of a complex one, the operator on planar vectors, and such vectors. */
interface Problem {
  readonly isComplex: boolean;
  readonly A: LinearOperator;
  readonly rows: number;
  readonly cols: number;
  readonly dtype: FloatDType;
  /** In the caller's memory and precision, as x0 is; both in two parts. */
  readonly b: Operand<FloatArray>;
  /** Null when it is zeros. */
  readonly x0: Operand<FloatArray> | null;
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly damp: number;
  /** False when the caller wants to stop. */
  readonly goesOn: (iteration: number, residualNorm: number, x: FloatArray) => boolean;
}

/**
 * Least squares by Golub–Kahan bidiagonalisation: min ‖A·x − b‖² + damp²‖x‖², A of any shape.
 *
 * Stops when ‖r‖ ≤ tolerance·(‖b‖ + ‖A‖‖x‖) (the system is consistent), or ‖Aᴴr‖ ≤ tolerance·‖A‖‖r‖ (x is a least
 * squares solution). An operator of float32 limits what can be reached to about 1e-6. NaN or infinity in A or b end it,
 * unconverged, with a residual that is not a number.
 *
 * When A, b or options.x0 is complex (an operator with `isComplex`, vectors { re, im }), so is x. `rmatvec` is the adjoint.
 *
 * @throws {ShapeError} when b or x0 has not the operator's length, {ArgumentError} for a bad operator or option.
 * @example lsqr(CsrMatrix.fromDense([[1, 0], [1, 1], [0, 1]]), [1, 2, 1]).x   // Float64Array [1, 1]
 *
 * Source: Paige, Saunders, LSQR, ACM TOMS 8 (1982).
 */
export function lsqr(A: LinearOperator, b: VectorLike, options?: SolveOptions): Solution;
export function lsqr(
  A: ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: ComplexSolveOptions,
): Solution<PartsOf<Float64Array>>;
export function lsqr(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: ComplexSolveOptions,
): Solution<PartsOf<Float64Array>>;
export function lsqr(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: SolveOptions | ComplexSolveOptions,
): Solution | Solution<PartsOf<Float64Array>> {
  return solve(lsqrSteps, A, b, options);
}

/**
 * As lsqr, with the event loop free between products, and meanwhile where A is a convolution's matrix.
 *
 * @example const { x } = await lsqrAsync(A, [2, 4], { signal: AbortSignal.timeout(1000) });
 */
export async function lsqrAsync(
  A: LinearOperator,
  b: VectorLike,
  options?: AsyncSolveOptions,
): Promise<Solution>;
export async function lsqrAsync(
  A: ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: AsyncComplexSolveOptions,
): Promise<Solution<PartsOf<Float64Array>>>;
export async function lsqrAsync(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: AsyncComplexSolveOptions,
): Promise<Solution<PartsOf<Float64Array>>>;
export async function lsqrAsync(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: AsyncSolveOptions | AsyncComplexSolveOptions,
): Promise<Solution | Solution<PartsOf<Float64Array>>> {
  return solveAsync(lsqrSteps, A, b, options);
}

/**
 * Conjugate gradients for (A + damp²·I)·x = b with A symmetric (Hermitian, when it is complex) and positive definite. Stops
 * when the residual's norm is at most tolerance·‖b‖, or (unconverged) when a direction shows that A is not positive definite,
 * or is not finite. Complex as in lsqr.
 *
 * @throws {ShapeError} unless A is square and lengths agree, {ArgumentError} for a bad operator or option.
 * @example cg(toeplitz([2, -1, 0]), [1, 0, 1]).x   // Float64Array [1, 1, 1]
 *
 * Source: Hestenes, Stiefel (1952).
 */
export function cg(A: LinearOperator, b: VectorLike, options?: SolveOptions): Solution;
export function cg(
  A: ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: ComplexSolveOptions,
): Solution<PartsOf<Float64Array>>;
export function cg(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: ComplexSolveOptions,
): Solution<PartsOf<Float64Array>>;
export function cg(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: SolveOptions | ComplexSolveOptions,
): Solution | Solution<PartsOf<Float64Array>> {
  return solve(cgSteps, A, b, options);
}

/**
 * As cg, with the event loop free as in lsqrAsync.
 *
 * @example const { x } = await cgAsync(A, [2, 4], { signal: AbortSignal.timeout(1000) });
 */
export async function cgAsync(
  A: LinearOperator,
  b: VectorLike,
  options?: AsyncSolveOptions,
): Promise<Solution>;
export async function cgAsync(
  A: ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: AsyncComplexSolveOptions,
): Promise<Solution<PartsOf<Float64Array>>>;
export async function cgAsync(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: AsyncComplexSolveOptions,
): Promise<Solution<PartsOf<Float64Array>>>;
export async function cgAsync(
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options?: AsyncSolveOptions | AsyncComplexSolveOptions,
): Promise<Solution | Solution<PartsOf<Float64Array>>> {
  return solveAsync(cgSteps, A, b, options);
}

type Solver = (problem: Problem) => Steps<Solution>;

function solve(
  solver: Solver,
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options: SolveOptions | ComplexSolveOptions | undefined,
): Solution | Solution<PartsOf<Float64Array>> {
  const problem = readProblem(A, b, options, SOLVE_OPTIONS);
  return solutionOf(problem, runSteps(solver(problem)));
}

async function solveAsync(
  solver: Solver,
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options: AsyncSolveOptions | AsyncComplexSolveOptions | undefined,
): Promise<Solution | Solution<PartsOf<Float64Array>>> {
  const problem = readProblem(A, b, options, ASYNC_SOLVE_OPTIONS);
  return solutionOf(problem, await runStepsAsync(solver(problem), readSignal(options?.signal)));
}

function solutionOf({ isComplex }: Problem, solution: Solution): Solution | Solution<PartsOf<Float64Array>> {
  if (!isComplex) return solution;
  const { re, im } = partsOfPlanar(solution.x);
  return { ...solution, x: { re: re.slice(), im: im.slice() } };
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

  function* multiply(x: FloatArray, y: FloatArray): Steps<void> {
    yield* productOf(given.A, false, x, y.subarray(0, rows));
    if (isAugmented) yield* combination(given.damp, x, 0, y.subarray(rows));
  }
  function* multiplyTransposed(y: FloatArray, x: FloatArray): Steps<void> {
    yield* productOf(given.A, true, y.subarray(0, rows), x);
    if (isAugmented) yield* combination(given.damp, y.subarray(rows), 1, x);
  }

  const b = yield* ownVector(given.b, rows, given, 'b');
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
  yield* productOf(given.A, false, x, product.subarray(0, rows));
  const residualNorm = yield* combination(1, b, -1, product.subarray(0, rows));
  return {
    x: yield* inFloat64(x),
    iterations,
    residualNorm,
    converged: converged && Number.isFinite(residualNorm),
  };
}

function* startOf(given: Problem): Pauses<FloatArray> {
  const { x0, cols, dtype } = given;
  return x0 === null ? yield* zerosInSlices(dtype, cols) : yield* ownVector(x0, cols, given, 'options.x0');
}

/** A copy of the caller's vector, planar in a complex problem. */
function* ownVector(
  { re, im }: Operand<FloatArray>,
  length: number,
  { isComplex, dtype }: Problem,
  argument: string,
): Pauses<FloatArray> {
  if (!isComplex) return yield* ownCopy(re, length, dtype, argument);
  const planar = yield* zerosInSlices(dtype, length);
  const parts = partsOfPlanar(planar);
  yield* copyInto(parts.re, yield* ownCopy(re, length / 2, dtype, `${argument}.re`));
  if (im !== null) yield* copyInto(parts.im, yield* ownCopy(im, length / 2, dtype, `${argument}.im`));
  return planar;
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

  function* multiply(x: FloatArray, y: FloatArray): Steps<void> {
    yield* productOf(given.A, false, x, y);
    if (shift !== 0) yield* combination(shift, x, 1, y);
  }

  const b = yield* ownVector(given.b, rows, given, 'b');
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
  A: LinearOperator | ComplexLinearOperator,
  b: ComplexVectorLike,
  options: SolveOptions | ComplexSolveOptions | undefined,
  known: readonly string[],
): Problem {
  const [rows, cols] = checkOperator(A);
  const given = checkOptions<SolveOptions | ComplexSolveOptions>(options, known);
  const dtype = checkOneOf(given.dtype ?? 'float64', 'options.dtype', ['float32', 'float64']);
  const onIteration =
    given.onIteration === undefined ? undefined : checkFunction(given.onIteration, 'options.onIteration');
  const isComplex = isComplexOperator(A) || isParts(b) || isParts(given.x0);
  const halves = isComplex ? 2 : 1;
  return {
    isComplex,
    A: isComplexOperator(A) || isComplex ? new Planar(A) : A,
    rows: halves * rows,
    cols: halves * cols,
    dtype,
    b: takeParts(b, rows, 'b', dtype),
    x0: given.x0 === undefined ? null : takeParts(given.x0, cols, 'options.x0', dtype),
    tolerance: checkNumber(given.tolerance ?? 1e-8, 'options.tolerance', 0),
    maxIterations: checkInteger(
      given.maxIterations ?? Math.min(2 * cols, MOST_ITERATIONS),
      'options.maxIterations',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    damp: checkNumber(given.damp ?? 0, 'options.damp'),
    goesOn: (iteration, residualNorm, x) => {
      if (onIteration === undefined) return true;
      const shown = isComplex ? partsOfPlanar(x) : x;
      return Reflect.apply(onIteration, given, [iteration, residualNorm, shown]) !== false;
    },
  };
}

/** A vector as its caller has it, in either precision. */
function takeParts(
  value: ComplexVectorLike,
  length: number,
  argument: string,
  dtype: FloatDType,
): Operand<FloatArray> {
  if (!isParts(value)) return { re: takeAnyVector(value, length, argument, dtype), im: null };
  return {
    re: takeAnyVector(value.re, length, `${argument}.re`, dtype),
    im: takeAnyVector(value.im, length, `${argument}.im`, dtype),
  };
}
