/**
 * Convolution by Fourier transforms: a padded channel as one line, and the kernel as a line with the same distances between its
 * elements, so that their convolution is the one over all axes; a sum over the channels that are read. See
 * plan/algorithms/js/fft.ts.
 *
 * What is not finite reaches those outputs alone that read it: see by-transforms.ts.
 */
import { type FlatLine, flatLine } from '../../plan/algorithms/js/fft.js';
import { convolveAny, type Line, wholeLine } from '../by-transforms.js';
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
import type { Work } from './work.js';

/** @param block  Points of a transform. */
export function convolveSpectra(part: Part, block: number): ImageConvolution {
  const { direction, lattice } = part;
  const { groups, sourceChannels, writtenChannels } = direction;
  const flat = flatLine(
    lattice.map((gather) => reach(gather) + 1),
    lattice.map(({ count, jump }) => (count - 1) * jump + 1),
  );
  return function* (job) {
    const channel = new Float64Array(flat.signal);
    const taps = new Float64Array(flat.kernel);
    const sums = new Float64Array(flat.out);
    const total = sourceChannels === 1 ? sums : new Float64Array(flat.out);
    const kernel = { values: taps, places: () => placesOf(lattice, flat) };
    const convolve = (): Work => convolveLine(wholeLine(channel), kernel, block, sums);
    for (let group = 0; group < groups; group++) {
      for (let m = 0; m < writtenChannels; m++) {
        const written = group * writtenChannels + m;
        if (sourceChannels > 1) total.fill(0);
        for (let c = 0; c < sourceChannels; c++) {
          if (sourceChannels > 1 || m === 0) layChannel(part, job, group, c, flat, channel);
          layTaps(part, written, c, flat, taps);
          yield* convolve();
          if (total !== sums) for (let i = 0; i < sums.length; i++) total[i] += sums[i];
          yield;
        }
        store(part, job, written, flat, total);
        yield;
      }
    }
  };
}

function convolveLine(signal: Line, kernel: Line, block: number, sums: Float64Array): Work {
  const start = kernel.values.length - 1;
  return convolveAny(signal, kernel, start, sums, (x, y, to) => convolveBlocks(x, y, block, start, to));
}

function reach({ offsets }: AxisGather): number {
  return Math.max(offsets[0], offsets[offsets.length - 1]);
}

/** Of each offset, whether any position reads an element at it. */
function readsElements({ line, offsets, count, jump }: AxisGather): boolean[] {
  // Elements among line[u], line[u − jump], …
  const met = new Int32Array(line.length);
  for (let u = 0; u < line.length; u++) met[u] = (u < jump ? 0 : met[u - jump]) + (line[u] >= 0 ? 1 : 0);
  return Array.from(offsets, (first) => {
    const before = first < jump ? 0 : met[first - jump];
    return met[first + (count - 1) * jump] > before;
  });
}

/** channel[slice][row][column] ← the lines of all axes */
function layChannel(
  part: Part,
  job: Job,
  group: number,
  c: number,
  { padded: [slices, rows, columns] }: FlatLine,
  channel: Float64Array,
): void {
  const [gd, gh, gw] = part.lattice;
  const [depth, height, width] = part.direction.source;
  const from = sourceOrigin(part, job, group) + c * depth * height * width;
  const { input } = job;
  for (let s = 0, to = 0; s < slices; s++) {
    for (let u = 0; u < rows; u++) {
      const [z, y] = [gd.line[s], gh.line[u]];
      const row = from + (z * height + y) * width;
      for (let v = 0; v < columns; v++) {
        const x = gw.line[v];
        channel[to++] = z < 0 || y < 0 || x < 0 ? 0 : input[row + x];
      }
    }
  }
}

/** Backwards, as a convolution flips it; what meets padding alone would leave its rounding in every output. */
function layTaps(part: Part, written: number, c: number, flat: FlatLine, taps: Float64Array): void {
  const { direction, lattice, operands } = part;
  const [, height, width] = direction.kernel;
  const own = weightOrigin(part, written) + c * direction.sourceStride;
  taps.fill(0);
  eachTap(lattice, flat, (place, i, j, k) => {
    const [t, u, v] = [lattice[0].taps[i], lattice[1].taps[j], lattice[2].taps[k]];
    taps[place] = operands.weight[own + (t * height + u) * width + v];
  });
}

/** Where the taps lie in their line, but for those that meet padding alone. */
function placesOf(lattice: Lattice, flat: FlatLine): Int32Array {
  const places: number[] = [];
  eachTap(lattice, flat, (place) => {
    places.push(place);
  });
  return Int32Array.from(places);
}

function eachTap(
  lattice: Lattice,
  { padded: [, rows, columns], kernel }: FlatLine,
  visit: (place: number, i: number, j: number, k: number) => void,
): void {
  const [depths, downs, rights] = lattice.map((gather) => {
    const reads = readsElements(gather);
    return Array.from(gather.offsets, (offset, i) => (reads[i] ? offset : -1));
  });
  depths.forEach((deep, i) => {
    downs.forEach((down, j) => {
      rights.forEach((right, k) => {
        if (deep < 0 || down < 0 || right < 0) return;
        visit(kernel - 1 - ((deep * rows + down) * columns + right), i, j, k);
      });
    });
  });
}

function store(
  part: Part,
  job: Job,
  channel: number,
  { padded: [, rows, columns] }: FlatLine,
  sums: Float64Array,
): void {
  const { direction, lattice, operands } = part;
  const [, height, width] = direction.written;
  const [gd, gh, gw] = lattice;
  const { output } = job;
  const shift = biasOf(operands, channel);
  const plane = writtenPlane(part, job, channel) * direction.written[0];
  // The sums of a strided row are gathered first.
  const wanted = gw.jump === 1 ? sums : new Float64Array(gw.count);
  for (let s = 0; s < gd.count; s++) {
    for (let i = 0; i < gh.count; i++) {
      const to = ((plane + gd.start + s * gd.step) * height + gh.start + i * gh.step) * width + gw.start;
      let from = (s * gd.jump * rows + i * gh.jump) * columns;
      if (wanted !== sums) {
        for (let j = 0; j < gw.count; j++) wanted[j] = sums[from + j * gw.jump];
        from = 0;
      }
      storeRow(wanted, from, gw.count, shift, operands.clamp, { output, to, step: gw.step });
    }
  }
}
