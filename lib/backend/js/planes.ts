/**
 * Convolution of one channel by planes: a strip of it is laid out padded, each phase of the stride as a plane of its own,
 * so that every tap is the same plane some elements further on, and a strip of outputs is summed nine taps at a time in one
 * loop over all its rows. What lies between the rows is summed as well, and not stored.
 *   sums[i] += Σ_{nine taps} factor · lines[place + i]
 */
import { LINE_CAPACITY } from '../../plan/algorithms/js/rows.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { Direction } from './direction.js';
import { type AxisGather, type Lattice, sourceAt } from './gather.js';
import {
  biasOf,
  type ImageConvolution,
  type Job,
  type Part,
  sourceOrigin,
  weightOrigin,
  writtenPlane,
} from './job.js';
import { allLines, LINE_INDEX, LINES_INDEX, lineScratch } from './lines.js';
import { storeRow } from './store.js';

// Constants of this module, as scratch.ts wants them.
const [, , , sums] = lineScratch.arrays;
const lines = allLines;
const INDEX = LINES_INDEX;

/** Taps that one pass adds. */
const PASS = 9;
const places = new Int32Array(PASS);
const factors = new Float64Array(PASS);

/**
 * Outputs that a call of the inner loop goes over. If it were long enough for V8 to compile the loop while it runs for the
 * first time, the function might stay half compiled for good: half as fast.
 */
const CALL_OUTPUTS = 512;

/** Where zeros lie: taps that fill up the last pass read them, since zero times infinity is not zero. */
const ZEROS = 3 * LINE_CAPACITY - CALL_OUTPUTS;

/** Outputs of a strip, the gaps between its rows among them: with what they read, they stay in a first-level cache. */
const STRIP = 2048;
/** Rows of a strip, when the image has them: what a strip reads beyond its own rows is laid out again for the next. */
const MIN_ROWS = 12;

/** How the source of some rows of outputs is laid out. */
export interface Layout {
  /** Elements from one row of a phase, and of the sums, to the next. */
  readonly pitch: number;
  /** Rows of outputs in a strip, and the rows of a phase that they read more than they are. */
  readonly rows: number;
  readonly more: number;
  /** Elements of a phase. */
  readonly size: number;
  /** Of each phase of the width. */
  readonly columns: readonly Columns[];
  /** Where each tap (height, width) begins. */
  readonly places: Int32Array;
  /** From a channel's first weight to that of each tap. */
  readonly weights: Int32Array;
}

/** Outputs of a row up to which taking a stride's phases apart is no slower than the rows of direct.ts. */
const MAX_STRIDED_WIDTH = 32;

/** The columns of a phase: [start, end) are `jump` apart in the source, and the others as listed. */
interface Columns {
  readonly start: number;
  readonly end: number;
  /** Where column `start` lies in its row. */
  readonly from: number;
  /** [column, element or -1] of each other. */
  readonly others: Int32Array;
}

function columnsOf({ line, jump, inside }: AxisGather, right: number, pitch: number): Columns {
  const start = Math.min(pitch, Math.max(0, Math.ceil((inside[0] - right) / jump)));
  const end = Math.max(start, Math.min(pitch, Math.ceil((inside[1] - right) / jump)));
  const others: number[] = [];
  for (let j = 0; j < pitch; j++) {
    if (j < start || j >= end) others.push(j, line[j * jump + right] ?? -1);
  }
  const from = end > start ? line[start * jump + right] : 0;
  return { start, end, from, others: Int32Array.from(others) };
}

/** The layout of a lattice of one plane; null where rows are too long, or with a stride longer than pays. */
export function planeLayout({ kernel, source, written }: Direction, [gd, gh, gw]: Lattice): Layout | null {
  if (source[0] !== 1 || written[0] !== 1 || kernel[0] !== 1 || sourceAt(gd, 0, 0) !== 0) return null;
  if (gw.jump > 1 && gw.count > MAX_STRIDED_WIDTH) return null;
  const reach = ({ offsets }: AxisGather): number => Math.max(offsets[0], offsets[offsets.length - 1]);
  const pitch = gw.count + Math.floor(reach(gw) / gw.jump);
  const more = Math.floor(reach(gh) / gh.jump);
  const rows = Math.min(gh.count, Math.max(MIN_ROWS, Math.floor(STRIP / pitch)));
  const size = (rows + more) * pitch;
  if (size * gh.jump * gw.jump > ZEROS || rows * pitch > LINE_CAPACITY) return null;
  const places: number[] = [];
  const weights: number[] = [];
  gh.offsets.forEach((down, i) => {
    gw.offsets.forEach((right, j) => {
      const phase = (down % gh.jump) * gw.jump + (right % gw.jump);
      places.push(phase * size + Math.floor(down / gh.jump) * pitch + Math.floor(right / gw.jump));
      weights.push(gh.taps[i] * kernel[2] + gw.taps[j]);
    });
  });
  const columns = Array.from({ length: gw.jump }, (_, right) => columnsOf(gw, right, pitch));
  return {
    pitch,
    rows,
    more,
    size,
    columns,
    places: Int32Array.from(places),
    weights: Int32Array.from(weights),
  };
}

