/** The one product behind every structured matrix: a window of its diagonals slides along the vector. */
import { backend } from '../backend/select.js';
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
  const { algorithm, block } = planLinear([axis], true, backend().machine, 'loop');
  if (algorithm === 'fft' && allFinite(diagonals) && allFinite(kernel)) {
    backend().fftConvolve(diagonals, kernel, block, last, out);
    return;
  }
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let j = 0; j <= last; j++) sum += diagonals[i + last - j] * kernel[j];
    out[i] = sum;
  }
}

/** A transform spreads one infinity or NaN over every output; the sum by definition puts it where it belongs. */
function allFinite(values: FloatArray): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * 0;
  return sum === 0;
}
