/** A stretch of the linear convolution along one axis by transforms, on the backend. */
import { convolveAny, type Line } from '../backend/by-transforms.js';
import { runAll } from '../backend/js/work.js';
import { backend } from '../backend/select.js';
import type { FloatArray } from '../tensor/dtype.js';

/**
 * out[i] ← Σ_j signal[j]·kernel[start + i − j] by transforms of `block` points, whatever the values are: see
 * by-transforms.ts. One floating dtype.
 *
 * @param block  At least as long as the kernel.
 */
export function convolveLines(
  signal: Line,
  kernel: Line,
  block: number,
  start: number,
  out: FloatArray,
): void {
  runAll(
    // biome-ignore lint/correctness/useYield: the backend's transforms are one unit of work.
    convolveAny(signal, kernel, start, out, function* (x, y, to) {
      backend().fftConvolve(x, y, block, start, to);
    }),
  );
}
