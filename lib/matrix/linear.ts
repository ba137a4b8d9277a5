/** A convolution as a fully-connected layer, and back. */

import { checkBoolean, checkOptions, checkShape, describeShape, mismatch } from '../check.js';
import { MemoryError, ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { GEOMETRY_OPTIONS } from '../plan/options/window.js';
import { copyOf, zerosLike } from '../tensor/dtype.js';
import { type FloatOf, type TensorLike, takeFloat, takeFloats } from '../tensor/take.js';
import { type FloatTensor, type Nested, type Shape, Tensor } from '../tensor/tensor.js';
import type { ConvMatrix } from './conv-matrix.js';
import type { CsrMatrix } from './csr.js';
import { type ConvMatrixOptions, convMatrix } from './from-weight.js';

/** As of convMatrix, with the bias and the form of the result. */
export interface ConvToLinearOptions<B extends TensorLike = TensorLike> extends ConvMatrixOptions {
  /** [O]. Default none. */
  readonly bias?: B | null;
  /** A CsrMatrix instead of a dense tensor. Default false. */
  readonly sparse?: boolean;
}

/**
 * The fully-connected layer that does the same as a convolution over one sample: y = weight·vec(x) + bias.
 *
 * @param weight  Of the convolution, [O, C/groups, kernel…] or [kernel…]; the kernel is not flipped.
 * @returns weight [O·∏out, C·∏in], dense or CSR; bias [O·∏out], each channel's repeated over its outputs.
 * @throws as convMatrix; {MemoryError} when the dense weight would exceed 1 GiB: take it sparse.
 * @example convToLinear([1, 2], { inputShape: [3] }).weight.toNested()   // [[1, 2, 0], [0, 1, 2]]
 */
export function convToLinear<W extends TensorLike, B extends TensorLike = Nested>(
  weight: W,
  options: ConvToLinearOptions<B> & { readonly sparse: true },
): { weight: CsrMatrix<FloatOf<W, B>>; bias: Tensor<FloatOf<W, B>> };
export function convToLinear<W extends TensorLike, B extends TensorLike = Nested>(
  weight: W,
  options: ConvToLinearOptions<B> & { readonly sparse?: false },
): { weight: Tensor<FloatOf<W, B>>; bias: Tensor<FloatOf<W, B>> };
export function convToLinear<W extends TensorLike, B extends TensorLike = Nested>(
  weight: W,
  options: ConvToLinearOptions<B>,
): { weight: Tensor<FloatOf<W, B>> | CsrMatrix<FloatOf<W, B>>; bias: Tensor<FloatOf<W, B>> };
export function convToLinear(
  weight: TensorLike,
  options: ConvToLinearOptions,
): { weight: FloatTensor | CsrMatrix; bias: FloatTensor } {
  const { bias, sparse, ...geometry } = checkOptions(options, [
    'inputShape',
    'bias',
    'sparse',
    ...GEOMETRY_OPTIONS,
  ]);
  const asSparse = checkBoolean(sparse ?? false, 'options.sparse');
  const [w, b] = takeWithBias(weight, bias);
  const matrix = convMatrix(w, geometry as ConvMatrixOptions);
  const [channels, ...spatial] = matrix.outputShape;
  checkBiasShape(b, channels);
  const perChannel = product(spatial);
  const repeated = zerosLike(w.data, channels * perChannel);
  b?.data.forEach((value, o) => {
    repeated.fill(value, o * perChannel, (o + 1) * perChannel);
  });
  return {
    weight: asSparse ? matrix.toCSR() : denseOf(matrix),
    bias: new Tensor(repeated, [repeated.length]),
  };
}

/**
 * The convolution whose valid output over `inputShape` is 1×1 and equals a linear layer: the kernel is as large as the
 * input, so sliding it over a larger one applies the layer everywhere at once.
 *
 * @param weight  Of the layer, [O, ∏inputShape].
 * @param options.inputShape  [C, spatial…], one to three spatial axes.
 * @returns weight [O, C, spatial…], bias [O] (zeros when absent).
 * @throws {ShapeError} when shapes disagree, {DTypeError} for integers.
 * @example linearToConv([[1, 2, 3, 4]], { inputShape: [1, 2, 2] }).weight.shape   // [1, 1, 2, 2]
 */
export function linearToConv<W extends TensorLike, B extends TensorLike = Nested>(
  weight: W,
  options: { readonly inputShape: Shape; readonly bias?: B | null },
): { weight: Tensor<FloatOf<W, B>>; bias: Tensor<FloatOf<W, B>> };
export function linearToConv(
  weight: TensorLike,
  options: { readonly inputShape: Shape; readonly bias?: TensorLike | null },
): { weight: FloatTensor; bias: FloatTensor } {
  const given = checkOptions(options, ['inputShape', 'bias']);
  const [w, b] = takeWithBias(weight, given.bias);
  const shape = checkShape(given.inputShape, 'options.inputShape', 1);
  if (shape.length < 2 || shape.length > 4) {
    throw mismatch(
      ShapeError,
      'options.inputShape',
      '[channels, spatial…] with 1 to 3 spatial axes',
      describeShape(shape),
    );
  }
  const inputs = product(shape);
  if (w.shape.length !== 2 || w.shape[1] !== inputs) {
    throw mismatch(ShapeError, 'weight', `shape [outputs, ${inputs}]`, describeShape(w.shape));
  }
  const outputs = w.shape[0];
  checkBiasShape(b, outputs);
  const kernel = copyOf(w.data);
  const offsets = zerosLike(w.data, outputs);
  if (b !== null) offsets.set(b.data);
  return { weight: new Tensor(kernel, [outputs, ...shape]), bias: new Tensor(offsets, [outputs]) };
}

/** The matrix dense, or an error that says what else there is. */
function denseOf(matrix: ConvMatrix): FloatTensor {
  try {
    return matrix.toDense();
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    const [rows, cols] = matrix.shape;
    const expected = `a dense weight of at most 1 GiB (sparse: true gives a CsrMatrix of ${matrix.nnz} entries)`;
    throw mismatch(MemoryError, 'toDense', expected, `${rows} × ${cols} of ${matrix.dtype}`);
  }
}

/** Both in one floating dtype. */
function takeWithBias(
  weight: TensorLike,
  bias: TensorLike | null | undefined,
): readonly [FloatTensor, FloatTensor | null] {
  if (bias == null) return [takeFloat(weight, 'weight'), null];
  return takeFloats(['weight', 'options.bias'], [weight, bias]);
}

function checkBiasShape(bias: Tensor | null, channels: number): void {
  if (bias !== null && (bias.shape.length !== 1 || bias.size !== channels)) {
    throw mismatch(ShapeError, 'options.bias', `shape [${channels}]`, describeShape(bias.shape));
  }
}
