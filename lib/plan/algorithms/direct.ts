/** Sums over the taps of a few pixels by some vectors of output channels, read where they lie. */
import { ceilDiv, gcd, product } from '../../numbers.js';
import { BYTES } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import { pageShare, type Workload } from '../model/workload.js';
import { type Axis, type AxisTriple, extent, UNIT_AXIS } from '../options/axes.js';
import type { NativeAlgorithm } from './algorithm.js';
import { blockedCost } from './cost.js';
import { sparseLimitOfSums } from './sparse.js';

/** Taps of one channel whose sums, by four vectors of output channels, exceed the workspace. */
const MOST_SUMMED_TAPS = 4096;
/** Bytes that one row of outputs may copy of its input: the workspace of a thread is 4 MiB. */
const FRAME_BYTES = 3 * 2 ** 20;
/** Products of one sum in turn: im2col adds blocks of this many (kc), so a longer run errs more. */
export const SEQUENTIAL_PRODUCTS = 384;

export const direct: NativeAlgorithm = {
  name: 'direct',
  gradients: 'every stride',
  declines({ axes: [depth, height, width], ...g }) {
    const rows = depth.kernel * extent(height.kernel, height.dilation);
    const columns = extent(width.kernel, width.dilation) + width.stride * 16;
    const bytes = (g.inChannels / g.groups) * rows * columns * BYTES[g.dtype];
    return bytes <= FRAME_BYTES ? null : 'the input of a few outputs exceeds a thread’s workspace';
  },
  variant: () => ({ algorithm: 'direct' }),
  // Sums in turn longer than im2col's blocks err by their length.
  isAccurate: (g, { accuracy }) => accuracy === 'fast' || tapsOf(g) <= SEQUENTIAL_PRODUCTS,
  time,
  cost: blockedCost,
  reason: () => 'output channels fill the vectors, and pixels are read where they lie: nothing is packed',
  sparseLimit: sparseLimitOfSums,
  weightGrad: {
    declines: (g) =>
      tapsOf(g) <= MOST_SUMMED_TAPS ? null : 'the sums of one channel exceed a thread’s workspace',
    // Sums run over blocks of as many outputs, by either algorithm and at either accuracy.
    isAccurate: () => true,
    time: (work) => work.weightGradProducts * work.vectors(work.written),
    reason: () => 'output channels fill the vectors, and the image is read where it lies',
  },
};

function tapsOf(g: ConvGeometry): number {
  return product(g.axes.map((axis) => axis.kernel));
}

/** Pages that a core keeps translations of. */
const TRANSLATED_PAGES = 64;

/** How the rows of an image are shared out and copied. */
interface Layout {
  readonly axes: AxisTriple;
  /** Bytes of a group's weights. */
  readonly weightBytes: number;
  /** Whether pixels are read from the image itself. */
  readonly isInPlace: boolean;
  /** Rows of outputs that are shared out together, and how many such chunks there are. */
  readonly chunks: number;
  /** Rows of a chunk's frame, with their phases, and columns of one. */
  readonly frameRows: number;
  readonly frameColumns: number;
}

function layoutOf(work: Workload): Layout {
  const { g, tuning } = work;
  const axes = merged(g.axes);
  const [depth, height, width] = axes;
  const weightBytes = work.written * work.read * work.taps * work.bytes;
  const isInPlace =
    width.stride === 1 &&
    width.padBefore === 0 &&
    width.padAfter === 0 &&
    (g.paddingMode === 'zeros' || !work.pads);
  const { inputBytes, nearInputBytes } = tuning.direct;
  const mostBytes = weightBytes <= inputBytes ? nearInputBytes : inputBytes;
  const rowStep = height.kernel === 1 ? height.stride : gcd(height.stride, height.dilation);
  const phases = Math.min(width.kernel, width.stride / gcd(width.stride, width.dilation));
  const frameRows = (rows: number): number =>
    ((rows - 1) * height.stride + extent(height.kernel, height.dilation) - 1) / rowStep + 1;
  const frameColumns = width.out + Math.floor(((width.kernel - 1) * width.dilation) / width.stride);
  const rowBytes = work.read * depth.kernel * phases * frameColumns * work.bytes;
  let rows = height.out;
  while (rows > 1 && frameRows(rows) * rowBytes > mostBytes) rows = ceilDiv(rows, 2);
  const chunks = ceilDiv(height.out, rows) * depth.out;
  return { axes, weightBytes, isInPlace, chunks, frameRows: frameRows(rows) * phases, frameColumns };
}

