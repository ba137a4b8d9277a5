/** Rows of the matrix: each tap adds a shifted row of the image; weights of zero are not visited. */
import { ceilDiv, product } from '../../numbers.js';
import type { ConvGeometry } from '../geometry.js';
import { readsInside, type Workload } from '../model/workload.js';
import { type Axis, extent } from '../options/axes.js';
import type { NativeAlgorithm, Request } from './algorithm.js';
import { type Counts, sizesOf, sumsOf } from './cost.js';
import { SEQUENTIAL_PRODUCTS } from './direct.js';

/** Output channels of a group that leave the tiles of a product nearly empty. */
const FEW_OUT_CHANNELS = 8;
/** Products of a sum of sums: native/conv/toeplitz/box.cc has the same number. */
const AT_A_TIME = 128;

export const toeplitz: NativeAlgorithm = {
  name: 'toeplitz',
  gradients: 'every stride',
  declines: () => null,
  variant: () => ({ algorithm: 'toeplitz' }),
  isAccurate(g, { accuracy, density }) {
    // More products are summed so many at a time, but those of a column of taps always in order.
    const [, { kernel: height }] = g.axes;
    const products = product(g.axes.map((axis) => axis.kernel)) * (g.inChannels / g.groups);
    return accuracy === 'fast' || products * density <= SEQUENTIAL_PRODUCTS || height <= AT_A_TIME;
  },
  time,
  cost: toeplitzCost,
  reason(g, _request, isSparse) {
    if (isSparse) return 'so few weights are nonzero that visiting them alone is faster';
    return g.outChannels / g.groups <= FEW_OUT_CHANNELS
      ? 'so few output channels a group that each tap as a shifted row beats a product of matrices'
      : 'rows fill the vectors, and are read where they lie: nothing is packed';
  },
  sparseLimit: null,
  weightGrad: null,
};

/** Taps that meet padding add nothing. */
export function toeplitzCost(g: ConvGeometry): Counts {
  const { item, outputs, weights, perGroup, operandBytes } = sizesOf(g);
  const reads = g.axes.map((axis) =>
    g.paddingMode === 'zeros' ? readsInside(axis) : axis.kernel * axis.out,
  );
  return {
    ...sumsOf(g.batch * g.outChannels * perGroup * product(reads), g.batch * outputs),
    bytes: operandBytes,
    extraBytes: 0,
    weightBytes: item * weights,
  };
}

/**
 * Its times: how many loads one is that begins anywhere in a cache line, and one of a factor of a plane; of a tile, a turn of
 * tiles along a row, and a band of rows begun and ended; a vector of results stored; a row gathered, a vector of it, and one
 * with a stride; a band that is gathered at its borders; and a tap's places in the tables that a call makes.
 */
function time(work: Workload, _request: Request, density: number): number {
  const { toeplitz: t } = work.times;
  if (work.images * work.places === 0) return t.call;
  const bands = bandsOf(work);
  const all = work.read * work.taps;
  const share = gatheredShare(work, bands);
  const border = share > 0 && share < 1 ? t.border : t.band;
  return (
    work.images *
      (density * channelSums(work, bands) +
        share * copies(work, bands) +
        work.g.axes[0].out * bands.count * border) +
    all * t.tap +
    work.streamed(density * work.g.outChannels * all * work.bytes, work.g.batch * bands.count) +
    work.delivered(t) +
    t.call
  );
}

/** Rows of outputs that are computed together from rows that are gathered, or read where they lie. */
interface Bands {
  readonly isGathered: boolean;
  readonly count: number;
  /** Rows of the input that one output meets. */
  readonly reach: number;
}

