/** Arithmetic of long vectors: two sums side by side, as one alone would wait for each addition to finish. */
import type { FloatArray } from '../../tensor/dtype.js';

export function vectorCombine(a: number, x: FloatArray, b: number, y: FloatArray): number {
  let even = 0;
  let odd = 0;
  const last = y.length - 1;
  for (let i = 0; i < last; i += 2) {
    y[i] = b === 0 ? a * x[i] : a * x[i] + b * y[i];
    even += y[i] * y[i];
    y[i + 1] = b === 0 ? a * x[i + 1] : a * x[i + 1] + b * y[i + 1];
    odd += y[i + 1] * y[i + 1];
  }
  if (y.length % 2 === 1) {
    y[last] = b === 0 ? a * x[last] : a * x[last] + b * y[last];
    even += y[last] * y[last];
  }
  return even + odd;
}

export function vectorDot(x: FloatArray, y: FloatArray): number {
  let even = 0;
  let odd = 0;
  const last = y.length - 1;
  for (let i = 0; i < last; i += 2) {
    even += x[i] * y[i];
    odd += x[i + 1] * y[i + 1];
  }
  return y.length % 2 === 1 ? even + odd + x[last] * y[last] : even + odd;
}
