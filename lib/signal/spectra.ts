/** Discrete Fourier transforms of arrays, one axis after the other, and the order of their frequencies. */
import { backend } from '../backend/select.js';
import { checkInteger, describeShape, isObject, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import type { ComplexTensor } from '../tensor/complex.js';
import { zeros } from '../tensor/dtype.js';
import type { TensorLike, VectorLike } from '../tensor/take.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { takeDoubles, takeMatrix } from './operands.js';

/** What transforms of arrays take: real values, or both parts, of one shape. */
export type ComplexTensorLike = TensorLike | { readonly re: TensorLike; readonly im: TensorLike };

interface Parts {
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly shape: Shape;
}

/**
 * Two-dimensional discrete Fourier transform, MATLAB's `fft2`.
 *
 *   X[k, l] = Σ_i Σ_j A[i, j]·e^(−2πi·(ik/rows + jl/columns))
 *
 * @param A  A matrix [rows, columns], or {re, im} of one shape.
 * @returns float64 tensors of A's shape.
 * @throws {ShapeError} for what is no matrix, has no elements, or has parts of different shapes.
 * @example signal.fft2([[1, 2], [3, 4]]).re.toNested()   // [[10, -2], [-4, 0]]
 */
export function fft2(A: ComplexTensorLike): ComplexTensor {
  return tensors(transformAll(takeParts(A, 'A', true), false));
}

/**
 * The inverse of `fft2`, MATLAB's `ifft2`: divided by rows·columns. Parameters and errors as there.
 *
 * @example signal.ifft2(signal.fft2([[1, 2], [3, 4]])).re.toNested()   // [[1, 2], [3, 4]]
 */
export function ifft2(A: ComplexTensorLike): ComplexTensor {
  return tensors(transformAll(takeParts(A, 'A', true), true));
}

/**
 * Discrete Fourier transforms of all lines along one axis, MATLAB's `fft(A, [], axis + 1)`.
 *
 * @param A     An array of any rank ≥ 1, or {re, im} of one shape.
 * @param axis  Counted from 0.
 * @returns float64 tensors of A's shape.
 * @throws {ShapeError} for an array without elements or parts of different shapes, {ArgumentError} unless A has the axis.
 * @example signal.fftAlong([[1, 1], [1, -1]], 0).re.toNested()   // [[2, 0], [0, 2]]
 */
export function fftAlong(A: ComplexTensorLike, axis: number): ComplexTensor {
  return tensors(alongAxis(A, axis, false));
}

/**
 * The inverse of `fftAlong`: divided by the axis's length. Parameters and errors as there.
 *
 * @example ifftAlong(fftAlong([[1, 2], [3, 4]], 1), 1).re   // [[1, 2], [3, 4]]
 */
export function ifftAlong(A: ComplexTensorLike, axis: number): ComplexTensor {
  return tensors(alongAxis(A, axis, true));
}

/**
 * Zero frequency to the centre, MATLAB's `fftshift`: along every axis of n, element i goes to (i + ⌊n/2⌋) mod n.
 *
 * @param A  A vector, whose values come back as a Float64Array, or an array of more axes, which comes back as a tensor.
 * @throws {ShapeError} for an array without elements.
 * @example signal.fftshift([0, 1, 2, 3, 4])   // [3, 4, 0, 1, 2]
 */
export function fftshift(A: VectorLike | TensorLike): Float64Array | Tensor<Float64Array> {
  return shifted(A, (n) => Math.floor(n / 2));
}

/**
 * The inverse of `fftshift`, MATLAB's `ifftshift`: element i goes to (i + ⌈n/2⌉) mod n.
 *
 * @example signal.ifftshift([1, 2, 3])   // Float64Array [2, 3, 1]
 */
export function ifftshift(A: VectorLike | TensorLike): Float64Array | Tensor<Float64Array> {
  return shifted(A, (n) => Math.ceil(n / 2));
}

function shifted(
  A: VectorLike | TensorLike,
  by: (size: number) => number,
): Float64Array | Tensor<Float64Array> {
  const { data, shape } = takeDoubles(A, 'A');
  let from = data;
  shape.forEach((size, axis) => {
    const inner = product(shape.slice(axis + 1));
    const length = size * inner;
    const step = by(size) * inner;
    const to = zeros('float64', data.length);
    for (let at = 0; at < data.length; at += length) {
      to.set(from.subarray(at, at + length - step), at + step);
      to.set(from.subarray(at + length - step, at + length), at);
    }
    from = to;
  });
  const result = from === data ? data.slice() : from;
  return shape.length <= 1 ? result : new Tensor(result, shape);
}

function takeParts(A: ComplexTensorLike, argument: string, isMatrix: boolean): Parts {
  const take = isMatrix ? takeMatrix : takeDoubles;
  if (!isObject(A) || !('re' in A)) {
    const { data, shape } = take(A, argument);
    return { re: data, im: zeros('float64', data.length), shape };
  }
  const [re, im] = [take(A.re, `${argument}.re`), take(A.im, `${argument}.im`)];
  if (describeShape(re.shape) !== describeShape(im.shape)) {
    throw mismatch(ShapeError, `${argument}.im`, describeShape(re.shape), describeShape(im.shape));
  }
  return { re: re.data, im: im.data, shape: re.shape };
}

function tensors({ re, im, shape }: Parts): ComplexTensor {
  return { re: new Tensor(re, shape), im: new Tensor(im, shape) };
}

function transformAll(parts: Parts, isInverse: boolean): Parts {
  return parts.shape.reduce((done, _, axis) => transformLines(done, axis, isInverse), parts);
}

function alongAxis(A: ComplexTensorLike, axis: number, isInverse: boolean): Parts {
  const parts = takeParts(A, 'A', false);
  return transformLines(parts, checkInteger(axis, 'axis', 0, parts.shape.length - 1), isInverse);
}

/** Every line along an axis, transformed into arrays of their own. */
function transformLines({ re, im, shape }: Parts, axis: number, isInverse: boolean): Parts {
  const size = shape[axis];
  const inner = product(shape.slice(axis + 1));
  const [outRe, outIm] = [zeros('float64', re.length), zeros('float64', re.length)];
  const [x, y] = [lineOf(size), lineOf(size)];
  for (let outer = 0; outer < re.length; outer += size * inner) {
    for (let start = outer; start < outer + inner; start++) {
      for (let i = 0, at = start; i < size; i++, at += inner) {
        x.re[i] = re[at];
        x.im[i] = im[at];
      }
      // Exchanging real and imaginary parts on both sides turns a transform into its inverse.
      if (isInverse) backend().fft(x.im, x.re, y.im, y.re, 1 / size);
      else backend().fft(x.re, x.im, y.re, y.im, 1);
      for (let i = 0, at = start; i < size; i++, at += inner) {
        outRe[at] = y.re[i];
        outIm[at] = y.im[i];
      }
    }
  }
  return { re: outRe, im: outIm, shape };
}

function lineOf(size: number): { re: Float64Array; im: Float64Array } {
  return { re: zeros('float64', size), im: zeros('float64', size) };
}
