/** The eight element types, and the typed arrays that hold them. */

import { uninitialisedBuffer } from '#host';
import { checkOneOf, mismatch } from '../check.js';
import { DTypeError, MemoryError } from '../errors.js';

export type DType = 'float32' | 'float64' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32';
export type FloatDType = 'float32' | 'float64';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;
export type FloatArray = Float32Array | Float64Array;

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

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;

/** The typed array that holds a dtype. */
export type ArrayOf<D extends DType> = InstanceType<(typeof ARRAYS)[D]>;

/** The dtypes of quantised tensors, and what they hold. */
export type ByteDType = 'int8' | 'uint8';
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

const DTYPE_BY_TAG: Readonly<Record<string, DType>> = Object.fromEntries(
  DTYPES.map((dtype) => [ARRAYS[dtype].name, dtype]),
);

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  ?.get as (this: unknown) => string | undefined;

/** The dtype of a typed array, Node's Buffer included; undefined for anything else. */
export function dtypeOf(value: unknown): DType | undefined {
  // The tag is an internal slot: it holds for subclasses and for arrays of other realms, and cannot be forged.
  const tag = tagOf.call(value);
  return tag === undefined ? undefined : DTYPE_BY_TAG[tag];
}

const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')
  ?.get as (this: unknown) => number;

/** Whether a typed array's `length` is the length that it has: a property of its own may hide that. */
export function tellsItsLength(array: TypedArray): boolean {
  return array.length === lengthOf.call(array);
}

/** What a value is called in a message about dtypes: a dtype, or the name of the array that has none. */
export function isTypedArray(value: unknown): value is TypedArray {
  return dtypeOf(value) !== undefined;
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

/** The dtype of a floating array. */
export function floatDTypeOf(array: FloatArray): FloatDType {
  return array.BYTES_PER_ELEMENT === 4 ? 'float32' : 'float64';
}

// Below this many bytes zero-filling costs less than leaving V8's own allocator.
const UNINITIALISED_BYTES = 1 << 16;

/** An array of zeros. */
export function zeros<D extends DType>(dtype: D, length: number): ArrayOf<D> {
  return guardAllocation(dtype, length, () => new ARRAYS[dtype](length) as ArrayOf<D>);
}

/** An array whose every element the caller is about to write: large ones hold whatever the memory held. */
export function uninitialised<D extends DType>(dtype: D, length: number): ArrayOf<D> {
  const bytes = length * BYTES[dtype];
  if (bytes < UNINITIALISED_BYTES) return zeros(dtype, length);
  return guardAllocation(dtype, length, () => {
    return new ARRAYS[dtype](uninitialisedBuffer(bytes), 0, length) as ArrayOf<D>;
  });
}

/** A converted copy; integers wrap as typed arrays do. */
export function convert<D extends DType>(values: ArrayLike<number>, dtype: D): ArrayOf<D> {
  return guardAllocation(dtype, values.length, () => new ARRAYS[dtype](values) as ArrayOf<D>);
}

/** The same values in memory of their own: a plain array, whatever subclass (whose slice() may do anything) they come in. */
export function copyOf<A extends TypedArray>(values: A): A {
  const copy = uninitialised(dtypeOf(values) as DType, values.length);
  copy.set(values);
  return copy as A;
}

function guardAllocation<A>(dtype: DType, length: number, allocate: () => A): A {
  try {
    return allocate();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new MemoryError(`cannot allocate ${length} elements of ${dtype} (${length * BYTES[dtype]} bytes)`, {
      cause,
    });
  }
}
