/**
 * Complex matrices, each as a pair of real ones: A = R + i·J. Whatever multiplies by a real matrix multiplies by these,
 * four times for a complex vector and twice for a real one; three products would do, and lose digits in the difference.
 */
import { checkNumber, isObject, mismatch, mistake } from '../check.js';
import { refuseCloning } from '../cloning.js';
import { ArgumentError } from '../errors.js';
import { type ComplexVectorLike, isParts, type PartsOf } from '../tensor/complex.js';
import {
  type ArrayOf,
  type DTypeOf,
  dtypeOf,
  type FloatArray,
  type FloatDType,
  type TypedArray,
  uninitialisedLike,
  viewOf,
  zeros,
} from '../tensor/dtype.js';
import { overlaps } from '../tensor/out.js';
import {
  type ComplexLinearOperator,
  type ComplexTypedOperator,
  checkProduct,
  type LinearOperator,
  resultVector,
  type TypedOperator,
  takeVector,
} from './operator.js';
import { type CompositeOperator, productOf, runSteps, type Steps } from './products.js';
import { combination, Vectors } from './vectors.js';

/** An operator whose product with a planar vector, all real parts and then all imaginary ones, is others' products. */
interface PlanarOperator extends ComplexLinearOperator {
  planarSteps(adjoint: boolean, from: FloatArray, to: FloatArray): Steps<void>;
}

/** Both parts of a vector in an operator's dtype: the caller's own memory where they have it; null for no imaginary one. */
export interface Operand<A extends FloatArray> {
  readonly re: A;
  readonly im: A | null;
}

export function isComplexOperator(A: LinearOperator | ComplexLinearOperator): A is ComplexLinearOperator {
  return isObject(A) && 'isComplex' in A && A.isComplex === true;
}

/** The parts of a planar vector, as views. */
export function partsOfPlanar<A extends FloatArray>(vector: A): PartsOf<A> {
  const half = vector.length / 2;
  return { re: viewOf(vector, 0, half), im: viewOf(vector, half) };
}

/** Both parts of a vector in one: what is real has imaginary parts of 0. */
export function planarOf<D extends FloatDType>({ re, im }: Operand<FloatArray>, dtype: D): ArrayOf<D> {
  const planar = zeros(dtype, 2 * re.length);
  planar.set(re);
  if (im !== null) planar.set(im, re.length);
  return planar;
}

/** to ← A·from, or Aᴴ·from, of planar vectors, by products of real operators where A is the library's own. */
export function* planarSteps(
  A: LinearOperator | ComplexLinearOperator,
  adjoint: boolean,
  from: FloatArray,
  to: FloatArray,
): Steps<void> {
  if (!isComplexOperator(A)) {
    const [source, target] = [partsOfPlanar(from), partsOfPlanar(to)];
    yield* productOf(A, adjoint, source.re, target.re);
    yield* productOf(A, adjoint, source.im, target.im);
  } else if (isPlanar(A)) {
    yield* A.planarSteps(adjoint, from, to);
  } else {
    yield { A: new ForeignPlanar(A), transposed: adjoint, from, to };
  }
}

function isPlanar(A: ComplexLinearOperator): A is PlanarOperator {
  return 'planarSteps' in A && typeof A.planarSteps === 'function';
}

/**
 * An operator as a real one on planar vectors, of twice as many rows and columns: [[R, −J], [J, R]] of a complex R + i·J. Its
 * transpose is the same of the adjoint, norms and real parts of inner products are those of the complex vectors, and so what
 * an iteration makes of it in real arithmetic is what it would make of the complex operator.
 */
export class Planar implements CompositeOperator {
  readonly shape: readonly [rows: number, cols: number];
  readonly #operator: LinearOperator | ComplexLinearOperator;

  constructor(operator: LinearOperator | ComplexLinearOperator) {
    this.shape = [2 * operator.shape[0], 2 * operator.shape[1]];
    this.#operator = operator;
  }

  /** The operator's, when it says: products in another one are converted. */
  get dtype(): unknown {
    return 'dtype' in this.#operator ? this.#operator.dtype : undefined;
  }

  productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    return planarSteps(this.#operator, transposed, from, to);
  }

  matvec(x: FloatArray): FloatArray {
    return this.#product(false, x, this.shape[0]);
  }

  rmatvec(y: FloatArray): FloatArray {
    return this.#product(true, y, this.shape[1]);
  }

  #product(transposed: boolean, from: FloatArray, length: number): FloatArray {
    const to = uninitialisedLike(from, length);
    runSteps(this.productSteps(transposed, from, to));
    return to;
  }
}

/** A user's own complex operator as a real one on planar vectors. */
class ForeignPlanar implements LinearOperator {
  readonly shape: readonly [rows: number, cols: number];
  readonly #operator: ComplexLinearOperator;

  constructor(operator: ComplexLinearOperator) {
    this.shape = [2 * operator.shape[0], 2 * operator.shape[1]];
    this.#operator = operator;
  }

