/** Complex numbers, kept as MATLAB, LAPACK and FFTs keep them apart: real parts, and imaginary parts. */
import { describeShape, isObject, mismatch, sameShape } from '../check.js';
import { ShapeError } from '../errors.js';
import { isTypedArray } from './dtype.js';
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

/** @throws {ShapeError} when the parts of a complex operand differ in shape. */
export function checkParts(value: TensorLike | PartsOf<TensorLike>, argument: string): void {
  if (!isParts(value)) return;
  const [re, im] = [takeTensor(value.re, `${argument}.re`), takeTensor(value.im, `${argument}.im`)];
  if (!sameShape(re.shape, im.shape)) {
    throw mismatch(ShapeError, `${argument}.im`, describeShape(re.shape), describeShape(im.shape));
  }
}
