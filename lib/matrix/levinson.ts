/** Toeplitz systems in O(n²), by recursion over leading blocks. */

import type { Attempt } from './attempt.js';

// A pivot this many roundings of the matrix's size is noise.
export const PIVOT_ROUNDINGS = 4;

/**
 * Solves T·x = b for an n × n Toeplitz matrix, T[i, j] = t[i − j + n − 1]; incomplete when a leading block is singular to
 * working precision, which the recursion cannot pass. Keeps, for every leading block of size k, the vectors f and g with
 * T_k·f = e₁ and T_k·g = e_k; a system one larger costs two inner products and two updates.
 *
 * Source: Levinson (1947), in Trench's form for matrices that are not symmetric; Golub, Van Loan, Matrix Computations.
 */
export function levinson(t: Float64Array, b: Float64Array): Attempt {
  const n = b.length;
  const x = new Float64Array(n);
  let forward = new Float64Array(n);
  let backward = new Float64Array(n);
  let nextForward = new Float64Array(n);
  let nextBackward = new Float64Array(n);
  const diagonal = t[n - 1];
  let largest = 0;
  for (const value of t) largest = Math.max(largest, Math.abs(value));
  const smallest = PIVOT_ROUNDINGS * n * Number.EPSILON;
  if (!(Math.abs(diagonal) > smallest * largest)) return { x, complete: false };
  forward[0] = 1 / diagonal;
  backward[0] = 1 / diagonal;
  x[0] = b[0] / diagonal;
  for (let k = 1; k < n; k++) {
    // What the old vectors, padded with a zero, leave in the row or column that is new.
    let forwardError = 0;
    let backwardError = 0;
    let xError = 0;
    for (let j = 0; j < k; j++) {
      const below = t[k - j + n - 1];
      forwardError += below * forward[j];
      backwardError += t[n - 2 - j] * backward[j];
      xError += below * x[j];
    }
    const pivot = 1 - forwardError * backwardError;
    if (!(Math.abs(pivot) > smallest)) return { x, complete: false };
    for (let j = 0; j <= k; j++) {
      const f = j < k ? forward[j] : 0;
      const g = j > 0 ? backward[j - 1] : 0;
      nextForward[j] = (f - forwardError * g) / pivot;
      nextBackward[j] = (g - backwardError * f) / pivot;
    }
    [forward, nextForward] = [nextForward, forward];
    [backward, nextBackward] = [nextBackward, backward];
    const correction = b[k] - xError;
    for (let j = 0; j <= k; j++) x[j] += correction * backward[j];
  }
  return { x, complete: true };
}
