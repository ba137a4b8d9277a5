/** Norms, singular values and the adjoint test. */

import { backend } from '../backend/select.js';
import { checkInteger, checkNumber, checkOptions, checkShape, describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { type Random, random } from '../random.js';
import { convert, type FloatArray } from '../tensor/dtype.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import { asFloat } from '../tensor/tensor.js';
import { isComplexOperator, Planar, partsOfPlanar } from './complex.js';
import { type ComplexLinearOperator, checkOperator, checkProduct, type LinearOperator } from './operator.js';
import { dot, norm, normalise } from './vectors.js';

/** When the iteration ends. */
export interface SpectralNormOptions {
  /** On the relative error that the last steps let expect. Default 1e-6. */
  readonly tolerance?: number;
  /** Default 10000. */
  readonly maxIterations?: number;
  /** Of the random start. Default 0. */
  readonly seed?: number;
}

/**
 * The largest singular value, by power iteration on AᴴA; A may be complex.
 *
 * The estimate grows towards σ₁ by steps that shrink geometrically, (σ₂/σ₁)⁴ each: iteration ends when the sum of the
 * steps to come is below tolerance·σ₁.
 *
 * @throws {ArgumentError} for a bad operator or option.
 * @example Math.round(spectralNorm(A))   // 4
 */
export function spectralNorm(A: LinearOperator, options?: SpectralNormOptions): number;
export function spectralNorm(A: ComplexLinearOperator, options?: SpectralNormOptions): number;
export function spectralNorm(
  A: LinearOperator | ComplexLinearOperator,
  options?: SpectralNormOptions,
): number;
export function spectralNorm(
  A: LinearOperator | ComplexLinearOperator,
  options?: SpectralNormOptions,
): number {
  checkOperator(A);
  // Singular values of the planar operator are those of the complex one, each twice.
  return realNorm(isComplexOperator(A) ? new Planar(A) : A, options);
}

function realNorm(A: LinearOperator, options: SpectralNormOptions | undefined): number {
  const [rows, cols] = A.shape;
  const given = checkOptions(options, ['tolerance', 'maxIterations', 'seed']);
  const tolerance = checkNumber(given.tolerance ?? 1e-6, 'options.tolerance', 0);
  const maxIterations = checkInteger(given.maxIterations ?? 10_000, 'options.maxIterations', 1);
  const source = random(given.seed ?? 0);
  if (rows === 0 || cols === 0) return 0;
  const v = randomVector(cols, source);
  normalise(v);
  let estimate = 0;
  let step = Infinity;
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const image = checkProduct(A.matvec(v), rows, 'A.matvec(x)');
    const next = norm(image);
    const lastStep = step;
    step = next - estimate;
    estimate = next;
    // Rounding ends the growth; a matrix of zeros, NaN or infinity ends it at once.
    if (!(step > 0) || !Number.isFinite(next)) break;
    const ratio = step / lastStep;
    if (iteration > 1 && ratio < 1 && (step * ratio) / (1 - ratio) <= tolerance * estimate) break;
    // Its direction alone: squares of scales may be out of range.
    const direction = image.slice();
    normalise(direction);
    v.set(checkProduct(A.rmatvec(direction), cols, 'A.rmatvec(y)'));
    normalise(v);
  }
  return estimate;
}

