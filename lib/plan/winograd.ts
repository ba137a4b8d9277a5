/** Winograd's tiles: which output tile a 3×3 convolution goes by, and what that saves. */
import type { Accuracy } from './candidate.js';
import type { ConvGeometry } from './problem.js';

/** Outputs along one side of a tile: F(2×2, 3×3) or F(4×4, 3×3). */
export type WinogradTile = 2 | 4;

/**
 * Transformed weights of F(4×4, 3×3) beyond this many bytes come from memory rather than the last cache; with few
 * tiles to share them they set the pace, and F(2×2, 3×3) has less than half. A 32 MiB cache of Zen 4: 512 → 512 channels.
 */
const CACHED_WEIGHT_BYTES = 32 * 2 ** 20;
const FEW_TILES = 4;

/** With fewer channels to sum, F(4×4, 3×3) errs by more than twice what a sequential sum does: docs/accuracy.md. */
const ACCURATE_CHANNELS = 32;

/** Why the geometry is not Winograd's; null when it is. */
export function declinesWinograd({ axes: [depth, height, width] }: ConvGeometry): string | null {
  if (depth.kernel !== 1 || depth.in !== 1 || depth.out !== 1) return 'serves two spatial axes';
  if (height.kernel !== 3 || width.kernel !== 3) return 'needs a 3×3 kernel';
  if (height.stride !== 1 || width.stride !== 1) return 'needs stride 1';
  if (height.dilation !== 1 || width.dilation !== 1) return 'needs dilation 1';
  return null;
}

/** Tiles of one image. */
export function winogradTiles({ axes: [, height, width] }: ConvGeometry, tile: WinogradTile): number {
  return Math.ceil(height.out / tile) * Math.ceil(width.out / tile);
}

/** Multiplications of the direct sum per multiplication in the transformed tiles, which surplus outputs diminish. */
export function winogradSaving(g: ConvGeometry, tile: WinogradTile): number {
  const [, height, width] = g.axes;
  return (9 * height.out * width.out) / (winogradTiles(g, tile) * (tile + 2) ** 2);
}

/** The output tile: 'strict' keeps to F(2×2, 3×3), whose error is below im2col's, and so do few channels. */
export function winogradTile(g: ConvGeometry, accuracy: Accuracy): WinogradTile {
  if (accuracy === 'strict' || g.inChannels / g.groups < ACCURATE_CHANNELS) return 2;
  const weightBytes = 36 * 4 * g.outChannels * (g.inChannels / g.groups);
  if (weightBytes > CACHED_WEIGHT_BYTES && g.batch * winogradTiles(g, 4) <= FEW_TILES) return 2;
  return winogradSaving(g, 4) > winogradSaving(g, 2) ? 4 : 2;
}

export interface WinogradWork {
  /** In the transformed tiles, and in the transforms by F(4×4, 3×3)’s constants. */
  readonly multiplications: number;
  readonly additions: number;
  readonly transformedWeights: number;
}

/**
 * What one axis of a tile’s transforms takes, a fused multiplication and addition counted as one of each: of the input
 * (m + 2 outputs) and of the result (m outputs).
 */
const TRANSFORMS = {
  2: { input: { multiplications: 0, additions: 4 }, output: { multiplications: 0, additions: 4 } },
  4: { input: { multiplications: 12, additions: 12 }, output: { multiplications: 7, additions: 11 } },
} as const;

export function winogradWork(g: ConvGeometry, tile: WinogradTile): WinogradWork {
  const n = tile + 2;
  const tiles = g.batch * winogradTiles(g, tile);
  const products = tiles * n * n * g.outChannels * (g.inChannels / g.groups);
  const { input, output } = TRANSFORMS[tile];
  const passes = (kind: 'multiplications' | 'additions'): number =>
    tiles * (g.inChannels * 2 * n * input[kind] + g.outChannels * (n + tile) * output[kind]);
  return {
    multiplications: products + passes('multiplications'),
    additions: products - tiles * n * n * g.outChannels + passes('additions'),
    transformedWeights: n * n * g.outChannels * (g.inChannels / g.groups),
  };
}
