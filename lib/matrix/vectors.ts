/** Norms and sums of vectors, over the whole range of their numbers, where NaN stays NaN; and vectors to hold them. */
import { backend } from '../backend/select.js';
import { type FloatArray, type FloatDType, uninitialised } from '../tensor/dtype.js';

/** Sums of squares outside of these lost some of their terms, to 0 or to infinity, or may have. */
const LEAST_SQUARES = 2 ** -900;
const MOST_SQUARES = 2 ** 900;

/** ‖a‖₂, scaled where squares would overflow or vanish; NaN when an element is. */
export function norm(a: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * a[i];
  return rootOf(sum, a);
}

/** √sum where that is the norm of a, whose squares it sums. */
function rootOf(sum: number, a: ArrayLike<number>): number {
  return sum > LEAST_SQUARES && sum < MOST_SQUARES ? Math.sqrt(sum) : scaledNorm(a);
}

function scaledNorm(a: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const size = Math.abs(a[i]);
    if (Number.isNaN(size)) return NaN;
    if (size > largest) largest = size;
  }
  if (largest === 0 || largest === Infinity) return largest;
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/** y ← a·x + b·y; returns ‖y‖₂. */
export function combine(a: number, x: FloatArray, b: number, y: FloatArray): number {
  return rootOf(backend().vectorCombine(a, x, b, y), y);
}

/** Σ a[i]·b[i], in float64. */
export function dot(a: FloatArray, b: FloatArray): number {
  return backend().vectorDot(a, b);
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
    const found = this.#free.findIndex((vector) => vector.length === length);
    return found < 0 ? uninitialised(dtype, length) : this.#free.splice(found, 1)[0];
  }

  giveBack(vector: FloatArray): void {
    this.#free.push(vector);
  }
}
