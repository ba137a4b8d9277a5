/**
 * The gradient in the weight, as one product per group, summed over images and positions:
 *   dw[o, c·taps] = Σ_{n,j} dy[o][n·j] · patches[c·taps][n·j]
 */
import { product } from '../../numbers.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { forwardLattice, type Lattice, sourceAt } from './gather.js';
import { columns, multiply, rows, type Slice, tileAt, tiles } from './gemm.js';
import { convolveGradients } from './spectral-weight-grad.js';
import { runAll } from './work.js';

export function convWeightGrad(
  plan: ConvPlan,
  input: FloatArray,
  gradOutput: FloatArray,
  gradWeight: FloatArray,
): void {
  if (plan.variant.algorithm === 'fft') {
    runAll(convolveGradients(plan, plan.variant.columns, input, gradOutput, gradWeight));
    return;
  }
  const { groups, axes, batch } = plan;
  const lattice = forwardLattice(axes, plan.paddingMode);
  const inChannels = plan.inChannels / groups;
  const outChannels = plan.outChannels / groups;
  const positions = product(axes.map((a) => a.out));
  const patch = inChannels * product(axes.map((a) => a.kernel));
  for (let group = 0; group < groups; group++) {
    const work = multiply(
      {
        rows: outChannels,
        columns: patch,
        depth: batch * positions,
        packRows: (slice) => packGradient(plan, gradOutput, group, slice),
        packColumns: (slice) => packTaps(plan, lattice, input, group, slice),
        store: ({ firstRow, rowCount, firstColumn, columnCount }) => {
          for (let i = 0; i < rowCount; i++) {
            const to = (group * outChannels + firstRow + i) * patch + firstColumn;
            for (let j = 0; j < columnCount; j++) gradWeight[to + j] = tiles[tileAt(i, j, columnCount)];
          }
        },
      },
      Number.POSITIVE_INFINITY,
    );
    runAll(work);
  }
}

/** rows[o][n·j] ← dy[n][o][j] */
function packGradient(
  { outChannels, groups, axes }: ConvPlan,
  gradOutput: FloatArray,
  group: number,
  { first, count, start, depth }: Slice,
): void {
  const positions = product(axes.map((a) => a.out));
  const firstChannel = (group * outChannels) / groups + first;
  for (let i = 0; i < count; i++) {
    const to = rows[i % 2];
    let at = (i >> 1) * depth;
    for (let step = start; step < start + depth; ) {
      const n = Math.floor(step / positions);
      const end = Math.min(start + depth, (n + 1) * positions);
      const from = (n * outChannels + firstChannel + i) * positions - n * positions;
      while (step < end) to[at++] = gradOutput[from + step++];
    }
  }
}

/** columns[c·taps][n·j] ← x[n][c][…]: im2col with the positions contiguous. */
function packTaps(
  { inChannels, groups, axes }: ConvPlan,
  [gd, gh, gw]: Lattice,
  input: FloatArray,
  group: number,
  { first, count, start, depth }: Slice,
): void {
  const [depthAxis, height, width] = axes;
  const firstChannel = (group * inChannels) / groups;
  const plane = depthAxis.in * height.in * width.in;
  for (let i = 0; i < count; i++) {
    const to = columns[i % 3];
    let at = Math.floor(i / 3) * depth;
    const tw = (first + i) % width.kernel;
    const th = Math.floor((first + i) / width.kernel) % height.kernel;
    const td = Math.floor((first + i) / width.kernel / height.kernel) % depthAxis.kernel;
    const c = Math.floor((first + i) / width.kernel / height.kernel / depthAxis.kernel);
    for (let step = start; step < start + depth; ) {
      const w = step % width.out;
      const h = Math.floor(step / width.out) % height.out;
      const d = Math.floor(step / width.out / height.out) % depthAxis.out;
      const n = Math.floor(step / width.out / height.out / depthAxis.out);
      const z = sourceAt(gd, d, td);
      const y = sourceAt(gh, h, th);
      const length = Math.min(width.out - w, start + depth - step);
      const end = at + length;
      step += length;
      if (z < 0 || y < 0) {
        while (at < end) to[at++] = 0;
        continue;
      }
      const row = (n * inChannels + firstChannel + c) * plane + (z * height.in + y) * width.in;
      for (let s = w * width.stride + tw * width.dilation; at < end; s += width.stride) {
        const x = gw.line[s];
        to[at++] = x < 0 ? 0 : input[row + x];
      }
    }
  }
}
