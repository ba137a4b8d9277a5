/**
 * Matrix products in tiles of 2 rows × 3 columns: every entry a dot product of two vectors that lie contiguous.
 *
 * The vectors are packed into arrays that are made once, when the module loads, and of fixed length: V8 compiles
 * their addresses and lengths into the loop as constants, so that a step of five loads costs two bounds checks. Row r
 * lies in array r mod 2 and column c in array c mod 3, so one index and its one check serve all arrays of a side.
 * Six sums, six products and five operands just fit the sixteen registers: on a Zen 4 core this tile runs at 9 GFLOP/s,
 * 3 × 3 and 4 × 3 at 5 to 6 (they spill), 2 × 2 at 7.
 */
import { joined, Scratch } from './scratch.js';
import type { Work } from './work.js';

/** Elements of each packed array; a page of it costs memory only once it is used. */
export const CAPACITY = 1 << 18;
/** Sums of a block. */
export const TILES = 1 << 17;
/** The vectors of a block, and its sums. */
export const gemmScratch = new Scratch(CAPACITY, CAPACITY, CAPACITY, CAPACITY, CAPACITY, TILES);
const [rows0, rows1, columns0, columns1, columns2, sums] = gemmScratch.arrays;

/** Row i of a block is [⌊i/2⌋·depth …] of rows[i mod 2]; column j is [⌊j/3⌋·depth …] of columns[j mod 3]. */
export const rows: readonly Float64Array[] = [rows0, rows1];
export const columns: readonly Float64Array[] = [columns0, columns1, columns2];

/** Sums of a block, tile by tile: entry (i, j) is at tileAt(i, j, columns of the block). */
export const tiles: Float64Array = sums;

/** The arrays of rows as one: the second begins at CAPACITY. */
export const rowPanel = joined([rows0, rows1]);

/** The steps of a dot product at a time: five vectors of it fit an L1 cache of 32 KiB. */
const DEPTH = 640;
/** What a block takes of the capacity: it stays in a second-level cache. */
const PRODUCT_BLOCK = 1 << 15;
const PRODUCT_TILES = 1 << 16;
/** More columns than this in a block win nothing, and fewer fit the tiles. */
const MAX_COLUMNS = 384;

export function tileAt(row: number, column: number, blockColumns: number): number {
  const triples = Math.ceil(blockColumns / 3);
  return ((row >> 1) * triples + Math.floor(column / 3)) * 6 + (row & 1) * 3 + (column % 3);
}

/** Steps [start, start + depth) of vectors [first, first + count). */
export interface Slice {
  readonly first: number;
  readonly count: number;
  readonly start: number;
  readonly depth: number;
}

/** Rows and columns of a product. */
export interface Region {
  readonly firstRow: number;
  readonly rowCount: number;
  readonly firstColumn: number;
  readonly columnCount: number;
}

/** A product rows × depth · depth × columns, as its two operands and its result see it, block by block. */
export interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  packRows(slice: Slice): void;
  packColumns(slice: Slice): void;
  /** Takes the finished sums of a block out of `tiles`. */
  store(block: Region): void;
}

