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
  const steps = separableSteps(weight, shape);
  while (true) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** As isSeparable, in steps of so many weights. */
export async function isSeparableInTurns(
  weight: FloatArray,
  shape: readonly number[],
  step: number,
  turn: () => Promise<void>,
): Promise<boolean> {
  const steps = separableSteps(weight, shape);
  let looked = 0;
  while (true) {
    const { done, value } = steps.next();
    if (done) return value;
    looked += value;
    if (looked < step) continue;
    await turn();
    looked = 0;
  }
}

/** Whether kernels of this shape are looked at for factors. */
export function maySeparate(shape: readonly number[]): boolean {
  const [count, perGroup, height, width] = shape;
  return shape.length === 4 && perGroup === 1 && count > 0 && height >= MIN_SIDE && width >= MIN_SIDE;
}

/** Yields how many weights it has looked at since. */
type Steps = Generator<number, boolean, void>;

function* separableSteps(weight: FloatArray, shape: readonly number[]): Steps {
  if (!maySeparate(shape)) return false;
  const [count, , height, width] = shape;
  const roundings = Math.min(MAX_ROUNDINGS, height * width - height - width - 4);
  const tolerance = roundings * (holds(weight, 'float32') ? 2 ** -24 : 2 ** -53);
  for (let o = 0; o < count; o++) {
    if (!(yield* rankOneSteps(weight, o * height * width, height, width, tolerance))) return false;
  }
  return true;
}

/** By the row and the column of the largest element: the factors that lose least. */
function* rankOneSteps(
  weight: FloatArray,
  first: number,
  height: number,
  width: number,
  tolerance: number,
): Steps {
  let largest = 0;
  let at = 0;
  for (let i = 0; i < height; i++) {
    for (let j = i * width; j < (i + 1) * width; j++) {
      const size = Math.abs(weight[first + j]);
      if (size > largest) {
        largest = size;
        at = j;
      }
    }
    yield width;
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
    yield width;
  }
  return true;
}
