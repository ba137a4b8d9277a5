/**
 * The operands of a convolution's product, packed as gemm.ts wants them:
 *   columns[position][c·taps] ← source[c][…], implicitly im2col (its transpose: a patch lies contiguous)
 *   rows[channel][c·taps]     ← weight
 * A block covers steps [start, start + depth) of c·taps, and may begin and end within a patch.
 */
import { product } from '../../numbers.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { Direction, Sizes } from './direction.js';
import { type AxisGather, type Lattice, sourceAt } from './gather.js';
import { CAPACITY, columns, type Slice } from './gemm.js';
import { type Part, weightOrigin } from './job.js';

const [columns0, columns1, columns2] = columns;

/** Where the steps of a product lie in the source and in the weight. */
export interface Steps {
  /** From where a position that reads no padding begins to the element of each step. */
  readonly source: Int32Array;
  /** From the first weight of a written channel to that of each step. */
  readonly weight: Int32Array;
}

export function stepsOf(
  { source: [depth, height, width], kernel, sourceChannels, sourceStride }: Direction,
  [gd, gh, gw]: Lattice,
): Steps {
  const count = sourceChannels * gd.taps.length * gh.taps.length * gw.taps.length;
  const source = new Int32Array(count);
  const weight = new Int32Array(count);
  let step = 0;
  for (let c = 0; c < sourceChannels; c++) {
    for (let td = 0; td < gd.taps.length; td++) {
      for (let th = 0; th < gh.taps.length; th++) {
        const row = ((c * depth + gd.offsets[td]) * height + gh.offsets[th]) * width;
        const weights = c * sourceStride + (gd.taps[td] * kernel[1] + gh.taps[th]) * kernel[2];
        for (let tw = 0; tw < gw.taps.length; tw++, step++) {
          source[step] = row + gw.offsets[tw];
          weight[step] = weights + gw.taps[tw];
        }
      }
    }
  }
  return { source, weight };
}

/** Where a vector of a product lies. */
interface Stretch {
  readonly array: Float64Array;
  readonly at: number;
  readonly length: number;
}

/** A group's channels of an image. */
interface Source {
  readonly elements: FloatArray;
  /** Where the first of them begins. */
  readonly origin: number;
}

/** @param steps  Of the source: see stepsOf. */
export function packPatches(
  { direction, lattice }: Part,
  steps: Int32Array,
  { elements: source, origin }: Source,
  { first, count, start, depth }: Slice,
): void {
  const [, height, width] = direction.source;
  const [gd, gh, gw] = lattice;
  const plane = product(direction.source);
  const elements = new Int32Array(gd.taps.length * gh.taps.length * gw.taps.length);
  const begins = [0, 0, 0];
  for (let i = 0, at = 0; i < count; i += 3, at += depth) {
    const here = Math.min(3, count - i);
    let inside = 0;
    for (let k = 0; k < here; k++) {
      const position = first + i + k;
      const w = position % gw.count;
      const h = Math.floor(position / gw.count) % gh.count;
      const d = Math.floor(position / gw.count / gh.count);
      if (readsInside(gw, w) && readsInside(gh, h) && readsInside(gd, d)) {
        begins[k] = origin + (placeOf(gd, d) * height + placeOf(gh, h)) * width + placeOf(gw, w);
        inside++;
      } else {
        findElements(direction, lattice, [d, h, w], elements);
        layEdge({ elements: source, origin }, plane, elements, start, {
          array: columns[k],
          at,
          length: depth,
        });
        begins[k] = -1;
      }
    }
    if (inside === 3) layThree(source, begins, steps, start, depth, at);
    else if (inside > 0) {
      for (let k = 0; k < here; k++) {
        if (begins[k] >= 0) layOne(source, begins[k], steps, start, { array: columns[k], at, length: depth });
      }
    }
  }
}

/** Whether all that a position reads lies in the source. */
function readsInside({ offsets, jump, inside }: AxisGather, position: number): boolean {
  const first = offsets[0];
  const last = offsets[offsets.length - 1];
  const at = position * jump;
  return at + Math.min(first, last) >= inside[0] && at + Math.max(first, last) < inside[1];
}

/** The element from which the offsets of such a position count. */
function placeOf({ line, jump, inside }: AxisGather, position: number): number {
  return position * jump - inside[0] + line[inside[0]];
}

/** elements[tap] ← the place in a channel that a position meets there, or -1 for a zero. */
function findElements(
  { source: [, height, width] }: Direction,
  [gd, gh, gw]: Lattice,
  [d, h, w]: Sizes,
  elements: Int32Array,
): void {
  let tap = 0;
  for (let td = 0; td < gd.taps.length; td++) {
    const z = sourceAt(gd, d, td);
    for (let th = 0; th < gh.taps.length; th++) {
      const y = sourceAt(gh, h, th);
      for (let tw = 0; tw < gw.taps.length; tw++) {
        const x = sourceAt(gw, w, tw);
        elements[tap++] = z < 0 || y < 0 || x < 0 ? -1 : (z * height + y) * width + x;
      }
    }
  }
}

/** array[at + i] ← step start + i of a position some of whose elements are zeros */
function layEdge(
  source: Source,
  plane: number,
  elements: Int32Array,
  start: number,
  { array, at, length }: Stretch,
): void {
  const taps = elements.length;
  let channel = source.origin + Math.floor(start / taps) * plane;
  let tap = start % taps;
  for (let p = at; p < at + length; p++) {
    const x = elements[tap];
    array[p] = x < 0 ? 0 : source.elements[channel + x];
    if (++tap < taps) continue;
    tap = 0;
    channel += plane;
  }
}

/** array[at + i] ← step start + i of what begins at `begin` */
function layOne(
  source: FloatArray,
  begin: number,
  steps: Int32Array,
  start: number,
  { array, at, length }: Stretch,
): void {
  for (let i = 0; i < length; i++) array[at + i] = source[begin + steps[start + i]];
}

const INDEX = CAPACITY - 1;

/** Three positions at a time: each step's place is read once, and the arrays share an index. */
function layThree(
  source: FloatArray,
  [begin0, begin1, begin2]: readonly number[],
  steps: Int32Array,
  start: number,
  depth: number,
  at: number,
): void {
  const to = at & INDEX;
  const count = depth & INDEX;
  for (let i = 0; i < count; i++) {
    const step = steps[(start + i) | 0];
    const p = to + i;
    columns0[p] = source[(begin0 + step) | 0];
    columns1[p] = source[(begin1 + step) | 0];
    columns2[p] = source[(begin2 + step) | 0];
  }
}

/**
 * to[i mod 2][⌊i/2⌋·depth …] ← steps [start, start + depth) of written channel first + i
 *
 * @param steps  Of the weight: see stepsOf.
 */
export function packWeights(
  part: Part,
  group: number,
  steps: Int32Array,
  { first, count, start, depth }: Slice,
  to: readonly Float64Array[],
): void {
  const { direction, operands } = part;
  const firstChannel = group * direction.writtenChannels + first;
  for (let i = 0; i < count; i++) {
    const at = (i >> 1) * depth;
    const own = weightOrigin(part, firstChannel + i);
    layOne(operands.weight, own, steps, start, { array: to[i % 2], at, length: depth });
  }
}
