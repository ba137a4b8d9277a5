/** SciPy's structured matrices as operators: Toeplitz, circulant and Hankel, each kept by its diagonals, real or complex. */
import { checkInteger, checkOneOf, elementCount, mismatch } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type ComplexVectorLike, isParts, type PartIn, type PartsOf } from '../tensor/complex.js';
import { dtypeOf, type FloatArray, zeros, zerosLike } from '../tensor/dtype.js';
import { type FloatOf, takeFloats, type VectorLike } from '../tensor/take.js';
import { type Nested, Tensor } from '../tensor/tensor.js';
import { ComplexHankel, type ComplexHankelMatrix, Hankel, type HankelMatrix } from './hankel.js';
import {
  type ComplexStructuredMatrix,
  ComplexToeplitz,
  type StructuredMatrix,
  Toeplitz,
} from './toeplitz.js';

/**
 * The Toeplitz matrix with first column c and first row r: A[i, j] = c[i − j] below the diagonal, r[j − i] above it.
 *
 * @param c  A real vector, or { re, im } for a complex one.
 * @param r  Default conj(c): a symmetric matrix, or a Hermitian one where c[0] is real. Its first entry must be c's.
 * @returns the matrix; a complex one (both parts, `rmatvec` by the conjugate transpose) when c or r is complex.
 * @throws {ArgumentError} when the first entries differ, {ShapeError} for empty vectors, {DTypeError} for integers.
 * @example toeplitz([1, 2, 3]).matvec([1, 0, 0])   // Float32Array [1, 2, 3]
 */
export function toeplitz<C extends VectorLike, R extends VectorLike = Nested>(
  c: C,
  r?: R,
): StructuredMatrix<FloatOf<C, R>>;
export function toeplitz<C extends ComplexVectorLike, R extends ComplexVectorLike = Nested>(
  c: C,
  r?: R,
): ComplexStructuredMatrix<FloatOf<PartIn<C>, PartIn<R>>>;
export function toeplitz(
  c: ComplexVectorLike,
  r?: ComplexVectorLike,
): StructuredMatrix | ComplexStructuredMatrix {
  const { column, row } = takePair(c, r);
  if (row !== undefined) checkCorner(entryOf(row, 0), entryOf(column, 0), "c's first entry");
  const [rows, cols] = [column.re.length, (row ?? column).re.length];
  const re = diagonalsOf(column.re, (row ?? column).re);
  if (column.im === undefined) return new Toeplitz(re, rows, cols, false);
  const above = row === undefined ? column.im.map((value) => -value) : row.im;
  return new ComplexToeplitz(
    { re, im: diagonalsOf(column.im, above ?? zerosLike(re, cols)) },
    rows,
    cols,
    false,
  );
}

/**
 * The circulant matrix with first column c: A[i, j] = c[(i − j) mod n].
 *
 * @param c  A real vector, or { re, im } for a complex one.
 * @example circulant([1, 2, 3]).matvec([1, 0, 0])   // Float32Array [1, 2, 3]
 */
export function circulant<C extends VectorLike>(c: C): StructuredMatrix<FloatOf<C>>;
export function circulant<C extends ComplexVectorLike>(c: C): ComplexStructuredMatrix<FloatOf<PartIn<C>>>;
export function circulant(c: ComplexVectorLike): StructuredMatrix | ComplexStructuredMatrix {
  const { re, im } = takePair(c).column;
  const n = re.length;
  const diagonals = (column: FloatArray): FloatArray => {
    const row = zerosLike(column);
    for (let j = 0; j < n; j++) row[j] = column[(n - j) % n];
    return diagonalsOf(column, row);
  };
  if (im === undefined) return new Toeplitz(diagonals(re), n, n, true);
  return new ComplexToeplitz({ re: diagonals(re), im: diagonals(im) }, n, n, true);
}

/**
 * The Hankel matrix with first column c and last row r: A[i, j] = c[i + j], continued by r past c's end.
 *
 * @param c  A real vector, or { re, im } for a complex one.
 * @param r  Default zeros. Its first entry must be c's last.
 * @throws as toeplitz.
 * @example hankel([1, 2, 3]).matvec([0, 1, 0])   // Float32Array [2, 3, 0]
 */
export function hankel<C extends VectorLike, R extends VectorLike = Nested>(
  c: C,
  r?: R,
): HankelMatrix<FloatOf<C, R>>;
export function hankel<C extends ComplexVectorLike, R extends ComplexVectorLike = Nested>(
  c: C,
  r?: R,
): ComplexHankelMatrix<FloatOf<PartIn<C>, PartIn<R>>>;
export function hankel(c: ComplexVectorLike, r?: ComplexVectorLike): HankelMatrix | ComplexHankelMatrix {
  const { column, row } = takePair(c, r);
  const rows = column.re.length;
  if (row !== undefined) checkCorner(entryOf(row, 0), entryOf(column, rows - 1), "c's last entry");
  const cols = row === undefined ? rows : row.re.length;
  const diagonals = (first: FloatArray, last: FloatArray | undefined): FloatArray => {
    const all = zerosLike(first, elementCount([rows + cols - 1], 'c and r'));
    all.set(first);
    if (last !== undefined) all.set(last.subarray(1), rows);
    return all;
  };
  const re = diagonals(column.re, row?.re);
  if (column.im === undefined) return new Hankel(re, rows, cols);
  return new ComplexHankel({ re, im: diagonals(column.im, row?.im) }, rows, cols);
}

