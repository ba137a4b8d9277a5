/** The discrete Fourier transform and its inverse, of any length. */

import { backend } from '../backend/select.js';
import { checkInteger, isObject, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import { uninitialised, zeros } from '../tensor/dtype.js';
import { overlaps } from '../tensor/out.js';
import type { VectorLike } from '../tensor/take.js';
import { checkData } from '../tensor/tensor.js';
import { takeVector } from './operands.js';

/** A complex vector: real and imaginary parts of one length. */
export interface Complex {
  /** Real parts. */
  readonly re: Float64Array;
  /** Imaginary parts. */
  readonly im: Float64Array;
}
/** What the transforms take for one. */
export interface ComplexLike {
  /** Real parts. */
  readonly re: VectorLike;
  /** Imaginary parts. */
  readonly im: VectorLike;
}

/**
 * Discrete Fourier transform, MATLAB's `fft(x, n)`.
 *
 *   X[k] = Σ_j x[j]·e^(−2πi·jk/n), k = 0 … n − 1
 *
 * @param x  A real vector, or {re, im} of one length.
 * @param n  Number of points, any integer ≥ 1, by default x's length: of a longer x the first n samples count, a
 *   shorter one is followed by zeros. O(n log n) for every n, primes included.
 * @param out  Receives X and is returned: n points, in memory of their own. Allocated when absent, which for a long
 *   transform takes as long as the transform.
 * @throws {ShapeError} for an empty x or parts of different lengths, {ArgumentError} unless n is an integer ≥ 1, and
 *   both for an unfit `out`.
 * @example signal.fft([1, 0, -1, 0])   // { re: [0, 2, 0, 2], im: [0, 0, 0, 0] }
 *
 * Accuracy: each value errs by a few 2⁻⁵³·log₂(n)·‖x‖₂. Source: Cooley & Tukey 1965; Bluestein 1970 where n has a prime
 * factor above 7.
 */
export function fft(x: VectorLike | ComplexLike, n?: number, out?: Complex): Complex {
  const points = takePoints(x, n);
  const result = resultPoints(out, points);
  backend().fft(points.re, points.im, result.re, result.im, 1);
  return result;
}

/**
 * Inverse discrete Fourier transform, MATLAB's `ifft(X, n)`.
 *
 *   x[j] = (1/n)·Σ_k X[k]·e^(2πi·jk/n), j = 0 … n − 1
 *
 * @param x  The spectrum, {re, im} of one length (a real vector has no imaginary part).
 * @param n    As in `fft`: the first n values count, or zeros follow the last.
 * @param out  As in `fft`.
 * @returns both parts; of a spectrum with the symmetry of real data, `im` is zero to rounding.
 * @example signal.ifft({ re: [2, 0], im: [0, 0] }).re   // Float64Array [1, 1]
 */
export function ifft(x: VectorLike | ComplexLike, n?: number, out?: Complex): Complex {
  const points = takePoints(x, n);
  const result = resultPoints(out, points);
  const count = points.re.length;
  // Exchanging real and imaginary parts on both sides turns a transform into its inverse.
  backend().fft(points.im ?? zeros('float64', count), points.re, result.im, result.re, 1 / count);
  return result;
}

interface Points {
  readonly re: Float64Array;
  readonly im: Float64Array | null;
}

/** The first n points, or zeros after the last; the caller's own arrays where nothing changes. */
function takePoints(x: VectorLike | ComplexLike, n: number | undefined): Points {
  const { re, im } = isComplex(x)
    ? { re: takeVector(x.re, 'x.re'), im: takeVector(x.im, 'x.im') }
    : { re: takeVector(x, 'x'), im: null };
  if (im !== null && im.length !== re.length) {
    throw mismatch(ShapeError, 'x.im', `${re.length} elements, as x.re`, `${im.length}`);
  }
  const count = n === undefined ? re.length : checkInteger(n, 'n', 1);
  return { re: resize(re, count), im: im === null ? null : resize(im, count) };
}

/** New arrays, or the caller's after checking that they may receive as many points. */
function resultPoints(out: Complex | undefined, { re, im }: Points): Complex {
  const count = re.length;
  if (out === undefined) return { re: uninitialised('float64', count), im: uninitialised('float64', count) };
  if (!isComplex(out)) throw mistake(ArgumentError, 'out', '{re, im}', out);
  checkPart(out.re, 'out.re', count, { 'x.re': re, 'x.im': im });
  checkPart(out.im, 'out.im', count, { 'x.re': re, 'x.im': im, 'out.re': out.re });
  return out;
}

/** A part of `out` holds the points, and overlaps none of `others`. */
function checkPart(
  part: Float64Array,
  argument: string,
  count: number,
  others: Readonly<Record<string, Float64Array | null>>,
): void {
  const dtype = checkData(part, argument);
  if (dtype !== 'float64') throw mismatch(DTypeError, argument, 'float64', dtype);
  if (part.length !== count) throw mismatch(ShapeError, argument, `${count} elements`, `${part.length}`);
  for (const name in others) {
    const other = others[name];
    if (other !== null && overlaps(part, other)) {
      throw mismatch(ArgumentError, argument, 'memory of its own', `memory shared with ${name}`);
    }
  }
}

function isComplex(x: VectorLike | ComplexLike): x is ComplexLike {
  return isObject(x) && 're' in x && 'im' in x;
}

function resize(values: Float64Array, count: number): Float64Array {
  if (values.length === count) return values;
  if (values.length > count) return values.subarray(0, count);
  const padded = zeros('float64', count);
  padded.set(values);
  return padded;
}
