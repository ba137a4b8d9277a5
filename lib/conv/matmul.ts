/** The matrix product that convolutions are lowered to, on its own. */

import { NO_CLAMP } from '../backend/backend.js';
import { backend } from '../backend/select.js';
import { checkOneOf, checkOptions, describeShape, mismatch } from '../check.js';
import { DTypeError, ShapeError } from '../errors.js';
import { PRECISIONS, type Precision } from '../plan/algorithms/algorithm.js';
import { UNIT_AXIS } from '../plan/options/axes.js';
import { convRequest, planConv } from '../plan/plans/conv.js';
import type { ArrayOf, ByteDType, DType, FloatDType } from '../tensor/dtype.js';
import { resultTensor } from '../tensor/out.js';
import { type DTypeIn, isNested, type TensorLike, takeOperands, takeTensor } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkPrecision } from './options.js';

/** How a product of matrices is computed. */
export interface MatmulOptions {
  /** As conv2d's: 'bf16' rounds float32 factors to bfloat16. Default 'float32'. */
  readonly precision?: Precision;
}

/** What a product of these dtypes is: int8 and uint8 give int32, in any mix; null is of nested arrays. */
type ProductDType<L, R> = L extends null
  ? R extends null
    ? 'float32'
    : SumDType<R>
  : R extends null
    ? SumDType<L>
    : L extends ByteDType
      ? R extends ByteDType
        ? 'int32'
        : never
      : SumDType<L & R>;
type SumDType<D> = D extends ByteDType ? 'int32' : Extract<D, FloatDType>;

const BYTE_DTYPES: readonly DType[] = ['int8', 'uint8'];

/**
 * c[i,j] = Σ_k a[i,k]·b[k,j].
 *
 * @param a  [m, k].
 * @param b  [k, n], of the same floating dtype; int8 and uint8 go with one another, and give int32.
 * @param options.precision  'bf16' rounds float32 factors to bfloat16, as conv2d does. Default 'float32'.
 * @returns c, [m, n]. Integers are exact modulo 2^32; k = 0 gives zeros.
 * @throws {ShapeError} when shapes disagree, {DTypeError} for other dtypes, {ArgumentError} for another precision.
 * @example matmul([[1, 2]], [[3], [4]]).toNested()   // [[11]]
 */
export function matmul<A extends TensorLike, B extends TensorLike>(
  a: A,
  b: B,
  options?: MatmulOptions,
): Tensor<ArrayOf<ProductDType<DTypeIn<A>, DTypeIn<B>>>>;
export function matmul(a: TensorLike, b: TensorLike, options?: MatmulOptions): Tensor {
  const given = checkOptions(options, ['precision']);
  const precision = checkOneOf(given.precision ?? 'float32', 'options.precision', PRECISIONS);
  const [left, right] = takeFactors(a, b);
  for (const [name, factor] of [
    ['a', left],
    ['b', right],
  ] as const) {
    if (factor.shape.length !== 2) throw mismatch(ShapeError, name, '2 axes', describeShape(factor.shape));
  }
  const [m, k] = left.shape;
  const [rows, n] = right.shape;
  if (rows !== k) throw mismatch(ShapeError, 'b', `${k} rows, as a's columns`, describeShape(right.shape));
  checkPrecision(precision, left.dtype, 'a');
  const c = resultTensor(undefined, [m, n], resultDType(left.dtype, right.dtype), {});
  const isRounded = precision === 'bf16' && c.size > 0 && k > 0;
  if (isRounded && isFloat32(left) && isFloat32(right) && isFloat32(c))
    multiplyRounded([m, n, k], left, right, c);
  else backend().matmul(m, n, k, left.data, right.data, c.data);
  return c;
}

/** A convolution of one tap, whose weight is a and whose pixels are b's columns. */
function multiplyRounded(
  [m, n, k]: readonly [number, number, number],
  { data: weight }: Tensor<Float32Array>,
  { data: pixels }: Tensor<Float32Array>,
  { data: result }: Tensor<Float32Array>,
): void {
  const sizes = { batch: 1, inChannels: k, outChannels: m, axes: [{ ...UNIT_AXIS, in: n, out: n }] };
  const window = { rank: 1, groups: 1, paddingMode: 'zeros' } as const;
  const request = convRequest('forward', 'float32', window, sizes, { algorithm: 'auto', precision: 'bf16' });
  const plan = planConv(request, backend().machine);
  backend().conv(plan, { weight, bias: null, clamp: NO_CLAMP }, pixels, result);
}

function isFloat32(t: Tensor): t is Tensor<Float32Array> {
  return t.dtype === 'float32';
}

/** int8 and uint8 may meet; every other pair shares a dtype. */
function takeFactors(a: TensorLike, b: TensorLike): readonly [Tensor, Tensor] {
  if (!isNested(a) && !isNested(b)) {
    const pair = [takeTensor(a, 'a'), takeTensor(b, 'b')] as const;
    if (pair.every((t) => BYTE_DTYPES.includes(t.dtype))) return pair;
  }
  return takeOperands(['a', 'b'], [a, b]);
}

function resultDType(a: DType, b: DType): DType {
  if (BYTE_DTYPES.includes(a) && BYTE_DTYPES.includes(b)) return 'int32';
  if (a === 'float32' || a === 'float64') return a;
  throw mismatch(DTypeError, 'a', 'float32, float64, int8 or uint8', a);
}
