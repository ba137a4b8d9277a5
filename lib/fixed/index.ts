/**
 * MATLAB's fixed-point arithmetic: fi, and convolution on it.
 *
 * @module
 */

export type { NumericType, Overflow, Rounding } from '../plan/options/numeric-type.js';
export type { Accumulate } from '../plan/plans/fixed.js';
export { add, cast, multiply, relu } from './arithmetic.js';
export type { FixedConvOptions } from './conv2.js';
export { conv2 } from './conv2.js';
export type { FixedConv2dOptions } from './conv2d.js';
export { conv2d } from './conv2d.js';
export type { BestNumericType } from './fixed-tensor.js';
export { FixedTensor, fi } from './fixed-tensor.js';
