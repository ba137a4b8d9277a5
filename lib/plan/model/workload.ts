/**
 * How long an algorithm of the native backend takes on one core, by a model of its loops: steps of its tiles, which take as
 * long as their multiply-adds or their loads, whichever is more, and what surrounds them. The loops' sizes are the addon's
 * own (tuning.ts), the nanoseconds are fitted (times.ts).
 */
import { ceilDiv, product } from '../../numbers.js';
import { BYTES } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import type { Axis } from '../options/axes.js';
import type { Times } from './times.js';
import type { Tuning } from './tuning.js';

/** Weights that stay in the second-level cache from image to image. */
const CACHED_BYTES = 2 ** 20;
/** Results that leave all caches as they are written. */
const LAST_CACHE_BYTES = 2 ** 24;

/** A convolution to be computed, with what every algorithm's model asks of it. */
export class Workload {
  readonly bytes: number;
  readonly lanes: number;
  /** Channels of a group. */
  readonly read: number;
  readonly written: number;
  readonly images: number;
  readonly taps: number;
  readonly places: number;

  constructor(
    readonly g: ConvGeometry,
    readonly tuning: Tuning,
    readonly times: Times,
  ) {
    this.bytes = BYTES[g.dtype];
    this.lanes = (tuning.lanes * BYTES.float32) / this.bytes;
    this.read = g.inChannels / g.groups;
    this.written = g.outChannels / g.groups;
    this.images = g.batch * g.groups;
    this.taps = product(g.axes.map((axis) => axis.kernel));
    this.places = product(g.axes.map((axis) => axis.out));
  }

  /** How many vectors hold so many elements. */
  vectors(elements: number): number {
    return ceilDiv(elements, this.lanes);
  }

  /** One step of a tile of `sums` vectors: a multiply-add among many, one that waits for the one before, or a load. */
  step(sums: number, loads: number): number {
    const { multiply, load, latency } = this.times.core;
    return Math.max(sums * multiply, loads * load, latency);
  }

  /** Weights that stay in no nearer cache than the third come once per image, or as often as `times` says. */
  streamed(weightBytes: number, passes: number, each = this.times.core.weightByte): number {
    return weightBytes > CACHED_BYTES ? weightBytes * passes * each : 0;
  }

  /** What it takes to write a result that stays in no second-level cache, or in none at all. */
  delivered(t: { readonly spill: number; readonly leave: number }): number {
    const results = this.images * this.written * this.places;
    const bytes = results * this.bytes;
    if (bytes <= CACHED_BYTES) return 0;
    return (results / this.lanes) * (bytes <= LAST_CACHE_BYTES ? t.spill : t.leave);
  }

  /** What the products of a weight's gradient take, one at a time. */
  get weightGradProducts(): number {
    return this.images * this.places * this.read * this.taps * this.times.core.multiply;
  }

  get pads(): boolean {
    return this.g.axes.some((axis) => axis.padBefore !== 0 || axis.padAfter !== 0);
  }

  /** Taps of an axis that are inside the input, in the mean of its outputs. */
  tapsInside(axis: Axis): number {
    if (this.g.paddingMode !== 'zeros' || axis.out === 0 || axis.padBefore + axis.padAfter <= 0)
      return axis.kernel;
    return readsInside(axis) / axis.out;
  }

  /** How many rows, or channels, of n the next tile of a sparse Toeplitz product takes. */
  toeplitzCount(n: number): number {
    const upToN = 2 ** (Math.min(Math.floor(n), 30) + 1) - 1;
    return 31 - Math.clz32(this.tuning.toeplitz.counts & upToN);
  }
}

/** How many (output, tap) pairs of an axis read an element of the input rather than padding. */
export function readsInside({ in: size, kernel, stride, dilation, padBefore, out }: Axis): number {
  let inside = 0;
  for (let tap = 0; tap < kernel; tap++) {
    const offset = tap * dilation - padBefore;
    const first = Math.max(0, ceilDiv(-offset, stride));
    const last = Math.min(out - 1, Math.floor((size - 1 - offset) / stride));
    inside += Math.max(0, last - first + 1);
  }
  return inside;
}

/** How much of a page lies between rows: what is read across them costs translations of addresses in that share. */
export function pageShare(bytes: number): number {
  return Math.min(1, bytes / 4096);
}
