/**
 * The forward convolution and its adjoint in the input, as one product per group over gathers:
 *   written[n, m, j] = bias[m] + Σ_{c,t} source[n, c, at(j, t)] · w[m, c, t], clamped
 */

import { product } from '../../numbers.js';
import type { Variant } from '../../plan/algorithms/algorithm.js';
import type { Axis, AxisTriple } from '../../plan/options/axes.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { type ConvOperands, NO_CLAMP } from '../backend.js';
import { roundingToBfloat16, roundToBfloat16 } from './bfloat16.js';
import { convolveRows } from './direct.js';
import { adjointDirection, type Direction, forwardDirection } from './direction.js';
import { paddedSources } from './gather.js';
import { biasOf, type ImageConvolution, type Part } from './job.js';
import { convolvePatches } from './patches.js';
import { convolvePlanes, planeLayout } from './planes.js';
import { convolveSpectra } from './spectral.js';
import { storeBias, storeRow } from './store.js';
import { convolveSparse } from './toeplitz.js';
import { convolveTiles } from './winograd.js';
import type { Work } from './work.js';

/** @param unitSize  The most multiplications in one unit of the work. */
export type Convolution = (input: FloatArray, output: FloatArray, unitSize: number) => Work;

/**
 * Everything that does not depend on the data is made here, once.
 * @param isReused  Whether the convolution is going to run more than once.
 */
export function makeConvolution(plan: ConvPlan, operands: ConvOperands, isReused: boolean): Convolution {
  if (plan.precision === 'float32') return makeUnrounded(plan, operands, isReused);
  const weight = roundToBfloat16(operands.weight);
  const convolve = makeUnrounded(plan, { ...operands, weight }, isReused);
  return function* (input, output, unitSize) {
    const rounded = new Float32Array(input.length);
    yield* roundingToBfloat16(input, rounded);
    yield* convolve(rounded, output, unitSize);
  };
}

function makeUnrounded(plan: ConvPlan, operands: ConvOperands, isReused: boolean): Convolution {
  if (isFolded(plan)) return makeFolded(plan, operands, isReused);
  const convolveImage = makeImageConvolution(plan, directionOf(plan), operands, isReused);
  return function* (input, output, unitSize) {
    for (let n = 0; n < plan.batch; n++)
      yield* convolveImage({ input, inputImage: n, output, outputImage: n, unitSize });
  };
}

/** Whether the adjoint reads the input's margins twice. */
function isFolded({ op, paddingMode, axes }: ConvPlan): boolean {
  return op === 'inputGrad' && paddingMode !== 'zeros' && axes.some((a) => a.padBefore + a.padAfter > 0);
}

// Plans are kept from call to call, so what follows from one is as well.
const directions = new WeakMap<ConvPlan, Direction>();

function directionOf(plan: ConvPlan): Direction {
  const known = directions.get(plan);
  if (known !== undefined) return known;
  const direction =
    plan.op === 'forward'
      ? forwardDirection(plan)
      : adjointDirection(plan, isFolded(plan) ? plan.axes.map(withoutPadding) : plan.axes);
  directions.set(plan, direction);
  return direction;
}

/** The axis with its margins as elements of their own. */
function withoutPadding(axis: Axis): Axis {
  return { ...axis, in: axis.padBefore + axis.in + axis.padAfter, padBefore: 0, padAfter: 0 };
}

function makeImageConvolution(
  { variant }: ConvPlan,
  direction: Direction,
  operands: ConvOperands,
  isReused: boolean,
): ImageConvolution {
  const parts = direction.lattices.map((lattice) =>
    convolutionOf(variant, { direction, lattice, operands, isReused }),
  );
  return function* (job) {
    if (!direction.isCovered) storeBias(direction, operands, job);
    for (const part of parts) yield* part(job);
  };
}

function convolutionOf(variant: Variant, part: Part): ImageConvolution {
  switch (variant.algorithm) {
    case 'im2col':
      return convolvePatches(part);
    case 'direct':
      return convolveRows(part);
    case 'depthwise': {
      // Sums of one channel: planes that are too long for a strip, or too many to be one, go by their rows.
      const layout = planeLayout(part.direction, part.lattice);
      return layout === null ? convolveRows(part) : convolvePlanes(part, layout);
    }
    case 'winograd':
      return convolveTiles(part, variant.tile);
    case 'fft':
      return convolveSpectra(part, variant.columns);
    case 'toeplitz':
      return convolveSparse(part);
  }
}

/**
 * The adjoint under a padding mode that reads the input twice: the gradient of the padded input, whose margins are
 * then added to the elements that they were copied from. One image at a time.
 */
function makeFolded(plan: ConvPlan, operands: ConvOperands, isReused: boolean): Convolution {
  const { axes, inChannels, batch } = plan;
  const direction = directionOf(plan);
  const sources = axes.map((axis) => paddedSources(axis, plan.paddingMode));
  const bare: ConvOperands = { ...operands, bias: null, clamp: NO_CLAMP };
  const convolveImage = makeImageConvolution(plan, direction, bare, isReused);
  const size = product(axes.map((a) => a.in));
  return function* (input, output, unitSize) {
    const padded = new Float64Array(inChannels * product(direction.written));
    for (let n = 0; n < batch; n++) {
      yield* convolveImage({ input, inputImage: n, output: padded, outputImage: 0, unitSize });
      for (let channel = 0; channel < inChannels; channel++) {
        const at = channel * product(direction.written);
        const sums = foldedPlane(axes, sources, padded.subarray(at), biasOf(operands, channel));
        const to = (n * inChannels + channel) * size;
        storeRow(sums, 0, size, 0, operands.clamp, { output, to, step: 1 });
        yield;
      }
    }
  };
}

/** @param padded  The padded plane. */
function foldedPlane(
  [depth, height, width]: AxisTriple,
  [pd, ph, pw]: readonly Int32Array[],
  padded: Float64Array,
  bias: number,
): Float64Array {
  const sums = new Float64Array(depth.in * height.in * width.in).fill(bias);
  let at = 0;
  for (const z of pd) {
    for (const y of ph) {
      const row = (z * height.in + y) * width.in;
      for (let x = 0; x < pw.length; x++) sums[row + pw[x]] += padded[at++];
    }
  }
  return sums;
}
