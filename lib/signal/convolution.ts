/** MATLAB's convolutions. The kernel is flipped: out[i] = Σ_j a[j]·b[i − j]. */
import { checkInteger, checkNumber, checkOneOf, checkOptions, isArray, isObject, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { ACCURACIES, type Accuracy } from '../plan/algorithms/algorithm.js';
import { CONV_SHAPES, type ConvShape, type LinearAxis, linearAxis } from '../plan/plans/linear.js';
import { checkParts, eachPart, isParts, type PartsOf, realPart } from '../tensor/complex.js';
import { zeros } from '../tensor/dtype.js';
import type { TensorLike, VectorLike } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';
import { BOUNDARIES, type Boundary, extendMatrix } from './boundary.js';
import { convolveParts } from './linear.js';
import { type DoubleTensor, takeDoubles, takeMatrix, takeVector } from './operands.js';

/** How accurate the values are. */
export interface LinearOptions {
  /** 'fast' (the default) takes transforms for long operands, 'strict' direct sums always. */
  readonly accuracy?: Accuracy;
}

/** What lies beyond the edges of conv2's first operand, too. */
export interface Conv2Options extends LinearOptions {
  /**
   * 'fill' (the default): `fillValue`. 'symm': the mirror image, edges repeated. 'wrap': the matrix again, in all directions.
   * Names and meaning are those of SciPy's convolve2d.
   */
  readonly boundary?: Boundary;
  /** Default 0; with 'fill' only. Of a complex A it is the real part beyond the edges, the imaginary one being 0. */
  readonly fillValue?: number;
}

/**
 * Convolution of two vectors, MATLAB's `conv`: the product of polynomials. The kernel is flipped.
 *
 *   w[k] = Σ_j a[j]·b[k − j], k = 0 … a.length + b.length − 2
 *
 * @param shape  'full' (the default): all of w. 'same': a.length values around the centre, from ⌈(b.length − 1)/2⌉ on.
 *   'valid': those that need no zeros beyond a, max(a.length − b.length + 1, 0) of them.
 *   `options` may stand in its place.
 * @param a  A vector; {re, im} of two vectors of one shape is a complex one, and with one of these the result is {re, im}.
 * @param b  Another.
 * @throws {ShapeError} for an empty operand or one that is no vector, {ArgumentError} for an unknown shape or option.
 * @example signal.conv([1, 2, 3], [1, 1])   // [1, 3, 5, 3]
 * @example signal.conv(p, p, { accuracy: 'strict' })   // tails of a distribution, to the last digit
 *
 * Accuracy: computed in float64. 'strict' sums directly: each value errs in proportion to its own terms. So does 'fast' (the
 * default) where that takes little time (up to some 1200 × 1200 elements); beyond, by overlap-save with Fourier
 * transforms, each value errs by at most about 4·2⁻⁵²·log₂(n)·‖a‖₂·‖b‖₂. Either way whole numbers stay exact while that
 * bound is below 1/4, operands of one sign each give no value of the other, and NaN and infinity come out where the sums
 * that read them put them. Source: Oppenheim & Schafer, Discrete-Time Signal Processing, §8.7.
 */
export function conv(
  a: VectorLike,
  b: VectorLike,
  shape?: ConvShape | LinearOptions,
  options?: LinearOptions,
): Float64Array;
export function conv(
  a: VectorLike | PartsOf<VectorLike>,
  b: VectorLike | PartsOf<VectorLike>,
  shape?: ConvShape | LinearOptions,
  options?: LinearOptions,
): PartsOf<Float64Array>;
export function conv(
  a: VectorLike | PartsOf<VectorLike>,
  b: VectorLike | PartsOf<VectorLike>,
  shape?: ConvShape | LinearOptions,
  options?: LinearOptions,
): Float64Array | PartsOf<Float64Array> {
  const [u, v] = [takeVectors(a, 'a'), takeVectors(b, 'b')];
  const { value: window, accuracy } = readTail(shape, options);
  const axis = linearAxis(realPart(u).length, realPart(v).length, readShape(window));
  return convolveParts(u, v, [axis], accuracy);
}

function takeVectors(
  value: VectorLike | PartsOf<VectorLike>,
  argument: string,
): Float64Array | PartsOf<Float64Array> {
  checkParts(value, argument);
  return eachPart(value, (part) => takeVector(part, argument));
}

/**
 * 2-D convolution, MATLAB's `conv2`. The kernel is flipped along both axes.
 *
 *   C[i, j] = Σ_p Σ_q A[p, q]·B[i − p, j − q]
 *
 * @param A  A matrix [rows, columns], a complex one as in `conv`.
 * @param B  Another.
 * @param shape  As in `conv`, along each axis: 'full' [ma + mb − 1, na + nb − 1], 'same' [ma, na],
 *   'valid' [max(ma − mb + 1, 0), max(na − nb + 1, 0)].
 * @param options  `accuracy` as in `conv`; `boundary` and `fillValue`: what A has beyond its edges.
 * @returns a float64 tensor. Errors and accuracy as in `conv`.
 * @throws {ArgumentError} for a fillValue with another boundary than 'fill'.
 * @example signal.conv2([[1, 2], [3, 4]], [[1, 1]], 'full', { boundary: 'wrap' })   // [[3, 3, 3], [7, 7, 7]]
 */
export function conv2(
  A: TensorLike,
  B: TensorLike,
  shape?: ConvShape | Conv2Options,
  options?: Conv2Options,
): Tensor<Float64Array>;
export function conv2(
  A: TensorLike | PartsOf<TensorLike>,
  B: TensorLike | PartsOf<TensorLike>,
  shape?: ConvShape | Conv2Options,
  options?: Conv2Options,
): PartsOf<Tensor<Float64Array>>;
export function conv2(
  A: TensorLike | PartsOf<TensorLike>,
  B: TensorLike | PartsOf<TensorLike>,
  shape?: ConvShape | Conv2Options,
  options?: Conv2Options,
): Tensor<Float64Array> | PartsOf<Tensor<Float64Array>> {
  if (isMatrix(shape)) {
    const expected = "'full', 'same' or 'valid' (conv2Separable(u, v, A) is MATLAB's conv2(u, v, A))";
    throw mistake(ArgumentError, 'shape', expected, shape);
  }
  checkParts(A, 'A');
  checkParts(B, 'B');
  const { value, given, accuracy } = readTail<ConvShape>(shape, options, ['boundary', 'fillValue']);
  const window = readShape(value);
  const boundary = checkOneOf(given.boundary ?? 'fill', 'options.boundary', BOUNDARIES);
  const fillValue = checkNumber(given.fillValue ?? 0, 'options.fillValue');
  if (boundary !== 'fill' && given.fillValue !== undefined) {
    throw mistake(ArgumentError, 'options.fillValue', `none with boundary '${boundary}'`, fillValue);
  }
  const [a, b] = [takeMatrices(A, 'A'), takeMatrices(B, 'B')];
  if (boundary === 'fill' && fillValue === 0) return convolveTensors(a, b, window, accuracy);
  const kernel = realPart(b).shape;
  const extend = (part: DoubleTensor, value: number) => extendMatrix(part, kernel, window, boundary, value);
  const extended = isParts(a) ? { re: extend(a.re, fillValue), im: extend(a.im, 0) } : extend(a, fillValue);
  return convolveTensors(extended, b, 'valid', accuracy);
}

function takeMatrices(
  value: TensorLike | PartsOf<TensorLike>,
  argument: string,
): DoubleTensor | PartsOf<DoubleTensor> {
  if (!isParts(value)) return takeMatrix(value, argument);
  return { re: takeMatrix(value.re, `${argument}.re`), im: takeMatrix(value.im, `${argument}.im`) };
}

/** Whether a third argument is the matrix of MATLAB's other conv2. */
function isMatrix(value: unknown): boolean {
  if (!isObject(value)) return false;
  return isArray(value) || ArrayBuffer.isView(value) || 'data' in value;
}

/**
 * MATLAB's `conv2(u, v, A)`: A with each of its columns convolved with `column`, then each row with `row`. The
 * kernel is flipped. It equals conv2(A, column·rowᵀ) in mA·nA·(m + n) instead of mA·nA·m·n products.
 * @example signal.conv2Separable([1, 1], [1, 2], [[1]]).toNested()   // [[1, 2], [1, 2]]
 */
export function conv2Separable(
  column: VectorLike,
  row: VectorLike,
  A: TensorLike,
  shape: ConvShape = 'full',
): Tensor<Float64Array> {
  const u = takeVector(column, 'column');
  const v = takeVector(row, 'row');
  const matrix = takeMatrix(A, 'A');
  const kind = readShape(shape);
  const tall = convolveTensors(matrix, { data: u, shape: [u.length, 1] }, kind, 'fast');
  return convolveTensors(tall, { data: v, shape: [1, v.length] }, kind, 'fast');
}

/**
 * Convolution over any number of axes, MATLAB's `convn`. The kernel is flipped along every axis.
 *
 * @param A  A tensor of any rank.
 * @param B  Another; the axes that the one of lower rank lacks are trailing ones, of size 1.
 * @param shape  As in `conv`, along each axis.
 * @returns a float64 tensor of the higher rank. Options, errors and accuracy as in `conv`.
 * @example signal.convn([[[1, 2]]], [[[1, 1]]]).shape   // [1, 1, 3]
 */
export function convn(
  A: TensorLike,
  B: TensorLike,
  shape?: ConvShape | LinearOptions,
  options?: LinearOptions,
): Tensor<Float64Array>;
export function convn(
  A: TensorLike | PartsOf<TensorLike>,
  B: TensorLike | PartsOf<TensorLike>,
  shape?: ConvShape | LinearOptions,
  options?: LinearOptions,
): PartsOf<Tensor<Float64Array>>;
export function convn(
  A: TensorLike | PartsOf<TensorLike>,
  B: TensorLike | PartsOf<TensorLike>,
  shape?: ConvShape | LinearOptions,
  options?: LinearOptions,
): Tensor<Float64Array> | PartsOf<Tensor<Float64Array>> {
  checkParts(A, 'A');
  checkParts(B, 'B');
  const { value: window, accuracy } = readTail(shape, options);
  const a = eachPart(A, (part) => takeDoubles(part, 'A'));
  const b = eachPart(B, (part) => takeDoubles(part, 'B'));
  const rank = Math.max(realPart(a).shape.length, realPart(b).shape.length, 1);
  const extended = ({ data, shape: sizes }: DoubleTensor) => ({
    data,
    shape: [...sizes, ...new Array<number>(rank - sizes.length).fill(1)],
  });
  return convolveTensors(eachPart(a, extended), eachPart(b, extended), readShape(window), accuracy);
}

/**
 * 2-D filter, MATLAB's `filter2`: correlation with h, which is conv2(X, h turned by 180°). The kernel is not flipped.
 *
 * @param h      The filter, [rows, columns]; complex operands as in `conv`, neither conjugated.
 * @param shape  As in `conv2`, but 'same' by default.
 * @example signal.filter2([[1, 1]], [[1, 2, 3]], 'valid').toNested()   // [[3, 5]]
 */
export function filter2(h: TensorLike, X: TensorLike, shape?: ConvShape): Tensor<Float64Array>;
export function filter2(
  h: TensorLike | PartsOf<TensorLike>,
  X: TensorLike | PartsOf<TensorLike>,
  shape?: ConvShape,
): PartsOf<Tensor<Float64Array>>;
export function filter2(
  h: TensorLike | PartsOf<TensorLike>,
  X: TensorLike | PartsOf<TensorLike>,
  shape: ConvShape = 'same',
): Tensor<Float64Array> | PartsOf<Tensor<Float64Array>> {
  checkParts(h, 'h');
  checkParts(X, 'X');
  const filter = eachPart(h, (part) => takeMatrix(part, 'h'));
  const matrix = eachPart(X, (part) => takeMatrix(part, 'X'));
  const turned = eachPart(filter, ({ data, shape: sizes }) => ({
    data: data.slice().reverse(),
    shape: sizes,
  }));
  return convolveTensors(matrix, turned, readShape(shape), 'fast');
}

/**
 * Circular convolution modulo n, MATLAB's `cconv`: the linear convolution wrapped around a circle of n samples. The
 * kernel is flipped.
 *
 *   c[k] = Σ_{i + j ≡ k (mod n)} a[i]·b[j], k = 0 … n − 1
 *
 * @param n  Any integer ≥ 1: shorter than the operands too (they wrap), or longer (zeros follow). By default
 *   a.length + b.length − 1: then nothing wraps, and the result is that of `conv`.
 *   `options`, those of `conv`, may stand in its place.
 * @throws {ArgumentError} unless n is an integer ≥ 1; otherwise as `conv`.
 * @example signal.cconv([0.5, -0.25, 1, 0, 0.75], [1, 2, 0, 5], 2)   // [0.5, 15.5]
 */
export function cconv(
  a: VectorLike,
  b: VectorLike,
  n?: number | LinearOptions,
  options?: LinearOptions,
): Float64Array;
export function cconv(
  a: VectorLike | PartsOf<VectorLike>,
  b: VectorLike | PartsOf<VectorLike>,
  n?: number | LinearOptions,
  options?: LinearOptions,
): PartsOf<Float64Array>;
export function cconv(
  a: VectorLike | PartsOf<VectorLike>,
  b: VectorLike | PartsOf<VectorLike>,
  n?: number | LinearOptions,
  options?: LinearOptions,
): Float64Array | PartsOf<Float64Array> {
  const [u, v] = [takeVectors(a, 'a'), takeVectors(b, 'b')];
  const { value: points, accuracy } = readTail(n, options);
  const sizes = [realPart(u).length, realPart(v).length];
  const period = points === undefined ? sizes[0] + sizes[1] - 1 : checkInteger(points, 'n', 1);
  const [x, y] = [eachPart(u, (part) => wrap(part, period)), eachPart(v, (part) => wrap(part, period))];
  const axis = linearAxis(realPart(x).length, realPart(y).length, 'full');
  return eachPart(convolveParts(x, y, [axis], accuracy), (linear) => {
    if (linear.length >= period) return wrap(linear, period);
    const padded = zeros('float64', period);
    padded.set(linear);
    return padded;
  });
}

/** values[k] + values[k + period] + …; the values themselves when they are no more than a period. */
function wrap(values: Float64Array, period: number): Float64Array {
  if (values.length <= period) return values;
  const wrapped = values.slice(0, period);
  for (let from = period; from < values.length; from += period) {
    const end = Math.min(period, values.length - from);
    for (let k = 0; k < end; k++) wrapped[k] += values[from + k];
  }
  return wrapped;
}

function convolveTensors(
  a: DoubleTensor,
  b: DoubleTensor,
  shape: ConvShape,
  accuracy: Accuracy,
): Tensor<Float64Array>;
function convolveTensors(
  a: DoubleTensor | PartsOf<DoubleTensor>,
  b: DoubleTensor | PartsOf<DoubleTensor>,
  shape: ConvShape,
  accuracy: Accuracy,
): Tensor<Float64Array> | PartsOf<Tensor<Float64Array>>;
function convolveTensors(
  a: DoubleTensor | PartsOf<DoubleTensor>,
  b: DoubleTensor | PartsOf<DoubleTensor>,
  shape: ConvShape,
  accuracy: Accuracy,
): Tensor<Float64Array> | PartsOf<Tensor<Float64Array>> {
  const sizes = realPart(b).shape;
  const axes: LinearAxis[] = realPart(a).shape.map((size, axis) => linearAxis(size, sizes[axis], shape));
  const out = axes.map((axis) => axis.out);
  const dataOf = ({ data }: DoubleTensor): Float64Array => data;
  const sums = convolveParts(eachPart(a, dataOf), eachPart(b, dataOf), axes, accuracy);
  return eachPart(sums, (data) => new Tensor(data, out));
}

function readShape(shape: unknown): ConvShape {
  return shape === undefined ? 'full' : checkOneOf(shape, 'shape', CONV_SHAPES);
}

/** An optional argument and the options behind it, or the options in its place. */
function readTail<T extends string | number>(
  last: T | LinearOptions | undefined,
  options: LinearOptions | undefined,
  more: readonly string[] = [],
): { value: T | undefined; given: Record<string, unknown>; accuracy: Accuracy } {
  const isOptions = options === undefined && isObject(last);
  const given = checkOptions(isOptions ? last : options, ['accuracy', ...more]);
  return {
    value: isOptions ? undefined : (last as T | undefined),
    given,
    accuracy: checkOneOf(given.accuracy ?? 'fast', 'options.accuracy', ACCURACIES),
  };
}
