/** c[m][n] = a[m][k]·b[k][n], summed in float64: exact for int8 and uint8, rounded once for float32. */
import type { TypedArray } from '../../tensor/dtype.js';
import { columns, multiply, rows, tileAt, tiles } from './gemm.js';
import { runAll } from './work.js';

export function matmul(m: number, n: number, k: number, a: TypedArray, b: TypedArray, c: TypedArray): void {
  const work = multiply(
    {
      rows: m,
      columns: n,
      depth: k,
      packRows: ({ first, count, start, depth }) => {
        for (let i = 0; i < count; i++) {
          const from = (first + i) * k + start;
          rows[i % 2].set(a.subarray(from, from + depth), (i >> 1) * depth);
        }
      },
      packColumns: ({ first, count, start, depth }) => {
        const line = new Float64Array(count);
        for (let p = 0; p < depth; p++) {
          const from = (start + p) * n + first;
          line.set(b.subarray(from, from + count));
          for (let j = 0; j < count; j++) columns[j % 3][Math.floor(j / 3) * depth + p] = line[j];
        }
      },
      store: ({ firstRow, rowCount, firstColumn, columnCount }) => {
        const line = new Float64Array(columnCount);
        for (let i = 0; i < rowCount; i++) {
          for (let j = 0; j < columnCount; j++) line[j] = tiles[tileAt(i, j, columnCount)];
          c.set(line, (firstRow + i) * n + firstColumn);
        }
      },
    },
    Number.POSITIVE_INFINITY,
  );
  runAll(work);
}
