/** Winograd's tiles in JavaScript: which one a convolution goes by, and what it takes. Everything is float64 there. */
import { overGradOutput } from '../../adjoint.js';
import type { ConvGeometry } from '../../geometry.js';
import { JS_TIMES } from '../../model/times.js';
import { isUnit } from '../../options/axes.js';
import type { JsAlgorithm, Request } from '../algorithm.js';
import { tileProducts, winogradCost, winogradPoints, winogradSaving, winogradTiles } from '../winograd.js';

/**
 * Points of a line that there are transforms for. The more, the fewer products, and the larger the errors: those of eight
 * and nine are far below the rounding of a float32 result, but not of a float64 one.
 */
const POINTS = [6, 8, 9] as const;
const FLOAT64_POINTS = [6] as const;

/** Taps of a phase: with one there is nothing to save, and the transforms of weights serve five. */
const MOST_TAPS = 5;
/** Numbers of the points of one tile: see CAPACITY in backend/js/gemm.ts. */
const MOST_NUMBERS = 1 << 18;

/**
 * Nanoseconds: a multiplication and addition of a matrix product, a call of its inner loop, a point of an input's and of an
 * output's transform, of a weight's (and of one where three taps meet an output of a phase, which has straight lines of its
 * own), and of a transformed weight from memory.
 */
type Times = (typeof JS_TIMES)['winograd'];
/**
 * Share of the time that transforming weights takes which counts: a prepared convolution does it once for many runs, and
 * must give the same bits as a plain call, which does it for one.
 */
const ONCE = 0.5;
/** Transformed weights up to this size are kept. */
export const KEPT_WEIGHT_BYTES = 32 * 2 ** 20;

/** Share of the time of the direct sum below which the model is trusted. */
const MUCH_FASTER = 0.9;
/** The share of nonzero weights up to which visiting them alone is faster. */
const SPARSE = 0.15;

export const jsWinograd: JsAlgorithm = {
  name: 'winograd',
  declines,
  variant: (g) => ({ algorithm: 'winograd', tile: fastestTile(g) }),
  suits(g, request) {
    if (!isWorthwhile(g, request)) return null;
    const tile = fastestTile(g);
    return `${winogradSaving(g, tile).toFixed(1)} times fewer multiplications, by tiles of ${tile}×${tile} in float64`;
  },
  cost: (g) => winogradCost(g, fastestTile(g), 'float64'),
  sparseLimit: (g, request) => (isWorthwhile(g, request) ? SPARSE : 1),
};

function isWorthwhile(g: ConvGeometry, request: Request): boolean {
  if (request.accuracy === 'strict' || declines(g) !== null) return false;
  const { byTiles, directly } = jsWinogradTimes(g);
  return byTiles < MUCH_FASTER * directly;
}

function declines(geometry: ConvGeometry): string | null {
  if (geometry.op === 'weightGrad') return 'serves what writes an image';
  const [depth, height, width] = geometry.axes;
  if (!isUnit(depth)) return 'serves two spatial axes';
  if (height.dilation !== 1 || width.dilation !== 1) return 'needs dilation 1';
  if (height.kernel !== width.kernel || height.stride !== width.stride)
    return 'needs a square kernel and stride';
  if (geometry.op === 'inputGrad' && width.stride !== 1) return 'serves gradients of stride 1 only';
  const taps = Math.ceil(width.kernel / width.stride);
  if (taps < 2 || taps > MOST_TAPS)
    return `needs 2 to ${MOST_TAPS} taps on an axis for each step of the stride`;
  if (geometry.dtype !== 'float32' && geometry.dtype !== 'float64') return 'would not be exact';
  return tilesOf(computed(geometry)).length > 0 ? null : 'the channels of a tile exceed the workspace';
}

/** The convolution that is computed: over the input, or over the gradient of the output. */
function computed(g: ConvGeometry): ConvGeometry {
  return g.op === 'inputGrad' ? overGradOutput(g) : g;
}

/** Channels of all phases of a stride. */
function depthOf({ inChannels, groups, axes: [, height, width] }: ConvGeometry): number {
  return (inChannels / groups) * height.stride * width.stride;
}

/** The output tiles to choose from. */
function tilesOf(g: ConvGeometry): number[] {
  const [, , width] = g.axes;
  return (g.dtype === 'float64' ? FLOAT64_POINTS : POINTS)
    .filter((points) => points * points * (depthOf(g) + 8) + 8 <= MOST_NUMBERS)
    .map((points) => points - winogradPoints(width, 0))
    .filter((tile) => tile >= 2);
}

/** Outputs along one side of the fastest tile. */
function fastestTile(geometry: ConvGeometry): number {
  const g = computed(geometry);
  const tiles = tilesOf(g);
  return tiles.reduce((best, tile) => (timeOf(g, tile) < timeOf(g, best) ? tile : best));
}

/** Times by the fastest tile, and of the direct sum, in nanoseconds. */
export function jsWinogradTimes(
  geometry: ConvGeometry,
  times: Times = JS_TIMES.winograd,
): { byTiles: number; directly: number } {
  const g = computed(geometry);
  const [, height, width] = g.axes;
  const taps = height.kernel * width.kernel;
  return {
    byTiles: timeOf(g, fastestTile(geometry), times),
    directly:
      g.batch * g.outChannels * (g.inChannels / g.groups) * taps * height.out * width.out * times.product,
  };
}

function timeOf(g: ConvGeometry, tile: number, times: Times = JS_TIMES.winograd): number {
  const points = winogradPoints(g.axes[2], tile) ** 2;
  const tiles = winogradTiles(g, tile);
  const depth = depthOf(g);
  const outputs = g.outChannels / g.groups;
  const weights = points * outputs * depth;
  // Products go by two tiles and three channels at a time.
  const pairs = Math.ceil(tiles / 2);
  const triples = Math.ceil(outputs / 3);
  const products = tileProducts(g, tile) * (g.inChannels / g.groups) * pairs * triples * 6;
  const image =
    times.product * products +
    times.call * points * pairs * triples +
    times.inputPoint * points * tiles * depth +
    times.outputPoint * points * tiles * outputs +
    times.fetchedWeight * weights;
  const isKept = g.groups * weights * 8 <= KEPT_WEIGHT_BYTES;
  const taps = Math.ceil(g.axes[2].kernel / g.axes[2].stride);
  const transform = (taps === 3 ? times.weightPointOfThree : times.weightPoint) * weights;
  return g.groups * (g.batch * image + (isKept ? ONCE : g.batch) * transform);
}
