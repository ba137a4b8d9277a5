/** scipy.sparse.save_npz's layout: an .npz of format, shape, and the arrays of that format. */
import { mistake } from '../check.js';
import { ArgumentError, ConvmatError, FormatError } from '../errors.js';
import { CsrMatrix } from '../matrix/csr.js';
import { convert, type FloatArray } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { Budget, type ReadOptions } from './budget.js';
import { readWriteOptions, type WriteOptions } from './files.js';
import { encodeArray, encodeHeader, readArray, readString } from './npy.js';
import { forEachEntry, writeArchive } from './npz.js';

/** Writes a compressed .npz that scipy.sparse.load_npz reads as the same CSR matrix. */
export async function writeSparseNpz(path: string, m: CsrMatrix, options?: WriteOptions): Promise<void> {
  const onProgress = readWriteOptions(options);
  if (!(m instanceof CsrMatrix)) throw mistake(ArgumentError, 'm', 'a CsrMatrix', m);
  const [rows, cols] = m.shape;
  const vector = (data: Int32Array | FloatArray) => encodeArray(new Tensor(data, [data.length]));
  await writeArchive(
    path,
    [
      { name: 'indices', parts: vector(m.indices) },
      { name: 'indptr', parts: vector(m.indptr) },
      { name: 'format', parts: [encodeHeader('S3', []), Buffer.from('csr')] },
      { name: 'shape', parts: [encodeHeader('i8', [2]), BigInt64Array.of(BigInt(rows), BigInt(cols))] },
      { name: 'data', parts: vector(m.data) },
    ],
    true,
    onProgress,
  );
}

/** A matrix that scipy.sparse.save_npz wrote as CSR, CSC or COO. Integer data become float64. */
export async function readSparseNpz(path: string, options?: ReadOptions): Promise<CsrMatrix> {
  const budget = new Budget(path, options);
  const arrays = new Map<string, Tensor>();
  let format: string | undefined;
  await forEachEntry(path, async (name, source) => {
    budget.take(source.size);
    if (name === 'format') format = await readString(source);
    else arrays.set(name, await readArray(source));
  });
  const part = (name: string): Tensor => {
    const array = arrays.get(name);
    if (array === undefined) throw new FormatError(`${path}: expected the array '${name}', got none`);
    if (array.shape.length !== 1)
      throw new FormatError(`${path}: expected '${name}' of one axis, got ${array.shape.length}`);
    return array;
  };
  const indices = (name: string): Int32Array => {
    const array = part(name);
    if (array.dtype !== 'int32')
      throw new FormatError(`${path}: expected integers in '${name}', got ${array.dtype}`);
    return array.data as Int32Array;
  };
  const sizes = indices('shape');
  const [rows, cols] = sizes;
  if (sizes.length !== 2)
    throw new FormatError(`${path}: expected 'shape' of two sizes, got ${sizes.length}`);
  budget.takeOffsets(Math.max(0, rows), Math.max(0, cols));
  const values = part('data');
  const data =
    values.dtype === 'float32' || values.dtype === 'float64'
      ? (values.data as FloatArray)
      : convert(values.data, 'float64');
  try {
    if (format === 'csr') return new CsrMatrix([rows, cols], indices('indptr'), indices('indices'), data);
    // A CSC matrix is the transpose of the CSR matrix with the same arrays.
    if (format === 'csc') return new CsrMatrix([cols, rows], indices('indptr'), indices('indices'), data).T;
    if (format === 'coo') return CsrMatrix.fromCOO([rows, cols], indices('row'), indices('col'), data);
  } catch (error) {
    if (error instanceof FormatError || !(error instanceof ConvmatError)) throw error;
    throw new FormatError(`${path}: ${error.message}`, { cause: error });
  }
  throw new FormatError(`${path}: expected the format csr, csc or coo, got ${format}`);
}
