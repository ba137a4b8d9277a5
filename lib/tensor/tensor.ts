/** The dense, row-major array that every function takes and returns. */
import {
  checkInteger,
  checkOneOf,
  checkOptions,
  checkShape,
  describe,
  describeShape,
  elementCount,
  isArray,
  listOf,
  MAX_AXES,
  MAX_ELEMENTS,
  mismatch,
  mistake,
} from '../check.js';
import { ArgumentError, DTypeError, MemoryError, ShapeError } from '../errors.js';
import {
  type ArrayOf,
  checkDType,
  convert,
  copyOf,
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
import { gather, type Order, stridesOf } from './strided.js';

/** Sizes of the axes, the slowest first. */
export type Shape = readonly number[];
/** Numbers in arrays of one length on each level. */
export type Nested = number | readonly Nested[];

/** Nested arrays of known depth. */
export interface NestedByRank {
  /** Of so many axes. */
  0: number;
  /** Of so many axes. */
  1: number[];
  /** Of so many axes. */
  2: number[][];
  /** Of so many axes. */
  3: number[][][];
  /** Of so many axes. */
  4: number[][][][];
  /** Of so many axes. */
  5: number[][][][][];
}

/** One index; or [start, end, step] of an axis; or all of it. */
export type SliceRange =
  | number
  | null
  | readonly [start?: number | null, end?: number | null, step?: number | null];

/** What flat data become. */
export interface FromOptions<D extends DType> {
  /** Default: one axis. */
  readonly shape?: Shape;
  /** Default: the array's own. */
  readonly dtype?: D;
  /** How `data` runs through the tensor; the tensor itself is row-major, always. Default 'C'. */
  readonly order?: Order;
}

const ORDERS = ['C', 'F'] as const satisfies readonly Order[];

/** A tensor of a floating dtype. */
export type FloatTensor = Tensor<FloatArray>;

/**
 * Dense, row-major, contiguous: `data.length === product(shape)`. Shares its data with whoever made it.
 *
 * @example new Tensor(Float32Array.of(1, 2, 3, 4), [2, 2]).toNested()   // [[1, 2], [3, 4]]
 */
export class Tensor<A extends TypedArray = TypedArray> {
  /** The elements in row-major order; shared with whoever gave them. */
  readonly data: A;
  /** Sizes of the axes, the slowest first. */
  readonly shape: Shape;
  /** Type of the elements. */
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

  /**
   * A tensor of flat data in either order, copied. (`tensor` and the constructor share row-major data.)
   *
   * @throws {ShapeError} when `shape` has not as many elements as `data`.
   * @example Tensor.from(Float64Array.of(1, 2, 3, 4, 5, 6), { shape: [2, 3], order: 'F' })   // [[1, 3, 5], [2, 4, 6]]
   */
  static from<A extends TypedArray>(data: A, options?: FromOptions<never>): Tensor<A>;
  static from<D extends DType>(
    data: ArrayLike<number>,
    options: FromOptions<D> & { readonly dtype: D },
  ): Tensor<ArrayOf<D>>;
  static from(data: ArrayLike<number>, options?: FromOptions<DType>): Tensor<Float32Array>;
  static from(data: ArrayLike<number>, options?: FromOptions<DType>): Tensor {
    const given = checkOptions(options, ['shape', 'dtype', 'order']);
    const order = checkOneOf(given.order ?? 'C', 'options.order', ORDERS);
    const flat = fromFlat(data, given.dtype);
    const { shape } = new Tensor(flat, given.shape ?? [flat.length]);
    return new Tensor(order === 'C' ? flat : gather(flat, shape, stridesOf(shape, 'F'), 0), shape);
  }

  /** How many elements there are. */
  get size(): number {
    return this.data.length;
  }

  /** The same data with another shape. One axis may be -1: it takes what is left. */
  reshape(shape: Shape): Tensor<A> {
    // One of them may be -1, so they are checked below; what is no list of axes is refused here.
    const isList = isArray(shape) && shape.length <= MAX_AXES;
    const sizes = isList ? [...shape] : checkShape(shape, 'shape');
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

  /**
   * The axes in another order, as a copy: axis i of the result is axis `axes[i]` of this. Negative ones count from the end.
   *
   * @throws {ArgumentError} unless every axis is named once.
   * @example image.permute(2, 0, 1)   // [h, w, c] → [c, h, w]
   */
  permute(...axes: readonly number[] | readonly [axes: readonly number[]]): Tensor<A> {
    const given = axes.length === 1 ? (listOf(axes[0], MAX_AXES) ?? axes) : axes;
    const { length } = this.shape;
    if (given.length !== length)
      throw mistake(ArgumentError, 'axes', `each of ${length} axes once`, [...given]);
    const order = given.map((axis, i) => checkAxis(axis, length, `axes[${i}]`));
    if (new Set(order).size !== length) throw mistake(ArgumentError, 'axes', 'each axis once', [...given]);
    const strides = stridesOf(this.shape, 'C');
    const shape = order.map((axis) => this.shape[axis]);
    return new Tensor(
      gather(
        this.data,
        shape,
        order.map((axis) => strides[axis]),
        0,
      ),
      shape,
    );
  }

  /** All axes in reverse, as a copy: the transpose of a matrix. With two axes, these exchanged. */
  transpose(first?: number, second?: number): Tensor<A> {
    const axes = this.shape.map((_, axis) => axis);
    if (first === undefined && second === undefined) return this.permute(axes.reverse());
    const a = checkAxis(first, axes.length, 'first');
    const b = checkAxis(second, axes.length, 'second');
    axes[a] = b;
    axes[b] = a;
    return this.permute(axes);
  }

  /**
   * Part of every axis, as a copy, by the rules of NumPy: a number takes one index and drops the axis; `[start, end, step]`
   * takes indices from start to below end (null or nothing for the axis's own ends; steps may be negative); null, or an
   * axis that is not named, stays whole. Negative indices count from the end; what lies past an end is not there.
   *
   * @throws {ArgumentError} for a number that is no index of its axis, a step of 0, or more ranges than axes.
   * @example t.slice(0, [1, -1], [null, null, -1])   // t[0, 1:-1, ::-1]
   */
  slice(...ranges: readonly SliceRange[]): Tensor<A> {
    const rank = this.shape.length;
    if (ranges.length > rank)
      throw mismatch(ArgumentError, 'ranges', `at most ${rank}, one per axis`, `${ranges.length}`);
    const strides = stridesOf(this.shape, 'C');
    const kept: { size: number; stride: number }[] = [];
    let offset = 0;
    this.shape.forEach((size, axis) => {
      const range = ranges[axis] ?? [];
      if (typeof range === 'number') {
        offset += strides[axis] * checkIndex(range, size, `ranges[${axis}]`);
        return;
      }
      const { start, count, step } = readRange(range, size, `ranges[${axis}]`);
      if (count > 0) offset += strides[axis] * start;
      kept.push({ size: count, stride: strides[axis] * step });
    });
    const shape = kept.map(({ size }) => size);
    return new Tensor(
      gather(
        this.data,
        shape,
        kept.map(({ stride }) => stride),
        offset,
      ),
      shape,
    );
  }

  /**
   * The same numbers in another dtype, as a copy. Integers are converted as typed arrays convert them: fractions are cut
   * off, what does not fit wraps, NaN and infinity become 0.
   */
  cast<D extends DType>(dtype: D): Tensor<ArrayOf<D>> {
    checkDType(dtype, 'dtype');
    return new Tensor(convert(this.data, dtype), this.shape);
  }

  /** A flat copy of the elements: row-major, or with 'F' column-major, as Fortran, MATLAB and Julia keep them. */
  ravel(order: Order = 'C'): A {
    checkOneOf(order, 'order', ORDERS);
    if (order === 'C') return copyOf(this.data);
    const reversed = [...this.shape].reverse();
    return gather(this.data, reversed, stridesOf(this.shape, 'C').reverse(), 0);
  }

  /**
   * Nested arrays; a number when there are no axes.
   *
   * @throws {MemoryError} for more empty arrays than anybody can mean.
   * @example tensor([[1, 2], [3, 4]]).toNested()   // [[1, 2], [3, 4]]
   */
  toNested(): Nested;
  /**
   * The same, of a type that has as many axes.
   *
   * @param rank  The number of axes that there must be.
   * @throws {ShapeError} for another number of axes.
   */
  toNested<R extends keyof NestedByRank>(rank: R): NestedByRank[R];
  toNested(rank?: number): Nested {
    const { data, shape } = this;
    if (rank !== undefined && shape.length !== rank)
      throw mismatch(ShapeError, 'toNested', `${rank} axes`, describeShape(shape));
    if (data.length === 0) checkEmptyLists(shape);
    let at = 0;
    const level = (axis: number): Nested => {
      if (axis === shape.length) return data[at++];
      return Array.from({ length: shape[axis] }, () => level(axis + 1));
    };
    return level(0);
  }

  /** The elements in row-major order. */
  [Symbol.iterator](): Iterator<number> {
    return this.data[Symbol.iterator]();
  }
}

/**
 * A tensor from a typed array and its shape (default: one axis), sharing the data.
 *
 * @throws {ShapeError} for a shape whose product is not the number of elements.
 * @example tensor(Float32Array.of(1, 2, 3, 4), [2, 2]).toNested()   // [[1, 2], [3, 4]]
 */
export function tensor<A extends TypedArray>(data: A, shape?: Shape): Tensor<A>;
/**
 * A tensor from nested arrays, copied, or from a typed array, converted.
 *
 * @param dtype  Of nested arrays: float32 unless given. A typed array of another dtype is converted into a copy.
 * @throws {ShapeError} for ragged nesting, or a shape whose product is not the number of elements.
 * @example tensor([[1, 2], [3, 4]], [4], 'int32').data   // Int32Array [1, 2, 3, 4]
 */
export function tensor<D extends DType = 'float32'>(
  data: TypedArray | Nested,
  shape?: Shape,
  dtype?: D,
): Tensor<ArrayOf<D>>;
export function tensor(data: TypedArray | Nested, shape?: Shape, dtype?: DType): Tensor {
  if (dtype !== undefined) checkDType(dtype, 'dtype');
  if (ArrayBuffer.isView(data)) {
    // The constructor checks what it is given.
    const isAsked = dtype === undefined || dtype === checkData(data, 'data');
    return new Tensor(isAsked ? data : convert(data, dtype), shape ?? [data.length]);
  }
  const flat = fromNested(data, dtype ?? 'float32', 'data');
  return shape === undefined ? flat : new Tensor(flat.data, shape);
}

/** A copy of flat data in `dtype`, or the array's own. */
function fromFlat(data: unknown, dtype: DType | undefined): TypedArray {
  if (dtype !== undefined) checkDType(dtype, 'options.dtype');
  if (isArray(data)) return fromNested(data, dtype ?? 'float32', 'data').ravel();
  const values = checkArray(data, 'data');
  return convert(values, dtype ?? checkData(values, 'data'));
}

/** An axis, counted from the end when it is negative. */
function checkAxis(axis: unknown, rank: number, argument: string): number {
  const index = checkInteger(axis, argument, -rank, rank - 1);
  return index < 0 ? index + rank : index;
}

function checkIndex(index: number, size: number, argument: string): number {
  if (size === 0) throw mismatch(ArgumentError, argument, 'no index, of an axis of 0', describe(index));
  return checkAxis(index, size, argument);
}

/** Python's slice.indices: which elements a range takes of an axis. */
function readRange(
  range: unknown,
  size: number,
  argument: string,
): { start: number; count: number; step: number } {
  const list = listOf(range, MAX_AXES);
  if (list === null || list.length > 3)
    throw mistake(ArgumentError, argument, 'an index, [start, end, step] or null', range);
  const step = checkInteger(list[2] ?? 1, `${argument}[2]`, -MAX_ELEMENTS);
  if (step === 0) throw mistake(ArgumentError, `${argument}[2]`, 'a step that is not 0', step);
  // The places that an index may be moved to: before the first element, or past the last.
  const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1];
  const place = (value: unknown, whole: number, name: string): number => {
    if (value === undefined || value === null) return whole;
    const index = checkInteger(value, name, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    return Math.min(Math.max(index < 0 ? index + size : index, lowest), highest);
  };
  const start = place(list[0], step > 0 ? lowest : highest, `${argument}[0]`);
  const end = place(list[1], step > 0 ? highest : lowest, `${argument}[1]`);
  return { start, count: Math.max(0, Math.ceil((end - start) / step)), step };
}

// As many lists as an array of a million elements may come to.
const MAX_EMPTY_LISTS = 2 ** 20;

/** A shape such as [2³¹ − 1, 0] takes no memory, and its nested arrays take all. */
function checkEmptyLists(shape: Shape): void {
  const lists = shape.slice(0, shape.indexOf(0)).reduce((count, size) => count * size, 1);
  if (lists > MAX_EMPTY_LISTS) {
    throw mismatch(MemoryError, 'toNested', `at most ${MAX_EMPTY_LISTS} empty arrays`, describeShape(shape));
  }
}

/** Nested arrays as a tensor: depth is rank, every level has one length, every leaf is a number. */
export function fromNested(nested: unknown, dtype: DType, argument: string): Tensor {
  const shape: number[] = [];
  for (let level: unknown = nested; isArray(level); level = level[0]) {
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
      } else if (isArray(value))
        throw mismatch(ShapeError, argument, `nesting of ${describeShape(shape)}`, 'ragged arrays');
      else
        throw mistake(ArgumentError, argument, 'a tensor, a typed array or nested arrays of numbers', value);
      return;
    }
    if (!isArray(value) || value.length !== shape[axis]) {
      throw mismatch(ShapeError, argument, `nesting of ${describeShape(shape)}`, 'ragged arrays');
    }
    for (let index = 0; index < value.length; index++) fill(value[index], axis + 1);
  };
  fill(nested, 0);
  return new Tensor(data, shape);
}

export function isTensor(value: unknown): value is Tensor {
  // A revoked proxy throws.
  try {
    return value instanceof Tensor;
  } catch {
    return false;
  }
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
