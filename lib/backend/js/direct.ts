/**
 * Direct convolution by rows: no patch is packed, and an element is read once for four channels.
 *   sums[channel][w] += Σ_{three taps} factor · lines[w]
 */
import { type ImageConvolution, type Part, weightOrigin } from './job.js';
import { LINE_INDEX, layLines, lineScratch } from './lines.js';
import { type Block, blocksOf } from './row-blocks.js';
import { storeRows } from './store.js';

const INDEX = LINE_INDEX;
const [line0, line1, line2, sums0, sums1, sums2, sums3] = lineScratch.arrays;
const sums: readonly Float64Array[] = [sums0, sums1, sums2, sums3];

/**
 * The weights as the inner loops want them: chunks of three taps over (channel, width tap), for every (depth
 * tap, height tap).
 */
interface Factors {
  readonly chunks: number;
  /** [channel][depth tap][height tap][chunk][3], zeros at the end of the last chunk. */
  readonly values: Float64Array;
  /** Elements per written channel. */
  readonly stride: number;
  /** Sees to it that up to four channels of a group are packed, and gives the place of the first. */
  locate(first: number, channels: number): number;
}

/** Of a part that is reused what has been packed is kept; otherwise four channels at a time are. */
function makeFactors(part: Part): Factors {
  const {
    direction,
    lattice: [gd, gh, gw],
    operands: { weight },
    isReused,
  } = part;
  const { sourceChannels, writtenChannels, kernel, sourceStride, groups } = direction;
  const run = gw.taps.length;
  const chunks = Math.ceil((sourceChannels * run) / 3);
  const stride = gd.taps.length * gh.taps.length * chunks * 3;
  const kept = isReused ? groups * writtenChannels : Math.min(4, writtenChannels);
  const values = new Float64Array(stride * kept);
  const isPacked = new Uint8Array(isReused ? kept : 0);

  const pack = (channel: number, to: number): void => {
    const own = weightOrigin(part, channel);
    for (const td of gd.taps) {
      for (const th of gh.taps) {
        let from = own + (td * kernel[1] + th) * kernel[2];
        for (let c = 0, k = to; c < sourceChannels; c++, from += sourceStride) {
          for (let i = 0; i < run; i++) values[k++] = weight[from + gw.taps[i]];
        }
        to += chunks * 3;
      }
    }
  };
  const locate = (first: number, channels: number): number => {
    const at = isReused ? first * stride : 0;
    if (isPacked[first] === 1) return at;
    for (let i = 0; i < channels; i++) pack(first + i, at + i * stride);
    isPacked[first] = 1;
    return at;
  };
  return { chunks, values, stride, locate };
}

/** Four channels of a block at a time, or what is left of a group's. */
export function convolveRows(part: Part): ImageConvolution {
  const { direction, lattice } = part;
  const { groups, writtenChannels } = direction;
  const blocks = blocksOf(direction, lattice);
  const factors = makeFactors(part);
  return function* (job) {
    let done = 0;
    for (let group = 0; group < groups; group++) {
      const end = (group + 1) * writtenChannels;
      for (const block of blocks) {
        const laying = { part, job, group, block, chunks: factors.chunks };
        for (let channel = group * writtenChannels; channel < end; channel += 4) {
          const channels = Math.min(4, end - channel);
          const first = factors.locate(channel, channels);
          layLines(laying);
          if (channels === 1) sumAlone(factors, first, block);
          else sumFour(factors, first, channels, block);
          for (let i = 0; i < channels; i++) storeRows(part, job, channel + i, block, sums[i]);
          done += block.rows * block.columns * channels * factors.stride;
          if (done >= job.unitSize) {
            yield;
            done = 0;
          }
        }
      }
    }
  };
}

// What the inner functions read: places in the lines, and in the factors.
const places = new Int32Array(4);
const taps = new Int32Array(4);

/** One channel: a quarter of its chunks by threes, the others three at a time. */
function sumAlone({ chunks, values }: Factors, first: number, block: Block): void {
  const { columns, sourceRows } = block;
  sums0.fill(0, 0, block.rows * columns);
  for (const { row, rows, slots } of block.bands) {
    const sum = row * columns;
    const count = rows * columns;
    let filled = 0;
    for (let t = 0; t < slots.length; t++) {
      if (slots[t] < 0) continue;
      for (let chunk = 0; chunk < chunks; chunk++) {
        places[filled] = (chunk * sourceRows.length + slots[t]) * columns;
        taps[filled] = first + (t * chunks + chunk) * 3;
        if (++filled < 4) continue;
        addToOne(values, sum, count, count);
        filled = 0;
      }
    }
    if (filled === 3) addToOne(values, sum, count, 0);
    else {
      for (let i = 0; i < filled; i++) {
        places[3] = places[i];
        taps[3] = taps[i];
        addToOne(values, sum, 0, count);
      }
    }
  }
}

