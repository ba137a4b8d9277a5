/** Toeplitz and circulant matrices, kept by their diagonals, and how their systems are solved. */
import { checkOneOf, checkOptions, mismatch } from '../check.js';
import { ShapeError, SingularError, UnsupportedError } from '../errors.js';
import type { ComplexVectorLike, PartsOf } from '../tensor/complex.js';
import {
  convert,
  convertLike,
  type DTypeOf,
  dtypeOf,
  type FloatArray,
  type TypedArray,
} from '../tensor/dtype.js';
import type { VectorLike } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Attempt } from './attempt.js';
import { circulantSolve } from './circulant.js';
import { ComplexMatrix, partsOfPlanar, planarOf, planarSteps, takeComplexVector } from './complex.js';
import { complexLevinson } from './complex-levinson.js';
import { denseOf } from './dense.js';
import { levinson } from './levinson.js';
import {
  type ComplexTypedOperator,
  type DenseOptions,
  resultVector,
  type TypedOperator,
  takeVector,
} from './operator.js';
import { runSteps } from './products.js';
import { slide } from './slide.js';
import { norm } from './vectors.js';

/** A Toeplitz or circulant matrix. */
export interface StructuredMatrix<A extends FloatArray = FloatArray> extends TypedOperator<A> {
  /** The matrix, entry by entry. */
  toDense(options?: DenseOptions): Tensor<A>;
  /**
   * x with A·x = b, computed in float64 and returned in the matrix's dtype. Toeplitz matrices by Levinson's recursion,
   * O(n²), circulant ones by Fourier transform.
   *
   * @throws {ShapeError} unless A is square and b as long, {SingularError} when A (or for the recursion a leading
   *   block of it) is singular to working precision: the message gives the residual that was reached.
   */
  solve(b: VectorLike, options?: StructuredSolveOptions): A;
}

/** A complex Toeplitz or circulant matrix: `re` and `im` are those of its entries' parts. */
export interface ComplexStructuredMatrix<A extends FloatArray = FloatArray> extends ComplexTypedOperator<A> {
  /** The matrix of the entries' real parts. */
  readonly re: StructuredMatrix<A>;
  /** The matrix of the entries' imaginary parts. */
  readonly im: StructuredMatrix<A>;
  /** The matrix, entry by entry. */
  toDense(options?: DenseOptions): PartsOf<Tensor<A>>;
  /** x with A·x = b, as StructuredMatrix.solve has it, b being complex or real. */
  solve(b: ComplexVectorLike, options?: StructuredSolveOptions): PartsOf<A>;
}

/** What is done where a system is singular. */
export interface StructuredSolveOptions {
  /**
   * What to do with a singular circulant matrix: 'raise' (default) throws SingularError; 'lstsq' gives the least squares
   * solution of least norm, as scipy.linalg.solve_circulant.
   */
  readonly singular?: 'raise' | 'lstsq';
}

/** A[i, j] = diagonals[i − j + cols − 1] */
export class Toeplitz<A extends FloatArray> implements StructuredMatrix<A> {
  readonly shape: readonly [rows: number, cols: number];
  readonly dtype: DTypeOf<A>;

  constructor(
    private readonly diagonals: A,
    rows: number,
    cols: number,
    private readonly isCirculant: boolean,
  ) {
    this.shape = Object.freeze([rows, cols] as const);
    this.dtype = dtypeOf(diagonals);
  }

  matvec(x: VectorLike, out?: TypedArray): A {
    const operand = takeVector(x, this.shape[1], 'x', this.dtype);
    const result = resultVector(out, this.shape[0], this.diagonals, operand);
    slide(this.diagonals, operand, result);
    return result;
  }

  rmatvec(y: VectorLike, out?: TypedArray): A {
    const operand = takeVector(y, this.shape[0], 'y', this.dtype);
    const result = resultVector(out, this.shape[1], this.diagonals, operand);
    // The transpose is the Toeplitz matrix of the diagonals in reverse.
    slide(this.diagonals.slice().reverse(), operand, result);
    return result;
  }

  toDense(options?: DenseOptions): Tensor<A> {
    const cols = this.shape[1];
    return denseOf(this.shape, this.diagonals, options, (i, j) => this.diagonals[i - j + cols - 1]);
  }

  solve(b: VectorLike, options?: StructuredSolveOptions): A {
    const singular = readSolve(options, this.isCirculant);
    const rows = checkSquare(this.shape);
    const right = convert(takeVector(b, rows, 'b', this.dtype), 'float64');
    const t = convert(this.diagonals, 'float64');
    const solve = this.isCirculant
      ? (v: Float64Array) => circulantSolve({ re: t.subarray(rows - 1), im: null }, { re: v, im: null })
      : (v: Float64Array) => levinson(t, v);
    const multiply = (x: Float64Array, y: Float64Array) => slide(t, x, y);
    const system = { size: sizeOf(t), multiply, solve, solvable: solvableOf(this.isCirculant) };
    return convertLike(this.diagonals, solution(system, right, singular));
  }
}

