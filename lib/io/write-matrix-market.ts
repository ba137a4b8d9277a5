/** Writing Matrix Market's text format. Rows and columns count from 1 in the file. */
import type { ComplexCsrMatrix, ComplexSparseFormats, CsrMatrix } from '../matrix/csr.js';
import type { SparseFormats } from '../matrix/operator.js';
import { isParts } from '../tensor/complex.js';
import { readWriteOptions, type WriteOptions, writeFile } from './files.js';
import { deflated } from './inflate.js';
import { type FileURL, pathOf } from './source.js';
import { takeRows } from './sparse-npz.js';

/**
 * Writes «coordinate real general», or «complex» of a ComplexCsrMatrix: one line per stored entry, every digit kept; compressed by gzip where the path ends
 * in .gz.
 *
 * @example await io.writeMatrixMarket('B.mtx.gz', convMatrix(kernel, { inputShape: [1, 3, 3] }));
 */
export async function writeMatrixMarket(
  path: string | FileURL,
  m: SparseFormats | ComplexSparseFormats,
  options?: WriteOptions,
): Promise<void> {
  const onProgress = readWriteOptions(options);
  const text = matrixMarketPieces(m, onProgress);
  await writeFile(path, pathOf(path).endsWith('.gz') ? deflated(text, 'gzip') : text);
}

/** What writeMatrixMarket writes, not compressed. */
export function matrixMarketPieces(
  m: SparseFormats | ComplexSparseFormats,
  onProgress: (share: number) => void,
): Iterable<Uint8Array> {
  return linesOf(takeRows(m), onProgress);
}

/** In characters: of one piece that is written. */
const PIECE = 1 << 14;

function* linesOf(
  matrix: CsrMatrix | ComplexCsrMatrix,
  onProgress: (share: number) => void,
): Generator<Uint8Array> {
  const { shape, indptr, indices, data, nnz } = matrix;
  const { re, im } = isParts(data) ? data : { re: data, im: null };
  const field = im === null ? 'real' : 'complex';
  let text = `%%MatrixMarket matrix coordinate ${field} general\n${shape[0]} ${shape[1]} ${nnz}\n`;
  for (let row = 0; row < shape[0]; row++) {
    for (let i = indptr[row]; i < indptr[row + 1]; i++) {
      const imaginary = im === null ? '' : ` ${formatValue(im[i])}`;
      text += `${row + 1} ${indices[i] + 1} ${formatValue(re[i])}${imaginary}\n`;
      if (text.length > PIECE) {
        yield Buffer.from(text);
        text = '';
        onProgress(i / nnz);
      }
    }
  }
  yield Buffer.from(text);
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}
