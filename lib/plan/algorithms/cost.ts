/** What a way of computing a convolution costs, counted from the geometry; nothing here is measured. */
import { product } from '../../numbers.js';
import { BYTES } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import type { AlgorithmName } from './algorithm.js';

export interface Counts {
  /** Of the algorithm, for the whole batch. */
  readonly multiplications: number;
  /** Of the algorithm, for the whole batch. */
  readonly additions: number;
  /** Read and written once each: operands in the layout that the algorithm reads, and the result. */
  readonly bytes: number;
  /** Memory beyond operands and result. */
  readonly extraBytes: number;
  /** Of the weights as the algorithm keeps them, transformed or not: what a PreparedConv holds, but for padding. */
  readonly weightBytes: number;
}

/** What an algorithm needs for a problem. */
export interface Cost extends Counts {
  /** 'dense-toeplitz' is the convolution's matrix multiplied out in full, zeros and all. */
  readonly algorithm: AlgorithmName | 'dense-toeplitz';
}

/** Panels and index maps of the blocked algorithms: their workspace does not grow with the image. */
export const BLOCKED_WORKSPACE_BYTES = 4 * 2 ** 20;

/** Elements and bytes that every count begins with. */
export interface Sizes {
  /** Bytes of an element. */
  readonly item: number;
  /** Elements of one sample. */
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: number;
  /** Input channels of a group. */
  readonly perGroup: number;
  readonly taps: number;
  /** Bytes of input, output and weight. */
  readonly operandBytes: number;
}

export function sizesOf(g: ConvGeometry): Sizes {
  const item = BYTES[g.dtype];
  const inputs = g.inChannels * product(g.axes.map((axis) => axis.in));
  const outputs = g.outChannels * product(g.axes.map((axis) => axis.out));
  const perGroup = g.inChannels / g.groups;
  const taps = product(g.axes.map((axis) => axis.kernel));
  const weights = g.outChannels * perGroup * taps;
  const operandBytes = item * (g.batch * (inputs + outputs) + weights);
  return { item, inputs, outputs, weights, perGroup, taps, operandBytes };
}

/** Of sums of so many products in all: the first product of a sum is added to nothing. */
export function sumsOf(products: number, outputs: number): Pick<Counts, 'multiplications' | 'additions'> {
  return { multiplications: products, additions: Math.max(products - outputs, 0) };
}

/** Of sums over every tap, by panels of patches. */
export function blockedCost(g: ConvGeometry): Counts {
  const { item, outputs, weights, perGroup, taps, operandBytes } = sizesOf(g);
  const patches = item * perGroup * taps * product(g.axes.map((axis) => axis.out));
  return {
    ...sumsOf(g.batch * outputs * perGroup * taps, g.batch * outputs),
    bytes: operandBytes,
    extraBytes: Math.min(patches, BLOCKED_WORKSPACE_BYTES),
    weightBytes: item * weights,
  };
}
