/** One input channel per group: each plane goes straight from image to output, by loops of its own for 3×3 and 5×5. */
import { ceilDiv } from '../../numbers.js';
import type { ConvGeometry } from '../geometry.js';
import type { Workload } from '../model/workload.js';
import { isUnit } from '../options/axes.js';
import type { NativeAlgorithm } from './algorithm.js';
import { sizesOf, sumsOf } from './cost.js';

export const depthwise: NativeAlgorithm = {
  name: 'depthwise',
  gradients: 'stride 1',
  declines,
  variant: () => ({ algorithm: 'depthwise', kernels: 'any' }),
  isAccurate: () => true,
  time,
  cost(g) {
    const { item, outputs, weights, perGroup, taps, operandBytes } = sizesOf(g);
    return {
      ...sumsOf(g.batch * outputs * perGroup * taps, g.batch * outputs),
      bytes: operandBytes,
      extraBytes: 0,
      weightBytes: item * weights,
    };
  },
  reason: () => 'one channel per group: each plane goes straight from image to output',
  sparseLimit: null,
  weightGrad: null,
};

function declines(g: ConvGeometry): string | null {
  const [depth, height, width] = g.axes;
  if ([height, width].some((axis) => Math.min(axis.padBefore, axis.padAfter) < 0)) return 'cannot crop';
  if (g.inChannels !== g.groups) return 'needs one input channel per group';
  if (!isUnit(depth)) return 'serves two spatial axes';
  if (height.kernel !== width.kernel || (width.kernel !== 3 && width.kernel !== 5))
    return 'needs a 3×3 or 5×5 kernel';
  if (Math.max(height.stride, width.stride) > 2) return 'needs strides of 1 or 2';
  if (height.dilation !== 1 || width.dilation !== 1) return 'needs dilation 1';
  const padded = height.padBefore + height.padAfter + width.padBefore + width.padAfter > 0;
  return padded && g.paddingMode !== 'zeros' ? 'needs zeros padding' : null;
}

/** Its times: of a load, and how many of them every second element takes; of columns of a vector down a plane. */
function time(work: Workload): number {
  const { depthwise: t, core } = work.times;
  const [, height, width] = work.g.axes;
  const planes = work.g.batch * work.g.outChannels;
  const tallest = work.tuning.depthwise.rows;
  const rows = height.out < tallest ? 1 : tallest;
  const tiles = ceilDiv(height.out, rows);
  const loads = ((rows - 1) * height.stride + height.kernel) * width.kernel;
  const products = rows * work.taps;
  const strips = work.vectors(width.out);
  const step = Math.max(
    products * core.multiply,
    (loads * (width.stride === 2 ? t.even : 1) + products) * t.load,
  );
  return planes * strips * (tiles * (step + rows * t.store) + t.strip) + t.call;
}