/** @param unitSize  The most multiplications in one unit. */
export function* multiply(product: Product, unitSize: number): Work {
  const { rows: rowCount, columns: columnCount, depth } = product;
  const depthBlock = Math.ceil(depth / Math.ceil(Math.max(depth, 1) / DEPTH));
  const vectors = Math.floor(PRODUCT_BLOCK / Math.max(depthBlock, 1));
  const maxColumns = Math.min(MAX_COLUMNS, 3 * vectors);
  const maxRows = Math.min(2 * vectors, Math.floor(PRODUCT_TILES / maxColumns / 2) * 2);
  // Squarish blocks: every packed row is used once per column, and every packed column once per row.
  const area = Math.max(36, unitSize / Math.max(depth, 1));
  const columnBlock = evenBlock(
    columnCount,
    Math.min(maxColumns, Math.max(6, area / Math.min(maxRows, rowCount), Math.sqrt(area))),
    3,
  );
  const rowBlock = evenBlock(rowCount, Math.min(maxRows, Math.max(6, area / columnBlock)), 2);
  // What is packed already, when one block holds all of the depth.
  let packedColumn = -1;
  let packedRow = -1;
  for (let firstColumn = 0; firstColumn < columnCount; firstColumn += columnBlock) {
    const columnsHere = Math.min(columnBlock, columnCount - firstColumn);
    for (let firstRow = 0; firstRow < rowCount; firstRow += rowBlock) {
      const rowsHere = Math.min(rowBlock, rowCount - firstRow);
      let start = 0;
      do {
        const steps = Math.min(depthBlock, depth - start);
        const isKept = gemmScratch.hold(product) && steps === depth;
        if (!isKept || packedColumn !== firstColumn)
          product.packColumns({ first: firstColumn, count: columnsHere, start, depth: steps });
        if (!isKept || packedRow !== firstRow)
          product.packRows({ first: firstRow, count: rowsHere, start, depth: steps });
        packedColumn = firstColumn;
        packedRow = firstRow;
        multiplyBlock({
          pairs: Math.ceil(rowsHere / 2),
          triples: Math.ceil(columnsHere / 3),
          depth: steps,
          rows: { first: 0, distance: steps },
          columns: { first: 0, distance: steps },
          sums: { first: 0, distance: 6 },
          accumulate: start > 0,
        });
        start += steps;
      } while (start < depth);
      product.store({ firstRow, rowCount: rowsHere, firstColumn, columnCount: columnsHere });
      yield;
    }
  }
}

/** The block size that cuts `count` into equal parts of at most `limit`, each a multiple of `quantum`. */
function evenBlock(count: number, limit: number, quantum: number): number {
  const blocks = Math.max(1, Math.ceil(count / Math.max(quantum, limit)));
  return Math.max(quantum, Math.ceil(count / blocks / quantum) * quantum);
}

/** Where the first of some lies, and how far it is from one to the next. */
interface Lying {
  readonly first: number;
  readonly distance: number;
}

/** Tiles of pairs of rows × triples of columns. */
export interface TileBlock {
  readonly pairs: number;
  readonly triples: number;
  readonly depth: number;
  readonly rows: Lying;
  readonly columns: Lying;
  /** The sums of tiles, 6 apart when they lie side by side. */
  readonly sums: Lying;
  /** Whether they are added to what is there. */
  readonly accumulate: boolean;
}

/** Every tile of the block. */
export function multiplyBlock({ pairs, triples, depth, rows, columns, sums, accumulate }: TileBlock): void {
  for (let triple = 0; triple < triples; triple++) {
    const column = columns.first + triple * columns.distance;
    for (let pair = 0; pair < pairs; pair++) {
      const at = sums.first + (pair * triples + triple) * sums.distance;
      multiplyTile(depth, rows.first + pair * rows.distance, column, at, accumulate);
    }
  }
}

// A range that V8 can see: below it no sum of two indices can overflow, so none is checked for it.
const INDEX = CAPACITY - 1;

function multiplyTile(depth: number, row: number, column: number, tile: number, accumulate: boolean): void {
  const first = row & INDEX;
  const end = first + (depth & INDEX);
  const shift = ((column & INDEX) - first) | 0;
  let c00 = 0;
  let c01 = 0;
  let c02 = 0;
  let c10 = 0;
  let c11 = 0;
  let c12 = 0;
  for (let i = first; i < end; i++) {
    const j = i + shift;
    const a0 = rows0[i];
    const a1 = rows1[i];
    const b0 = columns0[j];
    const b1 = columns1[j];
    const b2 = columns2[j];
    c00 += a0 * b0;
    c01 += a0 * b1;
    c02 += a0 * b2;
    c10 += a1 * b0;
    c11 += a1 * b1;
    c12 += a1 * b2;
  }
  const at = tile & (TILES - 1);
  if (accumulate) {
    sums[at] += c00;
    sums[at + 1] += c01;
    sums[at + 2] += c02;
    sums[at + 3] += c10;
    sums[at + 4] += c11;
    sums[at + 5] += c12;
  } else {
    sums[at] = c00;
    sums[at + 1] = c01;
    sums[at + 2] = c02;
    sums[at + 3] = c10;
    sums[at + 4] = c11;
    sums[at + 5] = c12;
  }
}
