/** convTransposeNd: the adjoint of convNd as an operation of its own, with bias, activation and output padding. */

import { backend } from '../backend/select.js';
import { checkOptions, describe, mismatch } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { type Axis, extent, perAxis, type Rank } from '../plan/options/axes.js';
import {
  axisOptions,
  checkNotEmpty,
  checkPaddingMode,
  likeInput,
  readBatchShape,
  readWindow,
  type Window,
} from '../plan/options/window.js';
import { convRequest, planConv } from '../plan/plans/conv.js';
import { resultTensor } from '../tensor/out.js';
import type { FloatOf, TensorLike } from '../tensor/take.js';
import type { FloatTensor, Tensor } from '../tensor/tensor.js';
import { checkBias, checkWeightRank, takeConvTensors } from './operands.js';
import { type ConvTransposeOptions, checkPrecision, readManner, TRANSPOSE_OPTIONS } from './options.js';

/**
 * 1-D transposed convolution: as convTranspose2d, over [n, ic, il] and [ic, oc/groups, kl].
 *
 * @example convTranspose1d([[1, 2]], [[[1, 1]]], { stride: 2 }).toNested()   // [[1, 1, 2, 2]]
 */
export function convTranspose1d<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvTransposeOptions,
): Tensor<FloatOf<I, W>>;
export function convTranspose1d(
  input: TensorLike,
  weight: TensorLike,
  options?: ConvTransposeOptions,
): FloatTensor {
  return convTranspose(1, input, weight, options);
}

/**
 * 2-D transposed convolution: the adjoint of conv2d with the same geometry. The kernel is not flipped beforehand.
 *
 *   y[n,o, i·sh + p·dh − ph, j·sw + q·dw − pw] += x[n,c,i,j] · w[c,o,p,q], then bias and activation
 *
 * @param input   x, [n, ic, ih, iw], or without n.
 * @param weight  w, [ic, oc/groups, kh, kw]: the weight of the convolution that this undoes the shape of.
 * @param options.outputPadding  Adds to the end of y's axes; smaller than the stride or the dilation, as in PyTorch.
 * @param options.outputSize     [oh, ow] instead: what the convolution takes to [ih, iw], of which a stride has several.
 * @param options.paddingMode  Modes other than 'zeros' give the adjoint of a convolution that pads so.
 * @returns y, [n, oc, oh, ow], with oh = (ih − 1)·sh − ph₀ − ph₁ + dh·(kh − 1) + outputPadding + 1.
 * @throws as conv2d; {ShapeError} when the result would have no elements on an axis.
 * @example convTranspose2d([[[1, 2]]], [[[[1, 1]]]], { stride: 2 }).toNested()   // [[[1, 1, 2, 2]]]
 */
export function convTranspose2d<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvTransposeOptions,
): Tensor<FloatOf<I, W>>;
export function convTranspose2d(
  input: TensorLike,
  weight: TensorLike,
  options?: ConvTransposeOptions,
): FloatTensor {
  return convTranspose(2, input, weight, options);
}

/**
 * 3-D transposed convolution: as convTranspose2d, over [n, ic, id, ih, iw] and [ic, oc/groups, kd, kh, kw].
 *
 * @example convTranspose3d([[[[1, 2]]]], [[[[[1, 1]]]]], { stride: 2 }).toNested()   // [[[[1, 1, 2, 2]]]]
 */
export function convTranspose3d<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvTransposeOptions,
): Tensor<FloatOf<I, W>>;
export function convTranspose3d(
  input: TensorLike,
  weight: TensorLike,
  options?: ConvTransposeOptions,
): FloatTensor {
  return convTranspose(3, input, weight, options);
}

function convTranspose(
  rank: Rank,
  input: TensorLike,
  weight: TensorLike,
  given?: ConvTransposeOptions,
): FloatTensor {
  const options = checkOptions(given, TRANSPOSE_OPTIONS);
  const manner = readManner(options);
  const { dtype, input: x, weight: w, bias } = takeConvTensors(input, weight, options.bias);
  checkPrecision(manner.precision, dtype, 'weight');
  const { batch, channels, spatial, batched } = readBatchShape(x.shape, rank, 'input');
  checkWeightRank(w.shape, rank, 'inChannels, outChannels/groups');
  checkNotEmpty(w.shape);
  const window = readWindow(options, w.shape.slice(2), rank);
  const { groups } = window;
  if (channels !== w.shape[0]) {
    throw mismatch(
      ShapeError,
      'input',
      `${w.shape[0]} channels, as weight's first axis`,
      `${channels} channels`,
    );
  }
  if (channels % groups !== 0) {
    throw mismatch(ShapeError, 'input', `channels divisible by groups (${groups})`, `${channels} channels`);
  }
  const axes = transposedAxes(window, spatial, options);
  const outChannels = w.shape[1] * groups;
  checkBias(bias, outChannels);
  const sizes = { batch, inChannels: outChannels, outChannels: channels, axes };
  const plan = planConv(convRequest('inputGrad', dtype, window, sizes, manner), backend().machine);
  const shape = likeInput(plan.inputShape, { batch, channels, spatial, batched });
  const inputs = { input: x, weight: w, 'options.bias': bias };
  const output = resultTensor(options.out, shape, dtype, inputs);
  const operands = { weight: w.data, bias: bias === null ? null : bias.data, clamp: manner.clamp };
  backend().conv(plan, operands, x.data, output.data);
  return output;
}

/**
 * The axes of the convolution whose adjoint a transposed one is: their `in` are the sizes of its result.
 *
 * @param spatial  Of the transposed convolution's input.
 */
export function transposedAxes(
  window: Window,
  spatial: readonly number[],
  { outputPadding, outputSize }: Pick<ConvTransposeOptions, 'outputPadding' | 'outputSize'>,
): Axis[] {
  const { rank } = window;
  const added = perAxis(outputPadding ?? 0, rank, 'options.outputPadding', 0);
  if (outputSize !== undefined && outputPadding !== undefined)
    throw mismatch(ArgumentError, 'options.outputSize', 'no outputPadding beside it', 'both');
  const wanted = outputSize === undefined ? null : perAxis(outputSize, rank, 'options.outputSize', 1);
  return spatial.map((size, axis): Axis => {
    const own = axisOptions(window, axis);
    const least = (size - 1) * own.stride + extent(own.kernel, own.dilation) - own.padBefore - own.padAfter;
    const most = least + Math.max(own.stride, own.dilation) - 1;
    const result = wanted === null ? least + added[axis] : wanted[axis];
    if (wanted !== null && (result < least || result > most)) {
      const expected = `${Math.max(least, 1)} to ${most} on spatial axis ${axis}`;
      throw mismatch(ShapeError, 'options.outputSize', expected, describe(result));
    }
    if (result > most) {
      const expected = `less than the stride or the dilation (${own.stride}, ${own.dilation}) on spatial axis ${axis}`;
      throw mismatch(ArgumentError, 'options.outputPadding', expected, describe(result - least));
    }
    if (result < 1) {
      const expected = `a result of at least 1 on spatial axis ${axis}`;
      throw mismatch(ShapeError, 'input', expected, `${result} from ${size}`);
    }
    checkPaddingMode(window.paddingMode, result, own, axis);
    return { in: result, ...own, out: size };
  });
}
