/** A graph that is being rewritten: its values and nodes, who writes and who reads each value. */
import type { Shape } from '../../tensor/tensor.js';
import type {
  Attributes,
  ElementType,
  Graph,
  GraphNode,
  GraphOutput,
  Known,
  NodeOf,
  Operation,
} from '../graph.js';
import { isOperation, nodeOf } from '../operands.js';
import { Value } from '../value.js';
import type { Derivations } from './derivations.js';

/** What a rule does to a graph, and the name that tells it apart. */
export interface Rule {
  readonly name: string;
  /** Rewrites around one node, if it is what the rule is about; true when it did. */
  apply(draft: Draft, node: GraphNode): boolean;
}

export class Draft {
  readonly values: Value[];
  nodes: GraphNode[];
  readonly inputs: readonly number[];
  readonly outputs: readonly GraphOutput[];
  readonly #derivations: Derivations;
  readonly #there: Set<GraphNode>;
  readonly #producers = new Map<number, GraphNode>();
  readonly #readers = new Map<number, Set<GraphNode>>();
  readonly #written: ReadonlySet<number>;

  constructor(graph: Graph, derivations: Derivations) {
    this.values = [...graph.values];
    this.nodes = [...graph.nodes];
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    this.#derivations = derivations;
    this.#written = new Set(graph.outputs.map(({ value }) => value));
    this.#there = new Set(graph.nodes);
    for (const node of graph.nodes) this.#link(node);
  }

  /** Applies the rules to every node, from the first to the last, until none of them finds anything; pauses between nodes. */
  *rewrite(rules: readonly Rule[]): Generator<undefined, void, void> {
    for (let changed = true; changed; ) {
      changed = false;
      for (const node of [...this.nodes]) {
        yield;
        for (const rule of rules) {
          if (!this.#there.has(node)) break;
          if (rule.apply(this, node)) changed = true;
        }
      }
      this.#sweep();
    }
  }

  value(id: number): Value {
    return this.values[id];
  }
  /** The value of an operand; null when it is absent. */
  operand(node: GraphNode, index: number): Value | null {
    const id = node.inputs[index] ?? null;
    return id === null ? null : this.values[id];
  }
  producer(id: number): GraphNode | undefined {
    return this.#producers.get(id);
  }
  readers(id: number): ReadonlySet<GraphNode> {
    return this.#readers.get(id) ?? NOBODY;
  }
  isOutput(id: number): boolean {
    return this.#written.has(id);
  }
  /** The node that writes an operand and that nobody else looks at, when it is this operation. */
  only<K extends Operation>(node: GraphNode, index: number, op: K): NodeOf<K> | null {
    const id = node.inputs[index] ?? null;
    if (id === null) return null;
    const producer = this.#producers.get(id);
    if (producer === undefined || !isOperation(producer, op) || this.isOutput(id)) return null;
    const readers = this.readers(id);
    return readers.size === 0 || (readers.size === 1 && readers.has(node)) ? producer : null;
  }

  addConstant(name: string, type: ElementType, shape: Shape, known: Known): number {
    return this.#add(name, type, shape, known);
  }
  /** A constant of float32 made from others, found again when another graph of the model makes it from the same. */
  derive(what: string, sources: readonly Known[], shape: Shape, make: () => Known): number {
    return this.#add(what, 'float32', shape, this.#derivations.derive(what, sources, make));
  }
  addValue(name: string, type: ElementType, shape: Shape): number {
    return this.#add(name, type, shape, null);
  }

  /** Another node in the place of one: it may write the same values. */
  replace<K extends Operation>(
    node: GraphNode,
    op: K,
    attributes: Attributes[K],
    inputs: readonly (number | null)[],
    outputs: readonly (number | null)[],
    sources: readonly string[],
  ): void {
    const other = nodeOf(op, attributes, inputs, outputs, sources);
    this.nodes[this.nodes.indexOf(node)] = other;
    this.#unlink(node);
    this.#link(other);
  }
  /** A node at a place of the list. */
  insert<K extends Operation>(
    at: number,
    op: K,
    attributes: Attributes[K],
    inputs: readonly (number | null)[],
    outputs: readonly (number | null)[],
    sources: readonly string[],
  ): void {
    const node = nodeOf(op, attributes, inputs, outputs, sources);
    this.nodes.splice(at, 0, node);
    this.#link(node);
  }
  remove(node: GraphNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.#unlink(node);
  }
  finish(): Graph {
    this.#sweep();
    return { values: this.values, nodes: this.nodes, inputs: this.inputs, outputs: this.outputs };
  }

  #add(name: string, type: ElementType, shape: Shape, known: Known | null): number {
    const id = this.values.length;
    this.values.push(new Value(id, name, type, shape, known));
    return id;
  }
  #link(node: GraphNode): void {
    this.#there.add(node);
    for (const id of node.outputs) if (id !== null) this.#producers.set(id, node);
    for (const id of node.inputs) {
      if (id === null) continue;
      const readers = this.#readers.get(id);
      if (readers === undefined) this.#readers.set(id, new Set([node]));
      else readers.add(node);
    }
  }
  /** What another node writes by now stays that node's. */
  #unlink(node: GraphNode): void {
    this.#there.delete(node);
    for (const id of node.outputs)
      if (id !== null && this.#producers.get(id) === node) this.#producers.delete(id);
    for (const id of node.inputs) if (id !== null) this.#readers.get(id)?.delete(node);
  }
  /** Drops what writes only values that nobody reads. */
  #sweep(): void {
    const wanted = new Set(this.outputs.map((output) => output.value));
    const kept: GraphNode[] = [];
    for (const node of [...this.nodes].reverse()) {
      if (!node.outputs.some((id) => id !== null && wanted.has(id))) {
        this.#unlink(node);
        continue;
      }
      for (const id of node.inputs) if (id !== null) wanted.add(id);
      kept.push(node);
    }
    if (kept.length < this.nodes.length) this.nodes = kept.reverse();
  }
}

