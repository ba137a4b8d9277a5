/** Iterative solvers that ask of a matrix nothing but its products. */
import { checkInteger, checkNumber, checkOptions, describe, isInteger, mismatch, mistake } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type TypedArray, zeros } from '../tensor/dtype.js';
import type { VectorLike } from '../tensor/take.js';
import { type LinearOperator, takeVector } from './operator.js';

export interface SolveOptions {
  /** On the relative residual (cg), on btol and atol (lsqr). Default 1e-8. */
  readonly tolerance?: number;
  /** Default 2·cols. */
  readonly maxIterations?: number;
  /** λ in (A + λ²·I)·x = b (cg), in min ‖A·x − b‖² + λ²‖x‖² (lsqr). Default 0. */
  readonly damp?: number;
  /** Where to start. Default zeros. */
  readonly x0?: VectorLike;
  /** Called after every iteration, with the norm of the residual as the recurrence has it. */
  onIteration?(iteration: number, residualNorm: number): void;
}

export interface Solution {
  readonly x: Float64Array;
  readonly iterations: number;
  /** ‖b − A·x‖, computed from x (with `damp` in cg: of the damped system). */
  readonly residualNorm: number;
  /** Whether the tolerance was met within maxIterations. */
  readonly converged: boolean;
}

interface Problem {
  readonly rows: number;
  readonly cols: number;
  readonly b: Float64Array;
  readonly x: Float64Array;
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly damp: number;
  readonly onIteration: (iteration: number, residualNorm: number) => void;
  multiply(x: Float64Array): TypedArray;
  multiplyTransposed(y: Float64Array): TypedArray;
}

/**
 * Least squares by Golub–Kahan bidiagonalisation: min ‖A·x − b‖² + damp²‖x‖², A of any shape.
 *
 * Stops when ‖r‖ ≤ tolerance·(‖b‖ + ‖A‖‖x‖) (the system is consistent), or ‖Aᵀr‖ ≤ tolerance·‖A‖‖r‖ (x is a least
 * squares solution). The vectors are float64; an operator of float32 limits what can be reached to about 1e-6.
 *
 * @throws {ShapeError} when b or x0 has not the operator's length, {ArgumentError} for a bad operator or option.
 * Source: Paige, Saunders, LSQR, ACM TOMS 8 (1982).
 */
export function lsqr(A: LinearOperator, b: VectorLike, options?: SolveOptions): Solution {
  const problem = readProblem(A, b, options);
  const { x, damp, tolerance } = problem;
  const startNorm = norm(problem.b);
  const u = residual(problem, x, 0);
  let beta = normalise(u);
  const v = problem.cols === 0 ? zeros('float64', 0) : Float64Array.from(problem.multiplyTransposed(u));
  let alpha = normalise(v);
  const w = v.slice();
  let rhoBar = alpha;
  let phiBar = beta;
  let matrixNorm2 = 0;
  let dampedResidual2 = 0;
  let iterations = 0;
  let converged = alpha * beta === 0;
  while (!converged && iterations < problem.maxIterations) {
    iterations++;
    advance(u, problem.multiply(v), alpha);
    beta = normalise(u);
    matrixNorm2 += alpha * alpha + beta * beta + damp * damp;
    advance(v, problem.multiplyTransposed(u), beta);
    alpha = normalise(v);
    // A rotation removes the damping, a second one the subdiagonal.
    const rhoDamped = Math.hypot(rhoBar, damp);
    dampedResidual2 += ((damp / rhoDamped) * phiBar) ** 2;
    phiBar *= rhoBar / rhoDamped;
    const rho = Math.hypot(rhoDamped, beta);
    const c = rhoDamped / rho;
    const s = beta / rho;
    const theta = s * alpha;
    rhoBar = -c * alpha;
    const phi = c * phiBar;
    phiBar *= s;
    const step = phi / rho;
    const turn = theta / rho;
    for (let i = 0; i < x.length; i++) {
      x[i] += step * w[i];
      w[i] = v[i] - turn * w[i];
    }
    const residualNorm = Math.sqrt(phiBar * phiBar + dampedResidual2);
    const gradientNorm = Math.abs(phiBar * alpha * c);
    const matrixNorm = Math.sqrt(matrixNorm2);
    problem.onIteration(iterations, residualNorm);
    converged =
      residualNorm <= tolerance * (startNorm + matrixNorm * norm(x)) ||
      gradientNorm <= tolerance * matrixNorm * residualNorm ||
      // An exact solution: nothing is left to divide by.
      gradientNorm === 0;
    if (Number.isNaN(residualNorm)) break;
  }
  return { x, iterations, residualNorm: norm(residual(problem, x, 0)), converged };
}

/**
 * Conjugate gradients for (A + damp²·I)·x = b with A symmetric and positive definite. Stops when the residual's norm
 * is at most tolerance·‖b‖, or (unconverged) when a direction shows that A is not positive definite.
 *
 * @throws {ShapeError} unless A is square and lengths agree, {ArgumentError} for a bad operator or option.
 * Source: Hestenes, Stiefel (1952).
 */
