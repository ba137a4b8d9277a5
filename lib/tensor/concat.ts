/** Tensors one after the other. */
import { checkInteger, describeShape, elementCount, isArray, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { uninitialisedLike, viewOf } from './dtype.js';
import { type ArrayIn, isNested, type TensorLike, takeTensor } from './take.js';
import { Tensor } from './tensor.js';

/**
 * Tensors joined along one axis, as a copy.
 *
 * @param tensors  At least one, of one dtype and of shapes that agree on every other axis. Nested arrays take the dtype
 *   of the first that is none.
 * @param axis     Default 0; negative ones count from the end.
 * @throws {ShapeError} when shapes disagree, {DTypeError} for mixed dtypes, {ArgumentError} for no tensors or no such axis.
 * @example concat([features, positions], 1)   // [n, 64, h, w] and [n, 2, h, w] → [n, 66, h, w]
 */
export function concat<T extends TensorLike>(tensors: readonly T[], axis?: number): Tensor<ArrayIn<T>>;
export function concat(tensors: readonly TensorLike[], axis = 0): Tensor {
  if (!isArray(tensors) || tensors.length === 0)
    throw mistake(ArgumentError, 'tensors', 'an array of at least one tensor', tensors);
  const parts = takeAll(tensors);
  const [first] = parts;
  const rank = first.shape.length;
  if (rank === 0) throw mismatch(ShapeError, 'tensors[0]', 'at least 1 axis', describeShape(first.shape));
  const along = checkInteger(axis, 'axis', -rank, rank - 1);
  const at = along < 0 ? along + rank : along;
  parts.forEach(({ shape }, i) => {
    const agrees =
      shape.length === rank && shape.every((size, other) => other === at || size === first.shape[other]);
    if (agrees) return;
    const expected = `${describeShape(first.shape)} but for axis ${at}, as tensors[0]`;
    throw mismatch(ShapeError, `tensors[${i}]`, expected, describeShape(shape));
  });
  const shape = first.shape.with(
    at,
    parts.reduce((sum, part) => sum + part.shape[at], 0),
  );
  const joined = uninitialisedLike(first.data, elementCount(shape, 'output'));
  const outer = product(shape.slice(0, at));
  let to = 0;
  for (let block = 0; block < outer; block++) {
    for (const { data } of parts) {
      const length = data.length / outer;
      joined.set(viewOf(data, block * length, length), to);
      to += length;
    }
  }
  return new Tensor(joined, shape);
}

function takeAll(tensors: readonly TensorLike[]): readonly Tensor[] {
  const leader = tensors.findIndex((value) => !isNested(value));
  const dtype = leader < 0 ? 'float32' : takeTensor(tensors[leader], `tensors[${leader}]`).dtype;
  return tensors.map((value, i) => {
    const t = takeTensor(value, `tensors[${i}]`, dtype);
    if (t.dtype !== dtype)
      throw mismatch(DTypeError, `tensors[${i}]`, `${dtype}, as tensors[${leader}]`, t.dtype);
    return t;
  });
}
