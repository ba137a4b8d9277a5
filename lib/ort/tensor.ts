/** onnxruntime-common's Tensor: element types by its names, int64 in BigInt64Array, bool in Uint8Array, float16 as bits. */
import { checkShape, describe, describeShape, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError, ShapeError, UnsupportedError } from '../errors.js';
import type { View } from '../graph/evaluate.js';
import { float16Bits, fromFloat16 } from '../onnx-file/half.js';
import type { TypedArray } from '../tensor/dtype.js';

export type TensorType =
  | 'float32'
  | 'float64'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'float16';

/** float16 is Uint16Array, its bits. */
export type TensorData = TypedArray | BigInt64Array | BigUint64Array;

interface Kind {
  /** What an array must be to be taken as it is. */
  readonly owns: (data: unknown) => data is TensorData;
  readonly from: (values: readonly (number | bigint | boolean)[]) => TensorData;
}

function kind<A extends TensorData>(
  Class: abstract new (length: number) => A,
  from: (values: readonly (number | bigint | boolean)[]) => A,
): Kind {
  return { owns: (data): data is A => data instanceof Class, from };
}

const KINDS: Readonly<Record<TensorType, Kind>> = {
  float32: kind(Float32Array, (values) => Float32Array.from(values, Number)),
  float64: kind(Float64Array, (values) => Float64Array.from(values, Number)),
  int8: kind(Int8Array, (values) => Int8Array.from(values, Number)),
  uint8: kind(Uint8Array, (values) => Uint8Array.from(values, Number)),
  int16: kind(Int16Array, (values) => Int16Array.from(values, Number)),
  uint16: kind(Uint16Array, (values) => Uint16Array.from(values, Number)),
  int32: kind(Int32Array, (values) => Int32Array.from(values, Number)),
  uint32: kind(Uint32Array, (values) => Uint32Array.from(values, Number)),
  int64: kind(BigInt64Array, (values) => BigInt64Array.from(values, BigInt)),
  uint64: kind(BigUint64Array, (values) => BigUint64Array.from(values, BigInt)),
  bool: kind(Uint8Array, (values) => Uint8Array.from(values, (value) => (value ? 1 : 0))),
  float16: kind(Uint16Array, (values) => Uint16Array.from(values, Number)),
};

/** The type of data that come without one: the first that they could be. */
const INFERRED = Object.entries(KINDS).filter(([type]) => type !== 'bool' && type !== 'float16');

/**
 * onnxruntime-common's Tensor: elements of a type, and the sizes of their axes.
 *
 * @example new Tensor('int64', [1, 2, 3], [3]).data   // BigInt64Array
 */
export class Tensor {
  readonly type: TensorType;
  readonly data: TensorData;
  readonly dims: readonly number[];
  readonly location = 'cpu';

  /**
   * new Tensor(type, data, dims) or new Tensor(data, dims), dims one axis by default. A typed array is kept as it is, an
   * array of numbers, bigints or booleans is copied into one.
   * @throws {DTypeError} for a type that is not served, or data that it does not have; {ShapeError} for dims of another size.
   */
  constructor(
    type: TensorType,
    data: TensorData | readonly (number | bigint | boolean)[],
    dims?: readonly number[],
  );
  constructor(data: TensorData | readonly boolean[], dims?: readonly number[]);
  constructor(first: unknown, second?: unknown, third?: unknown) {
    const named = typeof first === 'string';
    const [data, dims] = named ? [second, third] : [first, second];
    this.type = named ? checkType(first) : inferType(data);
    this.data = takeData(this.type, data);
    this.dims = dims === undefined ? [this.data.length] : checkShape(dims, 'dims');
    const count = this.dims.reduce((product, size) => product * size, 1);
    if (count !== this.data.length)
      throw mismatch(
        ShapeError,
        'data',
        `${count} elements for ${describeShape(this.dims)}`,
        `${this.data.length}`,
      );
  }

  get size(): number {
    return this.data.length;
  }

  /** The data: they are in memory already. */
  async getData(_releaseData?: boolean): Promise<TensorData> {
    return this.data;
  }

  /** The same data with other dims. */
  reshape(dims: readonly number[]): Tensor {
    return new Tensor(this.type, this.data, dims);
  }

  /** Nothing to free: the data are the garbage collector's. */
  dispose(): void {}
}

function checkType(type: string): TensorType {
  for (const known of Object.keys(KINDS)) if (known === type && isType(known)) return known;
  throw mismatch(DTypeError, 'type', `one of ${Object.keys(KINDS).join(', ')}`, describe(type));
}

function isType(name: string): name is TensorType {
  return Object.hasOwn(KINDS, name);
}

function inferType(data: unknown): TensorType {
  if (Array.isArray(data) && data.every((value) => typeof value === 'boolean')) return 'bool';
  for (const [name, { owns }] of INFERRED) if (isType(name) && owns(data)) return name;
  throw mistake(ArgumentError, 'data', 'a typed array, or a type before it', data);
}

function takeData(type: TensorType, data: unknown): TensorData {
  const { owns, from } = KINDS[type];
  if (owns(data)) return data;
  if (!Array.isArray(data)) throw mistake(DTypeError, 'data', `elements of ${type}`, data);
  try {
    return from(data);
  } catch (cause) {
    throw new DTypeError(`data: expected elements of ${type}, got ${describe(data)}`, { cause });
  }
}

/** ONNX's names of element types as onnxruntime has them. */
export function typeOf(dtype: string): TensorType {
  const name = dtype === 'float' ? 'float32' : dtype === 'double' ? 'float64' : dtype;
  if (isType(name)) return name;
  throw new UnsupportedError(`type: expected one of ${Object.keys(KINDS).join(', ')}, got ${dtype}`);
}

/** What is taken for a tensor: one of these, or onnxruntime-common's own. */
export interface TensorParts {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** A tensor as the graph takes it. @throws {DTypeError} for integers past 2^53. */
export function toView(tensor: TensorParts, argument: string): View {
  const named = checkType(tensor.type);
  const { type, data, dims } = new Tensor(named, takeData(named, tensor.data), tensor.dims);
  if (type === 'int64' || type === 'uint64') {
    const numbers = new Float64Array(data.length);
    for (let i = 0; i < data.length; i++) {
      numbers[i] = Number(data[i]);
      if (!Number.isSafeInteger(numbers[i]))
        throw mismatch(DTypeError, argument, 'integers within 2^53', describe(data[i]));
    }
    return { type, shape: dims, data: numbers };
  }
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    throw mistake(DTypeError, argument, `elements of ${type}`, data);
  if (type === 'float16') return { type: 'float32', shape: dims, data: Float32Array.from(data, fromFloat16) };
  return { type, shape: dims, data };
}

/** A result of the graph as the type that the file declares. */
export function fromView({ shape, data }: View, type: TensorType): Tensor {
  if (type === 'int64') return new Tensor(type, BigInt64Array.from(data, BigInt), shape);
  if (type === 'uint64') return new Tensor(type, BigUint64Array.from(data, BigInt), shape);
  if (type === 'float16') return new Tensor(type, Uint16Array.from(data, float16Bits), shape);
  return new Tensor(type, data, shape);
}
