/** The matrix of a convolution by a complex kernel: those of its real and its imaginary parts, over the same geometry. */
import { type ComplexVectorLike, checkParts, multiplyParts, type PartsOf } from '../tensor/complex.js';
import { type FloatArray, uninitialisedLike, zerosLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import type { Shape, Tensor } from '../tensor/tensor.js';
import { ComplexMatrix, type Operand, takeComplexVector, takeNumber } from './complex.js';
import type { ConvMatrix, TransposedConvMatrix } from './conv-matrix.js';
import { type ComplexCoo, type ComplexCsrMatrix, type CsrMatrix, complexCsrOf, csrOf } from './csr.js';
import type { DenseOptions } from './operator.js';
import type { SpyOptions } from './spy.js';

/**
 * B such that B·vec(input) = vec(conv(input, weight)) for a complex weight, which is neither flipped nor conjugated; `re` and
 * `im` are the matrices of its parts. `rmatvec` is the product with Bᴴ. Made by `convMatrix` of { re, im }.
 *
 * @example convMatrix({ re: [[1, 2]], im: [[0, 1]] }, { inputShape: [1, 1, 3] }).shape   // [2, 3]
 */
export class ComplexConvMatrix<A extends FloatArray = FloatArray> extends ComplexMatrix<A, ConvMatrix<A>> {
  readonly #weight: PartsOf<A>;
  #support: ConvMatrix<A> | undefined;

  /** @internal */
  constructor(re: ConvMatrix<A>, weight: PartsOf<A>) {
    super(re, re.withWeight(weight.im), weight.re);
    this.#weight = weight;
  }

  /** [C, spatial…]. */
  get inputShape(): Shape {
    return this.re.inputShape;
  }

  /** [O, spatial…]. */
  get outputShape(): Shape {
    return this.re.outputShape;
  }

  /** Entries a sparse format stores: one per (output element, in-bounds tap of which a part is not zero), coinciding ones merged. */
  get nnz(): number {
    return this.#places.nnz;
  }

  /** nnz/(rows·cols). */
  get density(): number {
    return this.#places.density;
  }

  /** The transpose, not conjugated, without a copy. */
  get T(): ComplexTransposedConvMatrix<A> {
    return new ComplexTransposedConvMatrix(this, this.#weight.re);
  }

  /** The adjoint Bᴴ, the conjugate transpose, with a copy of the kernel. */
  get H(): ComplexTransposedConvMatrix<A> {
    return this.conjugate().T;
  }

  /** The matrix of the conjugate kernel. */
  conjugate(): ComplexConvMatrix<A> {
    const { re, im } = this.#weight;
    const opposite = uninitialisedLike(im);
    for (let i = 0; i < im.length; i++) opposite[i] = -im[i];
    return new ComplexConvMatrix(this.re, { re, im: opposite });
  }

  /** The matrix whose entries are where a part of this one's is. */
  get #places(): ConvMatrix<A> {
    if (this.#support !== undefined) return this.#support;
    const { re, im } = this.#weight;
    const held = zerosLike(re);
    for (let i = 0; i < held.length; i++) held[i] = re[i] !== 0 || im[i] !== 0 ? 1 : 0;
    this.#support = this.re.withWeight(held);
    return this.#support;
  }

  /** A picture of where the entries are, as ConvMatrix.spy. */
  spy(options?: SpyOptions & { readonly format?: 'svg' }): string;
  spy(options: SpyOptions & { readonly format: 'png' }): Uint8Array;
  spy(options?: SpyOptions): string | Uint8Array;
  spy(options?: SpyOptions): string | Uint8Array {
    return this.#places.spy(options);
  }

  /** B·X, [cols, k] → [rows, k]; X may be real. */
  matmat(X: TensorLike | PartsOf<TensorLike>): PartsOf<Tensor<A>> {
    checkParts(X, 'X');
    return multiplyParts<ConvMatrix<A>, TensorLike, Tensor<A>>(this, X, (B, columns) => B.matmat(columns));
  }

  /** Bᴴ·Y, [rows, k] → [cols, k]; Y may be real. */
  rmatmat(Y: TensorLike | PartsOf<TensorLike>): PartsOf<Tensor<A>> {
    checkParts(Y, 'Y');
    const multiply = (B: ConvMatrix<A>, columns: TensorLike): Tensor<A> => B.rmatmat(columns);
    return multiplyParts<ConvMatrix<A>, TensorLike, Tensor<A>>(this, Y, multiply, true);
  }

  /** One entry; 0 outside the structure. */
  at(row: number, col: number): PartsOf<number> {
    return { re: this.re.at(row, col), im: this.im.at(row, col) };
  }

  /** The stored entries of one row, columns ascending. */
  row(row: number): { indices: Int32Array; values: PartsOf<A> } {
    const { indices } = this.#places.row(row);
    const values = (part: ConvMatrix<A>): A => {
      const held = part.row(row);
      const all = zerosLike(held.values, indices.length);
      spread(held.indices, held.values, indices, all);
      return all;
    };
    return { indices, values: { re: values(this.re), im: values(this.im) } };
  }

  /** α·B: the matrix of the convolution with each weight times α, a number or { re, im } of two. */
  scale(alpha: number | PartsOf<number>): ComplexConvMatrix<A> {
    const { re, im } = takeNumber(alpha, 'alpha');
    return this.#scaled({ re: Float64Array.of(re), im: im === null ? null : Float64Array.of(im) });
  }

  /** diag(d ⊗ 1)·B, as ConvMatrix.scaleChannels; d may be complex. */
  scaleChannels(d: ComplexVectorLike): ComplexConvMatrix<A> {
    return this.#scaled(takeComplexVector(d, this.outputShape[0], 'd', 'float64'));
  }

  /** The kernels of output channels, as many of them as there are factors to a factor. */
  #scaled(factors: Operand<Float64Array>): ComplexConvMatrix<A> {
    const { re, im } = this.#weight;
    const weight = { re: uninitialisedLike(re), im: uninitialisedLike(im) };
    for (let i = 0; i < re.length; i++) {
      const f = Math.floor((i * factors.re.length) / re.length);
      weight.re[i] = re[i] * factors.re[f];
      weight.im[i] = im[i] * factors.re[f];
      if (factors.im !== null) {
        weight.re[i] -= im[i] * factors.im[f];
        weight.im[i] += re[i] * factors.im[f];
      }
    }
    return new ComplexConvMatrix(this.re.withWeight(weight.re), weight);
  }

  /** Both parts, [rows, cols]. @throws {MemoryError} when one would exceed `maxBytes`. */
  toDense(options?: DenseOptions): PartsOf<Tensor<A>> {
    return { re: this.re.toDense(options), im: this.im.toDense(options) };
  }

  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCSR(): ComplexCsrMatrix<A> {
    const { indptr, indices } = this.#places.toCSR();
    const values = (part: CsrMatrix<A>): A => {
      if (part.nnz === indices.length) return part.data;
      const all = zerosLike(part.data, indices.length);
      for (let row = 0; row < this.shape[0]; row++) {
        const [first, end] = [part.indptr[row], part.indptr[row + 1]];
        const places = indices.subarray(indptr[row], indptr[row + 1]);
        spread(part.indices.subarray(first, end), part.data.subarray(first, end), places, all, indptr[row]);
      }
      return all;
    };
    return complexCsrOf(csrOf(this.shape, indptr, indices, values(this.re.toCSR())), values(this.im.toCSR()));
  }

  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCOO(): ComplexCoo<A> {
    return this.toCSR().toCOO();
  }
}

/** Writes values to where their columns stand among more columns, both ascending. */
function spread(columns: Int32Array, values: FloatArray, among: Int32Array, to: FloatArray, start = 0): void {
  for (let p = 0, at = 0; p < columns.length; p++) {
    while (among[at] !== columns[p]) at++;
    to[start + at] = values[p];
  }
}

/**
 * Bᵀ of a complex convolution matrix: rows in input order, columns in output order.
 *
 * @example convMatrix({ re: [[1, 2]], im: [[0, 1]] }, { inputShape: [1, 1, 3] }).T.shape   // [3, 2]
 */
export class ComplexTransposedConvMatrix<A extends FloatArray = FloatArray> extends ComplexMatrix<
  A,
  TransposedConvMatrix<A>
> {
  /** The transpose, not conjugated, without a copy. */
  readonly T: ComplexConvMatrix<A>;

  /** @internal */
  constructor(matrix: ComplexConvMatrix<A>, values: A) {
    super(matrix.re.T, matrix.im.T, values);
    this.T = matrix;
  }

  /** The adjoint, the conjugate transpose, with a copy of the kernel. */
  get H(): ComplexConvMatrix<A> {
    return this.T.conjugate();
  }

  /** How many entries are stored. */
  get nnz(): number {
    return this.T.nnz;
  }

  /** Both parts, [rows, cols]. @throws {MemoryError} when one would exceed `maxBytes`. */
  toDense(options?: DenseOptions): PartsOf<Tensor<A>> {
    return { re: this.re.toDense(options), im: this.im.toDense(options) };
  }

  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCSR(): ComplexCsrMatrix<A> {
    return this.T.toCSR().T;
  }

  /** @throws {MemoryError} past 2³¹ − 1 entries. */
  toCOO(): ComplexCoo<A> {
    return this.toCSR().toCOO();
  }
}
