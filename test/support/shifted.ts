import { Tensor, type TypedArray } from 'convmat';

type OfBuffer<T> = new (buffer: ArrayBuffer, offset: number, length: number) => T;

/** The same values, as they lie this many elements into a larger buffer. */
export function shiftedArray<T extends TypedArray>(array: T, elements: number): T {
  const { BYTES_PER_ELEMENT, length } = array;
  const buffer = new ArrayBuffer((length + elements) * BYTES_PER_ELEMENT);
  const copy = new (array.constructor as OfBuffer<T>)(buffer, elements * BYTES_PER_ELEMENT, length);
  copy.set(array);
  return copy;
}

/** The same of a tensor's memory. */
export function shifted(t: Tensor, elements: number): Tensor {
  return new Tensor(shiftedArray(t.data, elements), t.shape);
}
