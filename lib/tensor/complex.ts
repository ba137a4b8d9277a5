/** Complex numbers, kept as MATLAB, LAPACK and FFTs keep them apart: real parts, and imaginary parts. */
import { describeShape, isObject, mismatch, sameShape } from '../check.js';
import { ShapeError } from '../errors.js';
import { type FloatArray, isTypedArray } from './dtype.js';
import { type TensorLike, takeTensor, type VectorLike } from './take.js';
import type { Tensor } from './tensor.js';

/** Both parts of something complex, of one shape. */
export interface PartsOf<T> {
  /** The real part. */
  readonly re: T;
  /** The imaginary part. */
  readonly im: T;
}

/** re + i·im, element by element: two tensors of one shape and dtype. */
export interface ComplexTensor {
  /** Real parts. */
  readonly re: Tensor;
  /** Imaginary parts. */
  readonly im: Tensor;
}

/** A vector argument where complex numbers may stand: a real vector, or both parts of a complex one. */
export type ComplexVectorLike = VectorLike | PartsOf<VectorLike>;

/** What one part of an operand is: an operand that is real is its own only part. */
export type PartIn<T> = T extends PartsOf<infer P> ? P : T;

/** Whether an operand is complex: `{ re, im }`. */
export function isParts<T>(value: T | PartsOf<T>): value is PartsOf<T> {
  return isObject(value) && !isTypedArray(value) && 're' in value && 'im' in value;
}

/** What f makes of an operand, or of each part of a complex one. */
export function eachPart<T, R>(value: T | PartsOf<T>, f: (part: T) => R): R | PartsOf<R> {
  return isParts(value) ? { re: f(value.re), im: f(value.im) } : f(value);
}

/** An operand that is real, or the real part of a complex one: what both parts have in common. */
export function realPart<T>(value: T | PartsOf<T>): T {
  return isParts(value) ? value.re : value;
}

/** @throws {ShapeError} when the parts of a complex operand differ in shape. */
export function checkParts(value: TensorLike | PartsOf<TensorLike>, argument: string): void {
  if (!isParts(value)) return;
  const [re, im] = [takeTensor(value.re, `${argument}.re`), takeTensor(value.im, `${argument}.im`)];
  if (!sameShape(re.shape, im.shape)) {
    throw mismatch(ShapeError, `${argument}.im`, describeShape(re.shape), describeShape(im.shape));
  }
}

/** What a real product gives: numbers, or what holds them as `data`, which parts that are of one structure share out alike. */
type Product = FloatArray | { readonly data: FloatArray };

/**
 * a·b by a real product: four of them, two when an operand is real. Each part of the result is as accurate as the products;
 * products by three multiplications would not be.
 *
 * @param adjoint  Whether it is conj(a)·b.
 */
export function multiplyParts<S, T, R extends Product>(
  a: S | PartsOf<S>,
  b: T | PartsOf<T>,
  multiply: (a: S, b: T) => R,
  adjoint = false,
): PartsOf<R> {
  if (!isParts(a)) {
    if (!isParts(b)) throw new RangeError('expected a complex operand');
    return { re: multiply(a, b.re), im: multiply(a, b.im) };
  }
  const sign = adjoint ? -1 : 1;
  const re = multiply(a.re, isParts(b) ? b.re : b);
  const im = multiply(a.im, isParts(b) ? b.re : b);
  if (isParts(b)) {
    add(valuesOf(re), valuesOf(multiply(a.im, b.im)), -sign);
    add(valuesOf(im), valuesOf(multiply(a.re, b.im)), sign);
  }
  if (adjoint) negate(valuesOf(im));
  return { re, im };
}

function valuesOf(result: Product): FloatArray {
  return isTypedArray(result) ? result : result.data;
}

function add(to: FloatArray, values: FloatArray, sign: number): void {
  for (let i = 0; i < to.length; i++) to[i] += sign * values[i];
}

function negate(values: FloatArray): void {
  for (let i = 0; i < values.length; i++) values[i] = -values[i];
}
