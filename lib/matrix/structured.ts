/** SciPy's structured matrices as operators: Toeplitz, circulant and Hankel, each kept by its diagonals. */
import { checkInteger, checkOneOf, checkOptions, elementCount, mismatch } from '../check.js';
import { ArgumentError, ShapeError, SingularError, UnsupportedError } from '../errors.js';
import {
  convertLike,
  type DTypeOf,
  dtypeOf,
  type FloatArray,
  type FloatDType,
  type TypedArray,
  uninitialisedLike,
  zeros,
} from '../tensor/dtype.js';
import { type FloatOf, takeFloat, takeFloats, type VectorLike } from '../tensor/take.js';
import { type Nested, Tensor } from '../tensor/tensor.js';
import type { Attempt } from './attempt.js';
import { circulantSolve } from './circulant.js';
import { levinson } from './levinson.js';
import {
  checkDenseSize,
  type DenseOptions,
  resultVector,
  type TypedOperator,
  takeVector,
} from './operator.js';
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

/** What is done where a system is singular. */
export interface StructuredSolveOptions {
  /**
   * What to do with a singular circulant matrix: 'raise' (default) throws SingularError; 'lstsq' gives the least squares
   * solution of least norm, as scipy.linalg.solve_circulant.
   */
  readonly singular?: 'raise' | 'lstsq';
}

export interface HankelMatrix<A extends FloatArray = FloatArray> extends TypedOperator<A> {
  /** The matrix, entry by entry. */
  toDense(options?: DenseOptions): Tensor<A>;
}

/**
 * The Toeplitz matrix with first column c and first row r: A[i, j] = c[i − j] below the diagonal, r[j − i] above it.
 *
 * @param r  Default c: a symmetric matrix. Its first entry must be c's.
 * @throws {ArgumentError} when the first entries differ, {ShapeError} for empty vectors, {DTypeError} for integers.
 */
export function toeplitz<C extends VectorLike, R extends VectorLike = Nested>(
  c: C,
  r?: R,
): StructuredMatrix<FloatOf<C, R>>;
export function toeplitz(c: VectorLike, r?: VectorLike): StructuredMatrix {
  const [column, row, dtype] = takePair(c, r);
  if (row !== null) checkCorner(row[0], column[0], "c's first entry");
  const right = row ?? column;
  return new Toeplitz(diagonalsOf(column, right, dtype), column.length, right.length, false);
}

/** The circulant matrix with first column c: A[i, j] = c[(i − j) mod n]. */
export function circulant<C extends VectorLike>(c: C): StructuredMatrix<FloatOf<C>>;
export function circulant(c: VectorLike): StructuredMatrix {
  const [column, , dtype] = takePair(c, undefined);
  const n = column.length;
  const row: FloatArray = zeros(dtype, n);
  for (let j = 0; j < n; j++) row[j] = column[(n - j) % n];
  return new Toeplitz(diagonalsOf(column, row, dtype), n, n, true);
}

/**
 * The Hankel matrix with first column c and last row r: A[i, j] = c[i + j], continued by r past c's end.
 *
 * @param r  Default zeros. Its first entry must be c's last.
 * @throws as toeplitz.
 */
export function hankel<C extends VectorLike, R extends VectorLike = Nested>(
  c: C,
  r?: R,
): HankelMatrix<FloatOf<C, R>>;
export function hankel(c: VectorLike, r?: VectorLike): HankelMatrix {
  const [column, row, dtype] = takePair(c, r);
  if (row !== null) checkCorner(row[0], column[column.length - 1], "c's last entry");
  const cols = row === null ? column.length : row.length;
  const diagonals: FloatArray = zeros(dtype, column.length + cols - 1);
  diagonals.set(column);
  if (row !== null) diagonals.set(row.subarray(1), column.length);
  return new Hankel(diagonals, column.length, cols);
}

/**
 * The dense matrix A with A·v = the convolution of a and v (flipped, as NumPy's `convolve`): A[i, j] = a[i − j + start].
 *
 * @param n     The length of v, which is A's number of columns.
 * @param mode  'full' (the default): a.length + n − 1 rows. 'same': max(a.length, n), centred. 'valid': the rows where
 *   the shorter vector lies within the longer.
 * @throws {ArgumentError} for n < 1, {ShapeError} for an empty a. As scipy.linalg.convolution_matrix.
 */
export function convolutionMatrix<V extends VectorLike>(
  a: V,
  n: number,
  mode?: 'full' | 'same' | 'valid',
): Tensor<FloatOf<V>>;
export function convolutionMatrix(
  a: VectorLike,
  n: number,
  mode: 'full' | 'same' | 'valid' = 'full',
): Tensor<FloatArray> {
  const [values, , dtype] = takePair(a, undefined, 'a');
  const cols = checkInteger(n, 'n', 1);
  checkOneOf(mode, 'mode', ['full', 'same', 'valid']);
  const overlap = Math.min(values.length, cols) - 1;
  const start = mode === 'full' ? 0 : mode === 'same' ? Math.floor(overlap / 2) : overlap;
  const end = mode === 'same' ? overlap - start : start;
  const rows = values.length + cols - 1 - start - end;
  const data: FloatArray = zeros(dtype, elementCount([rows, cols], 'result'));
  for (let i = 0; i < rows; i++) {
    const first = Math.max(0, i + start - values.length + 1);
    const last = Math.min(cols - 1, i + start);
    for (let j = first; j <= last; j++) data[i * cols + j] = values[i - j + start];
  }
  return new Tensor(data, [rows, cols]);
}

