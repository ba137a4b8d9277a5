/** What the backend in JavaScript chooses from, read from the top; the ratios are V8's on a Zen 4 core. */
import { gcd } from './adjoint.js';
import type { Axis } from './axes.js';
import type { Candidate } from './candidate.js';
import type { ConvGeometry } from './problem.js';

/** Elements of each of the arrays that the direct algorithm lays source rows in. */
export const LINE_CAPACITY = 1 << 15;
/** The least part of a row of outputs that its lines must fit for. */
export const MIN_LINE_WIDTH = 16;

/** Shares of nonzero weights up to which visiting them one by one is the fastest: without Winograd, and with. */
const SPARSE = 0.5;
const SPARSER_THAN_WINOGRAD = 0.15;

/** Channels that the transforms hold at once. */
const MAX_TRANSFORMED_CHANNELS = 1024;
/** Products per point, and channels of either side, from which the transforms cost less than they save. */
const MIN_TRANSFORMED_PRODUCTS = 256;
const MIN_TRANSFORMED_CHANNELS = 8;
/** Tiles that make up for transforming the weights, and the share of a tile's outputs that must be wanted. */
const MIN_TILES = 6;
const MIN_TILE_USE = 0.5;

/** Channels of a group that are read. */
function sourceChannels(g: ConvGeometry): number {
  return (g.op === 'forward' ? g.inChannels : g.outChannels) / g.groups;
}

function writtenChannels(g: ConvGeometry): number {
  return (g.op === 'forward' ? g.outChannels : g.inChannels) / g.groups;
}

/** Positions written along an axis. */
function written(g: ConvGeometry, axis: Axis): number {
  return g.op === 'forward' ? axis.out : axis.in;
}

function noTransform(g: ConvGeometry): string | null {
  const [depth, height, width] = g.axes;
  const fits = [height, width].every((a) => a.kernel === 3 && a.stride === 1 && a.dilation === 1);
  if (!fits || depth.in !== 1 || depth.out !== 1 || depth.kernel !== 1)
    return 'needs a 3×3 kernel with stride and dilation 1';
  if (g.op === 'weightGrad') return 'serves what writes an image';
  if (g.dtype !== 'float32' && g.dtype !== 'float64') return 'would not be exact';
  return sourceChannels(g) <= MAX_TRANSFORMED_CHANNELS
    ? null
    : `transforms at most ${MAX_TRANSFORMED_CHANNELS} channels of a group`;
}

function isWorthTransforming(g: ConvGeometry): boolean {
  const [, height, width] = g.axes;
  const channels = [sourceChannels(g), writtenChannels(g)];
  const outputs = written(g, height) * written(g, width);
  const tiles = Math.ceil(written(g, height) / 4) * Math.ceil(written(g, width) / 4);
  return (
    Math.min(...channels) >= MIN_TRANSFORMED_CHANNELS &&
    channels[0] * channels[1] >= MIN_TRANSFORMED_PRODUCTS &&
    tiles >= MIN_TILES &&
    outputs >= MIN_TILE_USE * tiles * 16
  );
}

/** Taps of an axis that one position meets: the adjoint of a stride meets those of its residue only. */
function tapsMet({ op }: ConvGeometry, { kernel, stride, dilation }: Axis): number {
  return op === 'forward' ? kernel : Math.ceil((kernel * gcd(stride, dilation)) / stride);
}

function linesTooLarge(g: ConvGeometry): string | null {
  if (g.op === 'weightGrad') return 'serves what writes an image';
  const [depth, height, width] = g.axes;
  const columns = Math.min(written(g, width), MIN_LINE_WIDTH);
  const lines =
    tapsMet(g, depth) * tapsMet(g, height) * Math.ceil((sourceChannels(g) * tapsMet(g, width)) / 3);
  return lines * columns <= LINE_CAPACITY ? null : 'the source rows of a few outputs exceed the workspace';
}

export const JS_CANDIDATES: readonly Candidate[] = [
  {
    algorithm: 'toeplitz',
    declines: linesTooLarge,
    suits(g, { accuracy, density }) {
      const isTransformed = accuracy === 'fast' && noTransform(g) === null && isWorthTransforming(g);
      return density <= (isTransformed ? SPARSER_THAN_WINOGRAD : SPARSE)
        ? 'so few weights are nonzero that visiting them alone is faster'
        : null;
    },
  },
  {
    algorithm: 'winograd',
    declines: noTransform,
    suits: (g, { accuracy }) =>
      accuracy === 'fast' && isWorthTransforming(g)
        ? 'F(4×4, 3×3) takes a quarter of the multiplications, in float64'
        : null,
    variant: () => 4,
  },
  {
    algorithm: 'depthwise',
    declines: (g) => (sourceChannels(g) === 1 ? linesTooLarge(g) : 'needs one channel per group'),
    suits: () => 'one channel per group: its rows are summed tap by tap',
  },
  {
    algorithm: 'direct',
    declines: linesTooLarge,
    suits: () => 'rows are summed tap by tap: no patch is packed',
  },
  {
    algorithm: 'im2col',
    declines: () => null,
    suits: () => 'serves every geometry: patches packed straight into the tiles of a product',
  },
];
