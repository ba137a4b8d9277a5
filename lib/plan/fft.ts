/** Fourier tiles of the fft algorithm: which size, and what they take. */
import { BYTES } from '../tensor/dtype.js';
import type { ConvGeometry } from './problem.js';

/** Sides of the tiles there are: a thread's workspace holds two of the largest. */
const TILES = [32, 64, 128, 256] as const;

/** Bytes of prepared spectra: they are read once per two tiles. */
const SPECTRA_BYTES = 64 * 2 ** 20;
/** Bytes of the spectra of a group's input channels, beside which one tile of work and one of sums remain. */
const INPUT_BYTES = 2 * 2 ** 20;

/** Real and imaginary part of every point, rows a cache line longer than the tile. */
function tileBytes(g: ConvGeometry, n: number): number {
  return 2 * n * (n + 64 / BYTES[g.dtype]) * BYTES[g.dtype];
}

/**
 * Time of an operation in a transform, and in a product of spectra, over that of one in the direct sum: they wait for
 * memory. With these the crossover with shifted rows falls where it was measured on Zen 4: between 9×9 and 15×15 for
 * one channel of 1024×1024.
 */
const TRANSFORM_TIME = 4;
const PRODUCT_TIME = 16;

/** Tiles of one image. */
function tilesOf({ axes: [, height, width] }: ConvGeometry, n: number): number {
  return Math.ceil(height.out / (n - height.kernel + 1)) * Math.ceil(width.out / (n - width.kernel + 1));
}

function fits(g: ConvGeometry, n: number): boolean {
  const [, height, width] = g.axes;
  if (n < height.kernel || n < width.kernel) return false;
  const perGroup = g.inChannels / g.groups;
  if (perGroup * tileBytes(g, n) > INPUT_BYTES) return false;
  return g.outChannels * perGroup * tileBytes(g, n) <= SPECTRA_BYTES;
}

export interface FftWork {
  /** Side of the tiles. */
  readonly tile: number;
  readonly multiplications: number;
  readonly additions: number;
  readonly spectraBytes: number;
  /** Time, in operations of the direct sum. */
  readonly time: number;
}

/**
 * What n×n tiles take: per pair of them a transform of every channel, radix 4 (per point and two passes 8.5 flops, of
 * which 3 multiply), on two axes, and a complex product per pair of channels.
 */
function workOf(g: ConvGeometry, n: number): FftWork {
  const perGroup = { in: g.inChannels / g.groups, out: g.outChannels / g.groups };
  const points = g.batch * g.groups * Math.ceil(tilesOf(g, n) / 2) * n * n;
  const passes = (perGroup.in + perGroup.out) * Math.log2(n);
  const products = perGroup.in * perGroup.out;
  return {
    tile: n,
    multiplications: points * (3 * passes + 4 * products),
    additions: points * (5.5 * passes + 4 * products),
    spectraBytes: g.outChannels * perGroup.in * tileBytes(g, n),
    time: points * (8.5 * passes * TRANSFORM_TIME + 8 * products * PRODUCT_TIME),
  };
}

/** The fastest tile; null when none fits. */
export function fftWork(g: ConvGeometry): FftWork | null {
  let best: FftWork | null = null;
  for (const n of TILES) {
    if (!fits(g, n)) continue;
    const work = workOf(g, n);
    if (best === null || work.time < best.time) best = work;
  }
  return best;
}

/** Why transforms cannot serve; null when they can. */
export function declinesFft(g: ConvGeometry): string | null {
  const [depth, ...axes] = g.axes;
  if (g.op !== 'forward') return 'serves the forward convolution only';
  if (depth.kernel !== 1 || depth.in !== 1 || depth.out !== 1) return 'serves two spatial axes';
  if (axes.some((axis) => axis.stride !== 1)) return 'needs stride 1';
  if (axes.some((axis) => axis.dilation !== 1)) return 'needs dilation 1';
  return fftWork(g) === null ? 'its kernel or its channels exceed the largest tile' : null;
}
