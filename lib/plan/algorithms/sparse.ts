/** Where zeros among the weights pay: shares of nonzero ones up to which visiting them alone is the fastest. */
import type { ConvGeometry } from '../geometry.js';
import type { AnyAlgorithm, Request } from './algorithm.js';

/** Beside direct and im2col, 1×1 to 5×5 kernels: 0.28–0.38, and 0.16 where a stride spreads what is read (Sapphire Rapids). */
const SPARSE = 0.3;
const SPARSE_STRIDED = 0.16;

/** Of what sums every tap. */
export function sparseLimitOfSums(g: ConvGeometry): number {
  return g.axes.some((axis) => axis.stride > 1) ? SPARSE_STRIDED : SPARSE;
}

/** The share of nonzero weights up to which none of the algorithms is faster. */
export function sparseLimit(algorithms: Iterable<AnyAlgorithm>, g: ConvGeometry, request: Request): number {
  let least = 1;
  for (const { sparseLimit } of algorithms)
    if (sparseLimit !== null) least = Math.min(least, sparseLimit(g, request));
  return least;
}
