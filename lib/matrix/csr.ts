/** Compressed sparse rows: the format of matrices that are stored. */
import type { CsrCombination, CsrParts } from '../backend/backend.js';
import { backend } from '../backend/select.js';
import {
  checkInteger,
  checkNumber,
  checkOffsets,
  checkOptions,
  describeShape,
  elementCount,
  isInstance,
  mismatch,
  mistake,
  sameShape,
} from '../check.js';
import { refuseCloning } from '../cloning.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import {
  type ComplexVectorLike,
  checkParts,
  isParts,
  multiplyParts,
  type PartsOf,
} from '../tensor/complex.js';
import {
  checkFloat,
  convert,
  copyOf,
  type DTypeOf,
  dtypeOf,
  type FloatArray,
  type TypedArray,
  uninitialised,
  uninitialisedLike,
  viewOf,
  zeros,
  zerosLike,
} from '../tensor/dtype.js';
import { type FloatOf, type TensorLike, takeFloat, takeFloats, type VectorLike } from '../tensor/take.js';
import { checkData, type Shape, Tensor } from '../tensor/tensor.js';
import { ComplexMatrix, type Operand, takeComplexVector, takeNumber } from './complex.js';
import {
  checkArrays,
  checkMatrixShape,
  checksOfArrays,
  checksOfCoordinates,
  compressing,
  transposing,
} from './csr-parts.js';
import {
  type Coo,
  checkDenseSize,
  checkEntryCount,
  type DenseOptions,
  resultVector,
  type SparseFormats,
  type TypedOperator,
  takeColumns,
  takeVector,
} from './operator.js';
import type { Steps } from './products.js';
import { type Pauses, withoutPause } from './vectors.js';

/** What is multiplied without a pause: some tenths of a millisecond. */
const BLOCK_ENTRIES = 2 ** 18;
const BLOCK_ROWS = 2 ** 16;

/** What only this module can hand the constructor, for parts that are right by construction. */
const SOUND = Symbol('sound parts');

/**
 * Row i holds data[p] in column indices[p] for indptr[i] ≤ p < indptr[i + 1]. The arrays are shared, not copied.
 * Column indices ascend within a row in every matrix that the library makes; unsorted ones are accepted, and entries
 * of one place count as their sum.
 *
 * @example new CsrMatrix([2, 2], Int32Array.of(0, 1, 2), Int32Array.of(1, 0), Float32Array.of(3, 4)).matvec([1, 2])   // Float32Array [6, 4]
 */
export class CsrMatrix<A extends FloatArray = FloatArray> implements TypedOperator<A>, SparseFormats<A> {
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** Of the entries, and of the vectors that they multiply. */
  readonly dtype: DTypeOf<A>;
  // Kernels walk by these: nobody may put others in their place after they were checked.
  readonly #indptr: Int32Array;
  readonly #indices: Int32Array;
  readonly #data: A;

  /**
   * @param indptr   rows + 1 offsets, from 0 to the number of entries, never falling.
   * @param indices  Columns, each in [0, cols).
   * @param data     Values, float32 or float64. Given { re, im }, `new` makes the ComplexCsrMatrix of them.
   * @throws {ShapeError} for wrong lengths, {ArgumentError} for offsets that fall or columns out of range,
   *   {DTypeError} for other arrays.
   */
  constructor(
    shape: readonly [rows: number, cols: number],
    indptr: Int32Array,
    indices: Int32Array,
    data: A,
    /** @internal */
    origin?: typeof SOUND,
  ) {
    const values = isParts<A>(data) ? data.re : data;
    if (origin === SOUND) this.shape = Object.freeze([shape[0], shape[1]] as const);
    else {
      this.shape = Object.freeze(checkMatrixShape(shape));
      checkArrays(this.shape, indptr, indices, values);
    }
    this.dtype = dtypeOf(values);
    this.#indptr = indptr;
    this.#indices = indices;
    this.#data = values;
    refuseCloning(this);
    // biome-ignore lint/correctness/noConstructorReturn: classes have no overloads; in TypeScript it is ComplexCsrMatrix by name
    if (isParts<A>(data)) return new ComplexCsrMatrix(shape, indptr, indices, data) as never;
  }

