/**
 * The operands of a convolution's product, packed as gemm.ts wants them:
 *   columns[position][c·taps] ← source[c][…], implicitly im2col (its transpose: a patch lies contiguous)
 *   rows[channel][c·taps]     ← weight
 * A block covers steps [start, start + depth) of c·taps, and may begin and end within a patch.
 */
import type { FloatArray } from '../../tensor/dtype.js';
import { type Direction, product } from './direction.js';
import { type AxisGather, type Lattice, sourceAt } from './gather.js';
import { columns, rows } from './gemm.js';

/** One run of taps along the width, in a block. */
interface Segment {
  readonly channel: number;
  /** Indices into the taps of the lattice's axes. */
  readonly depthTap: number;
  readonly heightTap: number;
  readonly firstTap: number;
  readonly length: number;
}

function segmentsOf([gd, gh, gw]: Lattice, start: number, depth: number): Segment[] {
  const run = gw.taps.length;
  const segments: Segment[] = [];
  for (let at = start; at < start + depth; ) {
    const row = Math.floor(at / run);
    const firstTap = at % run;
    const length = Math.min(run - firstTap, start + depth - at);
    const heightTap = row % gh.taps.length;
    const depthTap = Math.floor(row / gh.taps.length) % gd.taps.length;
    const channel = Math.floor(row / gh.taps.length / gd.taps.length);
    segments.push({ channel, depthTap, heightTap, firstTap, length });
    at += length;
  }
  return segments;
}

/** @param origin  Of the source image's first channel in this group. */
export function packPatches(
  direction: Direction,
  lattice: Lattice,
  source: FloatArray,
  origin: number,
  first: number,
  count: number,
  start: number,
  depth: number,
): void {
  const [gd, gh, gw] = lattice;
  if (gd.taps.length * gh.taps.length * gw.taps.length === 1) {
    packPixels(direction, lattice, source, origin, first, count, start, depth);
    return;
  }
  const [, sourceHeight, sourceWidth] = direction.source;
  const plane = product(direction.source);
  const segments = segmentsOf(lattice, start, depth);
  const tapStep = gw.taps.length > 1 ? gw.offsets[1] - gw.offsets[0] : 0;
  for (let i = 0; i < count; i++) {
    const to = columns[i % 3];
    let at = Math.floor(i / 3) * depth;
    const w = (first + i) % gw.count;
    const h = Math.floor((first + i) / gw.count) % gh.count;
    const d = Math.floor((first + i) / gw.count / gh.count);
    const isInside = readsInside(gw, w);
    for (let s = 0; s < segments.length; s++) {
      const { channel, depthTap, heightTap, firstTap, length } = segments[s];
      const z = sourceAt(gd, d, depthTap);
      const y = sourceAt(gh, h, heightTap);
      const end = at + length;
      if (z < 0 || y < 0) {
        while (at < end) to[at++] = 0;
        continue;
      }
      const row = origin + channel * plane + (z * sourceHeight + y) * sourceWidth;
      if (isInside) {
        for (let from = row + sourceAt(gw, w, firstTap); at < end; from += tapStep) to[at++] = source[from];
      } else {
        for (let t = firstTap; at < end; t++) {
          const x = sourceAt(gw, w, t);
          to[at++] = x < 0 ? 0 : source[row + x];
        }
      }
    }
  }
}

/** Whether all that a position reads lies in the source, the taps at a constant distance. */
function readsInside({ offsets, jump, inside }: AxisGather, position: number): boolean {
  const first = offsets[0];
  const last = offsets[offsets.length - 1];
  const at = position * jump;
  return at + Math.min(first, last) >= inside[0] && at + Math.max(first, last) < inside[1];
}

/** As packPatches for a single tap: a patch is one pixel of every channel. */
function packPixels(
  direction: Direction,
  [gd, gh, gw]: Lattice,
  source: FloatArray,
  origin: number,
  first: number,
  count: number,
  start: number,
  depth: number,
): void {
  const [, sourceHeight, sourceWidth] = direction.source;
  const plane = product(direction.source);
  for (let i = 0; i < count; i++) {
    const to = columns[i % 3];
    let at = Math.floor(i / 3) * depth;
    const end = at + depth;
    const z = sourceAt(gd, Math.floor((first + i) / gw.count / gh.count), 0);
    const y = sourceAt(gh, Math.floor((first + i) / gw.count) % gh.count, 0);
    const x = sourceAt(gw, (first + i) % gw.count, 0);
    if (z < 0 || y < 0 || x < 0) {
      while (at < end) to[at++] = 0;
      continue;
    }
    const pixel = origin + start * plane + (z * sourceHeight + y) * sourceWidth + x;
    for (let from = pixel; at < end; from += plane) to[at++] = source[from];
  }
}

/** @param origin  Of the group's weights. */
export function packWeights(
  direction: Direction,
  lattice: Lattice,
  weight: FloatArray,
  origin: number,
  first: number,
  count: number,
  start: number,
  depth: number,
): void {
  const [gd, gh, gw] = lattice;
  const { kernel, sourceStride, writtenStride } = direction;
  const taps = product(kernel);
  const isContiguous = sourceStride === taps && gd.taps.length * gh.taps.length * gw.taps.length === taps;
  const segments = isContiguous ? [] : segmentsOf(lattice, start, depth);
  for (let i = 0; i < count; i++) {
    const to = rows[i % 2];
    let at = (i >> 1) * depth;
    const channel = origin + (first + i) * writtenStride;
    if (isContiguous) {
      const end = at + depth;
      for (let from = channel + start; at < end; from++) to[at++] = weight[from];
      continue;
    }
    for (const { channel: c, depthTap, heightTap, firstTap, length } of segments) {
      const row =
        channel + c * sourceStride + (gd.taps[depthTap] * kernel[1] + gh.taps[heightTap]) * kernel[2];
      for (let t = firstTap; t < firstTap + length; t++) to[at++] = weight[row + gw.taps[t]];
    }
  }
}
