/** scipy.sparse.save_npz's layout: an .npz of format, shape, and the arrays of that format. */
import { describe, isInstance, isObject, mistake } from '../check.js';
import { ArgumentError, ConvmatError, FormatError } from '../errors.js';
import { paced } from '../host/pace.js';
import {
  ComplexCsrMatrix,
  type ComplexSparseFormats,
  CsrMatrix,
  complexCsrOf,
  csrFromColumns,
  csrFromCoordinates,
  csrOf,
} from '../matrix/csr.js';
import { checksOfArrays } from '../matrix/csr-parts.js';
import type { SparseFormats } from '../matrix/operator.js';
import { isParts, type PartsOf } from '../tensor/complex.js';
import { convert, type FloatArray, isFloatArray } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import { quoted } from '../text.js';
import { Budget, type ReadOptions } from './budget.js';
import { readWriteOptions, type WriteOptions, writeFile } from './files.js';
import { type ArrayRead, arrayParts, readArray, readInt64, readString } from './npy.js';
import { encodeHeader } from './npy-header.js';
import { membersOf } from './npz.js';
import { partOf } from './parts.js';
import { type FileURL, type Source, withBytes } from './source.js';
import { withMember } from './zip-reader.js';
import { archivePieces } from './zip-writer.js';

/**
 * Writes a compressed .npz that scipy.sparse.load_npz reads as a CSR matrix.
 *
 * @param m  A CsrMatrix, or what has toCSR(), such as a ConvMatrix; a complex one too.
 * @example await io.writeSparseNpz('B.npz', convMatrix(kernel, { inputShape: [1, 3, 3] }));
 */
export async function writeSparseNpz(
  path: string | FileURL,
  m: SparseFormats | ComplexSparseFormats,
  options?: WriteOptions,
): Promise<void> {
  const onProgress = readWriteOptions(options);
  await writeFile(path, sparseNpzPieces(m, onProgress));
}

/** What writeSparseNpz writes. */
export function sparseNpzPieces(
  m: SparseFormats | ComplexSparseFormats,
  onProgress: (share: number) => void,
): AsyncIterable<Uint8Array> {
  const { shape, indptr, indices, data } = takeRows(m);
  const [rows, cols] = shape;
  const vector = (values: Int32Array | FloatArray | PartsOf<FloatArray>) => arrayParts(values, 'm');
  const text = [encodeHeader('S3', []), Buffer.from('csr')];
  const sizes = [encodeHeader('i8', [2]), BigInt64Array.of(BigInt(rows), BigInt(cols))];
  const members = [
    { name: 'indices', parts: vector(indices) },
    { name: 'indptr', parts: vector(indptr) },
    { name: 'format', parts: text.map(partOf) },
    { name: 'shape', parts: sizes.map(partOf) },
    { name: 'data', parts: vector(data) },
  ];
  return archivePieces(members, true, onProgress);
}

/** A matrix argument of a writer, in rows. */
export function takeRows(m: SparseFormats | ComplexSparseFormats): CsrMatrix | ComplexCsrMatrix {
  if (!isObject(m) || typeof m.toCSR !== 'function')
    throw mistake(ArgumentError, 'm', 'a matrix with toCSR()', m);
  const matrix: unknown = m.toCSR();
  if (isInstance(matrix, CsrMatrix) || isInstance(matrix, ComplexCsrMatrix)) return matrix;
  throw mistake(ArgumentError, 'm.toCSR()', 'a CsrMatrix', matrix);
}

/** The arrays of each format that is read. */
const ARRAYS: Readonly<Record<string, readonly string[]>> = {
  csr: ['indptr', 'indices', 'data'],
  csc: ['indptr', 'indices', 'data'],
  coo: ['row', 'col', 'data'],
};

/**
 * A matrix that scipy.sparse.save_npz wrote as CSR, CSC or COO; integers and booleans become float64, float16 float32. A
 * complex one is a ComplexCsrMatrix: name that type, as in readSparseNpz<ComplexCsrMatrix>(path), for files that hold one.
 *
 * @throws {FormatError} for damage, and for matrices in the formats bsr and dia: in Python, save_npz(path, m.tocsr()).
 * @example const matrix = await io.readSparseNpz('matrix.npz');
 */
export async function readSparseNpz<T extends CsrMatrix | ComplexCsrMatrix = CsrMatrix>(
  source: Source,
  options?: ReadOptions,
): Promise<T> {
  readInt64(options);
  return withBytes(source, options, async (bytes) => {
    const { name } = bytes;
    const budget = new Budget(name, bytes.size, options);
    const members = await membersOf(bytes);
    const memberOf = (array: string) => {
      const member = members.get(array);
      if (member === undefined) throw new FormatError(`${name}: expected the array '${array}', got none`);
      return member;
    };
    const format = await withMember(bytes, memberOf('format'), readString);
    const wanted = Object.hasOwn(ARRAYS, format) ? ARRAYS[format] : undefined;
    if (wanted === undefined) {
      const expected = 'a matrix of the format csr, csc or coo (in Python, save_npz(path, m.tocsr()))';
      throw new FormatError(`${name}: expected ${expected}, got ${quoted(format)}`);
    }
    const vectorOf = async (array: string): Promise<ArrayRead> => {
      // Values may be 64-bit integers, and are floating point here in any case.
      const manner =
        array === 'data'
          ? { ...options, int64: 'float64' as const }
          : { ...options, int64: 'int32' as const };
      const member = memberOf(array);
      const vector = await withMember(bytes, member, (stream) => readArray(stream, budget, manner));
      if (vector instanceof FormatError) throw vector;
      const { shape } = isParts(vector) ? vector.re : vector;
      if (shape.length !== 1) {
        throw new FormatError(`${name}: expected '${array}' of one axis, got ${shape.length}`);
      }
      return vector;
    };
    const integersOf = async (array: string): Promise<Int32Array> => {
      const vector = await vectorOf(array);
      const { data, dtype } = isParts(vector) ? vector.re : vector;
      if (dtype !== 'int32') throw new FormatError(`${name}: expected integers in '${array}', got ${dtype}`);
      return data as Int32Array;
    };
    const sizes = await integersOf('shape');
    const [rows, cols] = sizes;
    if (sizes.length !== 2 || rows < 0 || cols < 0)
      throw new FormatError(
        `${name}: expected 'shape' of two sizes, got ${describe([...sizes.subarray(0, 9)])}`,
      );
    // Rows of CSR are in the file one by one; the other formats only tell how many there are.
    if (format === 'csr') budget.take(4 * (rows + 1));
    else budget.claimOffsets(rows, cols);
    const [first, second] = [await integersOf(wanted[0]), await integersOf(wanted[1])];
    const values = await vectorOf('data');
    const matrixOf = async ({ data: given }: Tensor): Promise<CsrMatrix> => {
      const data = isFloatArray(given) ? given : convert(given, 'float64');
      if (format === 'csr') {
        await paced(checksOfArrays([rows, cols], first, second, data));
        return csrOf([rows, cols], first, second, data);
      }
      const read = format === 'csc' ? csrFromColumns : csrFromCoordinates;
      return paced(read([rows, cols], first, second, data));
    };
    try {
      const matrix = isParts(values)
        ? complexCsrOf(await matrixOf(values.re), (await matrixOf(values.im)).data)
        : await matrixOf(values);
      return matrix as T;
    } catch (error) {
      if (error instanceof FormatError || !(error instanceof ConvmatError)) throw error;
      throw new FormatError(`${name}: ${error.message}`, { cause: error });
    }
  });
}
