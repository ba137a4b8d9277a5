/**
 * Winograd's F(4×4, 3×3): 4 × 4 outputs of a 3 × 3 kernel with 36 products per channel instead of 144.
 *   y = Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A, summed over channels between the transforms: 36 matrix products
 * with the points 0, ±5/8, ±3/2, ∞ (Lavin and Gray 2016; the points of Barabasz et al. 2020 err less than 0, ±1, ±2).
 *
 * Everything between input and output is float64: of float32 it rounds once, as the other algorithms here do. A tile
 * whose result is not finite is summed again directly, so NaN and infinity stand where direct sums put them.
 */
import type { FloatArray } from '../../tensor/dtype.js';
import { type Direction, product } from './direction.js';
import type { AxisGather, Lattice } from './gather.js';
import { CAPACITY, columns, multiplyBlock, rows, TILES, tiles } from './gemm.js';
import { scratchArrays } from './scratch.js';
import { type Finish, storeRow } from './store.js';
import type { Work } from './work.js';

/** Points of a transformed tile. */
const POINTS = 36;
const P = 5 / 8;
const Q = 3 / 2;
const P2 = P * P;
const Q2 = Q * Q;
const SUM = P2 + Q2;
const PRODUCT = P2 * Q2;
const P3 = P2 * P;
const Q3 = Q2 * Q;
/** 1/∏(xᵢ − xⱼ), which G carries: at 0, ±P and ±Q. */
const N0 = 1 / PRODUCT;
const NP = 1 / (2 * P2 * (P2 - Q2));
const NQ = 1 / (2 * Q2 * (Q2 - P2));

// Streams of one tile are this much farther apart than they are long: a distance of 4 KiB would share cache sets.
const SPREAD = 8;

/** Transformed weights are kept up to this size, and made again for every image beyond it. */
const KEPT_BYTES = 32 * 2 ** 20;

const [tile, half, block] = scratchArrays(POINTS, POINTS, 16);

/** Where the tiles of one axis read and write. */
interface TileAxis {
  readonly count: number;
  /** Outputs of the axis: the last tile may have fewer than four. */
  readonly outputs: number;
  /** [count][6]: the source element, or -1. */
  readonly sources: Int32Array;
  /** Whether a tile's six elements lie side by side in the source. */
  readonly regular: Uint8Array;
}

/** Neighbouring outputs read neighbouring elements, and three taps are three neighbours: a tile is a stretch of the line. */
function tileAxis({ count: outputs, line }: AxisGather): TileAxis {
  const count = Math.ceil(outputs / 4);
  const elements = new Int32Array(count * 6);
  const regular = new Uint8Array(count);
  for (let t = 0; t < count; t++) {
    let isRegular = true;
    for (let i = 0; i < 6; i++) {
      elements[t * 6 + i] = t * 4 + i < outputs + 2 ? line[t * 4 + i] : -1;
      isRegular &&= elements[t * 6 + i] >= 0 && elements[t * 6 + i] === elements[t * 6] + i;
    }
    regular[t] = Number(isRegular);
  }
  return { count, outputs, sources: elements, regular };
}

/** A part of a group's channels, transformed: row m of point x is [(x·pairs + ⌊m/2⌋)·stride …] of array m mod 2. */
interface TransformedWeights {
  readonly even: Float64Array;
  readonly odd: Float64Array;
}

/** One image and group at a time: input image, output image and group are given with the data. */
export type TileConvolution = (
  input: FloatArray,
  inputImage: number,
  output: FloatArray,
  outputImage: number,
  unitSize: number,
) => Work;

