/** Operators that multiply, pick or leave single elements. */
import { checkInteger, checkOneOf, checkOptions, listOf, MAX_ELEMENTS, mismatch, mistake } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { copyInto, type Pauses, slices } from '../matrix/vectors.js';
import { type ComplexVectorLike, isParts, type PartsOf } from '../tensor/complex.js';
import { checkFloat, convert, type FloatArray, type FloatDType, uninitialised } from '../tensor/dtype.js';
import { takeFloats, takeTensor, type VectorLike } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';
import { type ComplexOperator, pairOf } from './complex.js';
import { Composite, type Operator } from './operator.js';

/** Of operators that have no entries to tell their precision by. */
export interface PrecisionOptions {
  /** Of the vectors that the operator computes with. Default 'float64'. */
  readonly dtype?: FloatDType;
}

/** The dtype of an operator that has no elements of its own. */
export function readPrecision(options: PrecisionOptions | undefined): FloatDType {
  const { dtype } = checkOptions(options, ['dtype']);
  return checkOneOf(dtype ?? 'float64', 'options.dtype', ['float32', 'float64']);
}

/** x ↦ d ⊙ x. */
export class Diagonal extends Composite {
  readonly elements: FloatArray;

  constructor(elements: FloatArray, dtype: FloatDType) {
    super(elements.length, elements.length, dtype);
    this.elements = elements;
  }

  override get T(): Operator {
    return this;
  }

  productSteps(_transposed: boolean, from: FloatArray, to: FloatArray): Pauses<void> {
    const { elements } = this;
    return slices(to.length, (start, count) => {
      for (let i = start; i < start + count; i++) to[i] = elements[i] * from[i];
    });
  }
}

export class Identity extends Composite {
  constructor(n: number, dtype: FloatDType) {
    super(n, n, dtype);
  }

  override get T(): Operator {
    return this;
  }

  productSteps(_transposed: boolean, from: FloatArray, to: FloatArray): Pauses<void> {
    return copyInto(to, from);
  }
}

class Restriction extends Composite {
  readonly #indices: Int32Array;

  constructor(n: number, indices: Int32Array, dtype: FloatDType) {
    super(indices.length, n, dtype);
    this.#indices = indices;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Pauses<void> {
    const indices = this.#indices;
    if (!transposed) {
      yield* slices(to.length, (start, count) => {
        for (let i = start; i < start + count; i++) to[i] = from[indices[i]];
      });
      return;
    }
    yield* slices(to.length, (start, count) => to.fill(0, start, start + count));
    yield* slices(from.length, (start, count) => {
      for (let i = start; i < start + count; i++) to[indices[i]] += from[i];
    });
  }
}

/**
 * The identity of size n × n.
 *
 * @throws {ArgumentError} unless n is an integer ≥ 0, or for a bad option.
 * @example identity(2).matvec([3, 4])   // Float64Array [3, 4]
 */
export function identity(n: number, options?: PrecisionOptions): Operator {
  return new Identity(checkInteger(n, 'n', 0), readPrecision(options));
}

/**
 * The matrix with d on its diagonal: x ↦ d ⊙ x. A copy of d is kept, and its dtype is the operator's.
 *
 * @throws {DTypeError} for integers.
 * @example diagonal([1, 2]).matvec([3, 4])   // Float64Array [3, 8]
 */
export function diagonal(d: VectorLike): Operator;
export function diagonal(d: PartsOf<VectorLike>): ComplexOperator;
export function diagonal(d: ComplexVectorLike): Operator | ComplexOperator;
export function diagonal(d: ComplexVectorLike): Operator | ComplexOperator {
  if (!isParts(d)) return diagonalOf(takeTensor(d, 'd', 'float64'), 'd');
  const [re, im] = takeFloats(['d.re', 'd.im'], [d.re, d.im]);
  if (re.size !== im.size) throw mismatch(ShapeError, 'd.im', `${re.size} elements, as d.re`, `${im.size}`);
  return pairOf(diagonalOf(re, 'd.re'), diagonalOf(im, 'd.im'));
}

function diagonalOf({ data, dtype }: Tensor, argument: string): Diagonal {
  const precision = checkFloat(dtype, argument);
  return new Diagonal(convert(data, precision), precision);
}

/**
 * Picks elements: y[i] = x[indices[i]]. The transpose adds each y[i] back to its place, so an index may recur.
 *
 * @param n        Elements of x.
 * @param indices  Integers from 0 to n − 1; a copy is kept.
 * @throws {ArgumentError} for an index out of range or a bad option.
 * @example restriction(4, [3, 0]).matvec([1, 2, 3, 4])   // Float64Array [4, 1]
 */
export function restriction(n: number, indices: ArrayLike<number>, options?: PrecisionOptions): Operator {
  const size = checkInteger(n, 'n', 0);
  const list = listOf(indices, MAX_ELEMENTS);
  if (list === null) throw mistake(ArgumentError, 'indices', 'an array of integers', indices);
  if (size === 0 && list.length > 0) {
    throw mismatch(ShapeError, 'indices', 'no indices into a vector of no elements', `${list.length}`);
  }
  const own = uninitialised('int32', list.length);
  list.forEach((index, i) => {
    own[i] = checkInteger(index, `indices[${i}]`, 0, size - 1);
  });
  return new Restriction(size, own, readPrecision(options));
}
