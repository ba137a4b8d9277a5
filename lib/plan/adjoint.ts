/** The input gradient as a convolution over the output's gradient: what the algorithms of the forward one are chosen by. */

import { gcd } from '../numbers.js';
import type { ConvGeometry } from './geometry.js';
import type { Axis, AxisTriple } from './options/axes.js';

/**
 * The convolution of stride 1 over dy that gives dx; of a stride, the one of the sub-lattice that the most taps reach.
 * Other padding than zeros is as if x had been padded before, and its gradient is folded back afterwards. Padding may
 * come out negative: it crops dy then. native/conv/input_grad.cc derives the same.
 */
export function overGradOutput(g: ConvGeometry): ConvGeometry {
  return {
    ...g,
    op: 'forward',
    inChannels: g.outChannels,
    outChannels: g.inChannels,
    paddingMode: 'zeros',
    axes: g.axes.map((axis) => axisOver(axis, g.paddingMode !== 'zeros')) as unknown as AxisTriple,
  };
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