  /** From coordinates in any order; entries of one place are summed. Of { re, im }, a ComplexCsrMatrix. */
  static fromCOO<A extends FloatArray>(
    shape: readonly [rows: number, cols: number],
    row: ArrayLike<number>,
    col: ArrayLike<number>,
    data: A,
  ): CsrMatrix<A>;
  static fromCOO<A extends FloatArray>(
    shape: readonly [rows: number, cols: number],
    row: ArrayLike<number>,
    col: ArrayLike<number>,
    data: PartsOf<A>,
  ): ComplexCsrMatrix<A>;
  static fromCOO<A extends FloatArray>(
    shape: readonly [rows: number, cols: number],
    row: ArrayLike<number>,
    col: ArrayLike<number>,
    data: A | PartsOf<A>,
  ): CsrMatrix<A> | ComplexCsrMatrix<A> {
    if (isParts(data)) {
      const re = CsrMatrix.fromCOO(shape, row, col, data.re);
      const im = CsrMatrix.fromCOO(shape, row, col, data.im);
      checkSameDType(re, im);
      return complexCsrOf(re, im.data);
    }
    return withoutPause(csrFromCoordinates(checkMatrixShape(shape), row, col, data));
  }

  /**
   * The nonzero elements of a [rows, cols] matrix; NaN is one of them. Of { re, im }, the ComplexCsrMatrix of the elements of
   * which a part is not zero.
   */
  static fromDense<M extends TensorLike>(matrix: M): CsrMatrix<FloatOf<M>>;
  static fromDense<M extends TensorLike>(matrix: PartsOf<M>): ComplexCsrMatrix<FloatOf<M>>;
  static fromDense(matrix: TensorLike | PartsOf<TensorLike>): CsrMatrix | ComplexCsrMatrix {
    if (isParts(matrix)) return complexFromDense(matrix);
    const dense = takeFloat(matrix, 'matrix');
    checkMatrixAxes(dense.shape);
    const [rows, cols] = dense.shape;
    const values = dense.data;
    let count = 0;
    for (let i = 0; i < values.length; i++) if (values[i] !== 0) count++;
    const indptr = zeros('int32', rows + 1);
    const indices = uninitialised('int32', count);
    const data = uninitialisedLike(values, count);
    for (let i = 0, at = 0, end = 0; i < rows; i++) {
      for (let j = 0; j < cols; j++, at++) {
        if (values[at] === 0) continue;
        indices[end] = j;
        data[end++] = values[at];
      }
      indptr[i + 1] = end;
    }
    return csrOf([rows, cols], indptr, indices, data);
  }

  /** rows + 1 offsets of the rows' entries. */
  get indptr(): Int32Array {
    return this.#indptr;
  }

  /** The column of each entry. */
  get indices(): Int32Array {
    return this.#indices;
  }

  /** The value of each entry. */
  get data(): A {
    return this.#data;
  }

  /** Stored entries. */
  get nnz(): number {
    return this.indices.length;
  }

  /** nnz/(rows·cols). */
  get density(): number {
    const [rows, cols] = this.shape;
    return rows === 0 || cols === 0 ? 0 : this.nnz / rows / cols;
  }

  /** The transpose, as a matrix of its own. Its columns ascend, whatever the order here. */
  get T(): CsrMatrix<A> {
    this.#checkOffsets();
    const [rows, cols] = this.shape;
    const { indptr, indices, data } = withoutPause(transposing([rows, cols], this));
    return csrOf([cols, rows], indptr, indices, data);
  }

  #checkOffsets(): void {
    checkOffsets(this.#indptr, this.shape[0], this.#data.length);
  }

  /** What a result must not lie over. */
  get #memory(): readonly TypedArray[] {
    return [this.#indptr, this.#indices, this.#data];
  }

