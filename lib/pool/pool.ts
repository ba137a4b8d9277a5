/** Max and average pooling in one, two and three dimensions, exactly as PyTorch's. */

import { NO_CLAMP } from '../backend/backend.js';
import { backend } from '../backend/select.js';
import { checkNumber, checkOptions, describeShape, mismatch, mistake } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import type { Axes, Rank } from '../plan/options/axes.js';
import { planConv } from '../plan/plans/conv.js';
import { type AvgPoolOptions, type PoolOptions, type PoolPlan, planPool } from '../plan/plans/pool.js';
import { zerosLike } from '../tensor/dtype.js';
import { resultTensor } from '../tensor/out.js';
import { type ArrayIn, type FloatOf, type TensorLike, takeTensor } from '../tensor/take.js';
import { asFloat, type FloatTensor, type Shape, type Tensor } from '../tensor/tensor.js';

const MAX_OPTIONS = ['stride', 'padding', 'dilation', 'ceilMode'];
const AVG_OPTIONS = ['stride', 'padding', 'ceilMode', 'countIncludePad', 'divisorOverride'];

/**
 * 1-D max pooling: as maxPool2d, over [n, c, l].
 *
 * @example maxPool1d([[1, 3, 2, 0]], 2).toNested()   // [[3, 2]]
 */
export function maxPool1d<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: PoolOptions,
): Tensor<ArrayIn<I>>;
export function maxPool1d(input: TensorLike, kernelSize: Axes, options?: PoolOptions): Tensor {
  return maxPool(1, input, kernelSize, options, noIndices).output;
}

/**
 * 2-D max pooling: y[n,c,i,j] = max_{p,q} x[n, c, i·sh + p·dh − ph, j·sw + q·dw − pw], over elements of the input only.
 * NaN is larger than every number, as in PyTorch. Every dtype.
 *
 * @param input       x, [n, c, ih, iw], or without n.
 * @param kernelSize  One number, or one per axis; `stride` defaults to it.
 * @param options.padding   Less than the dilated kernel: every window must reach the input.
 * @param options.ceilMode  Count a last window that starts inside the input but ends past its padding.
 * @throws {ShapeError} for a wrong rank or a kernel that does not fit, {ArgumentError} for bad options.
 * @example maxPool2d([[[1, 3], [2, 0]]], 2).toNested()   // [[[3]]]
 */
export function maxPool2d<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: PoolOptions,
): Tensor<ArrayIn<I>>;
export function maxPool2d(input: TensorLike, kernelSize: Axes, options?: PoolOptions): Tensor {
  return maxPool(2, input, kernelSize, options, noIndices).output;
}

/**
 * 3-D max pooling: as maxPool2d, over [n, c, d, h, w].
 *
 * @example maxPool3d([[[[1, 3], [2, 0]]]], [1, 2, 2]).toNested()   // [[[[3]]]]
 */
export function maxPool3d<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: PoolOptions,
): Tensor<ArrayIn<I>>;
export function maxPool3d(input: TensorLike, kernelSize: Axes, options?: PoolOptions): Tensor {
  return maxPool(3, input, kernelSize, options, noIndices).output;
}

/**
 * As maxPool1d, with the position of each maximum: see maxPool2dWithIndices.
 *
 * @example maxPool1dWithIndices([[1, 3, 2, 0]], 2).indices.toNested()   // [[1, 2]]
 */
export function maxPool1dWithIndices<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: PoolOptions,
): { output: Tensor<ArrayIn<I>>; indices: Tensor<Int32Array> };
export function maxPool1dWithIndices(
  input: TensorLike,
  kernelSize: Axes,
  options?: PoolOptions,
): { output: Tensor; indices: Tensor<Int32Array> } {
  return maxPool(1, input, kernelSize, options, newIndices);
}

/**
 * As maxPool2d, with the position of each maximum: its flat spatial index in the unpadded input (int32). Of equal
 * maxima the first counts; of NaNs the last, as in PyTorch.
 * @example maxPool2dWithIndices([[[1, 3], [2, 0]]], 2).indices.toNested()   // [[[1]]]
 */
export function maxPool2dWithIndices<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: PoolOptions,
): { output: Tensor<ArrayIn<I>>; indices: Tensor<Int32Array> };
export function maxPool2dWithIndices(
  input: TensorLike,
  kernelSize: Axes,
  options?: PoolOptions,
): { output: Tensor; indices: Tensor<Int32Array> } {
  return maxPool(2, input, kernelSize, options, newIndices);
}

/**
 * As maxPool3d, with the position of each maximum: see maxPool2dWithIndices.
 *
 * @example maxPool3dWithIndices([[[[1, 3], [2, 0]]]], [1, 2, 2]).indices.toNested()   // [[[[1]]]]
 */
export function maxPool3dWithIndices<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: PoolOptions,
): { output: Tensor<ArrayIn<I>>; indices: Tensor<Int32Array> };
export function maxPool3dWithIndices(
  input: TensorLike,
  kernelSize: Axes,
  options?: PoolOptions,
): { output: Tensor; indices: Tensor<Int32Array> } {
  return maxPool(3, input, kernelSize, options, newIndices);
}

/**
 * 1-D average pooling: as avgPool2d, over [n, c, l].
 *
 * @example avgPool1d([[1, 3, 2, 0]], 2).toNested()   // [[2, 1]]
 */