/** @param isReused  Whether the convolution is going to run more than once. */
export function makeWinograd(
  direction: Direction,
  lattice: Lattice,
  weight: FloatArray,
  finish: Finish,
  group: number,
  isReused: boolean,
): TileConvolution {
  const { batch, groups, sourceChannels, writtenChannels, source } = direction;
  const high = tileAxis(lattice[1]);
  const wide = tileAxis(lattice[2]);
  const tileCount = high.count * wide.count;
  const rowBlock = Math.min(writtenChannels, 2 * Math.floor((CAPACITY / POINTS - SPREAD) / sourceChannels));
  const maxTriples = Math.min(
    Math.floor((CAPACITY / POINTS - SPREAD) / sourceChannels),
    Math.floor(TILES / POINTS / 6 / Math.ceil(rowBlock / 2)),
  );
  const tileBlock = Math.ceil(tileCount / Math.ceil(tileCount / (3 * maxTriples)));
  const isNeededAgain = isReused || batch > 1 || tileCount > tileBlock;
  const isKept = isNeededAgain && POINTS * writtenChannels * sourceChannels * 8 <= KEPT_BYTES;
  const kept = new Map<number, TransformedWeights>();
  const weights = (group * weight.length) / groups;

  const packWeights = (first: number, count: number): void => {
    const pairs = Math.ceil(count / 2);
    const known = kept.get(first);
    if (known !== undefined) {
      rows[0].set(known.even);
      rows[1].set(known.odd);
      return;
    }
    transformWeights(direction, weight, weights, first, count);
    if (!isKept) return;
    const length = POINTS * pointStride(pairs, sourceChannels);
    kept.set(first, { even: rows[0].slice(0, length), odd: rows[1].slice(0, length) });
  };

  return function* (input, inputImage, output, outputImage, unitSize) {
    const image = (inputImage * groups + group) * sourceChannels * product(source);
    const firstChannel = group * writtenChannels;
    let done = 0;
    let packedRows = -1;
    for (let firstTile = 0; firstTile < tileCount; firstTile += tileBlock) {
      const tilesHere = Math.min(tileBlock, tileCount - firstTile);
      const triples = Math.ceil(tilesHere / 3);
      let packedTiles = -1;
      for (let first = 0; first < writtenChannels; first += rowBlock) {
        const channels = Math.min(rowBlock, writtenChannels - first);
        const pairs = Math.ceil(channels / 2);
        if (packedTiles !== firstTile)
          transformTiles(direction, high, wide, input, image, firstTile, tilesHere);
        if (packedRows !== first) packWeights(first, channels);
        packedTiles = firstTile;
        packedRows = first;
        for (let point = 0; point < POINTS; point++) {
          multiplyBlock(
            pairs,
            triples,
            sourceChannels,
            point * pointStride(pairs, sourceChannels),
            point * pointStride(triples, sourceChannels),
            point * pairs * triples * 6,
            false,
          );
        }
        for (let m = 0; m < channels; m++) {
          storeTilesOf(
            direction,
            high,
            wide,
            finish,
            { weight, weights, input, image },
            output,
            outputImage,
            firstChannel,
            first + m,
            m,
            pairs,
            firstTile,
            tilesHere,
          );
        }
        done += POINTS * channels * tilesHere * sourceChannels;
        if (done >= unitSize) {
          yield;
          // Other work may have packed its own meanwhile.
          done = 0;
          packedTiles = -1;
          packedRows = -1;
        }
      }
    }
  };
}

/** Elements from one point's vectors to the next one's. */
function pointStride(vectors: number, channels: number): number {
  return vectors * channels + SPREAD;
}

/** rows[m mod 2][point][⌊m/2⌋][c] ← G·g·Gᵀ of weight [first + m][c], reversed for the adjoint */
function transformWeights(
  { sourceChannels, sourceStride, writtenStride, isAdjoint }: Direction,
  weight: FloatArray,
  origin: number,
  first: number,
  count: number,
): void {
  const stride = pointStride(Math.ceil(count / 2), sourceChannels);
  for (let m = 0; m < count; m++) {
    let from = origin + (first + m) * writtenStride + (isAdjoint ? 8 : 0);
    let at = (m >> 1) * sourceChannels;
    for (let c = 0; c < sourceChannels; c++, from += sourceStride, at++) {
      transformKernel(weight, from, isAdjoint ? -1 : 1, rows[m % 2], at, stride);
    }
  }
}

/** to[at + point·stride] ← G·g·Gᵀ, g[i] = weight[from + i·step] */
function transformKernel(
  weight: FloatArray,
  from: number,
  step: number,
  to: Float64Array,
  at: number,
  stride: number,
): void {
  let tap = from | 0;
  for (let j = 0; j < 3; j++) {
    const g0 = weight[tap];
    const g1 = weight[(tap + 3 * step) | 0];
    const g2 = weight[(tap + 6 * step) | 0];
    const evenP = NP * g0 + NP * P2 * g2;
    const oddP = NP * P * g1;
    const evenQ = NQ * g0 + NQ * Q2 * g2;
    const oddQ = NQ * Q * g1;
    half[j] = N0 * g0;
    half[j + 3] = evenP + oddP;
    half[j + 6] = evenP - oddP;
    half[j + 9] = evenQ + oddQ;
    half[j + 12] = evenQ - oddQ;
    half[j + 15] = g2;
    tap = (tap + step) | 0;
  }
  let p = at | 0;
  for (let i = 0; i < 18; i += 3) {
    const g0 = half[i];
    const g1 = half[i + 1];
    const g2 = half[i + 2];
    const evenP = NP * g0 + NP * P2 * g2;
    const oddP = NP * P * g1;
    const evenQ = NQ * g0 + NQ * Q2 * g2;
    const oddQ = NQ * Q * g1;
    to[p] = N0 * g0;
    p = (p + stride) | 0;
    to[p] = evenP + oddP;
    p = (p + stride) | 0;
    to[p] = evenP - oddP;
    p = (p + stride) | 0;
    to[p] = evenQ + oddQ;
    p = (p + stride) | 0;
    to[p] = evenQ - oddQ;
    p = (p + stride) | 0;
    to[p] = g2;
    p = (p + stride) | 0;
  }
}