function bandsOf(work: Workload): Bands {
  const { toeplitz } = work.tuning;
  const [depth, height, width] = work.g.axes;
  // Which as many channels as there are make low.
  const isGathered = width.stride > 1 || work.written >= toeplitz.gatheredChannels;
  const columns = Math.min(
    work.lanes * (height.out === 1 ? toeplitz.sums : toeplitz.sums / 2),
    work.vectors(width.out) * work.lanes,
  );
  const rowBytes =
    work.read * depth.kernel * Math.min(width.stride, width.kernel) * (columns + width.kernel) * work.bytes;
  const reach = extent(height.kernel, height.dilation);
  const fitting = Math.floor((toeplitz.panelBytes / rowBytes - reach) / height.stride) + 1;
  const band = Math.max(1, Math.min(toeplitz.bandRows, height.out, fitting));
  return { isGathered, count: ceilDiv(height.out, band), reach };
}

/** The sums of an image's channels, by blocks of channels that go jointly where that takes fewer loads. */
function channelSums(work: Workload, bands: Bands): number {
  const { gemm, toeplitz } = work.tuning;
  const mr = work.toeplitzCount(gemm.rows);
  const all = work.read * work.taps;
  const single = singleCost(work);
  let sums = 0;
  for (let first = 0, channels = 0; first < work.written; first += channels) {
    channels = work.toeplitzCount(Math.min(mr, work.written - first));
    const jointCost = all * Math.max(channels, toeplitz.load + toeplitz.broadcast * channels);
    const block =
      channels > 1 && jointCost < channels * single.cost
        ? jointly(work, bands, channels)
        : channels * (single.byColumns ? columnsOfTaps(work, bands) : singleTaps(work, bands));
    const repeats = channels === mr ? Math.floor((work.written - first) / channels) : 1;
    sums += repeats * block;
    first += (repeats - 1) * channels;
  }
  return sums;
}

/** What one channel takes by itself, in the driver's own measure: tap by tap, or by whole columns of taps. */
function singleCost(work: Workload): { readonly cost: number; readonly byColumns: boolean } {
  const { gemm, toeplitz } = work.tuning;
  const [, height] = work.g.axes;
  const mr = work.toeplitzCount(gemm.rows);
  const all = work.read * work.taps;
  const tall = height.kernel;
  const tapCost = all * toeplitz.load;
  if (height.stride !== height.dilation || tall === 1) return { cost: tapCost, byColumns: false };
  const rows = Math.min(tall, mr);
  const columnCost =
    (all / tall) * Math.max(tall, toeplitz.load * ((tall + rows - 1) / rows) + toeplitz.broadcast * tall);
  return { cost: Math.min(tapCost, columnCost), byColumns: columnCost < tapCost };
}

/** All rows of several channels. */
function jointly(work: Workload, bands: Bands, channels: number): number {
  const { toeplitz: t } = work.times;
  const [depth, height, width] = work.g.axes;
  const left = work.vectors(width.out);
  const vectors = Math.min(left, work.tuning.gemm.vectors);
  const step = work.step(channels * vectors, loadsOf(work) * vectors + channels);
  const all = work.read * work.taps;
  return (
    depth.out *
    height.out *
    (tilesAcross(work, bands, vectors) * (all * step + t.tile) + t.turn + channels * left * t.store)
  );
}

/** All rows of one channel by whole columns of taps. */
function columnsOfTaps(work: Workload, bands: Bands): number {
  const { toeplitz: t } = work.times;
  const { gemm } = work.tuning;
  const [, height, width] = work.g.axes;
  const tall = height.kernel;
  const left = work.vectors(width.out);
  const columns = (work.read * work.taps) / tall;
  return byTiles(work, bands, Math.min(tall, work.toeplitzCount(gemm.rows)), (count) => {
    const isWide = count <= Math.min(4, gemm.wideRows) && left >= gemm.wideVectors;
    const vectors = isWide ? gemm.wideVectors : Math.min(left, gemm.vectors);
    const loads = loadsOf(work) * (count + tall - 1) * vectors + count * tall * t.factor;
    const step = work.step(count * tall * vectors, loads);
    return tilesAcross(work, bands, vectors) * (columns * step + t.tile) + t.turn + count * left * t.store;
  });
}

