/** Winograd's tiles: which output tile a 3×3 convolution goes by, what that saves, and how long it takes. */
import { ceilDiv } from '../../numbers.js';
import { BYTES, type DType } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import type { Workload } from '../model/workload.js';
import { type Axis, isUnit } from '../options/axes.js';
import type { Accuracy, NativeAlgorithm, Request } from './algorithm.js';
import { BLOCKED_WORKSPACE_BYTES, type Counts, sizesOf } from './cost.js';

/** Outputs along one side of a tile: F(2×2, 3×3) or F(4×4, 3×3). */
type WinogradTile = 2 | 4;

/**
 * Transformed weights of F(4×4, 3×3) beyond this many bytes come from memory rather than the last cache; with few
 * tiles to share them they set the pace, and F(2×2, 3×3) has less than half. A 32 MiB cache of Zen 4: 512 → 512 channels.
 */
const CACHED_WEIGHT_BYTES = 32 * 2 ** 20;
const FEW_TILES = 4;

/** With fewer channels to sum, F(4×4, 3×3) errs by more than twice what a sequential sum does: docs/accuracy.md. */
const ACCURATE_CHANNELS_OF_4 = 32;
/** With fewer channels to sum, either tile errs by more than 'auto' may. */
const ACCURATE_CHANNELS = 16;

/** Output channels per group, beside ACCURATE_CHANNELS in, from which the products outweigh the transforms. Zen 4: 2.4 times direct. */
const MANY_OUT_CHANNELS = 32;
/** Saved multiplications, as a factor, below which the transforms eat the gain. */
const WORTHWHILE_SAVING = 1.5;

/**
 * Shares of nonzero weights up to which visiting them alone is faster, by the output tile, 32 to 256 channels over 56×56 to
 * 14×14 (Sapphire Rapids): F(2×2, 3×3) 0.09–0.15, F(4×4, 3×3) 0.07–0.09.
 */
const SPARSE: Readonly<Record<WinogradTile, number>> = { 2: 0.11, 4: 0.08 };

export const winograd: NativeAlgorithm = {
  name: 'winograd',
  gradients: 'stride 1',
  declines,
  variant: (g, { accuracy }) => ({ algorithm: 'winograd', tile: winogradTile(g, accuracy) }),
  isAccurate,
  time,
  cost: (g, { accuracy }) => winogradCost(g, winogradTile(g, accuracy), g.dtype),
  reason(g, { accuracy }) {
    const tile = winogradTile(g, accuracy);
    return `F(${tile}×${tile}, 3×3) takes ${winogradSaving(g, tile).toFixed(1)} times fewer multiplications`;
  },
  sparseLimit(g, request) {
    const tile = winogradTile(g, request.accuracy);
    const isWorthwhile =
      declines(g) === null &&
      isAccurate(g, request) &&
      g.outChannels / g.groups >= MANY_OUT_CHANNELS &&
      winogradSaving(g, tile) >= WORTHWHILE_SAVING;
    return isWorthwhile ? SPARSE[tile] : 1;
  },
  weightGrad: null,
};

function isAccurate(g: ConvGeometry, { precision }: Request): boolean {
  return precision === 'float32' && g.inChannels / g.groups >= ACCURATE_CHANNELS;
}

/** Why the geometry is not Winograd's; null when it is. */
function declines({ axes: [depth, height, width] }: ConvGeometry): string | null {
  if (!isUnit(depth)) return 'serves two spatial axes';
  if (height.kernel !== 3 || width.kernel !== 3) return 'needs a 3×3 kernel';
  if (height.stride !== 1 || width.stride !== 1) return 'needs stride 1';
  if (height.dilation !== 1 || width.dilation !== 1) return 'needs dilation 1';
  return null;
}

/** Tiles of one image, of so many outputs along a side. */
export function winogradTiles({ axes: [, height, width] }: ConvGeometry, tile: number): number {
  return Math.ceil(height.out / tile) * Math.ceil(width.out / tile);
}

/** Points of a line of a tile: its outputs and the taps that meet one of them at stride 1, less one. */
export function winogradPoints({ kernel, stride }: Axis, tile: number): number {
  return tile + Math.ceil(kernel / stride) - 1;
}

/**
 * Products of a line: a stride's phases have one at every point, but at the last those that have a tap less than the
 * others.
 */
function lineProducts(axis: Axis, tile: number): number {
  const { kernel, stride } = axis;
  const shortPhases = stride * Math.ceil(kernel / stride) - kernel;
  return stride * winogradPoints(axis, tile) - shortPhases;
}

/** Products of a tile, for each pair of channels. */
export function tileProducts({ axes: [, height, width] }: ConvGeometry, tile: number): number {
  return lineProducts(height, tile) * lineProducts(width, tile);
}