/** columns[t mod 3][point][⌊t/3⌋][c] ← Bᵀ·d·B of tile firstTile + t */
function transformTiles(
  { sourceChannels, source }: Direction,
  high: TileAxis,
  wide: TileAxis,
  input: FloatArray,
  image: number,
  firstTile: number,
  count: number,
): void {
  const [, height, width] = source;
  const plane = height * width;
  const stride = pointStride(Math.ceil(count / 3), sourceChannels);
  for (let t = 0; t < count; t++) {
    const to = columns[t % 3];
    const at = Math.floor(t / 3) * sourceChannels;
    const y = Math.floor((firstTile + t) / wide.count);
    const x = (firstTile + t) % wide.count;
    if (high.regular[y] === 1 && wide.regular[x] === 1) {
      let from = image + high.sources[y * 6] * width + wide.sources[x * 6];
      for (let c = 0; c < sourceChannels; c++, from += plane) {
        transformInside(input, from, width, to, at + c, stride);
      }
      continue;
    }
    for (let c = 0; c < sourceChannels; c++) {
      for (let i = 0; i < 6; i++) {
        const row = high.sources[y * 6 + i];
        for (let j = 0; j < 6; j++) {
          const column = wide.sources[x * 6 + j];
          tile[i * 6 + j] = row < 0 || column < 0 ? 0 : input[image + c * plane + row * width + column];
        }
      }
      transformRows(to, at + c, stride);
    }
  }
}

function transformInside(
  input: FloatArray,
  from: number,
  width: number,
  to: Float64Array,
  at: number,
  stride: number,
): void {
  let row = from | 0;
  for (let i = 0; i < POINTS; i += 6) {
    tile[i] = input[row];
    tile[i + 1] = input[(row + 1) | 0];
    tile[i + 2] = input[(row + 2) | 0];
    tile[i + 3] = input[(row + 3) | 0];
    tile[i + 4] = input[(row + 4) | 0];
    tile[i + 5] = input[(row + 5) | 0];
    row = (row + width) | 0;
  }
  transformRows(to, at, stride);
}

/** to[at + point·stride] ← Bᵀ·tile·B */
function transformRows(to: Float64Array, at: number, stride: number): void {
  for (let j = 0; j < 6; j++) {
    const d0 = tile[j];
    const d1 = tile[j + 6];
    const d2 = tile[j + 12];
    const d3 = tile[j + 18];
    const d4 = tile[j + 24];
    const d5 = tile[j + 30];
    const evenP = d4 - Q2 * d2;
    const oddP = P * (d3 - Q2 * d1);
    const evenQ = d4 - P2 * d2;
    const oddQ = Q * (d3 - P2 * d1);
    half[j] = PRODUCT * d0 - SUM * d2 + d4;
    half[j + 6] = evenP + oddP;
    half[j + 12] = evenP - oddP;
    half[j + 18] = evenQ + oddQ;
    half[j + 24] = evenQ - oddQ;
    half[j + 30] = PRODUCT * d1 - SUM * d3 + d5;
  }
  let p = at | 0;
  for (let i = 0; i < POINTS; i += 6) {
    const d0 = half[i];
    const d1 = half[i + 1];
    const d2 = half[i + 2];
    const d3 = half[i + 3];
    const d4 = half[i + 4];
    const d5 = half[i + 5];
    const evenP = d4 - Q2 * d2;
    const oddP = P * (d3 - Q2 * d1);
    const evenQ = d4 - P2 * d2;
    const oddQ = Q * (d3 - P2 * d1);
    to[p] = PRODUCT * d0 - SUM * d2 + d4;
    p = (p + stride) | 0;
    to[p] = evenP + oddP;
    p = (p + stride) | 0;
    to[p] = evenP - oddP;
    p = (p + stride) | 0;
    to[p] = evenQ + oddQ;
    p = (p + stride) | 0;
    to[p] = evenQ - oddQ;
    p = (p + stride) | 0;
    to[p] = PRODUCT * d1 - SUM * d3 + d5;
    p = (p + stride) | 0;
  }
}

