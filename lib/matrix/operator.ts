/** What every matrix here is to its users: an operator on vectors, and perhaps a source of sparse formats. */
import { describe, elementCount, isInteger, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError, MemoryError, ShapeError } from '../errors.js';
import {
  BYTES,
  checkFloat,
  convert,
  dtypeOf,
  type FloatArray,
  type FloatDType,
  type TypedArray,
  uninitialised,
} from '../tensor/dtype.js';
import { type TensorLike, takeTensor, type VectorLike } from '../tensor/take.js';
import { checkData, type Tensor } from '../tensor/tensor.js';
import type { CsrMatrix } from './csr.js';

/**
 * SciPy's LinearOperator in JavaScript: all that a solver needs. Any object with these three members will do.
 * Results have the operator's dtype; a vector of the other floating dtype is converted.
 */
export interface LinearOperator {
  readonly shape: readonly [rows: number, cols: number];
  /** A·x. `out` receives the result and is returned; it must not share memory with x. */
  matvec(x: VectorLike, out?: TypedArray): TypedArray;
  /** Aᵀ·y. */
  rmatvec(y: VectorLike, out?: TypedArray): TypedArray;
}

export interface DenseOptions {
  /** The most that the dense matrix may take. Default 1 GiB. */
  readonly maxBytes?: number;
}

/** Coordinates and values, one per stored entry, rows ascending and columns ascending within a row. */
export interface Coo {
  readonly shape: readonly [rows: number, cols: number];
  readonly row: Int32Array;
  readonly col: Int32Array;
  readonly data: FloatArray;
}

export interface SparseFormats {
  /** [rows, cols]. @throws {MemoryError} when it would exceed `maxBytes`. */
  toDense(options?: DenseOptions): Tensor;
  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCSR(): CsrMatrix;
  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCOO(): Coo;
}

/** A vector argument as an array of the operator's dtype: the caller's own memory when it has that dtype. */
export function takeVector(
  value: VectorLike,
  length: number,
  argument: string,
  dtype: FloatDType,
): FloatArray {
  const vector = takeTensor(value, argument, dtype);
  checkFloat(vector.dtype, argument);
  if (vector.size !== length) {
    throw mismatch(ShapeError, argument, `${length} elements`, `${vector.size} elements`);
  }
  return (vector.dtype === dtype ? vector.data : convert(vector.data, dtype)) as FloatArray;
}

/** A matrix argument [rows, any]; its dtype is converted as a vector's is. */
export function takeColumns(
  value: TensorLike,
  rows: number,
  argument: string,
  dtype: FloatDType,
): { data: FloatArray; columns: number } {
  const matrix = takeTensor(value, argument, dtype);
  checkFloat(matrix.dtype, argument);
  if (matrix.shape.length !== 2 || matrix.shape[0] !== rows) {
    throw mismatch(ShapeError, argument, `shape [${rows}, columns]`, `shape [${matrix.shape.join(', ')}]`);
  }
  const data = (matrix.dtype === dtype ? matrix.data : convert(matrix.data, dtype)) as FloatArray;
  return { data, columns: matrix.shape[1] };
}

/**
 * Where a product goes: a new array, or the caller's `out` after checking that it may receive it.
 *
 * @param memory  What else the product reads: arrays of the operator itself that its users can reach.
 */
export function resultVector(
  out: unknown,
  length: number,
  dtype: FloatDType,
  operand: FloatArray,
  memory: readonly TypedArray[] = [],
): FloatArray {
  if (out === undefined) return uninitialised(dtype, length);
  if (dtypeOf(out) === undefined) throw mistake(ArgumentError, 'out', `a typed array of ${dtype}`, out);
  const own = checkData(out, 'out');
  if (own !== dtype) throw mismatch(DTypeError, 'out', dtype, own);
  const result = out as FloatArray;
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

/** An operator by its three members, whoever made it. */
export function checkOperator(A: LinearOperator, argument = 'A'): readonly [number, number] {
  const { shape, matvec, rmatvec } = (A ?? {}) as Partial<LinearOperator>;
  const isShape =
    Array.isArray(shape) && shape.length === 2 && shape.every((size) => isInteger(size) && size >= 0);
  if (!isShape || typeof matvec !== 'function' || typeof rmatvec !== 'function') {
    throw mistake(ArgumentError, argument, 'an operator {shape: [rows, cols], matvec, rmatvec}', A);
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
