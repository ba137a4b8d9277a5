/** Lowering: unfold (im2col) and its adjoint fold (col2im). */

import { backend } from '../backend/select.js';
import { checkOptions, describeShape, isArray, listOf, MAX_AXES, mismatch, mistake } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { type Axes, isRank, perAxis, type Rank } from '../plan/options/axes.js';
import { forwardAxes, type Geometry, readWindow, type Window } from '../plan/options/window.js';
import { type ConvPlan, loweredRequest, planConv } from '../plan/plans/conv.js';
import type { DType } from '../tensor/dtype.js';
import { resultTensor } from '../tensor/out.js';
import { type ArrayIn, type TensorLike, takeTensor } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';

/** Geometry of the patches. */
export type UnfoldOptions = Omit<Geometry, 'groups'>;
/** Geometry of the patches; what they share is summed. */
export type FoldOptions = Omit<Geometry, 'groups' | 'paddingMode'>;

const UNFOLD_OPTIONS = ['stride', 'padding', 'paddingMode', 'dilation'];
const FOLD_OPTIONS = ['stride', 'padding', 'dilation'];

/**
 * Patches as columns (im2col): PyTorch's `unfold`, for one, two or three spatial axes and any dtype.
 *
 *   columns[n, (c, p…), l] = x[n, c, i(l)·s + p·d − pad], with l over the outputs, row-major
 *
 * @param input       x, [n, c, spatial…], or [c, spatial…] when `kernelSize` lists every axis.
 * @param kernelSize  One number per spatial axis, or one for all.
 * @returns [n, c·∏kernel, l], or without n: l is the number of outputs. A convolution is weight·columns.
 * @throws {ShapeError} for a wrong rank or a kernel that does not fit, {ArgumentError} for bad options.
 * @example unfold([[[1, 2, 3]]], 2).toNested()   // [[[1, 2], [2, 3]]]
 */
export function unfold<I extends TensorLike>(
  input: I,
  kernelSize: Axes,
  options?: UnfoldOptions,
): Tensor<ArrayIn<I>>;
export function unfold(input: TensorLike, kernelSize: Axes, options?: UnfoldOptions): Tensor {
  const given = checkOptions(options, UNFOLD_OPTIONS);
  const x = takeTensor(input, 'input');
  const rank = rankOf(kernelSize, x.shape.length);
  const window = readWindow(given, perAxis(kernelSize, rank, 'kernelSize', 1), rank);
  const batched = x.shape.length === rank + 2;
  if (!batched && x.shape.length !== rank + 1) {
    throw mismatch(
      ShapeError,
      'input',
      `${rank + 2} axes, or ${rank + 1} without the batch`,
      describeShape(x.shape),
    );
  }
  const [batch, channels, ...spatial] = batched ? x.shape : [1, ...x.shape];
  const plan = loweringPlan(window, x.dtype, batch, channels, spatial);
  const shape = [...(batched ? [batch] : []), channels * taps(plan), outputs(plan)];
  const columns = resultTensor(undefined, shape, x.dtype, {});
  backend().unfold(plan, x.data, columns.data);
  return columns;
}

/**
 * The adjoint of unfold with zero padding (col2im): values that overlap are summed, padding is dropped.
 *
 *   y[n, c, i(l)·s + p·d − pad] += columns[n, (c, p…), l]
 *
 * @param columns     [n, c·∏kernel, l], or without n.
 * @param outputSize  Spatial sizes of y: as many numbers as it has spatial axes.
 * @returns y, [n, c, …outputSize], or without n. Integers wrap.
 * @throws {ShapeError} when columns are not those of an unfold of that size, {ArgumentError} for bad options.
 * @example fold([[1, 2], [2, 3]], [3], 2).toNested()   // [[1, 4, 3]]
 */
export function fold<C extends TensorLike>(
  columns: C,
  outputSize: readonly number[],
  kernelSize: Axes,
  options?: FoldOptions,
): Tensor<ArrayIn<C>>;
export function fold(
  columns: TensorLike,
  outputSize: readonly number[],
  kernelSize: Axes,
  options?: FoldOptions,
): Tensor {
  const given = checkOptions(options, FOLD_OPTIONS);
  const cols = takeTensor(columns, 'columns');
  if (!isArray(outputSize) || !isRank(outputSize.length)) {
    throw mistake(ArgumentError, 'outputSize', 'one to three sizes', outputSize);
  }
  const rank = outputSize.length;
  const spatial = perAxis(outputSize, rank, 'outputSize', 1);
  const window = readWindow(given, perAxis(kernelSize, rank, 'kernelSize', 1), rank);
  const batched = cols.shape.length === 3;
  if (!batched && cols.shape.length !== 2) {
    throw mismatch(
      ShapeError,
      'columns',
      '3 axes [N, C·∏kernel, L], or 2 without the batch',
      describeShape(cols.shape),
    );
  }
  const [batch, rows, length] = batched ? cols.shape : [1, ...cols.shape];
  const perChannel = product(window.kernel);
  if (rows % perChannel !== 0) {
    throw mismatch(ShapeError, 'columns', `rows divisible by the kernel's ${perChannel} taps`, `${rows}`);
  }
  const plan = loweringPlan(window, cols.dtype, batch, rows / perChannel, spatial);
  if (length !== outputs(plan)) {
    const expected = `${outputs(plan)} columns for an output of ${describeShape(spatial)}`;
    throw mismatch(ShapeError, 'columns', expected, `${length}`);
  }
  const shape = [...(batched ? [batch] : []), plan.inChannels, ...spatial];
  const output = resultTensor(undefined, shape, cols.dtype, {});
  backend().fold(plan, cols.data, output.data);
  return output;
}

/** The rank that the kernel's list gives; of one number, all axes but the batch and channels are spatial. */
function rankOf(kernelSize: unknown, axes: number): Rank {
  const rank = typeof kernelSize === 'number' ? axes - 2 : listOf(kernelSize, MAX_AXES)?.length;
  if (!isRank(rank)) {
    if (typeof kernelSize === 'number') {
      throw mismatch(ShapeError, 'input', '3 to 5 axes [N, C, spatial…]', `${axes} axes`);
    }
    throw mistake(ArgumentError, 'kernelSize', 'an integer, or one to three of them', kernelSize);
  }
  return rank;
}

/** Lowering moves elements, of any dtype: its plan has one output channel, which nothing reads. */
function loweringPlan(
  window: Window,
  dtype: DType,
  batch: number,
  channels: number,
  spatial: readonly number[],
): ConvPlan {
  const sizes = { batch, inChannels: channels, outChannels: 1, axes: forwardAxes(window, spatial) };
  const oneGroup = { ...window, groups: 1 };
  const request = loweredRequest(dtype, oneGroup, sizes);
  return planConv(request, backend().machine);
}

function taps(plan: ConvPlan): number {
  return product(plan.axes.map((axis) => axis.kernel));
}

function outputs(plan: ConvPlan): number {
  return product(plan.axes.map((axis) => axis.out));
}