const NOBODY: ReadonlySet<GraphNode> = new Set();

/** The one number that a constant holds, however many times; null for others. */
export function scalarOf(value: Value | null): number | null {
  const length = value?.known?.length ?? 0;
  if (value === null || length === 0 || length > 65536 || value.constant === null) return null;
  const [first] = value.constant;
  for (const element of value.constant) if (element !== first && !Number.isNaN(first)) return null;
  return first;
}

/** Whether a scalar constant leaves the other operand's shape as it is. */
export function keepsShape(constant: Value, other: Shape, result: Shape): boolean {
  return (
    constant.shape.length <= other.length &&
    other.length === result.length &&
    other.every((n, i) => n === result[i])
  );
}

/**
 * One number for each of `channels` places along axis 1 of a value with `rank` axes, from a constant that broadcasts
 * over the others: null when it does not.
 */
export function perChannel(value: Value | null, channels: number, rank: number): Float32Array | null {
  if (value === null || value.constant === null || value.type !== 'float32') return null;
  const { shape, constant } = value;
  if (constant.length === 1) return new Float32Array(channels).fill(constant[0]);
  if (constant.length !== channels || shape.length > rank) return null;
  const axis = 1 - (rank - shape.length);
  return axis >= 0 && shape[axis] === channels ? Float32Array.from(constant) : null;
}

/** x + y and x·y in either order: the operand that is constant, and the other's place. */
export function constantOperand(draft: Draft, node: GraphNode): { constant: Value; other: number } | null {
  const [a, b] = [draft.operand(node, 0), draft.operand(node, 1)];
  if (a === null || b === null) return null;
  if (b.known !== null) return { constant: b, other: 0 };
  return a.known !== null ? { constant: a, other: 1 } : null;
}