  /** A·x. @param out  Receives it and is returned; shares no memory with x or the matrix. */
  matvec(x: VectorLike, out?: TypedArray): A {
    const operand = takeVector(x, this.shape[1], 'x', this.dtype);
    const result = resultVector(out, this.shape[0], this.#data, operand, this.#memory);
    backend().csrMatvec(partsOf(this), operand, result);
    return result;
  }

  /** Aᵀ·y. */
  rmatvec(y: VectorLike, out?: TypedArray): A {
    const operand = takeVector(y, this.shape[0], 'y', this.dtype);
    const result = resultVector(out, this.shape[1], this.#data, operand, this.#memory);
    backend().csrRmatvec(partsOf(this), operand, result);
    return result;
  }

  /** The product, some rows at a time. @internal */
  *productSteps(transposed: boolean, from: FloatArray, to: FloatArray): Steps<void> {
    let adds = false;
    if (this.shape[0] === 0) to.fill(0);
    for (const { first, end, parts } of this.#blocks()) {
      if (transposed) backend().csrRmatvec(parts, from.subarray(first, end), to, adds);
      else backend().csrMatvec(parts, from, to.subarray(first, end));
      adds = true;
      yield;
    }
  }

  /** All rows in blocks of about as many entries each, as matrices that share this one's columns and values. */
  *#blocks(): Generator<{ first: number; end: number; parts: CsrParts }> {
    const [rows, cols] = this.shape;
    const indptr = this.#indptr;
    for (let first = 0; first < rows; ) {
      const start = indptr[first];
      let end = first;
      do {
        end++;
        if (!(indptr[end] >= indptr[end - 1])) checkOffsets(indptr, rows, this.#data.length);
      } while (end < rows && end - first < BLOCK_ROWS && indptr[end] - start < BLOCK_ENTRIES);
      const entries = indptr[end] - start;
      if (start < 0 || start + entries > this.#data.length) checkOffsets(indptr, rows, this.#data.length);
      // Taken away since the last block.
      if (start + entries > this.#indices.length)
        throw mismatch(ArgumentError, 'indices', `${this.#data.length} columns`, `${this.#indices.length}`);
      const offsets = uninitialised('int32', end - first + 1);
      for (let i = first; i <= end; i++) offsets[i - first] = indptr[i] - start;
      // No view of memory that may be gone, where none is needed.
      const indices = entries === 0 ? zeros('int32', 0) : viewOf(this.#indices, start, entries);
      const data = entries === 0 ? zerosLike(this.#data, 0) : viewOf(this.#data, start, entries);
      yield { first, end, parts: { rows: end - first, cols, indptr: offsets, indices, data } };
      first = end;
    }
  }

  /** A·X, [cols, k] → [rows, k]. */
  matmat(X: TensorLike): Tensor<A> {
    const [rows, cols] = this.shape;
    const { data, columns } = takeColumns(X, cols, 'X', this.dtype);
    const result = uninitialisedLike(this.data, elementCount([rows, columns], 'output'));
    backend().csrMatmat(partsOf(this), columns, data, result);
    return new Tensor(result, [rows, columns]);
  }

  /**
   * A·B, a matrix of its own, in the wider of the two precisions; sums are in float64. Places whose products cancel keep
   * an entry of 0, so that the structure follows from the operands' alone (SciPy drops it).
   *
   * @throws {ShapeError} unless B has as many rows as this has columns, {ArgumentError} when B is no CsrMatrix,
   *   {MemoryError} past 2³¹ − 1 entries.
   */
  multiply(B: CsrMatrix): CsrMatrix;
  multiply(B: ComplexCsrMatrix): ComplexCsrMatrix;
  multiply(B: CsrMatrix | ComplexCsrMatrix): CsrMatrix | ComplexCsrMatrix {
    checkCsr(B);
    if (isParts(B)) return complexCsrOf<FloatArray>(this.multiply(B.re), this.multiply(B.im).data);
    const [rows, inner] = this.shape;
    if (B.shape[0] !== inner) throw mismatch(ShapeError, 'B', `${inner} rows`, describeShape(B.shape));
    return this.#combine(B, [rows, B.shape[1]], 'multiply', 'product');
  }

  /**
   * A + B, a matrix of its own, in the wider of the two precisions. Entries that cancel are kept as 0, as in multiply.
   *
   * @throws {ShapeError} unless the shapes are equal, {ArgumentError} when B is no CsrMatrix, {MemoryError} past
   *   2³¹ − 1 entries.
   */
  add(B: CsrMatrix): CsrMatrix;
  add(B: ComplexCsrMatrix): ComplexCsrMatrix;
  add(B: CsrMatrix | ComplexCsrMatrix): CsrMatrix | ComplexCsrMatrix {
    checkCsr(B);
    if (isParts(B)) return B.add(this);
    if (!sameShape(B.shape, this.shape))
      throw mismatch(ShapeError, 'B', describeShape(this.shape), describeShape(B.shape));
    return this.#combine(B, this.shape, 'add', 'sum');
  }

  #combine(
    B: CsrMatrix,
    [rows, cols]: readonly [number, number],
    name: string,
    operation: CsrCombination,
  ): CsrMatrix {
    const dtype = this.dtype === B.dtype ? this.dtype : 'float64';
    const [a, b] = [this, B].map((matrix) => ({
      ...partsOf(matrix),
      data: matrix.dtype === dtype ? matrix.data : convert(matrix.data, dtype),
    }));
    const indptr = uninitialised('int32', rows + 1);
    const entries = backend().csrCombinedSizes(operation, a, b, indptr);
    checkEntryCount(entries, name);
    const indices = uninitialised('int32', entries);
    const data: FloatArray = uninitialised(dtype, entries);
    backend().csrCombine(operation, a, b, { rows, cols, indptr, indices, data });
    return csrOf([rows, cols], indptr, indices, data);
  }

  /** α·A, with the same places; complex when α is { re, im }. @throws {ArgumentError} when alpha is no number. */
  scale(alpha: number): CsrMatrix<A>;
  scale(alpha: PartsOf<number>): ComplexCsrMatrix<A>;
  scale(alpha: number | PartsOf<number>): CsrMatrix<A> | ComplexCsrMatrix<A> {
    if (isParts(alpha)) return toComplex(this).scale(alpha);
    const factor = checkNumber(alpha, 'alpha');
    return this.#withData((value) => value * factor);
  }

  /** diag(d)·A. @throws {ShapeError} unless d has an element for each row. */
  scaleRows(d: VectorLike): CsrMatrix<A> {
    const factors = takeVector(d, this.shape[0], 'd', 'float64');
    return this.#withData((value, row) => value * factors[row]);
  }

  /** A·diag(d). @throws {ShapeError} unless d has an element for each column. */
  scaleColumns(d: VectorLike): CsrMatrix<A> {
    const factors = takeVector(d, this.shape[1], 'd', 'float64');
    return this.#withData((value, _row, column) => value * factors[column]);
  }

  /** The same places with other values: each array is copied. */
  #withData(value: (old: number, row: number, column: number) => number): CsrMatrix<A> {
    this.#checkOffsets();
    const indices = this.#indices.slice();
    const data = uninitialisedLike(this.#data);
    for (let i = 0; i < this.shape[0]; i++) {
      for (let p = this.#indptr[i]; p < this.#indptr[i + 1]; p++)
        data[p] = value(this.#data[p], i, indices[p]);
    }
    return csrOf(this.shape, this.#indptr.slice(), indices, data);
  }

  /**
   * Rows from … to − 1, a matrix of its own.
   *
   * @throws {ArgumentError} unless 0 ≤ from ≤ to ≤ rows.
   */
  rows(from: number, to: number): CsrMatrix<A> {
    const first = checkInteger(from, 'from', 0, this.shape[0]);
    const end = checkInteger(to, 'to', first, this.shape[0]);
    this.#checkOffsets();
    const start = this.#indptr[first];
    const stop = this.#indptr[end];
    const indptr = this.#indptr.slice(first, end + 1);
    for (let i = 0; i < indptr.length; i++) indptr[i] -= start;
    return csrOf(
      [end - first, this.shape[1]],
      indptr,
      this.#indices.slice(start, stop),
      copyOf(viewOf(this.#data, start, stop - start)),
    );
  }

  toDense(options?: DenseOptions): Tensor<A> {
    const { maxBytes } = checkOptions(options, ['maxBytes']);
    checkDenseSize(this.shape, this.dtype, maxBytes);
    this.#checkOffsets();
    const [rows, cols] = this.shape;
    const { indptr, indices, data } = this;
    const dense = zerosLike(data, rows * cols);
    for (let i = 0; i < rows; i++) {
      for (let p = indptr[i]; p < indptr[i + 1]; p++) dense[i * cols + indices[p]] += data[p];
    }
    return new Tensor(dense, this.shape);
  }

  toCSR(): CsrMatrix<A> {
    return this;
  }

  /** The entries in stored order. */
  toCOO(): Coo<A> {
    this.#checkOffsets();
    const { shape, indptr, indices, data } = this;
    const row = uninitialised('int32', indices.length);
    for (let i = 0; i < shape[0]; i++) row.fill(i, indptr[i], indptr[i + 1]);
    return { shape, row, col: indices.slice(), data: copyOf(data) };
  }
}

/** A matrix of parts that are right by construction: they are not checked. @internal */
export function csrOf<A extends FloatArray>(
  shape: readonly [number, number],
  indptr: Int32Array,
  indices: Int32Array,
  data: A,
): CsrMatrix<A> {
  return new CsrMatrix(shape, indptr, indices, data, SOUND);
}

/** CsrMatrix.fromCOO of real values, with pauses. @internal */
export function* csrFromCoordinates<A extends FloatArray>(
  [rows, cols]: readonly [number, number],
  row: ArrayLike<number>,
  col: ArrayLike<number>,
  values: A,
): Pauses<CsrMatrix<A>> {
  checkFloat(checkData(values, 'data'), 'data');
  yield* checksOfCoordinates(row, values.length, rows, 'row');
  yield* checksOfCoordinates(col, values.length, cols, 'col');
  const { indptr, indices, data } = yield* compressing([rows, cols], row, col, values);
  return csrOf([rows, cols], indptr, indices, data);
}

/** The matrix of this shape of which these are the arrays in compressed columns, with pauses. @internal */
export function* csrFromColumns<A extends FloatArray>(
  [rows, cols]: readonly [number, number],
  indptr: Int32Array,
  indices: Int32Array,
  values: A,
): Pauses<CsrMatrix<A>> {
  yield* checksOfArrays([cols, rows], indptr, indices, values);
  const byRows = yield* transposing([cols, rows], { indptr, indices, data: values });
  return csrOf([rows, cols], byRows.indptr, byRows.indices, byRows.data);
}

function checkCsr(B: unknown): void {
  if (!isInstance(B, CsrMatrix) && !isInstance(B, ComplexCsrMatrix))
    throw mistake(ArgumentError, 'B', 'a CsrMatrix', B);
}

function checkMatrixAxes(shape: Shape): void {
  if (shape.length !== 2) throw mismatch(ShapeError, 'matrix', '2 axes [rows, cols]', describeShape(shape));
}

function checkSameDType(re: CsrMatrix, im: CsrMatrix): void {
  if (re.dtype !== im.dtype) throw mismatch(DTypeError, 'data.im', `${re.dtype}, as data.re`, im.dtype);
}

function complexFromDense(matrix: PartsOf<TensorLike>): ComplexCsrMatrix {
  checkParts(matrix, 'matrix');
  const [re, im] = takeFloats(['matrix.re', 'matrix.im'], [matrix.re, matrix.im]);
  checkMatrixAxes(re.shape);
  const held = zeros('float32', re.size);
  for (let i = 0; i < held.length; i++) held[i] = re.data[i] !== 0 || im.data[i] !== 0 ? 1 : 0;
  const { shape, indptr, indices } = CsrMatrix.fromDense(new Tensor(held, re.shape));
  const valuesOf = (dense: FloatArray): FloatArray => {
    const values = uninitialisedLike(dense, indices.length);
    for (let i = 0; i < shape[0]; i++) {
      for (let p = indptr[i]; p < indptr[i + 1]; p++) values[p] = dense[i * shape[1] + indices[p]];
    }
    return values;
  };
  return complexCsrOf(csrOf(shape, indptr, indices, valuesOf(re.data)), valuesOf(im.data));
}

function partsOf({ shape, indptr, indices, data }: CsrMatrix): CsrParts {
  return { rows: shape[0], cols: shape[1], indptr, indices, data };
}

/** Coordinates and complex values, one per stored entry, as Coo has them. */
export interface ComplexCoo<A extends FloatArray = FloatArray> {
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** Row of each entry. */
  readonly row: Int32Array;
  /** Column of each entry. */
  readonly col: Int32Array;
  /** Both parts of the value of each entry. */
  readonly data: PartsOf<A>;
}

/** Complex matrices whose entries can be had, as SparseFormats has real ones. */
export interface ComplexSparseFormats<A extends FloatArray = FloatArray> {
  /** Both parts, [rows, cols]. @throws {MemoryError} when one would exceed `maxBytes`. */
  toDense(options?: DenseOptions): PartsOf<Tensor<A>>;
  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCSR(): ComplexCsrMatrix<A>;
  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCOO(): ComplexCoo<A>;
}

/**
 * A CsrMatrix of complex entries: both parts lie in the same places, `re` and `im` are their matrices, and all arrays are
 * shared. `rmatvec` is the product with the conjugate transpose.
 *
 * @example CsrMatrix.fromDense({ re: [[1, 0]], im: [[2, 0]] }).nnz   // 1
 */
export class ComplexCsrMatrix<A extends FloatArray = FloatArray>
  extends ComplexMatrix<A, CsrMatrix<A>>
  implements ComplexSparseFormats<A>
{
  /**
   * @param data  { re, im }: both parts of the values, float32 or float64. The rest, and errors, as CsrMatrix has them.
   * @example new ComplexCsrMatrix([1, 2], Int32Array.of(0, 1), Int32Array.of(1), { re: Float64Array.of(0), im: Float64Array.of(2) })
   */
  constructor(
    shape: readonly [rows: number, cols: number],
    indptr: Int32Array,
    indices: Int32Array,
    data: PartsOf<A>,
    /** @internal */
    origin?: typeof SOUND,
  ) {
    if (!isParts(data))
      throw mistake(ArgumentError, 'data', 'both parts of complex values, { re, im }', data);
    const re = new CsrMatrix(shape, indptr, indices, data.re, origin);
    const im = new CsrMatrix(shape, indptr, indices, data.im, origin);
    checkSameDType(re, im);
    super(re, im, data.re);
  }

  /** rows + 1 offsets of the rows' entries. */
  get indptr(): Int32Array {
    return this.re.indptr;
  }

  /** The column of each entry. */
  get indices(): Int32Array {
    return this.re.indices;
  }

  /** Both parts of the value of each entry. */
  get data(): PartsOf<A> {
    return { re: this.re.data, im: this.im.data };
  }

  /** Stored entries. */
  get nnz(): number {
    return this.re.nnz;
  }

  /** nnz/(rows·cols). */
  get density(): number {
    return this.re.density;
  }

  /** The transpose, not conjugated, as a matrix of its own. */
  get T(): ComplexCsrMatrix<A> {
    return complexCsrOf(this.re.T, this.im.T.data);
  }

  /** The adjoint Aᴴ, the conjugate transpose, as a matrix of its own. */
  get H(): ComplexCsrMatrix<A> {
    return complexCsrOf(this.re.T, this.im.T.scale(-1).data);
  }

  protected override get memory(): readonly TypedArray[] {
    return [this.indptr, this.indices, this.re.data, this.im.data];
  }

  /** A·X, [cols, k] → [rows, k]; X may be real. */
  matmat(X: TensorLike | PartsOf<TensorLike>): PartsOf<Tensor<A>> {
    checkParts(X, 'X');
    return multiplyParts<CsrMatrix<A>, TensorLike, Tensor<A>>(this, X, (A, columns) => A.matmat(columns));
  }

  /** A·B, as CsrMatrix.multiply; B may be real. */
  multiply(B: CsrMatrix | ComplexCsrMatrix): ComplexCsrMatrix {
    checkCsr(B);
    const { re, im } = multiplyParts<CsrMatrix, CsrMatrix, CsrMatrix>(this, B, (p, q) => p.multiply(q));
    return complexCsrOf(re, im.data);
  }

  /** A + B, as CsrMatrix.add; B may be real. */
  add(B: CsrMatrix | ComplexCsrMatrix): ComplexCsrMatrix {
    checkCsr(B);
    const other = isParts(B) ? B : toComplex(B);
    return complexCsrOf(this.re.add(other.re), this.im.add(other.im).data);
  }

  /** α·A, with the same places. @throws {ArgumentError} unless alpha is a number or { re, im } of two. */
  scale(alpha: number | PartsOf<number>): ComplexCsrMatrix<A> {
    const { re, im } = takeNumber(alpha, 'alpha');
    return this.#scaled({ re: Float64Array.of(re), im: im === null ? null : Float64Array.of(im) }, () => 0);
  }

  /** diag(d)·A. @throws {ShapeError} unless d has an element for each row. */
  scaleRows(d: ComplexVectorLike): ComplexCsrMatrix<A> {
    return this.#scaled(takeComplexVector(d, this.shape[0], 'd', 'float64'), (row) => row);
  }

  /** A·diag(d). @throws {ShapeError} unless d has an element for each column. */
  scaleColumns(d: ComplexVectorLike): ComplexCsrMatrix<A> {
    return this.#scaled(takeComplexVector(d, this.shape[1], 'd', 'float64'), (_row, column) => column);
  }

  /** The same places, each value times one of the factors: the arrays are copied. */
  #scaled(
    factors: Operand<Float64Array>,
    factorOf: (row: number, column: number) => number,
  ): ComplexCsrMatrix<A> {
    const { row, col, data } = this.toCOO();
    for (let p = 0; p < row.length; p++) {
      const f = factorOf(row[p], col[p]);
      const [re, im] = [data.re[p], data.im[p]];
      data.re[p] = re * factors.re[f];
      data.im[p] = im * factors.re[f];
      if (factors.im !== null) {
        data.re[p] -= im * factors.im[f];
        data.im[p] += re * factors.im[f];
      }
    }
    return complexCsrOf(csrOf(this.shape, this.indptr.slice(), col, data.re), data.im);
  }

  /** Rows from … to − 1, a matrix of its own. @throws {ArgumentError} unless 0 ≤ from ≤ to ≤ rows. */
  rows(from: number, to: number): ComplexCsrMatrix<A> {
    return complexCsrOf(this.re.rows(from, to), this.im.rows(from, to).data);
  }

  /** Both parts, [rows, cols]. @throws {MemoryError} when one would exceed `maxBytes`. */
  toDense(options?: DenseOptions): PartsOf<Tensor<A>> {
    return { re: this.re.toDense(options), im: this.im.toDense(options) };
  }

  toCSR(): ComplexCsrMatrix<A> {
    return this;
  }

  /** The entries in stored order. */
  toCOO(): ComplexCoo<A> {
    const { shape, row, col, data } = this.re.toCOO();
    return { shape, row, col, data: { re: data, im: copyOf(this.im.data) } };
  }
}

/** The complex matrix of a real part and the values that are imaginary in its places. @internal */
export function complexCsrOf<A extends FloatArray>(re: CsrMatrix<A>, im: A): ComplexCsrMatrix<A> {
  return new ComplexCsrMatrix(re.shape, re.indptr, re.indices, { re: re.data, im }, SOUND);
}

function toComplex<A extends FloatArray>(matrix: CsrMatrix<A>): ComplexCsrMatrix<A> {
  return complexCsrOf(matrix, zerosLike(matrix.data));
}
