/** Products with a matrix in compressed sparse rows, summed in float64. */
import type { FloatArray } from '../../tensor/dtype.js';
import type { CsrParts } from '../kernels.js';

/** y = A·x */
export function csrMatvec({ rows, indptr, indices, data }: CsrParts, x: FloatArray, y: FloatArray): void {
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let p = indptr[i]; p < indptr[i + 1]; p++) sum += data[p] * x[indices[p]];
    y[i] = sum;
  }
}

/** x = Aᵀ·y */
export function csrRmatvec(
  { rows, cols, indptr, indices, data }: CsrParts,
  y: FloatArray,
  x: FloatArray,
): void {
  const sums = new Float64Array(cols);
  for (let i = 0; i < rows; i++) {
    const factor = y[i];
    for (let p = indptr[i]; p < indptr[i + 1]; p++) sums[indices[p]] += data[p] * factor;
  }
  x.set(sums);
}

/** Y[rows][columns] = A·X[cols][columns] */
export function csrMatmat(
  { rows, indptr, indices, data }: CsrParts,
  columns: number,
  x: FloatArray,
  y: FloatArray,
): void {
  const sums = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    sums.fill(0);
    for (let p = indptr[i]; p < indptr[i + 1]; p++) {
      const factor = data[p];
      const from = indices[p] * columns;
      for (let k = 0; k < columns; k++) sums[k] += factor * x[from + k];
    }
    y.set(sums, i * columns);
  }
}
