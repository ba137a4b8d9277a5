/**
 * Convolution of one channel by Fourier transforms: the padded channel as one line, and the kernel as a line with the same
 * distance between its rows, so that their convolution is the one over both axes. See plan/algorithms/js/fft.ts.
 *
 * What is not finite reaches those outputs alone that read it: see by-transforms.ts.
 */
import { type FlatPlane, flatPlane } from '../../plan/algorithms/js/fft.js';
import { convolveAny, wholeLine } from '../by-transforms.js';
import { convolveBlocks } from './fft.js';
import type { AxisGather, Lattice } from './gather.js';
import {
  biasOf,
  type ImageConvolution,
  type Job,
  type Part,
  sourceOrigin,
  weightOrigin,
  writtenPlane,
} from './job.js';
import { storeRow } from './store.js';

/**
 * Of one source channel per group.
 *
 * @param block  Points of a transform.
 */
export function convolveSpectra(part: Part, block: number): ImageConvolution {
  const { direction, lattice } = part;
  const { groups, writtenChannels } = direction;
  const [, gh, gw] = lattice;
  const plane = flatPlane(gh.count, gw.count, reach(gh), reach(gw));
  return function* (job) {
    const channel = new Float64Array(plane.signal);
    const taps = new Float64Array(plane.kernel);
    const sums = new Float64Array(plane.out);
    const line = wholeLine(channel);
    const places = () => placesOf(lattice, plane);
    for (let group = 0; group < groups; group++) {
      layChannel(part, job, group, plane.pitch, channel);
      for (let m = 0; m < writtenChannels; m++) {
        const written = group * writtenChannels + m;
        layTaps(part, written, plane, taps);
        yield* convolveAny(line, { values: taps, places }, plane.kernel - 1, sums, (x, y, to) =>
          convolveBlocks(x, y, block, plane.kernel - 1, to),
        );
        store(part, job, written, plane.pitch, sums);
        yield;
      }
    }
  };
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
function layChannel(part: Part, job: Job, group: number, pitch: number, channel: Float64Array): void {
  const [, gh, gw] = part.lattice;
  const width = part.direction.source[2];
  const from = sourceOrigin(part, job, group);
  const { input } = job;
  for (let u = 0, to = 0; to < channel.length; u++) {
    const y = gh.line[u];
    for (let v = 0; v < pitch; v++) {
      const x = gw.line[v];
      channel[to++] = y < 0 || x < 0 ? 0 : input[from + y * width + x];
    }
  }
}

/** Backwards, as a convolution flips it; what meets padding alone would leave its rounding in every output. */
function layTaps(part: Part, channel: number, { pitch, kernel }: FlatPlane, taps: Float64Array): void {
  const { direction, lattice, operands } = part;
  const [, gh, gw] = lattice;
  const own = weightOrigin(part, channel);
  taps.fill(0);
  gh.offsets.forEach((down, i) => {
    gw.offsets.forEach((right, j) => {
      if (readsElements(gh, down) && readsElements(gw, right))
        taps[kernel - 1 - down * pitch - right] =
          operands.weight[own + gh.taps[i] * direction.kernel[2] + gw.taps[j]];
    });
  });
}

/** Where the taps lie in their line, but for those that meet padding alone. */
function placesOf([, gh, gw]: Lattice, { pitch, kernel }: FlatPlane): Int32Array {
  const [downs, rights] = [gh, gw].map((gather) =>
    Array.from(gather.offsets).filter((offset) => readsElements(gather, offset)),
  );
  return Int32Array.from(downs.flatMap((down) => rights.map((right) => kernel - 1 - down * pitch - right)));
}

function store(part: Part, job: Job, channel: number, pitch: number, sums: Float64Array): void {
  const { direction, lattice, operands } = part;
  const [, height, width] = direction.written;
  const [, gh, gw] = lattice;
  const { output } = job;
  const shift = biasOf(operands, channel);
  const plane = writtenPlane(part, job, channel);
  for (let i = 0; i < gh.count; i++) {
    const to = (plane * height + gh.start + i * gh.step) * width + gw.start;
    storeRow(sums, i * pitch, gw.count, shift, operands.clamp, { output, to, step: gw.step });
  }
}
