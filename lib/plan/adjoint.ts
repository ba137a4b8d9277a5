/** The input gradient as a convolution over the output's gradient: what the algorithms of the forward one are chosen by. */

import { gcd } from '../numbers.js';
import type { ConvGeometry } from './geometry.js';
import type { Axis, AxisTriple } from './options/axes.js';

/**
 * The convolution of stride 1 over dy that gives dx; of a stride, the one of the sub-lattice that the most taps reach.
 * Other padding than zeros is as if x had been padded before, and its gradient is folded back afterwards, unless
 * `padsBefore` is false. Padding may come out negative: it crops dy then. native/conv/input_grad.cc derives the same.
 */
export function overGradOutput(g: ConvGeometry, padsBefore = g.paddingMode !== 'zeros'): ConvGeometry {
  return {
    ...g,
    op: 'forward',
    inChannels: g.outChannels,
    outChannels: g.inChannels,
    paddingMode: 'zeros',
    axes: g.axes.map((axis) => axisOver(axis, padsBefore)) as unknown as AxisTriple,
  };
}

/** Nanoseconds of a product with a margin of padding, and of an element of the padded gradient that is folded back. */
const [MARGIN_PRODUCT_NS, FOLDED_NS] = [0.2, 3];

/**
 * Whether the native code computes the gradient of the padded x and folds it back, or that of x alone, as of zeros padding,
 * and adds what the margins give. native/conv/input_grad.cc decides the same, for weights without a zero.
 */
export function foldsPadding({ paddingMode, groups, outChannels, axes }: ConvGeometry): boolean {
  if (paddingMode === 'zeros') return false;
  let [image, padded, taps] = [1, 1, 1];
  for (const { in: size, kernel, stride, dilation, padBefore, padAfter } of axes) {
    if (Math.min(padBefore, padAfter) < 0) return true;
    if (Math.max(padBefore, padAfter) > (kernel - 1) * dilation) return true;
    image *= size;
    padded *= padBefore + size + padAfter;
    taps *= Math.ceil(kernel / stride);
  }
  const products = ((padded - image) * taps * outChannels) / groups;
  return products * MARGIN_PRODUCT_NS >= padded * FOLDED_NS;
}

function axisOver(a: Axis, padsBefore: boolean): Axis {
  const pad = padsBefore ? 0 : a.padBefore;
  const size = padsBefore ? a.in + a.padBefore + a.padAfter : a.in;
  const common = gcd(a.stride, a.dilation);
  const kernel = Math.ceil((a.kernel * common) / a.stride);
  const dilation = a.dilation / common;
  const out = Math.ceil(size / a.stride);
  const span = (kernel - 1) * dilation;
  const padBefore = span - Math.floor(pad / a.stride);
  return { in: a.out, kernel, stride: 1, dilation, padBefore, padAfter: out + span - padBefore - a.out, out };
}
