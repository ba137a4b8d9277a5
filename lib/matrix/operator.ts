/** What every matrix here is to its users: an operator on vectors, and perhaps a source of sparse formats. */
import {
  describe,
  elementCount,
  isArray,
  isInteger,
  isObject,
  isRevoked,
  mismatch,
  mistake,
} from '../check.js';
import { ArgumentError, DTypeError, MemoryError, ShapeError } from '../errors.js';
import type { ComplexVectorLike, PartsOf } from '../tensor/complex.js';
import {
  type ArrayOf,
  BYTES,
  convert,
  type DTypeOf,
  dtypeOf,
  type FloatArray,
  type FloatDType,
  holds,
  isFloatArray,
  isTypedArray,
  type TypedArray,
  uninitialised,
} from '../tensor/dtype.js';
import { type TensorLike, takeTensor, type VectorLike } from '../tensor/take.js';
import { asFloat, checkArray, hasDType, type Tensor } from '../tensor/tensor.js';
import type { CsrMatrix } from './csr.js';

/**
 * SciPy's LinearOperator in JavaScript: all that a solver needs. Any object with these three members will do.
 * Results have the operator's dtype; a vector of the other floating dtype is converted.
 */
export interface LinearOperator {
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** A·x. `out` may receive the result, which is returned; it shares no memory with x. */
  matvec(x: FloatArray, out?: FloatArray): TypedArray;
  /** Aᵀ·y. */
  rmatvec(y: FloatArray, out?: FloatArray): TypedArray;
}

/** An operator of the library's own: it takes what every function takes for a vector, and results have its dtype. */
export interface TypedOperator<A extends FloatArray = FloatArray> extends LinearOperator {
  /** Of the entries, and of the vectors that they multiply. */
  readonly dtype: DTypeOf<A>;
  /** A·x. @param out  Receives it and is returned; of A's dtype, and of memory that it does not share with x. */
  matvec(x: VectorLike, out?: TypedArray): A;
  /** Aᵀ·y. */
  rmatvec(y: VectorLike, out?: TypedArray): A;
}

/**
 * A linear operator on complex vectors `{ re, im }`: all that a solver needs. Any object with these four members will do.
 */
export interface ComplexLinearOperator {
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** Tells it from an operator on real vectors. */
  readonly isComplex: true;
  /** A·x. `out` may receive the result, which is returned; it shares no memory with x. */
  matvec(x: PartsOf<FloatArray>, out?: PartsOf<FloatArray>): PartsOf<TypedArray>;
  /** Aᴴ·y, the product with the conjugate transpose. */
  rmatvec(y: PartsOf<FloatArray>, out?: PartsOf<FloatArray>): PartsOf<TypedArray>;
}

/** A complex operator of the library's own: it takes what every function takes for a vector, real ones too. */
export interface ComplexTypedOperator<A extends FloatArray = FloatArray> extends ComplexLinearOperator {
  /** Of each part of the entries, and of the vectors that they multiply. */
  readonly dtype: DTypeOf<A>;
  /** A·x. @param out  Receives it and is returned; of A's dtype, and of memory that it does not share with x. */
  matvec(x: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<A>;
  /** Aᴴ·y, the product with the conjugate transpose. */
  rmatvec(y: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<A>;
}

/** How large a dense matrix may get. */
export interface DenseOptions {
  /** The most that the dense matrix may take. Default 1 GiB. */
  readonly maxBytes?: number;
}

/** Coordinates and values, one per stored entry, rows ascending and columns ascending within a row. */
export interface Coo<A extends FloatArray = FloatArray> {
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** Row of each entry. */
  readonly row: Int32Array;
  /** Column of each entry. */
  readonly col: Int32Array;
  /** Value of each entry. */
  readonly data: A;
}

/** Matrices whose entries can be had, in the formats of sparse libraries. */
export interface SparseFormats<A extends FloatArray = FloatArray> {
  /** [rows, cols]. @throws {MemoryError} when it would exceed `maxBytes`. */
  toDense(options?: DenseOptions): Tensor<A>;
  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCSR(): CsrMatrix<A>;
  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCOO(): Coo<A>;
}

/** A vector argument as an array of the operator's dtype: the caller's own memory when it has that dtype. */
export function takeVector<D extends FloatDType>(
  value: VectorLike,
  length: number,
  argument: string,
  dtype: D,
): ArrayOf<D> {
  const data = takeAnyVector(value, length, argument, dtype);
  return holds(data, dtype) ? data : convert(data, dtype);
}

/** A vector argument in its own precision, which is the caller's own memory; numbers in no array of one become `dtype`. */
export function takeAnyVector(
  value: VectorLike,
  length: number,
  argument: string,
  dtype: FloatDType,
): FloatArray {
  // The usual operand, without a tensor around it.
  if (isTypedArray(value) && isFloatArray(value) && value.length === length)
    return checkArray(value, argument);
  const vector = asFloat(takeTensor(value, argument, dtype), argument);
  if (vector.size !== length) {
    throw mismatch(ShapeError, argument, `${length} elements`, `${vector.size} elements`);
  }
  return vector.data;
}

/** A matrix argument [rows, any]; its dtype is converted as a vector's is. */
export function takeColumns<D extends FloatDType>(
  value: TensorLike,
  rows: number,
  argument: string,
  dtype: D,
): { data: ArrayOf<D>; columns: number } {
  const matrix = asFloat(takeTensor(value, argument, dtype), argument);
  if (matrix.shape.length !== 2 || matrix.shape[0] !== rows) {
    throw mismatch(ShapeError, argument, `shape [${rows}, columns]`, `shape [${matrix.shape.join(', ')}]`);
  }
  const data = hasDType(matrix, dtype) ? matrix.data : convert(matrix.data, dtype);
  return { data, columns: matrix.shape[1] };
}

/**
 * Where a product goes: a new array, or the caller's `out` after checking that it may receive it.
 *
 * @param values  The operator's own, or their dtype: the result's, too.
 * @param memory  What else the product reads: arrays of the operator itself that its users can reach.
 */
export function resultVector<A extends FloatArray>(
  out: unknown,
  length: number,
  values: A,
  operand: FloatArray,
  memory?: readonly TypedArray[],
): A;
export function resultVector<D extends FloatDType>(
  out: unknown,
  length: number,
  dtype: D,
  operand: FloatArray,
  memory?: readonly TypedArray[],
): ArrayOf<D>;
export function resultVector(
  out: unknown,
  length: number,
  of: FloatArray | FloatDType,
  operand: FloatArray,
  memory: readonly TypedArray[] = [],
): FloatArray {
  const dtype = typeof of === 'string' ? of : dtypeOf(of);
  if (out === undefined) return uninitialised(dtype, length);
  if (!isTypedArray(out)) throw mistake(ArgumentError, 'out', `a typed array of ${dtype}`, out);
  const result: TypedArray = checkArray(out, 'out');
  if (!isFloatArray(result) || dtypeOf(result) !== dtype)
    throw mismatch(DTypeError, 'out', dtype, dtypeOf(result));
  if (result.length !== length)
    throw mismatch(ShapeError, 'out', `${length} elements`, `${result.length} elements`);
  if (overlaps(result, operand)) {
    throw mismatch(ArgumentError, 'out', 'memory of its own', 'memory shared with the operand');
  }
  if (memory.some((array) => overlaps(result, array))) {
    throw mismatch(ArgumentError, 'out', 'memory of its own', "memory shared with the matrix's arrays");
  }
  return result;
}

function overlaps(a: TypedArray, b: TypedArray): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  );
}

