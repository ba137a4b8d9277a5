/** Fourier tiles: which size a convolution goes by, what they take, and how long. */
import { BYTES } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import type { Workload } from '../model/workload.js';
import { type Axis, isUnit } from '../options/axes.js';
import type { NativeAlgorithm } from './algorithm.js';
import {
  type FftTile,
  fastestTile,
  TileChoice,
  type TileWork,
  tileCost,
  tileReason,
} from './fourier-tiles.js';

export const fft: NativeAlgorithm = {
  name: 'fft',
  gradients: 'stride 1',
  declines,
  variant: (g) => ({ algorithm: 'fft', ...choice.of(g).tile }),
  // An element errs by its tile's size, not by its own.
  isAccurate: (_g, { accuracy }) => accuracy === 'fast',
  time,
  atLeast: leastTime,
  cost: (g) => tileCost(g, choice.of(g)),
  reason: (g) => tileReason(g, choice.of(g), ''),
  sparseLimit: null,
  weightGrad: null,
};

/** Points along an axis of the tiles there are: products of 2 and 3, in whole cache lines. */
export const SIDES = [32, 48, 64, 96, 128, 192, 256, 512, 1024] as const;
/** Points of lines, which are transformed by two rounds of their own. */
export const LINES = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768] as const;
/** The largest tile: a thread's workspace holds it a few times. */
export const MAX_POINTS = 2 ** 16;
/** Bytes of a cache line, in which columns come. */
export const LINE_BYTES = 64;

/** Bytes of prepared spectra, which every few tiles read once. */
const SPECTRA_BYTES = 128 * 2 ** 20;
/** Bytes of the spectra of a tile's channels, beside which the tile's own remain. */
const CHANNELS_BYTES = 2.5 * 2 ** 20;

/**
 * Time of a point, and of a complex product, in passes of a transform: by which the tile is chosen. Prime numbers of
 * channels and small tiles of one differ more; the ratios are those of AVX-512 on Zen 4 and Sapphire Rapids.
 */
const TIMES = { point: 4, product: 0.5 };

/**
 * Every tile that a kernel fits in, so that half of its outputs are right; only lines serve a kernel of one row, and only
 * bundles one of one column.
 */
function* tilesOf({ axes: [, height, width] }: ConvGeometry): Generator<FftTile> {
  const holds = (points: number, { kernel }: Axis): boolean => kernel <= points / 2 + 1;
  if (height.kernel === 1) {
    for (const columns of LINES) if (holds(columns, width)) yield { rows: 1, columns };
    return;
  }
  if (width.kernel === 1) {
    for (const rows of SIDES) if (holds(rows, height)) yield { rows, columns: 1 };
    return;
  }
  for (const rows of SIDES) {
    if (!holds(rows, height)) continue;
    for (const columns of SIDES)
      if (holds(columns, width) && rows * columns <= MAX_POINTS) yield { rows, columns };
  }
}

/**
 * What tiles of a size take: per pair of them a transform of every channel, and a complex product per pair of channels. Null
 * where they would not fit the workspace.
 */
function workBy(tile: FftTile, g: ConvGeometry): TileWork | null {
  const [, height, width] = g.axes;
  const lanes = LINE_BYTES / BYTES[g.dtype];
  const size = tile.rows * (tile.columns === 1 ? lanes : tile.columns);
  const bytes = 2 * size * BYTES[g.dtype];
  const perGroup = { in: g.inChannels / g.groups, out: g.outChannels / g.groups };
  const spectraBytes = g.outChannels * perGroup.in * bytes;
  if ((perGroup.in + perGroup.out - 1) * bytes > CHANNELS_BYTES || spectraBytes > SPECTRA_BYTES) return null;
  const rows = tile.rows === 1 ? 1 : tile.rows - height.kernel + 1;
  const columns = tile.columns === 1 ? lanes : tile.columns - width.kernel + 1;
  const tiles = Math.ceil(height.out / rows) * Math.ceil(width.out / columns);
  const pairs = g.batch * g.groups * Math.ceil(tiles / 2);
  const points = pairs * size * (perGroup.in + perGroup.out);
  const passes = points * Math.log2(tile.rows * tile.columns);
  const products = pairs * size * perGroup.in * perGroup.out;
  return { tile, points, passes, products, spectraBytes, workspaceBytes: 0 };
}

const choice = new TileChoice((g) => fastestTile(worksOf(g), TIMES));

function* worksOf(g: ConvGeometry): Generator<TileWork | null> {
  for (const tile of tilesOf(g)) yield workBy(tile, g);
}

function declines(g: ConvGeometry): string | null {
  const [depth, ...axes] = g.axes;
  if (!isUnit(depth)) return 'serves one or two spatial axes';
  if (axes.some((axis) => Math.min(axis.padBefore, axis.padAfter) < 0)) return 'cannot crop';
  if (axes.some((axis) => axis.stride !== 1)) return 'needs stride 1';
  if (axes.some((axis) => axis.dilation !== 1)) return 'needs dilation 1';
  // The first tile is the smallest, and takes the least room.
  const [smallest] = tilesOf(g);
  const fits = smallest !== undefined && workBy(smallest, g) !== null;
  return fits ? null : 'its kernel or its channels exceed the largest tile';
}

/**
 * What tiles of whatever size take at least, the kernel in parts or not: they have no fewer points than the result has
 * places, and come two at a time.
 */
export function leastTime({ g, images, places, read, written, bytes, times: { fft: t } }: Workload): number {
  if (g.op !== 'forward') return 0;
  const pairs = (images * places) / 2;
  const perPoint = Math.log2(SIDES[0]) * Math.min(t.pass, t.line) + t.point;
  const wide = bytes / BYTES.float32;
  return wide * pairs * ((read + written) * perPoint + read * written * t.product) + t.call;
}

/** Its times: of a point in a pass of a tile's transform, or of a line's; gathered or delivered; of a product of two. */
function time(work: Workload): number {
  const { tile, passes, points, products, spectraBytes } = choice.of(work.g);
  const { fft: t } = work.times;
  const wide = work.bytes / BYTES.float32;
  const sums = passes * (tile.rows === 1 ? t.line : t.pass) + points * t.point + products * t.product;
  return wide * sums + work.streamed(spectraBytes, work.g.batch) + t.call;
}
