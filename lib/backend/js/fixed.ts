/** Fixed-point convolution in JavaScript: in float64 while that is exact, in BigInt beyond. */

import {
  type FullNumericType,
  limiter,
  limiterBig,
  round,
  roundBig,
  wordRange,
} from '../../plan/options/numeric-type.js';
import type { FixedConvPlan } from '../../plan/plans/fixed.js';
import type { TypedArray } from '../../tensor/dtype.js';

/** See Backend.fixedConv2; every width, 'big' too. */
export function fixedConv2(
  plan: FixedConvPlan,
  image: TypedArray,
  kernel: TypedArray,
  out: TypedArray,
): void {
  if (plan.bound <= Number.MAX_SAFE_INTEGER) convolveNumbers(plan, image, kernel, out);
  else convolveBig(plan, image, kernel, out);
}

/** Each tap of the flipped kernel, row by row, that lies within the image for this output: where both are. */
function visitTaps(
  plan: FixedConvPlan,
  outRow: number,
  outColumn: number,
  visit: (imageAt: number, kernelAt: number) => void,
): void {
  const { rows, columns, planes, kernelRows, kernelColumns, padTop, padLeft } = plan;
  for (let p = 0; p < kernelRows; p++) {
    const row = outRow - padTop + p;
    if (row < 0 || row >= rows) continue;
    for (let q = 0; q < kernelColumns; q++) {
      const column = outColumn - padLeft + q;
      if (column < 0 || column >= columns) continue;
      visit((row * columns + column) * planes, (kernelRows - p) * kernelColumns - 1 - q);
    }
  }
}

function visitOutputs(
  plan: FixedConvPlan,
  visit: (row: number, column: number, plane: number) => void,
): void {
  for (let i = 0; i < plan.outRows; i++) {
    for (let j = 0; j < plan.outColumns; j++) {
      for (let k = 0; k < plan.planes; k++) visit(i, j, k);
    }
  }
}

/** A row of outputs at a time, tap by tap in the order of the flipped kernel: every pass goes along the row. */
function convolveNumbers(plan: FixedConvPlan, image: TypedArray, kernel: TypedArray, out: TypedArray): void {
  const { rows, columns, planes, kernelRows, kernelColumns, padTop, padLeft, outRows, outColumns } = plan;
  const { accumulate, output, shift } = plan;
  const everyStep = accumulate === 'every-step';
  const isUsual = output.rounding === 'nearest' && output.overflow === 'saturate';
  const { low, high } = wordRange(output);
  // Added to what has a fraction, it rounds nothing away: the plan's bound has room for it. Whole numbers stay.
  const half = shift > 0 ? 0.5 : 0;
  const unit = 2 ** -shift;
  const pixels = new Float64Array(image);
  // Flipped, and scaled where products are rounded one by one: exact, as the unit is a power of two.
  const weights = Float64Array.from(kernel, (value) => (everyStep ? value * unit : value)).reverse();
  const sums = new Float64Array(outColumns * planes);
  const products = new Float64Array(everyStep ? sums.length : 0);
  for (let i = 0; i < outRows; i++) {
    sums.fill(0);
    for (let p = Math.max(0, padTop - i); p < Math.min(kernelRows, rows + padTop - i); p++) {
      const row = (i - padTop + p) * columns;
      for (let q = 0; q < kernelColumns; q++) {
        const first = Math.max(0, padLeft - q);
        const count = Math.min(outColumns, columns + padLeft - q) - first;
        if (count <= 0) continue;
        const weight = weights[p * kernelColumns + q];
        const from = (row + first - padLeft + q) * planes;
        if (!everyStep) {
          addProducts(pixels, from, weight, sums, first * planes, count * planes);
          continue;
        }
        if (isUsual) {
          addRounded(pixels, from, weight, sums, first * planes, count * planes, half, low, high);
          continue;
        }
        products.fill(0, 0, count * planes);
        addProducts(pixels, from, weight, products, 0, count * planes);
        quantise(products, count * planes, output);
        addProducts(products, 0, 1, sums, first * planes, count * planes);
        limit(sums, sums.length, output);
      }
    }
    if (!everyStep) {
      for (let j = 0; j < sums.length; j++) sums[j] *= unit;
      quantise(sums, sums.length, output);
    }
    out.set(sums, i * sums.length);
  }
}

/** sums[at + j] += weight·values[from + j] */
function addProducts(
  values: Float64Array,
  from: number,
  weight: number,
  sums: Float64Array,
  at: number,
  count: number,
): void {
  let v = from | 0;
  for (let s = at | 0; s < at + count; s++) {
    sums[s] += weight * values[v];
    v = (v + 1) | 0;
  }
}

/** As the passes of an 'every-step' tap do, in one: to the nearest integer, saturated, and the sum likewise. */
function addRounded(
  values: Float64Array,
  from: number,
  weight: number,
  sums: Float64Array,
  at: number,
  count: number,
  half: number,
  low: number,
  high: number,
): void {
  let v = from | 0;
  for (let s = at | 0; s < at + count; s++) {
    const rounded = Math.floor(weight * values[v] + half);
    const sum = sums[s] + Math.max(low, Math.min(high, rounded));
    sums[s] = Math.max(low, Math.min(high, sum));
    v = (v + 1) | 0;
  }
}

/** Numbers as whole ones of the type, in place. */
export function quantise(values: Float64Array, count: number, type: FullNumericType): void {
  switch (type.rounding) {
    case 'nearest':
      if (type.overflow === 'saturate') {
        quantiseUsual(values, count, type);
        return;
      }
      for (let j = 0; j < count; j++) values[j] = nearest(values[j]);
      break;
    case 'floor':
      for (let j = 0; j < count; j++) values[j] = Math.floor(values[j]);
      break;
    default:
      for (let j = 0; j < count; j++) values[j] = round(values[j], type.rounding);
  }
  limit(values, count, type);
}

/** To the nearest, ties up. What is cut off is exact from ½ on; below, where it rounds, it stays on its side of ½. */
function nearest(value: number): number {
  const below = Math.floor(value);
  return value - below >= 0.5 ? below + 1 : below;
}

/** The two most usual ways, in one pass. */
function quantiseUsual(values: Float64Array, count: number, type: FullNumericType): void {
  const { low, high } = wordRange(type);
  for (let j = 0; j < count; j++) values[j] = Math.max(low, Math.min(high, nearest(values[j])));
}

/** Brings whole numbers into the word. */
export function limit(values: Float64Array, count: number, type: FullNumericType): void {
  const { low, high } = wordRange(type);
  const bring = type.overflow === 'wrap' ? limiter(type) : (value: number) => (value < low ? low : high);
  for (let j = 0; j < count; j++) {
    if (values[j] < low || values[j] > high) values[j] = bring(values[j]);
  }
}

function convolveBig(plan: FixedConvPlan, image: TypedArray, kernel: TypedArray, out: TypedArray): void {
  const { output, shift } = plan;
  const everyStep = plan.accumulate === 'every-step';
  const limitBig = limiterBig(output);
  const requantise = (p: bigint) => limitBig(roundBig(p, shift, output.rounding));
  const weights = Array.from(kernel, (value) => BigInt(value));
  let at = 0;
  visitOutputs(plan, (i, j, plane) => {
    let sum = 0n;
    visitTaps(plan, i, j, (imageAt, kernelAt) => {
      const product = BigInt(image[imageAt + plane]) * weights[kernelAt];
      sum = everyStep ? limitBig(sum + requantise(product)) : sum + product;
    });
    out[at++] = Number(everyStep ? sum : requantise(sum));
  });
}
