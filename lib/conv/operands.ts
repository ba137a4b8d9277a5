/** Tensors of a convolution call, checked against one another, and the geometry that they give. */

import { backend } from '../backend/select.js';
import { describeShape, mismatch } from '../check.js';
import { type ConvmatError, DTypeError, ShapeError } from '../errors.js';
import type { Weights } from '../plan/algorithms/algorithm.js';
import type { Rank } from '../plan/options/axes.js';
import {
  type BatchShape,
  checkChannels,
  forwardAxes,
  type Geometry,
  readBatchShape,
  readWindow,
  type Window,
} from '../plan/options/window.js';
import { type ConvPlan, convRequest, planConv } from '../plan/plans/conv.js';
import type { FloatDType } from '../tensor/dtype.js';
import { type TensorLike, takeFloats } from '../tensor/take.js';
import { type FloatTensor, isTensor, type Shape, type Tensor } from '../tensor/tensor.js';
import type { Manner } from './options.js';

export interface ConvTensors {
  readonly dtype: FloatDType;
  readonly input: FloatTensor;
  readonly weight: FloatTensor;
  readonly bias: FloatTensor | null;
}

/** input, weight and bias with one floating dtype; the first argument that is no nested array gives it. */
export function takeConvTensors(
  input: TensorLike,
  weight: TensorLike,
  bias: TensorLike | null | undefined,
): ConvTensors {
  const [x, w, b] = takeAll(input, weight, bias);
  return { dtype: w.dtype, input: x, weight: w, bias: b };
}

function takeAll(
  input: TensorLike,
  weight: TensorLike,
  bias: TensorLike | null | undefined,
): readonly [FloatTensor, FloatTensor, FloatTensor | null] {
  try {
    if (bias == null) return [...takeFloats(['input', 'weight'], [input, weight]), null];
    return takeFloats(['input', 'weight', 'options.bias'], [input, weight, bias]);
  } catch (error) {
    // Images come in bytes, for which there are other functions.
    const dtype = isTensor(input) ? input.dtype : undefined;
    if (!(error instanceof DTypeError) || (dtype !== 'uint8' && dtype !== 'int8')) throw error;
    const remedy = "tensor(x.data, x.shape, 'float32') converts it; convInteger and qlinearConv take bytes";
    throw mismatch(DTypeError, 'input', `float32 or float64 (${remedy})`, dtype);
  }
}

const WEIGHT_LAYOUTS = { 1: 'l', 2: 'h, w', 3: 'd, h, w' } as const;

export function checkWeightRank(shape: Shape, rank: Rank, leading?: string): void {
  if (shape.length !== rank + 2) throw wrongWeightRank(shape, rank, leading);
}

export function wrongWeightRank(
  shape: Shape,
  rank: Rank,
  leading = 'outChannels, inChannels/groups',
): ConvmatError {
  const expected = `${rank + 2} axes [${leading}, ${WEIGHT_LAYOUTS[rank]}]`;
  return mismatch(ShapeError, 'weight', expected, describeShape(shape));
}

export function checkBias(bias: Tensor | null, channels: number): void {
  if (bias !== null && (bias.shape.length !== 1 || bias.size !== channels)) {
    throw mismatch(ShapeError, 'options.bias', `shape [${channels}]`, describeShape(bias.shape));
  }
}

export type PlannedManner = Pick<Manner, 'algorithm' | 'accuracy'> &
  Partial<Pick<Manner, 'precision'> & Weights>;

/** The forward convolution of these shapes: every disagreement among them is an error here. */
export function planForward(
  op: ConvPlan['op'],
  dtype: FloatDType,
  rank: Rank,
  inputShape: Shape,
  weightShape: Shape,
  options: Geometry,
  manner: PlannedManner,
): { plan: ConvPlan; input: BatchShape } {
  const input = readBatchShape(inputShape, rank, 'input');
  checkWeightRank(weightShape, rank);
  const window = readWindow(options, weightShape.slice(2), rank);
  return { plan: planWindow(op, dtype, window, input, weightShape, manner), input };
}

/** As planForward, for a window that has been read before. */
export function planWindow(
  op: ConvPlan['op'],
  dtype: FloatDType,
  window: Window,
  input: BatchShape,
  weightShape: Shape,
  manner: PlannedManner,
): ConvPlan {
  checkChannels(input.channels, weightShape, window.groups, 'input', input);
  const sizes = {
    batch: input.batch,
    inChannels: input.channels,
    outChannels: weightShape[0],
    axes: forwardAxes(window, input.spatial),
  };
  return planConv(convRequest(op, dtype, window, sizes, manner), backend().machine);
}
