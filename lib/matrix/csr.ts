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
import { ArgumentError, ShapeError } from '../errors.js';
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
import { type FloatOf, type TensorLike, takeFloat, type VectorLike } from '../tensor/take.js';
import { checkData, Tensor } from '../tensor/tensor.js';
import { checkArrays, checkCoordinates, checkMatrixShape, compress, countingStarts } from './csr-parts.js';
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

/** What only this module can hand the constructor, for parts that are right by construction. */
const SOUND = Symbol('sound parts');

/**
 * Row i holds data[p] in column indices[p] for indptr[i] ≤ p < indptr[i + 1]. The arrays are shared, not copied.
 * Column indices ascend within a row in every matrix that the library makes; unsorted ones are accepted, and entries
 * of one place count as their sum.
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
   * @param data     Values, float32 or float64.
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
    if (origin === SOUND) this.shape = Object.freeze([shape[0], shape[1]] as const);
    else {
      this.shape = Object.freeze(checkMatrixShape(shape));
      checkArrays(this.shape, indptr, indices, data);
    }
    this.dtype = dtypeOf(data);
    this.#indptr = indptr;
    this.#indices = indices;
    this.#data = data;
    refuseCloning(this);
  }

  /** From coordinates in any order; entries of one place are summed. */
  static fromCOO<A extends FloatArray>(
    shape: readonly [rows: number, cols: number],
    row: ArrayLike<number>,
    col: ArrayLike<number>,
    data: A,
  ): CsrMatrix<A> {
    const [rows, cols] = checkMatrixShape(shape);
    checkFloat(checkData(data, 'data'), 'data');
    checkCoordinates(row, data.length, rows, 'row');
    checkCoordinates(col, data.length, cols, 'col');
    const parts = compress([rows, cols], row, col, data);
    return csrOf([rows, cols], parts.indptr, parts.indices, parts.data);
  }

  /** The nonzero elements of a [rows, cols] matrix; NaN is one of them. */
  static fromDense<M extends TensorLike>(matrix: M): CsrMatrix<FloatOf<M>>;
  static fromDense(matrix: TensorLike): CsrMatrix {
    const dense = takeFloat(matrix, 'matrix');
    if (dense.shape.length !== 2) {
      throw mismatch(ShapeError, 'matrix', '2 axes [rows, cols]', describeShape(dense.shape));
    }
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
    const { indptr, indices, data } = this;
    const starts = countingStarts(indices, cols);
    const next = starts.slice();
    const newIndices = uninitialised('int32', indices.length);
    const newData = uninitialisedLike(data);
    for (let i = 0; i < rows; i++) {
      for (let p = indptr[i]; p < indptr[i + 1]; p++) {
        const to = next[indices[p]]++;
        newIndices[to] = i;
        newData[to] = data[p];
      }
    }
    return csrOf([cols, rows], starts, newIndices, newData);
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
  multiply(B: CsrMatrix): CsrMatrix {
    checkCsr(B);
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
  add(B: CsrMatrix): CsrMatrix {
    checkCsr(B);
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

  /** α·A, with the same places. @throws {ArgumentError} when alpha is no number. */
  scale(alpha: number): CsrMatrix<A> {
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

function checkCsr(B: unknown): void {
  if (!isInstance(B, CsrMatrix)) throw mistake(ArgumentError, 'B', 'a CsrMatrix', B);
}

function partsOf({ shape, indptr, indices, data }: CsrMatrix): CsrParts {
  return { rows: shape[0], cols: shape[1], indptr, indices, data };
}
