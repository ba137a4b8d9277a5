/** Rows summed tap by tap, in JavaScript. */
import { product } from '../../../numbers.js';
import type { ConvGeometry } from '../../geometry.js';
import type { JsAlgorithm } from '../algorithm.js';
import { blockedCost } from '../cost.js';
import { declinesRows, sourceChannels, sparseLimitOfSums, tapsMet, written } from './rows.js';

/** Outputs, products of each, and channels that are written, of what a product of packed patches is faster for. */
const SMALL_MAP = 784;
const MANY_PRODUCTS = 96;
const MANY_CHANNELS = 16;

export const jsDirect: JsAlgorithm = {
  name: 'direct',
  declines: declinesRows,
  variant: () => ({ algorithm: 'direct' }),
  suits: (g) => (fillsTiles(g) ? null : 'rows are summed tap by tap: no patch is packed'),
  cost: blockedCost,
  sparseLimit: sparseLimitOfSums,
};

/**
 * Whether a product of packed patches is faster than sums by rows: small maps, many products to a sum. Measured on Sapphire
 * Rapids: 1.03 to 1.1 times over maps of 7×7 to 28×28; a stride over single pixels is read faster by rows.
 */
function fillsTiles(g: ConvGeometry): boolean {
  const outputs = product(g.axes.map((axis) => written(g, axis)));
  const taps = product(g.axes.map((axis) => tapsMet(g, axis)));
  const channels = (g.op === 'forward' ? g.outChannels : g.inChannels) / g.groups;
  const skipsPixels = taps === 1 && g.axes.some((axis) => axis.stride > 1);
  return (
    outputs <= SMALL_MAP &&
    sourceChannels(g) * taps >= MANY_PRODUCTS &&
    channels >= MANY_CHANNELS &&
    !skipsPixels
  );
}
