/**
 * How long each algorithm of the native backend takes on one core, by a model of its loops: steps of its tiles, which take
 * as long as their multiply-adds or their loads, whichever is more, and what surrounds them. The constants are in times.ts.
 */
import { BYTES } from '../../tensor/dtype.js';
import { gcd } from '../adjoint.js';
import { type AlgorithmName, SEPARABLE } from '../algorithms/algorithm.js';
import { fftWork } from '../algorithms/fft.js';
import { type WinogradTile, winogradTiles } from '../algorithms/winograd.js';
import type { ConvGeometry } from '../geometry.js';
import { type Axis, type AxisTriple, extent, UNIT_AXIS } from '../options/axes.js';
import type { Times } from './times.js';

/**
 * Nanoseconds of a forward convolution, or of the gradient of its weight, by an algorithm that serves it.
 *
 * @param density  The share of weights that are visited by an algorithm that visits those alone which are not zero.
 */
export function timeOf(
  algorithm: AlgorithmName,
  variant: number,
  g: ConvGeometry,
  density: number,
  times: Times,
): number {
  const problem = new Problem(g, times);
  if (g.op === 'weightGrad') return timeOfWeightGrad(problem, algorithm);
  switch (algorithm) {
    case 'direct':
      return timeOfDirect(problem);
    case 'toeplitz':
      return timeOfToeplitz(problem, density);
    case 'depthwise':
      return variant === SEPARABLE ? timeOfSeparable(problem) : timeOfDepthwise(problem);
    case 'winograd':
      return timeOfWinograd(problem, variant as WinogradTile);
    case 'fft':
      return timeOfFft(problem);
    default:
      return timeOfIm2col(problem);
  }
}

const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);

/** A geometry with what every model asks of it. */
class Problem {
  readonly bytes: number;
  readonly lanes: number;
  /** Channels of a group. */
  readonly read: number;
  readonly written: number;
  readonly images: number;
  readonly taps: number;
  readonly places: number;

  constructor(
    readonly g: ConvGeometry,
    readonly times: Times,
  ) {
    this.bytes = BYTES[g.dtype];
    this.lanes = (times.lanes * BYTES.float32) / this.bytes;
    this.read = g.inChannels / g.groups;
    this.written = g.outChannels / g.groups;
    this.images = g.batch * g.groups;
    this.taps = over(g.axes, (a) => a.kernel);
    this.places = over(g.axes, (a) => a.out);
  }

  vectors(elements: number): number {
    return ceilDiv(elements, this.lanes);
  }

  /** One step of a tile of `sums` vectors. */
  step(sums: number, loads: number): number {
    const { multiply, load, latency } = this.times.core;
    return Math.max(sums * multiply, loads * load, latency);
  }

  /** Weights that stay in no nearer cache than the third come once per image, or as often as `times` says. */
  streamed(weightBytes: number, passes: number, each = this.times.core.weightByte): number {
    return weightBytes > CACHED_BYTES ? weightBytes * passes * each : 0;
  }

  /** What it takes to write a result that stays in no second-level cache, or in none at all. */
  delivered(t: { readonly spill: number; readonly leave: number }): number {
    const results = this.images * this.written * this.places;
    const bytes = results * this.bytes;
    if (bytes <= CACHED_BYTES) return 0;
    return (results / this.lanes) * (bytes <= LAST_CACHE_BYTES ? t.spill : t.leave);
  }

  get pads(): boolean {
    return this.g.axes.some((a) => a.padBefore !== 0 || a.padAfter !== 0);
  }
}

/** Weights that stay in the second-level cache from image to image. */
const CACHED_BYTES = 2 ** 20;
/** Results that leave all caches as they are written. */
const LAST_CACHE_BYTES = 2 ** 24;

function over(axes: readonly Axis[], size: (axis: Axis) => number): number {
  return axes.reduce((count, axis) => count * size(axis), 1);
}

/** How much of a page lies between rows: what is read across them costs translations of addresses in that share. */
function pageShare(bytes: number): number {
  return Math.min(1, bytes / 4096);
}

/** Taps of an axis that are inside the input, in the mean of its outputs. */
function tapsInside(axis: Axis, g: ConvGeometry): number {
  if (g.paddingMode !== 'zeros' || axis.out === 0 || axis.padBefore + axis.padAfter <= 0) return axis.kernel;
  let inside = 0;
  for (let tap = 0; tap < axis.kernel; tap++) {
    const offset = tap * axis.dilation - axis.padBefore;
    const first = Math.max(0, ceilDiv(-offset, axis.stride));
    const last = Math.min(axis.out - 1, Math.floor((axis.in - 1 - offset) / axis.stride));
    inside += Math.max(0, last - first + 1);
  }
  return inside / axis.out;
}

