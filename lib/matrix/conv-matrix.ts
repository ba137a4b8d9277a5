/** The matrix of a convolution, as an operator that multiplies by structure and is never stored. */

import type { AbortSignalLike } from '../backend/abort.js';
import { type BoundConv, type ConvOperands, NO_CLAMP } from '../backend/backend.js';
import { withOwnOperands } from '../backend/own-operands.js';
import { backend } from '../backend/select.js';
import { checkInteger, checkNumber, checkOptions } from '../check.js';
import { refuseCloning } from '../cloning.js';
import { product } from '../numbers.js';
import { buildRow, countEntries, entryAt, forEachRowRun, type Structure } from '../plan/entries.js';
import type { ConvOp } from '../plan/geometry.js';
import { type ConvPlan, type ConvRequest, planConv } from '../plan/plans/conv.js';
import { weightsOf } from '../plan/weights.js';
import {
  convert,
  convertLike,
  type DTypeOf,
  dtypeOf,
  type FloatArray,
  type FloatDType,
  holds,
  type TypedArray,
  uninitialised,
  uninitialisedLike,
  zeros,
  zerosLike,
} from '../tensor/dtype.js';
import type { TensorLike, VectorLike } from '../tensor/take.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { byColumns } from './columns.js';
import { type CsrMatrix, csrOf } from './csr.js';
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
import { type SpyOptions, spyPicture } from './spy.js';

/** What a convolution is made of, besides its numbers. */
export type ConvMatrixRequest = ConvRequest & { readonly dtype: FloatDType };

/**
 * B such that B·vec(input) = vec(conv(input, weight)) for one sample: [outC·∏outSpatial, inC·∏inSpatial], rows in
 * output order, columns in input order, both row-major (C, spatial…).
 *
 * It stores the kernel, whatever the input's size, and multiplies by structure. Made by `convMatrix`.
 *
 * @example convMatrix(kernel, { inputShape: [1, 3, 3] }).shape   // [4, 9]
 */
export class ConvMatrix<A extends FloatArray = FloatArray> implements TypedOperator<A>, SparseFormats<A> {
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** [C, spatial…]. */
  readonly inputShape: Shape;
  /** [O, spatial…]. */
  readonly outputShape: Shape;
  /** Of the entries, and of the vectors that they multiply. */
  readonly dtype: DTypeOf<A>;
  readonly #request: ConvMatrixRequest;
  readonly #plan: ConvPlan;
  readonly #structure: Structure;
  readonly #weight: A;
  readonly #bound: { [op in ConvOp]?: BoundConv } = {};
  #nnz: number | undefined;

