/**
 * The forward convolution and its adjoint in the input, as one product per group over gathers:
 *   written[n, m, j] = bias[m] + Σ_{c,t} source[n, c, sources(j, t)] · w[m, c, t], clamped
 */
import type { AxisTriple } from '../../plan/axes.js';
import type { ConvPlan } from '../../plan/conv-plan.js';
import type { FloatArray } from '../../tensor/dtype.js';
import type { ConvOperands } from '../kernels.js';
import { adjointDirection, type Direction, forwardDirection, product } from './direction.js';
import { type Lattice, paddedSources } from './gather.js';
import { multiply } from './gemm.js';
import { packPatches, packWeights } from './pack.js';
import { storeTiles } from './store.js';
import type { Work } from './work.js';

/** @param unitSize  The most multiplications in one unit of the work. */
export type Convolution = (input: FloatArray, output: FloatArray, unitSize: number) => Work;

/** Everything that does not depend on the data is made here, once. */
export function makeConvolution(plan: ConvPlan, operands: ConvOperands): Convolution {
  if (plan.op === 'forward') return overImages(forwardDirection(plan), operands);
  const isFolded = plan.paddingMode !== 'zeros' && plan.axes.some((a) => a.padBefore + a.padAfter > 0);
  return isFolded ? makeFolded(plan, operands) : overImages(adjointDirection(plan, plan.axes), operands);
}

function overImages(direction: Direction, operands: ConvOperands): Convolution {
  return function* (input, output, unitSize) {
    for (let n = 0; n < direction.batch; n++) {
      yield* convolveImage(direction, operands, input, n, output, n, unitSize);
    }
  };
}

function* convolveImage(
  direction: Direction,
  operands: ConvOperands,
  input: FloatArray,
  inputImage: number,
  output: FloatArray,
  outputImage: number,
  unitSize: number,
): Work {
  for (let group = 0; group < direction.groups; group++) {
    for (const lattice of direction.lattices) {
      yield* convolveGroup(
        direction,
        lattice,
        operands,
        input,
        inputImage,
        output,
        outputImage,
        group,
        unitSize,
      );
    }
  }
}

function convolveGroup(
  direction: Direction,
  lattice: Lattice,
  operands: ConvOperands,
  input: FloatArray,
  inputImage: number,
  output: FloatArray,
  outputImage: number,
  group: number,
  unitSize: number,
): Work {
  const { groups, sourceChannels, writtenChannels, source } = direction;
  const { weight } = operands;
  const image = (inputImage * groups + group) * sourceChannels * product(source);
  const weights = (group * weight.length) / groups;
  return multiply(
    {
      rows: writtenChannels,
      columns: product(lattice.map((gather) => gather.count)),
      depth: sourceChannels * product(lattice.map((gather) => gather.taps.length)),
      packRows: (first, count, start, depth) =>
        packWeights(direction, lattice, weight, weights, first, count, start, depth),
      packColumns: (first, count, start, depth) =>
        packPatches(direction, lattice, input, image, first, count, start, depth),
      store: (firstRow, rows, firstColumn, columns) => {
        const channel = group * writtenChannels + firstRow;
        storeTiles(direction, lattice, operands, output, outputImage, channel, rows, firstColumn, columns);
      },
    },
    unitSize,
  );
}

/**
 * The adjoint under a padding mode that reads the input twice: the gradient of the padded input, whose margins are
 * then added to the elements that they were copied from. One image at a time.
 */
function makeFolded(plan: ConvPlan, operands: ConvOperands): Convolution {
  const { axes, inChannels, batch } = plan;
  const paddedAxes = axes.map((axis) => ({
    ...axis,
    in: axis.padBefore + axis.in + axis.padAfter,
    padBefore: 0,
    padAfter: 0,
  })) as unknown as AxisTriple;
  const direction = adjointDirection(plan, paddedAxes);
  const sources = axes.map((axis) => paddedSources(axis, plan.paddingMode));
  const bare: ConvOperands = { ...operands, bias: null, clamp: { min: -Infinity, max: Infinity } };
  const size = product(axes.map((a) => a.in));
  return function* (input, output, unitSize) {
    const padded = new Float64Array(inChannels * product(direction.written));
    for (let n = 0; n < batch; n++) {
      yield* convolveImage(direction, bare, input, n, padded, 0, unitSize);
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
  for (let i = 0; i < sums.length; i++) {
    output[origin + i] = Math.min(Math.max(sums[i], clamp.min), clamp.max);
  }
}
