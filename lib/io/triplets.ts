/** Rows, columns and values of entries whose number is only known when all have come, and the matrix that they make. */

import { breathe } from '../host/pace.js';
import { type CsrMatrix, csrOf } from '../matrix/csr.js';
import { uninitialised, zeros } from '../tensor/dtype.js';
import type { Budget } from './budget.js';

/** Entries of a block, which are moved without letting the event loop turn. */
const BLOCK = 1 << 12;
/** Row, column and value: here, between the two passes, and in the matrix. */
const ENTRY_BYTES = 16 + 12 + 12;

interface Block {
  readonly rows: Int32Array;
  readonly cols: Int32Array;
  readonly values: Float64Array;
}

export class Triplets {
  readonly #budget: Budget;
  readonly #blocks: Block[] = [];
  #last: Block | undefined;
  #filled = BLOCK;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  push(row: number, col: number, value: number): void {
    const block = this.#filled < BLOCK && this.#last !== undefined ? this.#last : this.#open();
    block.rows[this.#filled] = row;
    block.cols[this.#filled] = col;
    block.values[this.#filled++] = value;
  }

  #open(): Block {
    this.#budget.take(ENTRY_BYTES * BLOCK);
    const block = {
      rows: uninitialised('int32', BLOCK),
      cols: uninitialised('int32', BLOCK),
      values: uninitialised('float64', BLOCK),
    };
    this.#blocks.push(block);
    this.#last = block;
    this.#filled = 0;
    return block;
  }

  get #count(): number {
    return BLOCK * this.#blocks.length - (BLOCK - this.#filled) * Math.min(1, this.#blocks.length);
  }

  /**
   * The matrix of this shape, in which all of them must lie; entries of one place are summed, in the order of their coming.
   * Two counting sorts, as in CsrMatrix.fromCOO, during which the event loop turns.
   */
  async toCSR(shape: readonly [rows: number, cols: number]): Promise<CsrMatrix<Float64Array>> {
    const [rows, cols] = shape;
    const count = this.#count;
    const lengthOf = (block: Block) => (block === this.#last ? this.#filled : BLOCK);

    const colStarts = zeros('int32', cols + 1);
    const indptr = zeros('int32', rows + 1);
    for (const block of this.#blocks) {
      const length = lengthOf(block);
      for (let i = 0; i < length; i++) colStarts[block.cols[i] + 1]++;
      for (let i = 0; i < length; i++) indptr[block.rows[i] + 1]++;
      await breathe();
    }
    await accumulate(colStarts);
    await accumulate(indptr);

    // By column first.
    const rowOf = uninitialised('int32', count);
    const valueAt = uninitialised('float64', count);
    const next = colStarts.slice();
    for (const block of this.#blocks) {
      const length = lengthOf(block);
      for (let i = 0; i < length; i++) {
        const to = next[block.cols[i]]++;
        rowOf[to] = block.rows[i];
        valueAt[to] = block.values[i];
      }
      await breathe();
    }
    this.#blocks.length = 0;

    // Then by row, so that columns ascend in each.
    const indices = uninitialised('int32', count);
    const data = uninitialised('float64', count);
    const ends = indptr.slice();
    let moved = 0;
    for (let j = 0; j < cols; j++) {
      for (let p = colStarts[j]; p < colStarts[j + 1]; p++) {
        const row = rowOf[p];
        const last = ends[row] - 1;
        if (last >= indptr[row] && indices[last] === j) data[last] += valueAt[p];
        else {
          indices[ends[row]] = j;
          data[ends[row]++] = valueAt[p];
        }
        if (++moved % BLOCK === 0) await breathe();
      }
      if (j % BLOCK === 0) await breathe();
    }
    return closed(shape, indptr, ends, indices, data);
  }
}

/** Counts of buckets, each one place further on, as their starts. */
async function accumulate(counts: Int32Array): Promise<void> {
  for (let i = 1; i < counts.length; ) {
    for (const end = Math.min(i + BLOCK, counts.length); i < end; i++) counts[i] += counts[i - 1];
    await breathe();
  }
}

/** Rows that end before the next one begins, where entries were summed, moved together. */
async function closed(
  shape: readonly [rows: number, cols: number],
  indptr: Int32Array,
  ends: Int32Array,
  indices: Int32Array,
  data: Float64Array,
): Promise<CsrMatrix<Float64Array>> {
  let to = 0;
  for (let i = 0; i < shape[0]; i++) {
    const start = indptr[i];
    const length = ends[i] - start;
    if (to < start) {
      indices.copyWithin(to, start, ends[i]);
      data.copyWithin(to, start, ends[i]);
    }
    indptr[i] = to;
    to += length;
    if (i % BLOCK === 0) await breathe();
  }
  indptr[shape[0]] = to;
  if (to === data.length) return csrOf(shape, indptr, indices, data);
  return csrOf(shape, indptr, indices.slice(0, to), data.slice(0, to));
}
