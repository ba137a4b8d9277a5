/** Seeded random vectors: the same on every machine. */

/** Marsaglia's xorshift32, from a seed that splitmix has stirred so that neighbouring seeds differ. */
export function randomStream(seed: number): () => number {
  let state = (Math.imul(seed ^ (seed >>> 16), 0x85ebca6b) ^ 0x9e3779b9) | 0;
  if (state === 0) state = 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Independent, uniform in [−1, 1). */
export function randomVector(length: number, next: () => number): Float64Array {
  return Float64Array.from({ length }, () => 2 * next() - 1);
}
