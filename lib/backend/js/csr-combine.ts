/** Products and sums of matrices in compressed sparse rows, row by row over a dense row of sums. */
import type { FloatArray } from '../../tensor/dtype.js';
import type { CsrCombination, CsrParts } from '../backend.js';

/** Calls `term(column, value)` for every term of a row of the result. */
type Terms = (row: number, term: (column: number, value: number) => void) => void;

function termsOf(operation: CsrCombination, a: CsrParts, b: CsrParts): Terms {
  if (operation === 'sum') {
    return (row, term) => {
      for (const { indptr, indices, data } of [a, b])
        for (let p = indptr[row]; p < indptr[row + 1]; p++) term(indices[p], data[p]);
    };
  }
  return (row, term) => {
    for (let p = a.indptr[row]; p < a.indptr[row + 1]; p++) {
      const inner = a.indices[p];
      const factor = a.data[p];
      for (let q = b.indptr[inner]; q < b.indptr[inner + 1]; q++) term(b.indices[q], factor * b.data[q]);
    }
  };
}

/** Columns of the result that the row before this one did not see carry a mark that is not the row's. */
function marksOf(cols: number): Int32Array {
  return new Int32Array(cols).fill(-1);
}

export function csrCombinedSizes(
  operation: CsrCombination,
  a: CsrParts,
  b: CsrParts,
  indptr: Int32Array,
): number {
  const terms = termsOf(operation, a, b);
  const marks = marksOf(b.cols);
  let entries = 0;
  indptr[0] = 0;
  for (let row = 0; row < a.rows; row++) {
    terms(row, (column) => {
      if (marks[column] === row) return;
      marks[column] = row;
      entries++;
    });
    indptr[row + 1] = entries;
  }
  return entries;
}

export function csrCombine(
  operation: CsrCombination,
  a: CsrParts,
  b: CsrParts,
  { indptr, indices, data }: CsrParts,
): void {
  const terms = termsOf(operation, a, b);
  const marks = marksOf(b.cols);
  const sums = new Float64Array(b.cols);
  for (let row = 0; row < a.rows; row++) {
    let end = indptr[row];
    terms(row, (column, value) => {
      if (marks[column] === row) {
        sums[column] += value;
        return;
      }
      marks[column] = row;
      sums[column] = value;
      indices[end++] = column;
    });
    store(indices.subarray(indptr[row], end), sums, data, indptr[row]);
  }
}

function store(columns: Int32Array, sums: Float64Array, data: FloatArray, from: number): void {
  columns.sort();
  for (let i = 0; i < columns.length; i++) data[from + i] = sums[columns[i]];
}
