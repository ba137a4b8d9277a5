/** Samples, kept in tensors whose first axis counts them. */
import { checkInteger, describeShape, mismatch, mistake } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type TypedArray, uninitialised } from '../tensor/dtype.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';

/** Samples by index, of whatever they consist. */
export interface Dataset<T> {
  /** How many samples there are. */
  readonly length: number;
  /** The sample at an index from 0 to length − 1. */
  get(index: number): T;
}

/**
 * Sample i is the i-th entry of every tensor, along the first axis.
 *
 * @param tensors  At least one; their first axes are equal. Shared, not copied.
 * @example new data.TensorDataset(images, labels)   // [1000, 1, 28, 28] and [1000]
 */
export class TensorDataset implements Dataset<Tensor[]> {
  /** How many samples there are. */
  readonly length: number;
  readonly #tensors: readonly Tensor[];

  /** @param tensors  Of one first axis, which counts the samples. */
  constructor(...tensors: TensorLike[]) {
    if (tensors.length === 0) throw mistake(ArgumentError, 'tensors', 'at least one tensor', tensors);
    this.#tensors = tensors.map((value, i) => {
      const t = takeTensor(value, `tensors[${i}]`);
      if (t.shape.length === 0)
        throw mismatch(ShapeError, `tensors[${i}]`, 'at least 1 axis', describeShape(t.shape));
      return t;
    });
    this.length = this.#tensors[0].shape[0];
    this.#tensors.forEach(({ shape }, i) => {
      if (shape[0] !== this.length) {
        throw mismatch(
          ShapeError,
          `tensors[${i}]`,
          `${this.length} samples, as tensors[0]`,
          describeShape(shape),
        );
      }
    });
  }

  /** Sample `index` of every tensor, copied: shapes are without the first axis. */
  get(index: number): Tensor[] {
    checkInteger(index, 'index', 0, this.length - 1);
    return this.#tensors.map((t) => gather(t, [index]).reshape(t.shape.slice(1)));
  }

  /** These samples of every tensor, stacked in this order. */
  batch(indices: ArrayLike<number>): Tensor[] {
    for (let i = 0; i < indices.length; i++) checkInteger(indices[i], `indices[${i}]`, 0, this.length - 1);
    return this.#tensors.map((t) => gather(t, indices));
  }
}

/** rows[i] ← t[indices[i]]. */
function gather({ data, shape, dtype, size }: Tensor, indices: ArrayLike<number>): Tensor {
  const length = shape[0] === 0 ? 0 : size / shape[0];
  const rows: TypedArray = uninitialised(dtype, indices.length * length);
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i] * length;
    rows.set(data.subarray(start, start + length), i * length);
  }
  return new Tensor(rows, [indices.length, ...shape.slice(1)]);
}
