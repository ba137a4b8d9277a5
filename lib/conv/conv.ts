/** convNd and convNdAsync: cross-correlation in one, two and three dimensions. */

import type { ConvOperands } from '../backend/backend.js';
import { withOwnOperands } from '../backend/own-operands.js';
import { backend } from '../backend/select.js';
import { checkOptions, elementCount } from '../check.js';
import type { Weights } from '../plan/algorithms/algorithm.js';
import type { Rank } from '../plan/options/axes.js';
import { likeInput } from '../plan/options/window.js';
import type { ConvPlan } from '../plan/plans/conv.js';
import { UNKNOWN_WEIGHTS, WEIGHED_AT_ONCE, weightsOf, weightsOfInTurns } from '../plan/weights.js';
import { BYTES } from '../tensor/dtype.js';
import { checkOut, deliver, resultTensor } from '../tensor/out.js';
import type { FloatOf, TensorLike } from '../tensor/take.js';
import type { FloatTensor, Shape, Tensor } from '../tensor/tensor.js';
import { type ConvTensors, checkBias, planForward, takeConvTensors } from './operands.js';
import {
  ASYNC_OPTIONS,
  type AsyncOptions,
  CONV_OPTIONS,
  type ConvOptions,
  checkPrecision,
  type Manner,
  readManner,
  readSignal,
  readTransfer,
} from './options.js';

/**
 * 1-D cross-correlation of a batch: as conv2d, over [n, ic, il] and [oc, ic/groups, kl].
 *
 * @example conv1d([[1, 2, 3, 4]], [[[1, 1]]]).toNested()   // [[3, 5, 7]]
 */
export function conv1d<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvOptions,
): Tensor<FloatOf<I, W>>;
export function conv1d(input: TensorLike, weight: TensorLike, options?: ConvOptions): FloatTensor {
  return conv(1, input, weight, options);
}

/**
 * 2-D cross-correlation of a batch: the kernel is not flipped (`signal.conv2` flips it).
 *
 * With groups = 1, and each group likewise:
 *   y[n,o,i,j] = b[o] + Σ_{c,p,q} x[n, c, i·sh + p·dh − ph, j·sw + q·dw − pw] · w[o,c,p,q]
 *
 * @param input   x, NCHW: [n, ic, ih, iw], or [ic, ih, iw]: the result then has no batch axis either.
 * @param weight  w, OIHW: [oc, ic/groups, kh, kw].
 * @returns y, [n, oc, oh, ow], with oh = ⌊(ih + ph₀ + ph₁ − dh·(kh−1) − 1)/sh⌋ + 1 and ow likewise.
 * @throws {ShapeError} when shapes disagree, {DTypeError} for integers or mixed dtypes, {ArgumentError} for a bad
 *   option, {UnsupportedError} for an algorithm that cannot serve the geometry: each names the argument, what it
 *   needs and what it got.
 * @example conv2d(image, weight, { padding: 1 })   // [1, 3, 32, 32] * [8, 3, 3, 3] → [1, 8, 32, 32]
 *
 * Accuracy: each y sums (ic/groups)·kh·kw products in the operands' dtype; the bounds are in
 * https://github.com/convmat/convmat/blob/main/docs/accuracy.md.
 * Source: Chellapilla, Puri, Simard 2006 (convolution as GEMM).
 */
export function conv2d<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvOptions,
): Tensor<FloatOf<I, W>>;
export function conv2d(input: TensorLike, weight: TensorLike, options?: ConvOptions): FloatTensor {
  return conv(2, input, weight, options);
}

/**
 * 3-D cross-correlation of a batch: as conv2d, over [n, ic, id, ih, iw] and [oc, ic/groups, kd, kh, kw].
 *
 * @example conv3d([[[[1, 2]]]], [[[[[3, 4]]]]]).toNested()   // [[[[11]]]]
 */
export function conv3d<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvOptions,
): Tensor<FloatOf<I, W>>;
export function conv3d(input: TensorLike, weight: TensorLike, options?: ConvOptions): FloatTensor {
  return conv(3, input, weight, options);
}

/**
 * As conv1d, off the event loop.
 *
 * @example const y = await conv1dAsync([[1, 2, 3, 4]], [[[1, 1]]]);
 */
export function conv1dAsync<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvOptions & AsyncOptions,
): Promise<Tensor<FloatOf<I, W>>>;
export function conv1dAsync(
  input: TensorLike,
  weight: TensorLike,
  options?: ConvOptions & AsyncOptions,
): Promise<FloatTensor> {
  return convAsync(1, input, weight, options);
}

/**
 * As conv2d, off the event loop, on the library's own threads. Operands are copied, up to 1 MiB at a turn of the event
 * loop by all calls together: those of a call that comes alone and has no more are copied when it is made, and what happens
 * to them afterwards does not matter; others must be left alone meanwhile, or the input handed over (`transfer`). Calls
 * whose operands and results take more than 128 MiB together wait for one another. `out` is written when the work is
 * done, as much at a turn.
 *
 * @returns rejects with the signal's reason (an AbortError by default) when `options.signal` fires first, and with
 *   the errors of conv2d for arguments that it would refuse.
 * @example const y = await conv2dAsync(image, weight, { padding: 1, signal: AbortSignal.timeout(1000) });
 */
