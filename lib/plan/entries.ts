/**
 * The entries of a convolution's matrix, from its structure: rows in output order, columns in input order. Taps that
 * coincide (padding other than zeros) make one entry; a weight of zero makes none.
 */

import { product } from '../numbers.js';
import type { FloatArray } from '../tensor/dtype.js';
import type { ConvGeometry } from './geometry.js';
import type { AxisTriple } from './options/axes.js';
import { type Reads, type Run, readsAt, runsOf } from './reads.js';

/** The forward convolution of one sample and its weight, [outChannels, inChannels/groups, depth, height, width]. */
export interface Structure
  extends Pick<ConvGeometry, 'groups' | 'inChannels' | 'outChannels' | 'axes' | 'paddingMode'> {
  readonly weight: FloatArray;
}

/** Rows first … first + count − 1 hold the same values, in columns that move `step` to the right from row to row. */
export interface RowRun {
  readonly first: number;
  readonly count: number;
  readonly step: number;
  readonly entries: number;
  /** Of row `first`, ascending; the first `entries` elements count. Valid until the next run is visited. */
  readonly columns: Int32Array;
  readonly values: Float64Array;
  /** The flat tap that made the entry (of several that coincide, the first): what a picture colours it by. */
  readonly taps: Int32Array;
}

/** Visits every row of the matrix once, in order. */
export function forEachRowRun(structure: Structure, visit: (run: RowRun) => void): void {
  const { outChannels, axes, paddingMode } = structure;
  const [depth, height, width] = axes;
  const builder = new RowBuilder(structure);
  const runs = axes.map((axis) => runsOf(axis, paddingMode));
  let row = 0;
  for (let channel = 0; channel < outChannels; channel++) {
    forEachOutput(runs[0], depth.stride, (z, dz) => {
      forEachOutput(runs[1], height.stride, (y, dy) => {
        for (const { count, reads } of runs[2]) {
          const entries = builder.build(channel, z, dz, y, dy, reads);
          const { columns, values, taps } = builder;
          visit({ first: row, count, step: width.stride, entries, columns, values, taps });
          row += count;
        }
      });
    });
  }
}

function forEachOutput(
  runs: readonly Run[],
  stride: number,
  visit: (reads: Reads, shift: number) => void,
): void {
  for (const { count, reads } of runs) for (let i = 0; i < count; i++) visit(reads, i * stride);
}

/** One row, by its output channel and position. */
export function buildRow(
  structure: Structure,
  channel: number,
  position: readonly number[],
): { indices: Int32Array; values: Float64Array } {
  const builder = new RowBuilder(structure);
  const [z, y, x] = structure.axes.map((axis, a) => readsAt(axis, structure.paddingMode, position[a]));
  const entries = builder.build(channel, z, 0, y, 0, x);
  return { indices: builder.columns.slice(0, entries), values: builder.values.slice(0, entries) };
}

/** One entry: the sum of the taps of output `position` that read input element `source`; 0 when none does. */
export function entryAt(
  { axes, groups, inChannels, outChannels, paddingMode, weight }: Structure,
  outChannel: number,
  position: readonly number[],
  inChannel: number,
  source: readonly number[],
): number {
  const perGroup = inChannels / groups;
  const channel = inChannel - Math.floor(outChannel / (outChannels / groups)) * perGroup;
  if (channel < 0 || channel >= perGroup) return 0;
  const [ds, hs, ws] = axes.map((axis, a) => {
    const { sources, taps } = readsAt(axis, paddingMode, position[a]);
    const found = sources.indexOf(source[a]);
    return found < 0 ? [] : taps[found];
  });
  let sum = 0;
  for (const d of ds) {
    for (const h of hs) {
      for (const w of ws) sum += weight[flatTap(axes, outChannel * perGroup + channel, d, h, w)];
    }
  }
  return sum;
}

function flatTap([depth, height, width]: AxisTriple, plane: number, d: number, h: number, w: number): number {
  return ((plane * depth.kernel + d) * height.kernel + h) * width.kernel + w;
}

/** Builds rows into arrays of its own, long enough for the longest. */
class RowBuilder {
  readonly columns: Int32Array;
  readonly values: Float64Array;
  readonly taps: Int32Array;

