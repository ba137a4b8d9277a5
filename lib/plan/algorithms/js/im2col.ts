/** A product of packed patches, in JavaScript. */
import type { JsAlgorithm } from '../algorithm.js';
import { blockedCost } from '../cost.js';
import { sparseLimitOfSums } from './rows.js';

export const jsIm2col: JsAlgorithm = {
  name: 'im2col',
  declines: () => null,
  variant: () => ({ algorithm: 'im2col' }),
  suits: () => 'serves every geometry: patches packed straight into the tiles of a product',
  cost: blockedCost,
  sparseLimit: sparseLimitOfSums,
};
