/**
 * Direct convolution by rows: no patch is packed, and an element is read once for four channels.
 *   sums[channel][w] += Σ_{three taps} factor · lines[w]
 */
import type { FloatArray } from '../../tensor/dtype.js';
import { type Direction, product } from './direction.js';
import type { Lattice } from './gather.js';
import { LINE_INDEX, layLines, lineScratch } from './lines.js';
import type { Block } from './row-blocks.js';
import { type Finish, storeRows } from './store.js';
import type { Work } from './work.js';

const INDEX = LINE_INDEX;
const [line0, line1, line2, sums0, sums1, sums2, sums3] = lineScratch;
const sums: readonly Float64Array[] = [sums0, sums1, sums2, sums3];

/**
 * The weights as the inner loops want them: chunks of three taps over (channel, width tap), for every (depth
 * tap, height tap).
 */
export interface Factors {
  readonly chunks: number;
  /** [channel][depth tap][height tap][chunk][3], zeros at the end of the last chunk. */
  readonly values: Float64Array;
  /** Elements per written channel. */
  readonly stride: number;
  /** Sees to it that up to four channels of a group are packed, and gives the place of the first. */
  locate(first: number, channels: number): number;
}

/** @param isReused  Whether to keep what has been packed; otherwise four channels at a time are. */
export function makeFactors(
  direction: Direction,
  [gd, gh, gw]: Lattice,
  weight: FloatArray,
  isReused: boolean,
): Factors {
  const { sourceChannels, writtenChannels, kernel, sourceStride, writtenStride, groups } = direction;
  const run = gw.taps.length;
  const chunks = Math.ceil((sourceChannels * run) / 3);
  const stride = gd.taps.length * gh.taps.length * chunks * 3;
  const kept = isReused ? groups * writtenChannels : Math.min(4, writtenChannels);
  const values = new Float64Array(stride * kept);
  const isPacked = new Uint8Array(isReused ? kept : 0);

  const pack = (channel: number, to: number): void => {
    const group = Math.floor(channel / writtenChannels);
    const own = (group * weight.length) / groups + (channel % writtenChannels) * writtenStride;
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

/**
 * One image and lattice, every group.
 * @param unitSize  The most multiplications in one unit, if four channels of a block can be that few.
 */
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
  unitSize: number,
): Work {
  const { groups, sourceChannels, writtenChannels } = direction;
  let done = 0;
  for (let group = 0; group < groups; group++) {
    const image = (inputImage * groups + group) * sourceChannels * product(direction.source);
    const end = (group + 1) * writtenChannels;
    for (const block of blocks) {
      let isLaid = false;
      for (let channel = group * writtenChannels; channel < end; channel += 4) {
        if (!isLaid) layLines(direction, lattice[2], block, factors.chunks, input, image);
        isLaid = true;
        const channels = Math.min(4, end - channel);
        const first = factors.locate(channel, channels);
        if (channels === 1) sumAlone(factors, first, block);
        else sumFour(factors, first, channels, block);
        storeRows(direction, lattice, finish, output, outputImage, channel, channels, block, sums);
        done += block.rows * block.columns * channels * factors.stride;
        if (done >= unitSize) {
          yield;
          // Other work may have laid its own lines meanwhile.
          done = 0;
          isLaid = false;
        }
      }
    }
  }
}

/** One channel: a quarter of its chunks by threes, the others three at a time. */
function sumAlone({ chunks, values }: Factors, first: number, block: Block): void {
  const { columns, sourceRows } = block;
  sums0.fill(0, 0, block.rows * columns);
  const at = new Int32Array(4);
  const f = new Int32Array(4);
  for (const { row, rows, slots } of block.bands) {
    const sum = row * columns;
    const count = rows * columns;
    let filled = 0;
    for (let t = 0; t < slots.length; t++) {
      if (slots[t] < 0) continue;
      for (let chunk = 0; chunk < chunks; chunk++) {
        at[filled] = (chunk * sourceRows.length + slots[t]) * columns;
        f[filled] = first + (t * chunks + chunk) * 3;
        if (++filled === 4) {
          addToOne(sum, count, at[0], at[1], at[2], count, at[3], values, f[0], f[1], f[2], f[3]);
          filled = 0;
        }
      }
    }
    if (filled === 3) addToOne(sum, count, at[0], at[1], at[2], 0, 0, values, f[0], f[1], f[2], 0);
    else for (let i = 0; i < filled; i++) addToOne(sum, 0, 0, 0, 0, count, at[i], values, 0, 0, 0, f[i]);
  }
}

/** Four channels, two chunks at a time; of fewer channels the last one is repeated. */
function sumFour({ chunks, values, stride }: Factors, first: number, channels: number, block: Block): void {
  const { columns, sourceRows } = block;
  for (const sum of sums) sum.fill(0, 0, block.rows * columns);
  const second = first + stride;
  const third = first + Math.min(2, channels - 1) * stride;
  const fourth = first + (channels - 1) * stride;
  for (const { row, rows, slots } of block.bands) {
    const sum = row * columns;
    const count = rows * columns;
    let waiting = -1;
    let waitingTap = 0;
    for (let t = 0; t < slots.length; t++) {
      if (slots[t] < 0) continue;
      for (let chunk = 0; chunk < chunks; chunk++) {
        const at = (chunk * sourceRows.length + slots[t]) * columns;
        const tap = (t * chunks + chunk) * 3;
        if (waiting >= 0) {
          addToFour(sum, count, waiting, waitingTap, count, at, tap, values, first, second, third, fourth);
          waiting = -1;
        } else {
          waiting = at;
          waitingTap = tap;
        }
      }
    }
    if (waiting >= 0)
      addToFour(sum, count, waiting, waitingTap, 0, 0, 0, values, first, second, third, fourth);
  }
}

// The two inner functions have two loops each so that they are long: what has less than 460 bytes of bytecode V8 inlines
// into the loops around it, where the registers do not suffice any more (1.5 times slower).

/** sums0 += nine taps, at atA, atB and atC; then += three taps, at atD. */
function addToOne(
  sum: number,
  nineLength: number,
  atA: number,
  atB: number,
  atC: number,
  threeLength: number,
  atD: number,
  factors: Float64Array,
  fA: number,
  fB: number,
  fC: number,
  fD: number,
): void {
  const nineCount = nineLength & INDEX;
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
  const l0 = atD & INDEX;
  const d0 = factors[fD];
  const d1 = factors[fD + 1];
  const d2 = factors[fD + 2];
  for (let w = 0; w < threeCount; w++) {
    const l = l0 + w;
    sums0[q0 + w] += d0 * line0[l] + d1 * line1[l] + d2 * line2[l];
  }
}

/** sums0 … sums3 += three taps, at atE, of four channels; then += three taps more, at atO. */
function addToFour(
  sum: number,
  evenLength: number,
  atE: number,
  tapE: number,
  oddLength: number,
  atO: number,
  tapO: number,
  factors: Float64Array,
  fA: number,
  fB: number,
  fC: number,
  fD: number,
): void {
  const q0 = sum & INDEX;
  const evenCount = evenLength & INDEX;
  const e0 = atE & INDEX;
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
  const o0 = atO & INDEX;
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
