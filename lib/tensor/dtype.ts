/** The eight element types, and the typed arrays that hold them. */

import { uninitialisedBuffer } from '#host';
import { checkOneOf, isObject, mismatch } from '../check.js';
import { ArgumentError, DTypeError, MemoryError } from '../errors.js';

/** The typed array that holds a dtype. */
export interface ArrayByDType {
  /** Its typed array. */
  float32: Float32Array;
  /** Its typed array. */
  float64: Float64Array;
  /** Its typed array. */
  int8: Int8Array;
  /** Its typed array. */
  uint8: Uint8Array;
  /** Its typed array. */
  int16: Int16Array;
  /** Its typed array. */
  uint16: Uint16Array;
  /** Its typed array. */
  int32: Int32Array;
  /** Its typed array. */
  uint32: Uint32Array;
}

/** The eight types of elements. */
export type DType = keyof ArrayByDType;
/** Those of real numbers. */
export type FloatDType = 'float32' | 'float64';

/** The typed array of a dtype. */
export type ArrayOf<D extends DType> = ArrayByDType[D];
/** A typed array of one of the eight dtypes. */
export type TypedArray = ArrayOf<DType>;
/** A typed array of real numbers. */
export type FloatArray = ArrayOf<FloatDType>;

interface DTypeByTag {
  Float32Array: 'float32';
  Float64Array: 'float64';
  Int8Array: 'int8';
  Uint8Array: 'uint8';
  Int16Array: 'int16';
  Uint16Array: 'uint16';
  Int32Array: 'int32';
  Uint32Array: 'uint32';
}

/** The dtype that a typed array holds. */
export type DTypeOf<A extends TypedArray> = DTypeByTag[A[typeof Symbol.toStringTag]];

/** In the order of the native side's enumeration: the index of a dtype is what crosses. */
export const DTYPES = [
  'float32',
  'float64',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
] as const satisfies readonly DType[];

type ArrayClass<D extends DType> = new (from: number | ArrayLike<number>) => ArrayOf<D>;
type ViewClass<D extends DType> = new (
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
) => ArrayOf<D>;

const ARRAYS: { readonly [D in DType]: ArrayClass<D> & ViewClass<D> } = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
};

/** The dtypes of quantised tensors, and what they hold. */
export type ByteDType = 'int8' | 'uint8';
/** A typed array of bytes. */
export type ByteArray = Int8Array | Uint8Array;
export const BYTE_RANGE: Readonly<Record<ByteDType, readonly [min: number, max: number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
};

export const BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
};

const DTYPE_BY_TAG: ReadonlyMap<unknown, DType> = new Map(
  DTYPES.map((dtype): [string, DType] => [ARRAYS[dtype].name, dtype]),
);

const typedArrayPrototype: object = Object.getPrototypeOf(Uint8Array.prototype);

// These read internal slots: they hold for subclasses and for arrays of other realms, and cannot be forged.
const tagOf = getterOf(typedArrayPrototype, Symbol.toStringTag);
const lengthOf = getterOf(typedArrayPrototype, 'length');
const bytesOfUnshared = getterOf(ArrayBuffer.prototype, 'byteLength');

function getterOf(prototype: object, name: PropertyKey): (this: unknown) => unknown {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  if (getter === undefined) throw new TypeError(`expected a getter of ${String(name)}, got none`);
  return getter;
}

/** The dtype of a typed array, Node's Buffer included; undefined for anything else. */
export function dtypeOf<A extends TypedArray>(array: A): DTypeOf<A>;
export function dtypeOf(value: unknown): DType | undefined;
export function dtypeOf(value: unknown): DType | undefined {
  return DTYPE_BY_TAG.get(tagOf.call(value));
}

/** Whether a typed array's `length` is the length that it has: a property of its own may hide that. */
export function tellsItsLength(array: TypedArray): boolean {
  return array.length === lengthOf.call(array);
}

