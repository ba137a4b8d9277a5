/** The arrays of matrices in compressed sparse rows: checked, and made of coordinates. */
import { checkOffsets, isArray, isInteger, MAX_ELEMENTS, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError, MemoryError, ShapeError } from '../errors.js';
import {
  checkFloat,
  convertLike,
  type DType,
  type FloatArray,
  isTypedArray,
  uninitialised,
  zeros,
} from '../tensor/dtype.js';
import { checkData } from '../tensor/tensor.js';
import { type Pauses, withoutPause } from './vectors.js';

/** Offsets of rows, columns of entries, and their values. */
interface Compressed<A extends FloatArray> {
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly data: A;
}

export function checkMatrixShape(shape: unknown): readonly [number, number] {
  if (!isArray(shape) || shape.length !== 2) throw mistake(ShapeError, 'shape', '[rows, cols]', shape);
  const [rows, cols] = shape;
  if (!isInteger(rows) || !isInteger(cols) || rows < 0 || cols < 0)
    throw mistake(ArgumentError, 'shape', 'two integers ≥ 0', shape);
  // Offsets and columns are int32.
  if (Math.max(rows, cols) > MAX_ELEMENTS)
    throw mistake(MemoryError, 'shape', 'at most 2^31 - 1 rows and columns', shape);
  return [rows, cols];
}

export function checkArrays(
  shape: readonly [number, number],
  indptr: Int32Array,
  indices: Int32Array,
  data: FloatArray,
): void {
  withoutPause(checksOfArrays(shape, indptr, indices, data));
}

/** Entries between two pauses: some tenths of a millisecond. */
const CHECKED_AT_ONCE = 2 ** 17;

/** checkArrays, with pauses. */
export function* checksOfArrays(
  [rows, cols]: readonly [number, number],
  indptr: Int32Array,
  indices: Int32Array,
  data: FloatArray,
): Pauses<void> {
  checkInt32(indptr, 'indptr');
  checkInt32(indices, 'indices');
  checkFloat(checkData(data, 'data'), 'data');
  if (indices.length !== data.length) {
    throw mismatch(ShapeError, 'indices', `${data.length} columns, one per value`, `${indices.length}`);
  }
  checkOffsets(indptr, rows, data.length);
  yield;
  for (let p = 0; p < indices.length; ) {
    for (const end = Math.min(p + CHECKED_AT_ONCE, indices.length); p < end; p++) {
      if (indices[p] < 0 || indices[p] >= cols)
        throw mismatch(ArgumentError, `indices[${p}]`, `a column from 0 to ${cols - 1}`, `${indices[p]}`);
    }
    yield;
  }
}

function checkInt32(array: Int32Array, argument: string): void {
  const dtype: DType = checkData(array, argument);
  if (dtype !== 'int32') throw mismatch(DTypeError, argument, 'int32', dtype);
}

export function checkCoordinates(values: unknown, length: number, size: number, argument: string): void {
  if (!isArray(values) && !isTypedArray(values)) {
    throw mistake(ArgumentError, argument, 'an array of integers', values);
  }
  if (values.length !== length) {
    throw mismatch(ShapeError, argument, `${length} elements, one per value`, `${values.length}`);
  }
  for (let p = 0; p < length; p++) {
    const value = values[p];
    if (!isInteger(value) || value < 0 || value >= size) {
      throw mistake(ArgumentError, `${argument}[${p}]`, `an integer from 0 to ${size - 1}`, value);
    }
  }
}

/** Offsets of `size` buckets that hold `keys`: what a counting sort starts from. */
export function countingStarts(keys: ArrayLike<number>, size: number): Int32Array {
  const starts = zeros('int32', size + 1);
  for (let p = 0; p < keys.length; p++) starts[keys[p] + 1]++;
  for (let i = 0; i < size; i++) starts[i + 1] += starts[i];
  return starts;
}

/** Two counting sorts, by column and then by row, put every entry beside those of its place; sums are in float64. */
export function compress<A extends FloatArray>(
  [rows, cols]: readonly [number, number],
  row: ArrayLike<number>,
  col: ArrayLike<number>,
  data: A,
): Compressed<A> {
  const byColumn = bucketOrder(col, cols, (p) => p, data.length);
  const order = bucketOrder(row, rows, (p) => byColumn[p], data.length);
  const indptr = zeros('int32', rows + 1);
  const indices = uninitialised('int32', data.length);
  const values = zeros('float64', data.length);
  let end = 0;
  let last = -1;
  for (const p of order) {
    const i = row[p];
    if (end === 0 || i !== last || indices[end - 1] !== col[p]) {
      indices[end++] = col[p];
      indptr[i + 1]++;
      last = i;
    }
    values[end - 1] += data[p];
  }
  for (let i = 0; i < rows; i++) indptr[i + 1] += indptr[i];
  return { indptr, indices: indices.slice(0, end), data: convertLike(data, values.subarray(0, end)) };
}

/** The entries sequence(0), sequence(1), … stably sorted by their key. */
function bucketOrder(
  keys: ArrayLike<number>,
  size: number,
  sequence: (p: number) => number,
  length: number,
): Int32Array {
  const next = countingStarts(keys, size);
  const order = uninitialised('int32', length);
  for (let p = 0; p < length; p++) {
    const entry = sequence(p);
    order[next[keys[entry]]++] = entry;
  }
  return order;
}
