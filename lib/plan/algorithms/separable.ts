/** Kernels of rank one, one input channel per group: a pass along the rows, and one down the columns. */
import { ceilDiv } from '../../numbers.js';
import type { ConvGeometry } from '../geometry.js';
import type { Workload } from '../model/workload.js';
import { isUnit } from '../options/axes.js';
import type { NativeAlgorithm, Weights } from './algorithm.js';
import { sizesOf, sumsOf } from './cost.js';

/** The strip between the two passes. */
const STRIP_BYTES = 512 * 2 ** 10;

export const separable: NativeAlgorithm = {
  name: 'depthwise',
  gradients: 'none',
  declines,
  variant: () => ({ algorithm: 'depthwise', kernels: 'separable' }),
  isAccurate: () => true,
  time,
  cost(g) {
    const { item, outputs, perGroup, operandBytes } = sizesOf(g);
    const taps = g.axes[1].kernel + g.axes[2].kernel;
    return {
      ...sumsOf(g.batch * outputs * perGroup * taps, g.batch * outputs),
      bytes: operandBytes,
      extraBytes: STRIP_BYTES,
      weightBytes: item * g.outChannels * perGroup * taps,
    };
  },
  reason({ axes: [, height, width] }) {
    const passes = `separable: a column times a row of taps takes ${height.kernel} + ${width.kernel}`;
    return `${passes} multiplications an output instead of ${height.kernel * width.kernel}`;
  },
  sparseLimit: null,
  weightGrad: null,
};

function declines(g: ConvGeometry, weights: Weights): string | null {
  const [depth, ...axes] = g.axes;
  if (!weights.separable) return 'needs kernels that are a column times a row';
  if (g.inChannels !== g.groups) return 'needs one input channel per group';
  if (!isUnit(depth)) return 'serves two spatial axes';
  if (axes.some((axis) => axis.stride !== 1)) return 'needs stride 1';
  return axes.some((axis) => axis.dilation !== 1) ? 'needs dilation 1' : null;
}

/** Its times: how many loads one is that begins anywhere in a cache line; of a row between the two passes, and a vector of it. */
function time(work: Workload): number {
  const { separable: t } = work.times;
  const { gemm, separable, toeplitz } = work.tuning;
  const [, height, width] = work.g.axes;
  const planes = work.g.batch * work.g.outChannels;
  const vectors = toeplitz.sums / separable.lines;
  const lines = height.out + height.kernel - 1;
  // Rows between the passes come in whole groups of four vectors.
  const across = ceilDiv(work.vectors(width.out), vectors);
  const along =
    ceilDiv(lines, separable.lines) *
    across *
    width.kernel *
    work.step(toeplitz.sums, toeplitz.sums * t.straddle + 1);
  const count = work.toeplitzCount(Math.min(height.kernel, gemm.rows, height.out));
  const step = work.step(
    count * height.kernel * gemm.vectors,
    (count + height.kernel - 1) * gemm.vectors + count * height.kernel,
  );
  const down = ceilDiv(height.out, count) * ceilDiv(work.vectors(width.out), gemm.vectors) * step;
  return planes * (along + down + lines * (t.line + work.vectors(width.out) * t.copy)) + t.call;
}
