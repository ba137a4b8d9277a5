/** The three matrix products of a linear layer, on the backend's one. */
import { backend } from '../backend/select.js';
import { type FloatArray, uninitialisedLike } from '../tensor/dtype.js';

/** c[m][n] = Σ_k a[m][k]·b[k][n]. */
export function product(m: number, n: number, k: number, a: FloatArray, b: FloatArray): FloatArray {
  const c = uninitialisedLike(a, m * n);
  backend().matmul(m, n, k, a, b, c);
  return c;
}

/** c[m][n] = Σ_k a[m][k]·b[n][k]. */
export function productTransposed(m: number, n: number, k: number, a: FloatArray, b: FloatArray): FloatArray {
  return product(m, n, k, a, transpose(n, k, b));
}

/** c[m][n] = Σ_k a[k][m]·b[k][n]. */
export function transposedProduct(m: number, n: number, k: number, a: FloatArray, b: FloatArray): FloatArray {
  return product(m, n, k, transpose(k, m, a), b);
}

// Square tiles, so that the lines that a tile writes stay in the L1 cache until they are full.
const TILE = 16;

/** t[cols][rows] ← a[rows][cols]. */
function transpose(rows: number, cols: number, a: FloatArray): FloatArray {
  const t = uninitialisedLike(a, rows * cols);
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(top + TILE, rows);
    for (let left = 0; left < cols; left += TILE) {
      const right = Math.min(left + TILE, cols);
      for (let i = top; i < bottom; i++) {
        for (let j = left; j < right; j++) t[j * rows + i] = a[i * cols + j];
      }
    }
  }
  return t;
}
