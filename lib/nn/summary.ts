/** What a network does to the shape of a sample, and what each layer costs. */
import { ConvmatError } from '../errors.js';
import type { Shape } from '../tensor/tensor.js';
import type { Module } from './module.js';

/** A line of a summary. */
export interface SummaryRow {
  /** Index and kind: '0 Conv2d(1 → 6, 3×3)'. */
  readonly layer: string;
  /** Shapes of one sample, without the batch axis. */
  readonly inputShape: Shape;
  /** Of the result for the input that was given. */
  readonly outputShape: Shape;
  /** Numbers that the layer learns. */
  readonly parameters: number;
  /** Multiplications for one sample. */
  readonly multiplications: number;
  /** The arithmetic that gave the output shape, in words. */
  readonly how: string;
}

/** What a network consists of; toString() is an aligned table. */
export interface Summary {
  /** One for each layer or node. */
  readonly rows: readonly SummaryRow[];
  /** An aligned table: layer, output, parameters, multiplications, then a line of arithmetic under each. */
  toString(): string;
}

export function summarize(modules: readonly Module[], inputShape: Shape): Summary {
  let shape = inputShape;
  const rows = modules.map((module, i): SummaryRow => {
    const from = shape;
    // A batch of one: layers tell the batch axis from the channels by the number of axes.
    shape = inLayer(module, i, () => module.outputShape([1, ...from])).slice(1);
    return Object.freeze({
      layer: `${i} ${module.describe()}`,
      inputShape: from,
      outputShape: shape,
      parameters: module.parameters().reduce((count, { data }) => count + data.size, 0),
      multiplications: module.multiplications([1, ...from]),
      how: module.explainShape(from),
    });
  });
  return { rows: Object.freeze(rows), toString: () => table(inputShape, rows) };
}

/** As `call`, with the layer's name before the message of a refusal. */
export function inLayer<T>(module: Module, index: number, call: () => T): T {
  return inPart(module, `layer ${index}`, call);
}

/** As inLayer, for a part that has a name. */
export function inPart<T>(module: Module, name: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof ConvmatError)) throw error;
    const Class = error.constructor as new (message: string, options: ErrorOptions) => ConvmatError;
    throw new Class(`${name}, ${module.describe()}: ${error.message}`, { cause: error });
  }
}

function table(inputShape: Shape, rows: readonly SummaryRow[]): string {
  const total = (column: 'parameters' | 'multiplications'): number =>
    rows.reduce((sum, row) => sum + row[column], 0);
  const lines = [
    ['layer', 'output', 'parameters', 'multiplications'],
    ['input', inputShape.join('×'), '', ''],
    ...rows.map((row) => [
      row.layer,
      row.outputShape.join('×'),
      count(row.parameters),
      count(row.multiplications),
    ]),
    ['total', '', count(total('parameters')), count(total('multiplications'))],
  ];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  const aligned = lines.map((cells) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
  rows.forEach((row, i) => {
    aligned[i + 2] += `\n    ${row.how}`;
  });
  return aligned.join('\n');
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
