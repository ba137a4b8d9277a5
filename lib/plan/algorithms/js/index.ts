/** What the backend in JavaScript chooses from, read from the top; the ratios are V8's on a Zen 4 core. */
import { gcd } from '../../adjoint.js';
import type { ConvGeometry } from '../../geometry.js';
import type { Axis } from '../../options/axes.js';
import type { OrderedCandidate, Request } from '../algorithm.js';
import { winogradSaving } from '../winograd.js';
import { declinesJsFft, jsFftVariant, suitsJsFft } from './fft.js';
import { declinesJsWinograd, jsWinogradTile, jsWinogradTimes } from './winograd.js';

/** Elements of each of the arrays that the direct algorithm lays source rows in. */
export const LINE_CAPACITY = 1 << 15;
/** The least part of a row of outputs that its lines must fit for. */
export const MIN_LINE_WIDTH = 16;

/** Shares of nonzero weights up to which visiting them one by one is the fastest: without Winograd, and with. */
const SPARSE = 0.5;
const SPARSER_THAN_WINOGRAD = 0.15;

/** Outputs, products of each, and channels that are written, of what a product of packed patches is faster for. */
const SMALL_MAP = 784;
const MANY_PRODUCTS = 96;
const MANY_CHANNELS = 16;

/** Share of the time of the direct sum below which the model of Winograd's time is trusted. */
const MUCH_FASTER = 0.9;

/** Channels of a group that are read. */
function sourceChannels(g: ConvGeometry): number {
  return (g.op === 'forward' ? g.inChannels : g.outChannels) / g.groups;
}

/** Positions written along an axis. */
function written(g: ConvGeometry, axis: Axis): number {
  return g.op === 'forward' ? axis.out : axis.in;
}

function isWorthTransforming(g: ConvGeometry, request: Request): boolean {
  if (request.accuracy === 'strict' || declinesJsWinograd(g) !== null) return false;
  const { winograd, direct } = jsWinogradTimes(g);
  return winograd < MUCH_FASTER * direct;
}

/**
 * Whether a product of packed patches is faster than sums by rows: small maps, many products to a sum. Measured on Sapphire
 * Rapids: 1.03 to 1.1 times over maps of 7×7 to 28×28; a stride over single pixels is read faster by rows.
 */
function fillsTiles(g: ConvGeometry): boolean {
  const outputs = g.axes.reduce((count, axis) => count * written(g, axis), 1);
  const taps = g.axes.reduce((count, axis) => count * tapsMet(g, axis), 1);
  const channels = (g.op === 'forward' ? g.outChannels : g.inChannels) / g.groups;
  const skipsPixels = taps === 1 && g.axes.some((axis) => axis.stride > 1);
  return (
    outputs <= SMALL_MAP &&
    sourceChannels(g) * taps >= MANY_PRODUCTS &&
    channels >= MANY_CHANNELS &&
    !skipsPixels
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

export const JS_CANDIDATES: readonly OrderedCandidate[] = [
  {
    algorithm: 'fft',
    declines: declinesJsFft,
    suits: suitsJsFft,
    variant: jsFftVariant,
  },
  {
    algorithm: 'toeplitz',
    declines: linesTooLarge,
    suits(g, request) {
      return request.density <= (isWorthTransforming(g, request) ? SPARSER_THAN_WINOGRAD : SPARSE)
        ? 'so few weights are nonzero that visiting them alone is faster'
        : null;
    },
  },
  {
    algorithm: 'winograd',
    declines: declinesJsWinograd,
    suits(g, request) {
      if (!isWorthTransforming(g, request)) return null;
      const tile = jsWinogradTile(g);
      return `${winogradSaving(g, tile).toFixed(1)} times fewer multiplications, by tiles of ${tile}×${tile} in float64`;
    },
    variant: jsWinogradTile,
  },
  {
    algorithm: 'depthwise',
    declines: (g) => (sourceChannels(g) === 1 ? linesTooLarge(g) : 'needs one channel per group'),
    suits: () => 'one channel per group: its rows are summed tap by tap',
  },
  {
    algorithm: 'direct',
    declines: linesTooLarge,
    suits: (g) => (fillsTiles(g) ? null : 'rows are summed tap by tap: no patch is packed'),
  },
  {
    algorithm: 'im2col',
    declines: () => null,
    suits: () => 'serves every geometry: patches packed straight into the tiles of a product',
  },
];
