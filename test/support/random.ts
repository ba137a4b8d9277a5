/** Values for tests: seeded, so that a failure comes back, and uniform in [-1, 1), so that magnitudes are known. */

import { Tensor } from 'convmat';
import { stream } from '../../bench/random.mjs';

export { stream };

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
};
export type DType = keyof typeof ARRAYS;

/** Floats in [-1, 1); integers over the whole range of their dtype. */
export function random(shape: readonly number[], dtype: DType = 'float32', seed = 1): Tensor {
  const next = stream(seed);
  const data = new ARRAYS[dtype](shape.reduce((product, size) => product * size, 1));
  const spread = dtype === 'float32' || dtype === 'float64' ? 2 : 2 ** (8 * data.BYTES_PER_ELEMENT);
  for (let i = 0; i < data.length; i++) data[i] = (next() - 0.5) * spread;
  return new Tensor(data, shape);
}

/** A copy in which about this share of the elements, the smallest, are zero. */
export function prune(t: Tensor, share: number): Tensor {
  const data = t.data.map((value) => (Math.abs(value) < share ? 0 : value));
  return new Tensor(data, t.shape);
}

/** Normally distributed values of unit variance, by Box and Muller. */
export function normal(
  shape: readonly number[],
  seed: number,
  dtype: 'float32' | 'float64' = 'float32',
): Tensor {
  const next = stream(seed);
  const data = new ARRAYS[dtype](shape.reduce((product, size) => product * size, 1));
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  }
  return new Tensor(data, shape);
}