  constructor(private readonly s: Structure) {
    const longest = s.axes.reduce((n, { kernel }) => n * kernel, s.inChannels / s.groups);
    this.columns = new Int32Array(longest);
    this.values = new Float64Array(longest);
    this.taps = new Int32Array(longest);
  }

  /** `z` moved by `dz` elements, and so on; returns how many entries the row has. */
  build(channel: number, z: Reads, dz: number, y: Reads, dy: number, x: Reads): number {
    const { axes, groups, inChannels, outChannels, weight } = this.s;
    const { columns, values, taps } = this;
    const [depth, height, width] = axes;
    const perGroup = inChannels / groups;
    const firstInput = Math.floor(channel / (outChannels / groups)) * perGroup;
    let entries = 0;
    for (let c = 0; c < perGroup; c++) {
      const plane = channel * perGroup + c;
      for (let zi = 0; zi < z.sources.length; zi++) {
        const slice = ((firstInput + c) * depth.in + z.sources[zi] + dz) * height.in;
        for (let yi = 0; yi < y.sources.length; yi++) {
          const line = (slice + y.sources[yi] + dy) * width.in;
          for (let xi = 0; xi < x.sources.length; xi++) {
            let sum = 0;
            let first = -1;
            for (const d of z.taps[zi]) {
              for (const h of y.taps[yi]) {
                for (const w of x.taps[xi]) {
                  const tap = flatTap(axes, plane, d, h, w);
                  const value = weight[tap];
                  if (value === 0) continue;
                  if (first < 0) first = tap;
                  sum += value;
                }
              }
            }
            if (first < 0) continue;
            columns[entries] = line + x.sources[xi];
            values[entries] = sum;
            taps[entries++] = first;
          }
        }
      }
    }
    return entries;
  }
}

/** How many entries the matrix has, without visiting its rows: outputs that read alike are counted together. */
export function countEntries(structure: Structure): number {
  const { axes, paddingMode, outChannels, inChannels, groups, weight } = structure;
  const kinds = axes.map((axis) => kindsOf(runsOf(axis, paddingMode)));
  const planes = outChannels * (inChannels / groups);
  const kernel = product(axes.map((axis) => axis.kernel));
  const coincide = kinds.some((kind) => kind.some(({ taps }) => taps.some((group) => group.length > 1)));
  let total = 0;
  if (!coincide) {
    // Axes are independent of one another: a tap serves as many outputs as the product of what it serves per axis.
    const served = axes.map((axis, a) => servedOutputs(kinds[a], axis.kernel));
    for (let at = 0, plane = 0; plane < planes; plane++) {
      for (const d of served[0]) {
        for (const h of served[1]) for (const w of served[2]) if (weight[at++] !== 0) total += d * h * w;
      }
    }
    return total;
  }
  for (let plane = 0; plane < planes; plane++) {
    const own = weight.subarray(plane * kernel, (plane + 1) * kernel);
    for (const d of kinds[0]) {
      for (const h of kinds[1]) {
        for (const w of kinds[2])
          total += d.count * h.count * w.count * distinct(axes, own, d.taps, h.taps, w.taps);
      }
    }
  }
  return total;
}

/** How many outputs read with these taps, grouped so. */
interface Kind {
  readonly taps: Reads['taps'];
  readonly count: number;
}

function kindsOf(runs: readonly Run[]): Kind[] {
  const kinds = new Map<string, { taps: Reads['taps']; count: number }>();
  for (const { count, reads } of runs) {
    const key = reads.taps.map((taps) => taps.join(' ')).join(',');
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, { taps: reads.taps, count });
    else kind.count += count;
  }
  return [...kinds.values()];
}

function servedOutputs(kinds: readonly Kind[], kernel: number): Float64Array {
  const served = new Float64Array(kernel);
  for (const { taps, count } of kinds) for (const [tap] of taps) served[tap] += count;
  return served;
}

/** Entries of one output and one input channel: triples of groups with a nonzero weight among their taps. */
function distinct(
  axes: AxisTriple,
  weight: FloatArray,
  ds: Reads['taps'],
  hs: Reads['taps'],
  ws: Reads['taps'],
): number {
  let count = 0;
  for (const d of ds) {
    for (const h of hs) {
      for (const w of ws) {
        if (d.some((i) => h.some((j) => w.some((k) => weight[flatTap(axes, 0, i, j, k)] !== 0)))) count++;
      }
    }
  }
  return count;
}
