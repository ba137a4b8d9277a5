/** A product with a matrix of vectors, by an operator that takes one vector at a time. */
import { elementCount } from '../check.js';
import { type FloatArray, uninitialisedLike, zerosLike } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

// Neighbouring columns share cache lines: this many are gathered from them at once.
const BLOCK = 16;

/** [inputs, columns] → [outputs, columns], by `run` on each column; of the dtype of `values`. */
export function byColumns<A extends FloatArray>(
  data: FloatArray,
  columns: number,
  inputs: number,
  outputs: number,
  values: A,
  run: (input: FloatArray, output: FloatArray) => void,
): Tensor<A> {
  const result = uninitialisedLike(values, elementCount([outputs, columns], 'output'));
  const width = Math.min(BLOCK, columns);
  const from = zerosLike(values, width * inputs);
  const to = zerosLike(values, width * outputs);
  for (let first = 0; first < columns; first += width) {
    const count = Math.min(width, columns - first);
    for (let i = 0; i < inputs; i++) {
      const row = i * columns + first;
      for (let j = 0; j < count; j++) from[j * inputs + i] = data[row + j];
    }
    for (let j = 0; j < count; j++) {
      run(from.subarray(j * inputs, (j + 1) * inputs), to.subarray(j * outputs, (j + 1) * outputs));
    }
    for (let i = 0; i < outputs; i++) {
      const row = i * columns + first;
      for (let j = 0; j < count; j++) result[row + j] = to[j * outputs + i];
    }
  }
  return new Tensor(result, [outputs, columns]);
}
