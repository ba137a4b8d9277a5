/** Taking other libraries' tensors: everything that TensorLike admits becomes a Tensor, in one place. */
import {
  checkShape,
  describeShape,
  isArray,
  isInteger,
  isObject,
  listOf,
  MAX_AXES,
  mismatch,
  mistake,
} from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { type ArrayOf, type DType, type DTypeOf, type FloatDType, type TypedArray, viewOf } from './dtype.js';
import { gather } from './strided.js';
import {
  asFloat,
  checkArray,
  checkData,
  type FloatTensor,
  fromNested,
  isTensor,
  type Nested,
  type Shape,
  Tensor,
} from './tensor.js';

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

/** The dtype that an operand's type tells; null for nested arrays, which take another operand's. */
export type DTypeIn<T> = T extends TypedArray
  ? DTypeOf<T>
  : T extends { readonly data: infer A extends TypedArray }
    ? DTypeOf<A>
    : null;

/** The dtype that two operands have in common; null when both are nested arrays. */
export type SharedDType<L, R> = L extends null ? R : R extends null ? L : L & R;

/** The floating array of what is computed from operands of types T and U. Nested arrays alone are float32. */
export type FloatOf<T, U = Nested> = ArrayOf<
  Extract<OrFloat32<SharedDType<DTypeIn<T>, DTypeIn<U>>>, FloatDType>
>;
type OrFloat32<D> = D extends null ? 'float32' : D;

/** The array of an operand of any dtype; nested arrays are float32. */
export type ArrayIn<T> = ArrayOf<Extract<OrFloat32<DTypeIn<T>>, DType>>;

/** One operand. Nested arrays take `dtype`, everything else keeps its own. */
export function takeTensor(value: TensorLike, argument: string, dtype: DType = 'float32'): Tensor {
  if (isTensor(value)) {
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
  if (typeof value === 'number' || isArray(value)) return fromNested(value, dtype, argument);
  if (ArrayBuffer.isView(value)) {
    const array = checkArray(value, argument);
    return new Tensor(array, [array.length]);
  }
  if (!isObject(value) || !('data' in value)) {
    throw mistake(ArgumentError, argument, 'a tensor, {data, shape} or nested arrays of numbers', value);
  }
  const { data: given, shape, name, stride, offset } = { data: value.data, ...read(value) };
  const data = checkArray(given, `${argument}.data`);
  const sizes = checkShape(shape, `${argument}.${name}`);
  if (stride !== undefined) return takeView(data, sizes, stride, offset ?? 0, argument);
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
): { [I in keyof Names]: Tensor };
export function takeOperands(names: readonly string[], values: readonly TensorLike[]): readonly Tensor[] {
  const tensors = values.map((value, i) => (isNested(value) ? null : takeTensor(value, names[i])));
  const leader = tensors.findIndex((t) => t !== null);
  const dtype = tensors[leader]?.dtype ?? 'float32';
  return tensors.map((given, i) => {
    const t = given ?? takeTensor(values[i], names[i], dtype);
    if (t.dtype !== dtype) throw mismatch(DTypeError, names[i], `${dtype}, as ${names[leader]}`, t.dtype);
    return t;
  });
}

/** As takeOperands, of a floating dtype. */
export function takeFloats<const Names extends readonly string[]>(
  names: Names,
  values: { [I in keyof Names]: TensorLike },
): { [I in keyof Names]: FloatTensor };
export function takeFloats(names: readonly string[], values: readonly TensorLike[]): readonly FloatTensor[] {
  // Each is asked for a floating dtype before they are compared: two wrong ones must not point at one another.
  const tensors = values.map((value, i) =>
    isNested(value) ? value : asFloat(takeTensor(value, names[i]), names[i]),
  );
  return takeOperands(names, tensors).map((t, i) => asFloat(t, names[i]));
}

/** One operand of a floating dtype: of `dtype` when given, which nested arrays take. */
export function takeFloat<D extends FloatDType = FloatDType>(
  value: TensorLike,
  argument: string,
  dtype?: D,
): Tensor<ArrayOf<D>>;
export function takeFloat(value: TensorLike, argument: string, dtype?: FloatDType): FloatTensor {
  const t = asFloat(takeTensor(value, argument, dtype), argument);
  if (dtype !== undefined && t.dtype !== dtype) throw mismatch(DTypeError, argument, dtype, t.dtype);
  return t;
}

export function isNested(value: unknown): value is Nested {
  return typeof value === 'number' || isArray(value);
}

interface Described {
  shape: unknown;
  name: string;
  stride?: unknown;
  offset?: unknown;
}

function read({ shape, dims, stride, offset }: Partial<Record<string, unknown>>): Described {
  return shape === undefined && dims !== undefined
    ? { shape: dims, name: 'dims' }
    : { shape, name: 'shape', stride, offset };
}

/** A strided view as a tensor; the data is shared when the view is contiguous and covers it, otherwise gathered. */
function takeView(
  data: TypedArray,
  shape: number[],
  stride: unknown,
  offset: unknown,
  argument: string,
): Tensor {
  const strides = listOf(stride, MAX_AXES);
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
  if (isContiguous(shape, strides)) return new Tensor(viewOf(data, offset, count), shape);
  return new Tensor(gather(data, shape, strides, offset), shape);
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}