/** native/conv/direct.cc: products that are summed in one go, tiles of a run, and what a chunk reads. */
const BLOCK_PRODUCTS = 256;
const RUN_TILES = 4;
const CHUNK_BYTES = 768 * 2 ** 10;
const NEAR_CHUNK_BYTES = 96 * 2 ** 10;
const TRANSLATED_PAGES = 64;

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

function timeOfDirect(p: Problem): number {
  const { direct: t, tiles: shape } = p.times;
  const [depth, height, width] = merged(p.g.axes);
  if (p.images * p.places === 0) return t.call;
  const weightBytes = p.written * p.read * p.taps * p.bytes;
  const isInPlace =
    width.stride === 1 &&
    width.padBefore === 0 &&
    width.padAfter === 0 &&
    (p.g.paddingMode === 'zeros' || !p.pads);

  const inputBytes = weightBytes <= CHUNK_BYTES ? NEAR_CHUNK_BYTES : CHUNK_BYTES;
  const rowStep = height.kernel === 1 ? height.stride : gcd(height.stride, height.dilation);
  const phases = Math.min(width.kernel, width.stride / gcd(width.stride, width.dilation));
  const frameRows = (rows: number): number =>
    ((rows - 1) * height.stride + extent(height.kernel, height.dilation) - 1) / rowStep + 1;
  const frameColumns = width.out + Math.floor(((width.kernel - 1) * width.dilation) / width.stride);
  const rowBytes = p.read * depth.kernel * phases * frameColumns * p.bytes;
  let rows = height.out;
  while (rows > 1 && frameRows(rows) * rowBytes > inputBytes) rows = ceilDiv(rows, 2);
  const chunks = ceilDiv(height.out, rows) * depth.out;

  const products = p.read * width.kernel * tapsInside(height, p.g) * tapsInside(depth, p.g);
  const blocks = Math.min(p.read, ceilDiv(p.read * p.taps, Math.max(BLOCK_PRODUCTS, p.taps)));
  // Channels that lie on more pages than the core keeps translations of.
  const channelBytes = isInPlace
    ? over(p.g.axes, (a) => a.in) * p.bytes
    : depth.kernel * frameRows(rows) * phases * frameColumns * p.bytes;
  const pages = p.read * depth.kernel * pageShare(channelBytes);
  const translations = pages > TRANSLATED_PAGES ? pages * t.far : 0;

  /** A row of outputs by some vectors of channels. */
  const rowTime = (vectors: number): number => {
    const widest = Math.min(shape.directPixels, Math.floor(shape.directSums / vectors));
    const tiles = ceilDiv(width.out, widest);
    const narrow = Math.floor(width.out / tiles);
    const wide = width.out % tiles;
    const tile = (pixels: number): number => products * p.step(pixels * vectors, pixels + 2 * vectors + 2);
    const sums =
      (wide > 0 ? wide * tile(narrow + 1) : 0) + (tiles - wide) * tile(narrow) + tiles * translations;
    const scratch = width.out * vectors * blocks * t.sum;
    return sums + tiles * blocks * t.tile + ceilDiv(tiles, RUN_TILES) * t.run + scratch;
  };

  const all = p.vectors(p.written);
  const left = all % shape.directVectors;
  let row = Math.floor(all / shape.directVectors) * rowTime(shape.directVectors);
  if (left > 1) row += rowTime(2);
  if (left % 2 === 1) row += rowTime(1);
  row += p.vectors(width.out) * p.written * t.store;

  const frames = isInPlace
    ? 0
    : chunks *
      p.read *
      depth.kernel *
      frameRows(rows) *
      phases *
      (t.frameRow + p.vectors(frameColumns) * t.frame);
  return (
    p.images * (depth.out * height.out * row + frames + chunks * t.chunk) +
    p.streamed(weightBytes * p.g.groups, p.g.batch * chunks, t.weightByte) +
    p.delivered(t) +
    t.call
  );
}

/** native/product/lowered_product.cc: rows of B per block, and passes over an image from which it is packed all the same. */
const BLOCK_ROWS = 384;
const IN_PLACE_PASSES = 7;

