/** Rows summed by the nonzero weights alone, in JavaScript. */
import type { JsAlgorithm } from '../algorithm.js';
import { toeplitzCost } from '../toeplitz.js';
import { declinesRows } from './rows.js';

export const jsToeplitz: JsAlgorithm = {
  name: 'toeplitz',
  declines: declinesRows,
  variant: () => ({ algorithm: 'toeplitz' }),
  suits: (_g, _request, isSparse) =>
    isSparse ? 'so few weights are nonzero that visiting them alone is faster' : null,
  cost: toeplitzCost,
  sparseLimit: null,
};