export function avgPool1d<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: AvgPoolOptions,
): Tensor<FloatOf<I>>;
export function avgPool1d(input: TensorLike, kernelSize: Axes, options?: AvgPoolOptions): FloatTensor {
  return avgPool(1, input, kernelSize, options);
}

/**
 * 2-D average pooling: y[n,c,i,j] = Σ_{p,q} x[n, c, i·sh + p − ph, j·sw + q − pw] / divisor, padding counting as 0.
 *
 * @param input       x, float32 or float64, [n, c, ih, iw], or without n.
 * @param kernelSize  One number, or one per axis; `stride` defaults to it.
 * @param options.countIncludePad  true (the default): the divisor is the window clipped to the padded input; false:
 *   the elements of the input that it covers.
 * @param options.divisorOverride  Divides every sum instead.
 * @throws as maxPool2d; {DTypeError} for integers.
 * @example avgPool2d([[[1, 3], [2, 0]]], 2).toNested()   // [[[1.5]]]
 */
export function avgPool2d<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: AvgPoolOptions,
): Tensor<FloatOf<I>>;
export function avgPool2d(input: TensorLike, kernelSize: Axes, options?: AvgPoolOptions): FloatTensor {
  return avgPool(2, input, kernelSize, options);
}

/**
 * 3-D average pooling: as avgPool2d, over [n, c, d, h, w].
 *
 * @example avgPool3d([[[[1, 3], [2, 0]]]], [1, 2, 2]).toNested()   // [[[[1.5]]]]
 */
export function avgPool3d<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: AvgPoolOptions,
): Tensor<FloatOf<I>>;
export function avgPool3d(input: TensorLike, kernelSize: Axes, options?: AvgPoolOptions): FloatTensor {
  return avgPool(3, input, kernelSize, options);
}

/** @param indicesOf  Where the positions of the maxima go, by the shape of the result; none when they are not wanted. */
function maxPool<Indices extends Tensor<Int32Array> | null = null>(
  rank: Rank,
  input: TensorLike,
  kernelSize: Axes,
  options: PoolOptions | undefined,
  indicesOf: (shape: Shape) => Indices,
): { output: Tensor; indices: Indices } {
  const given = checkOptions(options, MAX_OPTIONS);
  const x = takePooled(input, rank);
  const plan = planPool(x.shape, x.dtype, rank, kernelSize, given);
  const output = resultTensor(undefined, plan.outputShape, x.dtype, {});
  const indices = indicesOf(plan.outputShape);
  backend().maxPool(plan, x.data, output.data, indices === null ? null : indices.data);
  return { output, indices };
}

function avgPool(rank: Rank, input: TensorLike, kernelSize: Axes, options?: AvgPoolOptions): FloatTensor {
  const given = checkOptions(options, AVG_OPTIONS);
  const x = asFloat(takePooled(input, rank), 'input');
  const plan = planPool(x.shape, x.dtype, rank, kernelSize, given);
  const output = resultTensor(undefined, plan.outputShape, x.dtype, {});
  if (given.divisorOverride === undefined) backend().avgPool(plan, x.data, output.data);
  else sumPool(plan, rank, x, output, checkDivisor(given.divisorOverride));
  return output;
}

function newIndices(shape: Shape): Tensor<Int32Array> {
  return resultTensor(undefined, shape, 'int32', {});
}

function noIndices(): null {
  return null;
}

function takePooled(input: TensorLike, rank: Rank): Tensor {
  const x = takeTensor(input, 'input');
  if (x.shape.length !== rank + 1 && x.shape.length !== rank + 2) {
    const expected = `${rank + 2} axes [N, C, spatial…], or ${rank + 1} without the batch`;
    throw mismatch(ShapeError, 'input', expected, describeShape(x.shape));
  }
  return x;
}

export function checkDivisor(value: unknown): number {
  const divisor = checkNumber(value, 'options.divisorOverride', -Number.MAX_VALUE, Number.MAX_VALUE);
  if (divisor === 0) throw mistake(ArgumentError, 'options.divisorOverride', 'a number other than 0', value);
  return divisor;
}

/** Sums of windows, divided: each plane's convolution with ones. */
function sumPool(plan: PoolPlan, rank: Rank, x: FloatTensor, output: FloatTensor, divisor: number): void {
  // In ceil mode a last window may reach past the padding.
  const axes = plan.axes.slice(3 - rank).map((axis) => {
    const reach = (axis.out - 1) * axis.stride + axis.kernel - axis.in - axis.padBefore;
    return { ...axis, padAfter: Math.max(axis.padAfter, reach) };
  });
  const sums = planConv(
    {
      op: 'forward',
      dtype: x.dtype,
      rank,
      batch: plan.planes,
      groups: 1,
      inChannels: 1,
      outChannels: 1,
      axes,
      paddingMode: 'zeros',
      algorithm: 'auto',
      accuracy: 'strict',
      precision: 'float32',
      density: 1,
      separable: false,
    },
    backend().machine,
  );
  const ones = zerosLike(x.data, product(axes.map((axis) => axis.kernel))).fill(1);
  backend().conv(sums, { weight: ones, bias: null, clamp: NO_CLAMP }, x.data, output.data);
  for (let i = 0; i < output.data.length; i++) output.data[i] /= divisor;
}
