/**
 * Which elementwise nodes run together: a node and those before it that nobody else reads, as long as shapes are the
 * result's; and which step's result such a group finishes while it is in cache.
 */
import type { Graph, GraphNode, NodeOf } from '../graph.js';
import { outputOf } from '../operands.js';
import { isElementwise } from './program.js';

export type Elementwise = NodeOf<'Unary'> | NodeOf<'Binary'>;

/** Nodes in topological order; the last one's result is the group's. */
export interface Group {
  readonly nodes: readonly Elementwise[];
  /** The convolution that the group finishes. */
  readonly finishes: GraphNode | null;
}

const MOST_NODES = 24;

export class Groups {
  /** By the last node. */
  readonly bySink = new Map<GraphNode, Group>();
  /** Of nodes that another step does the work of. */
  readonly absorbed = new Set<GraphNode>();
  /** By the convolution that a group finishes. */
  readonly byConvolution = new Map<GraphNode, Group>();

  constructor(graph: Graph, canFinish: (node: GraphNode) => boolean) {
    const { values, nodes } = graph;
    const position = new Map(nodes.map((node, i) => [node, i]));
    const producer = new Map<number, GraphNode>();
    const readers = new Map<number, GraphNode[]>();
    for (const node of nodes) {
      for (const id of node.outputs) if (id !== null) producer.set(id, node);
      for (const id of new Set(node.inputs)) {
        if (id === null) continue;
        const others = readers.get(id);
        if (others === undefined) readers.set(id, [node]);
        else others.push(node);
      }
    }
    const outputs = new Set(graph.outputs.map((output) => output.value));
    const sameShape = (a: number, b: number) => {
      const [p, q] = [values[a].shape, values[b].shape];
      return p.length === q.length && p.every((size, axis) => size === q[axis]);
    };
    const isPrivate = (id: number, group: ReadonlySet<GraphNode>) =>
      !outputs.has(id) && (readers.get(id) ?? []).every((reader) => group.has(reader));

    const taken = new Set<GraphNode>();
    for (const sink of [...nodes].reverse()) {
      if (taken.has(sink) || !isElementwise(sink, values)) continue;
      const result = outputOf(sink);
      const group = new Set<GraphNode>([sink]);
      const members: Elementwise[] = [sink];
      for (let grown = true; grown && group.size < MOST_NODES; ) {
        grown = false;
        for (const node of [...members]) {
          for (const id of node.inputs) {
            const before = id === null ? undefined : producer.get(id);
            if (before === undefined || id === null || group.has(before) || taken.has(before)) continue;
            if (!isElementwise(before, values) || !sameShape(id, result) || !isPrivate(id, group)) continue;
            group.add(before);
            members.push(before);
            grown = true;
          }
        }
      }
      const ordered = members.sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
      for (const node of ordered) taken.add(node);
      // What is read last is written last before: everything else is there when it runs.
      let latest: GraphNode | null = null;
      for (const node of ordered) {
        for (const id of node.inputs) {
          const before = id === null ? undefined : producer.get(id);
          if (before === undefined || group.has(before)) continue;
          if (latest === null || (position.get(before) ?? 0) > (position.get(latest) ?? 0)) latest = before;
        }
      }
      const written = latest === null ? null : latest.outputs[0];
      const finishes =
        latest !== null &&
        written !== null &&
        canFinish(latest) &&
        sameShape(written, result) &&
        isPrivate(written, group)
          ? latest
          : null;
      const entry: Group = { nodes: ordered, finishes };
      this.bySink.set(sink, entry);
      for (const node of ordered) if (node !== sink) this.absorbed.add(node);
      if (finishes !== null) {
        this.byConvolution.set(finishes, entry);
        this.absorbed.add(sink);
      }
    }
  }
}

/** The value that the last of some nodes writes. */
export function resultOf(nodes: readonly Elementwise[]): number {
  const result = nodes[nodes.length - 1].outputs[0];
  if (result === null) throw new Error('an elementwise node writes its result');
  return result;
}
