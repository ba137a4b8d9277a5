/** What every algorithm that can serve a convolution costs, beside the one that runs. */
import { BYTES } from '../tensor/dtype.js';
import type { Request } from './algorithms/algorithm.js';
import { type Cost, type Counts, sizesOf } from './algorithms/cost.js';
import { toeplitzCost } from './algorithms/toeplitz.js';
import { choose, servingAlgorithms } from './choice.js';
import type { ConvGeometry } from './geometry.js';
import type { Machine } from './isa.js';

export interface Costs {
  /** Each algorithm once, the matrix multiplied out in full and its nonzero entries first. */
  readonly all: readonly Cost[];
  readonly chosen: Cost;
  /** What the chosen algorithm keeps, and a thread's scratch memory, at most. */
  readonly workspace: { readonly weightBytes: number; readonly threadBytes: number };
}

/** Of a forward convolution. */
export function costsOf(g: ConvGeometry, request: Request, machine: Machine): Costs {
  const taken = choose(g, request, machine).algorithm;
  const costs = new Map<Cost['algorithm'], Counts>([
    ['dense-toeplitz', denseCost(g)],
    ['toeplitz', toeplitzCost(g)],
  ]);
  for (const algorithm of servingAlgorithms(g, request, machine)) {
    // Of several kinds of one algorithm the one that runs, or that its name alone would run.
    if (algorithm === taken || !costs.has(algorithm.name))
      costs.set(algorithm.name, algorithm.cost(g, request));
  }
  const all = Array.from(costs, ([algorithm, counts]) => ({ algorithm, ...counts }));
  const chosen = { algorithm: taken.name, ...taken.cost(g, request) };
  const { weightBytes, extraBytes } = chosen;
  const plainBytes = BYTES[g.dtype] * sizesOf(g).weights;
  const threadBytes = extraBytes - Math.max(0, weightBytes - plainBytes);
  return { all, chosen, workspace: { weightBytes, threadBytes } };
}

/** The convolution's matrix multiplied out in full, zeros and all. */
function denseCost(g: ConvGeometry): Counts {
  const { item, inputs, outputs } = sizesOf(g);
  const entries = inputs * outputs;
  return {
    multiplications: g.batch * entries,
    additions: g.batch * Math.max(entries - outputs, 0),
    bytes: item * (g.batch * (inputs + outputs) + entries),
    extraBytes: item * entries,
    weightBytes: item * entries,
  };
}
