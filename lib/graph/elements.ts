/** Arrays for the element types of a graph, and what a result of each type becomes when it is stored. */
import { DTypeError } from '../errors.js';
import { BYTES, type FloatArray, type FloatDType, uninitialised } from '../tensor/dtype.js';
import { storageOf } from '../tensor/element-type.js';
import type { Elements, ElementType } from './graph.js';

export { storageOf } from '../tensor/element-type.js';

export const FLOATS: readonly ElementType[] = ['float32', 'float64'];
export const SIGNED: readonly ElementType[] = [...FLOATS, 'int8', 'int16', 'int32', 'int64'];
export const NUMBERS: readonly ElementType[] = [...SIGNED, 'uint8', 'uint16', 'uint32', 'uint64'];

/** An array whose elements the caller is about to write; `take` is told its bytes before there is one. */
export function allocate(
  type: ElementType,
  count: number,
  take: (bytes: number) => void = () => {},
): Elements {
  const dtype = storageOf(type);
  take(count * BYTES[dtype]);
  return uninitialised(dtype, count);
}

/** Elements of a floating type. @throws {DTypeError} for others, which operators have refused before. */
export function floatsOf(elements: Elements): FloatArray {
  if (elements instanceof Float32Array || elements instanceof Float64Array) return elements;
  throw new DTypeError(`elements: expected float32 or float64, got ${elements.constructor.name}`);
}

/** A floating type as plans have it. */
export function floatTypeOf(type: ElementType): FloatDType {
  if (type === 'float32' || type === 'float64') return type;
  throw new DTypeError(`type: expected float32 or float64, got ${type}`);
}

export function isFloat(type: ElementType): boolean {
  return type === 'float32' || type === 'float64';
}

/** Whether elements lie in float64 and stand for integers: nothing cuts their fractions when they are stored. */
export function isLong(type: ElementType): boolean {
  return type === 'int64' || type === 'uint64';
}