/** How the test draws its vectors and what it lets pass. */
export interface DotTestOptions {
  /** Default 8. */
  readonly trials?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * The adjoint test: the largest |⟨A·x, y⟩ − ⟨x, Aᴴ·y⟩| over random pairs, relative to the larger product (or to what
 * one of such vectors has on average, when both happen to be small). A right pair gives a small multiple of the
 * operator's epsilon (below 1e-5 in float32, 1e-13 in float64), a wrong one about 1. Of a complex operator the vectors are
 * complex, and both parts of the products count.
 *
 * @throws {ArgumentError} for a bad operator or option.
 * @example dotTest(toeplitz([1, 2, 3])) < 1e-5   // true
 */
export function dotTest(A: LinearOperator, options?: DotTestOptions): number;
export function dotTest(A: ComplexLinearOperator, options?: DotTestOptions): number;
export function dotTest(A: LinearOperator | ComplexLinearOperator, options?: DotTestOptions): number;
export function dotTest(A: LinearOperator | ComplexLinearOperator, options?: DotTestOptions): number {
  checkOperator(A);
  const given = checkOptions(options, ['trials', 'seed']);
  const trials = checkInteger(given.trials ?? 8, 'options.trials', 1);
  const source = random(given.seed ?? 0);
  const isComplex = isComplexOperator(A);
  const operator = isComplex ? new Planar(A) : A;
  const [rows, cols] = operator.shape;
  if (rows === 0 || cols === 0) return 0;
  let worst = 0;
  for (let trial = 0; trial < trials; trial++) {
    // Of float32 values, so that an operator of either dtype sees the same vectors.
    const x = randomVector(cols, source).map(Math.fround);
    const y = randomVector(rows, source).map(Math.fround);
    const image = convert(checkProduct(operator.matvec(x), rows, 'A.matvec(x)'), 'float64');
    const back = convert(checkProduct(operator.rmatvec(y), cols, 'A.rmatvec(y)'), 'float64');
    // Relative to the larger, so that no product of the two sums leaves the range of numbers.
    const scale = Math.max(norm(image), norm(back));
    if (scale > 0 && Number.isFinite(scale)) {
      for (const vector of [image, back]) for (let i = 0; i < vector.length; i++) vector[i] /= scale;
    }
    const products = [[dot(image, y), dot(x, back)]];
    // ⟨u, i·v⟩ has for its real part what ⟨u, v⟩ has for its imaginary one, but for the sign.
    if (isComplex) products.push([dot(image, timesI(y)), dot(x, timesI(back))]);
    const typical = (norm(image) * norm(y)) / Math.sqrt(rows);
    for (const [left, right] of products) {
      const size = Math.max(...products.flat().map(Math.abs), typical);
      worst = Math.max(worst, size === 0 ? 0 : Math.abs(left - right) / size);
    }
  }
  return worst;
}

/** i·v of a planar vector. */
function timesI(v: Float64Array): Float64Array {
  const { re, im } = partsOfPlanar(v);
  const turned = new Float64Array(v.length);
  for (let i = 0; i < re.length; i++) {
    turned[i] = -im[i];
    turned[re.length + i] = re[i];
  }
  return turned;
}

/**
 * All singular values of a stride-1 convolution with circular padding, descending: at every frequency ω of the input's
 * grid the O × I matrix Σ_t w[·,·,t]·exp(−2πi·ω·t) has its own, and together they are those of the whole matrix.
 *
 * @param weight        [O, I, kernel…], or [kernel…] for one channel in and one out. The values do not depend on where
 *   the kernel's centre lies, nor on whether it is flipped.
 * @param inputSpatial  Sizes of the input; a larger kernel wraps around.
 * @returns ∏inputSpatial·min(O, I) values, each right to a small multiple of 2⁻⁵² times the largest, at any scale; NaN when a
 *   weight is not finite.
 * @throws {ShapeError} when ranks disagree, {DTypeError} for integers.
 * Source: Sedghi, Gupta, Long, The Singular Values of Convolutional Layers, ICLR 2019.
 * @example convSingularValues([2], [3])   // Float64Array [2, 2, 2]
 */
export function convSingularValues(weight: TensorLike, inputSpatial: readonly number[]): Float64Array {
  const w = asFloat(takeTensor(weight, 'weight', 'float64'), 'weight');
  const sizes = checkShape(inputSpatial, 'inputSpatial', 1);
  const rank = sizes.length;
  if (rank < 1 || rank > 3) {
    throw mismatch(ShapeError, 'inputSpatial', '1 to 3 spatial sizes', describeShape(sizes));
  }
  if (w.shape.length !== rank && w.shape.length !== rank + 2) {
    const expected = `[O, I, kernel…] or [kernel…] with ${rank} spatial axes`;
    throw mismatch(ShapeError, 'weight', expected, describeShape(w.shape));
  }
  const shape = w.shape.length === rank ? [1, 1, ...w.shape] : w.shape;
  const [outputs, inputs, ...kernel] = shape;
  const planes = outputs * inputs;
  const each = Math.min(outputs, inputs);
  if (each === 0) return new Float64Array(0);
  const points = product(sizes);
  // Near 1, so that nothing overflows or vanishes on the way; powers of two change no digit.
  const exponent = exponentOf(w.data);
  const spectrum = transferFunction(scaled(w.data, -exponent), planes, kernel, sizes);
  // A real kernel's matrices at ω and −ω are conjugate, and have the same singular values.
  const own = Array.from({ length: points }, (_, point) => point).filter(
    (point) => mirrored(point, sizes) >= point,
  );
  own.forEach((point, place) => {
    for (const part of [spectrum.re, spectrum.im]) {
      part.copyWithin(place * planes, point * planes, (point + 1) * planes);
    }
  });
  const found = new Float64Array(own.length * each);
  const [re, im] = [spectrum.re, spectrum.im].map((part) => part.subarray(0, own.length * planes));
  backend().singularValues(outputs, inputs, re, im, found);
  const values = new Float64Array(points * each);
  let filled = 0;
  own.forEach((point, place) => {
    const ofPoint = found.subarray(place * each, (place + 1) * each);
    for (const mirror of new Set([point, mirrored(point, sizes)])) {
      if (mirror >= point) {
        values.set(ofPoint, filled);
        filled += each;
      }
    }
  });
  return scaled(values, exponent).sort().reverse();
}

/** The exponent of two that the largest number lies at; 0 when there is none, or when it is not finite. */
function exponentOf(values: FloatArray): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
  return largest > 0 && Number.isFinite(largest) ? Math.floor(Math.log2(largest)) : 0;
}

