/** Hankel matrices, kept by their diagonals. */
import type { PartsOf } from '../tensor/complex.js';
import { type DTypeOf, dtypeOf, type FloatArray, type TypedArray } from '../tensor/dtype.js';
import type { VectorLike } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';
import { ComplexMatrix } from './complex.js';
import { denseOf } from './dense.js';
import {
  type ComplexTypedOperator,
  type DenseOptions,
  resultVector,
  type TypedOperator,
  takeVector,
} from './operator.js';
import { slide } from './slide.js';

/** A Hankel matrix. */
export interface HankelMatrix<A extends FloatArray = FloatArray> extends TypedOperator<A> {
  /** The matrix, entry by entry. */
  toDense(options?: DenseOptions): Tensor<A>;
}

/** A complex Hankel matrix: `re` and `im` are those of its entries' parts. */
export interface ComplexHankelMatrix<A extends FloatArray = FloatArray> extends ComplexTypedOperator<A> {
  /** The matrix of the entries' real parts. */
  readonly re: HankelMatrix<A>;
  /** The matrix of the entries' imaginary parts. */
  readonly im: HankelMatrix<A>;
  /** The matrix, entry by entry. */
  toDense(options?: DenseOptions): PartsOf<Tensor<A>>;
}

/** A[i, j] = diagonals[i + j] */
export class Hankel<A extends FloatArray> implements HankelMatrix<A> {
  readonly shape: readonly [rows: number, cols: number];
  readonly dtype: DTypeOf<A>;

  constructor(
    private readonly diagonals: A,
    rows: number,
    cols: number,
  ) {
    this.shape = Object.freeze([rows, cols] as const);
    this.dtype = dtypeOf(diagonals);
  }

  matvec(x: VectorLike, out?: TypedArray): A {
    const operand = takeVector(x, this.shape[1], 'x', this.dtype);
    const result = resultVector(out, this.shape[0], this.diagonals, operand);
    slide(this.diagonals, operand.slice().reverse(), result);
    return result;
  }

  rmatvec(y: VectorLike, out?: TypedArray): A {
    const operand = takeVector(y, this.shape[0], 'y', this.dtype);
    const result = resultVector(out, this.shape[1], this.diagonals, operand);
    slide(this.diagonals, operand.slice().reverse(), result);
    return result;
  }

  toDense(options?: DenseOptions): Tensor<A> {
    return denseOf(this.shape, this.diagonals, options, (i, j) => this.diagonals[i + j]);
  }
}

/** R + i·J of two Hankel matrices. */
export class ComplexHankel<A extends FloatArray>
  extends ComplexMatrix<A, Hankel<A>>
  implements ComplexHankelMatrix<A>
{
  constructor(diagonals: PartsOf<A>, rows: number, cols: number) {
    super(new Hankel(diagonals.re, rows, cols), new Hankel(diagonals.im, rows, cols), diagonals.re);
  }

  toDense(options?: DenseOptions): PartsOf<Tensor<A>> {
    return { re: this.re.toDense(options), im: this.im.toDense(options) };
  }
}
