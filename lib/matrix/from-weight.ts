/** The matrix of a convolution, made of its weight and geometry. */
import { checkOneOf, checkOptions, checkShape, describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { ACCURACIES, type Accuracy } from '../plan/algorithms/algorithm.js';
import { isRank, type Rank } from '../plan/options/axes.js';
import {
  checkChannels,
  forwardAxes,
  GEOMETRY_OPTIONS,
  type Geometry,
  readWindow,
} from '../plan/options/window.js';
import { convRequest } from '../plan/plans/conv.js';
import { weightsOf } from '../plan/weights.js';
import { checkParts, isParts, type PartsOf } from '../tensor/complex.js';
import { copyOf } from '../tensor/dtype.js';
import { type FloatOf, type TensorLike, takeFloat, takeFloats } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { ComplexConvMatrix } from './complex-conv-matrix.js';
import { ConvMatrix } from './conv-matrix.js';

/** Geometry of the convolution, and the shape that its matrix is for. */
export interface ConvMatrixOptions extends Geometry {
  /** [C, spatial…], or [spatial…] when C = 1. */
  readonly inputShape: Shape;
  /**
   * How exact products are: 'strict' (the default), each element in proportion to its own terms; 'fast', as convolutions
   * are by default, in proportion to the norms, by Fourier transforms where they take less time.
   */
  readonly accuracy?: Accuracy;
}

/**
 * The matrix of a convolution (cross-correlation: the kernel is not flipped) over one sample.
 *
 * @param weight  [O, C/groups, kernel…], or [kernel…] for one channel in and one out; { re, im } of two for a complex one.
 * @param options.inputShape  [C, spatial…], or [spatial…] when C = 1. One to three spatial axes.
 * @param options.accuracy  'strict' (the default) or 'fast': of products, by `matvec` and `rmatvec` for instance.
 * @returns B, [O·∏out, C·∏in], with out = ⌊(in + padding − dilation·(kernel − 1) − 1)/stride⌋ + 1 per axis.
 * @throws {ShapeError} when shapes disagree, {DTypeError} for integers, {ArgumentError} for a bad option.
 * @example convMatrix([[1, 2], [3, 4]], { inputShape: [3, 3] }).toDense()
 *   // 1 2 0 3 4 0 0 0 0
 *   // 0 1 2 0 3 4 0 0 0
 *   // 0 0 0 1 2 0 3 4 0
 *   // 0 0 0 0 1 2 0 3 4
 */
export function convMatrix<W extends TensorLike>(
  weight: W,
  options: ConvMatrixOptions,
): ConvMatrix<FloatOf<W>>;
export function convMatrix<W extends TensorLike>(
  weight: PartsOf<W>,
  options: ConvMatrixOptions,
): ComplexConvMatrix<FloatOf<W>>;
export function convMatrix<W extends TensorLike>(
  weight: W | PartsOf<W>,
  options: ConvMatrixOptions,
): ConvMatrix<FloatOf<W>> | ComplexConvMatrix<FloatOf<W>>;
export function convMatrix(
  weight: TensorLike | PartsOf<TensorLike>,
  options: ConvMatrixOptions,
): ConvMatrix | ComplexConvMatrix {
  if (!isParts(weight)) return realConvMatrix(takeFloat(weight, 'weight'), options);
  checkParts(weight, 'weight');
  const [re, im] = takeFloats(['weight.re', 'weight.im'], [weight.re, weight.im]);
  const own = { re: copyOf(re.data), im: copyOf(im.data) };
  return new ComplexConvMatrix(realConvMatrix(new Tensor(own.re, re.shape), options), own);
}

function realConvMatrix(w: FloatTensor, options: ConvMatrixOptions): ConvMatrix {
  const given = checkOptions(options, ['inputShape', 'accuracy', ...GEOMETRY_OPTIONS]);
  const accuracy = checkOneOf(given.accuracy ?? 'strict', 'options.accuracy', ACCURACIES);
  const shape = checkShape(given.inputShape, 'options.inputShape');
  const { rank, weightShape } = readWeightShape(w.shape, shape);
  const [channels, ...spatial] = shape.length === rank ? [1, ...shape] : shape;
  const window = readWindow(given, weightShape.slice(2), rank);
  checkChannels(channels, weightShape, window.groups, 'options.inputShape', { batched: false, spatial });
  const axes = forwardAxes(window, spatial);
  const sizes = { batch: 1, inChannels: channels, outChannels: weightShape[0], axes };
  const weights = weightsOf(w.data, weightShape, 'auto');
  const manner = { algorithm: 'auto', accuracy, ...weights } as const;
  return new ConvMatrix(convRequest('forward', w.dtype, window, sizes, manner), copyOf(w.data));
}

/**
 * The spatial rank that weight and input agree on. A weight of three axes is [O, I, k] over [C, L] or [L], and
 * [kd, kh, kw] over more axes than that; the other ranks have one reading.
 */
function readWeightShape(weight: Shape, input: Shape): { rank: Rank; weightShape: Shape } {
  const bare = weight.length <= 2 || (weight.length === 3 && input.length >= 3);
  const rank = bare ? weight.length : weight.length - 2;
  if (!isRank(rank)) {
    const expected = '[outChannels, inChannels/groups, kernel…] or [kernel…] with 1 to 3 spatial axes';
    throw mismatch(ShapeError, 'weight', expected, describeShape(weight));
  }
  if (input.length !== rank && input.length !== rank + 1) {
    const expected = `[channels, spatial…] or [spatial…] with ${rank} spatial axes, as the weight`;
    throw mismatch(ShapeError, 'options.inputShape', expected, describeShape(input));
  }
  return { rank, weightShape: bare ? [1, 1, ...weight] : weight };
}
