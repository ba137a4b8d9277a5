/** Structured matrices, entry by entry. */
import { checkOptions } from '../check.js';
import { dtypeOf, type FloatArray, uninitialisedLike } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { checkDenseSize, type DenseOptions } from './operator.js';

/** The matrix whose entry at (i, j) is at(i, j), of the dtype of its diagonals. */
export function denseOf<A extends FloatArray>(
  shape: readonly [number, number],
  diagonals: A,
  options: DenseOptions | undefined,
  at: (i: number, j: number) => number,
): Tensor<A> {
  const { maxBytes } = checkOptions(options, ['maxBytes']);
  checkDenseSize(shape, dtypeOf(diagonals), maxBytes);
  const [rows, cols] = shape;
  const data = uninitialisedLike(diagonals, rows * cols);
  for (let i = 0, to = 0; i < rows; i++) for (let j = 0; j < cols; j++) data[to++] = at(i, j);
  return new Tensor(data, shape);
}
