/** How anything linear becomes an operator. */
import { isObject } from '../check.js';
import { isComplexOperator } from '../matrix/complex.js';
import { type ComplexLinearOperator, checkOperator, type LinearOperator } from '../matrix/operator.js';
import { checkParts, isParts, type PartsOf } from '../tensor/complex.js';
import { type TensorLike, takeFloats, takeTensor } from '../tensor/take.js';
import { ComplexMap, type ComplexOperator, PlanarMap, pairOf } from './complex.js';
import { denseOperator, type Operator, realOperator } from './operator.js';

/**
 * Anything linear as an operator with `T` and `dtype` (and, of complex ones, the adjoint `H`). An operator of this library is
 * returned as it is.
 *
 * @param A  An operator `{ shape, matvec, rmatvec }`, whose precision is its `dtype` or else float64, a complex one with
 *   `isComplex: true`; or a dense matrix [rows, cols], of which a copy is kept, a complex one as { re, im }.
 * @throws {ArgumentError} for anything else, {ShapeError} for a tensor that has not two axes, {DTypeError} for integers.
 * @example asOperator([[1, 2], [3, 4]]).T.matvec([1, 1])   // Float32Array [4, 6]
 */
export function asOperator(A: LinearOperator | TensorLike): Operator;
export function asOperator(A: ComplexLinearOperator | PartsOf<TensorLike>): ComplexOperator;
export function asOperator(
  A: LinearOperator | ComplexLinearOperator | TensorLike | PartsOf<TensorLike>,
): Operator | ComplexOperator {
  return named(A, 'A');
}

/** As asOperator; `argument` names A in errors. */
export function named(
  A: LinearOperator | ComplexLinearOperator | TensorLike | PartsOf<TensorLike>,
  argument: string,
): Operator | ComplexOperator {
  if (isObject(A) && 'matvec' in A)
    return isComplexOperator(A) ? complexOperator(A, argument) : realOperator(A, argument);
  if (!isParts(A)) return denseOperator(takeTensor(A, argument), argument);
  checkParts(A, argument);
  const names = [`${argument}.re`, `${argument}.im`] as const;
  const [re, im] = takeFloats(names, [A.re, A.im]);
  return pairOf(denseOperator(re, names[0]), denseOperator(im, names[1]));
}

function complexOperator(A: ComplexLinearOperator, argument: string): ComplexOperator {
  checkOperator(A, argument);
  if (isOwn(A)) return A;
  return new ComplexMap(new PlanarMap(A, 'dtype' in A && A.dtype === 'float32' ? 'float32' : 'float64'));
}

function isOwn(A: ComplexLinearOperator): A is ComplexOperator {
  return 'T' in A && 'H' in A && 'dtype' in A && (A.dtype === 'float32' || A.dtype === 'float64');
}
