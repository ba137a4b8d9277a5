/**
 * How a lattice is cut into blocks for the direct algorithm: which source rows a block of outputs needs, and in what
 * order they are laid, so that a call of the inner loop goes over as many rows as it can.
 */
import { LINE_CAPACITY, MIN_LINE_WIDTH } from '../../plan/algorithms/js/rows.js';
import type { Direction } from './direction.js';
import { type Lattice, sourceAt } from './gather.js';

/** Outputs of a row at a time: what is left of the capacity goes to more rows. */
const MAX_WIDTH = 256;
/**
 * Outputs that a call of the inner loop should go over: enough to make up for the call, few enough that four channels of
 * sums stay in a first-level cache from one call to the next.
 */
const CALL_OUTPUTS = 192;

/**
 * Rows of a block: neighbours share source rows, so laying lines costs (rows + kernel − 1)/rows; that is made up for
 * by few rows when each line is used by many channels, and fewer rows stay in faster caches.
 */
const MIN_ROWS = 4;
const ROWS_OF_ONE_CHANNEL = 24;

/** Some rows of outputs, the width in part, and the source rows that they need. */
export interface Block {
  readonly depth: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly firstColumn: number;
  readonly columns: number;
  /** Offsets of the needed source rows in their channel plane; a row's index is its slot. */
  readonly sourceRows: readonly number[];
  readonly bands: readonly Band[];
}

/** Rows of a block whose taps move from one slot to the next together. */
export interface Band {
  readonly row: number;
  readonly rows: number;
  /** [depth tap][height tap]: the slot that the first row reads, or -1 for zeros. */
  readonly slots: Int32Array;
}

const known = new WeakMap<Lattice, readonly Block[]>();

/** The same for every image and group, and from call to call. */
export function blocksOf(direction: Direction, lattice: Lattice): readonly Block[] {
  const blocks = known.get(lattice) ?? planBlocks(direction, lattice);
  known.set(lattice, blocks);
  return blocks;
}

function planBlocks(direction: Direction, lattice: Lattice): Block[] {
  const [gd, gh, gw] = lattice;
  const { sourceChannels, writtenChannels } = direction;
  const chunks = Math.max(1, Math.ceil((sourceChannels * gw.taps.length) / 3));
  const perRow = gd.taps.length * gh.taps.length * chunks;
  let width = Math.min(gw.count, MAX_WIDTH);
  while (perRow * width > LINE_CAPACITY && width > MIN_LINE_WIDTH) width = Math.ceil(width / 2);
  const maxSlots = Math.floor(LINE_CAPACITY / width / chunks);
  const bandRows = Math.ceil(CALL_OUTPUTS / width);
  const wished = Math.max(MIN_ROWS, Math.ceil(ROWS_OF_ONE_CHANNEL / writtenChannels), bandRows);
  const maxRows = Math.min(wished, Math.floor(LINE_CAPACITY / width));
  const blocks: Block[] = [];
  for (let d = 0; d < gd.count; d++) {
    for (let firstRow = 0; firstRow < gh.count; ) {
      const span = spanRows(direction, lattice, d, firstRow, maxRows, maxSlots, bandRows);
      for (let firstColumn = 0; firstColumn < gw.count; firstColumn += width) {
        const columns = Math.min(width, gw.count - firstColumn);
        blocks.push({ ...span, depth: d, firstRow, firstColumn, columns });
      }
      firstRow += span.rows;
    }
  }
  return blocks;
}

/** As many rows from firstRow on as their source rows fit the slots; at least one. */
function spanRows(
  { source: [, height, width] }: Direction,
  [gd, gh]: Lattice,
  d: number,
  firstRow: number,
  maxRows: number,
  maxSlots: number,
  bandRows: number,
): Pick<Block, 'rows' | 'sourceRows' | 'bands'> {
  const needed: number[][] = [];
  const together = new Set<number>();
  while (needed.length < Math.min(maxRows, gh.count - firstRow)) {
    const own: number[] = [];
    for (let td = 0; td < gd.taps.length; td++) {
      const z = sourceAt(gd, d, td);
      for (let th = 0; th < gh.taps.length; th++) {
        const y = sourceAt(gh, firstRow + needed.length, th);
        own.push(z < 0 || y < 0 ? -1 : z * height + y);
      }
    }
    const fresh = new Set(own.filter((row) => row >= 0 && !together.has(row)));
    if (needed.length > 0 && together.size + fresh.size > maxSlots) break;
    for (const row of fresh) together.add(row);
    needed.push(own);
  }
  // Rows that successive outputs read at one tap lie side by side.
  const key = (row: number): number => (row % height) % gh.jump;
  const sourceRows = [...together].sort((a, b) => key(a) - key(b) || a - b);
  const slotOf = new Map(sourceRows.map((row, slot) => [row, slot]));
  const slots = needed.map((own) => Int32Array.from(own, (row) => slotOf.get(row) ?? -1));
  return {
    rows: needed.length,
    sourceRows: sourceRows.map((row) => row * width),
    bands: bandsOf(slots, bandRows),
  };
}

function bandsOf(slots: readonly Int32Array[], maxRows: number): Band[] {
  const bands: Band[] = [];
  for (let row = 0; row < slots.length; ) {
    const first = row;
    const follows = (here: number, tap: number): boolean =>
      here < 0 ? slots[row][tap] < 0 : slots[row][tap] === here + 1;
    do row++;
    while (row < slots.length && row - first < maxRows && slots[row - 1].every(follows));
    bands.push({ row: first, rows: row - first, slots: slots[first] });
  }
  return bands;
}
