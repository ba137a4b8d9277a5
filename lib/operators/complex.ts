/**
 * Complex operators, as real ones on planar vectors (all real parts, then all imaginary ones): sums, products and blocks of
 * these are the sums, products and blocks of complex operators, up to the order of the parts.
 */
import {
  ComplexMatrix,
  complexResult,
  partsOfPlanar,
  planarOf,
  planarSteps,
  takeComplexVector,
} from '../matrix/complex.js';
import type { ComplexLinearOperator, LinearOperator } from '../matrix/operator.js';
import { productOf, runSteps, type Steps } from '../matrix/products.js';
import { combination, copyInto, scaling, Vectors } from '../matrix/vectors.js';
import type { ComplexVectorLike, PartsOf } from '../tensor/complex.js';
import { type FloatArray, type FloatDType, type TypedArray, uninitialised, zeros } from '../tensor/dtype.js';
import { Composite, LinearMap, type Operator } from './operator.js';

/** A complex linear operator that knows its precision, its transpose and its adjoint. */
export interface ComplexOperator extends ComplexLinearOperator {
  /** Of each part of the vectors that it takes and gives. */
  readonly dtype: FloatDType;
  /** The transpose, not conjugated. */
  readonly T: ComplexOperator;
  /** The adjoint, the conjugate transpose: `H.matvec` is `rmatvec`, and the other way round. */
  readonly H: ComplexOperator;
  matvec(x: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<FloatArray>;
  rmatvec(y: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<FloatArray>;
}

/** A complex operator by its real one on planar vectors. */
export class ComplexMap implements ComplexOperator {
  readonly shape: readonly [rows: number, cols: number];
  readonly dtype: FloatDType;
  readonly isComplex = true;
  readonly planar: Operator;

  constructor(planar: Operator) {
    this.shape = Object.freeze([planar.shape[0] / 2, planar.shape[1] / 2] as const);
    this.dtype = planar.dtype;
    this.planar = planar;
  }

  get T(): ComplexOperator {
    return new ComplexMap(new Conjugated(this.planar.T));
  }

  get H(): ComplexOperator {
    return new ComplexMap(this.planar.T);
  }

  matvec(x: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<FloatArray> {
    return this.#multiply(false, x, 'x', out);
  }

  rmatvec(y: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<FloatArray> {
    return this.#multiply(true, y, 'y', out);
  }

  planarSteps(adjoint: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    return productOf(this.planar, adjoint, from, to);
  }

  #multiply(
    adjoint: boolean,
    vector: ComplexVectorLike,
    argument: string,
    out: unknown,
  ): PartsOf<FloatArray> {
    const [rows, cols] = adjoint ? [this.shape[1], this.shape[0]] : this.shape;
    const operand = takeComplexVector(vector, cols, argument, this.dtype);
    const result = complexResult<FloatArray>(out, rows, zeros(this.dtype, 0), operand);
    const to = uninitialised(this.dtype, 2 * rows);
    runSteps(this.planarSteps(adjoint, planarOf(operand, this.dtype), to));
    const { re, im } = partsOfPlanar<FloatArray>(to);
    result.re.set(re);
    result.im.set(im);
    return result;
  }
}

/** Any operator on planar vectors; a real one multiplies both parts. */
export class PlanarMap extends Composite {
  readonly #operator: LinearOperator | ComplexLinearOperator;

  constructor(operator: LinearOperator | ComplexLinearOperator, dtype: FloatDType) {
    super(2 * operator.shape[0], 2 * operator.shape[1], dtype);
    this.#operator = operator;
  }

  productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    return planarSteps(this.#operator, transposed, from, to);
  }
}

/** conj(A)·x = conj(A·conj(x)). */
class Conjugated extends Composite {
  readonly #operator: Operator;
  readonly #vectors = new Vectors();

  constructor(operator: Operator) {
    super(operator.shape[0], operator.shape[1], operator.dtype);
    this.#operator = operator;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    const conjugate = this.#vectors.lend(from.length, this.dtype);
    yield* copyInto(conjugate, from);
    yield* scaling(-1, partsOfPlanar(conjugate).im);
    yield* productOf(this.#operator, transposed, conjugate, to);
    yield* scaling(-1, partsOfPlanar(to).im);
    this.#vectors.giveBack(conjugate);
  }
}

/** α·A of a complex factor; the adjoint has the conjugate one. */
export class Turned extends Composite {
  readonly #alpha: PartsOf<number>;
  readonly #operand: Operator;
  readonly #vectors = new Vectors();

  constructor(alpha: PartsOf<number>, operand: Operator) {
    super(operand.shape[0], operand.shape[1], operand.dtype);
    this.#alpha = alpha;
    this.#operand = operand;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    yield* productOf(this.#operand, transposed, from, to);
    const { re, im } = partsOfPlanar(to);
    const turn = transposed ? -this.#alpha.im : this.#alpha.im;
    const real = this.#vectors.lend(re.length, this.dtype);
    yield* copyInto(real, re);
    yield* combination(-turn, im, this.#alpha.re, re);
    yield* combination(turn, real, this.#alpha.re, im);
    this.#vectors.giveBack(real);
  }
}

/** Planar vectors one after the other, of these numbers of elements, as the planar one of all: a permutation. */
export class Regroup extends LinearMap {
  readonly #sizes: readonly number[];

  constructor(sizes: readonly number[], dtype: FloatDType) {
    const total = sizes.reduce((sum, size) => sum + 2 * size, 0);
    super(total, total, dtype);
    this.#sizes = sizes;
  }

  protected multiply(x: FloatArray, y: FloatArray): void {
    this.#forEach(y.length / 2, (apart, together, size) => y.set(x.subarray(apart, apart + size), together));
  }

  protected multiplyTransposed(y: FloatArray, x: FloatArray): void {
    this.#forEach(x.length / 2, (apart, together, size) =>
      x.set(y.subarray(together, together + size), apart),
    );
  }

  /** Where each part of each vector begins, apart and together. */
  #forEach(half: number, visit: (apart: number, together: number, size: number) => void): void {
    let start = 0;
    for (const size of this.#sizes) {
      visit(2 * start, start, size);
      visit(2 * start + size, half + start, size);
      start += size;
    }
  }
}

/** The complex operator of two real ones of one shape and dtype. */
export function pairOf(re: LinearMap, im: LinearMap): ComplexOperator {
  return new ComplexMap(
    new PlanarMap(new ComplexMatrix<FloatArray, LinearMap>(re, im, zeros(re.dtype, 0)), re.dtype),
  );
}
