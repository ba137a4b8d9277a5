/** MATLAB's filters and what belongs to them: filter, deconv, xcorr, convmtx. Kernels are flipped, as in `conv`. */
import { checkInteger, elementCount, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';
import { zeros } from '../tensor/dtype.js';
import type { VectorLike } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';
import { conv, type LinearOptions } from './convolution.js';
import { takeDoubles, takeVector } from './operands.js';

/**
 * A rational filter, MATLAB's `filter(b, a, x)`, by the transposed direct form II, from rest.
 *
 *   a[0]·y[n] = Σ_k b[k]·x[n − k] − Σ_{k ≥ 1} a[k]·y[n − k]
 *
 * @param b  Coefficients of the numerator, in powers of z⁻¹.
 * @param a  Those of the denominator; a[0] ≠ 0, by which all are divided.
 * @param x  The signal.
 * @returns y, as long as x.
 * @throws {ArgumentError} when a[0] is zero, {ShapeError} for an empty operand or one that is no vector.
 * @example signal.filter([1], [1, -0.5], [1, 0, 0])   // [1, 0.5, 0.25]
 */
export function filter(b: VectorLike, a: VectorLike, x: VectorLike): Float64Array {
  const [numerator, denominator] = [takeVector(b, 'b'), takeVector(a, 'a')];
  const input = takeVector(x, 'x');
  const lead = leadOf(denominator, 'a');
  const order = Math.max(numerator.length, denominator.length);
  const at = (values: Float64Array, k: number): number => (k < values.length ? values[k] / lead : 0);
  const forward = Float64Array.from({ length: order }, (_, k) => at(numerator, k));
  const back = Float64Array.from({ length: order }, (_, k) => at(denominator, k));
  const state = zeros('float64', order);
  const out = zeros('float64', input.length);
  for (let n = 0; n < input.length; n++) {
    const value = input[n];
    const y = state[0] + forward[0] * value;
    // state[order − 1] stays zero: what is beyond the last coefficient.
    for (let k = 1; k < order; k++) state[k - 1] = state[k] + forward[k] * value - back[k] * y;
    out[n] = y;
  }
  return out;
}

/**
 * Division of polynomials, MATLAB's `deconv`: y = conv(quotient, a) + remainder.
 *
 * @param y  Coefficients of the dividend, of the highest power first.
 * @param a  Those of the divisor; a[0] ≠ 0.
 * @returns the quotient, y.length − a.length + 1 coefficients (or one, zero, when y is shorter), and the remainder, y.length.
 * @throws {ArgumentError} when a[0] is zero, {ShapeError} for an empty operand or one that is no vector.
 * @example signal.deconv([1, 5, 6, 1], [1, 2])   // { quotient: [1, 3, 0], remainder: [0, 0, 0, 1] }
 */
export function deconv(y: VectorLike, a: VectorLike): { quotient: Float64Array; remainder: Float64Array } {
  const [dividend, divisor] = [takeVector(y, 'y'), takeVector(a, 'a')];
  const lead = leadOf(divisor, 'a');
  const remainder = dividend.slice();
  const count = dividend.length - divisor.length + 1;
  if (count < 1) return { quotient: zeros('float64', 1), remainder };
  const quotient = zeros('float64', count);
  for (let i = 0; i < count; i++) {
    const factor = remainder[i] / lead;
    quotient[i] = factor;
    remainder[i] = 0; // exactly, by the choice of the factor
    for (let k = 1; k < divisor.length; k++) remainder[i + k] -= factor * divisor[k];
  }
  return { quotient, remainder };
}

/**
 * Cross-correlation, MATLAB's `xcorr`: r at the lags −(N − 1) … N − 1, N the longer length; the shorter operand is followed
 * by zeros. Nothing is flipped.
 *
 *   r[m + N − 1] = Σ_n a[n + m]·b[n]
 *
 * @param a  A vector.
 * @param b  Another, by default a: the autocorrelation.
 * @param options  As of `conv`.
 * @returns 2N − 1 values.
 * @throws {ShapeError} for an empty operand or one that is no vector.
 * @example signal.xcorr([1, 2, 3], [0, 1, 0.5])   // [0.5, 2, 3.5, 3, 0]
 */
export function xcorr(a: VectorLike, b: VectorLike = a, options?: LinearOptions): Float64Array {
  const [u, v] = [takeVector(a, 'a'), takeVector(b, 'b')];
  const length = Math.max(u.length, v.length);
  const product = conv(u, v.slice().reverse(), 'full', options);
  const out = zeros('float64', 2 * length - 1);
  out.set(product, length - v.length);
  return out;
}

/**
 * The matrix of a convolution, MATLAB's `convmtx`: for a column h, C·x = conv(h, x) for every x of n elements; a row
 * [1, m] gives the transpose, for x·C.
 *
 * @param h  A vector of m elements; one axis counts as a column.
 * @param n  ≥ 1.
 * @returns float64, [m + n − 1, n], or [n, m + n − 1] of a row.
 * @throws {ArgumentError} unless n is an integer ≥ 1, {ShapeError} for an empty h or one that is no vector.
 * @example signal.convmtx([1, 2], 2)   // [[1, 0], [2, 1], [0, 2]]
 */
export function convmtx(h: VectorLike, n: number): Tensor<Float64Array> {
  const values = takeVector(h, 'h');
  const columns = checkInteger(n, 'n', 1);
  const { shape } = takeDoubles(h, 'h');
  const isRow = shape.length === 2 && shape[0] === 1 && shape[1] > 1;
  const rows = values.length + columns - 1;
  const out = zeros('float64', elementCount([rows, columns], 'result'));
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < values.length; i++) {
      out[isRow ? j * rows + j + i : (j + i) * columns + j] = values[i];
    }
  }
  return new Tensor(out, isRow ? [columns, rows] : [rows, columns]);
}

function leadOf(coefficients: Float64Array, argument: string): number {
  const lead = coefficients[0];
  if (lead === 0) throw mismatch(ArgumentError, argument, 'a first coefficient that is not zero', '0');
  return lead;
}
