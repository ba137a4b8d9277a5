/** Bilinear functions of complex operands, by the products of their parts. */
import { isParts, type PartsOf } from '../tensor/complex.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * (a.re + i·a.im)·(b.re + i·b.im) by a real product: four of them, two when an operand is real. Each part of the result is as
 * accurate as the products; products by three multiplications would not be.
 */
export function multiplyParts<T, R extends Float64Array | Tensor<Float64Array>>(
  a: T | PartsOf<T>,
  b: T | PartsOf<T>,
  multiply: (a: T, b: T) => R,
): PartsOf<R> {
  if (!isParts(a)) {
    if (!isParts(b)) throw new RangeError('expected a complex operand');
    return { re: multiply(a, b.re), im: multiply(a, b.im) };
  }
  if (!isParts(b)) return { re: multiply(a.re, b), im: multiply(a.im, b) };
  const re = multiply(a.re, b.re);
  const im = multiply(a.re, b.im);
  add(valuesOf(re), valuesOf(multiply(a.im, b.im)), -1);
  add(valuesOf(im), valuesOf(multiply(a.im, b.re)), 1);
  return { re, im };
}

function valuesOf(result: Float64Array | Tensor<Float64Array>): Float64Array {
  return result instanceof Tensor ? result.data : result;
}

function add(to: Float64Array, values: Float64Array, sign: 1 | -1): void {
  for (let i = 0; i < to.length; i++) to[i] += sign * values[i];
}
