/** Circulant systems: the discrete Fourier transform diagonalises every circulant matrix. */
import { backend } from '../backend/select.js';
import type { PartsOf } from '../tensor/complex.js';
import type { Attempt } from './attempt.js';

/** Both parts of a vector; real ones have no imaginary part. */
interface Vector {
  readonly re: Float64Array;
  readonly im: Float64Array | null;
}

/**
 * x with C·x = b, for the circulant matrix of first column c: x = F⁻¹(F·b / F·c). Eigenvalues that are zero to working
 * precision are left out, which makes x the least squares solution of a singular system. Of real c and b, x is real; else
 * it is planar: real parts, then imaginary ones.
 */
export function circulantSolve(c: Vector, b: Vector): Attempt {
  const n = c.re.length;
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
  const isReal = c.im === null && b.im === null;
  const x = new Float64Array(isReal ? n : 2 * n);
  // The inverse transform is the transform with the parts exchanged; of a real x only one part is kept.
  backend().fft(im, re, isReal ? new Float64Array(n) : x.subarray(n), x.subarray(0, n), 1 / n);
  return { x, complete };
}

/** Σ_j z[j]·exp(−2πi·jk/n). */
function spectrumOf({ re, im }: Vector): PartsOf<Float64Array> {
  const spectrum = { re: new Float64Array(re.length), im: new Float64Array(re.length) };
  backend().fft(re, im, spectrum.re, spectrum.im, 1);
  return spectrum;
}
