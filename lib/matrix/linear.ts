/** A convolution as a fully-connected layer, and back. */
import { checkBoolean, checkOptions, checkShape, describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { GEOMETRY_OPTIONS } from '../plan/options/window.js';
import { checkFloat, type FloatArray, uninitialised, zeros } from '../tensor/dtype.js';
import { type TensorLike, takeOperands } from '../tensor/take.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { type ConvMatrixOptions, convMatrix } from './conv-matrix.js';
import type { CsrMatrix } from './csr.js';

export interface ConvToLinearOptions extends ConvMatrixOptions {
  /** [O]. Default none. */
  readonly bias?: TensorLike | null;
  /** A CsrMatrix instead of a dense tensor. Default false. */
  readonly sparse?: boolean;
}

/**
 * The fully-connected layer that does the same as a convolution over one sample: y = weight·vec(x) + bias.
 *
 * @param weight  Of the convolution, [O, C/groups, kernel…] or [kernel…]; the kernel is not flipped.
 * @returns weight [O·∏out, C·∏in], dense or CSR; bias [O·∏out], each channel's repeated over its outputs.
 * @throws as convMatrix; {MemoryError} when the dense weight would exceed 1 GiB: take it sparse.
 */
export function convToLinear(
  weight: TensorLike,
  options: ConvToLinearOptions & { readonly sparse: true },
): { weight: CsrMatrix; bias: Tensor<FloatArray> };
export function convToLinear(
  weight: TensorLike,
  options: ConvToLinearOptions & { readonly sparse?: false },
): { weight: Tensor<FloatArray>; bias: Tensor<FloatArray> };
export function convToLinear(
  weight: TensorLike,
  options: ConvToLinearOptions,
): { weight: Tensor<FloatArray> | CsrMatrix; bias: Tensor<FloatArray> };
export function convToLinear(
  weight: TensorLike,
  options: ConvToLinearOptions,
): { weight: Tensor<FloatArray> | CsrMatrix; bias: Tensor<FloatArray> } {
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
  const perChannel = spatial.reduce((n, size) => n * size, 1);
  const repeated: FloatArray = zeros(matrix.dtype, channels * perChannel);
  b?.data.forEach((value, o) => {
    repeated.fill(value, o * perChannel, (o + 1) * perChannel);
  });
  return {
    weight: asSparse ? matrix.toCSR() : matrix.toDense(),
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
 */
export function linearToConv(
  weight: TensorLike,
  options: { readonly inputShape: Shape; readonly bias?: TensorLike | null },
): { weight: Tensor<FloatArray>; bias: Tensor<FloatArray> } {
  const given = checkOptions(options, ['inputShape', 'bias']);
  const [w, b] = takeWithBias(weight, given.bias);
  const dtype = checkFloat(w.dtype, 'weight');
  const shape = checkShape(given.inputShape, 'options.inputShape', 1);
  if (shape.length < 2 || shape.length > 4) {
    throw mismatch(
      ShapeError,
      'options.inputShape',
      '[channels, spatial…] with 1 to 3 spatial axes',
      describeShape(shape),
    );
  }
  const inputs = shape.reduce((n, size) => n * size, 1);
  if (w.shape.length !== 2 || w.shape[1] !== inputs) {
    throw mismatch(ShapeError, 'weight', `shape [outputs, ${inputs}]`, describeShape(w.shape));
  }
  const outputs = w.shape[0];
  checkBiasShape(b, outputs);
  const kernel: FloatArray = uninitialised(dtype, w.size);
  kernel.set(w.data);
  const offsets: FloatArray = zeros(dtype, outputs);
  if (b !== null) offsets.set(b.data);
  return { weight: new Tensor(kernel, [outputs, ...shape]), bias: new Tensor(offsets, [outputs]) };
}

/** Both in one floating dtype. */
function takeWithBias(
  weight: TensorLike,
  bias: TensorLike | null | undefined,
): readonly [Tensor, Tensor | null] {
  if (bias == null) return [takeOperands(['weight'], [weight])[0], null];
  return takeOperands(['weight', 'options.bias'], [weight, bias]);
}

function checkBiasShape(bias: Tensor | null, channels: number): void {
  if (bias !== null && (bias.shape.length !== 1 || bias.size !== channels)) {
    throw mismatch(ShapeError, 'options.bias', `shape [${channels}]`, describeShape(bias.shape));
  }
}