/** Four channels, two chunks at a time; of fewer channels the last one is repeated. */
function sumFour({ chunks, values, stride }: Factors, first: number, channels: number, block: Block): void {
  const { columns, sourceRows } = block;
  for (const sum of sums) sum.fill(0, 0, block.rows * columns);
  for (let i = 0; i < 4; i++) taps[i] = first + Math.min(i, channels - 1) * stride;
  for (const { row, rows, slots } of block.bands) {
    const sum = row * columns;
    const count = rows * columns;
    let filled = 0;
    for (let t = 0; t < slots.length; t++) {
      if (slots[t] < 0) continue;
      for (let chunk = 0; chunk < chunks; chunk++) {
        places[2 * filled] = (chunk * sourceRows.length + slots[t]) * columns;
        places[2 * filled + 1] = (t * chunks + chunk) * 3;
        if (++filled < 2) continue;
        addToFour(values, sum, count, count);
        filled = 0;
      }
    }
    if (filled === 1) addToFour(values, sum, count, 0);
  }
}

// The two inner functions have two loops each so that they are long: what has less than 460 bytes of bytecode V8 inlines
// into the loops around it, where the registers do not suffice any more (1.5 times slower).

/** sums0 += nine taps, at the first three places; then += three taps, at the last. */
function addToOne(factors: Float64Array, sum: number, nineLength: number, threeLength: number): void {
  const nineCount = nineLength & INDEX;
  const q0 = sum & INDEX;
  const i0 = places[0] & INDEX;
  const j0 = places[1] & INDEX;
  const k0 = places[2] & INDEX;
  const fA = taps[0];
  const fB = taps[1];
  const fC = taps[2];
  const fD = taps[3];
  const a0 = factors[fA];
  const a1 = factors[fA + 1];
  const a2 = factors[fA + 2];
  const b0 = factors[fB];
  const b1 = factors[fB + 1];
  const b2 = factors[fB + 2];
  const c0 = factors[fC];
  const c1 = factors[fC + 1];
  const c2 = factors[fC + 2];
  for (let w = 0; w < nineCount; w++) {
    const i = i0 + w;
    const j = j0 + w;
    const k = k0 + w;
    const a = a0 * line0[i] + a1 * line1[i] + a2 * line2[i];
    const b = b0 * line0[j] + b1 * line1[j] + b2 * line2[j];
    const c = c0 * line0[k] + c1 * line1[k] + c2 * line2[k];
    sums0[q0 + w] += a + b + c;
  }
  const threeCount = threeLength & INDEX;
  const l0 = places[3] & INDEX;
  const d0 = factors[fD];
  const d1 = factors[fD + 1];
  const d2 = factors[fD + 2];
  for (let w = 0; w < threeCount; w++) {
    const l = l0 + w;
    sums0[q0 + w] += d0 * line0[l] + d1 * line1[l] + d2 * line2[l];
  }
}

/**
 * sums0 … sums3 += three taps of four channels; then += three taps more. Places are of the first three in the lines and
 * among a channel's factors, and of the others.
 */
function addToFour(factors: Float64Array, sum: number, evenLength: number, oddLength: number): void {
  const q0 = sum & INDEX;
  const evenCount = evenLength & INDEX;
  const e0 = places[0] & INDEX;
  const tapE = places[1];
  const tapO = places[3];
  const fA = taps[0];
  const fB = taps[1];
  const fC = taps[2];
  const fD = taps[3];
  let a0 = factors[fA + tapE];
  let a1 = factors[fA + tapE + 1];
  let a2 = factors[fA + tapE + 2];
  let b0 = factors[fB + tapE];
  let b1 = factors[fB + tapE + 1];
  let b2 = factors[fB + tapE + 2];
  let c0 = factors[fC + tapE];
  let c1 = factors[fC + tapE + 1];
  let c2 = factors[fC + tapE + 2];
  let d0 = factors[fD + tapE];
  let d1 = factors[fD + tapE + 1];
  let d2 = factors[fD + tapE + 2];
  for (let w = 0; w < evenCount; w++) {
    const i = e0 + w;
    const q = q0 + w;
    const x = line0[i];
    const y = line1[i];
    const z = line2[i];
    sums0[q] += a0 * x + a1 * y + a2 * z;
    sums1[q] += b0 * x + b1 * y + b2 * z;
    sums2[q] += c0 * x + c1 * y + c2 * z;
    sums3[q] += d0 * x + d1 * y + d2 * z;
  }
  const oddCount = oddLength & INDEX;
  const o0 = places[2] & INDEX;
  a0 = factors[fA + tapO];
  a1 = factors[fA + tapO + 1];
  a2 = factors[fA + tapO + 2];
  b0 = factors[fB + tapO];
  b1 = factors[fB + tapO + 1];
  b2 = factors[fB + tapO + 2];
  c0 = factors[fC + tapO];
  c1 = factors[fC + tapO + 1];
  c2 = factors[fC + tapO + 2];
  d0 = factors[fD + tapO];
  d1 = factors[fD + tapO + 1];
  d2 = factors[fD + tapO + 2];
  for (let w = 0; w < oddCount; w++) {
    const i = o0 + w;
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
