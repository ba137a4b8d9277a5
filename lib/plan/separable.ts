/** Kernels of rank one: a column times a row. What the choice of an algorithm asks of the weights' values, as density. */
import { type FloatArray, holds } from '../tensor/dtype.js';

/** Sides from which two passes can gain. */
const MIN_SIDE = 5;
/** Of the unit roundoff: the most that an element may differ from its product of factors, relative to itself. */
const MAX_ROUNDINGS = 16;

/**
 * Whether every kernel of a convolution with one input channel per group is a column times a row, up to what rounding
 * its elements explains. Then an output errs by less than the bound of a sum of all taps: the two passes round kh + kw
 * times, and the factors differ from the kernel by fewer roundings than are left.
 *
 * @param shape  [oc, ic/groups, kernel…].
 */
export function isSeparable(weight: FloatArray, shape: readonly number[]): boolean {
  const [count, perGroup, height, width] = shape;
  if (shape.length !== 4 || perGroup !== 1 || count === 0) return false;
  if (!(height >= MIN_SIDE && width >= MIN_SIDE)) return false;
  const roundings = Math.min(MAX_ROUNDINGS, height * width - height - width - 4);
  const tolerance = roundings * (holds(weight, 'float32') ? 2 ** -24 : 2 ** -53);
  for (let o = 0; o < count; o++) {
    if (!isRankOne(weight, o * height * width, height, width, tolerance)) return false;
  }
  return true;
}

/** By the row and the column of the largest element: the factors that lose least. */
function isRankOne(
  weight: FloatArray,
  first: number,
  height: number,
  width: number,
  tolerance: number,
): boolean {
  let largest = 0;
  let at = 0;
  for (let i = 0; i < height * width; i++) {
    const size = Math.abs(weight[first + i]);
    if (size > largest) {
      largest = size;
      at = i;
    }
  }
  if (largest === 0) return true;
  if (!Number.isFinite(largest)) return false;
  const column = at % width;
  const row = at - column;
  const pivot = weight[first + at];
  for (let i = 0; i < height; i++) {
    const scale = weight[first + i * width + column] / pivot;
    for (let j = 0; j < width; j++) {
      const element = weight[first + i * width + j];
      // A NaN fails every comparison.
      const difference = Math.abs(element - scale * weight[first + row + j]);
      if (!(difference <= tolerance * Math.abs(element))) return false;
    }
  }
  return true;
}
