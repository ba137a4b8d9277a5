/** What the choice of an algorithm asks of the weights' values, found when it may matter. */
import type { FloatArray } from '../tensor/dtype.js';
import type { Algorithm, Weights } from './algorithms/algorithm.js';
import { densityOf } from './density.js';
import { isSeparable } from './separable.js';

/** Of weights that are not there to be looked at, or that a named algorithm does not ask about. */
export const UNKNOWN_WEIGHTS: Weights = Object.freeze({ density: 1, separable: false });

/** @param shape  [oc, ic/groups, kernel…]. */
export function weightsOf(weight: FloatArray, shape: readonly number[], algorithm: Algorithm): Weights {
  if (algorithm !== 'auto' && algorithm !== 'depthwise') return UNKNOWN_WEIGHTS;
  const density = algorithm === 'auto' ? densityOf(weight) : 1;
  return { density, separable: isSeparable(weight, shape) };
}
