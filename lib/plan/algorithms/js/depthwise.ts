/** One channel per group, in JavaScript. */
import type { JsAlgorithm } from '../algorithm.js';
import { depthwise } from '../depthwise.js';
import { declinesRows, sourceChannels } from './rows.js';

export const jsDepthwise: JsAlgorithm = {
  name: 'depthwise',
  declines: (g) => (sourceChannels(g) === 1 ? declinesRows(g) : 'needs one channel per group'),
  variant: () => ({ algorithm: 'depthwise', kernels: 'any' }),
  suits: () => 'one channel per group: its rows are summed tap by tap',
  cost: depthwise.cost,
  sparseLimit: null,
};
