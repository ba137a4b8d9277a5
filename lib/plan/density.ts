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
  if (length > SAMPLE) {
    // A prime stride, so that no period of the layout goes unseen.
    let zeros = 0;
    for (let i = 0, at = 0; i < SAMPLE; i++, at = (at + 7919) % length) if (weight[at] === 0) zeros++;
    if (zeros < (1 - DENSE) * SAMPLE) return 1;
  }
  let nonzero = 0;
  for (let i = 0; i < length; i++) if (weight[i] !== 0) nonzero++;
  return length === 0 ? 1 : Math.ceil((nonzero / length) * STEPS) / STEPS;
}
