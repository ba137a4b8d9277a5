/** How many of the weights are not zero: what the choice of an algorithm asks of their values. */
import type { FloatArray } from '../tensor/dtype.js';

const SAMPLE = 256;
/** No algorithm gains from zeros that are fewer than this share leaves. */
const DENSE = 0.5;
/** Steps in which a density is told: plans are cached by it. */
const STEPS = 64;

/**
 * The share of nonzero weights, rounded up; 1 when a sample of them, spread evenly, shows that zeros are few. Counting
 * all weights of a dense layer would cost a one-shot convolution some percent.
 */
export function densityOf(weight: FloatArray): number {
  const { length } = weight;
  return seemsDense(length, (i) => weight[i]) ? 1 : densityFrom(countNonzero(weight, 0, length), length);
}

/** As densityOf, in steps of so many weights. */
export async function densityOfInTurns(
  weight: FloatArray,
  step: number,
  turn: () => Promise<void>,
): Promise<number> {
  const { length } = weight;
  if (seemsDense(length, (i) => weight[i])) return 1;
  let nonzero = 0;
  for (let at = 0; at < length; at += step) {
    if (at > 0) await turn();
    nonzero += countNonzero(weight, at, Math.min(length, at + step));
  }
  return densityFrom(nonzero, length);
}

/** Whether a sample of so many elements shows that zeros are few. */
export function seemsDense(length: number, at: (index: number) => number): boolean {
  if (length <= SAMPLE) return false;
  // A prime stride, so that no period of the layout goes unseen.
  let nonzero = 0;
  for (let i = 0, place = 0; i < SAMPLE && nonzero <= DENSE * SAMPLE; i++, place = (place + 7919) % length)
    if (at(place) !== 0) nonzero++;
  return nonzero > DENSE * SAMPLE;
}

function countNonzero(weight: FloatArray, from: number, to: number): number {
  let nonzero = 0;
  for (let i = from; i < to; i++) if (weight[i] !== 0) nonzero++;
  return nonzero;
}

function densityFrom(nonzero: number, length: number): number {
  return length === 0 ? 1 : Math.ceil((nonzero / length) * STEPS) / STEPS;
}