/** A[i, j] = diagonals[i − j + cols − 1] */
class Toeplitz<A extends FloatArray> implements StructuredMatrix<A> {
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
    return dense(this.shape, this.diagonals, options, (i, j) => this.diagonals[i - j + cols - 1]);
  }

  solve(b: VectorLike, options?: StructuredSolveOptions): A {
    const given = checkOptions(options, ['singular']);
    const singular = checkOneOf(given.singular ?? 'raise', 'options.singular', ['raise', 'lstsq']);
    if (singular === 'lstsq' && !this.isCirculant)
      throw mismatch(UnsupportedError, 'options.singular', "'raise', but for circulant matrices", "'lstsq'");
    const [rows, cols] = this.shape;
    if (rows !== cols) throw mismatch(ShapeError, 'solve', 'a square matrix', `${rows} × ${cols}`);
    const right = Float64Array.from(takeVector(b, rows, 'b', this.dtype));
    const t = Float64Array.from(this.diagonals);
    const solve = this.isCirculant
      ? (v: Float64Array) => circulantSolve(t.slice(cols - 1), v)
      : (v: Float64Array) => levinson(t, v);
    if (singular === 'lstsq') return convertLike(this.diagonals, solve(right).x);
    return convertLike(
      this.diagonals,
      solveRefined(t, right, solve, this.isCirculant ? CIRCULANT : TOEPLITZ),
    );
  }
}

/** A[i, j] = diagonals[i + j] */
class Hankel<A extends FloatArray> implements HankelMatrix<A> {
  readonly shape: readonly [rows: number, cols: number];
  readonly dtype: DTypeOf<A>;

  constructor(
    private readonly diagonals: A,
    rows: number,
    cols: number,
  ) {
    this.shape = Object.freeze([rows, cols] as const);
    this.dtype = dtypeOf(diagonals);
  }

  matvec(x: VectorLike, out?: TypedArray): A {
    const operand = takeVector(x, this.shape[1], 'x', this.dtype);
    const result = resultVector(out, this.shape[0], this.diagonals, operand);
    slide(this.diagonals, operand.slice().reverse(), result);
    return result;
  }

  rmatvec(y: VectorLike, out?: TypedArray): A {
    const operand = takeVector(y, this.shape[0], 'y', this.dtype);
    const result = resultVector(out, this.shape[1], this.diagonals, operand);
    slide(this.diagonals, operand.slice().reverse(), result);
    return result;
  }

  toDense(options?: DenseOptions): Tensor<A> {
    return dense(this.shape, this.diagonals, options, (i, j) => this.diagonals[i + j]);
  }
}

// Relative to ‖A‖‖x‖ + ‖b‖. A stable method leaves some roundings; more than this is no solution.
const ACCEPTABLE_RESIDUAL = 1e-8;
const REFINEMENTS = 2;

/** What can be solved, by Levinson's recursion and by transforms. */
const TOEPLITZ = 'a regular matrix with regular leading blocks';
const CIRCULANT =
  'a circulant matrix none of whose eigenvalues is zero (lsqr gives the least squares solution of others)';

/** Solves, and corrects the solution by solving for its residual: the recursion alone loses digits on the way. */
function solveRefined(
  t: Float64Array,
  b: Float64Array,
  solve: (b: Float64Array) => Attempt,
  solvable: string,
): Float64Array {
  const { x, complete } = solve(b);
  const size = t.reduce((sum, value) => sum + Math.abs(value), 0);
  const residual = new Float64Array(b.length);
  const measure = (): number => {
    slide(t, x, residual);
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

function dense<A extends FloatArray>(
  shape: readonly [number, number],
  diagonals: A,
  options: DenseOptions | undefined,
  at: (i: number, j: number) => number,
): Tensor<A> {
  const { maxBytes } = checkOptions(options, ['maxBytes']);
  checkDenseSize(shape, dtypeOf(diagonals), maxBytes);
  const [rows, cols] = shape;
  const data = uninitialisedLike(diagonals, rows * cols);
  for (let i = 0, to = 0; i < rows; i++) for (let j = 0; j < cols; j++) data[to++] = at(i, j);
  return new Tensor(data, shape);
}

function diagonalsOf(column: FloatArray, row: FloatArray, dtype: FloatDType): FloatArray {
  const diagonals: FloatArray = zeros(dtype, elementCount([column.length + row.length - 1], 'c and r'));
  for (let j = 1; j < row.length; j++) diagonals[row.length - 1 - j] = row[j];
  diagonals.set(column, row.length - 1);
  return diagonals;
}

/** The two vectors in one floating dtype; copies are made of them later. */
function takePair(
  c: VectorLike,
  r: VectorLike | undefined,
  name = 'c',
): [FloatArray, FloatArray | null, FloatDType] {
  const [first, second] = r === undefined ? [takeFloat(c, name), undefined] : takeFloats([name, 'r'], [c, r]);
  for (const [vector, argument] of [
    [first, name],
    [second, 'r'],
  ] as const) {
    if (vector?.size === 0) throw mismatch(ShapeError, argument, 'at least one element', 'none');
  }
  return [first.data, second === undefined ? null : second.data, first.dtype];
}

function checkCorner(r: number, c: number, which: string): void {
  if (r !== c && !(Number.isNaN(r) && Number.isNaN(c))) {
    throw mismatch(ArgumentError, 'r', `a first entry equal to ${which} (${c})`, `${r}`);
  }
}