  matvec(x: FloatArray): FloatArray {
    return checkParts(this.#operator.matvec(partsOfPlanar(x)), this.#operator.shape[0], 'A.matvec(x)');
  }

  rmatvec(y: FloatArray): FloatArray {
    return checkParts(this.#operator.rmatvec(partsOfPlanar(y)), this.#operator.shape[1], 'A.rmatvec(y)');
  }
}

/** What a user's operator returned, which may be anything, as a planar vector. */
function checkParts(product: PartsOf<TypedArray>, length: number, name: string): FloatArray {
  if (!isParts(product)) throw mistake(ArgumentError, name, 'a complex vector { re, im }', product);
  const re = checkProduct(product.re, length, `${name}.re`);
  return planarOf({ re, im: checkProduct(product.im, length, `${name}.im`) }, 'float64');
}

export function takeComplexVector<D extends FloatDType>(
  value: ComplexVectorLike,
  length: number,
  argument: string,
  dtype: D,
): Operand<ArrayOf<D>> {
  if (!isParts(value)) return { re: takeVector(value, length, argument, dtype), im: null };
  return {
    re: takeVector(value.re, length, `${argument}.re`, dtype),
    im: takeVector(value.im, length, `${argument}.im`, dtype),
  };
}

/** A number: real (null for no imaginary part), or { re, im } of two. */
export function takeNumber(
  value: number | PartsOf<number>,
  argument: string,
): { readonly re: number; readonly im: number | null } {
  if (!isParts(value)) return { re: checkNumber(value, argument), im: null };
  return { re: checkNumber(value.re, `${argument}.re`), im: checkNumber(value.im, `${argument}.im`) };
}

/** Where a complex product goes, as resultVector says it of each part. */
export function complexResult<A extends FloatArray>(
  out: unknown,
  length: number,
  values: A,
  operand: Operand<FloatArray>,
  memory?: readonly TypedArray[],
): PartsOf<A> {
  if (out === undefined)
    return { re: uninitialisedLike(values, length), im: uninitialisedLike(values, length) };
  if (!isParts(out) || out.re === undefined || out.im === undefined)
    throw mistake(ArgumentError, 'out', `{ re, im } of ${dtypeOf(values)}`, out);
  const check = (part: unknown): A => {
    if (operand.im !== null) resultVector(part, length, values, operand.im);
    return resultVector(part, length, values, operand.re, memory);
  };
  const [re, im] = [check(out.re), check(out.im)];
  if (overlaps(re, im)) {
    throw mismatch(ArgumentError, 'out.im', 'memory of its own', 'memory shared with out.re');
  }
  return { re, im };
}

/** R + i·J of two real matrices of one shape and dtype. */
export class ComplexMatrix<A extends FloatArray, M extends TypedOperator<A>>
  implements ComplexTypedOperator<A>, PlanarOperator
{
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** Of each part of the entries, and of the vectors that they multiply. */
  readonly dtype: DTypeOf<A>;
  /** Tells it from an operator on real vectors. */
  readonly isComplex = true;
  /** The matrix of the entries' real parts. */
  readonly re: M;
  /** The matrix of the entries' imaginary parts. */
  readonly im: M;
  readonly #values: A;
  readonly #vectors = new Vectors();

  /** @internal @param values  Of the dtype that results have. */
  constructor(re: M, im: M, values: A) {
    this.shape = re.shape;
    this.dtype = re.dtype;
    this.re = re;
    this.im = im;
    this.#values = values;
    refuseCloning(this);
  }

  /** What a result must not lie over, besides the operand. */
  protected get memory(): readonly TypedArray[] {
    return [];
  }

  /** A·x. @param out  Receives it and is returned; of A's dtype, and of memory that it does not share with x. */
  matvec(x: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<A> {
    return this.#multiply(false, takeComplexVector(x, this.shape[1], 'x', this.dtype), out);
  }

  /** Aᴴ·y, the product with the conjugate transpose. */
  rmatvec(y: ComplexVectorLike, out?: PartsOf<TypedArray>): PartsOf<A> {
    return this.#multiply(true, takeComplexVector(y, this.shape[0], 'y', this.dtype), out);
  }

  #multiply(adjoint: boolean, operand: Operand<FloatArray>, out: unknown): PartsOf<A> {
    const result = complexResult(out, this.shape[adjoint ? 1 : 0], this.#values, operand, this.memory);
    runSteps(this.#steps(adjoint, operand, result));
    return result;
  }

  /** @internal */
  planarSteps(adjoint: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    return this.#steps(adjoint, partsOfPlanar(from), partsOfPlanar(to));
  }

  *#steps(adjoint: boolean, from: Operand<FloatArray>, to: PartsOf<FloatArray>): Steps<void> {
    // The adjoint is Rᵀ − i·Jᵀ.
    const sign = adjoint ? -1 : 1;
    yield* productOf(this.re, adjoint, from.re, to.re);
    yield* productOf(this.im, adjoint, from.re, to.im);
    if (from.im === null) {
      if (adjoint) yield* combination(-1, to.im, 0, to.im);
      return;
    }
    const term = this.#vectors.lend(to.re.length, dtypeOf(to.re));
    yield* productOf(this.im, adjoint, from.im, term);
    yield* combination(-sign, term, 1, to.re);
    yield* productOf(this.re, adjoint, from.im, term);
    yield* combination(1, term, sign, to.im);
    this.#vectors.giveBack(term);
  }
}