function timeOfIm2col(p: Problem): number {
  const { im2col: t, tiles: shape } = p.times;
  const width = p.g.axes[2];
  const k = p.read * p.taps;
  const panels = Math.max(1, ceilDiv(p.written, shape.gemmRows));
  const height = ceilDiv(p.written, panels);
  const widest = p.written <= shape.wideRows ? shape.wideVectors : shape.gemmVectors;
  const isImage = p.taps === 1 && p.g.axes.every((a) => a.stride === 1 && a.padBefore + a.padAfter === 0);
  const isInPlace = isImage && panels <= IN_PLACE_PASSES && (p.places * p.bytes) % 1024 !== 0;

  const blocks = Math.max(1, ceilDiv(k, Math.max(BLOCK_ROWS, 1)));
  const all = p.vectors(p.places);
  /** A column of tiles, as wide as `vectors`. */
  const column = (vectors: number): number => {
    const tile =
      k *
      (p.step(height * vectors, vectors + height + 1) +
        (isInPlace ? t.far * pageShare(p.places * p.bytes) : 0));
    return panels * (tile + blocks * t.tile + height * vectors * blocks * t.finish);
  };
  const rest = all % widest;
  const products = Math.floor(all / widest) * column(widest) + (rest > 0 ? column(rest) : 0);
  // A row of a panel is copied a stretch of neighbouring outputs at a time.
  const columns = ceilDiv(all, widest);
  const stretches = isImage ? columns : columns + p.places / Math.max(1, width.out);
  const isStrided = width.stride > 1;
  const copies = k * (stretches * t.stretch + (p.places / p.lanes) * (isStrided ? t.strided : t.pack));
  const described = isImage ? 0 : p.taps * stretches * t.describe;
  return (
    p.images * (products + (isInPlace ? 0 : copies) + described + t.image) +
    p.streamed(p.g.outChannels * k * p.bytes, p.g.batch) +
    p.delivered(t) +
    t.call
  );
}

/** native/conv/toeplitz/taps.cc: what it chooses a form by; box.cc: rows of a band. */
const TOEPLITZ_LOAD = 1.7;
const TOEPLITZ_BROADCAST = 0.5;
const BAND_ROWS = 24;
const PANEL_BYTES = 192 * 2 ** 10;
const GATHERED_CHANNELS = 8;

/** native/table/table.h, toeplitz_count. */
function toeplitzCount(n: number): number {
  return n >= 8 ? 8 : n >= 6 ? 6 : n >= 4 ? 4 : Math.floor(n);
}

