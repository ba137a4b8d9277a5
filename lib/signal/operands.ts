/** Operands of the signal functions: of any dtype, computed in float64. */
import { describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { convert, holds, isTypedArray } from '../tensor/dtype.js';
import { type TensorLike, takeTensor, type VectorLike } from '../tensor/take.js';
import { checkData, type Shape } from '../tensor/tensor.js';

export interface DoubleTensor {
  readonly data: Float64Array;
  readonly shape: Shape;
}

/** The values in float64: the caller's own array when it is one. */
export function takeDoubles(value: TensorLike, argument: string): DoubleTensor {
  const { data, shape } = takeTensor(value, argument, 'float64');
  if (data.length === 0) throw mismatch(ShapeError, argument, 'at least one element', describeShape(shape));
  return { data: holds(data, 'float64') ? data : convert(data, 'float64'), shape };
}

/** A vector: a row, a column, or an array of any number of axes of which one at the most is longer than 1. */
export function takeVector(value: VectorLike, argument: string): Float64Array {
  // The usual operand, without a tensor around it.
  if (isTypedArray(value) && holds(value, 'float64') && value.length > 0) {
    checkData(value, argument);
    return value;
  }
  const { data, shape } = takeDoubles(value, argument);
  if (shape.filter((size) => size > 1).length > 1) {
    throw mismatch(ShapeError, argument, 'a vector', describeShape(shape));
  }
  return data;
}

/** A matrix; a number is 1 × 1. */
export function takeMatrix(value: TensorLike, argument: string): DoubleTensor {
  const { data, shape } = takeDoubles(value, argument);
  if (shape.length === 0) return { data, shape: [1, 1] };
  if (shape.length !== 2)
    throw mismatch(ShapeError, argument, 'a matrix [rows, columns]', describeShape(shape));
  return { data, shape };
}