/** All rows of one channel tap by tap. */
function singleTaps(work: Workload, bands: Bands): number {
  const { toeplitz: t } = work.times;
  const [, height, width] = work.g.axes;
  const left = work.vectors(width.out);
  const most = work.tuning.toeplitz.sums;
  const all = work.read * work.taps;
  let vectors = 1;
  while (2 * vectors <= Math.min(left, most / Math.min(height.out, 4))) vectors *= 2;
  return byTiles(work, bands, most / vectors, (count) => {
    const step = work.step(count * vectors, loadsOf(work) * count * vectors + 1);
    return tilesAcross(work, bands, vectors) * (all * step + t.tile) + t.turn + count * left * t.store;
  });
}

/** How many loads one is: of a row that begins anywhere in a cache line, more. */
function loadsOf(work: Workload): number {
  const width = work.g.axes[2];
  return width.kernel === 1 && (width.in * work.bytes) % 64 === 0 ? 1 : work.times.toeplitz.straddle;
}

/** Tiles across a row of outputs; in place, those beside its ends are apart from those between. */
function tilesAcross(work: Workload, { isGathered }: Bands, vectors: number): number {
  const width = work.g.axes[2];
  const left = work.vectors(width.out);
  const padded = Number(width.padBefore > 0) + Number(width.padAfter > 0);
  const ends = isGathered ? 0 : Math.min(left - 1, padded);
  return ceilDiv(left - ends, vectors) + ends;
}

/** Rows of all bands, by tiles of at most so many. */
function byTiles(work: Workload, bands: Bands, most: number, tile: (rows: number) => number): number {
  const [depth, height] = work.g.axes;
  const each = ceilDiv(height.out, bands.count);
  let time = 0;
  for (let done = 0, rows = 0; done < each; done += rows) {
    const count = work.toeplitzCount(Math.min(most, each - done));
    const turns = Math.floor((each - done) / count);
    time += turns * tile(count);
    rows = count * turns;
  }
  return depth.out * bands.count * time;
}

/** Rows of an image gathered, if all are. */
function copies(work: Workload, bands: Bands): number {
  const { toeplitz: t } = work.times;
  const [depth, height, width] = work.g.axes;
  const bandRows = (ceilDiv(height.out, bands.count) - 1) * height.stride + bands.reach;
  const lines = work.read * depth.kernel * depth.out * bands.count * bandRows;
  const elements = lines * width.stride * (width.out + width.kernel);
  return lines * t.line + (elements / work.lanes) * (width.stride > 1 ? t.strided : t.gather);
}

/** In place, what is beside a border is gathered alone; and the last band, whose vectors may end beyond the input. */
function gatheredShare(work: Workload, { isGathered, count }: Bands): number {
  if (isGathered) return 1;
  const [depth, height, width] = work.g.axes;
  const inside =
    (outputsInside(depth) / depth.out) *
    (outputsInside(height) / height.out) *
    (outputsInsideVectors(width, work.lanes) / width.out);
  const last = width.out % work.lanes === 0 ? 0 : 1 / (work.images * depth.out * count);
  return Math.max(last, 1 - inside);
}

/** Outputs all of whose taps are inside the input. */
function outputsInside({ in: size, kernel, stride, dilation, padBefore, out }: Axis): number {
  const first = ceilDiv(Math.max(0, padBefore), stride);
  const end = Math.floor((size - 1 - (kernel - 1) * dilation + padBefore) / stride) + 1;
  return Math.max(0, Math.min(out, end) - first);
}

/** Likewise, in whole vectors from the start. */
function outputsInsideVectors(axis: Axis, lanes: number): number {
  const first = ceilDiv(Math.max(0, axis.padBefore), axis.stride);
  const end = first + outputsInside(axis);
  const from = ceilDiv(first, lanes) * lanes;
  const to = end === axis.out ? end : Math.floor(end / lanes) * lanes;
  return Math.max(0, to - from);
}
