/** What an operator is in the algebra of operators: by its products, made of others, dense, or a user's own. */
import { backend } from '../backend/select.js';
import { describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import {
  checkOperator,
  checkProduct,
  type LinearOperator,
  resultVector,
  takeVector,
} from '../matrix/operator.js';
import { type CompositeOperator, productOf, runSteps, type Steps } from '../matrix/products.js';
import type { Pauses } from '../matrix/vectors.js';
import {
  checkFloat,
  convert,
  type FloatArray,
  type FloatDType,
  type TypedArray,
  uninitialised,
  viewOf,
} from '../tensor/dtype.js';
import type { VectorLike } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';

/** A linear operator that knows its precision and its transpose. */
export interface Operator extends LinearOperator {
  /** Of the vectors that it takes and gives. */
  readonly dtype: FloatDType;
  /** The transpose: `T.matvec` is `rmatvec`, and the other way round. */
  readonly T: Operator;
  matvec(x: VectorLike, out?: TypedArray): FloatArray;
  rmatvec(y: VectorLike, out?: TypedArray): FloatArray;
}

/** An operator by its two products on whole arrays of its dtype; arguments are checked here. */
export abstract class LinearMap implements Operator {
  readonly shape: readonly [rows: number, cols: number];
  readonly dtype: FloatDType;

  constructor(rows: number, cols: number, dtype: FloatDType) {
    this.shape = Object.freeze([rows, cols] as const);
    this.dtype = dtype;
  }

  /** y ← A·x. */
  protected abstract multiply(x: FloatArray, y: FloatArray): void;
  /** x ← Aᵀ·y. */
  protected abstract multiplyTransposed(y: FloatArray, x: FloatArray): void;

  get T(): Operator {
    return new Transposed(this);
  }

  matvec(x: VectorLike, out?: TypedArray): FloatArray {
    const [rows, cols] = this.shape;
    const operand = takeVector(x, cols, 'x', this.dtype);
    const result = resultVector(out, rows, this.dtype, operand);
    this.multiply(operand, result);
    return result;
  }

  rmatvec(y: VectorLike, out?: TypedArray): FloatArray {
    const [rows, cols] = this.shape;
    const operand = takeVector(y, rows, 'y', this.dtype);
    const result = resultVector(out, cols, this.dtype, operand);
    this.multiplyTransposed(operand, result);
    return result;
  }
}

/** An operator made of others. */
export abstract class Composite extends LinearMap implements CompositeOperator {
  abstract productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void>;

  protected multiply(x: FloatArray, y: FloatArray): void {
    runSteps(this.productSteps(false, x, y));
  }

  protected multiplyTransposed(y: FloatArray, x: FloatArray): void {
    runSteps(this.productSteps(true, y, x));
  }
}

class Transposed implements Operator, CompositeOperator {
  readonly shape: readonly [rows: number, cols: number];
  readonly dtype: FloatDType;
  readonly T: Operator;

  constructor(operator: Operator) {
    this.shape = Object.freeze([operator.shape[1], operator.shape[0]] as const);
    this.dtype = operator.dtype;
    this.T = operator;
  }

  productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    return productOf(this.T, !transposed, from, to);
  }

  matvec(x: VectorLike, out?: TypedArray): FloatArray {
    return this.T.rmatvec(x, out);
  }

  rmatvec(y: VectorLike, out?: TypedArray): FloatArray {
    return this.T.matvec(y, out);
  }
}

/** A dense matrix, row-major, whose products go by blocks of rows. */
class Dense extends Composite {
  readonly #elements: FloatArray;

  constructor(rows: number, cols: number, elements: FloatArray, dtype: FloatDType) {
    super(rows, cols, dtype);
    this.#elements = elements;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Pauses<void> {
    const [rows, cols] = this.shape;
    if (rows === 0 || cols === 0) {
      to.fill(0);
      return;
    }
    const rowsAtOnce = Math.max(1, Math.floor(BLOCK_ELEMENTS / cols));
    // Of one block, the sums themselves; of several, what each adds to them.
    const sums = transposed && rowsAtOnce < rows ? uninitialised(this.dtype, cols) : to;
    for (let first = 0; first < rows; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, rows - first);
      const block = viewOf(this.#elements, first * cols, count * cols);
      if (!transposed) backend().matmul(count, 1, cols, block, from, viewOf(to, first, count));
      else {
        backend().matmul(1, cols, count, viewOf(from, first, count), block, sums);
        if (first > 0) backend().vectorCombine(1, sums, 1, to);
        else if (sums !== to) to.set(sums);
      }
      yield;
    }
  }
}

/** Of a block of rows: about half a millisecond, at the speed of memory. */
const BLOCK_ELEMENTS = 2 ** 20;

/** A user's own `{ shape, matvec, rmatvec }`, which may ignore `out` and return any array of numbers. */
class Foreign extends LinearMap {
  readonly #operator: LinearOperator;

  constructor(operator: LinearOperator, [rows, cols]: readonly [number, number], dtype: FloatDType) {
    super(rows, cols, dtype);
    this.#operator = operator;
  }

  protected multiply(x: FloatArray, y: FloatArray): void {
    y.set(checkProduct(this.#operator.matvec(x), y.length, 'A.matvec(x)'));
  }

  protected multiplyTransposed(y: FloatArray, x: FloatArray): void {
    x.set(checkProduct(this.#operator.rmatvec(y), x.length, 'A.rmatvec(y)'));
  }
}

function isOperator(value: object): value is Operator {
  return 'dtype' in value && 'T' in value && 'matvec' in value && 'rmatvec' in value && 'shape' in value;
}

/** The dense matrix that a tensor of two axes is. */
export function denseOperator({ data, shape, dtype }: Tensor, argument: string): LinearMap {
  const precision = checkFloat(dtype, argument);
  if (shape.length !== 2) throw mismatch(ShapeError, argument, '2 axes [rows, cols]', describeShape(shape));
  return new Dense(shape[0], shape[1], convert(data, precision), precision);
}

/** An operator of the library as it is, a user's own with T and dtype. */
export function realOperator(A: LinearOperator, argument: string): Operator {
  const shape = checkOperator(A, argument);
  if (isOperator(A) && (A.dtype === 'float32' || A.dtype === 'float64')) return A;
  return new Foreign(A, shape, 'dtype' in A && A.dtype === 'float32' ? 'float32' : 'float64');
}

/** float64 as soon as one operator is. */
export function commonDType(operators: readonly { readonly dtype: FloatDType }[]): FloatDType {
  return operators.some((operator) => operator.dtype === 'float64') ? 'float64' : 'float32';
}
