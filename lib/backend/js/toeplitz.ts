/**
 * Convolution by rows with the weights that are not zero, one list per written channel: what the rows of its Toeplitz
 * matrix hold, without the matrix. The work is in proportion to the density.
 */
import { LINE_CAPACITY } from '../../plan/algorithms/js/rows.js';
import { type ImageConvolution, type Part, weightOrigin } from './job.js';
import { allLines, LINE_INDEX, LINES_INDEX, layLines, lineScratch } from './lines.js';
import { type Block, blocksOf } from './row-blocks.js';
import { storeRows } from './store.js';

// Constants of this module, as scratch.ts wants them.
const [, , , sums0] = lineScratch.arrays;
const lines = allLines;

/** Taps that one pass over a row of sums adds. */
const PASS = 8;
const places = new Int32Array(PASS);
const factors = new Float64Array(PASS);

/** The nonzero weights of all groups, channel by channel. */
interface Entries {
  readonly chunks: number;
  /** Entries of channel m: first[m] to first[m + 1]. */
  readonly first: Int32Array;
  /** (depth tap, height tap), and (channel, width tap). */
  readonly rowTaps: Int32Array;
  readonly lineTaps: Int32Array;
  readonly values: Float64Array;
}

function makeEntries(part: Part): Entries {
  const {
    direction,
    lattice: [gd, gh, gw],
    operands: { weight },
  } = part;
  const { groups, sourceChannels, writtenChannels, kernel, sourceStride } = direction;
  const first = new Int32Array(groups * writtenChannels + 1);
  const rowTaps: number[] = [];
  const lineTaps: number[] = [];
  const values: number[] = [];
  for (let channel = 0; channel < groups * writtenChannels; channel++) {
    const own = weightOrigin(part, channel);
    let rowTap = 0;
    for (const td of gd.taps) {
      for (const th of gh.taps) {
        for (let c = 0, lineTap = 0; c < sourceChannels; c++) {
          for (const tw of gw.taps) {
            const value = weight[own + c * sourceStride + (td * kernel[1] + th) * kernel[2] + tw];
            if (value !== 0) {
              rowTaps.push(rowTap);
              lineTaps.push(lineTap);
              values.push(value);
            }
            lineTap++;
          }
        }
        rowTap++;
      }
    }
    first[channel + 1] = values.length;
  }
  return {
    chunks: Math.ceil((sourceChannels * gw.taps.length) / 3),
    first,
    rowTaps: Int32Array.from(rowTaps),
    lineTaps: Int32Array.from(lineTaps),
    values: Float64Array.from(values),
  };
}

export function convolveSparse(part: Part): ImageConvolution {
  const { direction, lattice } = part;
  const { groups, writtenChannels } = direction;
  const blocks = blocksOf(direction, lattice);
  const entries = makeEntries(part);
  return function* (job) {
    let done = 0;
    for (let group = 0; group < groups; group++) {
      const end = (group + 1) * writtenChannels;
      for (const block of blocks) {
        const laying = { part, job, group, block, chunks: entries.chunks };
        for (let channel = group * writtenChannels; channel < end; channel++) {
          layLines(laying);
          sumEntries(entries, channel, block);
          storeRows(part, job, channel, block, sums0);
          done += block.rows * block.columns * (entries.first[channel + 1] - entries.first[channel]);
          if (done >= job.unitSize) {
            yield;
            done = 0;
          }
        }
      }
    }
  };
}

function sumEntries(
  { first, rowTaps, lineTaps, values }: Entries,
  channel: number,
  { rows, columns, sourceRows, bands }: Block,
): void {
  sums0.fill(0, 0, rows * columns);
  for (const band of bands) {
    const sum = band.row * columns;
    const count = band.rows * columns;
    let filled = 0;
    for (let entry = first[channel]; entry < first[channel + 1]; entry++) {
      const slot = band.slots[rowTaps[entry]];
      if (slot < 0) continue;
      const tap = lineTaps[entry];
      places[filled] = (tap % 3) * LINE_CAPACITY + (Math.floor(tap / 3) * sourceRows.length + slot) * columns;
      factors[filled] = values[entry];
      if (++filled < PASS) continue;
      addPass(sum, count, 0);
      filled = 0;
    }
    for (let i = 0; i < filled; i++) {
      places[0] = places[i];
      factors[0] = factors[i];
      addPass(sum, 0, count);
    }
  }
}

/** sums0 += eight taps over the first length; then += the first of them alone over the second. Long: see direct.ts. */
function addPass(sum: number, eightLength: number, oneLength: number): void {
  const q0 = sum & LINE_INDEX;
  const eightCount = eightLength & LINE_INDEX;
  const p0 = places[0] & LINES_INDEX;
  const p1 = places[1] & LINES_INDEX;
  const p2 = places[2] & LINES_INDEX;
  const p3 = places[3] & LINES_INDEX;
  const p4 = places[4] & LINES_INDEX;
  const p5 = places[5] & LINES_INDEX;
  const p6 = places[6] & LINES_INDEX;
  const p7 = places[7] & LINES_INDEX;
  const f0 = factors[0];
  const f1 = factors[1];
  const f2 = factors[2];
  const f3 = factors[3];
  const f4 = factors[4];
  const f5 = factors[5];
  const f6 = factors[6];
  const f7 = factors[7];
  for (let w = 0; w < eightCount; w++) {
    const a = f0 * lines[p0 + w] + f1 * lines[p1 + w] + f2 * lines[p2 + w] + f3 * lines[p3 + w];
    const b = f4 * lines[p4 + w] + f5 * lines[p5 + w] + f6 * lines[p6 + w] + f7 * lines[p7 + w];
    sums0[q0 + w] += a + b;
  }
  const oneCount = oneLength & LINE_INDEX;
  for (let w = 0; w < oneCount; w++) sums0[q0 + w] += f0 * lines[p0 + w];
}
