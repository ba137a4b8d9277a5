/**
 * Convolution by Fourier transforms in JavaScript: a padded channel as one line, whose rows lie a line's length apart, is
 * convolved with the kernel laid out alike, block by block.
 */
import { product } from '../../../numbers.js';
import { BYTES } from '../../../tensor/dtype.js';
import { overGradOutput } from '../../adjoint.js';
import type { ConvGeometry } from '../../geometry.js';
import { JS_TIMES } from '../../model/times.js';
import { extent, isUnit } from '../../options/axes.js';
import { type Blocks, cheapestBlocks } from '../../plans/linear.js';
import type { JsAlgorithm, Request } from '../algorithm.js';
import { sizesOf } from '../cost.js';

/** Share of the time of direct sums below which the model is trusted. */
const MUCH_FASTER = 0.8;
/** Density from which direct sums take their full time: below, nonzero weights alone are visited. */
const DENSE = 0.5;

export const jsFft: JsAlgorithm = {
  name: 'fft',
  declines,
  // A block is a line.
  variant: (g) => ({ algorithm: 'fft', rows: 1, columns: blocksOf(g).block }),
  suits,
  cost(g) {
    const { item, weights, operandBytes } = sizesOf(g);
    const padded = product(g.axes.map((axis) => axis.in + axis.padBefore + axis.padAfter));
    const plane = padded + product(g.axes.map((axis) => axis.out));
    return {
      ...arithmeticOf(g),
      bytes: operandBytes,
      extraBytes: BYTES.float64 * (plane + 6 * blocksOf(g).block),
      weightBytes: item * weights,
    };
  },
  sparseLimit: null,
};

/** Elements of a channel and of a kernel, and the stretch of outputs, along that line. */
export interface FlatPlane {
  readonly pitch: number;
  readonly signal: number;
  readonly kernel: number;
  readonly out: number;
}

/** @param reach  Of a kernel's taps, from the first to the last along the axis. */
export function flatPlane(rows: number, columns: number, rowReach: number, columnReach: number): FlatPlane {
  const pitch = columns + columnReach;
  return {
    pitch,
    signal: (rows + rowReach) * pitch,
    kernel: rowReach * pitch + columnReach + 1,
    out: (rows - 1) * pitch + columns,
  };
}

function declines(geometry: ConvGeometry): string | null {
  if (geometry.op === 'weightGrad') return null;
  const [depth, height, width] = geometry.axes;
  if (!isUnit(depth)) return 'serves one or two spatial axes';
  if (height.stride !== 1 || width.stride !== 1) return 'needs stride 1';
  // Its line would be nearly all zeros.
  if (width.kernel === 1 && height.kernel > 1) return 'needs more than a column of taps';
  if (geometry.dtype !== 'float32' && geometry.dtype !== 'float64') return 'would not be exact';
  const read = geometry.op === 'forward' ? geometry.inChannels : geometry.outChannels;
  return read === geometry.groups ? null : 'needs one channel per group';
}

/** Of a gradient of weights: a padded channel as one line, dy laid out alike, and the stretch that holds a kernel. */
export interface FlatGradient {
  /** Positions of a padded channel along each axis. */
  readonly padded: readonly number[];
  readonly signal: number;
  readonly kernel: number;
  readonly out: number;
}

export function flatGradient(axes: ConvGeometry['axes']): FlatGradient {
  const reach = axes.map((axis) => extent(axis.out, axis.stride));
  const taps = axes.map((axis) => extent(axis.kernel, axis.dilation));
  const padded = axes.map((_, i) => reach[i] + taps[i] - 1);
  const end = (last: readonly number[]): number =>
    last.reduce((at, size, i) => at * padded[i] + size - 1, 0) + 1;
  return { padded, signal: product(padded), kernel: end(reach), out: end(taps) };
}

/** The transforms that one channel of the result takes. */
function blocksOf(geometry: ConvGeometry, times = JS_TIMES.linear): Blocks {
  if (geometry.op === 'weightGrad') return cheapestBlocks(flatGradient(geometry.axes), times);
  const g = geometry.op === 'inputGrad' ? overGradOutput(geometry) : geometry;
  const [, height, width] = g.axes;
  const reach = [height, width].map((axis) => extent(axis.kernel, axis.dilation) - 1);
  return cheapestBlocks(flatPlane(height.out, width.out, reach[0], reach[1]), times);
}

/** Radix-2 butterflies, and a complex product of the spectra for every second transform. */
function arithmeticOf(g: ConvGeometry): { multiplications: number; additions: number } {
  const { block, transforms } = blocksOf(g);
  const planes = g.batch * (g.op === 'forward' ? g.outChannels : g.inChannels);
  const passes = planes * transforms * block * Math.log2(block);
  const products = (planes * (transforms - 1) * block) / 2;
  return { multiplications: 2 * passes + 4 * products, additions: 3 * passes + 2 * products };
}

function suits(geometry: ConvGeometry, { accuracy, density }: Request): string | null {
  if (accuracy === 'strict') return null; // an element errs by its block's size, not by its own
  if (geometry.axes.some((axis) => axis.out === 0)) return null;
  const { byTransforms, directly, products } = jsFftTimes(geometry);
  const direct = directly * Math.min(1, density / DENSE);
  if (byTransforms > MUCH_FASTER * direct) return null;
  const saving = (direct / byTransforms).toPrecision(2);
  const { block } = blocksOf(geometry);
  return `transforms of ${block} points take ${saving} times less time than its ${products} products`;
}

/** Nanoseconds that a channel of the result takes by transforms, and as a direct sum of its products. */
export function jsFftTimes(
  geometry: ConvGeometry,
  times: (typeof JS_TIMES)['linear'] = JS_TIMES.linear,
): { byTransforms: number; directly: number; products: number } {
  const g = geometry.op === 'inputGrad' ? overGradOutput(geometry) : geometry;
  const products = product(g.axes.map((axis) => axis.kernel * axis.out));
  return { byTransforms: blocksOf(geometry, times).time, directly: products * times.product, products };
}
