/** Whether a graph is one: every name is defined once, and what a node reads comes before it in some order. */
import { describe } from '../check.js';
import { FormatError } from '../errors.js';
import type { FileGraph, FileNode } from './file.js';

/**
 * The nodes in an order in which each follows those whose outputs it reads; the file's own order where that is one.
 *
 * @throws {FormatError} for a name that is defined twice or nowhere, and for nodes that wait for one another.
 */
export function orderNodes(graph: FileGraph, file: string): FileNode[] {
  const producers = definitions(graph, file);
  let sorted = true;
  // How many of its inputs' producers a node waits for, and who waits for it.
  const waiting = new Int32Array(graph.nodes.length);
  const readers: number[][] = graph.nodes.map(() => []);
  graph.nodes.forEach((node, index) => {
    for (const input of node.inputs) {
      if (input === '') continue;
      const producer = producers.get(input);
      if (producer === undefined)
        throw new FormatError(
          `${file}: ${nodeTitle(node, index)}: expected inputs that the graph defines, got ${describe(input)}`,
        );
      if (producer === GIVEN) continue;
      if (producer >= index) sorted = false;
      waiting[index]++;
      readers[producer].push(index);
    }
  });
  for (const { name } of graph.outputs) {
    if (!producers.has(name))
      throw new FormatError(`${file}: expected outputs that the graph defines, got ${describe(name)}`);
  }
  if (sorted) return [...graph.nodes];
  const ordered = inOrder(waiting, readers);
  if (ordered.length < graph.nodes.length) {
    const cycle = graph.nodes.findIndex((_, index) => waiting[index] > 0);
    throw new FormatError(
      `${file}: expected nodes without cycles, got ${nodeTitle(graph.nodes[cycle], cycle)} that waits for itself`,
    );
  }
  return ordered.map((index) => graph.nodes[index]);
}

/** What a message calls a node: its operator, and its name or place. */
export function nodeTitle(node: FileNode, index: number): string {
  return node.name === '' ? `node ${index} (${node.opType})` : `${node.opType} ${describe(node.name)}`;
}

/** Marks a name that comes with the model or with each run, and from no node. */
const GIVEN = -1;

function definitions(graph: FileGraph, file: string): Map<string, number> {
  const producers = new Map<string, number>();
  const define = (name: string, producer: number, what: () => string): void => {
    if (producers.has(name))
      throw new FormatError(
        `${file}: expected each name to be defined once, got ${describe(name)} again as ${what()}`,
      );
    producers.set(name, producer);
  };
  const distinct = new Set<string>();
  for (const { name } of graph.initializers) {
    define(name, GIVEN, () => 'an initializer');
    distinct.add(name);
  }
  for (const name of graph.sparse) define(name, GIVEN, () => 'a sparse initializer');
  // Old files list initializers among the inputs too.
  for (const { name } of graph.inputs) if (!distinct.has(name)) define(name, GIVEN, () => 'an input');
  graph.nodes.forEach((node, index) => {
    const what = () => `an output of ${nodeTitle(node, index)}`;
    for (const output of node.outputs) if (output !== '') define(output, index, what);
  });
  return producers;
}

function inOrder(waiting: Int32Array, readers: readonly (readonly number[])[]): number[] {
  const ordered: number[] = [];
  let ready: number[] = [];
  waiting.forEach((count, index) => {
    if (count === 0) ready.push(index);
  });
  while (ready.length > 0) {
    const next: number[] = [];
    for (const index of ready) {
      ordered.push(index);
      for (const reader of readers[index]) if (--waiting[reader] === 0) next.push(reader);
    }
    ready = next;
  }
  return ordered;
}
