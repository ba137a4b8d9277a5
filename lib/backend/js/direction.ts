/** A convolution as one direction sees it: which tensor is read, which is written, and how the weight lies. */
import { product } from '../../numbers.js';
import type { Axis } from '../../plan/options/axes.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import { adjointLattices, forwardLattice, type Lattice } from './gather.js';

export type Sizes = readonly [depth: number, height: number, width: number];

export interface Direction {
  /** Whether taps meet their elements in reverse. */
  readonly isAdjoint: boolean;
  readonly batch: number;
  readonly groups: number;
  /** Channels per group. */
  readonly sourceChannels: number;
  readonly writtenChannels: number;
  readonly source: Sizes;
  readonly written: Sizes;
  readonly kernel: Sizes;
  /** Distance in the weight between channels that are read, and between channels that are written. */
  readonly sourceStride: number;
  readonly writtenStride: number;
  /** Together they write every position once; but the adjoint of a stride may leave some that nothing reaches. */
  readonly lattices: readonly Lattice[];
  readonly isCovered: boolean;
}

/** y from x. */
export function forwardDirection(plan: ConvPlan): Direction {
  const { axes, batch, groups } = plan;
  const kernel = sizes(axes, 'kernel');
  return {
    isAdjoint: false,
    batch,
    groups,
    sourceChannels: plan.inChannels / groups,
    writtenChannels: plan.outChannels / groups,
    source: sizes(axes, 'in'),
    written: sizes(axes, 'out'),
    kernel,
    sourceStride: product(kernel),
    writtenStride: (plan.inChannels / groups) * product(kernel),
    lattices: [forwardLattice(axes, plan.paddingMode)],
    isCovered: true,
  };
}

/** x from y, with zero padding; `axes` may differ from the plan's. */
export function adjointDirection(plan: ConvPlan, axes: readonly Axis[]): Direction {
  const { batch, groups } = plan;
  const kernel = sizes(axes, 'kernel');
  const lattices = adjointLattices(axes);
  const reached = lattices.reduce((sum, lattice) => sum + product(lattice.map((gather) => gather.count)), 0);
  return {
    isAdjoint: true,
    batch,
    groups,
    sourceChannels: plan.outChannels / groups,
    writtenChannels: plan.inChannels / groups,
    source: sizes(axes, 'out'),
    written: sizes(axes, 'in'),
    kernel,
    sourceStride: (plan.inChannels / groups) * product(kernel),
    writtenStride: product(kernel),
    lattices,
    isCovered: reached === product(axes.map((axis) => axis.in)),
  };
}

function sizes(axes: readonly Axis[], field: 'in' | 'out' | 'kernel'): Sizes {
  const [depth, height, width] = axes;
  return [depth[field], height[field], width[field]];
}
