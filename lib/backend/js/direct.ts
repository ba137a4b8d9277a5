/**
 * Direct convolution by rows: no patch is packed, and an element is read once for four channels.
 *   sums[channel][w] += Σ_{three taps} factor · lines[w]
 *
 * Each source row that a block needs is laid out once per tap, as the row of elements that the tap meets at outputs
 * w = 0, 1, …; so strides, dilations and padding are gone from the inner loops. Lines lie in three arrays by turns:
 * three taps then share an index and its bounds check (as in gemm.ts, whose notes on constant arrays hold here too).
 */
import { LINE_CAPACITY, MIN_LINE_WIDTH } from '../../plan/js-algorithms.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { type Direction, product } from './direction.js';
import type { AxisGather, Lattice } from './gather.js';
import { type Finish, storeRow } from './store.js';
import type { Work } from './work.js';

/** Elements of each array of lines, and of each of sums. */
const CAPACITY = LINE_CAPACITY;
const INDEX = CAPACITY - 1;
const line0 = new Float64Array(CAPACITY);
const line1 = new Float64Array(CAPACITY);
const line2 = new Float64Array(CAPACITY);
const sums0 = new Float64Array(CAPACITY);
const sums1 = new Float64Array(CAPACITY);
const sums2 = new Float64Array(CAPACITY);
const sums3 = new Float64Array(CAPACITY);
const sums: readonly Float64Array[] = [sums0, sums1, sums2, sums3];

/** Outputs of a row at a time: what is left of the capacity goes to more rows. */
const MAX_WIDTH = 512;

/**
 * Rows of a block: neighbours share source rows, so laying lines costs (rows + kernel − 1)/rows; that is made up for
 * by few rows when each line is used by many channels, and fewer rows stay in faster caches.
 */
const MIN_ROWS = 4;
const ROWS_OF_ONE_CHANNEL = 24;

/** A row of outputs sums these: chunks of three taps over (channel, width tap), for every (depth tap, height tap). */
export interface Factors {
  readonly chunks: number;
  /** [written channel][depth tap][height tap][chunk][3], zeros at the end of the last chunk. */
  readonly values: Float64Array;
  /** Elements per written channel. */
  readonly stride: number;
}

export function packFactors(
  direction: Direction,
  [gd, gh, gw]: Lattice,
  weight: FloatArray,
  group: number,
): Factors {
  const { sourceChannels, writtenChannels, kernel, sourceStride, writtenStride, groups } = direction;
  const run = gw.taps.length;
  const chunks = Math.ceil((sourceChannels * run) / 3);
  const stride = gd.taps.length * gh.taps.length * chunks * 3;
  const values = new Float64Array(writtenChannels * stride);
  const origin = (group * weight.length) / groups;
  for (let m = 0; m < writtenChannels; m++) {
    let to = m * stride;
    for (const td of gd.taps) {
      for (const th of gh.taps) {
        for (let k = 0; k < sourceChannels * run; k++) {
          const c = Math.floor(k / run);
          const tap = (td * kernel[1] + th) * kernel[2] + gw.taps[k % run];
          values[to + k] = weight[origin + m * writtenStride + c * sourceStride + tap];
        }
        to += chunks * 3;
      }
    }
  }
  return { chunks, values, stride };
}

/** Some rows of outputs, the width in part, and the source rows that they need. */
export interface Block {
  readonly depth: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly firstColumn: number;
  readonly columns: number;
  /** Offsets of the needed source rows in their channel plane; a row's index is its slot. */
  readonly sourceRows: readonly number[];
  /** [row][depth tap][height tap]: the slot, or -1 for zeros. */
  readonly slots: Int32Array;
  /** Taps of depth and height together. */
  readonly taps: number;
  /** Per width tap. */
  readonly runs: readonly Run[];
}

