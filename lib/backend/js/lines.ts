/**
 * Source rows laid out for sums by rows: once per tap, as the elements that the tap meets at outputs w = 0, 1, …
 *
 * Three taps lie at the same place of three arrays, so that they share an index and its bounds check; what gemm.ts and
 * scratch.ts say of constant arrays holds here too.
 */
import { product } from '../../numbers.js';
import { LINE_CAPACITY } from '../../plan/algorithms/js/rows.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { type Job, type Part, sourceOrigin } from './job.js';
import type { Block } from './row-blocks.js';
import { joined, Scratch } from './scratch.js';

/** Three arrays of lines, side by side in their buffer, and four of sums. */
export const lineScratch = new Scratch(
  LINE_CAPACITY,
  LINE_CAPACITY,
  LINE_CAPACITY,
  LINE_CAPACITY,
  LINE_CAPACITY,
  LINE_CAPACITY,
  LINE_CAPACITY,
);
const [line0, line1, line2] = lineScratch.arrays;

/** The three arrays of lines as one. */
export const allLines = joined([line0, line1, line2]);

// A range that V8 can see, the whole capacity among it: below it no sum of two indices can overflow.
export const LINE_INDEX = 2 * LINE_CAPACITY - 1;
/** Likewise, of places in all lines. */
export const LINES_INDEX = 4 * LINE_CAPACITY - 1;
const INDEX = LINE_INDEX;

/** What is laid in the lines: the source rows of a block and group. */
export interface Laying {
  readonly part: Part;
  readonly job: Job;
  readonly group: number;
  readonly block: Block;
  /** Of three taps over (channel, width tap). */
  readonly chunks: number;
}

/**
 * line[chunk][slot][w] of array r ← the element that tap (channel, width tap) 3·chunk + r meets at w; unless they are laid
 * already.
 */
export function layLines(laying: Laying): void {
  if (lineScratch.hold(laying)) return;
  const { part, job, group, block, chunks } = laying;
  const { direction, lattice } = part;
  const { input } = job;
  const { sourceRows, firstColumn, columns } = block;
  const gw = lattice[2];
  const image = sourceOrigin(part, job, group);
  const plane = product(direction.source);
  const taps = gw.taps.length;
  const present = direction.sourceChannels * taps;
  const { line, inside, jump } = gw;
  const origin = firstColumn * jump;
  let to = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    // Beyond the last tap there are zeros; until then its elements stand in.
    const k0 = chunk * 3;
    const k1 = Math.min(k0 + 1, present - 1);
    const k2 = Math.min(k0 + 2, present - 1);
    const plane0 = image + Math.floor(k0 / taps) * plane;
    const plane1 = image + Math.floor(k1 / taps) * plane;
    const plane2 = image + Math.floor(k2 / taps) * plane;
    const at0 = origin + gw.offsets[k0 % taps];
    const at1 = origin + gw.offsets[k1 % taps];
    const at2 = origin + gw.offsets[k2 % taps];
    // Columns [start, end) read inside the source at all three taps.
    const lowest = Math.min(at0, at1, at2);
    const highest = Math.max(at0, at1, at2);
    const start = Math.min(columns, Math.max(0, Math.ceil((inside[0] - lowest) / jump)));
    const end = Math.max(start, Math.min(columns, Math.ceil((inside[1] - highest) / jump)));
    const first = start * jump - inside[0] + line[inside[0]];
    const from0 = plane0 + at0 + first;
    const from1 = plane1 + at1 + first;
    const from2 = plane2 + at2 + first;
    const isShifted = jump === 1 && from1 === from0 + 1 && from2 === from0 + 2;
    for (let slot = 0; slot < sourceRows.length; slot++, to += columns) {
      const row = sourceRows[slot];
      if (isShifted) layShifted(input, from0 + row, to + start, end - start);
      else layThree(input, from0 + row, from1 + row, from2 + row, jump, to + start, end - start);
      for (let w = 0; w < columns; w++) {
        if (w === start) w = end;
        if (w === columns) break;
        line0[to + w] = elementOr0(input, plane0 + row, line[at0 + w * jump]);
        line1[to + w] = elementOr0(input, plane1 + row, line[at1 + w * jump]);
        line2[to + w] = elementOr0(input, plane2 + row, line[at2 + w * jump]);
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
  const count = length & INDEX;
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

/** layThree for three neighbours: each element is read and converted once. */
function layShifted(input: FloatArray, from: number, to: number, length: number): void {
  const count = length & INDEX;
  if (count === 0) return;
  const t0 = to & INDEX;
  let i = (from + 2) | 0;
  let first = input[from];
  let second = input[from + 1];
  for (let w = 0; w < count; w++) {
    const t = t0 + w;
    const third = input[i];
    line0[t] = first;
    line1[t] = second;
    line2[t] = third;
    first = second;
    second = third;
    i = (i + 1) | 0;
  }
}
