/** The arrays of matrices in compressed sparse rows: checked, and made of coordinates. */
import { checkOffsets, isArray, isInteger, MAX_ELEMENTS, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError, MemoryError, ShapeError } from '../errors.js';
import {
  checkFloat,
  type DType,
  type FloatArray,
  isTypedArray,
  uninitialised,
  uninitialisedLike,
  viewOf,
  zeros,
} from '../tensor/dtype.js';
import { checkData } from '../tensor/tensor.js';
import { type Pauses, slices, withoutPause } from './vectors.js';

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
  yield* slices(indices.length, (start, count) => {
    for (let p = start; p < start + count; p++) {
      if (indices[p] < 0 || indices[p] >= cols)
        throw mismatch(ArgumentError, `indices[${p}]`, `a column from 0 to ${cols - 1}`, `${indices[p]}`);
    }
  });
}

function checkInt32(array: Int32Array, argument: string): void {
  const dtype: DType = checkData(array, argument);
  if (dtype !== 'int32') throw mismatch(DTypeError, argument, 'int32', dtype);
}

/** Checks the rows, or the columns, of entries. */
export function* checksOfCoordinates(
  values: unknown,
  length: number,
  size: number,
  argument: string,
): Pauses<void> {
  if (!isArray(values) && !isTypedArray(values)) {
    throw mistake(ArgumentError, argument, 'an array of integers', values);
  }
  if (values.length !== length) {
    throw mismatch(ShapeError, argument, `${length} elements, one per value`, `${values.length}`);
  }
  yield* slices(length, (start, count) => {
    for (let p = start; p < start + count; p++) {
      const value = values[p];
      if (!isInteger(value) || value < 0 || value >= size) {
        throw mistake(ArgumentError, `${argument}[${p}]`, `an integer from 0 to ${size - 1}`, value);
      }
    }
  });
}

/** Entries that are moved to places all over memory between two pauses. */
const SCATTERED = 2 ** 14;

function scattered(length: number, run: (start: number, count: number) => void): Pauses<void> {
  return slices(length, run, SCATTERED);
}

/** Offsets of `size` buckets that hold `keys`: what a counting sort starts from. */
function* countingStarts(keys: ArrayLike<number>, size: number): Pauses<Int32Array> {
  const starts = zeros('int32', size + 1);
  yield* scattered(keys.length, (start, count) => {
    for (let p = start; p < start + count; p++) starts[keys[p] + 1]++;
  });
  yield* sums(starts);
  return starts;
}

/** Counts of buckets, each one place further on, as their starts. */
function* sums(counts: Int32Array): Pauses<void> {
  yield* scattered(counts.length - 1, (start, count) => {
    for (let i = start; i < start + count; i++) counts[i + 1] += counts[i];
  });
}

/** The entries sequence(0), sequence(1), … stably sorted by their key. */
function* bucketOrder(
  keys: ArrayLike<number>,
  size: number,
  sequence: (p: number) => number,
  length: number,
): Pauses<Int32Array> {
  const next = yield* countingStarts(keys, size);
  const order = uninitialised('int32', length);
  yield* scattered(length, (start, count) => {
    for (let p = start; p < start + count; p++) {
      const entry = sequence(p);
      order[next[keys[entry]]++] = entry;
    }
  });
  return order;
}

/** Two counting sorts, by column and then by row, put every entry beside those of its place; sums are in float64. */
export function* compressing<A extends FloatArray>(
  [rows, cols]: readonly [number, number],
  row: ArrayLike<number>,
  col: ArrayLike<number>,
  data: A,
): Pauses<Compressed<A>> {
  const byColumn = yield* bucketOrder(col, cols, (p) => p, data.length);
  const order = yield* bucketOrder(row, rows, (p) => byColumn[p], data.length);
  const indptr = zeros('int32', rows + 1);
  const indices = uninitialised('int32', data.length);
  const values = zeros('float64', data.length);
  let end = 0;
  let last = -1;
  yield* scattered(data.length, (start, count) => {
    let [to, above] = [end, last];
    for (let at = start; at < start + count; at++) {
      const p = order[at];
      const i = row[p];
      if (to === 0 || i !== above || indices[to - 1] !== col[p]) {
        indices[to++] = col[p];
        indptr[i + 1]++;
        above = i;
      }
      values[to - 1] += data[p];
    }
    [end, last] = [to, above];
  });
  yield* sums(indptr);
  const summed = uninitialisedLike(data, end);
  yield* slices(end, (start, count) => summed.set(viewOf(values, start, count), start));
  return { indptr, indices: end < indices.length ? indices.slice(0, end) : indices, data: summed };
}

/** The transpose's arrays: a counting sort by column, which keeps the order of rows. */
export function* transposing<A extends FloatArray>(
  [, cols]: readonly [number, number],
  { indptr, indices, data }: Compressed<A>,
): Pauses<Compressed<A>> {
  const starts = yield* countingStarts(indices, cols);
  const next = starts.slice();
  const rowOf = uninitialised('int32', indices.length);
  const values = uninitialisedLike(data);
  let row = 0;
  yield* scattered(indices.length, (start, count) => {
    let i = row;
    for (let p = start; p < start + count; p++) {
      while (p >= indptr[i + 1]) i++;
      const to = next[indices[p]]++;
      rowOf[to] = i;
      values[to] = data[p];
    }
    row = i;
  });
  return { indptr: starts, indices: rowOf, data: values };
}