/** Columns [start, end) of a block read source elements `step` apart, from `source` on; the others are looked up. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly source: number;
  readonly step: number;
}

/** How a lattice is cut into blocks: the same for every image and group. */
export function planRows(direction: Direction, lattice: Lattice): Block[] {
  const [gd, gh, gw] = lattice;
  const { sourceChannels, writtenChannels } = direction;
  const chunks = Math.ceil((sourceChannels * gw.taps.length) / 3);
  const perRow = gd.taps.length * gh.taps.length * chunks;
  let width = Math.min(gw.count, MAX_WIDTH);
  while (perRow * width > CAPACITY && width > MIN_LINE_WIDTH) width = Math.ceil(width / 2);
  const maxSlots = Math.floor(CAPACITY / width / Math.max(chunks, 1));
  const wished = Math.max(MIN_ROWS, Math.ceil(ROWS_OF_ONE_CHANNEL / writtenChannels));
  const maxRows = Math.min(wished, Math.floor(CAPACITY / width));
  const blocks: Block[] = [];
  for (let d = 0; d < gd.count; d++) {
    for (let firstRow = 0; firstRow < gh.count; ) {
      const span = spanRows(direction, lattice, d, firstRow, maxRows, maxSlots);
      for (let firstColumn = 0; firstColumn < gw.count; firstColumn += width) {
        const columns = Math.min(width, gw.count - firstColumn);
        const runs = Array.from(gw.taps, (_, tap) => longestRun(gw, tap, firstColumn, columns));
        blocks.push({ ...span, depth: d, firstRow, firstColumn, columns, runs });
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
): Pick<Block, 'rows' | 'sourceRows' | 'slots' | 'taps'> {
  const taps = gd.taps.length * gh.taps.length;
  const limit = Math.min(maxRows, gh.count - firstRow);
  const slots = new Int32Array(limit * taps);
  const slotOf = new Map<number, number>();
  let rows = 0;
  for (; rows < limit; rows++) {
    const needed: number[] = [];
    for (let td = 0; td < gd.taps.length; td++) {
      const z = gd.sources[d * gd.taps.length + td];
      for (let th = 0; th < gh.taps.length; th++) {
        const y = gh.sources[(firstRow + rows) * gh.taps.length + th];
        needed.push(z < 0 || y < 0 ? -1 : (z * height + y) * width);
      }
    }
    const fresh = new Set(needed.filter((row) => row >= 0 && !slotOf.has(row)));
    if (rows > 0 && slotOf.size + fresh.size > maxSlots) break;
    for (const row of fresh) slotOf.set(row, slotOf.size);
    needed.forEach((row, i) => {
      slots[rows * taps + i] = row < 0 ? -1 : (slotOf.get(row) as number);
    });
  }
  return { rows, taps, sourceRows: [...slotOf.keys()], slots };
}

/** The run around the middle of the block: it is the longest but for tiny inputs. */
function longestRun({ sources, taps }: AxisGather, tap: number, first: number, columns: number): Run {
  const at = (column: number): number => sources[(first + column) * taps.length + tap];
  const middle = columns >> 1;
  if (at(middle) < 0) return { start: 0, end: 0, source: 0, step: 0 };
  const step = middle > 0 ? at(middle) - at(middle - 1) : 1;
  let start = middle;
  let end = middle + 1;
  while (start > 0 && at(start - 1) >= 0 && at(start) - at(start - 1) === step) start--;
  while (end < columns && at(end) >= 0 && at(end) - at(end - 1) === step) end++;
  return { start, end, source: at(start), step };
}

/** One image, group and lattice. */
export function* convolveRows(
  direction: Direction,
  lattice: Lattice,
  blocks: readonly Block[],
  factors: Factors,
  finish: Finish,
  input: FloatArray,
  inputImage: number,
  output: FloatArray,
  outputImage: number,
  group: number,
): Work {
  const { groups, sourceChannels, writtenChannels } = direction;
  const image = (inputImage * groups + group) * sourceChannels * product(direction.source);
  for (const block of blocks) {
    layLines(direction, lattice[2], block, factors.chunks, input, image);
    for (let m = 0; m < writtenChannels; m += 4) {
      const channels = Math.min(4, writtenChannels - m);
      if (channels === 1) sumAlone(factors, m, block);
      else sumFour(factors, m, channels, block);
      const channel = group * writtenChannels + m;
      storeRows(direction, lattice, finish, output, outputImage, channel, channels, block);
    }
    yield;
  }
}

/** line[slot·chunks + chunk][w] of array r ← the element that tap (channel, width tap) 3·chunk + r meets at w */
function layLines(
  direction: Direction,
  gw: AxisGather,
  { sourceRows, runs, firstColumn, columns }: Block,
  chunks: number,
  input: FloatArray,
  image: number,
): void {
  const plane = product(direction.source);
  const taps = gw.taps.length;
  const present = direction.sourceChannels * taps;
  for (let slot = 0; slot < sourceRows.length; slot++) {
    for (let chunk = 0; chunk < chunks; chunk++) {
      const to = (slot * chunks + chunk) * columns;
      // Beyond the last tap there are zeros; until then its elements stand in.
      const k0 = chunk * 3;
      const k1 = Math.min(k0 + 1, present - 1);
      const k2 = Math.min(k0 + 2, present - 1);
      const run0 = runs[k0 % taps];
      const run1 = runs[k1 % taps];
      const run2 = runs[k2 % taps];
      const isCommon = run0.step === run1.step && run1.step === run2.step;
      const start = isCommon ? Math.max(run0.start, run1.start, run2.start) : 0;
      const end = isCommon ? Math.max(start, Math.min(run0.end, run1.end, run2.end)) : 0;
      const row0 = image + Math.floor(k0 / taps) * plane + sourceRows[slot];
      const row1 = image + Math.floor(k1 / taps) * plane + sourceRows[slot];
      const row2 = image + Math.floor(k2 / taps) * plane + sourceRows[slot];
      const { step } = run0;
      const from0 = row0 + run0.source + (start - run0.start) * step;
      const from1 = row1 + run1.source + (start - run1.start) * step;
      const from2 = row2 + run2.source + (start - run2.start) * step;
      layThree(input, from0, from1, from2, step, to + start, end - start);
      for (let w = 0; w < columns; w++) {
        if (w === start) w = end;
        if (w === columns) break;
        const at = (firstColumn + w) * taps;
        line0[to + w] = elementOr0(input, row0, gw.sources[at + (k0 % taps)]);
        line1[to + w] = elementOr0(input, row1, gw.sources[at + (k1 % taps)]);
        line2[to + w] = elementOr0(input, row2, gw.sources[at + (k2 % taps)]);
      }
      if (k0 + 1 >= present) line1.fill(0, to, to + columns);
      if (k0 + 2 >= present) line2.fill(0, to, to + columns);
    }
  }
}

function elementOr0(input: FloatArray, row: number, x: number): number {
  return x < 0 ? 0 : input[row + x];
}

function layThree(
  input: FloatArray,
  from0: number,
  from1: number,
  from2: number,
  step: number,
  to: number,
  length: number,
): void {
  const count = length & (2 * CAPACITY - 1);
  const t0 = to & INDEX;
  let i0 = from0 | 0;
  let i1 = from1 | 0;
  let i2 = from2 | 0;
  for (let w = 0; w < count; w++) {
    const t = t0 + w;
    line0[t] = input[i0];
    line1[t] = input[i1];
    line2[t] = input[i2];
    i0 = (i0 + step) | 0;
    i1 = (i1 + step) | 0;
    i2 = (i2 + step) | 0;
  }
}

/** Three chunks of three taps at a time into one channel. */
function sumAlone(factors: Factors, m: number, block: Block): void {
  const { chunks, values, stride } = factors;
  const { taps, columns: width } = block;
  sums0.fill(0, 0, block.rows * width);
  const at = [0, 0, 0];
  const factorAt = [0, 0, 0];
  for (let row = 0; row < block.rows; row++) {
    let filled = 0;
    for (let t = 0; t < taps; t++) {
      const slot = block.slots[row * taps + t];
      if (slot < 0) continue;
      for (let chunk = 0; chunk < chunks; chunk++) {
        at[filled] = (slot * chunks + chunk) * width;
        factorAt[filled] = m * stride + (t * chunks + chunk) * 3;
        if (++filled === 3) {
          addNine(row * width, width, at[0], at[1], at[2], values, factorAt[0], factorAt[1], factorAt[2]);
          filled = 0;
        }
      }
    }
    for (let i = 0; i < filled; i++) {
      addThree(row * width, width, at[i], values, factorAt[i]);
    }
  }
}

/** One chunk of three taps at a time into four channels; what is there of them, the last one repeated. */
function sumFour(factors: Factors, m: number, channels: number, block: Block): void {
  const { chunks, values, stride } = factors;
  const { taps, columns: width } = block;
  for (const sum of sums) sum.fill(0, 0, block.rows * width);
  const second = (m + 1) * stride;
  const third = (m + Math.min(2, channels - 1)) * stride;
  const fourth = (m + channels - 1) * stride;
  for (let row = 0; row < block.rows; row++) {
    for (let t = 0; t < taps; t++) {
      const slot = block.slots[row * taps + t];
      if (slot < 0) continue;
      for (let chunk = 0; chunk < chunks; chunk++) {
        const at = (slot * chunks + chunk) * width;
        const f = (t * chunks + chunk) * 3;
        addFour(row * width, width, at, values, m * stride + f, second + f, third + f, fourth + f);
      }
    }
  }
}

function addThree(sum: number, width: number, at: number, factors: Float64Array, f: number): void {
  const count = width & (2 * CAPACITY - 1);
  const q0 = sum & INDEX;
  const i0 = at & INDEX;
  const a0 = factors[f];
  const a1 = factors[f + 1];
  const a2 = factors[f + 2];
  for (let w = 0; w < count; w++) {
    const i = i0 + w;
    sums0[q0 + w] += a0 * line0[i] + a1 * line1[i] + a2 * line2[i];
  }
}

function addNine(
  sum: number,
  width: number,
  atA: number,
  atB: number,
  atC: number,
  factors: Float64Array,
  fA: number,
  fB: number,
  fC: number,
): void {
  const count = width & (2 * CAPACITY - 1);
  const q0 = sum & INDEX;
  const i0 = atA & INDEX;
  const j0 = atB & INDEX;
  const k0 = atC & INDEX;
  const a0 = factors[fA];
  const a1 = factors[fA + 1];
  const a2 = factors[fA + 2];
  const b0 = factors[fB];
  const b1 = factors[fB + 1];
  const b2 = factors[fB + 2];
  const c0 = factors[fC];
  const c1 = factors[fC + 1];
  const c2 = factors[fC + 2];
  for (let w = 0; w < count; w++) {
    const i = i0 + w;
    const j = j0 + w;
    const k = k0 + w;
    const a = a0 * line0[i] + a1 * line1[i] + a2 * line2[i];
    const b = b0 * line0[j] + b1 * line1[j] + b2 * line2[j];
    const c = c0 * line0[k] + c1 * line1[k] + c2 * line2[k];
    sums0[q0 + w] += a + b + c;
  }
}

function addFour(
  sum: number,
  width: number,
  at: number,
  factors: Float64Array,
  fA: number,
  fB: number,
  fC: number,
  fD: number,
): void {
  const count = width & (2 * CAPACITY - 1);
  const q0 = sum & INDEX;
  const i0 = at & INDEX;
  const a0 = factors[fA];
  const a1 = factors[fA + 1];
  const a2 = factors[fA + 2];
  const b0 = factors[fB];
  const b1 = factors[fB + 1];
  const b2 = factors[fB + 2];
  const c0 = factors[fC];
  const c1 = factors[fC + 1];
  const c2 = factors[fC + 2];
  const d0 = factors[fD];
  const d1 = factors[fD + 1];
  const d2 = factors[fD + 2];
  for (let w = 0; w < count; w++) {
    const i = i0 + w;
    const q = q0 + w;
    const x = line0[i];
    const y = line1[i];
    const z = line2[i];
    sums0[q] += a0 * x + a1 * y + a2 * z;
    sums1[q] += b0 * x + b1 * y + b2 * z;
    sums2[q] += c0 * x + c1 * y + c2 * z;
    sums3[q] += d0 * x + d1 * y + d2 * z;
  }
}

/** Sums become results: row by row, channel by channel, with bias and clamp. */
function storeRows(
  { written, writtenChannels, groups }: Direction,
  [gd, gh, gw]: Lattice,
  { bias, clamp }: Finish,
  output: FloatArray,
  image: number,
  firstChannel: number,
  channels: number,
  { depth: d, firstRow, rows, firstColumn, columns }: Block,
): void {
  const [depth, height, width] = written;
  const z = gd.start + d * gd.step;
  for (let i = 0; i < channels; i++) {
    const from = sums[i];
    const channel = firstChannel + i;
    const shift = bias === null ? 0 : bias[channel];
    const plane = (image * groups * writtenChannels + channel) * depth + z;
    for (let row = 0; row < rows; row++) {
      const y = gh.start + (firstRow + row) * gh.step;
      const to = (plane * height + y) * width + gw.start + firstColumn * gw.step;
      storeRow(from, row * columns, columns, shift, clamp, output, to, gw.step);
    }
  }
}
