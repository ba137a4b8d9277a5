/** A model as a table: what each node is, makes, holds and costs. */
import { buildSegment, type Segment, type Source, sourceOf } from '../graph/build.js';
import { multiplicationsOf } from '../graph/cost.js';
import type { Shape } from '../tensor/tensor.js';
import { givenShapes } from './inputs.js';
import type { ModelFile } from './model.js';

/** A line of a summary. */
export interface SummaryRow {
  /** The node's name; its operator and place where it has none. */
  readonly name: string;
  /** The operator. */
  readonly opType: string;
  /** null where they are not known. */
  readonly outputShapes: readonly (Shape | null)[];
  /** Elements of the weights (initializers and Constant nodes) that it is the first to read. */
  readonly parameters: number;
  /** Of the definition, for the shapes that are known. */
  readonly multiplications: number;
}

/** What a network consists of; toString() is an aligned table. */
export interface Summary {
  /** One for each layer or node. */
  readonly rows: readonly SummaryRow[];
  /** An aligned table. */
  toString(): string;
}

export function summarize(
  file: ModelFile,
  inputShapes: Readonly<Record<string, Shape>> | undefined,
): Summary {
  const source = sourceOf(file.model, file.file);
  const given = givenShapes(file, inputShapes);
  const segment = given === null ? null : buildSegment(source, { position: 0, given }, true);
  const costs = segment === null ? new Map<string, number>() : costsOf(segment);
  const weights = weightSizes(source);
  const rows = source.nodes.map(({ node, title, id }): SummaryRow => {
    let parameters = 0;
    for (const input of node.inputs) {
      parameters += weights.get(input) ?? 0;
      weights.delete(input);
    }
    return {
      name: node.name || title,
      opType: node.opType,
      outputShapes: node.outputs.map((output) => segment?.known.get(output)?.shape ?? null),
      parameters,
      multiplications: costs.get(id) ?? 0,
    };
  });
  return { rows, toString: () => tableOf(rows) };
}

/** Elements of initializers, and of Constant nodes, which some exporters have weights in. */
function weightSizes({ initializers, nodes }: Source): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [name, tensor] of initializers) sizes.set(name, tensor.size);
  for (const { node } of nodes) {
    const value = node.opType === 'Constant' ? node.attributes.get('value') : undefined;
    if (value?.kind === 'tensor') sizes.set(node.outputs[0], value.value.size);
  }
  return sizes;
}

function costsOf({ graph }: Segment): Map<string, number> {
  const costs = new Map<string, number>();
  for (const node of graph.nodes) {
    for (const source of node.sources)
      costs.set(source, (costs.get(source) ?? 0) + multiplicationsOf(node, graph));
  }
  return costs;
}

function tableOf(rows: readonly SummaryRow[]): string {
  const total = (key: 'parameters' | 'multiplications') =>
    grouped(rows.reduce((sum, row) => sum + row[key], 0));
  const cells = [
    ['operator', 'name', 'output', 'parameters', 'multiplications'],
    ...rows.map(({ name, opType, outputShapes, parameters, multiplications }) => [
      opType,
      name,
      outputShapes.map((shape) => (shape === null ? '?' : `[${shape.join(', ')}]`)).join(' '),
      grouped(parameters),
      grouped(multiplications),
    ]),
    ['', 'total', '', total('parameters'), total('multiplications')],
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => (column < 3 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** 1,234,567 */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
