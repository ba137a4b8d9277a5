/** Circulant systems: the discrete Fourier transform diagonalises every circulant matrix. */
import { backend } from '../backend/select.js';
import type { Attempt } from './attempt.js';

/**
 * x with C·x = b, for the circulant matrix of first column c: x = F⁻¹(F·b / F·c). Eigenvalues that are zero to working
 * precision are left out, which makes x the least squares solution of a singular system.
 */
export function circulantSolve(c: Float64Array, b: Float64Array): Attempt {
  const n = c.length;
  const eigenvalues = spectrumOf(c);
  const { re, im } = spectrumOf(b);
  const sizes = eigenvalues.re.map((real, k) => Math.hypot(real, eigenvalues.im[k]));
  const smallest = n * Number.EPSILON * sizes.reduce((largest, size) => Math.max(largest, size), 0);
  let complete = true;
  for (let k = 0; k < n; k++) {
    const regular = sizes[k] > smallest;
    complete &&= regular;
    // Divided through by the size first, so that no square overflows.
    const turnRe = regular ? eigenvalues.re[k] / sizes[k] : 0;
    const turnIm = regular ? eigenvalues.im[k] / sizes[k] : 0;
    const scale = regular ? 1 / sizes[k] : 0;
    const real = (re[k] * turnRe + im[k] * turnIm) * scale;
    im[k] = (im[k] * turnRe - re[k] * turnIm) * scale;
    re[k] = real;
  }
  // The inverse transform is the transform with the parts exchanged; of a real x only one part is kept.
  const x = new Float64Array(n);
  backend().fft(im, re, new Float64Array(n), x, 1 / n);
  return { x, complete };
}

/** Σ_j z[j]·exp(−2πi·jk/n) of real data. */
function spectrumOf(x: Float64Array): { re: Float64Array; im: Float64Array } {
  const re = new Float64Array(x.length);
  const im = new Float64Array(x.length);
  backend().fft(x, null, re, im, 1);
  return { re, im };
}
