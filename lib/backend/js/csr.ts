/** Matrices in compressed sparse rows: that of a convolution, and products, summed in float64. */
import type { ConvPlan } from '../../plan/conv-plan.js';
import { forEachRowRun } from '../../plan/entries.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { CsrParts } from '../kernels.js';

export function convEntries(
  plan: ConvPlan,
  weight: FloatArray,
  { indptr, indices, data }: Omit<CsrParts, 'rows' | 'cols'>,
): void {
  let end = 0;
  indptr[0] = 0;
  forEachRowRun({ ...plan, weight }, ({ first, count, step, entries, columns, values }) => {
    const start = end;
    for (let i = 0; i < count; i++) {
      const shift = i * step;
      for (let e = 0; e < entries; e++) indices[end++] = columns[e] + shift;
      indptr[first + i + 1] = end;
    }
    data.set(values.subarray(0, entries), start);
    // Every row of the run holds the same values: what is filled is doubled until the run is full.
    for (let filled = entries; filled < end - start; filled *= 2) {
      data.copyWithin(start + filled, start, start + Math.min(filled, end - start - filled));
    }
  });
}

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