/** values·2^exponent, in two steps of half the exponent: one factor alone may be out of range. */
function scaled(values: FloatArray, exponent: number): Float64Array {
  const half = Math.trunc(exponent / 2);
  const [first, second] = [2 ** half, 2 ** (exponent - half)];
  return Float64Array.from(values, (value) => value * first * second);
}

/** Independent, uniform in [−1, 1). */
function randomVector(length: number, source: Random): Float64Array {
  return Float64Array.from({ length }, () => 2 * source.uniform() - 1);
}

interface Planes {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * The discrete Fourier transform of every kernel plane on the input's grid, [points][planes], one axis at a time: kernels are
 * small.
 */
function transferFunction(
  weight: Float64Array,
  planes: number,
  kernel: readonly number[],
  sizes: readonly number[],
): Planes {
  const taps = product(kernel);
  const re = new Float64Array(weight.length);
  for (let plane = 0; plane < planes; plane++) {
    for (let tap = 0; tap < taps; tap++) re[tap * planes + plane] = weight[plane * taps + tap];
  }
  let spectrum: Planes = { re, im: new Float64Array(weight.length) };
  const shape = [...kernel, planes];
  sizes.forEach((size, axis) => {
    spectrum = transformAxis(spectrum, shape, axis, size);
    shape[axis] = size;
  });
  return spectrum;
}

/** Σ_t x[…, t, …]·exp(−2πi·f·t/size), f = 0 … size − 1, along one axis. */
function transformAxis({ re, im }: Planes, shape: readonly number[], axis: number, size: number): Planes {
  const taps = shape[axis];
  const outer = product(shape.slice(0, axis));
  const inner = product(shape.slice(axis + 1));
  const cos = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size));
  const sin = Float64Array.from({ length: size }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
  const nextRe = new Float64Array(outer * size * inner);
  const nextIm = new Float64Array(outer * size * inner);
  for (let o = 0; o < outer; o++) {
    for (let f = 0; f < size; f++) {
      for (let t = 0; t < taps; t++) {
        const c = cos[(f * t) % size];
        const s = sin[(f * t) % size];
        const from = (o * taps + t) * inner;
        const to = (o * size + f) * inner;
        for (let i = 0; i < inner; i++) {
          nextRe[to + i] += c * re[from + i] - s * im[from + i];
          nextIm[to + i] += c * im[from + i] + s * re[from + i];
        }
      }
    }
  }
  return { re: nextRe, im: nextIm };
}

/** The flat index of −ω. */
function mirrored(point: number, sizes: readonly number[]): number {
  let mirror = 0;
  let place = 1;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const size = sizes[axis];
    mirror += ((size - (point % size)) % size) * place;
    point = Math.floor(point / size);
    place *= size;
  }
  return mirror;
}
