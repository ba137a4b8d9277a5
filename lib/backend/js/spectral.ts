/**
 * Convolution of one channel by Fourier transforms: the padded channel as one line, and the kernel as a line with the same
 * distance between its rows, so that their convolution is the one over both axes. See plan/algorithms/js/fft.ts.
 *
 * What is not finite reaches those outputs alone that read it: see by-transforms.ts.
 */
import { flatPlane } from '../../plan/algorithms/js/fft.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { convolveAny, wholeLine } from '../by-transforms.js';
import { type Direction, product } from './direction.js';
import { convolveBlocks } from './fft.js';
import type { AxisGather, Lattice } from './gather.js';
import { type Finish, storeRow } from './store.js';
import type { Work } from './work.js';

/** One image and lattice, every group: of one source channel each. */
export function* convolveSpectra(
  direction: Direction,
  lattice: Lattice,
  block: number,
  weight: FloatArray,
  finish: Finish,
  input: FloatArray,
  inputImage: number,
  output: FloatArray,
  outputImage: number,
): Work {
  const { groups, writtenChannels, source, writtenStride, kernel: sizes } = direction;
  const [, gh, gw] = lattice;
  const { pitch, signal, kernel, out } = flatPlane(gh.count, gw.count, reach(gh), reach(gw));
  const channel = new Float64Array(signal);
  const taps = new Float64Array(kernel);
  const sums = new Float64Array(out);
  const line = wholeLine(channel);
  const places = () => placesOf(lattice, pitch, kernel);
  for (let group = 0; group < groups; group++) {
    const from = (inputImage * groups + group) * product(source);
    layChannel(lattice, source[2], input, from, pitch, channel);
    for (let m = 0; m < writtenChannels; m++) {
      const own = (group * weight.length) / groups + m * writtenStride;
      // Backwards, as a convolution flips it; what meets padding alone would leave its rounding in every output.
      taps.fill(0);
      gh.offsets.forEach((down, i) => {
        gw.offsets.forEach((right, j) => {
          if (readsElements(gh, down) && readsElements(gw, right))
            taps[kernel - 1 - down * pitch - right] = weight[own + gh.taps[i] * sizes[2] + gw.taps[j]];
        });
      });
      yield* convolveAny(line, { values: taps, places }, kernel - 1, sums, (x, y, to) =>
        convolveBlocks(x, y, block, kernel - 1, to),
      );
      const plane = (outputImage * groups + group) * writtenChannels + m;
      store(direction, lattice, pitch, finish, output, plane, sums);
      yield;
    }
  }
}

function reach({ offsets }: AxisGather): number {
  return Math.max(offsets[0], offsets[offsets.length - 1]);
}

/** Whether any position of a stride of 1 reads an element at the offset. */
function readsElements({ line, count }: AxisGather, offset: number): boolean {
  for (let u = offset; u < offset + count; u++) if (line[u] >= 0) return true;
  return false;
}

/** channel[row][column] ← the lines of both axes */
function layChannel(
  [, gh, gw]: Lattice,
  width: number,
  input: FloatArray,
  from: number,
  pitch: number,
  channel: Float64Array,
): void {
  for (let u = 0, to = 0; to < channel.length; u++) {
    const y = gh.line[u];
    for (let v = 0; v < pitch; v++) {
      const x = gw.line[v];
      channel[to++] = y < 0 || x < 0 ? 0 : input[from + y * width + x];
    }
  }
}

/** Where the taps lie in their line, but for those that meet padding alone. */
function placesOf([, gh, gw]: Lattice, pitch: number, kernel: number): Int32Array {
  const [downs, rights] = [gh, gw].map((gather) =>
    Array.from(gather.offsets).filter((offset) => readsElements(gather, offset)),
  );
  return Int32Array.from(downs.flatMap((down) => rights.map((right) => kernel - 1 - down * pitch - right)));
}

function store(
  { written: [, height, width] }: Direction,
  [, gh, gw]: Lattice,
  pitch: number,
  { bias, clamp }: Finish,
  output: FloatArray,
  plane: number,
  sums: Float64Array,
): void {
  const channels = bias === null ? 1 : bias.length;
  const shift = bias === null ? 0 : bias[plane % channels];
  for (let i = 0; i < gh.count; i++) {
    const to = (plane * height + gh.start + i * gh.step) * width + gw.start;
    storeRow(sums, i * pitch, gw.count, shift, clamp, output, to, gw.step);
  }
}
