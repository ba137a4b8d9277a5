/**
 * How far a result may lie from the exact one. Bounds come from the number of roundings and the unit roundoff u of the
 * dtype, never from trying: a sum of n products, in any order, errs by at most γ(n) = n·u/(1 − n·u) of Σ|x·w|
 * (Higham, Accuracy and Stability of Numerical Algorithms, §3.1).
 */

const UNIT_ROUNDOFF = { float32: 2 ** -24, float64: 2 ** -53 };
export type Float = keyof typeof UNIT_ROUNDOFF;

function gamma(roundings: number, dtype: Float): number {
  const nu = roundings * UNIT_ROUNDOFF[dtype];
  return nu / (1 - nu);
}

/** Relative to what, and how much. */
export interface Tolerance {
  readonly factor: number;
  /** 'own': each element against its own Σ|x·w|. 'largest': against the largest of them. */
  readonly scale: 'own' | 'largest';
}

// A product's own rounding is among the n; adding the bias and rounding the reference are two more.
const BIAS_AND_REFERENCE = 2;

/** Sums of products in the dtype, in whatever order: im2col, direct, depthwise, toeplitz, matmul, fold, the gradients. */
export function sums(length: number, dtype: Float): Tolerance {
  return { factor: gamma(length + BIAS_AND_REFERENCE, dtype), scale: 'own' };
}

// Winograd's transforms mix the elements of a whole tile, so that an element errs by its neighbours' size too.
const WINOGRAD_AMPLIFICATION = 4;

/** What 'auto' may take when accuracy is 'fast': Winograd, whose bound is wider and not local. */
export function transformed(length: number, dtype: Float): Tolerance {
  return { factor: WINOGRAD_AMPLIFICATION * gamma(length + BIAS_AND_REFERENCE, dtype), scale: 'largest' };
}

/** Elements that are only moved, compared or counted. */
export const EXACT: Tolerance = { factor: 0, scale: 'own' };
