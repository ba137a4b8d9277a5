/**
 * Convolution of one channel by Fourier transforms: the padded channel as one line, and the kernel as a line with the same
 * distance between its rows, so that their convolution is the one over both axes. See plan/algorithms/js/fft.ts.
 *
 * A result that is not finite is summed again directly, so NaN and infinity stand where direct sums put them.
 */
import { flatPlane } from '../../plan/algorithms/js/fft.js';
import type { FloatArray } from '../../tensor/dtype.js';
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
      yield* convolveBlocks(channel, taps, block, kernel - 1, sums);
      if (!areFinite(lattice, pitch, sums)) yield* sumDirectly(lattice, pitch, channel, taps, sums);
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

function areFinite([, gh, gw]: Lattice, pitch: number, sums: Float64Array): boolean {
  for (let i = 0; i < gh.count; i++) {
    let all = 0;
    for (let j = 0; j < gw.count; j++) all += sums[i * pitch + j] * 0;
    if (all !== 0) return false;
  }
  return true;
}

/** sums ← every output by definition; a zero weight counts, as in any direct sum. */
function* sumDirectly(
  [, gh, gw]: Lattice,
  pitch: number,
  channel: Float64Array,
  taps: Float64Array,
  sums: Float64Array,
): Work {
  sums.fill(0);
  for (const down of gh.offsets) {
    for (const right of gw.offsets) {
      const factor = taps[taps.length - 1 - down * pitch - right];
      const from = down * pitch + right;
      for (let i = 0; i < sums.length; i++) sums[i] += factor * channel[from + i];
      yield;
    }
  }
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
