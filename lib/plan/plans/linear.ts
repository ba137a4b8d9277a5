/**
 * Linear convolution over any number of axes, out[i] = Σ_j a[j]·b[i − j], or a window of it: which way is cheaper,
 * summing directly or transforming. Numbers of axes lead with the slowest.
 */
import type { Accuracy } from '../algorithms/algorithm.js';
import type { Machine } from '../isa.js';
import { JS_TIMES, LINEAR_TIMES } from '../model/times.js';

/** Which part of a convolution: all of it, the middle of the first operand's size, or what reads no zeros. */
export type ConvShape = 'full' | 'same' | 'valid';
export const CONV_SHAPES = ['full', 'same', 'valid'] as const satisfies readonly ConvShape[];

/** One axis of the result: a window of the full convolution, which has a + b − 1 points (none when a or b is empty). */
export interface LinearAxis {
  readonly a: number;
  readonly b: number;
  readonly start: number;
  readonly out: number;
}

/** MATLAB's windows: 'same' is a's size around the centre, 'valid' what needs no zeros beyond a. */
export function linearAxis(a: number, b: number, shape: ConvShape): LinearAxis {
  if (shape === 'full') return { a, b, start: 0, out: a + b - 1 };
  if (shape === 'same') return { a, b, start: Math.ceil((b - 1) / 2), out: a };
  return { a, b, start: b - 1, out: Math.max(a - b + 1, 0) };
}

export interface LinearPlan {
  readonly algorithm: 'direct' | 'fft';
  /** Points of a transform; 0 for 'direct'. */
  readonly block: number;
  readonly reason: string;
}

/**
 * Nanoseconds: of a product and its sum over one channel, of a call that sums directly, and of a transform, whose time is
 * n·log₂(n) times `point`.
 */
interface LinearTimes {
  readonly product: number;
  readonly call: number;
  readonly point: number;
}
/** Of a product in a loop that is written for one operation. */
const LOOP_PRODUCT = 1.1;
/**
 * Below this many elements in the kernel sums stay direct: transforms would gain little, and the error of a direct sum
 * is in proportion to its own terms.
 */
const MIN_KERNEL = 64;

/**
 * Nanoseconds up to which sums stay direct although transforms take less: exact to each element's own terms is worth that.
 * Some 1200 × 1200 elements natively.
 */
const LITTLE = 1e5;

/** A transform of more points than the second-level cache holds takes about twice as long per point. */
const CACHED_POINTS = 1 << 16;

/** What sums directly: a convolution of the backend's, or a loop in JavaScript, which sums in float64. */
export type Summation = 'backend' | 'loop';

/**
 * @param accuracy  'strict' sums directly, whatever it takes.
 * @param operands  Complex ones take four times as many products, and a transform for each block.
 */
export function planLinear(
  axes: readonly LinearAxis[],
  accuracy: Accuracy,
  machine: Machine,
  summation: Summation = 'backend',
  operands: 'real' | 'complex' = 'real',
): LinearPlan {
  if (accuracy === 'strict') return direct('as exact as each element’s own terms: accuracy is strict');
  const [sizeA, sizeB] = axes.reduce(([p, q], { a, b }) => [p * a, q * b], [1, 1]);
  const kernel = Math.min(sizeA, sizeB);
  if (kernel < MIN_KERNEL) return direct(`a kernel of fewer than ${MIN_KERNEL} elements`);
  const costs = machine.isa === 'js' ? JS_TIMES.linear : LINEAR_TIMES;
  const isComplex = operands === 'complex';
  const products = axes.reduce((count, { out }) => count * out, kernel) * (isComplex ? 4 : 1);
  const sums = summation === 'loop' ? LOOP_PRODUCT * products : costs.call + costs.product * products;
  const kind = !isComplex ? REAL_BLOCKS : machine.isa === 'js' ? JS_COMPLEX_BLOCKS : COMPLEX_BLOCKS;
  const { block, time } = cheapestBlocks(flatten(axes), costs, kind);
  if (sums <= Math.max(time, LITTLE)) return direct(`${products} products take little time`);
  return {
    algorithm: 'fft',
    block,
    reason: `transforms of ${block} points are cheaper than ${products} products`,
  };
}

function direct(reason: string): LinearPlan {
  return { algorithm: 'direct', block: 0, reason };
}

/** Transforms of blocks, and what they take in nanoseconds. */
export interface Blocks {
  /** Points of one. */
  readonly block: number;
  readonly transforms: number;
  readonly time: number;
}

/** How many blocks go by one transform, and what their sizes are by powers of two. */
interface Kind {
  readonly atOnce: number;
  readonly sizes: readonly number[];
}
const REAL_BLOCKS: Kind = { atOnce: 2, sizes: [1] };
/** JavaScript's passes of odd radices are slow. */
const JS_COMPLEX_BLOCKS: Kind = { atOnce: 1, sizes: [1] };
const COMPLEX_BLOCKS: Kind = { atOnce: 1, sizes: [1, 9 / 8, 5 / 4, 3 / 2, 25 / 16, 7 / 4] };
/** Of blocks that are not powers of two. */
const LEAST_BLOCK = 64;

/** The blocks by which a stretch of `out` points of signal ∗ kernel is the cheapest. */
export function cheapestBlocks(
  { signal, kernel, out }: Pick<FlatLinear, 'signal' | 'kernel' | 'out'>,
  costs: LinearTimes,
  { atOnce, sizes }: Kind = REAL_BLOCKS,
): Blocks {
  let best: Blocks = { block: 0, transforms: 0, time: Infinity };
  for (
    let power = Math.max(powerOfTwo(kernel) / 2, 1);
    power < 2 * powerOfTwo(signal + kernel - 1);
    power *= 2
  ) {
    for (const size of sizes) {
      const block = size * power;
      if (block < kernel || (size !== 1 && power < LEAST_BLOCK)) continue;
      // There and back, and the kernel.
      const isWhole = atOnce === 1 && block >= signal + kernel - 1;
      const transforms = 2 * (isWhole ? 1 : Math.ceil(out / (block - kernel + 1) / atOnce)) + 1;
      const penalty = block > CACHED_POINTS ? 2 : 1;
      const time = costs.call + transforms * block * Math.log2(2 * block) * costs.point * penalty;
      if (time < best.time) best = { block, transforms, time };
    }
  }
  return best;
}

export interface FlatLinear {
  /** Elements of the longer and the shorter operand, and of the stretch that covers the window. */
  readonly signal: number;
  readonly kernel: number;
  readonly out: number;
  readonly start: number;
  /** Distance between neighbours along each axis. */
  readonly strides: readonly number[];
}

/**
 * The same convolution along one axis: rows laid out a + b − 1 apart cannot reach into one another, so that the
 * linear convolution of the padded sequences is the one over all axes.
 */
export function flatten(axes: readonly LinearAxis[]): FlatLinear {
  const strides: number[] = new Array(axes.length);
  let stride = 1;
  for (let axis = axes.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= axes[axis].a + axes[axis].b - 1;
  }
  const reach = (count: (axis: LinearAxis) => number) =>
    axes.reduce((last, axis, i) => last + (count(axis) - 1) * strides[i], 0);
  const a = reach((axis) => axis.a) + 1;
  const b = reach((axis) => axis.b) + 1;
  const start = reach((axis) => axis.start + 1);
  const out = reach((axis) => axis.out) + 1;
  return { signal: Math.max(a, b), kernel: Math.min(a, b), start, out, strides };
}

function powerOfTwo(atLeast: number): number {
  let power = 1;
  while (power < atLeast) power *= 2;
  return power;
}
