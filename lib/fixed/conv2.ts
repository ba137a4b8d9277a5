/** 2-D convolution of fixed-point numbers, bit-exact. */

import { fixedConv2 as fixedConv2Big } from '../backend/js/fixed.js';
import { backend } from '../backend/select.js';
import { checkOneOf, checkOptions, describeShape, elementCount, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import {
  checkExponent,
  type NumericType,
  readNumericType,
  wordDType,
  wordRange,
} from '../plan/options/numeric-type.js';
import { type Accumulate, planFixedConv } from '../plan/plans/fixed.js';
import { CONV_SHAPES, type ConvShape } from '../plan/plans/linear.js';
import { type TypedArray, uninitialised } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { FixedTensor, takeFixed } from './fixed-tensor.js';

/** Types and order of a fixed-point convolution. */
export interface FixedConvOptions {
  /** The window, as in `signal.conv2`. Default 'valid'. */
  readonly shape?: ConvShape;
  /** The type of the result. Rounding defaults to 'nearest', overflow to 'saturate'. */
  readonly output: NumericType;
  /** Products of the operands' values are divided by 2^productShift. Any integer, default 0. */
  readonly productShift?: number;
  /**
   * 'full' (default): products are summed exactly, and the sum is brought into `output` once. 'every-step': each product,
   * and the running sum after each, is brought into `output`, walking the flipped kernel in row-major order.
   */
  readonly accumulate?: Accumulate;
}

const OPTIONS = ['shape', 'output', 'productShift', 'accumulate'] as const;
export const ACCUMULATES = ['full', 'every-step'] as const satisfies readonly Accumulate[];

/**
 * 2-D convolution in fixed point. The kernel is flipped, as `signal.conv2` flips it. Bit-exact: the same integers on
 * every machine, backend and instruction set.
 *
 *   'full':        y[i, j] = output(Σ_p Σ_q x[i + p, j + q]·w[kH − 1 − p, kW − 1 − q] / 2^productShift)
 *   'every-step':  s ← output(s + output(x·w / 2^productShift)) for p = 0 … kH − 1, q = 0 … kW − 1, from s = 0
 *
 * ('valid'; 'same' and 'full' read zeros beyond the image.) With 'full' this is the product of the kernel as a row and
 * the image's blocks as columns (im2col, whose columns are read in place), in integers of 16, 32 or 64 bits: the
 * narrowest that a bound from the types and the kernel's values proves wide enough, or BigInt past those.
 *
 * @param image   [H, W], or [H, W, planes], each plane on its own.
 * @param kernel  [kH, kW].
 * @returns a FixedTensor of type `options.output`, of the image's rank.
 * @throws {ShapeError} for other ranks or empty operands; {ArgumentError} for operands that are no FixedTensor, or a bad
 *   option.
 * @example
 * const byte = { signed: true, wordLength: 8, fractionLength: 0 };
 * fixed.conv2(fixed.fi(image, byte), fixed.fi(kernel, byte), {
 *   output: { signed: true, wordLength: 8, fractionLength: 7 }, productShift: 14, accumulate: 'every-step' });
 */
export function conv2(image: FixedTensor, kernel: FixedTensor, options: FixedConvOptions): FixedTensor {
  const x = takeFixed(image, 'image');
  const w = takeFixed(kernel, 'kernel');
  const given = checkOptions(options, OPTIONS);
  const output = readNumericType(given.output, 'options.output');
  const productShift = checkExponent(given.productShift ?? 0, 'options.productShift');
  const shape = checkOneOf(given.shape ?? 'valid', 'options.shape', CONV_SHAPES);
  const accumulate = checkOneOf(given.accumulate ?? 'full', 'options.accumulate', ACCUMULATES);
  const [rows, columns, planes = 1] = checkAxes(x.raw, 'image', [2, 3], '[H, W] or [H, W, planes]');
  const [kernelRows, kernelColumns] = checkAxes(w.raw, 'kernel', [2], '[kH, kW]');
  const { low, high } = wordRange(x.type);
  const plan = planFixedConv({
    image: [rows, columns, planes],
    kernel: [kernelRows, kernelColumns],
    shape,
    accumulate,
    output,
    shift: x.type.fractionLength + w.type.fractionLength + productShift - output.fractionLength,
    imageBound: Math.max(-low, high),
    ...magnitudes(w.raw.data),
  });
  const sizes = [plan.outRows, plan.outColumns, ...x.raw.shape.slice(2)];
  const raw = uninitialised(wordDType(output), elementCount(sizes, 'output'));
  // What no machine integer is proved to hold is JavaScript's to compute, on any backend.
  const run = plan.width === 'big' ? fixedConv2Big : backend().fixedConv2;
  run(plan, x.raw.data, w.raw.data, raw);
  return new FixedTensor(new Tensor(raw, sizes), output);
}

function checkAxes(
  { shape }: Tensor,
  argument: string,
  ranks: readonly number[],
  layout: string,
): readonly number[] {
  if (!ranks.includes(shape.length) || shape.includes(0)) {
    throw mismatch(ShapeError, argument, `${layout} with at least one element`, describeShape(shape));
  }
  return shape;
}

function magnitudes(kernel: TypedArray): { kernelBound: number; kernelSum: number } {
  let kernelBound = 0;
  let kernelSum = 0;
  for (const value of kernel) {
    kernelBound = Math.max(kernelBound, Math.abs(value));
    kernelSum += Math.abs(value);
  }
  return { kernelBound, kernelSum };
}