/** Rows of outputs of one group that are summed together. */
interface Strip {
  readonly group: number;
  readonly first: number;
  readonly rows: number;
}

/** Of one source channel per group. */
export function convolvePlanes(part: Part, layout: Layout): ImageConvolution {
  const { direction, lattice, operands } = part;
  const { groups, writtenChannels } = direction;
  const [, gh, gw] = lattice;
  return function* (job) {
    let done = 0;
    for (let group = 0; group < groups; group++) {
      for (let first = 0; first < gh.count; first += layout.rows) {
        const strip = { group, first, rows: Math.min(layout.rows, gh.count - first) };
        lineScratch.hold(strip);
        layStrip(part, layout, job, strip);
        for (let m = 0; m < writtenChannels; m++) {
          const channel = group * writtenChannels + m;
          sumStrip(layout, strip.rows, gw.count, operands.weight, weightOrigin(part, channel));
          storeStrip(part, layout, job, strip, channel);
        }
        done += writtenChannels * strip.rows * layout.pitch * layout.places.length;
        if (done >= job.unitSize) {
          yield;
          done = 0;
        }
      }
    }
  };
}

/** lines[phase][row][column] ← what the strip reads of its channel */
function layStrip(part: Part, { pitch, size, more, columns }: Layout, job: Job, strip: Strip): void {
  const [, gh, gw] = part.lattice;
  const width = part.direction.source[2];
  const channel = sourceOrigin(part, job, strip.group);
  const { input } = job;
  const { jump } = gw;
  for (let down = 0; down < gh.jump; down++) {
    for (let i = 0; i < strip.rows + more; i++) {
      const at = (strip.first + i) * gh.jump + down;
      const y = at < gh.line.length ? gh.line[at] : -1;
      const row = channel + y * width;
      for (let right = 0; right < jump; right++) {
        const to = ((down * jump + right) * size + i * pitch) & INDEX;
        const { start, end, from, others } = columns[right];
        const stop = to + (y < 0 ? start : end);
        let x = (row + from) | 0;
        for (let t = to + start; t < stop; t++) {
          lines[t] = input[x];
          x = (x + jump) | 0;
        }
        if (y < 0) for (let t = to + start; t < to + end; t++) lines[t] = 0;
        for (let k = 0; k < others.length; k += 2)
          lines[to + others[k]] = y < 0 || others[k + 1] < 0 ? 0 : input[row + others[k + 1]];
      }
    }
  }
}

/** sums ← every tap of the strip */
function sumStrip(
  { pitch, places: taps, weights }: Layout,
  rows: number,
  columns: number,
  weight: FloatArray,
  own: number,
): void {
  const count = (rows - 1) * pitch + columns;
  sums.fill(0, 0, count);
  if (taps.length % PASS !== 0) lines.fill(0, ZEROS);
  for (let first = 0; first < count; first += CALL_OUTPUTS) {
    for (let tap = 0; tap < taps.length; tap += PASS) {
      for (let k = 0; k < PASS; k++) {
        const isTap = tap + k < taps.length;
        places[k] = isTap ? first + taps[tap + k] : ZEROS;
        factors[k] = isTap ? weight[own + weights[tap + k]] : 0;
      }
      addNine(first, Math.min(CALL_OUTPUTS, count - first));
    }
  }
}

/** sums[first + i] += nine taps. Longer than what V8 inlines: see direct.ts. */
function addNine(first: number, length: number): void {
  const q0 = first & LINE_INDEX;
  const p0 = places[0] & INDEX;
  const p1 = places[1] & INDEX;
  const p2 = places[2] & INDEX;
  const p3 = places[3] & INDEX;
  const p4 = places[4] & INDEX;
  const p5 = places[5] & INDEX;
  const p6 = places[6] & INDEX;
  const p7 = places[7] & INDEX;
  const p8 = places[8] & INDEX;
  const f0 = factors[0];
  const f1 = factors[1];
  const f2 = factors[2];
  const f3 = factors[3];
  const f4 = factors[4];
  const f5 = factors[5];
  const f6 = factors[6];
  const f7 = factors[7];
  const f8 = factors[8];
  const count = length & LINE_INDEX;
  for (let w = 0; w < count; w++) {
    const a = f0 * lines[p0 + w] + f1 * lines[p1 + w] + f2 * lines[p2 + w];
    const b = f3 * lines[p3 + w] + f4 * lines[p4 + w] + f5 * lines[p5 + w];
    const c = f6 * lines[p6 + w] + f7 * lines[p7 + w] + f8 * lines[p8 + w];
    sums[q0 + w] += a + b + c;
  }
}

function storeStrip(part: Part, { pitch }: Layout, job: Job, strip: Strip, channel: number): void {
  const { direction, lattice, operands } = part;
  const [, height, width] = direction.written;
  const [, gh, gw] = lattice;
  const { output } = job;
  const shift = biasOf(operands, channel);
  const plane = writtenPlane(part, job, channel);
  for (let i = 0; i < strip.rows; i++) {
    const to = (plane * height + gh.start + (strip.first + i) * gh.step) * width + gw.start;
    storeRow(sums, i * pitch, gw.count, shift, operands.clamp, { output, to, step: gw.step });
  }
}
