/** The dense, row-major array that every function takes and returns. */
import {
  checkInteger,
  checkShape,
  describe,
  describeShape,
  elementCount,
  mismatch,
  mistake,
} from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import {
  type ArrayOf,
  checkDType,
  convert,
  type DType,
  type DTypeOf,
  dtypeOf,
  type FloatArray,
  isShared,
  isTypedArray,
  type TypedArray,
  tellsItsLength,
  zeros,
} from './dtype.js';

export type Shape = readonly number[];
export type Nested = number | readonly Nested[];

/** A tensor of a floating dtype. */
export type FloatTensor = Tensor<FloatArray>;

/** Dense, row-major, contiguous: `data.length === product(shape)`. Shares its data with whoever made it. */
export class Tensor<A extends TypedArray = TypedArray> {
  readonly data: A;
  readonly shape: Shape;
  readonly dtype: DTypeOf<A>;

  /** @throws {DTypeError|ArgumentError|ShapeError} for data that is no usable typed array, or not of the shape's size. */
  constructor(data: A, shape: Shape) {
    this.dtype = checkData(data, 'data');
    const sizes = checkShape(shape, 'shape');
    const count = elementCount(sizes, 'shape');
    if (data.length !== count) {
      throw mismatch(
        ShapeError,
        'data',
        `${count} elements for ${describeShape(sizes)}`,
        `${data.length} elements`,
      );
    }
    this.data = data;
    this.shape = Object.freeze(sizes);
  }

  get size(): number {
    return this.data.length;
  }

  /** The same data with another shape. One axis may be -1: it takes what is left. */
  reshape(shape: Shape): Tensor<A> {
    const sizes = Array.isArray(shape) ? [...shape] : checkShape(shape, 'shape');
    const open = sizes.indexOf(-1);
    if (open >= 0) {
      const rest = sizes.reduce((product, size, axis) => (axis === open ? product : product * size), 1);
      const fits = rest > 0 && this.size % rest === 0;
      if (!fits || sizes.indexOf(-1, open + 1) >= 0) {
        throw mistake(
          ShapeError,
          'shape',
          `sizes whose product is ${this.size}, at most one of them -1`,
          shape,
        );
      }
      sizes[open] = this.size / rest;
    }
    sizes.forEach((size, axis) => {
      checkInteger(size, `shape[${axis}]`, 0);
    });
    if (sizes.reduce((product, size) => product * size, 1) !== this.size) {
      throw mistake(ShapeError, 'shape', `sizes whose product is ${this.size}`, shape);
    }
    return new Tensor(this.data, sizes);
  }

  toNested(): Nested {
    const { data, shape } = this;
    let at = 0;
    const level = (axis: number): Nested => {
      if (axis === shape.length) return data[at++];
      return Array.from({ length: shape[axis] }, () => level(axis + 1));
    };
    return level(0);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.data[Symbol.iterator]();
  }
}

/**
 * A tensor from a typed array and its shape (default: one axis), sharing the data; or from nested arrays, copied.
 *
 * @param dtype  Of nested arrays: float32 unless given. A typed array of another dtype is converted into a copy.
 * @throws {ShapeError} for ragged nesting, or a shape whose product is not the number of elements.
 */
export function tensor<A extends TypedArray>(data: A, shape?: Shape): Tensor<A>;
export function tensor<D extends DType = 'float32'>(
  data: TypedArray | Nested,
  shape?: Shape,
  dtype?: D,
): Tensor<ArrayOf<D>>;
export function tensor(data: TypedArray | Nested, shape?: Shape, dtype?: DType): Tensor {
  if (dtype !== undefined) checkDType(dtype, 'dtype');
  if (ArrayBuffer.isView(data)) {
    const own = checkData(data, 'data');
    const values = dtype === undefined || dtype === own ? data : convert(data, dtype);
    return new Tensor(values, shape ?? [values.length]);
  }
  const flat = fromNested(data, dtype ?? 'float32', 'data');
  return shape === undefined ? flat : new Tensor(flat.data, shape);
}

/** Nested arrays as a tensor: depth is rank, every level has one length, every leaf is a number. */
export function fromNested(nested: unknown, dtype: DType, argument: string): Tensor {
  const shape: number[] = [];
  for (let level: unknown = nested; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > 32) throw mismatch(ShapeError, argument, 'at most 32 axes', 'deeper nesting');
  }
  const data = zeros(dtype, elementCount(shape, argument));
  const isFloat = dtype === 'float32' || dtype === 'float64';
  let at = 0;
  const fill = (value: unknown, axis: number): void => {
    if (axis === shape.length) {
      if (typeof value === 'number') {
        data[at] = value;
        if (!isFloat && data[at] !== value)
          throw mistake(ArgumentError, argument, `values of ${dtype}`, value);
        at++;
      } else if (Array.isArray(value))
        throw mismatch(ShapeError, argument, `nesting of ${describeShape(shape)}`, 'ragged arrays');
      else
        throw mistake(ArgumentError, argument, 'a tensor, a typed array or nested arrays of numbers', value);
      return;
    }
    if (!Array.isArray(value) || value.length !== shape[axis]) {
      throw mismatch(ShapeError, argument, `nesting of ${describeShape(shape)}`, 'ragged arrays');
    }
    for (let index = 0; index < value.length; index++) fill(value[index], axis + 1);
  };
  fill(nested, 0);
  return new Tensor(data, shape);
}

export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

/** Whether a tensor has this dtype, which its type says from then on. */
export function hasDType<D extends DType>(t: Tensor, dtype: D): t is Tensor<ArrayOf<D>> {
  return t.dtype === dtype;
}

export function isFloat(t: Tensor): t is FloatTensor {
  return t.dtype === 'float32' || t.dtype === 'float64';
}

/** The tensor when its dtype is a floating one, or DTypeError. */
export function asFloat(t: Tensor, argument: string): FloatTensor {
  if (!isFloat(t)) throw mismatch(DTypeError, argument, 'float32 or float64', t.dtype);
  return t;
}

/**
 * The dtype of a typed array that kernels may read and write, or an error. Shared memory is refused: another thread
 * could write it in mid-call, and no result would be defined. A detached array has length 0 and no memory.
 */
export function checkData<A extends TypedArray>(data: A, argument: string): DTypeOf<A> {
  return dtypeOf(checkArray(data, argument));
}

/** A typed array that checkData would pass, or an error. */
export function checkArray<T>(data: T, argument: string): T & TypedArray {
  if (!isTypedArray(data)) {
    if (ArrayBuffer.isView(data)) throw mistake(DTypeError, argument, 'one of the eight dtypes', data);
    throw mistake(ArgumentError, argument, 'a typed array', data);
  }
  const { buffer } = data;
  if (isShared(buffer)) {
    throw mismatch(
      ArgumentError,
      argument,
      'memory that is not shared (copy it first)',
      'a SharedArrayBuffer',
    );
  }
  if (isDetached(buffer))
    throw mismatch(ArgumentError, argument, 'an array with its buffer', 'a detached buffer');
  if (!tellsItsLength(data))
    throw mismatch(ArgumentError, argument, 'an array that has the length it tells', describe(data));
  return data;
}

function isDetached(buffer: ArrayBuffer & { readonly detached?: boolean }): boolean {
  if (buffer.byteLength > 0) return false;
  if (buffer.detached !== undefined) return buffer.detached;
  try {
    // Before ArrayBuffer.prototype.detached, only a refusal tells a detached buffer from an empty one.
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