/** Whether a value is an ArrayBuffer, of any realm and not shared: what the getter reads is an internal slot. */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    bytesOfUnshared.call(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether a value is an array of 64-bit integers, of any realm. */
export function isBigIntArray(value: unknown): value is BigInt64Array | BigUint64Array {
  const tag = tagOf.call(value);
  return tag === 'BigInt64Array' || tag === 'BigUint64Array';
}

/** Whether a buffer is a SharedArrayBuffer, also where pages have no such name to compare with. */
export function isShared(buffer: ArrayBufferLike): buffer is SharedArrayBuffer {
  return !isArrayBuffer(buffer);
}

/** Whether an array holds this dtype: as `instanceof`, but for arrays of other realms too. */
export function holds<D extends DType>(array: TypedArray, dtype: D): array is ArrayOf<D> {
  return dtypeOf(array) === dtype;
}

export function isTypedArray(value: unknown): value is TypedArray {
  return dtypeOf(value) !== undefined;
}

export function isFloatArray(value: unknown): value is FloatArray {
  const dtype = dtypeOf(value);
  return dtype === 'float32' || dtype === 'float64';
}

export function checkDType(value: unknown, argument: string): DType {
  return checkOneOf(value, argument, DTYPES);
}

/** The dtype when it is a floating one, or DTypeError. */
export function checkFloat(dtype: DType, argument: string): FloatDType {
  if (dtype !== 'float32' && dtype !== 'float64')
    throw mismatch(DTypeError, argument, 'float32 or float64', dtype);
  return dtype;
}

// Below this many bytes zero-filling costs less than leaving V8's own allocator.
const UNINITIALISED_BYTES = 1 << 16;

/** An array of zeros. */
export function zeros<D extends DType>(dtype: D, length: number): ArrayOf<D> {
  const Class = ARRAYS[dtype];
  return guardAllocation(dtype, length, () => new Class(length));
}

/** An array whose every element the caller is about to write: large ones hold whatever the memory held. */
export function uninitialised<D extends DType>(dtype: D, length: number): ArrayOf<D> {
  const bytes = length * BYTES[dtype];
  if (bytes < UNINITIALISED_BYTES) return zeros(dtype, length);
  const Class = ARRAYS[dtype];
  return guardAllocation(dtype, length, () => new Class(uninitialisedBuffer(bytes), 0, length));
}

/** A converted copy; integers wrap as typed arrays do. */
export function convert<D extends DType>(values: ArrayLike<number>, dtype: D): ArrayOf<D> {
  const Class = ARRAYS[dtype];
  return guardAllocation(dtype, values.length, () => new Class(values));
}

/** zeros, in an array of the type of `array`. */
export function zerosLike<A extends TypedArray>(array: A, length = array.length): A {
  return typedAs(array, zeros(dtypeOf(array), length));
}

/** uninitialised, in an array of the type of `array`. */
export function uninitialisedLike<A extends TypedArray>(array: A, length = array.length): A {
  return typedAs(array, uninitialised(dtypeOf(array), length));
}

/** A converted copy of the type of `array`. */
export function convertLike<A extends TypedArray>(array: A, values: ArrayLike<number>): A {
  return typedAs(array, convert(values, dtypeOf(array)));
}

/** The elements that lie in a buffer from a byte on, which is a multiple of the dtype's size. */
export function arrayOver<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): ArrayOf<D> {
  const Class = ARRAYS[dtype];
  return new Class(buffer, byteOffset, length);
}

/**
 * A view of `array`'s memory, by none of the array's own methods: a subclass's may do anything.
 *
 * @throws {ArgumentError} when the memory has been taken away or shrunk.
 */
export function viewOf<A extends TypedArray>(array: A, start = 0, length = array.length - start): A {
  try {
    return viewOn(array, array.buffer, array.byteOffset + start * BYTES[dtypeOf(array)], length);
  } catch (cause) {
    const expected = `memory of ${start + length} elements until the call is over`;
    throw new ArgumentError(`data: expected ${expected}, got a buffer that was taken away or shrunk`, {
      cause,
    });
  }
}

/** A view of a buffer, of the type of `array`. */
export function viewOn<A extends TypedArray>(
  array: A,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): A {
  const dtype: DType = dtypeOf(array);
  return typedAs(array, new ARRAYS[dtype](buffer, byteOffset, length));
}

/** What TypeScript cannot follow: that an array made for A's dtype is an A. */
function typedAs<A extends TypedArray>(_model: A, made: TypedArray): A {
  return made as A;
}

/** The same values in memory of their own: a plain array, whatever subclass (whose slice() may do anything) they come in. */
export function copyOf<A extends TypedArray>(values: A): A {
  const copy = uninitialisedLike(values);
  copy.set(values);
  return copy;
}

/** What fails for want of memory is a MemoryError; any other failure is not ours to name. */
function guardAllocation<A>(dtype: DType, length: number, allocate: () => A): A {
  try {
    return allocate();
  } catch (cause) {
    if (!isRangeError(cause)) throw cause;
    throw new MemoryError(`cannot allocate ${length} elements of ${dtype} (${length * BYTES[dtype]} bytes)`, {
      cause,
    });
  }
}

/** By name: Node's own errors may be of another realm than this module. */
function isRangeError(error: unknown): boolean {
  return isObject(error) && 'name' in error && error.name === 'RangeError';
}
