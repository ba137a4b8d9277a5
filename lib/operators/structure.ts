/**
 * What other machines ask of a matrix before they multiply by it: its diagonals (slot-packed encrypted products) and its
 * tiles (crossbars). Both are counted from runs of rows that are alike, so that a convolution's matrix is never stored.
 */
import { checkInteger, elementCount, isInstance, isObject, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { ConvMatrix, TransposedConvMatrix } from '../matrix/conv-matrix.js';
import type { LinearOperator, SparseFormats } from '../matrix/operator.js';
import { forEachRowRun } from '../plan/entries.js';
import { type FloatArray, type FloatDType, zeros } from '../tensor/dtype.js';

/** Entries that follow one another: (row + i, col + i·step) for i < count, all of one value. */
interface EntryRun {
  readonly row: number;
  readonly col: number;
  readonly count: number;
  readonly rowStep: number;
  readonly colStep: number;
  readonly value: number;
}

interface Runs {
  readonly shape: readonly [rows: number, cols: number];
  readonly dtype: FloatDType;
  forEach(visit: (run: EntryRun) => void): void;
}

function runsOf(A: SparseFormats & LinearOperator): Runs {
  if (isInstance(A, ConvMatrix)) return convolutionRuns(A);
  if (isInstance(A, TransposedConvMatrix)) {
    const { dtype, forEach } = convolutionRuns(A.T);
    const swapped = (visit: (run: EntryRun) => void) => (run: EntryRun) =>
      visit({ ...run, row: run.col, col: run.row, rowStep: run.colStep, colStep: run.rowStep });
    return { shape: A.shape, dtype, forEach: (visit) => forEach(swapped(visit)) };
  }
  if (!isObject(A) || typeof A.toCSR !== 'function')
    throw mistake(ArgumentError, 'A', 'a matrix with sparse formats (toCSR)', A);
  const { shape, dtype, indptr, indices, data } = A.toCSR();
  return {
    shape,
    dtype,
    forEach(visit) {
      for (let row = 0; row < shape[0]; row++) {
        for (let p = indptr[row]; p < indptr[row + 1]; p++)
          visit({ row, col: indices[p], count: 1, rowStep: 1, colStep: 1, value: data[p] });
      }
    },
  };
}

function convolutionRuns(matrix: ConvMatrix): Runs {
  return {
    shape: matrix.shape,
    dtype: matrix.dtype,
    forEach(visit) {
      forEachRowRun(matrix.structure, ({ first, count, step, entries, columns, values }) => {
        for (let e = 0; e < entries; e++)
          visit({ row: first, col: columns[e], count, rowStep: 1, colStep: step, value: values[e] });
      });
    },
  };
}

/** A matrix by its generalised diagonals. */
export interface Diagonals {
  /** Ascending, in [0, cols). */
  readonly offsets: Int32Array;
  /** values[k][i] = A[i, (i + offsets[k]) mod cols], each made when it is read: keep what you read. */
  readonly values: readonly FloatArray[];
}

/**
 * The generalised diagonals of a matrix that are not all zero: with them
 * A·x = Σ_k values[k] ⊙ rotate(x, offsets[k]), rotate(x, s)[i] = x[(i + s) mod cols], which is how encrypted products over
 * packed slots go (Halevi and Shoup, 2014).
 *
 * The offsets are counted from the structure. An element of `values` has as many entries as A has rows and is made at
 * each access, so that the diagonals of a large convolution take no memory before they are used.
 *
 * @throws {ArgumentError} for a matrix without sparse formats.
 * @example diagonals(A).offsets   // Int32Array [0]
 */
export function diagonals(A: SparseFormats & LinearOperator): Diagonals {
  const { shape, dtype, forEach } = runsOf(A);
  const [rows, cols] = shape;
  const offsetOf = (row: number, col: number): number => (((col - row) % cols) + cols) % cols;
  const sums = new Map<number, boolean>();
  forEach(({ row, col, count, rowStep, colStep, value }) => {
    if (value === 0) return;
    const distinct = rowStep === colStep ? 1 : count;
    for (let i = 0; i < distinct; i++) sums.set(offsetOf(row + i * rowStep, col + i * colStep), true);
  });
  const offsets = Int32Array.from(sums.keys()).sort();
  const build = (offset: number): FloatArray => {
    const values: FloatArray = zeros(dtype, rows);
    forEach(({ row, col, count, rowStep, colStep, value }) => {
      const parallel = rowStep === colStep;
      if (parallel && offsetOf(row, col) !== offset) return;
      for (let i = 0; i < count; i++) {
        const at = row + i * rowStep;
        if (parallel || offsetOf(at, col + i * colStep) === offset) values[at] += value;
      }
    });
    return values;
  };
  const values: FloatArray[] = [];
  offsets.forEach((offset, k) => {
    Object.defineProperty(values, k, { enumerable: true, get: () => build(offset) });
  });
  return { offsets, values: Object.freeze(values) };
}

/** How a matrix lies on tiles of one size. */
export interface TilePlan {
  /** Tiles down and across: ⌈A's rows / rows⌉ and ⌈A's columns / cols⌉. */
  readonly grid: readonly [down: number, across: number];
  /** Tiles with at least one entry. */
  readonly occupied: number;
  /** The share of the occupied tiles' rows·cols cells that hold an entry; 0 without any. */
  readonly fill: number;
  /** Entries of each tile, row-major over the grid: 0 where a tile is empty. */
  readonly nnz: Int32Array;
}

/**
 * How many tiles of rows × cols cells hold a matrix, which are empty, and how full the others are: what it takes to lay
 * it out on crossbars. Stored entries count, whatever their value.
 *
 * @throws {ArgumentError} for tiles without cells or a matrix without sparse formats, {MemoryError} when the grid has
 *   2³¹ tiles or more.
 * @example tilePlan(A, 1, 2).occupied   // 2
 */
export function tilePlan(A: SparseFormats & LinearOperator, rows: number, cols: number): TilePlan {
  const { shape, forEach } = runsOf(A);
  const height = checkInteger(rows, 'rows', 1);
  const width = checkInteger(cols, 'cols', 1);
  const grid = [Math.ceil(shape[0] / height), Math.ceil(shape[1] / width)] as const;
  const nnz = zeros('int32', elementCount(grid, 'grid'));
  let entries = 0;
  forEach(({ row, col, count, rowStep, colStep }) => {
    entries += count;
    let i = 0;
    while (i < count) {
      const r = row + i * rowStep;
      const c = col + i * colStep;
      const [down, across] = [Math.floor(r / height), Math.floor(c / width)];
      // The run leaves the tile where its row or its column does.
      const inRows = Math.ceil(((down + 1) * height - r) / rowStep);
      const inColumns = Math.ceil(((across + 1) * width - c) / colStep);
      const inTile = Math.min(inRows, inColumns, count - i);
      nnz[down * grid[1] + across] += inTile;
      i += inTile;
    }
  });
  let occupied = 0;
  for (const count of nnz) if (count > 0) occupied++;
  return Object.freeze({
    grid: Object.freeze(grid),
    occupied,
    fill: occupied === 0 ? 0 : entries / (occupied * height * width),
    nnz,
  });
}
