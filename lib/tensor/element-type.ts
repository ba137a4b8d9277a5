/** Element types of ONNX's values: those of tensors, and three that tensors lack. */
import type { DType, TypedArray } from './dtype.js';

/**
 * int64 and uint64 lie in Float64Array, exact to 2^53; bool lies in Uint8Array as 0 and 1. ONNX's float16 and bfloat16 are
 * float32 here.
 */
export type ElementType = DType | 'int64' | 'uint64' | 'bool';

/** What holds values of an element type. */
export type Elements = TypedArray;

/** The dtype of the array that holds elements of a type. */
export function storageOf(type: ElementType): DType {
  if (type === 'int64' || type === 'uint64') return 'float64';
  return type === 'bool' ? 'uint8' : type;
}