  /** @internal */
  constructor(request: ConvMatrixRequest, weight: A) {
    this.#request = request;
    this.#plan = planConv(request, backend().machine);
    this.#structure = { ...this.#plan, weight };
    this.#weight = weight;
    this.dtype = dtypeOf(weight);
    this.inputShape = Object.freeze(this.#plan.inputShape.slice(1));
    this.outputShape = Object.freeze(this.#plan.outputShape.slice(1));
    this.shape = Object.freeze([product(this.outputShape), product(this.inputShape)] as const);
    refuseCloning(this);
  }

  /** Entries a sparse format stores: one per (output element, in-bounds nonzero tap), coinciding ones merged. */
  get nnz(): number {
    this.#nnz ??= countEntries(this.#structure);
    return this.#nnz;
  }

  /** nnz/(rows·cols). */
  get density(): number {
    const [rows, cols] = this.shape;
    return rows === 0 || cols === 0 ? 0 : this.nnz / rows / cols;
  }

  /** The structure that pictures and formats are made from. */
  get structure(): Structure {
    return this.#structure;
  }

  /** A picture of where the entries are, coloured by kernel tap: every one of a small matrix, gathered of a large. */
  spy(options?: SpyOptions & { readonly format?: 'svg' }): string;
  spy(options: SpyOptions & { readonly format: 'png' }): Uint8Array;
  spy(options?: SpyOptions): string | Uint8Array;
  spy(options?: SpyOptions): string | Uint8Array {
    return spyPicture(this.#structure, this.shape, options);
  }

  /** The transpose, without a copy. */
  get T(): TransposedConvMatrix<A> {
    return new TransposedConvMatrix(this);
  }

  /** B·x: the convolution of x. @param out  Receives it and is returned; shares no memory with x. */
  matvec(x: VectorLike, out?: TypedArray): A {
    const input = takeVector(x, this.shape[1], 'x', this.dtype);
    const output = resultVector(out, this.shape[0], this.#weight, input);
    this.#run('forward', input, output);
    return output;
  }

  /** Bᵀ·y: the convolution's input gradient. */
  rmatvec(y: VectorLike, out?: TypedArray): A {
    const input = takeVector(y, this.shape[0], 'y', this.dtype);
    const output = resultVector(out, this.shape[1], this.#weight, input);
    this.#run('inputGrad', input, output);
    return output;
  }

  /** B·X, [cols, k] → [rows, k]. */
  matmat(X: TensorLike): Tensor<A> {
    const [rows, cols] = this.shape;
    const { data, columns } = takeColumns(X, cols, 'X', this.dtype);
    return byColumns(data, columns, cols, rows, this.#weight, (x, y) => this.#run('forward', x, y));
  }

  /** Bᵀ·Y, [rows, k] → [cols, k]. */
  rmatmat(Y: TensorLike): Tensor<A> {
    const [rows, cols] = this.shape;
    const { data, columns } = takeColumns(Y, rows, 'Y', this.dtype);
    return byColumns(data, columns, rows, cols, this.#weight, (y, x) => this.#run('inputGrad', y, x));
  }

  /** One entry; 0 outside the structure. */
  at(row: number, col: number): number {
    const [rows, cols] = this.shape;
    const [outChannel, ...position] = unflatten(checkInteger(row, 'row', 0, rows - 1), this.#triple('out'));
    const [inChannel, ...source] = unflatten(checkInteger(col, 'col', 0, cols - 1), this.#triple('in'));
    const value = entryAt(this.#structure, outChannel, position, inChannel, source);
    return this.dtype === 'float32' ? Math.fround(value) : value;
  }

  /** The stored entries of one row, columns ascending. */
  row(row: number): { indices: Int32Array; values: A } {
    const [channel, ...position] = unflatten(
      checkInteger(row, 'row', 0, this.shape[0] - 1),
      this.#triple('out'),
    );
    const { indices, values } = buildRow(this.#structure, channel, position);
    return { indices, values: convertLike(this.#weight, values) };
  }

  /** The matrix of the same convolution with another weight, which it keeps. @internal */
  withWeight(weight: A): ConvMatrix<A> {
    return new ConvMatrix({ ...this.#request, ...weightsOf(weight, this.#plan.weightShape, 'auto') }, weight);
  }

  /** α·B: the matrix of the convolution with each weight times α, in the matrix's precision. */
  scale(alpha: number): ConvMatrix<A> {
    const factor = checkNumber(alpha, 'alpha');
    const weight = this.#weight;
    const scaled = uninitialisedLike(weight);
    for (let i = 0; i < weight.length; i++) scaled[i] = weight[i] * factor;
    return this.withWeight(scaled);
  }

  /**
   * diag(d ⊗ 1)·B: the kernel of each output channel times its factor, as a BatchNormalization behind it asks for.
   *
   * @throws {ShapeError} unless d has an element for each output channel.
   */
  scaleChannels(d: VectorLike): ConvMatrix<A> {
    const [channels] = this.#plan.weightShape;
    const factors = takeVector(d, channels, 'd', 'float64');
    const weight = this.#weight;
    const perChannel = weight.length / channels;
    const scaled = uninitialisedLike(weight);
    for (let i = 0; i < weight.length; i++) scaled[i] = weight[i] * factors[Math.floor(i / perChannel)];
    return this.withWeight(scaled);
  }

  toDense(options?: DenseOptions): Tensor<A> {
    const { maxBytes } = checkOptions(options, ['maxBytes']);
    checkDenseSize(this.shape, this.dtype, maxBytes);
    const [rows, cols] = this.shape;
    const data = zerosLike(this.#weight, rows * cols);
    forEachRowRun(this.#structure, ({ first, count, step, entries, columns, values }) => {
      for (let i = 0; i < count; i++) {
        const start = (first + i) * cols + i * step;
        for (let e = 0; e < entries; e++) data[start + columns[e]] = values[e];
      }
    });
    return new Tensor(data, this.shape);
  }

  toCSR(): CsrMatrix<A> {
    checkEntryCount(this.nnz, 'toCSR');
    const indptr = uninitialised('int32', this.shape[0] + 1);
    const indices = uninitialised('int32', this.nnz);
    const data = uninitialisedLike(this.#weight, this.nnz);
    backend().convEntries(this.#plan, this.#weight, { indptr, indices, data });
    return csrOf(this.shape, indptr, indices, data);
  }

  toCOO(): Coo<A> {
    return this.toCSR().toCOO();
  }

  #run(op: 'forward' | 'inputGrad', input: FloatArray, output: FloatArray): void {
    if (output.length === 0) return;
    if (input.length === 0) {
      output.fill(0);
      return;
    }
    this.#bound[op] ??= this.#bind(op);
    this.#bound[op].run(input, output);
  }

  /** B·from or Bᵀ·from on threads of the library's own, with a copy of `from`. @internal */
  async productAsync(
    transposed: boolean,
    from: FloatArray,
    signal: AbortSignalLike | undefined,
  ): Promise<FloatArray> {
    const operand = holds(from, this.dtype) ? from : convert(from, this.dtype);
    const op = transposed ? 'inputGrad' : 'forward';
    const [rows, cols] = this.shape;
    if (rows === 0 || cols === 0) return zeros(this.dtype, transposed ? cols : rows);
    // Calls that come at once may each pack; the first that is done serves all later ones.
    const bound = this.#bound[op] ?? (await backend().bindConvAsync(this.#planOf(op), this.#operands));
    this.#bound[op] ??= bound;
    const resultBytes = operand.BYTES_PER_ELEMENT * (transposed ? cols : rows);
    return withOwnOperands({ x: operand }, resultBytes, { signal }, (own) => bound.runAsync(own.x, signal));
  }

  #bind(op: 'forward' | 'inputGrad'): BoundConv {
    return backend().bindConv(this.#planOf(op), this.#operands);
  }

  #planOf(op: 'forward' | 'inputGrad'): ConvPlan {
    return op === 'forward' ? this.#plan : planConv({ ...this.#request, op }, backend().machine);
  }

  get #operands(): ConvOperands {
    return { weight: this.#weight, bias: null, clamp: NO_CLAMP };
  }

  /** [channels, depth, height, width] of the output or the input. */
  #triple(side: 'in' | 'out'): number[] {
    const { inChannels, outChannels, axes } = this.#structure;
    return [side === 'in' ? inChannels : outChannels, ...axes.map((axis) => axis[side])];
  }
}

/**
 * Bᵀ of a convolution matrix: rows in input order, columns in output order.
 *
 * @example convMatrix(kernel, { inputShape: [1, 3, 3] }).T.matvec([1, 0, 0, 0])   // Float32Array [1, 2, 0, 3, 4, 0, 0, 0, 0]
 */
export class TransposedConvMatrix<A extends FloatArray = FloatArray>
  implements TypedOperator<A>, SparseFormats<A>
{
  /** Rows and columns. */
  readonly shape: readonly [rows: number, cols: number];
  /** The transpose, without a copy. */
  readonly T: ConvMatrix<A>;

  /** @internal */
  constructor(matrix: ConvMatrix<A>) {
    this.shape = Object.freeze([matrix.shape[1], matrix.shape[0]] as const);
    this.T = matrix;
  }

  /** Of the entries, and of the vectors that they multiply. */
  get dtype(): DTypeOf<A> {
    return this.T.dtype;
  }

  /** @internal */
  productAsync(
    transposed: boolean,
    from: FloatArray,
    signal: AbortSignalLike | undefined,
  ): Promise<FloatArray> {
    return this.T.productAsync(!transposed, from, signal);
  }

  /** How many entries are stored. */
  get nnz(): number {
    return this.T.nnz;
  }

  matvec(x: VectorLike, out?: TypedArray): A {
    return this.T.rmatvec(x, out);
  }

  rmatvec(y: VectorLike, out?: TypedArray): A {
    return this.T.matvec(y, out);
  }

  toDense(options?: DenseOptions): Tensor<A> {
    const { data } = this.T.toDense(options);
    const [rows, cols] = this.shape;
    const transposed = uninitialisedLike(data);
    for (let i = 0, at = 0; i < rows; i++) {
      for (let j = 0; j < cols; j++) transposed[at++] = data[j * rows + i];
    }
    return new Tensor(transposed, this.shape);
  }

  toCSR(): CsrMatrix<A> {
    return this.T.toCSR().T;
  }

  toCOO(): Coo<A> {
    return this.toCSR().toCOO();
  }
}

/** Row-major index → one index per axis. */
function unflatten(index: number, sizes: readonly number[]): number[] {
  return sizes
    .reduceRight<number[]>((all, size) => {
      all.push(index % size);
      index = Math.floor(index / size);
      return all;
    }, [])
    .reverse();
}
