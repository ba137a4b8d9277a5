/** Matrices in compressed sparse rows: that of a convolution, and products, summed in float64. */

import { forEachRowRun } from '../../plan/entries.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { CsrParts } from '../backend.js';

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

/** y = A·x: two sums side by side, as one alone would wait for each addition to finish. */
export function csrMatvec({ rows, indptr, indices, data }: CsrParts, x: FloatArray, y: FloatArray): void {
  for (let i = 0; i < rows; i++) {
    let even = 0;
    let odd = 0;
    const end = indptr[i + 1] | 0;
    let p = indptr[i] | 0;
    for (; p < end - 1; p = (p + 2) | 0) {
      const q = (p + 1) | 0;
      even += data[p] * x[indices[p]];
      odd += data[q] * x[indices[q]];
    }
    if (p < end) even += data[p] * x[indices[p]];
    y[i] = even + odd;
  }
}

/** x = Aᵀ·y, or x += Aᵀ·y */
export function csrRmatvec(
  { rows, cols, indptr, indices, data }: CsrParts,
  y: FloatArray,
  x: FloatArray,
  adds = false,
): void {
  const sums = adds ? new Float64Array(x) : new Float64Array(cols);
  for (let i = 0; i < rows; i++) {
    const factor = y[i];
    for (let p = indptr[i]; p < indptr[i + 1]; p++) sums[indices[p]] += data[p] * factor;
  }
  x.set(sums);
}

/** Y[rows][columns] = A·X[cols][columns]: the sums of four columns at a time stay in registers. */
export function csrMatmat(
  { rows, indptr, indices, data }: CsrParts,
  columns: number,
  x: FloatArray,
  y: FloatArray,
): void {
  for (let i = 0; i < rows; i++) {
    const start = indptr[i];
    const end = indptr[i + 1];
    const row = i * columns;
    let k = 0;
    for (; k < columns - 3; k += 4) {
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let p = start; p < end; p++) {
        const factor = data[p];
        const from = (indices[p] * columns + k) | 0;
        s0 += factor * x[from];
        s1 += factor * x[(from + 1) | 0];
        s2 += factor * x[(from + 2) | 0];
        s3 += factor * x[(from + 3) | 0];
      }
      y[row + k] = s0;
      y[row + k + 1] = s1;
      y[row + k + 2] = s2;
      y[row + k + 3] = s3;
    }
    for (; k < columns; k++) {
      let sum = 0;
      for (let p = start; p < end; p++) sum += data[p] * x[indices[p] * columns + k];
      y[row + k] = sum;
    }
  }
}
