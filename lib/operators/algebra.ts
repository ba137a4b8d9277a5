/** Sums, products and blocks of operators. Each checks its shapes when it is made, and keeps one vector for what lies between. */
import { checkNumber, describeShape, mismatch } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { ConvMatrix } from '../matrix/conv-matrix.js';
import { CsrMatrix } from '../matrix/csr.js';
import type { LinearOperator } from '../matrix/operator.js';
import { productOf, type Steps } from '../matrix/products.js';
import { combination, scaling, Vectors } from '../matrix/vectors.js';
import { convert, type FloatArray } from '../tensor/dtype.js';
import { Diagonal, Identity } from './elementary.js';
import { Composite, commonDType, named, type Operator } from './operator.js';

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

function take(operators: readonly LinearOperator[], what: string): Operator[] {
  if (operators.length === 0) throw mismatch(ArgumentError, 'A', `at least one operator to ${what}`, 'none');
  return operators.map((A, i) => named(A, `A[${i}]`));
}

/** The first operator whose size along `axis` is not the first one's is an error. */
function checkAlike(operators: readonly Operator[], axis: 0 | 1): void {
  const size = operators[0].shape[axis];
  operators.forEach(({ shape }, i) => {
    if (shape[axis] !== size) {
      const expected = `${size} ${axis === 0 ? 'rows' : 'columns'}, as A[0] has`;
      throw mismatch(ShapeError, `A[${i}]`, expected, describeShape(shape));
    }
  });
}

/**
 * A sum: add(A, B)·x = A·x + B·x.
 *
 * @throws {ShapeError} unless all have one shape, {ArgumentError} for no operator or what is none.
 */
export function add(...A: LinearOperator[]): Operator {
  const terms = take(A, 'add').flatMap((term) => (term instanceof Sum ? term.terms : [term]));
  checkAlike(terms, 0);
  checkAlike(terms, 1);
  return terms.length === 1 ? terms[0] : new Sum(terms);
}

/**
 * A multiple: scale(α, A)·x = α·(A·x). The factor goes into the weights of a ConvMatrix, the entries of a CsrMatrix and
 * the elements of a diagonal, so that these stay what they are; scales of scales become one.
 *
 * @throws {ArgumentError} when alpha is not a number or A no operator.
 */
export function scale(alpha: number, A: LinearOperator): Operator {
  const factor = checkNumber(alpha, 'alpha');
  const operator = named(A, 'A');
  // Rounding α·w to the precision of w would err once more than rounding α·(A·x) does, unless α is a power of two;
  // one rounding per weight is what storing the scaled matrix means.
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
 * A product: compose(A, B)·x = A·(B·x). Identities drop out; nothing else is multiplied out.
 *
 * @throws {ShapeError} unless each has as many columns as the next has rows, {ArgumentError} for no operator or what is
 *   none.
 */
export function compose(...A: LinearOperator[]): Operator {
  const given = take(A, 'compose');
  given.forEach((factor, i) => {
    const next = given[i + 1];
    if (next !== undefined && factor.shape[1] !== next.shape[0]) {
      const expected = `${factor.shape[1]} rows, as A[${i}] has columns`;
      throw mismatch(ShapeError, `A[${i + 1}]`, expected, describeShape(next.shape));
    }
  });
  const factors = given
    .flatMap((factor) => (factor instanceof Product ? factor.factors : [factor]))
    .filter((factor) => !(factor instanceof Identity));
  if (factors.length === 0) return given[0];
  return factors.length === 1 ? factors[0] : new Product(factors);
}

/**
 * Operators below one another: y is the products with the same x, one after the other.
 *
 * @throws {ShapeError} unless all have as many columns, {ArgumentError} for no operator or what is none.
 */
export function vstack(...A: LinearOperator[]): Operator {
  const parts = take(A, 'stack');
  checkAlike(parts, 1);
  return parts.length === 1 ? parts[0] : new VerticalStack(parts);
}

/**
 * Operators beside one another: y is the sum of each one's product with its part of x.
 *
 * @throws {ShapeError} unless all have as many rows, {ArgumentError} for no operator or what is none.
 */
export function hstack(...A: LinearOperator[]): Operator {
  const parts = take(A, 'stack');
  checkAlike(parts, 0);
  return parts.length === 1 ? parts[0] : new VerticalStack(parts.map((part) => part.T)).T;
}

/**
 * Operators along the diagonal, zeros elsewhere.
 *
 * @throws {ArgumentError} for no operator or what is none.
 */
export function blockDiag(...A: LinearOperator[]): Operator {
  const blocks = take(A, 'put on the diagonal');
  return blocks.length === 1 ? blocks[0] : new BlockDiagonal(blocks);
}
