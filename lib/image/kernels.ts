/** Kernels of image processing by name, as convolutions take them: not flipped. */
import { checkInteger, checkNumber, checkOneOf, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { type Nested, Tensor, tensor } from '../tensor/tensor.js';

const fixed = (rows: Nested): Tensor<Float32Array> => tensor(rows, undefined, 'float32');

/** A kernel [size, size] of the products of a line's elements. */
function outer(line: readonly number[]): Tensor<Float32Array> {
  const size = line.length;
  const data = new Float32Array(size * size);
  line.forEach((a, i) => {
    line.forEach((b, j) => {
      data[i * size + j] = a * b;
    });
  });
  return new Tensor(data, [size, size]);
}

/**
 * exp(−(i² + j²)/(2σ²)), scaled to the sum 1: [size, size] float32.
 *
 * @param sigma  The standard deviation, in pixels, above 0.
 * @param size   Odd. Default 2·⌈3σ⌉ + 1: out to three standard deviations.
 * @throws {ArgumentError} for another sigma or size.
 * @example conv2d(grey, image.gaussian(2).reshape([1, 1, 13, 13]), { padding: 6, paddingMode: 'reflect' })
 */
export function gaussian(sigma: number, size?: number): Tensor<Float32Array> {
  const deviation = checkNumber(sigma, 'sigma');
  if (!(deviation > 0 && deviation <= MOST_SIGMA))
    throw mistake(ArgumentError, 'sigma', `a number above 0 and up to ${MOST_SIGMA}`, sigma);
  const side = checkInteger(size ?? 2 * Math.ceil(3 * deviation) + 1, 'size', 1, MOST_SIDE);
  if (side % 2 === 0) throw mistake(ArgumentError, 'size', 'an odd number', size);
  const radius = (side - 1) / 2;
  const line = Array.from({ length: side }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * deviation ** 2)));
  const total = line.reduce((sum, value) => sum + value, 0);
  return outer(line.map((value) => value / total));
}

const MOST_SIGMA = 1000;
const MOST_SIDE = 8191;

/**
 * The mean of size × size pixels: [size, size] float32. @throws {ArgumentError} unless size is an integer ≥ 1.
 *
 * @example image.box(2).toNested()   // [[0.25, 0.25], [0.25, 0.25]]
 */
export function box(size: number): Tensor<Float32Array> {
  const side = checkInteger(size, 'size', 1, MOST_SIDE);
  return new Tensor(new Float32Array(side * side).fill(1 / side ** 2), [side, side]);
}

/**
 * Sobel's derivative along an axis, [3, 3] float32: positive where the image grows to the right ('x') or downwards ('y').
 *
 * @throws {ArgumentError} for another axis.
 * @example image.sobel('x').shape   // [3, 3]
 */
export function sobel(axis: 'x' | 'y'): Tensor<Float32Array> {
  return checkOneOf(axis, 'axis', ['x', 'y']) === 'x'
    ? fixed([
        [-1, 0, 1],
        [-2, 0, 2],
        [-1, 0, 1],
      ])
    : fixed([
        [-1, -2, -1],
        [0, 0, 0],
        [1, 2, 1],
      ]);
}

/**
 * The sum of the second differences, of four neighbours: [3, 3] float32.
 *
 * @example image.laplacian().toNested()   // [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
 */
export function laplacian(): Tensor<Float32Array> {
  return fixed([
    [0, 1, 0],
    [1, -4, 1],
    [0, 1, 0],
  ]);
}

/**
 * The image less `amount` times its Laplacian: [3, 3] float32.
 *
 * @param amount  Default 1. @throws {ArgumentError} when it is no number.
 * @example image.sharpen().shape   // [3, 3]
 */
export function sharpen(amount = 1): Tensor<Float32Array> {
  const a = checkNumber(amount, 'amount');
  return fixed([
    [0, -a, 0],
    [-a, 1 + 4 * a, -a],
    [0, -a, 0],
  ]);
}
