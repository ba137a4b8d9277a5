/**
 * How long each algorithm of the native backend takes, by a model of what it does: vectors multiplied, elements moved,
 * transforms, and the call itself. The constants were fitted to what bench/choose.bench.mjs measured.
 */
import { BYTES } from '../tensor/dtype.js';
import type { Axis } from './axes.js';
import { type AlgorithmName, SEPARABLE } from './candidate.js';
import { fftWork } from './fft.js';
import type { Isa } from './machine.js';
import type { ConvGeometry } from './problem.js';
import { type WinogradTile, winogradTiles } from './winograd.js';

/** Nanoseconds of one core. A vector is one of float32; float64 has half the lanes. */
export interface Times {
  readonly lanes: number;
  /**
   * Output channels on the lanes: a vector of them multiplied and added, one delivered; an element of the input read; a
   * tile of pixels by channels begun and ended.
   */
  readonly direct: {
    readonly vector: number;
    readonly tile: number;
    readonly output: number;
    readonly input: number;
    readonly weightByte: number;
    readonly call: number;
  };
  /**
   * A tile's row of vectors multiplied and added; what a column of tiles loads, in such rows; a tile begun and ended; an
   * element of a patch packed; and an element of the result.
   */
  readonly im2col: {
    readonly vector: number;
    readonly tile: number;
    readonly load: number;
    readonly pack: number;
    readonly output: number;
    readonly call: number;
  };
  /**
   * Pixels on the lanes: for one output channel, for several; a row of outputs begun and ended; a tap's place in the
   * tables that a call makes; an element of the input laid out when padded or strided; an output more, where several
   * channels of a result that leaves the caches are written side by side.
   */
  readonly toeplitz: {
    readonly alone: number;
    readonly vector: number;
    readonly row: number;
    readonly tap: number;
    readonly input: number;
    readonly output: number;
    readonly spread: number;
    readonly call: number;
  };
  readonly depthwise: { readonly vector: number; readonly output: number; readonly call: number };
  readonly separable: {
    readonly along: number;
    readonly down: number;
    readonly output: number;
    readonly call: number;
  };
  /** A vector of products; a vector of a transform's points, in and out, by tile. */
  readonly winograd: {
    readonly vector: number;
    readonly transform2: number;
    readonly transform4: number;
    readonly call: number;
  };
  readonly fft: {
    readonly pass: number;
    readonly point: number;
    readonly product: number;
    readonly call: number;
  };
  /** A byte of weights beyond the second-level cache, read once per image. */
  readonly weightByte: number;
}

/** Weights that stay in the second-level cache from image to image. */
const CACHED_BYTES = 2 ** 20;
/** Results that leave the caches as they are written: 32 channels of 500×1000 take thrice as long as by their arithmetic. */
const SPREAD_BYTES = 2 ** 24;
/** Accumulators that hide the latency of a multiply-add on its two ports. */
const IN_FLIGHT = 8;
/** Pixels of a direct tile of one vector, and vectors of its widest tile. */
const TILE_PIXELS = 14;
const TILE_VECTORS = 4;
/** Elements that could be copied while a row is begun. */
const ROW_START = 12;

/** @param density  The share of weights that are not zero. */
export function timeOf(
  algorithm: AlgorithmName,
  variant: number,
  g: ConvGeometry,
  density: number,
  times: Times,
): number {
  const lanes = (times.lanes * BYTES.float32) / BYTES[g.dtype];
  const [read, written] = [g.inChannels / g.groups, g.outChannels / g.groups];
  const taps = over(g.axes, (a) => a.kernel);
  const places = over(g.axes, (a) => a.out);
  const images = g.batch * g.groups;
  const inputs = g.batch * g.inChannels * over(g.axes, (a) => a.in);
  const outputs = images * written * places;
  const width = g.axes[2];
  const rowVectors = (places / Math.max(1, width.out)) * Math.ceil(width.out / lanes);
  // Short rows are copied at the pace of longer ones.
  const copied = (elements: number, row: number): number => elements * (1 + ROW_START / Math.max(1, row));
  const isInPlace = width.stride === 1 && g.axes.every((a) => a.padBefore + a.padAfter === 0);
  const weights = g.outChannels * read * BYTES[g.dtype];
  const streamed = (bytes: number, each = times.weightByte): number =>
    bytes > CACHED_BYTES ? bytes * g.batch * each : 0;
  switch (algorithm) {
    case 'direct': {
      const t = times.direct;
      const vectors = Math.ceil(written / lanes);
      const sums = Math.min(width.out, TILE_PIXELS) * Math.min(vectors, TILE_VECTORS);
      const stall = Math.max(1, IN_FLIGHT / Math.max(1, sums));
      const products = images * places * read * taps * vectors;
      return (
        products * stall * t.vector +
        images *
          (places / Math.max(1, Math.min(width.out, TILE_PIXELS))) *
          Math.ceil(vectors / TILE_VECTORS) *
          t.tile +
        images * places * vectors * lanes * t.output +
        (isInPlace ? 0 : copied(inputs, width.in) * t.input) +
        streamed(weights * taps, t.weightByte) +
        t.call
      );
    }
    case 'toeplitz': {
      const t = times.toeplitz;
      const products = images * written * read * taps * density * rowVectors;
      const isSpread = written > 1 && outputs * BYTES[g.dtype] > SPREAD_BYTES;
      return (
        products * (written === 1 ? t.alone : t.vector) +
        (outputs / Math.max(1, width.out)) * t.row +
        (isInPlace ? 0 : copied(inputs, width.in) * g.axes[0].kernel * t.input) +
        outputs * (t.output + (isSpread ? t.spread : 0)) +
        read * taps * t.tap +
        streamed(weights * taps * density) +
        t.call
      );
    }
    case 'depthwise': {
      const planes = images * written;
      if (variant === SEPARABLE) {
        const t = times.separable;
        const sums = planes * rowVectors;
        return sums * (g.axes[2].kernel * t.along + g.axes[1].kernel * t.down) + outputs * t.output + t.call;
      }
      const t = times.depthwise;
      return planes * rowVectors * taps * t.vector + outputs * t.output + t.call;
    }
    case 'winograd': {
      const t = times.winograd;
      const tile = variant as WinogradTile;
      const points = (tile + 2) ** 2;
      const tiles = winogradTiles(g, tile) * images;
      const [readVectors, writtenVectors] = [Math.ceil(read / lanes), Math.ceil(written / lanes)];
      const transform = tile === 2 ? t.transform2 : t.transform4;
      return (
        tiles * points * (read * writtenVectors * t.vector + (readVectors + writtenVectors) * transform) +
        streamed(weights * points) +
        t.call
      );
    }
    case 'fft': {
      const work = fftWork(g);
      if (work === null) return Number.POSITIVE_INFINITY;
      const t = times.fft;
      const wide = BYTES[g.dtype] / BYTES.float32;
      const sums = work.passes * t.pass + work.points * t.point + work.products * t.product;
      return wide * sums + streamed(work.spectraBytes) + t.call;
    }
    default: {
      const t = times.im2col;
      const isImage = g.axes.every((a) => a.kernel === 1 && a.stride === 1 && a.padBefore + a.padAfter === 0);
      const columns = Math.ceil(places / lanes);
      const rows = written + Math.ceil(written / TILE_PIXELS) * t.load;
      return (
        images * read * taps * columns * rows * t.vector +
        images * columns * Math.ceil(written / TILE_PIXELS) * t.tile +
        (isImage ? 0 : copied(images * read * taps * places, width.out) * t.pack) +
        outputs * t.output +
        streamed(weights * taps) +
        t.call
      );
    }
  }
}

