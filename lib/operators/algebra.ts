/** Sums, products and blocks of operators. Each checks its shapes when it is made, and keeps one vector for what lies between. */
import { describeShape, mismatch } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { isComplexOperator, takeNumber } from '../matrix/complex.js';
import { ComplexConvMatrix } from '../matrix/complex-conv-matrix.js';
import { ConvMatrix } from '../matrix/conv-matrix.js';
import { ComplexCsrMatrix, CsrMatrix } from '../matrix/csr.js';
import type { ComplexLinearOperator, LinearOperator } from '../matrix/operator.js';
import { productOf, type Steps } from '../matrix/products.js';
import { combination, scaling, Vectors } from '../matrix/vectors.js';
import type { PartsOf } from '../tensor/complex.js';
import { convert, type FloatArray } from '../tensor/dtype.js';
import { named } from './as-operator.js';
import { ComplexMap, type ComplexOperator, PlanarMap, Regroup, Turned } from './complex.js';
import { Diagonal, Identity } from './elementary.js';
import { Composite, commonDType, type Operator } from './operator.js';

class Sum extends Composite {
  readonly terms: readonly Operator[];
  readonly #vectors = new Vectors();

  constructor(terms: readonly Operator[]) {
    const [rows, cols] = terms[0].shape;
    super(rows, cols, commonDType(terms));
    this.terms = terms;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    const [first, ...rest] = this.terms;
    yield* productOf(first, transposed, from, to);
    const term = this.#vectors.lend(to.length, this.dtype);
    for (const A of rest) {
      yield* productOf(A, transposed, from, term);
      yield* combination(1, term, 1, to);
    }
    this.#vectors.giveBack(term);
  }
}

class Scaled extends Composite {
  readonly alpha: number;
  readonly operand: Operator;

  constructor(alpha: number, operand: Operator) {
    super(operand.shape[0], operand.shape[1], operand.dtype);
    this.alpha = alpha;
    this.operand = operand;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    yield* productOf(this.operand, transposed, from, to);
    yield* scaling(this.alpha, to);
  }
}

class Product extends Composite {
  readonly factors: readonly Operator[];
  readonly #vectors = new Vectors();

  constructor(factors: readonly Operator[]) {
    super(factors[0].shape[0], factors[factors.length - 1].shape[1], commonDType(factors));
    this.factors = factors;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    const inOrder = transposed ? this.factors : [...this.factors].reverse();
    let vector = from;
    for (const [i, factor] of inOrder.entries()) {
      const length = factor.shape[transposed ? 1 : 0];
      const next = i === inOrder.length - 1 ? to : this.#vectors.lend(length, this.dtype);
      yield* productOf(factor, transposed, vector, next);
      if (vector !== from) this.#vectors.giveBack(vector);
      vector = next;
    }
  }
}

/** Operators below one another, on the same x. */
class VerticalStack extends Composite {
  readonly #parts: readonly Operator[];
  readonly #vectors = new Vectors();

  constructor(parts: readonly Operator[]) {
    super(
      parts.reduce((rows, part) => rows + part.shape[0], 0),
      parts[0].shape[1],
      commonDType(parts),
    );
    this.#parts = parts;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    let start = 0;
    const term = this.#vectors.lend(transposed ? to.length : 0, this.dtype);
    for (const [i, part] of this.#parts.entries()) {
      const end = start + part.shape[0];
      if (transposed) {
        yield* productOf(part, true, from.subarray(start, end), i === 0 ? to : term);
        if (i > 0) yield* combination(1, term, 1, to);
      } else {
        yield* productOf(part, false, from, to.subarray(start, end));
      }
      start = end;
    }
    this.#vectors.giveBack(term);
  }
}

class BlockDiagonal extends Composite {
  readonly #blocks: readonly Operator[];

  constructor(blocks: readonly Operator[]) {
    const total = (axis: 0 | 1) => blocks.reduce((sum, block) => sum + block.shape[axis], 0);
    super(total(0), total(1), commonDType(blocks));
    this.#blocks = blocks;
  }

  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    let [read, written] = [0, 0];
    for (const block of this.#blocks) {
      const [rows, cols] = transposed ? [block.shape[1], block.shape[0]] : block.shape;
      const part = from.subarray(read, read + cols);
      yield* productOf(block, transposed, part, to.subarray(written, written + rows));
      read += cols;
      written += rows;
    }
  }
}