function timeOfToeplitz(p: Problem, density: number): number {
  const { toeplitz: t, tiles: shape } = p.times;
  const [depth, height, width] = p.g.axes;
  if (p.images * p.places === 0) return t.call;
  const mr = toeplitzCount(shape.gemmRows);
  const all = p.read * p.taps;
  const tall = height.kernel;
  const isPlane = height.stride === height.dilation && tall > 1;
  const columnCost = Math.max(
    tall,
    TOEPLITZ_LOAD * ((tall + Math.min(tall, mr) - 1) / Math.min(tall, mr)) + TOEPLITZ_BROADCAST * tall,
  );
  const singlyCost = isPlane ? Math.min(all * TOEPLITZ_LOAD, (all / tall) * columnCost) : all * TOEPLITZ_LOAD;
  const left = p.vectors(width.out);
  // Rows of a band, which as many channels as there are make low.
  const isGathered = width.stride > 1 || p.written >= GATHERED_CHANNELS;
  const columns = Math.min(
    p.lanes * (height.out === 1 ? shape.toeplitzSums : shape.toeplitzSums / 2),
    left * p.lanes,
  );
  const rowBytes =
    p.read * depth.kernel * Math.min(width.stride, width.kernel) * (columns + width.kernel) * p.bytes;
  const reach = extent(height.kernel, height.dilation);
  const fitting = Math.floor((PANEL_BYTES / rowBytes - reach) / height.stride) + 1;
  const band = Math.max(1, Math.min(BAND_ROWS, height.out, fitting));
  const bands = ceilDiv(height.out, band);
  const straddle = width.kernel === 1 && (width.in * p.bytes) % 64 === 0 ? 1 : t.straddle;
  /** Tiles across a row of outputs; in place, those beside its ends are apart from those between. */
  const ends = isGathered ? 0 : Math.min(left - 1, Number(width.padBefore > 0) + Number(width.padAfter > 0));
  const tilesOf = (vectors: number): number => ceilDiv(left - ends, vectors) + ends;
  /** Rows of all bands, by tiles of at most so many. */
  const byTiles = (most: number, tile: (rows: number) => number): number => {
    let time = 0;
    for (let done = 0, count = 0, each = ceilDiv(height.out, bands); done < each; done += count) {
      count = toeplitzCount(Math.min(most, each - done));
      const turns = Math.floor((each - done) / count);
      time += turns * tile(count);
      count *= turns;
    }
    return depth.out * bands * time;
  };
  /** All rows of one channel by its own taps, or by whole columns of them. */
  const singly = (): number => {
    if (isPlane && (all / tall) * columnCost < all * TOEPLITZ_LOAD) {
      return byTiles(Math.min(tall, mr), (count) => {
        const isWide = count <= Math.min(4, shape.wideRows) && left >= shape.wideVectors;
        const vectors = isWide ? shape.wideVectors : Math.min(left, shape.gemmVectors);
        const loads = straddle * (count + tall - 1) * vectors + count * tall * t.factor;
        const step = p.step(count * tall * vectors, loads);
        return tilesOf(vectors) * ((all / tall) * step + t.tile) + t.turn + count * left * t.store;
      });
    }
    const most = shape.toeplitzSums;
    let vectors = 1;
    while (2 * vectors <= Math.min(left, most / Math.min(height.out, 4))) vectors *= 2;
    return byTiles(most / vectors, (count) => {
      const step = p.step(count * vectors, straddle * count * vectors + 1);
      return tilesOf(vectors) * (all * step + t.tile) + t.turn + count * left * t.store;
    });
  };
  /** All rows of several channels. */
  const jointly = (channels: number): number => {
    const vectors = Math.min(left, shape.gemmVectors);
    const step = p.step(channels * vectors, straddle * vectors + channels);
    return (
      depth.out * height.out * (tilesOf(vectors) * (all * step + t.tile) + t.turn + channels * left * t.store)
    );
  };

  let sums = 0;
  for (let first = 0, channels = 0; first < p.written; first += channels) {
    channels = toeplitzCount(Math.min(mr, p.written - first));
    const jointCost = all * Math.max(channels, TOEPLITZ_LOAD + TOEPLITZ_BROADCAST * channels);
    const block = channels > 1 && jointCost < channels * singlyCost ? jointly(channels) : channels * singly();
    const repeats = channels === mr ? Math.floor((p.written - first) / channels) : 1;
    sums += repeats * block;
    first += (repeats - 1) * channels;
  }

  const bandRows = (ceilDiv(height.out, bands) - 1) * height.stride + reach;
  const lines = p.read * depth.kernel * depth.out * bands * bandRows;
  const elements = lines * width.stride * (width.out + width.kernel);
  const copies = lines * t.line + (elements / p.lanes) * (width.stride > 1 ? t.strided : t.gather);
  // In place, what is beside a border is gathered alone; and the last band, whose vectors may end beyond the input.
  const inside = [
    outputsInside(depth) / depth.out,
    outputsInside(height) / height.out,
    quantumInside(width, p.lanes) / width.out,
  ];
  const last = width.out % p.lanes === 0 ? 0 : 1 / (p.images * depth.out * bands);
  const share = isGathered ? 1 : Math.max(last, 1 - inside.reduce((a, b) => a * b));
  return (
    p.images *
      (density * sums + share * copies + depth.out * bands * (share > 0 && share < 1 ? t.border : t.band)) +
    all * t.tap +
    p.streamed(density * p.g.outChannels * all * p.bytes, p.g.batch * bands) +
    p.delivered(t) +
    t.call
  );
}

/** Outputs all of whose taps are inside the input. */
function outputsInside({ in: size, kernel, stride, dilation, padBefore, out }: Axis): number {
  const first = ceilDiv(Math.max(0, padBefore), stride);
  const end = Math.floor((size - 1 - (kernel - 1) * dilation + padBefore) / stride) + 1;
  return Math.max(0, Math.min(out, end) - first);
}

/** Likewise, in whole vectors from the start. */
function quantumInside(axis: Axis, lanes: number): number {
  const first = ceilDiv(Math.max(0, axis.padBefore), axis.stride);
  const end = first + outputsInside(axis);
  const [from, to] = [
    ceilDiv(first, lanes) * lanes,
    end === axis.out ? end : Math.floor(end / lanes) * lanes,
  ];
  return Math.max(0, to - from);
}