const DEFAULT_MAX_BYTES = 2 ** 30;

/** Refuses a dense matrix that the caller did not agree to hold. */
export function checkDenseSize(
  [rows, cols]: readonly [number, number],
  dtype: FloatDType,
  maxBytes: unknown = DEFAULT_MAX_BYTES,
): void {
  if (typeof maxBytes !== 'number' || !(maxBytes >= 0)) {
    throw mistake(ArgumentError, 'options.maxBytes', 'a number ≥ 0', maxBytes);
  }
  const bytes = rows * cols * BYTES[dtype];
  if (bytes > maxBytes) {
    const expected = `a dense matrix of at most ${maxBytes} bytes (options.maxBytes)`;
    throw mismatch(
      MemoryError,
      'toDense',
      expected,
      `${describe(rows)} × ${cols} of ${dtype}, ${bytes} bytes`,
    );
  }
  elementCount([rows, cols], 'toDense');
}

const MAX_ENTRIES = 2 ** 31 - 1;

/** Sparse formats count their entries with int32. */
export function checkEntryCount(entries: number, format: string): void {
  if (entries > MAX_ENTRIES) {
    throw mismatch(MemoryError, format, 'at most 2^31 - 1 entries', `${entries}`);
  }
}

/** Whether something looks like a matrix of numbers. */
function isDense(A: unknown): boolean {
  if (isRevoked(A)) return false;
  return isArray(A) || (isObject(A) && 'data' in A);
}

/** An operator by its three members, whoever made it. */
export function checkOperator(
  A: LinearOperator | ComplexLinearOperator,
  argument = 'A',
): readonly [number, number] {
  const { shape, matvec, rmatvec }: Partial<LinearOperator | ComplexLinearOperator> = isRevoked(A)
    ? {}
    : (A ?? {});
  if (!isMatrixShape(shape) || typeof matvec !== 'function' || typeof rmatvec !== 'function') {
    const remedy = isDense(A) ? ` (operators.asOperator(${argument}) makes one of a dense matrix)` : '';
    throw mistake(ArgumentError, argument, `an operator {shape: [rows, cols], matvec, rmatvec}${remedy}`, A);
  }
  return [shape[0], shape[1]];
}

function isMatrixShape(shape: unknown): shape is readonly [number, number] {
  return isArray(shape) && shape.length === 2 && shape.every((size) => isInteger(size) && size >= 0);
}

/** A user's operator may return anything: what is not a vector of the right length must not become a NaN. */
export function checkProduct(product: TypedArray, length: number, name: string): FloatArray {
  if (!isTypedArray(product) && !isArray(product)) {
    throw mistake(ArgumentError, name, 'a typed array', product);
  }
  if (product.length !== length) {
    throw mismatch(ShapeError, name, `${length} elements`, describe(product));
  }
  return isFloatArray(product) ? product : convert(product, 'float64');
}