/** Multiplications of the direct sum per multiplication in the transformed tiles, which surplus outputs diminish. */
export function winogradSaving(g: ConvGeometry, tile: number): number {
  const [, height, width] = g.axes;
  const products = height.kernel * height.out * width.kernel * width.out;
  return products / (winogradTiles(g, tile) * tileProducts(g, tile));
}

/** The output tile: 'strict' keeps to F(2×2, 3×3), whose error is below im2col's, and so do few channels. */
function winogradTile(g: ConvGeometry, accuracy: Accuracy): WinogradTile {
  if (accuracy === 'strict' || g.inChannels / g.groups < ACCURATE_CHANNELS_OF_4) return 2;
  const weightBytes = 36 * 4 * g.outChannels * (g.inChannels / g.groups);
  if (weightBytes > CACHED_WEIGHT_BYTES && g.batch * winogradTiles(g, 4) <= FEW_TILES) return 2;
  return winogradSaving(g, 4) > winogradSaving(g, 2) ? 4 : 2;
}

interface WinogradWork {
  /** In the transformed tiles, and in the transforms by F(4×4, 3×3)’s constants. */
  readonly multiplications: number;
  readonly additions: number;
  readonly transformedWeights: number;
}

/**
 * What a line of so many points takes, a fused multiplication and addition counted as one of each: of the input
 * to its points, and of the result from them.
 */
const TRANSFORMS = {
  4: { input: { multiplications: 0, additions: 4 }, output: { multiplications: 0, additions: 4 } },
  6: { input: { multiplications: 12, additions: 12 }, output: { multiplications: 7, additions: 11 } },
  8: { input: { multiplications: 20, additions: 24 }, output: { multiplications: 12, additions: 22 } },
  9: { input: { multiplications: 31, additions: 35 }, output: { multiplications: 21, additions: 32 } },
} as const;

function winogradWork(g: ConvGeometry, tile: number): WinogradWork {
  const [, height, width] = g.axes;
  const n = winogradPoints(width, tile);
  const phases = height.stride * width.stride;
  const tiles = g.batch * winogradTiles(g, tile);
  const perGroup = g.inChannels / g.groups;
  const products = tiles * tileProducts(g, tile) * g.outChannels * perGroup;
  const { input, output } = TRANSFORMS[n as keyof typeof TRANSFORMS];
  const passes = (kind: 'multiplications' | 'additions'): number =>
    tiles * (g.inChannels * phases * 2 * n * input[kind] + g.outChannels * (n + tile) * output[kind]);
  return {
    multiplications: products + passes('multiplications'),
    additions: products - tiles * n * n * g.outChannels + passes('additions'),
    transformedWeights: n * n * phases * g.outChannels * perGroup,
  };
}

/** @param transformed  What the transformed weights are kept as. */
export function winogradCost(g: ConvGeometry, tile: number, transformed: DType): Counts {
  const { item, weights, operandBytes } = sizesOf(g);
  const { multiplications, additions, transformedWeights } = winogradWork(g, tile);
  const kept = BYTES[transformed] * transformedWeights;
  return {
    multiplications,
    additions,
    bytes: operandBytes + kept - item * weights,
    extraBytes: kept + BLOCKED_WORKSPACE_BYTES,
    weightBytes: kept + item * weights, // those for direct sums, where they are needed
  };
}

/** Its times: of a point of a vector of channels, in or out, by the tile; of a panel of output channels begun and ended. */
function time(work: Workload, { accuracy }: Request): number {
  const { g, tuning } = work;
  const { winograd: t } = work.times;
  const tile = winogradTile(g, accuracy);
  const points = (tile + 2) ** 2;
  const tiles = winogradTiles(g, tile) * g.batch;
  const [readVectors, writtenVectors] = [work.vectors(work.read), work.vectors(work.written)];
  const transform = tile === 2 ? t.transform2 : t.transform4;
  // Tiles go by rounds of the product's widest, two vectors of output channels at a time.
  const widest = Math.min(tuning.direct.pixels, Math.floor(tuning.direct.sums / 2));
  const rounds = ceilDiv(tiles, widest);
  const narrow = tiles / rounds;
  const step = (vectors: number): number => work.step(narrow * vectors, narrow + 2 * vectors);
  const channels = Math.floor(writtenVectors / 2) * step(2) + (writtenVectors % 2) * step(1);
  const products = rounds * points * readVectors * work.lanes * channels;
  return (
    g.groups * (products + tiles * points * (readVectors + writtenVectors) * transform) +
    work.streamed(g.outChannels * work.read * work.bytes * points, 1) +
    g.groups * ceilDiv(writtenVectors, 2) * t.panel +
    t.call
  );
}