/** What a direct sum reads. */
interface Operands {
  readonly weight: FloatArray;
  /** Of the group's weights. */
  readonly weights: number;
  readonly input: FloatArray;
  /** Of the image's channels in the group. */
  readonly image: number;
}

/** One channel of a block of tiles: Aᵀ·m·A, bias and clamp. */
function storeTilesOf(
  direction: Direction,
  high: TileAxis,
  wide: TileAxis,
  { bias, clamp }: Finish,
  operands: Operands,
  output: FloatArray,
  outputImage: number,
  firstChannel: number,
  channel: number,
  row: number,
  pairs: number,
  firstTile: number,
  count: number,
): void {
  const { written, groups, writtenChannels } = direction;
  const [, height, width] = written;
  const shift = bias === null ? 0 : bias[firstChannel + channel];
  const plane = (outputImage * groups * writtenChannels + firstChannel + channel) * height * width;
  const triples = Math.ceil(count / 3);
  const stride = pairs * triples * 6;
  const firstSum = (row >> 1) * triples * 6 + (row % 2) * 3;
  for (let t = 0; t < count; t++) {
    const y = Math.floor((firstTile + t) / wide.count);
    const x = (firstTile + t) % wide.count;
    const isUsable = gatherBlock(firstSum + Math.floor(t / 3) * 6 + (t % 3), stride);
    if (!isUsable) sumDirectly(direction, high, wide, operands, channel, y, x);
    const lines = Math.min(4, high.outputs - y * 4);
    const outputs = Math.min(4, wide.outputs - x * 4);
    for (let i = 0; i < lines; i++) {
      storeRow(block, i * 4, outputs, shift, clamp, output, plane + (y * 4 + i) * width + x * 4, 1);
    }
  }
}

/** block ← Aᵀ·m·A of the sums at + point·stride; false when it is not finite. */
function gatherBlock(at: number, stride: number): boolean {
  let p = at | 0;
  for (let i = 0; i < 24; i += 4) {
    const m0 = tiles[p];
    p = (p + stride) | 0;
    const m1 = tiles[p];
    p = (p + stride) | 0;
    const m2 = tiles[p];
    p = (p + stride) | 0;
    const m3 = tiles[p];
    p = (p + stride) | 0;
    const m4 = tiles[p];
    p = (p + stride) | 0;
    const m5 = tiles[p];
    p = (p + stride) | 0;
    const sumP = m1 + m2;
    const differenceP = m1 - m2;
    const sumQ = m3 + m4;
    const differenceQ = m3 - m4;
    half[i] = m0 + sumP + sumQ;
    half[i + 1] = P * differenceP + Q * differenceQ;
    half[i + 2] = P2 * sumP + Q2 * sumQ;
    half[i + 3] = P3 * differenceP + Q3 * differenceQ + m5;
  }
  let all = 0;
  for (let j = 0; j < 4; j++) {
    const m0 = half[j];
    const m5 = half[j + 20];
    const sumP = half[j + 4] + half[j + 8];
    const differenceP = half[j + 4] - half[j + 8];
    const sumQ = half[j + 12] + half[j + 16];
    const differenceQ = half[j + 12] - half[j + 16];
    const y0 = m0 + sumP + sumQ;
    const y1 = P * differenceP + Q * differenceQ;
    const y2 = P2 * sumP + Q2 * sumQ;
    const y3 = P3 * differenceP + Q3 * differenceQ + m5;
    block[j] = y0;
    block[j + 4] = y1;
    block[j + 8] = y2;
    block[j + 12] = y3;
    all += y0 + y1 + y2 + y3;
  }
  return Number.isFinite(all);
}

/** block ← the tile's outputs by definition. */
function sumDirectly(
  { sourceChannels, source, sourceStride, writtenStride, isAdjoint }: Direction,
  high: TileAxis,
  wide: TileAxis,
  { weight, weights, input, image }: Operands,
  channel: number,
  y: number,
  x: number,
): void {
  const [, height, width] = source;
  block.fill(0);
  for (let c = 0; c < sourceChannels; c++) {
    const plane = image + c * height * width;
    const kernel = weights + channel * writtenStride + c * sourceStride;
    for (let tap = 0; tap < 9; tap++) {
      const factor = weight[kernel + (isAdjoint ? 8 - tap : tap)];
      const down = Math.floor(tap / 3);
      const right = tap % 3;
      for (let i = 0; i < 16; i++) {
        const row = high.sources[y * 6 + (i >> 2) + down];
        const column = wide.sources[x * 6 + (i & 3) + right];
        if (row >= 0 && column >= 0) block[i] += factor * input[plane + row * width + column];
      }
    }
  }
}
