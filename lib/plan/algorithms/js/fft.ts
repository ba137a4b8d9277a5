/**
 * Convolution by Fourier transforms in JavaScript: a padded channel as one line, whose rows lie a line's length apart, is
 * convolved with the kernel laid out alike, block by block. A stride takes of the sums those that it wants.
 */
import { product } from '../../../numbers.js';
import { BYTES } from '../../../tensor/dtype.js';
import { overGradOutput } from '../../adjoint.js';
import type { ConvGeometry } from '../../geometry.js';
import { JS_TIMES } from '../../model/times.js';
import { extent } from '../../options/axes.js';
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
    const { signal, kernel, out } = lineOf(g);
    return {
      ...arithmeticOf(g),
      bytes: operandBytes,
      extraBytes: BYTES.float64 * (signal + kernel + 2 * out + 6 * blocksOf(g).block),
      weightBytes: item * weights,
    };
  },
  sparseLimit: null,
};

/** A convolution over all axes as one along a line. */
export interface FlatLine {
  /** Positions of a padded channel along each axis. */
  readonly padded: readonly number[];
  /** Elements of a padded channel and of a kernel, and the stretch of outputs, along the line. */
  readonly signal: number;
  readonly kernel: number;
  readonly out: number;
}

/**
 * @param kernel  Positions along each axis from the first tap to the last.
 * @param out  Positions along each axis from the first output to the last.
 */
export function flatLine(kernel: readonly number[], out: readonly number[]): FlatLine {
  const padded = kernel.map((reach, i) => reach + out[i] - 1);
  const end = (last: readonly number[]): number =>
    last.reduce((at, size, i) => at * padded[i] + size - 1, 0) + 1;
  return { padded, signal: product(padded), kernel: end(kernel), out: end(out) };
}

function declines({ dtype }: ConvGeometry): string | null {
  return dtype === 'float32' || dtype === 'float64' ? null : 'would not be exact';
}

/** Of a gradient of weights: dy is the kernel, and what is written the stretch that holds the weights. */
export function flatGradient(axes: ConvGeometry['axes']): FlatLine {
  return flatLine(
    axes.map((axis) => extent(axis.out, axis.stride)),
    axes.map((axis) => extent(axis.kernel, axis.dilation)),
  );
}

/** Of a strided gradient, the line of one of its lattices. */
function lineOf(geometry: ConvGeometry): FlatLine {
  if (geometry.op === 'weightGrad') return flatGradient(geometry.axes);
  const { axes } = geometry.op === 'inputGrad' ? overGradOutput(geometry) : geometry;
  return flatLine(
    axes.map((axis) => extent(axis.kernel, axis.dilation)),
    axes.map((axis) => extent(axis.out, axis.stride)),
  );
}

/** The transforms that one channel of the result takes for one that is read. */
function blocksOf(geometry: ConvGeometry, times = JS_TIMES.linear): Blocks {
  return cheapestBlocks(lineOf(geometry), times);
}

/** Radix-2 butterflies, and a complex product of the spectra for every second transform. */
function arithmeticOf(g: ConvGeometry): { multiplications: number; additions: number } {
  const { block, transforms } = blocksOf(g);
  const planes = (g.batch * g.inChannels * g.outChannels) / g.groups;
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

/** Nanoseconds that a channel of the result takes, for one that is read, by transforms and as a direct sum of its products. */
export function jsFftTimes(
  geometry: ConvGeometry,
  times: (typeof JS_TIMES)['linear'] = JS_TIMES.linear,
): { byTransforms: number; directly: number; products: number } {
  const g = geometry.op === 'inputGrad' ? overGradOutput(geometry) : geometry;
  const products = product(g.axes.map((axis) => axis.kernel * axis.out));
  // Sums over several channels share what is read.
  const isShared = g.op === 'forward' && g.inChannels > g.groups;
  const each = isShared ? JS_TIMES.winograd.product : times.product;
  return { byTransforms: blocksOf(geometry, times).time, directly: products * each, products };
}
