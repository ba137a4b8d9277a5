/** Every operator that is understood, and how JavaScript evaluates what it becomes. */
import type { FileNode } from '../../onnx-file/file.js';
import type { Evaluate, Evaluations, View } from '../evaluate.js';
import type { GraphNode, NodeOf, Operation } from '../graph.js';
import type { OnnxOperator } from '../onnx-node.js';
import { BINARY, EVALUATE_BINARY } from './binary.js';
import { CONVOLUTIONS, EVALUATE_CONVOLUTIONS } from './convolution.js';
import { CREATION, EVALUATE_CREATION } from './creation.js';
import { EVALUATE_INDEXING, INDEXING } from './indexing.js';
import { EVALUATE_LAYOUT, LAYOUT } from './layout.js';
import { EVALUATE_NORMALIZATIONS, NORMALIZATIONS } from './normalization.js';
import { EVALUATE_POOLING, POOLING } from './pooling.js';
import { EVALUATE_PRODUCTS, PRODUCTS } from './products.js';
import { EVALUATE_QLINEAR, QLINEAR } from './qlinear.js';
import { EVALUATE_QUANTIZED, QUANTIZED } from './quantized.js';
import { EVALUATE_REDUCTIONS, REDUCTIONS } from './reductions.js';
import { EVALUATE_RESIZE, RESIZE } from './resize.js';
import { EVALUATE_UNARY, UNARY } from './unary.js';

/** Opsets of ONNX's own domain whose spellings are understood. Before 6 only some operators were spelt otherwise. */
export const OPSETS = { oldest: 1, newest: 22 } as const;

/** By op_type, of ONNX's own domain. */
export const OPERATORS: ReadonlyMap<string, OnnxOperator> = new Map(
  Object.entries({
    ...BINARY,
    ...CONVOLUTIONS,
    ...CREATION,
    ...INDEXING,
    ...LAYOUT,
    ...NORMALIZATIONS,
    ...POOLING,
    ...PRODUCTS,
    ...QUANTIZED,
    ...REDUCTIONS,
    ...RESIZE,
    ...UNARY,
  }),
);

const MICROSOFT: ReadonlyMap<string, OnnxOperator> = new Map(Object.entries(QLINEAR));

/** What is understood of a node of a file; undefined for what is not. */
export function operatorOf(node: FileNode): OnnxOperator | undefined {
  if (node.domain === 'com.microsoft') return MICROSOFT.get(node.opType);
  return node.domain === '' ? OPERATORS.get(node.opType) : undefined;
}

const EVALUATIONS: Evaluations = {
  ...EVALUATE_BINARY,
  ...EVALUATE_CONVOLUTIONS,
  ...EVALUATE_CREATION,
  ...EVALUATE_INDEXING,
  ...EVALUATE_LAYOUT,
  ...EVALUATE_NORMALIZATIONS,
  ...EVALUATE_POOLING,
  ...EVALUATE_PRODUCTS,
  ...EVALUATE_QLINEAR,
  ...EVALUATE_QUANTIZED,
  ...EVALUATE_REDUCTIONS,
  ...EVALUATE_RESIZE,
  ...EVALUATE_UNARY,
};

export function evaluationOf<K extends Operation>(op: K): Evaluate<K> {
  return EVALUATIONS[op];
}

/** Runs one node: `op` and `attributes` belong together, which a union cannot say. */
export function evaluateNode<K extends Operation>(
  node: GraphNode,
  inputs: readonly (View | null)[],
  outputs: readonly (View | null)[],
): void {
  const { op, attributes } = node as NodeOf<K>;
  evaluationOf(op)({ attributes, inputs, outputs });
}
