/**
 * Fourier tiles that are larger than caches, each with the whole kernel in it: of large kernels over planes, and the
 * gradients of input and weight. native/conv/fft/large_tiles.cc cuts alike.
 */
import { ceilDiv } from '../../numbers.js';
import { BYTES } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import type { Workload } from '../model/workload.js';
import { extent } from '../options/axes.js';
import type { NativeAlgorithm } from './algorithm.js';
import { type Correlation, correlationOf, declinesCorrelation, denseOut, type Line } from './correlation.js';
import { MAX_POINTS } from './fft.js';
import {
  type FftTile,
  fastestTile,
  TileChoice,
  type TileWork,
  tileCost,
  tileReason,
} from './fourier-tiles.js';

export const largeFft: NativeAlgorithm = {
  name: 'fft',
  gradients: 'as they are',
  declines,
  variant: (g) => ({ algorithm: 'fft', ...choice.of(g).tile }),
  isAccurate: (_g, { accuracy }) => accuracy === 'fast',
  time,
  cost: (g) => tileCost(g, choice.of(g)),
  reason,
  sparseLimit: null,
  weightGrad: {
    declines,
    isAccurate: ({ accuracy }) => accuracy === 'fast',
    time,
    reason,
  },
};

/** Bytes of weights' spectra that are kept; beyond them they are made for so many channels at a time, in every run. */
const KEPT_BYTES = 512 * 2 ** 20;
/** Bytes of all spectra at a time. */
const MOST_BYTES = 2 ** 30;

/** The fewest points of a tile that leaves every output right. */
function pointsForAll(c: Correlation, line: Line): number {
  const reach = extent(line.kernel, line.dilation);
  const outs = denseOut(line);
  const read = outs + reach - 1;
  if (!c.zeros) return read;
  // Positions beyond the tile fall on those of its beginning: zeros fall on zeros.
  const last = Math.min(line.dense - 1, read - 1 - line.padBefore);
  return Math.min(read, Math.max(read - Math.max(line.padBefore, 0), last + line.padBefore + 1, reach, outs));
}

/** Tiles along an axis of so many points. */
function tilesAlong(c: Correlation, line: Line, points: number): number {
  if (points >= pointsForAll(c, line)) return 1;
  return ceilDiv(denseOut(line), points - extent(line.kernel, line.dilation) + 1);
}

function workBy(tile: FftTile, c: Correlation, bytes: number): TileWork | null {
  const [, height, width] = c.axes;
  const tiles = c.images * tilesAlong(c, height, tile.rows) * tilesAlong(c, width, tile.columns);
  // Pairs of real points are complex ones.
  const size = (tile.rows * tile.columns) / 2;
  const planeBytes = 2 * bytes * size;
  const planes = c.groups * c.written * c.read;
  const areKept = planes * planeBytes <= KEPT_BYTES;
  const atOnce = areKept
    ? c.written
    : Math.min(c.written, Math.max(1, Math.floor(KEPT_BYTES / planeBytes / c.read)));
  const spectraBytes = areKept ? planes * planeBytes : 0;
  const madeBytes = areKept ? 0 : atOnce * c.read * planeBytes;
  const sums = c.read === 1 && atOnce === 1 ? 0 : atOnce;
  const workspaceBytes = madeBytes + (c.read + sums) * planeBytes;
  if (spectraBytes + workspaceBytes > MOST_BYTES) return null;
  const inputs = tiles * c.groups * c.read * ceilDiv(c.written, atOnce);
  const points = (inputs + tiles * c.groups * c.written + planes) * size;
  const passes = points * Math.log2(size);
  const products = tiles * planes * size;
  return { tile, points, passes, products, spectraBytes, workspaceBytes };
}

/** What numbers of points a tile's axes may have: so many cache lines, and no prime factor beyond 7. */
const [ROW_UNIT, COLUMN_UNIT, MOST_ROWS] = [16, 32, 2 ** 15 - 1];

function isSmooth(n: number): boolean {
  let rest = n;
  for (const factor of [2, 3, 5, 7]) while (rest % factor === 0) rest /= factor;
  return rest === 1;
}

/** The least good size that is no less; null where there is none. */
function goodSize(least: number, unit: number): number | null {
  for (let size = ceilDiv(least, unit) * unit; size <= MOST_ROWS; size += unit)
    if (isSmooth(size)) return size;
  return null;
}

const MOST_CUTS = 8;

/** Sizes that cut an axis into one tile, two, and so on up to MOST_CUTS. */
function sizesAlong(c: Correlation, line: Line, unit: number): number[] {
  const reach = extent(line.kernel, line.dilation);
  const sizes = new Set<number>();
  for (let tiles = 1; tiles <= MOST_CUTS; tiles++) {
    const least = tiles === 1 ? pointsForAll(c, line) : ceilDiv(denseOut(line), tiles) + reach - 1;
    const size = goodSize(Math.max(least, reach), unit);
    if (size !== null) sizes.add(size);
  }
  return [...sizes];
}

const choice = new TileChoice((g) => fastestTile(worksOf(g), TIMES));

function* worksOf(g: ConvGeometry): Generator<TileWork | null> {
  const c = correlationOf(g);
  if (isSmall(c)) return;
  const [, height, width] = c.axes;
  const widths = sizesAlong(c, width, COLUMN_UNIT);
  for (const rows of sizesAlong(c, height, ROW_UNIT)) {
    for (const columns of widths)
      if (rows * columns > MAX_POINTS) yield workBy({ rows, columns }, c, BYTES[g.dtype]);
  }
}

/** Whether one tile that caches hold leaves every output right: cut, it would take more. */
function isSmall(c: Correlation): boolean {
  const [, height, width] = c.axes;
  const whole = (line: Line, unit: number) => goodSize(pointsForAll(c, line), unit) ?? MAX_POINTS;
  return whole(height, ROW_UNIT) * whole(width, COLUMN_UNIT) <= MAX_POINTS;
}

/** A point that comes and goes, and a complex product, in passes of a transform: by which the tile is chosen. */
const TIMES = { point: 8, product: 1 };

function declines(g: ConvGeometry): string | null {
  const [{ in: depth, kernel, out }] = g.axes;
  if (depth !== 1 || kernel !== 1 || out !== 1) return 'serves one or two spatial axes';
  const reason = declinesCorrelation(g);
  if (reason !== null) return reason;
  return choice.find(g) === null ? 'its planes are small, or their spectra exceed the workspace' : null;
}

/** Passes that read what is in no cache take so many times those of fft.ts, and a point that comes and goes. */
const [FAR_PASS, FAR_POINT] = [1.2, 3.2];

function time({ g, bytes, times: { fft: t } }: Workload): number {
  const { passes, points, products } = choice.of(g);
  const wide = bytes / BYTES.float32;
  return wide * (passes * FAR_PASS * t.pass + points * FAR_POINT * t.point + products * t.product) + t.call;
}

function reason(g: ConvGeometry): string {
  return tileReason(g, choice.of(g), ', with the whole kernel in each,');
}
