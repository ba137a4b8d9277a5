/** Finite differences of a field, as convolution matrices: their transposes and sparse formats come with them. */

import { checkInteger, checkOneOf, checkOptions, checkShape, describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import type { ConvMatrix } from '../matrix/conv-matrix.js';
import { convMatrix } from '../matrix/from-weight.js';
import { product } from '../numbers.js';
import type { FloatDType } from '../tensor/dtype.js';
import { zeros } from '../tensor/dtype.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { add, vstack } from './algebra.js';
import type { Operator } from './operator.js';

/** What lies behind the ends of an axis. */
export interface BoundaryOptions {
  /** What lies beyond the field: its border's value (a zero derivative, the default), the other end, or zeros. */
  readonly boundary?: 'replicate' | 'circular' | 'zeros';
  /** Of the vectors that the operator computes with. Default 'float64'. */
  readonly dtype?: FloatDType;
}

/** Which difference, and what lies behind the ends of an axis. */
export interface DifferenceOptions extends BoundaryOptions {
  /** 1 (the default): x[i + 1] − x[i]. 2: x[i − 1] − 2·x[i] + x[i + 1]. */
  readonly order?: 1 | 2;
}

interface Given {
  readonly boundary: 'replicate' | 'circular' | 'zeros';
  readonly dtype: FloatDType;
}

const BOUNDARY_OPTIONS = ['boundary', 'dtype'] as const;

function readField(shape: Shape, options: BoundaryOptions): Given & { readonly sizes: readonly number[] } {
  const sizes = checkShape(shape, 'shape', 1);
  if (sizes.length === 0) throw mismatch(ShapeError, 'shape', 'at least one axis', describeShape(sizes));
  return {
    sizes,
    boundary: checkOneOf(options.boundary ?? 'replicate', 'options.boundary', [
      'replicate',
      'circular',
      'zeros',
    ]),
    dtype: checkOneOf(options.dtype ?? 'float64', 'options.dtype', ['float32', 'float64']),
  };
}

/** A row of taps along one axis; `before` of them read what lies before the element. */
function alongAxis(
  sizes: readonly number[],
  axis: number,
  taps: readonly number[],
  before: number,
  { boundary, dtype }: Given,
): ConvMatrix {
  // Axes before and after make one each, so that every field is one of three axes.
  const inputShape = [1, product(sizes.slice(0, axis)), sizes[axis], product(sizes.slice(axis + 1))];
  const weight = zeros(dtype, taps.length);
  weight.set(taps);
  return convMatrix(new Tensor(weight, [1, 1, 1, taps.length, 1]), {
    inputShape,
    padding: [
      [0, 0],
      [before, taps.length - 1 - before],
      [0, 0],
    ],
    paddingMode: boundary,
  });
}

/**
 * Differences along one axis of a field of that shape, row-major; as many as the field has elements.
 *
 * @param shape  Of the field, sizes ≥ 1.
 * @param axis   Along which, from 0.
 * @throws {ArgumentError} for an axis that the field has not or a bad option, {ShapeError} for a field of no axes.
 * @example difference([4], 0).matvec([1, 3, 6, 6])   // Float64Array [2, 3, 0, 0]
 */
export function difference(shape: Shape, axis: number, options?: DifferenceOptions): ConvMatrix {
  const given = checkOptions(options, ['order', ...BOUNDARY_OPTIONS]);
  const field = readField(shape, given);
  const order = checkInteger(given.order ?? 1, 'options.order', 1, 2);
  const along = checkInteger(axis, 'axis', 0, field.sizes.length - 1);
  return order === 1
    ? alongAxis(field.sizes, along, [-1, 1], 0, field)
    : alongAxis(field.sizes, along, [1, -2, 1], 1, field);
}

/**
 * First differences along every axis, one below the other: [axes·n, n] for a field of n elements.
 *
 * @throws as difference.
 * @example gradient([2, 3]).shape   // [12, 6]
 */
export function gradient(shape: Shape, options?: BoundaryOptions): Operator {
  const field = readField(shape, checkOptions(options, BOUNDARY_OPTIONS));
  return vstack(...field.sizes.map((_, axis) => alongAxis(field.sizes, axis, [-1, 1], 0, field)));
}

/**
 * The sum of the second differences along every axis: one convolution of a cross up to three axes.
 *
 * @throws as difference.
 * @example laplacian([3]).matvec([0, 1, 0])   // Float64Array [1, -2, 1]
 */
export function laplacian(shape: Shape, options?: BoundaryOptions): Operator {
  const field = readField(shape, checkOptions(options, BOUNDARY_OPTIONS));
  const { sizes, dtype, boundary } = field;
  if (sizes.length > 3) return add(...sizes.map((_, axis) => alongAxis(sizes, axis, [1, -2, 1], 1, field)));
  const rank = sizes.length;
  const kernel = zeros(dtype, 3 ** rank);
  const centre = (kernel.length - 1) / 2;
  kernel[centre] = -2 * rank;
  for (let step = 1; step < kernel.length; step *= 3) {
    kernel[centre - step] = 1;
    kernel[centre + step] = 1;
  }
  return convMatrix(new Tensor(kernel, [1, 1, ...sizes.map(() => 3)]), {
    inputShape: [1, ...sizes],
    padding: 1,
    paddingMode: boundary,
  });
}