function timeOfDepthwise(p: Problem): number {
  const { depthwise: t, tiles: shape } = p.times;
  const [, height, width] = p.g.axes;
  const planes = p.g.batch * p.g.outChannels;
  const isShort = height.out < shape.depthwiseRows;
  const rows = isShort ? 1 : shape.depthwiseRows;
  const tiles = ceilDiv(height.out, rows);
  const loads = ((rows - 1) * height.stride + height.kernel) * width.kernel;
  const products = rows * p.taps;
  const strips = p.vectors(width.out);
  const step = Math.max(
    products * p.times.core.multiply,
    (loads * (width.stride === 2 ? t.even : 1) + products) * t.load,
  );
  return planes * strips * (tiles * (step + rows * t.store) + t.strip) + t.call;
}

/** native/conv/separable.cc: rows that are summed along together. */
const SEPARABLE_LINES = 2;

function timeOfSeparable(p: Problem): number {
  const { separable: t, tiles: shape } = p.times;
  const [, height, width] = p.g.axes;
  const planes = p.g.batch * p.g.outChannels;
  const vectors = shape.toeplitzSums / SEPARABLE_LINES;
  const lines = height.out + height.kernel - 1;
  // Rows between the passes come in whole groups of four vectors.
  const across = ceilDiv(p.vectors(width.out), vectors);
  const along =
    ceilDiv(lines, SEPARABLE_LINES) *
    across *
    width.kernel *
    p.step(shape.toeplitzSums, shape.toeplitzSums * t.straddle + 1);
  const count = toeplitzCount(Math.min(height.kernel, shape.gemmRows, height.out));
  const step = p.step(
    count * height.kernel * shape.gemmVectors,
    (count + height.kernel - 1) * shape.gemmVectors + count * height.kernel,
  );
  const down = ceilDiv(height.out, count) * ceilDiv(p.vectors(width.out), shape.gemmVectors) * step;
  return planes * (along + down + lines * (t.line + p.vectors(width.out) * t.copy)) + t.call;
}

function timeOfWinograd(p: Problem, tile: WinogradTile): number {
  const { winograd: t, tiles: shape } = p.times;
  const points = (tile + 2) ** 2;
  const tiles = winogradTiles(p.g, tile) * p.g.batch;
  const [readVectors, writtenVectors] = [p.vectors(p.read), p.vectors(p.written)];
  const transform = tile === 2 ? t.transform2 : t.transform4;
  // Tiles go by rounds of the product's widest, two vectors of output channels at a time.
  const widest = Math.min(shape.directPixels, Math.floor(shape.directSums / 2));
  const rounds = ceilDiv(tiles, widest);
  const narrow = tiles / rounds;
  const step = (vectors: number): number => p.step(narrow * vectors, narrow + 2 * vectors);
  const channels = Math.floor(writtenVectors / 2) * step(2) + (writtenVectors % 2) * step(1);
  const products = rounds * points * readVectors * p.lanes * channels;
  return (
    p.g.groups * (products + tiles * points * (readVectors + writtenVectors) * transform) +
    p.streamed(p.g.outChannels * p.read * p.bytes * points, 1) +
    p.g.groups * ceilDiv(writtenVectors, 2) * t.panel +
    t.call
  );
}

/**
 * Share of useful lanes below which im2col is faster, although it transposes its patches, too: measured on AVX-512
 * (Sapphire Rapids).
 */
const WEIGHT_GRAD_LANES_IN_USE = 0.3;

function timeOfWeightGrad(p: Problem, algorithm: AlgorithmName): number {
  const products = p.images * p.places * p.read * p.taps * p.times.core.multiply;
  if (algorithm === 'direct') return products * p.vectors(p.written);
  return (products * p.written) / p.lanes / WEIGHT_GRAD_LANES_IN_USE;
}

function timeOfFft(p: Problem): number {
  const work = fftWork(p.g);
  if (work === null) return Number.POSITIVE_INFINITY;
  const t = p.times.fft;
  const wide = p.bytes / BYTES.float32;
  const pass = work.tile.rows === 1 ? t.line : t.pass;
  const sums = work.passes * pass + work.points * t.point + work.products * t.product;
  return wide * sums + p.streamed(work.spectraBytes, p.g.batch) + t.call;
}
