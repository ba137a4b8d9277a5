/** SciPy's structured matrices as operators: Toeplitz, circulant and Hankel, each kept by its diagonals. */
import { backend } from '../backend/select.js';
import { checkInteger, checkOneOf, checkOptions, elementCount, mismatch } from '../check.js';
import { ArgumentError, ShapeError, SingularError } from '../errors.js';
import { UNIT_AXIS } from '../plan/axes.js';
import { planConv } from '../plan/conv-plan.js';
import { checkFloat, convert, type FloatArray, type FloatDType, type TypedArray, uninitialised, zeros } from '../tensor/dtype.js';
import { takeOperands, type VectorLike } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';
import { circulantSolve } from './circulant.js';
import { levinson } from './levinson.js';
import { checkDenseSize, type DenseOptions, type LinearOperator, resultVector, takeVector } from './operator.js';
import { dot, norm } from './solvers.js';

/** A Toeplitz or circulant matrix. */
export interface StructuredMatrix extends LinearOperator {
  toDense(options?: DenseOptions): Tensor;
  /**
   * x with A·x = b. @throws {ShapeError} unless A is square and b as long, {SingularError} when A is singular to
   * working precision or the method breaks down: the message gives the residual.
   */
  solve(b: VectorLike): TypedArray;
}
export type HankelMatrix = LinearOperator & { toDense(options?: DenseOptions): Tensor };
