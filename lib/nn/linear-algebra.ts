/** The three matrix products of a linear layer, on the backend's one. */
import { backend } from '../backend/select.js';
import { type FloatArray, uninitialisedLike } from '../tensor/dtype.js';
import { gather } from '../tensor/strided.js';

/** c[m][n] = Σ_k a[m][k]·b[k][n]. */
export function product(m: number, n: number, k: number, a: FloatArray, b: FloatArray): FloatArray {
  const c = uninitialisedLike(a, m * n);
  backend().matmul(m, n, k, a, b, c);
  return c;
}

/** c[m][n] = Σ_k a[m][k]·b[n][k]. */
export function productTransposed(m: number, n: number, k: number, a: FloatArray, b: FloatArray): FloatArray {
  return product(m, n, k, a, gather(b, [k, n], [1, k], 0));
}

/** c[m][n] = Σ_k a[k][m]·b[k][n]. */
export function transposedProduct(m: number, n: number, k: number, a: FloatArray, b: FloatArray): FloatArray {
  return product(m, n, k, gather(a, [m, k], [1, m], 0), b);
}
