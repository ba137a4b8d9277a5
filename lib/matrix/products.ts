/**
 * Products as steps: a solver, or an operator made of others, yields the products that it needs of simple operators, and
 * pauses in its own arithmetic. Somebody runs them, all at once or with the event loop free in between.
 */
import type { AbortSignalLike } from '../backend/abort.js';
import { breathe, paced } from '../host/pace.js';
import { dtypeOf, type FloatArray } from '../tensor/dtype.js';
import { checkProduct, type LinearOperator } from './operator.js';
import { copyInto, Vectors } from './vectors.js';

/** to ← A·from, or Aᵀ·from. */
export interface ProductStep {
  readonly A: LinearOperator;
  readonly transposed: boolean;
  readonly from: FloatArray;
  readonly to: FloatArray;
}

/** What is yielded without a product is a pause. */
export type Steps<Result> = Generator<ProductStep | undefined, Result, void>;

/** An operator that is made of others: its product is theirs, and arithmetic in between. */
export interface CompositeOperator extends LinearOperator {
  productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void>;
}

/** An operator whose products can run on threads of the library's own. */
interface AsyncOperator extends LinearOperator {
  productAsync(
    transposed: boolean,
    from: FloatArray,
    signal: AbortSignalLike | undefined,
  ): Promise<FloatArray>;
}

/**
 * to ← A·from, or Aᵀ·from, by products of simple operators alone. An operator of another precision than the vectors' gets
 * copies of them.
 */
export function* productOf(
  A: LinearOperator,
  transposed: boolean,
  from: FloatArray,
  to: FloatArray,
): Steps<void> {
  const dtype = 'dtype' in A ? A.dtype : undefined;
  const isAnother = dtype !== dtypeOf(from) || dtype !== dtypeOf(to);
  if (!isAnother || (dtype !== 'float32' && dtype !== 'float64')) {
    yield* productInPrecision(A, transposed, from, to);
    return;
  }
  const vectors = copiesFor.get(A) ?? new Vectors();
  copiesFor.set(A, vectors);
  const operand = vectors.lend(from.length, dtype);
  const product = vectors.lend(to.length, dtype);
  yield* copyInto(operand, from);
  yield* productInPrecision(A, transposed, operand, product);
  yield* copyInto(to, product);
  vectors.giveBack(operand);
  vectors.giveBack(product);
}

/** Kept with the operator, since an iteration asks for the same again and again. */
const copiesFor = new WeakMap<LinearOperator, Vectors>();

function* productInPrecision(
  A: LinearOperator,
  transposed: boolean,
  from: FloatArray,
  to: FloatArray,
): Steps<void> {
  if (isComposite(A)) yield* A.productSteps(transposed, from, to);
  else yield { A, transposed, from, to };
}

function isComposite(A: LinearOperator): A is CompositeOperator {
  return 'productSteps' in A && typeof A.productSteps === 'function';
}

function isAsync(A: LinearOperator): A is AsyncOperator {
  return 'productAsync' in A && typeof A.productAsync === 'function';
}

export function runSteps<Result>(steps: Steps<Result>): Result {
  while (true) {
    const { done, value } = steps.next();
    if (done) return value;
    if (value !== undefined) multiply(value);
  }
}

/** As runSteps; rejects with the signal's reason once it has fired. */
export async function runStepsAsync<Result>(
  steps: Steps<Result>,
  signal: AbortSignalLike | undefined,
): Promise<Result> {
  signal?.throwIfAborted();
  while (true) {
    await breathe();
    signal?.throwIfAborted();
    const { done, value } = steps.next();
    if (done) return value;
    if (value !== undefined) await multiplyAsync(value, signal);
  }
}

async function multiplyAsync(step: ProductStep, signal: AbortSignalLike | undefined): Promise<void> {
  const { A, transposed, from, to } = step;
  // What is over soon is not worth the way to another thread.
  if (!isAsync(A) || from.length + to.length <= ASYNC_ELEMENTS) {
    multiply(step);
    return;
  }
  const product = await A.productAsync(transposed, from, signal);
  await paced(copyInto(to, product));
}

const ASYNC_ELEMENTS = 2 ** 14;

/** Operators of the library write into `to`; what a user's own returns is checked and copied. */
function multiply({ A, transposed, from, to }: ProductStep): void {
  const out = 'dtype' in A && A.dtype === dtypeOf(to) ? to : undefined;
  const product = transposed ? A.rmatvec(from, out) : A.matvec(from, out);
  if (product !== to) to.set(checkProduct(product, to.length, transposed ? 'A.rmatvec(y)' : 'A.matvec(x)'));
}
