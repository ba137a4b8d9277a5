/** What is to be computed, in numbers alone: the part of a plan that the choice of an algorithm may look at. */
import type { DType } from '../tensor/dtype.js';
import type { AxisTriple, PaddingMode, Rank } from './options/axes.js';

/**
 * Always described as the forward convolution y[n,o,…] = Σ x[n,c,…]·w[o,c,…]: 'forward' writes y, 'inputGrad' (and so
 * the transposed convolution) reads y and writes x, 'weightGrad' reads both and writes w.
 */
export type ConvOp = 'forward' | 'inputGrad' | 'weightGrad';

export interface ConvGeometry {
  readonly op: ConvOp;
  readonly dtype: DType;
  readonly rank: Rank;
  readonly batch: number;
  readonly groups: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly axes: AxisTriple;
  readonly paddingMode: PaddingMode;
}

export interface PoolGeometry {
  readonly dtype: DType;
  /** batch · channels: each plane is pooled on its own. */
  readonly planes: number;
  readonly axes: AxisTriple;
  /** Of averages: whether padding counts in the divisor. */
  readonly countIncludePad: boolean;
}
