/** The rewrites, in the order in which they are tried at each node. */
import type { Graph } from '../graph.js';
import { recogniseGelu, recogniseHardSigmoid, recogniseHardSwish } from './activations.js';
import type { Derivations } from './derivations.js';
import { Draft, type Rule } from './draft.js';
import { splitGemm } from './gemm.js';
import { foldLayerScale, recogniseLayerNormalization } from './layer-normalization.js';
import { foldPad } from './pad.js';
import { fuseQuantized } from './quantized.js';
import { foldBatchNormalization, foldChannelMap, splitBatchNormalization } from './scale.js';

export const RULES: readonly Rule[] = [
  recogniseHardSigmoid,
  recogniseHardSwish,
  recogniseGelu,
  recogniseLayerNormalization,
  foldLayerScale,
  foldBatchNormalization,
  foldChannelMap,
  foldPad,
];

/**
 * The same function in fewer operations. Results differ by rounding alone. Operators of bytes are found first, before
 * something is folded into the floats of their weights. Pauses between nodes.
 */
export function* rewriting(graph: Graph, derivations: Derivations): Generator<undefined, Graph, void> {
  const draft = new Draft(graph, derivations);
  yield* draft.rewrite([fuseQuantized]);
  yield* draft.rewrite(RULES);
  yield* draft.rewrite([splitBatchNormalization, splitGemm]);
  return draft.finish();
}
