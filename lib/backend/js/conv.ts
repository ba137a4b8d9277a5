/**
 * The forward convolution and its adjoint in the input, as one loop over gathers:
 *   written[n, m, j] = bias[m] + Σ_{c,t} source[n, c, sources(j, t)] · w[m, c, t], clamped
 * with c over the channels of m's group.
 */
import type { AxisTriple } from '../../plan/axes.js';
import type { ConvPlan } from '../../plan/conv-plan.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { ConvOperands } from '../kernels.js';
import { type AxisGather, adjointGathers, forwardGather, paddedSources } from './gather.js';
import type { Job } from './slices.js';

/** A convolution as one direction sees it: which tensor is read, which is written, and how the weight lies. */
interface Direction {
  /** Channels per group. */
  readonly sourceChannels: number;
  readonly writtenChannels: number;
  readonly sourceSizes: readonly number[];
  readonly writtenSizes: readonly number[];
  /** Distance in the weight between channels that are read, and between channels that are written. */
  readonly sourceStride: number;
  readonly writtenStride: number;
  readonly lattices: readonly Lattice[];
}

type Lattice = readonly [AxisGather, AxisGather, AxisGather];

export function convJob(plan: ConvPlan, operands: ConvOperands, input: FloatArray, output: FloatArray): Job {
  if (plan.op === 'forward') return gatherJob(plan, forwardDirection(plan), operands, input, output);
  const isPadded = plan.paddingMode !== 'zeros' && plan.axes.some((a) => a.padBefore + a.padAfter > 0);
  if (!isPadded) return gatherJob(plan, adjointDirection(plan, plan.axes), operands, input, output);
  return foldedJob(plan, operands, input, output);
}

function forwardDirection(plan: ConvPlan): Direction {
  const { axes, groups } = plan;
  const taps = product(axes.map((a) => a.kernel));
  return {
    sourceChannels: plan.inChannels / groups,
    writtenChannels: plan.outChannels / groups,
    sourceSizes: axes.map((a) => a.in),
    writtenSizes: axes.map((a) => a.out),
    sourceStride: taps,
    writtenStride: (plan.inChannels / groups) * taps,
    lattices: [axes.map((axis) => forwardGather(axis, plan.paddingMode)) as unknown as Lattice],
  };
}

function adjointDirection(plan: ConvPlan, axes: AxisTriple): Direction {
  const { groups } = plan;
  const taps = product(axes.map((a) => a.kernel));
  const [depth, height, width] = axes.map(adjointGathers);
  return {
    sourceChannels: plan.outChannels / groups,
    writtenChannels: plan.inChannels / groups,
    sourceSizes: axes.map((a) => a.out),
    writtenSizes: axes.map((a) => a.in),
    sourceStride: (plan.inChannels / groups) * taps,
    writtenStride: taps,
    lattices: depth.flatMap((d) => height.flatMap((h) => width.map((w): Lattice => [d, h, w]))),
  };
}

function gatherJob(
  plan: ConvPlan,
  direction: Direction,
  { weight, bias, clamp }: ConvOperands,
  input: FloatArray,
  output: FloatArray,
): Job {
  const { groups, axes } = plan;
  const { sourceChannels, writtenChannels, sourceSizes, writtenSizes, sourceStride, writtenStride } =
    direction;
  const [, kh, kw] = axes.map((a) => a.kernel);
  const sourcePlane = product(sourceSizes);
  const writtenPlane = product(writtenSizes);
  const [, sh, sw] = sourceSizes;
  const [, wh, ww] = writtenSizes;
  const weightGroup = weight.length / groups;
  const { min, max } = clamp;

  /** One channel of one image. */
  const run = (unit: number): void => {
    const n = Math.floor(unit / (groups * writtenChannels));
    const channel = unit % (groups * writtenChannels);
    const g = Math.floor(channel / writtenChannels);
    const firstSource = (n * groups + g) * sourceChannels * sourcePlane;
    const firstWeight = g * weightGroup + (channel % writtenChannels) * writtenStride;
    const start = bias === null ? 0 : bias[channel];
    for (const [gd, gh, gw] of direction.lattices) {
      for (let d = 0; d < gd.count; d++) {
        for (let h = 0; h < gh.count; h++) {
          for (let w = 0; w < gw.count; w++) {
            let sum = start;
            for (let c = 0; c < sourceChannels; c++) {
              for (let i = 0; i < gd.taps.length; i++) {
                const z = gd.sources[d * gd.taps.length + i];
                if (z < 0) continue;
                for (let j = 0; j < gh.taps.length; j++) {
                  const y = gh.sources[h * gh.taps.length + j];
                  if (y < 0) continue;
                  const row = firstSource + c * sourcePlane + (z * sh + y) * sw;
                  const tapRow = firstWeight + c * sourceStride + (gd.taps[i] * kh + gh.taps[j]) * kw;
                  for (let k = 0; k < gw.taps.length; k++) {
                    const x = gw.sources[w * gw.taps.length + k];
                    if (x >= 0) sum += input[row + x] * weight[tapRow + gw.taps[k]];
                  }
                }
              }
            }
            const at = ((gd.start + d * gd.step) * wh + gh.start + h * gh.step) * ww + gw.start + w * gw.step;
            output[(n * groups * writtenChannels + channel) * writtenPlane + at] = Math.min(
              Math.max(sum, min),
              max,
            );
          }
        }
      }
    }
  };
  return { units: plan.batch * groups * writtenChannels, run };
}

/**
 * The adjoint under a padding mode that reads the input twice: the gradient of the padded input, whose margins are
 * then added to the elements that they were copied from.
 */
function foldedJob(plan: ConvPlan, operands: ConvOperands, input: FloatArray, output: FloatArray): Job {
  const { axes, inChannels } = plan;
  const paddedAxes = axes.map((axis) => ({
    ...axis,
    in: axis.padBefore + axis.in + axis.padAfter,
    padBefore: 0,
    padAfter: 0,
  })) as unknown as AxisTriple;
  const [pd, ph, pw] = axes.map((axis) => paddedSources(axis, plan.paddingMode));
  const [, height, width] = axes;
  const size = product(axes.map((a) => a.in));
  const padded = new Float64Array(plan.batch * inChannels * pd.length * ph.length * pw.length);
  const bare = { weight: operands.weight, bias: null, clamp: { min: -Infinity, max: Infinity } };
  const inner = gatherJob(plan, adjointDirection(plan, paddedAxes), bare, input, padded);
  const { bias, clamp } = operands;
  const run = (unit: number): void => {
    inner.run(unit);
    const sums = new Float64Array(size).fill(bias === null ? 0 : bias[unit % inChannels]);
    let at = unit * pd.length * ph.length * pw.length;
    for (const z of pd) {
      for (const y of ph) {
        const row = (z * height.in + y) * width.in;
        for (let x = 0; x < pw.length; x++) sums[row + pw[x]] += padded[at++];
      }
    }
    output.set(
      sums.map((v) => Math.min(Math.max(v, clamp.min), clamp.max)),
      unit * size,
    );
  };
  return { units: inner.units, run };
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((count, size) => count * size, 1);
}
