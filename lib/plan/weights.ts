/** What the choice of an algorithm asks of the weights' values, found when it may matter. */
import { nextTurn } from '#host';
import type { FloatArray } from '../tensor/dtype.js';
import type { Algorithm, Weights } from './algorithms/algorithm.js';
import { densityOf, densityOfInTurns, seemsDense } from './density.js';
import { isSeparable, isSeparableInTurns, maySeparate } from './separable.js';

/** Of weights that are not there to be looked at, or that a named algorithm does not ask about. */
export const UNKNOWN_WEIGHTS: Weights = Object.freeze({ density: 1, separable: false });

/** @param shape  [oc, ic/groups, kernel…]. */
export function weightsOf(weight: FloatArray, shape: readonly number[], algorithm: Algorithm): Weights {
  if (algorithm !== 'auto' && algorithm !== 'depthwise') return UNKNOWN_WEIGHTS;
  const density = algorithm === 'auto' ? densityOf(weight) : 1;
  return { density, separable: isSeparable(weight, shape) };
}

/** As weightsOf for 'auto', from a sample of the weights; null where that does not tell, and all have to be looked at. */
export function weightsOfSample(
  length: number,
  at: (index: number) => number,
  shape: readonly number[],
): Weights | null {
  return seemsDense(length, at) && !maySeparate(shape) ? { density: 1, separable: false } : null;
}

/** Weights that are looked at without letting the event loop turn: some tenths of a millisecond. */
export const WEIGHED_AT_ONCE = 2 ** 16;

interface Abortable {
  throwIfAborted(): void;
}

/** As weightsOf for 'auto', some tenths of a millisecond at a turn of the event loop. */
export async function weightsOfInTurns(
  weight: FloatArray,
  shape: readonly number[],
  signal: Abortable | undefined,
): Promise<Weights> {
  const turn = async () => {
    await nextTurn();
    signal?.throwIfAborted();
  };
  const density = await densityOfInTurns(weight, WEIGHED_AT_ONCE, turn);
  return { density, separable: await isSeparableInTurns(weight, shape, WEIGHED_AT_ONCE, turn) };
}
