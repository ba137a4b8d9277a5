/**
 * Fourier tiles of kernels that no tile holds: kernel and input are both cut into parts, and a tile of outputs is the sum of
 * products of their spectra. Any stride, dilation and number of axes, and the gradients of input and weight.
 * native/conv/fft/partitioned.cc cuts alike.
 */
import { ceilDiv, product } from '../../numbers.js';
import { BYTES } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import type { Workload } from '../model/workload.js';
import { extent } from '../options/axes.js';
import type { NativeAlgorithm } from './algorithm.js';
import { type Correlation, correlationOf, declinesCorrelation, denseOut, type Line } from './correlation.js';
import { LINE_BYTES, LINES, leastTime, MAX_POINTS, SIDES } from './fft.js';
import {
  type FftTile,
  fastestTile,
  TileChoice,
  type TileWork,
  tileCost,
  tileReason,
} from './fourier-tiles.js';

export const partitionedFft: NativeAlgorithm = {
  name: 'fft',
  gradients: 'as they are',
  declines,
  variant: (g) => ({ algorithm: 'fft', ...choice.of(g).tile }),
  isAccurate: (_g, { accuracy }) => accuracy === 'fast',
  time,
  atLeast: leastTime,
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

/** How an axis is cut: parts of the kernel, tiles of outputs, and the tiles of inputs that these read. */
interface Cut {
  readonly parts: number;
  readonly outs: number;
  tiles(outs: number): number;
}

function cutOf(line: Line, points: number, fitsOutputs: boolean): Cut {
  if (points === 1) {
    const { kernel: parts, out: outs, dilation, stride } = line;
    return { parts, outs, tiles: (count) => (count - 1) * stride + (parts - 1) * dilation + 1 };
  }
  const reach = extent(line.kernel, line.dilation);
  const dense = denseOut(line);
  const half = points / 2;
  const [part, step] =
    reach <= half + 1
      ? [reach, points - reach + 1]
      : fitsOutputs && dense <= half
        ? [points - dense + 1, dense]
        : [half, half];
  const parts = ceilDiv(reach, part);
  return { parts, outs: ceilDiv(dense, step), tiles: (count) => count + parts - 1 };
}

/** Bytes of all spectra at a time: weights', inputs' and outputs'. */
const MOST_BYTES = 2 ** 30;

function workBy(tile: FftTile, c: Correlation, bytes: number): TileWork | null {
  const isLine = tile.rows === 1;
  const lanes = LINE_BYTES / bytes;
  const columns = tile.columns === 1 ? lanes : tile.columns;
  const size = tile.rows * columns;
  const cuts = [1, isLine ? 1 : tile.rows, columns].map((points, axis) =>
    cutOf(c.axes[axis], points, c.fitsOutputs),
  );
  const parts = product(cuts.map((cut) => cut.parts));
  const outs = cuts.map((cut) => cut.outs);
  // Tiles go by two, along the axis (or over the images) where the fewest places stay empty.
  const counts = [outs[2], outs[1], outs[0], c.images];
  const shares = counts.map((count) => (count < 2 ? 1 : ceilDiv(count, 2) / count));
  const paired = shares.indexOf(Math.min(...shares));
  if (shares[paired] < 1 && paired < 3) outs[2 - paired] = ceilDiv(outs[2 - paired], 2);
  const images = shares[paired] < 1 && paired === 3 ? ceilDiv(c.images, 2) : c.images;
  const outputs = c.written * product(outs);
  const inputs = c.read * product(cuts.map((cut, axis) => cut.tiles(outs[axis])));
  const spectraBytes = 2 * bytes * size * c.groups * c.written * c.read * parts;
  const workspaceBytes = 2 * bytes * size * Math.max(inputs, outputs);
  if (spectraBytes + workspaceBytes > MOST_BYTES) return null;
  const transforms = c.groups * (images * (inputs + outputs) + c.written * c.read * parts);
  const points = transforms * size;
  const passes = points * Math.log2(tile.columns === 1 ? tile.rows : size);
  const products = images * c.groups * outputs * c.read * parts * size;
  return { tile, points, passes, products, spectraBytes, workspaceBytes };
}

/** A point that is gathered or delivered, and a complex product, in passes of a transform: by which the tile is chosen. */
const TIMES = { point: 5, product: 1 };

function* tilesOf({ axes: [, height, width] }: Correlation): Generator<FftTile> {
  if (height.kernel === 1) {
    for (const columns of LINES) yield { rows: 1, columns };
    return;
  }
  for (const rows of SIDES) {
    if (width.kernel === 1) yield { rows, columns: 1 };
    else for (const columns of SIDES) if (rows * columns <= MAX_POINTS) yield { rows, columns };
  }
}

const choice = new TileChoice((g) => fastestTile(worksOf(g), TIMES));

function* worksOf(g: ConvGeometry): Generator<TileWork | null> {
  const c = correlationOf(g);
  for (const tile of tilesOf(c)) yield workBy(tile, c, BYTES[g.dtype]);
}

function declines(g: ConvGeometry): string | null {
  return declinesCorrelation(g) ?? (fits(g) ? null : 'its spectra exceed the workspace');
}

/** Whether tiles of some size fit the workspace; most geometries are refused or taken by the first. */
function fits(g: ConvGeometry): boolean {
  const before = choice.known(g);
  if (before !== undefined) return before !== null;
  for (const work of worksOf(g)) if (work !== null) return true;
  return false;
}

/** Points that go to spectra of many tiles, and come from them, take so many times those of fft.ts. */
const SCATTERED = 2;

function time({ g, bytes, times: { fft: t } }: Workload): number {
  const { tile, passes, points, products } = choice.of(g);
  const pass = tile.rows === 1 ? t.line : t.pass;
  const wide = bytes / BYTES.float32;
  return wide * (passes * pass + points * SCATTERED * t.point + products * t.product) + t.call;
}

function reason(g: ConvGeometry): string {
  return tileReason(g, choice.of(g), ', the kernel in parts,');
}
