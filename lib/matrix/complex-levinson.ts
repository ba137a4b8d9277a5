/** Complex Toeplitz systems in O(n²): the recursion of levinson.ts, over both parts of its numbers. */
import type { PartsOf } from '../tensor/complex.js';
import type { Attempt } from './attempt.js';
import { PIVOT_ROUNDINGS } from './levinson.js';

/**
 * Solves T·x = b for an n × n Toeplitz matrix, T[i, j] = t[i − j + n − 1], as `levinson` does; x is planar, real parts and
 * then imaginary ones.
 */
export function complexLevinson(t: PartsOf<Float64Array>, b: PartsOf<Float64Array>): Attempt {
  const n = b.re.length;
  const planar = new Float64Array(2 * n);
  const x = { re: planar.subarray(0, n), im: planar.subarray(n) };
  const vector = () => ({ re: new Float64Array(n), im: new Float64Array(n) });
  let forward = vector();
  let backward = vector();
  let nextForward = vector();
  let nextBackward = vector();
  let largest = 0;
  for (let i = 0; i < t.re.length; i++) largest = Math.max(largest, Math.hypot(t.re[i], t.im[i]));
  const smallest = PIVOT_ROUNDINGS * n * Number.EPSILON;
  const [diagonalRe, diagonalIm] = [t.re[n - 1], t.im[n - 1]];
  if (!(Math.hypot(diagonalRe, diagonalIm) > smallest * largest)) return { x: planar, complete: false };
  const [inverseRe, inverseIm] = reciprocal(diagonalRe, diagonalIm);
  for (const first of [forward, backward]) [first.re[0], first.im[0]] = [inverseRe, inverseIm];
  x.re[0] = b.re[0] * inverseRe - b.im[0] * inverseIm;
  x.im[0] = b.re[0] * inverseIm + b.im[0] * inverseRe;
  for (let k = 1; k < n; k++) {
    // What the old vectors, padded with a zero, leave in the row or column that is new.
    let fRe = 0;
    let fIm = 0;
    let gRe = 0;
    let gIm = 0;
    let xRe = 0;
    let xIm = 0;
    for (let j = 0; j < k; j++) {
      const belowRe = t.re[k - j + n - 1];
      const belowIm = t.im[k - j + n - 1];
      const aboveRe = t.re[n - 2 - j];
      const aboveIm = t.im[n - 2 - j];
      fRe += belowRe * forward.re[j] - belowIm * forward.im[j];
      fIm += belowRe * forward.im[j] + belowIm * forward.re[j];
      gRe += aboveRe * backward.re[j] - aboveIm * backward.im[j];
      gIm += aboveRe * backward.im[j] + aboveIm * backward.re[j];
      xRe += belowRe * x.re[j] - belowIm * x.im[j];
      xIm += belowRe * x.im[j] + belowIm * x.re[j];
    }
    const pivotRe = 1 - (fRe * gRe - fIm * gIm);
    const pivotIm = -(fRe * gIm + fIm * gRe);
    if (!(Math.hypot(pivotRe, pivotIm) > smallest)) return { x: planar, complete: false };
    const [scaleRe, scaleIm] = reciprocal(pivotRe, pivotIm);
    for (let j = 0; j <= k; j++) {
      const aRe = j < k ? forward.re[j] : 0;
      const aIm = j < k ? forward.im[j] : 0;
      const cRe = j > 0 ? backward.re[j - 1] : 0;
      const cIm = j > 0 ? backward.im[j - 1] : 0;
      const sumRe = aRe - (fRe * cRe - fIm * cIm);
      const sumIm = aIm - (fRe * cIm + fIm * cRe);
      nextForward.re[j] = sumRe * scaleRe - sumIm * scaleIm;
      nextForward.im[j] = sumRe * scaleIm + sumIm * scaleRe;
      const differenceRe = cRe - (gRe * aRe - gIm * aIm);
      const differenceIm = cIm - (gRe * aIm + gIm * aRe);
      nextBackward.re[j] = differenceRe * scaleRe - differenceIm * scaleIm;
      nextBackward.im[j] = differenceRe * scaleIm + differenceIm * scaleRe;
    }
    [forward, nextForward] = [nextForward, forward];
    [backward, nextBackward] = [nextBackward, backward];
    const correctionRe = b.re[k] - xRe;
    const correctionIm = b.im[k] - xIm;
    for (let j = 0; j <= k; j++) {
      x.re[j] += correctionRe * backward.re[j] - correctionIm * backward.im[j];
      x.im[j] += correctionRe * backward.im[j] + correctionIm * backward.re[j];
    }
  }
  return { x: planar, complete: true };
}

/** 1/z, divided through by the size first, so that no square overflows. */
function reciprocal(re: number, im: number): readonly [re: number, im: number] {
  const size = Math.hypot(re, im);
  return [re / size / size, -im / size / size];
}