export function conv2dAsync<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvOptions & AsyncOptions,
): Promise<Tensor<FloatOf<I, W>>>;
export function conv2dAsync(
  input: TensorLike,
  weight: TensorLike,
  options?: ConvOptions & AsyncOptions,
): Promise<FloatTensor> {
  return convAsync(2, input, weight, options);
}

/**
 * As conv3d, off the event loop: see conv2dAsync.
 *
 * @example const y = await conv3dAsync([[[[1, 2]]]], [[[[[3, 4]]]]]);
 */
export function conv3dAsync<I extends TensorLike, W extends TensorLike>(
  input: I,
  weight: W,
  options?: ConvOptions & AsyncOptions,
): Promise<Tensor<FloatOf<I, W>>>;
export function conv3dAsync(
  input: TensorLike,
  weight: TensorLike,
  options?: ConvOptions & AsyncOptions,
): Promise<FloatTensor> {
  return convAsync(3, input, weight, options);
}

interface ConvCall {
  readonly manner: Manner;
  readonly plan: ConvPlan;
  /** Chosen for weights that are known better. */
  readonly replan: (weights: Weights) => ConvPlan;
  readonly operands: ConvOperands;
  readonly tensors: ConvTensors;
  /** Of the result: without the batch axis when the input came without. */
  readonly shape: Shape;
}

function conv(rank: Rank, input: TensorLike, weight: TensorLike, given?: ConvOptions): FloatTensor {
  const options = checkOptions(given, CONV_OPTIONS);
  const { plan, operands, tensors, shape } = readCall(rank, input, weight, options);
  const output = resultTensor(options.out, shape, tensors.dtype, inputsOf(tensors));
  backend().conv(plan, operands, tensors.input.data, output.data);
  return output;
}

async function convAsync(
  rank: Rank,
  input: TensorLike,
  weight: TensorLike,
  given?: ConvOptions & AsyncOptions,
): Promise<FloatTensor> {
  const options = checkOptions(given, ASYNC_OPTIONS);
  const signal = readSignal(options.signal);
  const transfer = readTransfer(options.transfer);
  const { plan, replan, manner, tensors, shape } = readCall(rank, input, weight, options, true);
  const { input: x, weight: w, bias, dtype } = tensors;
  const out = options.out === undefined ? undefined : checkOut(options.out, shape, dtype, inputsOf(tensors));
  signal?.throwIfAborted();
  const resultBytes = elementCount(shape, 'output') * BYTES[dtype];
  const arrays = { input: x.data, weight: w.data, 'options.bias': bias?.data ?? NO_BIAS };
  const result = await withOwnOperands(arrays, resultBytes, { signal, transfer }, async (own) => {
    const operands = {
      weight: own.weight,
      bias: bias === null ? null : own['options.bias'],
      clamp: manner.clamp,
    };
    const chosen = isWeighedLater(w, manner)
      ? replan(await weightsOfInTurns(own.weight, w.shape, signal))
      : plan;
    return backend().convAsync(chosen, operands, own.input, signal);
  });
  return deliver(result, shape, out);
}

/** Stands for the bias of a call that has none. */
const NO_BIAS = new Float32Array(0);

/** Whether looking at all the weights holds the event loop too long. */
function isWeighedLater(weight: FloatTensor, { algorithm }: Manner): boolean {
  return algorithm === 'auto' && weight.size > WEIGHED_AT_ONCE;
}

/** @param inTurns  Large weights are not looked at yet. */
function readCall(
  rank: Rank,
  input: TensorLike,
  weight: TensorLike,
  options: ConvOptions,
  inTurns = false,
): ConvCall {
  const manner = readManner(options);
  const tensors = takeConvTensors(input, weight, options.bias);
  const { dtype, input: x, weight: w, bias } = tensors;
  checkPrecision(manner.precision, dtype, 'weight');
  const plan = (weights: Weights) =>
    planForward('forward', dtype, rank, x.shape, w.shape, options, { ...manner, ...weights });
  const planned = plan(
    inTurns && isWeighedLater(w, manner) ? UNKNOWN_WEIGHTS : weightsOf(w.data, w.shape, manner.algorithm),
  );
  checkBias(bias, w.shape[0]);
  return {
    manner,
    replan: (weights) => plan(weights).plan,
    plan: planned.plan,
    operands: { weight: w.data, bias: bias === null ? null : bias.data, clamp: manner.clamp },
    tensors,
    shape: likeInput(planned.plan.outputShape, planned.input),
  };
}

function inputsOf({ input, weight, bias }: ConvTensors): Record<string, Tensor | null> {
  return { input, weight, 'options.bias': bias };
}
