/** The matrix product that convolutions are lowered to, on its own. */

import { backend } from '../backend/select.js';
import { describeShape, mismatch } from '../check.js';
import { DTypeError, ShapeError } from '../errors.js';
import type { ArrayOf, ByteDType, DType, FloatDType } from '../tensor/dtype.js';
import { resultTensor } from '../tensor/out.js';
import { type DTypeIn, isNested, type TensorLike, takeOperands, takeTensor } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';

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
 * @returns c, [m, n]. Integers are exact modulo 2^32; k = 0 gives zeros.
 * @throws {ShapeError} when shapes disagree, {DTypeError} for other dtypes.
 * @example matmul([[1, 2]], [[3], [4]]).toNested()   // [[11]]
 */
export function matmul<A extends TensorLike, B extends TensorLike>(
  a: A,
  b: B,
): Tensor<ArrayOf<ProductDType<DTypeIn<A>, DTypeIn<B>>>>;
export function matmul(a: TensorLike, b: TensorLike): Tensor {
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
  const c = resultTensor(undefined, [m, n], resultDType(left.dtype, right.dtype), {});
  backend().matmul(m, n, k, left.data, right.data, c.data);
  return c;
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
