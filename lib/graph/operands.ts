/** Nodes as rewriting and lowering take them apart and make them. */
import type { Attributes, GraphNode, Known, NodeOf, Operation } from './graph.js';

/** An operand that the operation always has. */
export function inputOf(node: GraphNode, index: number): number {
  const id = node.inputs[index] ?? null;
  if (id === null) throw new Error(`${node.op} has no operand ${index}`);
  return id;
}

/** A result that the operation always has. */
export function outputOf(node: GraphNode, index = 0): number {
  const id = node.outputs[index] ?? null;
  if (id === null) throw new Error(`${node.op} has no result ${index}`);
  return id;
}

/** The elements of a value of type float32. */
export function float32Of(elements: Known | null): Float32Array {
  if (!(elements instanceof Float32Array)) throw new Error('float32 lies in a Float32Array');
  return elements;
}

/** A node: the pairs of `op` and `attributes` are those of K, which a union of all K cannot see. */
export function nodeOf<K extends Operation>(
  op: K,
  attributes: Attributes[K],
  inputs: readonly (number | null)[],
  outputs: readonly (number | null)[],
  sources: readonly string[],
): GraphNode {
  return { op, attributes, inputs, outputs, sources } as unknown as GraphNode;
}

/** Whether a node is this operation. */
export function isOperation<K extends Operation>(node: GraphNode, op: K): node is GraphNode & NodeOf<K> {
  return node.op === op;
}
