/** c[m][n] = a[m][k]·b[k][n], summed in float64: exact for int8 and uint8, rounded once for float32. */
import type { TypedArray } from '../../tensor/dtype.js';

export function matmul(m: number, n: number, k: number, a: TypedArray, b: TypedArray, c: TypedArray): void {
  const aRow = new Float64Array(k);
  const bAll = new Float64Array(b);
  const cRow = new Float64Array(n);
  for (let i = 0; i < m; i++) {
    aRow.set(a.subarray(i * k, (i + 1) * k));
    cRow.fill(0);
    for (let p = 0; p < k; p++) {
      const factor = aRow[p];
      for (let j = 0, at = p * n; j < n; j++, at++) cRow[j] += factor * bAll[at];
    }
    c.set(cRow, i * n);
  }
}