/**
 * The dense matrix A with A·v = the convolution of a and v (flipped, as NumPy's `convolve`): A[i, j] = a[i − j + start].
 *
 * @param a     A real vector, or { re, im } for a complex one.
 * @param n     The length of v, which is A's number of columns.
 * @param mode  'full' (the default): a.length + n − 1 rows. 'same': max(a.length, n), centred. 'valid': the rows where
 *   the shorter vector lies within the longer.
 * @returns a tensor, or { re, im } of two when a is complex.
 * @throws {ArgumentError} for n < 1, {ShapeError} for an empty a. As scipy.linalg.convolution_matrix.
 * @example convolutionMatrix([1, 2], 2).toNested()   // [[1, 0], [2, 1], [0, 2]]
 */
export function convolutionMatrix<V extends VectorLike>(
  a: V,
  n: number,
  mode?: 'full' | 'same' | 'valid',
): Tensor<FloatOf<V>>;
export function convolutionMatrix<V extends ComplexVectorLike>(
  a: V,
  n: number,
  mode?: 'full' | 'same' | 'valid',
): PartsOf<Tensor<FloatOf<PartIn<V>>>>;
export function convolutionMatrix(
  a: ComplexVectorLike,
  n: number,
  mode: 'full' | 'same' | 'valid' = 'full',
): Tensor<FloatArray> | PartsOf<Tensor<FloatArray>> {
  const { re, im } = takePair(a, undefined, 'a').column;
  const cols = checkInteger(n, 'n', 1);
  checkOneOf(mode, 'mode', ['full', 'same', 'valid']);
  const matrix = (values: FloatArray) => convolutionTensor(values, cols, mode);
  return im === undefined ? matrix(re) : { re: matrix(re), im: matrix(im) };
}

function convolutionTensor(
  values: FloatArray,
  cols: number,
  mode: 'full' | 'same' | 'valid',
): Tensor<FloatArray> {
  const overlap = Math.min(values.length, cols) - 1;
  const start = mode === 'full' ? 0 : mode === 'same' ? Math.floor(overlap / 2) : overlap;
  const end = mode === 'same' ? overlap - start : start;
  const rows = values.length + cols - 1 - start - end;
  const data = zerosLike(values, elementCount([rows, cols], 'result'));
  for (let i = 0; i < rows; i++) {
    const first = Math.max(0, i + start - values.length + 1);
    const last = Math.min(cols - 1, i + start);
    for (let j = first; j <= last; j++) data[i * cols + j] = values[i - j + start];
  }
  return new Tensor(data, [rows, cols]);
}

function diagonalsOf(column: FloatArray, row: FloatArray): FloatArray {
  const count = elementCount([column.length + row.length - 1], 'c and r');
  const diagonals: FloatArray = zeros(dtypeOf(column), count);
  for (let j = 1; j < row.length; j++) diagonals[row.length - 1 - j] = row[j];
  diagonals.set(column, row.length - 1);
  return diagonals;
}

/** Parts of a vector; of two, both have imaginary ones as soon as one has. */
interface Vector {
  readonly re: FloatArray;
  readonly im?: FloatArray;
}

/** The two vectors in one floating dtype; copies are made of them later. */
function takePair(
  c: ComplexVectorLike,
  r?: ComplexVectorLike,
  name = 'c',
): { readonly column: Vector; readonly row: Vector | undefined } {
  const given = r === undefined ? [c] : [c, r];
  const parts = given.flatMap((vector, i): [string, VectorLike][] => {
    const argument = i === 0 ? name : 'r';
    if (!isParts(vector)) return [[argument, vector]];
    return [
      [`${argument}.re`, vector.re],
      [`${argument}.im`, vector.im],
    ];
  });
  const names = parts.map(([argument]) => argument);
  const taken = takeFloats(
    names,
    parts.map(([, part]) => part),
  );
  taken.forEach(({ size }, i) => {
    if (size === 0) throw mismatch(ShapeError, names[i], 'at least one element', 'none');
  });
  const isComplex = given.some(isParts);
  const arrays = taken.map(({ data }) => data);
  const [column, row] = given.map((vector, i): Vector => {
    const [re] = arrays.splice(0, 1);
    if (!isParts(vector)) return isComplex ? { re, im: zerosLike(re) } : { re };
    const [im] = arrays.splice(0, 1);
    if (im.length !== re.length) {
      const argument = i === 0 ? name : 'r';
      throw mismatch(
        ShapeError,
        `${argument}.im`,
        `${re.length} elements, as ${argument}.re`,
        `${im.length}`,
      );
    }
    return { re, im };
  });
  return { column, row };
}

interface Entry {
  readonly re: number;
  readonly im: number | undefined;
}

function entryOf({ re, im }: Vector, index: number): Entry {
  return { re: re[index], im: im?.[index] };
}

function checkCorner(r: Entry, c: Entry, which: string): void {
  const same = (a: number | undefined, b: number | undefined) =>
    a === b || (Number.isNaN(a) && Number.isNaN(b));
  const shown = ({ re, im }: Entry) => (im === undefined ? `${re}` : `${re} + ${im}i`);
  if (!same(r.re, c.re) || !same(r.im, c.im)) {
    throw mismatch(ArgumentError, 'r', `a first entry equal to ${which} (${shown(c)})`, shown(r));
  }
}