/** An operator, real or complex. */
export type AnyOperator = LinearOperator | ComplexLinearOperator;
/** What these functions make of them: complex as soon as one operand is. */
type Named = Operator | ComplexOperator;

function take(operators: readonly AnyOperator[], what: string): Named[] {
  if (operators.length === 0) throw mismatch(ArgumentError, 'A', `at least one operator to ${what}`, 'none');
  return operators.map((A, i) => named(A, `A[${i}]`));
}

function isReal(operator: Named): operator is Operator {
  return !isComplexOperator(operator);
}

/** The operators when all are real, else null. */
function allReal(operators: readonly Named[]): readonly Operator[] | null {
  const real = operators.filter(isReal);
  return real.length === operators.length ? real : null;
}

/** As a real operator on planar vectors. */
function planarOperator(A: Named): Operator {
  if (A instanceof ComplexMap) return A.planar;
  return A instanceof Identity ? new Identity(2 * A.shape[0], A.dtype) : new PlanarMap(A, A.dtype);
}

/** The first operator whose size along `axis` is not the first one's is an error. */
function checkAlike(operators: readonly Named[], axis: 0 | 1): void {
  const size = operators[0].shape[axis];
  operators.forEach(({ shape }, i) => {
    if (shape[axis] !== size) {
      const expected = `${size} ${axis === 0 ? 'rows' : 'columns'}, as A[0] has`;
      throw mismatch(ShapeError, `A[${i}]`, expected, describeShape(shape));
    }
  });
}

/**
 * A sum: add(A, B)·x = A·x + B·x. Complex when an operand is.
 *
 * @throws {ShapeError} unless all have one shape, {ArgumentError} for no operator or what is none.
 * @example add(identity(2), diagonal([1, 2])).matvec([1, 1])   // Float64Array [2, 3]
 */
export function add(...A: LinearOperator[]): Operator;
export function add(...A: AnyOperator[]): ComplexOperator;
export function add(...A: AnyOperator[]): Named {
  const given = take(A, 'add');
  checkAlike(given, 0);
  checkAlike(given, 1);
  const real = allReal(given);
  return real === null ? new ComplexMap(sum(given.map(planarOperator))) : sum(real);
}

function sum(operators: readonly Operator[]): Operator {
  const terms = operators.flatMap((term) => (term instanceof Sum ? term.terms : [term]));
  return terms.length === 1 ? terms[0] : new Sum(terms);
}

/**
 * A multiple: scale(α, A)·x = α·(A·x), α a number or { re, im } of two. The factor goes into the weights of a convolution's
 * matrix, the entries of a CSR matrix and the elements of a diagonal, so that these stay what they are; scales of scales become
 * one.
 *
 * @throws {ArgumentError} when alpha is not a number or A no operator.
 * @example scale(2, identity(2)).matvec([1, 3])   // Float64Array [2, 6]
 */
export function scale(alpha: number, A: LinearOperator): Operator;
export function scale(alpha: number | PartsOf<number>, A: AnyOperator): ComplexOperator;
export function scale(alpha: number | PartsOf<number>, A: AnyOperator): Named {
  const { re, im } = takeNumber(alpha, 'alpha');
  const operator = named(A, 'A');
  const factor = im === null ? re : { re, im };
  // Rounding α·w to the precision of w would err once more than rounding α·(A·x) does, unless α is a power of two;
  // one rounding per weight is what storing the scaled matrix means.
  if (operator instanceof ComplexConvMatrix || operator instanceof ComplexCsrMatrix)
    return operator.scale(factor);
  if (im !== null) return new ComplexMap(new Turned({ re, im }, planarOperator(operator)));
  return isReal(operator) ? scaled(re, operator) : new ComplexMap(scaled(re, planarOperator(operator)));
}

function scaled(factor: number, operator: Operator): Operator {
  if (operator instanceof ConvMatrix || operator instanceof CsrMatrix) return operator.scale(factor);
  if (operator instanceof Diagonal) {
    const elements = convert(operator.elements, operator.dtype);
    for (let i = 0; i < elements.length; i++) elements[i] *= factor;
    return new Diagonal(elements, operator.dtype);
  }
  return operator instanceof Scaled
    ? new Scaled(factor * operator.alpha, operator.operand)
    : new Scaled(factor, operator);
}