/** R + i·J of two Toeplitz matrices. */
export class ComplexToeplitz<A extends FloatArray>
  extends ComplexMatrix<A, Toeplitz<A>>
  implements ComplexStructuredMatrix<A>
{
  constructor(
    private readonly diagonals: PartsOf<A>,
    rows: number,
    cols: number,
    private readonly isCirculant: boolean,
  ) {
    const matrix = (values: A) => new Toeplitz(values, rows, cols, isCirculant);
    super(matrix(diagonals.re), matrix(diagonals.im), diagonals.re);
  }

  toDense(options?: DenseOptions): PartsOf<Tensor<A>> {
    return { re: this.re.toDense(options), im: this.im.toDense(options) };
  }

  solve(b: ComplexVectorLike, options?: StructuredSolveOptions): PartsOf<A> {
    const singular = readSolve(options, this.isCirculant);
    const rows = checkSquare(this.shape);
    const operand = takeComplexVector(b, rows, 'b', this.dtype);
    const right = planarOf(operand, 'float64');
    const t = { re: convert(this.diagonals.re, 'float64'), im: convert(this.diagonals.im, 'float64') };
    const column = { re: t.re.subarray(rows - 1), im: t.im.subarray(rows - 1) };
    const solve = this.isCirculant
      ? (v: Float64Array) => circulantSolve(column, partsOfPlanar(v))
      : (v: Float64Array) => complexLevinson(t, partsOfPlanar(v));
    const exact = new ComplexToeplitz(t, rows, rows, this.isCirculant);
    const multiply = (x: Float64Array, y: Float64Array) => runSteps(planarSteps(exact, false, x, y));
    const size = sizeOf(t.re) + sizeOf(t.im);
    const system = { size, multiply, solve, solvable: solvableOf(this.isCirculant) };
    const { re, im } = partsOfPlanar(solution(system, right, singular));
    return { re: convertLike(this.diagonals.re, re), im: convertLike(this.diagonals.im, im) };
  }
}

/** What is done where the system is singular. */
function readSolve(options: StructuredSolveOptions | undefined, isCirculant: boolean): 'raise' | 'lstsq' {
  const given = checkOptions(options, ['singular']);
  const singular = checkOneOf(given.singular ?? 'raise', 'options.singular', ['raise', 'lstsq']);
  if (singular === 'lstsq' && !isCirculant)
    throw mismatch(UnsupportedError, 'options.singular', "'raise', but for circulant matrices", "'lstsq'");
  return singular;
}

function checkSquare([rows, cols]: readonly [number, number]): number {
  if (rows !== cols) throw mismatch(ShapeError, 'solve', 'a square matrix', `${rows} × ${cols}`);
  return rows;
}

/** What bounds the norm of a Toeplitz matrix. */
function sizeOf(diagonals: Float64Array): number {
  return diagonals.reduce((sum, value) => sum + Math.abs(value), 0);
}

function solvableOf(isCirculant: boolean): string {
  return isCirculant ? CIRCULANT : TOEPLITZ;
}

// Relative to ‖A‖‖x‖ + ‖b‖. A stable method leaves some roundings; more than this is no solution.
const ACCEPTABLE_RESIDUAL = 1e-8;
const REFINEMENTS = 2;

/** What can be solved, by Levinson's recursion and by transforms. */
const TOEPLITZ = 'a regular matrix with regular leading blocks';
const CIRCULANT =
  'a circulant matrix none of whose eigenvalues is zero (lsqr gives the least squares solution of others)';

/** A square system: real, or complex with planar vectors. */
interface System {
  /** A bound of the matrix's norm. */
  readonly size: number;
  /** What systems of this kind have a solution, for messages. */
  readonly solvable: string;
  /** y ← A·x. */
  multiply(x: Float64Array, y: Float64Array): void;
  solve(b: Float64Array): Attempt;
}

function solution(system: System, b: Float64Array, singular: 'raise' | 'lstsq'): Float64Array {
  return singular === 'lstsq' ? system.solve(b).x : solveRefined(system, b);
}

/** Solves, and corrects the solution by solving for its residual: the recursion alone loses digits on the way. */
function solveRefined({ size, multiply, solve, solvable }: System, b: Float64Array): Float64Array {
  const { x, complete } = solve(b);
  const residual = new Float64Array(b.length);
  const measure = (): number => {
    multiply(x, residual);
    for (let i = 0; i < b.length; i++) residual[i] = b[i] - residual[i];
    return norm(residual) / (size * norm(x) + norm(b) || 1);
  };
  if (!complete) throw singular(solvable, measure());
  let error = measure();
  for (let round = 0; round < REFINEMENTS && error > Number.EPSILON; round++) {
    const correction = solve(residual).x;
    for (let i = 0; i < x.length; i++) x[i] += correction[i];
    error = measure();
  }
  if (!(error <= ACCEPTABLE_RESIDUAL)) throw singular('a matrix that is regular to working precision', error);
  return x;
}

function singular(expected: string, residual: number): SingularError {
  return new SingularError(`solve: expected ${expected}, got a relative residual of ${residual}`);
}