function over(axes: readonly Axis[], size: (axis: Axis) => number): number {
  return axes.reduce((count, axis) => count * size(axis), 1);
}

const AVX2: Times = {
  lanes: 8,
  direct: { vector: 0.146, tile: 9.8, output: 0.172, input: 0.286, weightByte: 0.0461, call: 460 },
  im2col: { vector: 0.127, tile: 0.547, load: 1.65, pack: 0.19, output: 0.0884, call: 428 },
  toeplitz: {
    alone: 0.214,
    vector: 0.18,
    row: 2.7,
    tap: 8.01,
    input: 0.409,
    output: 0.152,
    spread: 0.8,
    call: 961,
  },
  depthwise: { vector: 0.299, output: 0.135, call: 293 },
  separable: { along: 0.256, down: 0.239, output: 0.124, call: 2820 },
  winograd: { vector: 0.107, transform2: 1.73, transform4: 2.72, call: 518 },
  fft: { pass: 0.0905, point: 0.789, product: 0.159, call: 540 },
  weightByte: 0.0227,
};

/**
 * Fitted by bench/fit.mjs on one core of an Intel Xeon of 2023 (two units for 512 bits): AVX-512 to 600 geometries, AVX2 to
 * 300, generic to 120. NEON's are AVX2's, whose registers it has, for vectors of four.
 */
export const TIMES: Readonly<Record<Exclude<Isa, 'js'>, Times>> = {
  avx512: {
    lanes: 16,
    direct: { vector: 0.178, tile: 1.15, output: 0.147, input: 0.28, weightByte: 0.008, call: 460 },
    im2col: { vector: 0.147, tile: 1.94, load: 1.74, pack: 0.16, output: 0.0987, call: 470 },
    toeplitz: {
      alone: 0.297,
      vector: 0.203,
      row: 1.12,
      tap: 13.7,
      input: 0.405,
      output: 0.109,
      spread: 1,
      call: 734,
    },
    depthwise: { vector: 0.305, output: 0.178, call: 359 },
    separable: { along: 0.742, down: 0.25, output: 0.0101, call: 985 },
    winograd: { vector: 0.149, transform2: 2.94, transform4: 3.96, call: 553 },
    fft: { pass: 0.0698, point: 0.667, product: 0.21, call: 762 },
    weightByte: 0.0107,
  },
  avx2: AVX2,
  neon: { ...AVX2, lanes: 4 },
  generic: {
    lanes: 4,
    direct: { vector: 0.48, tile: 5, output: 1.05, input: 0.524, weightByte: 0.0107, call: 68.8 },
    im2col: { vector: 0.237, tile: 5, load: 2.84, pack: 0.655, output: 0.112, call: 800 },
    toeplitz: {
      alone: 0.42,
      vector: 0.3,
      row: 3,
      tap: 7.68,
      input: 0.32,
      output: 0.288,
      spread: 0.01,
      call: 900,
    },
    depthwise: { vector: 1.72, output: 1.05, call: 1.11 },
    separable: { along: 0.768, down: 0.0112, output: 0.0112, call: 16800 },
    winograd: { vector: 0.538, transform2: 2.56, transform4: 1.5, call: 0.0141 },
    fft: { pass: 0.24, point: 1, product: 0.582, call: 516 },
    weightByte: 0.0397,
  },
};
