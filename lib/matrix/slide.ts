/** The one product behind every structured matrix: a window of its diagonals slides along the vector. */
import { wholeLine } from '../backend/by-transforms.js';
import { backend } from '../backend/select.js';
import { convolveLines } from '../conv/lines.js';
import { planLinear } from '../plan/plans/linear.js';
import type { FloatArray } from '../tensor/dtype.js';

/**
 * out[i] = Σ_j diagonals[i + kernel.length − 1 − j]·kernel[j], where diagonals.length = out.length + kernel.length − 1:
 * the part of a convolution where the shorter lies within the longer. Directly (summed in float64) or by Fourier
 * transform (in the arrays' dtype), whichever is expected to be faster.
 */
export function slide(diagonals: FloatArray, kernel: FloatArray, out: FloatArray): void {
  const last = kernel.length - 1;
  const axis = { a: diagonals.length, b: kernel.length, start: last, out: out.length };
  const { algorithm, block } = planLinear([axis], 'fast', backend().machine, 'loop');
  if (algorithm === 'fft') {
    convolveLines(wholeLine(diagonals), wholeLine(kernel), block, last, out);
    return;
  }
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let j = 0; j <= last; j++) sum += diagonals[i + last - j] * kernel[j];
    out[i] = sum;
  }
}