/**
 * A product: compose(A, B)·x = A·(B·x). Identities drop out; nothing else is multiplied out. Complex when an operand is.
 *
 * @throws {ShapeError} unless each has as many columns as the next has rows, {ArgumentError} for no operator or what is
 *   none.
 * @example compose(diagonal([1, 2]), diagonal([3, 4])).matvec([1, 1])   // Float64Array [3, 8]
 */
export function compose(...A: LinearOperator[]): Operator;
export function compose(...A: AnyOperator[]): ComplexOperator;
export function compose(...A: AnyOperator[]): Named {
  const given = take(A, 'compose');
  given.forEach((factor, i) => {
    const next = given[i + 1];
    if (next !== undefined && factor.shape[1] !== next.shape[0]) {
      const expected = `${factor.shape[1]} rows, as A[${i}] has columns`;
      throw mismatch(ShapeError, `A[${i + 1}]`, expected, describeShape(next.shape));
    }
  });
  const real = allReal(given);
  return real === null ? new ComplexMap(chain(given.map(planarOperator))) : chain(real);
}

function chain(operators: readonly Operator[]): Operator {
  const factors = operators
    .flatMap((factor) => (factor instanceof Product ? factor.factors : [factor]))
    .filter((factor) => !(factor instanceof Identity));
  if (factors.length === 0) return operators[0];
  return factors.length === 1 ? factors[0] : new Product(factors);
}

/**
 * Operators below one another: y is the products with the same x, one after the other. Complex when an operand is.
 *
 * @throws {ShapeError} unless all have as many columns, {ArgumentError} for no operator or what is none.
 * @example vstack(identity(2), diagonal([2, 3])).matvec([1, 1])   // Float64Array [1, 1, 2, 3]
 */
export function vstack(...A: LinearOperator[]): Operator;
export function vstack(...A: AnyOperator[]): ComplexOperator;
export function vstack(...A: AnyOperator[]): Named {
  const parts = take(A, 'stack');
  checkAlike(parts, 1);
  return parts.length === 1 ? parts[0] : below(parts);
}

function below(parts: readonly Named[]): Named {
  const real = allReal(parts);
  if (real !== null) return new VerticalStack(real);
  return new ComplexMap(chain([together(parts, 0), new VerticalStack(parts.map(planarOperator))]));
}

/** From the planar vectors of each part's rows or columns to the one of all. */
function together(parts: readonly Named[], axis: 0 | 1): Operator {
  return new Regroup(
    parts.map(({ shape }) => shape[axis]),
    commonDType(parts),
  );
}

/**
 * Operators beside one another: y is the sum of each one's product with its part of x. Complex when an operand is.
 *
 * @throws {ShapeError} unless all have as many rows, {ArgumentError} for no operator or what is none.
 * @example hstack(identity(2), diagonal([2, 3])).matvec([1, 1, 1, 1])   // Float64Array [3, 4]
 */
export function hstack(...A: LinearOperator[]): Operator;
export function hstack(...A: AnyOperator[]): ComplexOperator;
export function hstack(...A: AnyOperator[]): Named {
  const parts = take(A, 'stack');
  checkAlike(parts, 0);
  return parts.length === 1 ? parts[0] : adjointOf(below(parts.map(adjointOf)));
}

function adjointOf(operator: Named): Named {
  return isReal(operator) ? operator.T : operator.H;
}

/**
 * Operators along the diagonal, zeros elsewhere. Complex when an operand is.
 *
 * @throws {ArgumentError} for no operator or what is none.
 * @example blockDiag(identity(1), diagonal([2, 3])).matvec([1, 1, 1])   // Float64Array [1, 2, 3]
 */
export function blockDiag(...A: LinearOperator[]): Operator;
export function blockDiag(...A: AnyOperator[]): ComplexOperator;
export function blockDiag(...A: AnyOperator[]): Named {
  const blocks = take(A, 'put on the diagonal');
  if (blocks.length === 1) return blocks[0];
  const real = allReal(blocks);
  if (real !== null) return new BlockDiagonal(real);
  const diagonal = new BlockDiagonal(blocks.map(planarOperator));
  return new ComplexMap(chain([together(blocks, 0), diagonal, together(blocks, 1).T]));
}
