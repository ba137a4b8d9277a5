/** Taking other libraries' tensors: everything that TensorLike admits becomes a Tensor, in one place. */
import { checkShape, describeShape, isInteger, listOf, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import { type DType, type TypedArray, uninitialised } from './dtype.js';
import { checkData, fromNested, type Nested, type Shape, Tensor } from './tensor.js';

/**
 * What every function takes for a tensor: a Tensor; `{data, shape}`; onnxruntime's `{data, dims}`; a scijs ndarray
 * `{data, shape, stride, offset}` (a non-contiguous view is gathered); nested arrays; a typed array, as one axis.
 */
export type TensorLike =
  | Tensor
  | Nested
  | TypedArray
  | { readonly data: TypedArray; readonly shape: Shape }
  | { readonly data: TypedArray; readonly dims: Shape }
  | {
      readonly data: TypedArray;
      readonly shape: Shape;
      readonly stride: readonly number[];
      readonly offset: number;
    };

/** A vector argument: a typed array of the right length, or a TensorLike with that many elements. */
export type VectorLike = TypedArray | TensorLike;

/** One operand. Nested arrays take `dtype`, everything else keeps its own. */
export function takeTensor(value: TensorLike, argument: string, dtype: DType = 'float32'): Tensor {
  if (value instanceof Tensor) {
    checkData(value.data, argument);
    if (value.data.length !== product(value.shape)) {
      throw mismatch(
        ShapeError,
        argument,
        `data for ${describeShape(value.shape)}`,
        `${value.data.length} elements`,
      );
    }
    return value;
  }
  if (typeof value === 'number' || Array.isArray(value)) return fromNested(value, dtype, argument);
  if (ArrayBuffer.isView(value)) {
    checkData(value, argument);
    return new Tensor(value as TypedArray, [(value as TypedArray).length]);
  }
  if (typeof value !== 'object' || value === null || !('data' in value)) {
    throw mistake(ArgumentError, argument, 'a tensor, {data, shape} or nested arrays of numbers', value);
  }
  const { data, ...rest } = { data: value.data, ...read(value) };
  checkData(data, `${argument}.data`);
  const { shape, name, stride, offset } = rest;
  const sizes = checkShape(shape, `${argument}.${name}`);
  if (stride !== undefined) return gather(data, sizes, stride, offset ?? 0, argument);
  if (data.length !== product(sizes)) {
    const expected = `${product(sizes)} elements for ${describeShape(sizes)}`;
    throw mismatch(ShapeError, `${argument}.data`, expected, `${data.length} elements`);
  }
  return new Tensor(data, sizes);
}

/** Operands of one call: they share a dtype, and nested arrays take the dtype of those that have one. */
export function takeOperands<const Names extends readonly string[]>(
  names: Names,
  values: { [I in keyof Names]: TensorLike },
  fallback: DType = 'float32',
): { [I in keyof Names]: Tensor } {
  const given = values as readonly TensorLike[];
  const tensors = given.map((value, i) =>
    isNested(value) ? undefined : takeTensor(value, names[i] as string),
  );
  const leader = tensors.findIndex((t) => t !== undefined);
  const dtype = tensors[leader]?.dtype ?? fallback;
  const all = tensors.map((t, i) => t ?? takeTensor(given[i] as TensorLike, names[i] as string, dtype));
  all.forEach((t, i) => {
    if (t.dtype !== dtype)
      throw mismatch(DTypeError, names[i] as string, `${dtype}, as ${names[leader]}`, t.dtype);
  });
  return all as { [I in keyof Names]: Tensor };
}

export function isNested(value: unknown): value is Nested {
  return typeof value === 'number' || Array.isArray(value);
}

interface Described {
  shape: unknown;
  name: string;
  stride?: unknown;
  offset?: unknown;
}

function read(value: object): Described {
  const { shape, dims, stride, offset } = value as Record<string, unknown>;
  return shape === undefined && dims !== undefined
    ? { shape: dims, name: 'dims' }
    : { shape, name: 'shape', stride, offset };
}

/** A strided view as a tensor; the data is shared when the view is contiguous and covers it, otherwise gathered. */
function gather(
  data: TypedArray,
  shape: number[],
  stride: unknown,
  offset: unknown,
  argument: string,
): Tensor {
  const strides = listOf(stride);
  if (strides === null) throw mistake(ArgumentError, `${argument}.stride`, 'an array of strides', stride);
  if (strides.length !== shape.length || !strides.every(isInteger)) {
    throw mistake(ShapeError, `${argument}.stride`, `${shape.length} integers`, strides);
  }
  if (!isInteger(offset)) throw mistake(ArgumentError, `${argument}.offset`, 'an integer', offset);
  const count = product(shape);
  let lowest = offset;
  let highest = offset;
  strides.forEach((step, axis) => {
    const reach = step * (shape[axis] - 1);
    if (reach < 0) lowest += reach;
    else highest += reach;
  });
  if (count > 0 && (lowest < 0 || highest >= data.length)) {
    throw mismatch(
      ShapeError,
      argument,
      `a view within ${data.length} elements`,
      `elements ${lowest} to ${highest}`,
    );
  }
  if (isContiguous(shape, strides))
    return new Tensor(data.subarray(offset, offset + count) as TypedArray, shape);
  const dense = uninitialised(checkData(data, argument), count);
  let at = 0;
  const walk = (axis: number, from: number): void => {
    const step = strides[axis];
    const size = shape[axis];
    if (axis === shape.length - 1) for (let i = 0; i < size; i++) dense[at++] = data[from + i * step];
    else for (let i = 0; i < size; i++) walk(axis + 1, from + i * step);
  };
  if (count > 0) walk(0, offset);
  return new Tensor(dense, shape);
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

function product(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}
