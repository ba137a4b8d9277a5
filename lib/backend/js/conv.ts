/**
 * The forward convolution and its adjoint in the input, as one product per group over gathers:
 *   written[n, m, j] = bias[m] + Σ_{c,t} source[n, c, at(j, t)] · w[m, c, t], clamped
 */

import type { Variant } from '../../plan/algorithms/algorithm.js';
import type { Axis, AxisTriple } from '../../plan/options/axes.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { ConvOperands } from '../backend.js';
import { convolveRows, makeFactors } from './direct.js';
import { adjointDirection, type Direction, forwardDirection, product } from './direction.js';
import { type Lattice, paddedSources } from './gather.js';
import { multiply, rows } from './gemm.js';
import { packPatches, packWeights, stepsOf } from './pack.js';
import { convolvePlanes, planeLayout } from './planes.js';
import { blocksOf } from './row-blocks.js';
import { convolveSpectra } from './spectral.js';
import { storeBias, storeRow, storeTiles } from './store.js';
import { convolveSparse, makeEntries } from './toeplitz.js';
import { makeWinograd } from './winograd.js';
import type { Work } from './work.js';

/** @param unitSize  The most multiplications in one unit of the work. */
export type Convolution = (input: FloatArray, output: FloatArray, unitSize: number) => Work;

/** Convolves one image of `input` into one of `output`. */
type ImageConvolution = (
  input: FloatArray,
  inputImage: number,
  output: FloatArray,
  outputImage: number,
  unitSize: number,
) => Work;

/**
 * Everything that does not depend on the data is made here, once.
 * @param isReused  Whether the convolution is going to run more than once.
 */