/** Axes of 1×1 kernels that skip nothing are one long axis. */
function merged(axes: AxisTriple): AxisTriple {
  const isPlain = (a: Axis): boolean =>
    a.kernel === 1 && a.stride === 1 && a.padBefore === 0 && a.padAfter === 0;
  const [depth, height, width] = axes;
  if (!isPlain(width) || !isPlain(height)) return axes;
  const rows = { ...width, in: width.in * height.in, out: width.out * height.out };
  if (!isPlain(depth)) return [depth, UNIT_AXIS, rows];
  return [UNIT_AXIS, UNIT_AXIS, { ...rows, in: rows.in * depth.in, out: rows.out * depth.out }];
}

/**
 * Its times: of a tile, and of a run of tiles, begun and ended; a sum kept in between; a vector of results stored; a row of
 * the frame that padded or strided input is copied to, and a vector of it; a page met by a tile that others have driven out
 * of the core's table; rows of outputs that are shared out together; and a byte of weights that stay in no second-level
 * cache.
 */
function time(work: Workload): number {
  const { g, times, tuning } = work;
  const { direct: t } = times;
  if (work.images * work.places === 0) return t.call;
  const layout = layoutOf(work);
  const [depth, height, width] = layout.axes;
  const { weightBytes, isInPlace, chunks, frameRows, frameColumns } = layout;

  const all = work.vectors(work.written);
  const left = all % tuning.direct.vectors;
  let row = Math.floor(all / tuning.direct.vectors) * rowTime(work, layout, tuning.direct.vectors);
  if (left > 1) row += rowTime(work, layout, 2);
  if (left % 2 === 1) row += rowTime(work, layout, 1);
  row += work.vectors(width.out) * work.written * t.store;

  const frames = isInPlace
    ? 0
    : chunks * work.read * depth.kernel * frameRows * (t.frameRow + work.vectors(frameColumns) * t.frame);
  return (
    work.images * (depth.out * height.out * row + frames + chunks * t.chunk) +
    work.streamed(weightBytes * g.groups, g.batch * chunks, t.weightByte) +
    work.delivered(t) +
    t.call
  );
}

/** A row of outputs by some vectors of channels. */
function rowTime(work: Workload, layout: Layout, vectors: number): number {
  const { direct: t } = work.times;
  const { direct } = work.tuning;
  const [depth, height, width] = layout.axes;
  const products = work.read * width.kernel * work.tapsInside(height) * work.tapsInside(depth);
  const blocks = Math.min(work.read, ceilDiv(work.read * work.taps, Math.max(direct.blockTaps, work.taps)));
  // Channels that lie on more pages than the core keeps translations of.
  const channelBytes = layout.isInPlace
    ? product(work.g.axes.map((axis) => axis.in)) * work.bytes
    : depth.kernel * layout.frameRows * layout.frameColumns * work.bytes;
  const pages = work.read * depth.kernel * pageShare(channelBytes);
  const translations = pages > TRANSLATED_PAGES ? pages * t.far : 0;

  const widest = Math.min(direct.pixels, Math.floor(direct.sums / vectors));
  const tiles = ceilDiv(width.out, widest);
  const narrow = Math.floor(width.out / tiles);
  const wide = width.out % tiles;
  const tile = (pixels: number): number => products * work.step(pixels * vectors, pixels + 2 * vectors + 2);
  const sums =
    (wide > 0 ? wide * tile(narrow + 1) : 0) + (tiles - wide) * tile(narrow) + tiles * translations;
  const scratch = width.out * vectors * blocks * t.sum;
  return sums + tiles * blocks * t.tile + ceilDiv(tiles, direct.runTiles) * t.run + scratch;
}
