/**
 * Convolution as the product with its sparse Toeplitz matrix: row by row, and of the taps only those that are not zero.
 *   sums[w] += weight · source[w's element], for every nonzero tap
 */
import type { FloatArray } from '../../tensor/dtype.js';
import { type Direction, product } from './direction.js';
import type { AxisGather, Lattice } from './gather.js';
import { type Finish, storeRow } from './store.js';
import type { Work } from './work.js';

/** The nonzero taps of one written channel. */
interface Taps {
  /** Per tap: source channel, and indices into the lattice's taps of depth, height and width. */
  readonly places: Int32Array;
  readonly weights: Float64Array;
}

/** Outputs that a width tap meets at elements a constant step apart: start ≤ w < end, from element `source` on. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly source: number;
  readonly step: number;
}

/** One group and lattice, ready to run on any image. */
export function makeToeplitz(
  direction: Direction,
  lattice: Lattice,
  weight: FloatArray,
  finish: Finish,
  group: number,
): (
  input: FloatArray,
  inputImage: number,
  output: FloatArray,
  outputImage: number,
  unitSize: number,
) => Work {
  const { groups, sourceChannels, writtenChannels, source, written } = direction;
  const [gd, gh, gw] = lattice;
  const taps = Array.from({ length: writtenChannels }, (_, m) =>
    tapsOf(direction, lattice, weight, group, m),
  );
  const runs = Array.from(gw.taps, (_, t) => runOf(gw, t));
  const sums = new Float64Array(gw.count);
  const [, sourceHeight, sourceWidth] = source;
  const [depth, height, width] = written;

  const addTap = (input: FloatArray, row: number, tap: number, factor: number): void => {
    const { start, end, source: first, step } = runs[tap];
    for (let w = start, at = row + first; w < end; w++, at += step) sums[w] += factor * input[at];
    for (let w = 0; w < gw.count; w++) {
      if (w === start) w = end;
      if (w === gw.count) break;
      const x = gw.sources[w * gw.taps.length + tap];
      if (x >= 0) sums[w] += factor * input[row + x];
    }
  };

  return function* (input, inputImage, output, outputImage, unitSize) {
    const plane = product(source);
    const image = (inputImage * groups + group) * sourceChannels * plane;
    let done = 0;
    for (let m = 0; m < writtenChannels; m++) {
      const { places, weights } = taps[m];
      const channel = group * writtenChannels + m;
      const shift = finish.bias === null ? 0 : finish.bias[channel];
      for (let d = 0; d < gd.count; d++) {
        for (let h = 0; h < gh.count; h++) {
          sums.fill(0);
          for (let p = 0, at = 0; p < weights.length; p++, at += 4) {
            const z = gd.sources[d * gd.taps.length + places[at + 1]];
            const y = gh.sources[h * gh.taps.length + places[at + 2]];
            if (z < 0 || y < 0) continue;
            const row = image + places[at] * plane + (z * sourceHeight + y) * sourceWidth;
            addTap(input, row, places[at + 3], weights[p]);
          }
          const slice = (outputImage * groups * writtenChannels + channel) * depth + gd.start + d * gd.step;
          const to = (slice * height + gh.start + h * gh.step) * width + gw.start;
          storeRow(sums, 0, gw.count, shift, finish.clamp, output, to, gw.step);
          done += weights.length * gw.count;
          if (done >= unitSize) {
            done = 0;
            yield;
          }
        }
      }
    }
  };
}

function tapsOf(
  { sourceChannels, kernel, sourceStride, writtenStride, groups }: Direction,
  [gd, gh, gw]: Lattice,
  weight: FloatArray,
  group: number,
  channel: number,
): Taps {
  const places: number[] = [];
  const weights: number[] = [];
  const origin = (group * weight.length) / groups + channel * writtenStride;
  for (let c = 0; c < sourceChannels; c++) {
    for (let i = 0; i < gd.taps.length; i++) {
      for (let j = 0; j < gh.taps.length; j++) {
        for (let k = 0; k < gw.taps.length; k++) {
          const tap = (gd.taps[i] * kernel[1] + gh.taps[j]) * kernel[2] + gw.taps[k];
          const value = weight[origin + c * sourceStride + tap];
          if (value === 0) continue;
          places.push(c, i, j, k);
          weights.push(value);
        }
      }
    }
  }
  return { places: Int32Array.from(places), weights: Float64Array.from(weights) };
}

/** The stretch from the first output that the tap meets inside the source, as long as its elements keep their step. */
function runOf({ sources, taps, count }: AxisGather, tap: number): Run {
  const at = (w: number): number => sources[w * taps.length + tap];
  let start = 0;
  while (start < count && at(start) < 0) start++;
  if (start === count) return { start: 0, end: 0, source: 0, step: 0 };
  const step = start + 1 < count && at(start + 1) >= 0 ? at(start + 1) - at(start) : 1;
  let end = start + 1;
  while (end < count && at(end) === at(end - 1) + step) end++;
  return { start, end, source: at(start), step };
}