export function makeConvolution(plan: ConvPlan, operands: ConvOperands, isReused: boolean): Convolution {
  if (isFolded(plan)) return makeFolded(plan, operands, isReused);
  const convolveImage = makeImageConvolution(plan, directionOf(plan), operands, isReused);
  return function* (input, output, unitSize) {
    for (let n = 0; n < plan.batch; n++) yield* convolveImage(input, n, output, n, unitSize);
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
  const parts = direction.lattices.flatMap((lattice) =>
    partsOf(variant, direction, lattice, operands, isReused),
  );
  return function* (input, inputImage, output, outputImage, unitSize) {
    if (!direction.isCovered) storeBias(direction, operands, output, outputImage);
    for (const part of parts) yield* part(input, inputImage, output, outputImage, unitSize);
  };
}

function partsOf(
  variant: Variant,
  direction: Direction,
  lattice: Lattice,
  operands: ConvOperands,
  isReused: boolean,
): ImageConvolution[] {
  switch (variant.algorithm) {
    case 'im2col':
      return productParts(direction, lattice, operands, isReused);
    case 'direct':
      return directParts(direction, lattice, operands, isReused);
    case 'depthwise':
      return planeParts(direction, lattice, operands, isReused);
    case 'winograd':
      return winogradParts(direction, lattice, operands, isReused, variant.tile);
    case 'fft':
      return spectralParts(direction, lattice, operands, variant.columns);
    case 'toeplitz':
      return toeplitzParts(direction, lattice, operands);
  }
}

/** Per group. */
function winogradParts(
  direction: Direction,
  lattice: Lattice,
  operands: ConvOperands,
  isReused: boolean,
  tile: number,
): ImageConvolution[] {
  return Array.from({ length: direction.groups }, (_, group) =>
    makeWinograd(direction, lattice, operands.weight, operands, group, tile, isReused),
  );
}

function directParts(
  direction: Direction,
  lattice: Lattice,
  operands: ConvOperands,
  isReused: boolean,
): ImageConvolution[] {
  const blocks = blocksOf(direction, lattice);
  const factors = makeFactors(direction, lattice, operands.weight, isReused);
  return [
    (input, inputImage, output, outputImage, unitSize) =>
      convolveRows(
        direction,
        lattice,
        blocks,
        factors,
        operands,
        input,
        inputImage,
        output,
        outputImage,
        unitSize,
      ),
  ];
}

function planeParts(
  direction: Direction,
  lattice: Lattice,
  operands: ConvOperands,
  isReused: boolean,
): ImageConvolution[] {
  const layout = planeLayout(direction, lattice);
  if (layout === null) return directParts(direction, lattice, operands, isReused);
  return [
    (input, inputImage, output, outputImage, unitSize) =>
      convolvePlanes(
        direction,
        lattice,
        layout,
        operands.weight,
        operands,
        input,
        inputImage,
        output,
        outputImage,
        unitSize,
      ),
  ];
}

function spectralParts(
  direction: Direction,
  lattice: Lattice,
  operands: ConvOperands,
  block: number,
): ImageConvolution[] {
  return [
    (input, inputImage, output, outputImage) =>
      convolveSpectra(
        direction,
        lattice,
        block,
        operands.weight,
        operands,
        input,
        inputImage,
        output,
        outputImage,
      ),
  ];
}

function toeplitzParts(direction: Direction, lattice: Lattice, operands: ConvOperands): ImageConvolution[] {
  const blocks = blocksOf(direction, lattice);
  const entries = makeEntries(direction, lattice, operands.weight);
  return [
    (input, inputImage, output, outputImage, unitSize) =>
      convolveSparse(
        direction,
        lattice,
        blocks,
        entries,
        operands,
        input,
        inputImage,
        output,
        outputImage,
        unitSize,
      ),
  ];
}

/** Per group. */
function productParts(
  direction: Direction,
  lattice: Lattice,
  operands: ConvOperands,
  isReused: boolean,
): ImageConvolution[] {
  const { groups, sourceChannels, writtenChannels, source, writtenStride } = direction;
  const { weight } = operands;
  const steps = stepsOf(direction, lattice);
  const positions = product(lattice.map((gather) => gather.count));
  return Array.from({ length: groups }, (_, group) => {
    const weights = (group * weight.length) / groups;
    const kept = isReused ? keptRows(weight, weights, writtenStride, steps.weight, writtenChannels) : null;
    return (input, inputImage, output, outputImage, unitSize) => {
      const image = (inputImage * groups + group) * sourceChannels * product(source);
      return multiply(
        {
          rows: writtenChannels,
          columns: positions,
          depth: steps.source.length,
          packRows(first, count, start, depth) {
            if (kept !== null) return kept(first, count, start, depth);
            const origin = weights + first * writtenStride;
            packWeights(
              weight,
              origin,
              writtenStride,
              steps.weight,
              count,
              start,
              depth,
              rows[0],
              rows[1],
              0,
            );
          },
          packColumns: (first, count, start, depth) =>
            packPatches(direction, lattice, steps.source, input, image, first, count, start, depth),
          store(firstRow, rowCount, firstColumn, columnCount) {
            const channel = group * writtenChannels + firstRow;
            storeTiles(
              direction,
              lattice,
              operands,
              output,
              outputImage,
              channel,
              rowCount,
              firstColumn,
              columnCount,
            );
          },
        },
        unitSize,
      );
    };
  });
}

/** packRows for weights that are packed once, when they are needed first. */
function keptRows(
  weight: FloatArray,
  origin: number,
  distance: number,
  steps: Int32Array,
  count: number,
): (first: number, count: number, start: number, depth: number) => void {
  const pairs = Math.ceil(count / 2);
  const even = new Float64Array(pairs * steps.length);
  const odd = new Float64Array(pairs * steps.length);
  const packed = new Set<number>();
  return (first, rowCount, start, depth) => {
    // Multiples of one depth are asked for, whatever the block.
    const block = start * pairs;
    if (!packed.has(start))
      packWeights(weight, origin, distance, steps, count, start, depth, even, odd, block);
    packed.add(start);
    const from = block + (first >> 1) * depth;
    const to = from + Math.ceil(rowCount / 2) * depth;
    rows[0].set(even.subarray(from, to));
    rows[1].set(odd.subarray(from, to));
  };
}

/**
 * The adjoint under a padding mode that reads the input twice: the gradient of the padded input, whose margins are
 * then added to the elements that they were copied from. One image at a time.
 */
function makeFolded(plan: ConvPlan, operands: ConvOperands, isReused: boolean): Convolution {
  const { axes, inChannels, batch } = plan;
  const direction = directionOf(plan);
  const sources = axes.map((axis) => paddedSources(axis, plan.paddingMode));
  const bare: ConvOperands = { ...operands, bias: null, clamp: { min: -Infinity, max: Infinity } };
  const convolveImage = makeImageConvolution(plan, direction, bare, isReused);
  const size = product(axes.map((a) => a.in));
  return function* (input, output, unitSize) {
    const padded = new Float64Array(inChannels * product(direction.written));
    for (let n = 0; n < batch; n++) {
      yield* convolveImage(input, n, padded, 0, unitSize);
      for (let channel = 0; channel < inChannels; channel++) {
        foldPlane(axes, sources, padded, channel, operands, output, (n * inChannels + channel) * size);
        yield;
      }
    }
  };
}

function foldPlane(
  [depth, height, width]: AxisTriple,
  [pd, ph, pw]: readonly Int32Array[],
  padded: Float64Array,
  channel: number,
  { bias, clamp }: ConvOperands,
  output: FloatArray,
  origin: number,
): void {
  const sums = new Float64Array(depth.in * height.in * width.in).fill(bias === null ? 0 : bias[channel]);
  let at = channel * pd.length * ph.length * pw.length;
  for (const z of pd) {
    for (const y of ph) {
      const row = (z * height.in + y) * width.in;
      for (let x = 0; x < pw.length; x++) sums[row + pw[x]] += padded[at++];
    }
  }
  storeRow(sums, 0, sums.length, 0, clamp, output, origin, 1);
}
