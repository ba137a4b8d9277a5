/**
 * Fourier transforms of any length in JavaScript: Stockham passes of radix 4, 2, 3, 5 and 7, and Bluestein's chirp
 * for lengths with a larger prime factor. Real and imaginary parts are in arrays of their own.
 */

import type { PartsOf } from '../../tensor/complex.js';
import { type FloatArray, holds } from '../../tensor/dtype.js';
import { runAll, type Work } from './work.js';

/** One pass over all points: `rest` = (remaining length) / radix, `done` = the product of the radices before. */
interface Pass {
  readonly radix: number;
  readonly rest: number;
  readonly done: number;
  /** e^(−2πi·pk/(radix·rest)) for k = 1 … radix−1, p = 0 … rest−1, at [p·(radix−1) + k − 1]. */
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/** What a length needs besides its data; scratch is reused, since no two transforms run at once. */
interface StockhamPlan {
  readonly passes: readonly Pass[];
  readonly scratchRe: Float64Array;
  readonly scratchIm: Float64Array;
}

/** X = chirp ⊙ (inverse transform of (transform of (x ⊙ chirp) ⊙ spectrum)), on `size` ≥ 2n − 1 points. */
interface ChirpPlan {
  readonly size: number;
  /** e^(−πi·j²/n). */
  readonly chirpRe: Float64Array;
  readonly chirpIm: Float64Array;
  readonly spectrumRe: Float64Array;
  readonly spectrumIm: Float64Array;
}

type Plan = StockhamPlan | ChirpPlan;

const RADICES = [4, 2, 3, 5, 7] as const;
const CACHED_POINTS = 1 << 21;
const plans = new Map<number, Plan>();
let cachedPoints = 0;

/** See Backend.fft. The passes see float64 only. */
export function fft(
  re: FloatArray,
  im: FloatArray | null,
  outRe: FloatArray,
  outIm: FloatArray,
  scale: number,
): void {
  const isDouble = holds(outRe, 'float64') && holds(outIm, 'float64');
  const resultRe = isDouble ? outRe : new Float64Array(outRe.length);
  const resultIm = isDouble ? outIm : new Float64Array(outIm.length);
  transform(asDouble(re), im === null ? null : asDouble(im), resultRe, resultIm);
  if (scale !== 1) {
    for (let k = 0; k < resultRe.length; k++) {
      resultRe[k] *= scale;
      resultIm[k] *= scale;
    }
  }
  if (isDouble) return;
  outRe.set(resultRe);
  outIm.set(resultIm);
}

/** See Backend.fftConvolve. */
export function fftConvolve(
  signal: FloatArray,
  kernel: FloatArray,
  block: number,
  start: number,
  out: FloatArray,
): void {
  runAll(convolveBlocks(signal, kernel, block, start, out));
}

/** Overlap-save, where two blocks of real data make one complex transform, of which each is a unit of work. */
export function* convolveBlocks(
  signal: FloatArray,
  kernel: FloatArray,
  block: number,
  start: number,
  out: FloatArray,
): Work {
  const spectrumRe = new Float64Array(block);
  const spectrumIm = new Float64Array(block);
  const xRe = new Float64Array(block);
  const xIm = new Float64Array(block);
  const yRe = new Float64Array(block);
  const yIm = new Float64Array(block);
  xRe.set(kernel);
  transform(xRe, null, spectrumRe, spectrumIm);
  yield;
  // The first kernel.length − 1 points of a block wrap around; `step` of them are right.
  const overlap = kernel.length - 1;
  const step = block - overlap;
  for (let first = 0; first < out.length; first += 2 * step) {
    const second = first + step;
    copyWindow(signal, start + first - overlap, xRe);
    copyWindow(signal, start + second - overlap, xIm);
    // The kernel is real, so both parts are convolved with it and stay apart.
    transform(xRe, xIm, yRe, yIm);
    yield;
    multiply(yRe, yIm, spectrumRe, spectrumIm);
    inverseTransform(yRe, yIm, xRe, xIm);
    out.set(xRe.subarray(overlap, overlap + Math.min(step, out.length - first)), first);
    if (second < out.length) {
      out.set(xIm.subarray(overlap, overlap + Math.min(step, out.length - second)), second);
    }
    yield;
  }
}

/** See Backend.fftConvolveComplex: a block a transform. */
export function fftConvolveComplex(
  signal: PartsOf<FloatArray>,
  kernel: PartsOf<FloatArray>,
  block: number,
  start: number,
  out: PartsOf<FloatArray>,
): void {
  const pair = (): PartsOf<Float64Array> => ({ re: new Float64Array(block), im: new Float64Array(block) });
  const [spectrum, x, y] = [pair(), pair(), pair()];
  x.re.set(kernel.re);
  x.im.set(kernel.im);
  transform(x.re, x.im, spectrum.re, spectrum.im);
  // A block that holds the whole convolution begins where the signal does, and nothing wraps around in it.
  const isWhole = block >= signal.re.length + kernel.re.length - 1 && start + out.re.length <= block;
  const overlap = isWhole ? start : kernel.re.length - 1;
  const step = block - overlap;
  for (let first = 0; first < out.re.length; first += step) {
    copyWindow(signal.re, start + first - overlap, x.re);
    copyWindow(signal.im, start + first - overlap, x.im);
    transform(x.re, x.im, y.re, y.im);
    multiply(y.re, y.im, spectrum.re, spectrum.im);
    inverseTransform(y.re, y.im, x.re, x.im);
    const end = overlap + Math.min(step, out.re.length - first);
    out.re.set(x.re.subarray(overlap, end), first);
    out.im.set(x.im.subarray(overlap, end), first);
  }
}

/** to[i] ← from[first + i], zeros where there is none. */
function copyWindow(from: FloatArray, first: number, to: Float64Array): void {
  const begin = Math.min(Math.max(-first, 0), to.length);
  const end = Math.min(Math.max(from.length - first, begin), to.length);
  to.fill(0, 0, begin);
  if (end > begin) to.set(from.subarray(first + begin, first + end), begin);
  to.fill(0, end);
}

function asDouble(values: FloatArray): Float64Array {
  return holds(values, 'float64') ? values : new Float64Array(values);
}

/** X[k] = Σ_j x[j]·e^(−2πi·jk/n), n = re.length; `im` null means real data. The outputs overlap neither input. */
function transform(
  re: Float64Array,
  im: Float64Array | null,
  outRe: Float64Array,
  outIm: Float64Array,
): void {
  const n = re.length;
  if (im === null) {
    if (n % 2 === 0) {
      transformReal(re, outRe, outIm);
      return;
    }
    im = new Float64Array(n);
  }
  const plan = planFor(n);
  if ('passes' in plan) runPasses(plan, re, im, outRe, outIm);
  else runChirp(plan, re, im, outRe, outIm);
}

/** x[j] = (1/n)·Σ_k X[k]·e^(+2πi·jk/n): the forward transform with the parts exchanged, divided by n. */
function inverseTransform(
  re: Float64Array,
  im: Float64Array,
  outRe: Float64Array,
  outIm: Float64Array,
): void {
  transform(im, re, outIm, outRe);
  const n = re.length;
  for (let j = 0; j < n; j++) {
    outRe[j] /= n;
    outIm[j] /= n;
  }
}

/** n real points as n/2 complex ones, z[j] = x[2j] + i·x[2j+1]; the spectra of evens and odds come apart by symmetry. */
function transformReal(x: Float64Array, outRe: Float64Array, outIm: Float64Array): void {
  const n = x.length;
  const half = n / 2;
  const evens = new Float64Array(half);
  const odds = new Float64Array(half);
  for (let j = 0; j < half; j++) {
    evens[j] = x[2 * j];
    odds[j] = x[2 * j + 1];
  }
  const zRe = new Float64Array(half);
  const zIm = new Float64Array(half);
  transform(evens, odds, zRe, zIm);
  for (let k = 0; k <= half; k++) {
    const at = k === half ? 0 : k;
    const mirror = k === 0 ? 0 : half - k;
    const evenRe = (zRe[at] + zRe[mirror]) / 2;
    const evenIm = (zIm[at] - zIm[mirror]) / 2;
    const oddRe = (zIm[at] + zIm[mirror]) / 2;
    const oddIm = (zRe[mirror] - zRe[at]) / 2;
    const cos = cosTurn(k, n);
    const sin = -sinTurn(k, n);
    const xRe = evenRe + (oddRe * cos - oddIm * sin);
    const xIm = evenIm + (oddRe * sin + oddIm * cos);
    outRe[k] = xRe;
    outIm[k] = xIm;
    if (k > 0 && k < half) {
      outRe[n - k] = xRe;
      outIm[n - k] = -xIm;
    }
  }
}

function planFor(n: number): Plan {
  const known = plans.get(n);
  if (known !== undefined) return known;
  const radices = factor(n);
  const plan = radices === null ? planChirp(n) : planPasses(n, radices);
  for (const [size] of plans) {
    if (cachedPoints + n <= CACHED_POINTS) break;
    plans.delete(size);
    cachedPoints -= size;
  }
  plans.set(n, plan);
  cachedPoints += n;
  return plan;
}

function factor(n: number): number[] | null {
  const radices: number[] = [];
  for (const radix of RADICES) {
    for (; n % radix === 0; n /= radix) radices.push(radix);
  }
  return n === 1 ? radices : null;
}

function planPasses(n: number, radices: readonly number[]): StockhamPlan {
  const passes: Pass[] = [];
  let done = 1;
  for (const radix of radices) {
    const length = n / done;
    const rest = length / radix;
    const cos = new Float64Array(rest * (radix - 1));
    const sin = new Float64Array(rest * (radix - 1));
    for (let p = 0; p < rest; p++) {
      for (let k = 1; k < radix; k++) {
        cos[p * (radix - 1) + k - 1] = cosTurn(p * k, length);
        sin[p * (radix - 1) + k - 1] = -sinTurn(p * k, length);
      }
    }
    passes.push({ radix, rest, done, cos, sin });
    done *= radix;
  }
  return { passes, scratchRe: new Float64Array(n), scratchIm: new Float64Array(n) };
}

function planChirp(n: number): ChirpPlan {
  let size = 1;
  while (size < 2 * n - 1) size *= 2;
  const chirpRe = new Float64Array(n);
  const chirpIm = new Float64Array(n);
  const kernelRe = new Float64Array(size);
  const kernelIm = new Float64Array(size);
  let square = 0; // j² mod 2n, step by step: j² itself would pass 2^53
  for (let j = 0; j < n; j++) {
    chirpRe[j] = cosTurn(square, 2 * n);
    chirpIm[j] = -sinTurn(square, 2 * n);
    for (const at of j === 0 ? [0] : [j, size - j]) {
      kernelRe[at] = chirpRe[j];
      kernelIm[at] = -chirpIm[j];
    }
    square = (square + 2 * j + 1) % (2 * n);
  }
  const spectrumRe = new Float64Array(size);
  const spectrumIm = new Float64Array(size);
  transform(kernelRe, kernelIm, spectrumRe, spectrumIm);
  return { size, chirpRe, chirpIm, spectrumRe, spectrumIm };
}

/** Source: Bluestein 1970; jk = (j² + k² − (k−j)²)/2 makes the transform a convolution with a chirp. */
function runChirp(
  plan: ChirpPlan,
  re: Float64Array,
  im: Float64Array,
  outRe: Float64Array,
  outIm: Float64Array,
): void {
  const { size, chirpRe, chirpIm, spectrumRe, spectrumIm } = plan;
  const n = re.length;
  const aRe = new Float64Array(size);
  const aIm = new Float64Array(size);
  for (let j = 0; j < n; j++) {
    aRe[j] = re[j] * chirpRe[j] - im[j] * chirpIm[j];
    aIm[j] = re[j] * chirpIm[j] + im[j] * chirpRe[j];
  }
  const bRe = new Float64Array(size);
  const bIm = new Float64Array(size);
  transform(aRe, aIm, bRe, bIm);
  multiply(bRe, bIm, spectrumRe, spectrumIm);
  inverseTransform(bRe, bIm, aRe, aIm);
  for (let k = 0; k < n; k++) {
    outRe[k] = aRe[k] * chirpRe[k] - aIm[k] * chirpIm[k];
    outIm[k] = aRe[k] * chirpIm[k] + aIm[k] * chirpRe[k];
  }
}

/** a ← a ⊙ b. */
function multiply(aRe: Float64Array, aIm: Float64Array, bRe: Float64Array, bIm: Float64Array): void {
  for (let k = 0; k < aRe.length; k++) {
    const re = aRe[k] * bRe[k] - aIm[k] * bIm[k];
    aIm[k] = aRe[k] * bIm[k] + aIm[k] * bRe[k];
    aRe[k] = re;
  }
}

function runPasses(
  plan: StockhamPlan,
  re: Float64Array,
  im: Float64Array,
  outRe: Float64Array,
  outIm: Float64Array,
): void {
  const { passes, scratchRe, scratchIm } = plan;
  if (passes.length === 0) {
    outRe.set(re);
    outIm.set(im);
    return;
  }
  // The passes alternate between scratch and output so that the last one ends in the output.
  let fromRe = re;
  let fromIm = im;
  passes.forEach((pass, index) => {
    const last = (passes.length - index) % 2 === 1;
    const toRe = last ? outRe : scratchRe;
    const toIm = last ? outIm : scratchIm;
    if (pass.radix === 4) pass4(pass, fromRe, fromIm, toRe, toIm);
    else if (pass.radix === 2) pass2(pass, fromRe, fromIm, toRe, toIm);
    else passOdd(pass, fromRe, fromIm, toRe, toIm);
    fromRe = toRe;
    fromIm = toIm;
  });
}

/** y[done·(4p + k) + q] ← w^k · (the 4-point transform, at k, of x[done·(p + rest·j) + q], j = 0 … 3). */
function pass4(
  pass: Pass,
  re: Float64Array,
  im: Float64Array,
  outRe: Float64Array,
  outIm: Float64Array,
): void {
  const { rest, done, cos, sin } = pass;
  const quarter = rest * done;
  for (let p = 0; p < rest; p++) {
    const w1Re = cos[3 * p];
    const w1Im = sin[3 * p];
    const w2Re = cos[3 * p + 1];
    const w2Im = sin[3 * p + 1];
    const w3Re = cos[3 * p + 2];
    const w3Im = sin[3 * p + 2];
    const end = done * (p + 1);
    let to = 4 * done * p;
    for (let at = done * p; at < end; at++, to++) {
      const aRe = re[at];
      const aIm = im[at];
      const bRe = re[at + quarter];
      const bIm = im[at + quarter];
      const cRe = re[at + 2 * quarter];
      const cIm = im[at + 2 * quarter];
      const dRe = re[at + 3 * quarter];
      const dIm = im[at + 3 * quarter];
      const acRe = aRe + cRe;
      const acIm = aIm + cIm;
      const bdRe = bRe + dRe;
      const bdIm = bIm + dIm;
      const sRe = acRe - bdRe;
      const sIm = acIm - bdIm;
      const tRe = aRe - cRe + (bIm - dIm);
      const tIm = aIm - cIm - (bRe - dRe);
      const uRe = aRe - cRe - (bIm - dIm);
      const uIm = aIm - cIm + (bRe - dRe);
      outRe[to] = acRe + bdRe;
      outIm[to] = acIm + bdIm;
      outRe[to + done] = tRe * w1Re - tIm * w1Im;
      outIm[to + done] = tRe * w1Im + tIm * w1Re;
      outRe[to + 2 * done] = sRe * w2Re - sIm * w2Im;
      outIm[to + 2 * done] = sRe * w2Im + sIm * w2Re;
      outRe[to + 3 * done] = uRe * w3Re - uIm * w3Im;
      outIm[to + 3 * done] = uRe * w3Im + uIm * w3Re;
    }
  }
}

function pass2(
  pass: Pass,
  re: Float64Array,
  im: Float64Array,
  outRe: Float64Array,
  outIm: Float64Array,
): void {
  const { rest, done, cos, sin } = pass;
  const half = rest * done;
  for (let p = 0; p < rest; p++) {
    const wRe = cos[p];
    const wIm = sin[p];
    const end = done * (p + 1);
    let to = 2 * done * p;
    for (let at = done * p; at < end; at++, to++) {
      const dRe = re[at] - re[at + half];
      const dIm = im[at] - im[at + half];
      outRe[to] = re[at] + re[at + half];
      outIm[to] = im[at] + im[at + half];
      outRe[to + done] = dRe * wRe - dIm * wIm;
      outIm[to + done] = dRe * wIm + dIm * wRe;
    }
  }
}

/** Odd radices: the terms j and radix − j share their cosines and sines. */
function passOdd(
  pass: Pass,
  re: Float64Array,
  im: Float64Array,
  outRe: Float64Array,
  outIm: Float64Array,
): void {
  const { radix, rest, done, cos, sin } = pass;
  const stride = rest * done;
  const pairs = (radix - 1) / 2;
  const rootCos = Float64Array.from({ length: radix }, (_, j) => cosTurn(j, radix));
  const rootSin = Float64Array.from({ length: radix }, (_, j) => sinTurn(j, radix));
  for (let p = 0; p < rest; p++) {
    for (let q = 0; q < done; q++) {
      const at = done * p + q;
      const to = done * radix * p + q;
      for (let k = 0; k <= pairs; k++) {
        let sumRe = re[at];
        let sumIm = im[at];
        let turnRe = 0;
        let turnIm = 0;
        for (let j = 1; j <= pairs; j++) {
          const low = at + j * stride;
          const high = at + (radix - j) * stride;
          const root = (j * k) % radix;
          sumRe += (re[low] + re[high]) * rootCos[root];
          sumIm += (im[low] + im[high]) * rootCos[root];
          turnRe += (re[low] - re[high]) * rootSin[root];
          turnIm += (im[low] - im[high]) * rootSin[root];
        }
        // Output k subtracts i·turn, its mirror radix − k adds it.
        if (k === 0) {
          outRe[to] = sumRe;
          outIm[to] = sumIm;
          continue;
        }
        for (const mirrored of [false, true]) {
          const row = mirrored ? radix - k : k;
          const xRe = mirrored ? sumRe - turnIm : sumRe + turnIm;
          const xIm = mirrored ? sumIm + turnRe : sumIm - turnRe;
          const wRe = cos[p * (radix - 1) + row - 1];
          const wIm = sin[p * (radix - 1) + row - 1];
          outRe[to + row * done] = xRe * wRe - xIm * wIm;
          outIm[to + row * done] = xRe * wIm + xIm * wRe;
        }
      }
    }
  }
}

/** cos(2π·j/n) for 0 ≤ j ≤ n·radix: folded into the first eighth of a turn, where it errs by less than one unit. */
function cosTurn(j: number, n: number): number {
  j %= n;
  if (2 * j > n) j = n - j;
  if (4 * j > n) return -cosTurn(n - 2 * j, 2 * n);
  return 8 * j > n ? Math.sin((Math.PI * (n - 4 * j)) / (2 * n)) : Math.cos((2 * Math.PI * j) / n);
}

/** sin(2π·j/n) = cos of a quarter turn less: 2π·(n − 4j)/(4n), and cos is even. */
function sinTurn(j: number, n: number): number {
  j %= n;
  return cosTurn(Math.abs(n - 4 * j), 4 * n);
}
