/** Gradients of convNd with respect to its input, weight and bias. */

import { NO_CLAMP } from '../backend/backend.js';
import { backend } from '../backend/select.js';
import { checkOneOf, checkOptions, checkShape, describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { ACCURACIES } from '../plan/algorithms/algorithm.js';
import { checkSameShape, likeInput, rankOfWeight } from '../plan/options/window.js';
import { resultTensor } from '../tensor/out.js';
import { type FloatOf, type TensorLike, takeFloat, takeFloats } from '../tensor/take.js';
import type { FloatTensor, Shape, Tensor } from '../tensor/tensor.js';
import { planForward } from './operands.js';
import { GRAD_OPTIONS, type GradOptions, type Manner } from './options.js';

/**
 * The gradient of Σ convNd(x, w)·g with respect to x: the adjoint of the convolution applied to g.
 *
 *   dx[n, c, i·s + p·d − pad] += g[n,o,i] · w[o,c,p], with taps in the padding folded back as the mode reads them
 *
 * @param inputShape  Of x: [n, ic, spatial…], or without n; one to three spatial axes.
 * @param weight      w, [oc, ic/groups, kernel…].
 * @param gradOutput  g, of the convolution's output shape.
 * @param options.out  A Tensor that receives the result.
 * @returns dx, of inputShape.
 * @throws {ShapeError} when shapes disagree, otherwise as convNd.
 * @example convInputGrad([1, 1, 3], [[[1, 2]]], [[[1, 1]]]).toNested()   // [[[1, 3, 2]]]
 */
export function convInputGrad<W extends TensorLike, G extends TensorLike>(
  inputShape: Shape,
  weight: W,
  gradOutput: G,
  options?: GradOptions,
): Tensor<FloatOf<W, G>>;
export function convInputGrad(
  inputShape: Shape,
  weight: TensorLike,
  gradOutput: TensorLike,
  options?: GradOptions,
): FloatTensor {
  const given = checkOptions(options, GRAD_OPTIONS);
  const shape = checkShape(inputShape, 'inputShape');
  const [w, g] = takeFloats(['weight', 'gradOutput'], [weight, gradOutput]);
  const { dtype } = w;
  const rank = rankOfWeight(w.shape);
  const { plan, input } = planForward('inputGrad', dtype, rank, shape, w.shape, given, readAccuracy(given));
  checkSameShape(g.shape, likeInput(plan.outputShape, input), 'gradOutput');
  const result = resultTensor(given.out, shape, dtype, { weight: w, gradOutput: g });
  backend().conv(plan, { weight: w.data, bias: null, clamp: NO_CLAMP }, g.data, result.data);
  return result;
}

/**
 * The gradient of Σ convNd(x, w)·g with respect to w.
 *
 *   dw[o,c,p] = Σ_{n,i} x[n, c, i·s + p·d − pad] · g[n,o,i]
 *
 * @param input        x, [n, ic, spatial…], or without n.
 * @param weightShape  Of w: [oc, ic/groups, kernel…].
 * @param gradOutput   g, of the convolution's output shape.
 * @param options.out  A Tensor that receives the result.
 * @returns dw, of weightShape; zeros for an empty batch.
 * @throws {ShapeError} when shapes disagree, otherwise as convNd.
 * @example convWeightGrad([[[1, 2, 3]]], [1, 1, 2], [[[1, 1]]]).toNested()   // [[[3, 5]]]
 */
export function convWeightGrad<I extends TensorLike, G extends TensorLike>(
  input: I,
  weightShape: Shape,
  gradOutput: G,
  options?: GradOptions,
): Tensor<FloatOf<I, G>>;
export function convWeightGrad(
  input: TensorLike,
  weightShape: Shape,
  gradOutput: TensorLike,
  options?: GradOptions,
): FloatTensor {
  const given = checkOptions(options, GRAD_OPTIONS);
  const shape = checkShape(weightShape, 'weightShape');
  const [x, g] = takeFloats(['input', 'gradOutput'], [input, gradOutput]);
  const { dtype } = x;
  const rank = rankOfWeight(shape, 'weightShape');
  const planned = planForward('weightGrad', dtype, rank, x.shape, shape, given, readAccuracy(given));
  checkSameShape(g.shape, likeInput(planned.plan.outputShape, planned.input), 'gradOutput');
  const result = resultTensor(given.out, shape, dtype, { input: x, gradOutput: g });
  backend().convWeightGrad(planned.plan, x.data, g.data, result.data);
  return result;
}

/**
 * The gradient with respect to the bias: db[o] = Σ_{n,i} g[n,o,i], summed in float64.
 *
 * @param gradOutput  g, [n, oc, spatial…] with one to three spatial axes. (Of three axes the first is the batch.)
 * @returns db, [oc].
 * @example convBiasGrad([[[1, 2], [3, 4]]]).toNested()   // [3, 7]
 */
export function convBiasGrad<G extends TensorLike>(gradOutput: G): Tensor<FloatOf<G>>;
export function convBiasGrad(gradOutput: TensorLike): FloatTensor {
  const g = takeFloat(gradOutput, 'gradOutput');
  if (g.shape.length < 3 || g.shape.length > 5) {
    throw mismatch(ShapeError, 'gradOutput', 'axes [N, C, spatial…]', describeShape(g.shape));
  }
  const [batch, channels, ...spatial] = g.shape;
  const places = product(spatial);
  const result = resultTensor(undefined, [channels], g.dtype, {});
  backend().convBiasGrad(batch, channels, places, g.data, result.data);
  return result;
}

function readAccuracy(options: GradOptions): Pick<Manner, 'algorithm' | 'accuracy'> {
  const accuracy = checkOneOf(options.accuracy ?? 'fast', 'options.accuracy', ACCURACIES);
  return { algorithm: 'auto', accuracy };
}