export function cg(A: LinearOperator, b: VectorLike, options?: SolveOptions): Solution {
  const problem = readProblem(A, b, options);
  const { rows, cols, x, damp } = problem;
  if (rows !== cols) throw mismatch(ShapeError, 'A', 'a square matrix', `${rows} × ${cols}`);
  const limit = problem.tolerance * norm(problem.b);
  const shift = damp * damp;
  const r = residual(problem, x, shift);
  const p = r.slice();
  let squared = dot(r, r);
  let iterations = 0;
  while (Math.sqrt(squared) > limit && iterations < problem.maxIterations) {
    const product = problem.multiply(p);
    const curvature = dot(p, product) + shift * dot(p, p);
    if (!(curvature > 0)) break;
    iterations++;
    const step = squared / curvature;
    for (let i = 0; i < x.length; i++) {
      x[i] += step * p[i];
      r[i] -= step * (product[i] + shift * p[i]);
    }
    const next = dot(r, r);
    problem.onIteration(iterations, Math.sqrt(next));
    const turn = next / squared;
    for (let i = 0; i < p.length; i++) p[i] = r[i] + turn * p[i];
    squared = next;
  }
  const residualNorm = norm(residual(problem, x, shift));
  return { x, iterations, residualNorm, converged: Math.sqrt(squared) <= limit };
}

const SOLVE_OPTIONS = ['tolerance', 'maxIterations', 'damp', 'x0', 'onIteration'] as const;

function readProblem(A: LinearOperator, b: VectorLike, options: SolveOptions | undefined): Problem {
  const [rows, cols] = checkOperator(A);
  const given = checkOptions(options, SOLVE_OPTIONS);
  const { onIteration } = given;
  if (onIteration !== undefined && typeof onIteration !== 'function') {
    throw mistake(ArgumentError, 'options.onIteration', 'a function', onIteration);
  }
  return {
    rows,
    cols,
    b: Float64Array.from(takeVector(b, rows, 'b', 'float64')),
    x:
      given.x0 === undefined
        ? zeros('float64', cols)
        : Float64Array.from(takeVector(given.x0, cols, 'options.x0', 'float64')),
    tolerance: checkNumber(given.tolerance ?? 1e-8, 'options.tolerance', 0),
    maxIterations: checkInteger(
      given.maxIterations ?? 2 * cols,
      'options.maxIterations',
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    damp: checkNumber(given.damp ?? 0, 'options.damp'),
    onIteration: (iteration, residualNorm) => onIteration?.call(given, iteration, residualNorm),
    multiply: (x) => checkProduct(A.matvec(x), rows, 'A.matvec(x)'),
    multiplyTransposed: (y) => checkProduct(A.rmatvec(y), cols, 'A.rmatvec(y)'),
  };
}

/** An operator by its three members, whoever made it. */
export function checkOperator(A: LinearOperator): readonly [number, number] {
  const { shape, matvec, rmatvec } = (A ?? {}) as Partial<LinearOperator>;
  const isShape =
    Array.isArray(shape) && shape.length === 2 && shape.every((size) => isInteger(size) && size >= 0);
  if (!isShape || typeof matvec !== 'function' || typeof rmatvec !== 'function') {
    throw mistake(ArgumentError, 'A', 'an operator {shape: [rows, cols], matvec, rmatvec}', A);
  }
  return [shape[0], shape[1]];
}

/** A user's operator may return anything: what is not a vector of the right length must not become a NaN. */
export function checkProduct(product: TypedArray, length: number, name: string): TypedArray {
  if (!ArrayBuffer.isView(product) && !Array.isArray(product)) {
    throw mistake(ArgumentError, name, 'a typed array', product);
  }
  if (product.length !== length) {
    throw mismatch(ShapeError, name, `${length} elements`, describe(product));
  }
  return product;
}

/** b − (A + shift·I)·x */
function residual({ b, multiply }: Problem, x: Float64Array, shift: number): Float64Array {
  const r = b.slice();
  if (x.every((value) => value === 0)) return r;
  const product = multiply(x);
  for (let i = 0; i < r.length; i++) r[i] -= product[i] + (shift === 0 ? 0 : shift * x[i]);
  return r;
}

/** target ← product − scale·target */
function advance(target: Float64Array, product: TypedArray, scale: number): void {
  for (let i = 0; i < target.length; i++) target[i] = product[i] - scale * target[i];
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** ‖a‖₂, scaled so that squares neither overflow nor vanish. */
export function norm(a: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const size = Math.abs(a[i]);
    if (!(size <= largest)) largest = size;
  }
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/** Divides by the norm, which it returns; zeros stay. */
export function normalise(a: Float64Array): number {
  const size = norm(a);
  if (size > 0) for (let i = 0; i < a.length; i++) a[i] /= size;
  return size;
}
