/**
 * Norms and sums of vectors: over the whole range of their numbers, and NaN stays NaN. Long vectors are gone through in
 * slices with a pause behind each, at which a solver off the event loop lets it turn; results are the same without. And vectors to hold them.
 */
import { backend } from '../backend/select.js';
import { describe, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';
import { type FloatArray, type FloatDType, holds, uninitialised, viewOf } from '../tensor/dtype.js';

/** Work that pauses: what it yields asks for nothing. */
export type Pauses<Result> = Generator<undefined, Result, void>;

/** Elements of a slice: some tenths of a millisecond, and a multiple of what the backends sum in one go. */
const SLICE = 2 ** 17;

/** Runs work to its end without a pause. */
export function withoutPause<Result>(work: Pauses<Result>): Result {
  while (true) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** What takes some microseconds is done without a pause. */
const SHORT = 2 ** 12;

/** Slices of `length` elements in order, of `most` each, with a pause behind each. */
export function* slices(
  length: number,
  run: (start: number, count: number) => void,
  most = SLICE,
): Pauses<void> {
  for (let start = 0; start < length; start += most) {
    run(start, Math.min(most, length - start));
    if (length > SHORT) yield;
  }
}

function part(a: FloatArray, start: number, count: number): FloatArray {
  return count === a.length ? a : viewOf(a, start, count);
}

/** Sums of squares outside of these lost some of their terms, to 0 or to infinity, or may have. */
const LEAST_SQUARES = 2 ** -900;
const MOST_SQUARES = 2 ** 900;

/** ‖a‖₂, scaled where squares would overflow or vanish; NaN when an element is. */
export function norm(a: FloatArray): number {
  return withoutPause(normOf(a));
}

/** norm, in slices. */
export function* normOf(a: FloatArray): Pauses<number> {
  return yield* rootOf(yield* dotOf(a, a), a);
}

/** √sum where that is the norm of a, whose squares it sums. */
function* rootOf(sum: number, a: FloatArray): Pauses<number> {
  return sum > LEAST_SQUARES && sum < MOST_SQUARES ? Math.sqrt(sum) : yield* scaledNorm(a);
}

function* scaledNorm(a: FloatArray): Pauses<number> {
  let largest = 0;
  yield* slices(a.length, (start, count) => {
    for (let i = start; i < start + count; i++) {
      const size = Math.abs(a[i]);
      if (!(size <= largest)) largest = Number.isNaN(largest) ? NaN : size;
    }
  });
  if (largest === 0 || largest === Infinity || Number.isNaN(largest)) return largest;
  let sum = 0;
  yield* slices(a.length, (start, count) => {
    for (let i = start; i < start + count; i++) sum += (a[i] / largest) ** 2;
  });
  return largest * Math.sqrt(sum);
}

/** y ← a·x + b·y; returns ‖y‖₂. */
export function combine(a: number, x: FloatArray, b: number, y: FloatArray): number {
  return withoutPause(combination(a, x, b, y));
}

/** combine, in slices. */
export function* combination(a: number, x: FloatArray, b: number, y: FloatArray): Pauses<number> {
  let sum = 0;
  yield* slices(y.length, (start, count) => {
    sum += backend().vectorCombine(a, part(x, start, count), b, part(y, start, count));
  });
  return yield* rootOf(sum, y);
}

/** a ← factor·a, each product rounded once; in slices. */
export function* scaling(factor: number, a: FloatArray): Pauses<void> {
  yield* slices(a.length, (start, count) => {
    for (let i = start; i < start + count; i++) a[i] *= factor;
  });
}

/** Σ a[i]·b[i], in float64. */
export function dot(a: FloatArray, b: FloatArray): number {
  return withoutPause(dotOf(a, b));
}

/** dot, in slices. */
export function* dotOf(a: FloatArray, b: FloatArray): Pauses<number> {
  let sum = 0;
  yield* slices(a.length, (start, count) => {
    sum += backend().vectorDot(part(a, start, count), part(b, start, count));
  });
  return sum;
}

/** Zeros, in slices: memory that the system hands out anew is filled with them as well, all at once. */
export function* zerosInSlices(dtype: FloatDType, length: number): Pauses<FloatArray> {
  const vector = uninitialised(dtype, length);
  yield* slices(length, (start, count) => vector.fill(0, start, start + count));
  return vector;
}

/** to ← from, converted, in slices. */
export function* copyInto(to: FloatArray, from: FloatArray): Pauses<void> {
  yield* slices(to.length, (start, count) => to.set(part(from, start, count), start));
}

/** A copy of an operand of that length, in slices. @throws {ArgumentError} when its buffer is taken away or resized before. */
export function* ownCopy(
  from: FloatArray,
  length: number,
  dtype: FloatDType,
  argument: string,
): Pauses<FloatArray> {
  const copy = uninitialised(dtype, length);
  yield* slices(length, (start, count) => {
    if (from.length !== length)
      throw mismatch(
        ArgumentError,
        argument,
        `${length} elements until the call has copied them`,
        describe(from),
      );
    copy.set(part(from, start, count), start);
  });
  return copy;
}

/** Divides by the norm, which it returns; zeros stay. */
export function normalise(a: FloatArray): number {
  const size = norm(a);
  if (size > 0) for (let i = 0; i < a.length; i++) a[i] /= size;
  return size;
}

/** Vectors for what lies between, lent and given back: two products that take turns never hold the same. */
export class Vectors {
  readonly #free: FloatArray[] = [];

  lend(length: number, dtype: FloatDType): FloatArray {
    const found = this.#free.findIndex((vector) => vector.length === length && holds(vector, dtype));
    return found < 0 ? uninitialised(dtype, length) : this.#free.splice(found, 1)[0];
  }

  giveBack(vector: FloatArray): void {
    this.#free.push(vector);
  }
}
