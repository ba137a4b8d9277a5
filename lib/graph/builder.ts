/** Builds a graph value by value: what follows from constants alone is computed on the way. */
import { elementCount } from '../check.js';
import { BYTES } from '../tensor/dtype.js';
import type { Shape } from '../tensor/tensor.js';
import { DequantizedFloats } from './dequantized.js';
import { allocate, storageOf } from './elements.js';
import type { View } from './evaluate.js';
import type { Attributes, Dequantized, Elements, ElementType, GraphNode, Known, Operation } from './graph.js';
import { nodeOf } from './operands.js';
import { evaluationOf } from './operators/index.js';
import { Value } from './value.js';

/** A value that an operation is about to write. */
export interface Result {
  readonly type: ElementType;
  readonly shape: Shape;
}

export class GraphBuilder {
  readonly values: Value[] = [];
  readonly nodes: GraphNode[] = [];
  readonly #take: (bytes: number) => void;

  /** @param take  Told the bytes of each constant that is about to be computed; may refuse by throwing. */
  constructor(take: (bytes: number) => void) {
    this.#take = take;
  }

  /** A value that each run is given, or that a node writes. */
  value(name: string, type: ElementType, shape: Shape): Value {
    elementCount(shape, name);
    return this.#push(name, type, shape, null);
  }

  constant(name: string, type: ElementType, shape: Shape, known: Known): Value {
    return this.#push(name, type, shape, known);
  }

  /** An array for a constant that is about to be computed. */
  allocate(type: ElementType, shape: Shape, what: string): Elements {
    return allocate(type, elementCount(shape, what), this.#take);
  }

  /**
   * An operation on values: its results, constants when all inputs are.
   *
   * @param results  One for each output; null for an optional one that nobody reads.
   * @param names    Of the results.
   */
  add<K extends Operation>(
    op: K,
    attributes: Attributes[K],
    inputs: readonly (Value | null)[],
    results: readonly (Result | null)[],
    names: readonly string[],
    sources: readonly string[],
  ): (Value | null)[] {
    const folds = inputs.every((input) => input === null || input.known !== null);
    if (folds) return this.#fold(op, attributes, inputs, results, names);
    const outputs = results.map((result, i) =>
      result === null ? null : this.value(names[i], result.type, result.shape),
    );
    const ids = (values: readonly (Value | null)[]) => values.map((value) => value?.id ?? null);
    this.nodes.push(nodeOf(op, attributes, ids(inputs), ids(outputs), sources));
    return outputs;
  }

  #fold<K extends Operation>(
    op: K,
    attributes: Attributes[K],
    inputs: readonly (Value | null)[],
    results: readonly (Result | null)[],
    names: readonly string[],
  ): (Value | null)[] {
    const [reshaped] = inputs;
    if (op === 'Reshape' && results[0] !== null && reshaped !== null && reshaped.known !== null)
      return [this.constant(names[0], results[0].type, results[0].shape, reshaped.known)];
    const dequantized = isDequantize(op, attributes) ? originOf(attributes.axis, inputs) : undefined;
    const [result] = results;
    if (dequantized !== undefined && result !== null) {
      const { type, shape } = result;
      const count = elementCount(shape, names[0]);
      this.#take(count * BYTES[storageOf(type)]);
      const floats = new DequantizedFloats(count, () => {
        const data = allocate(type, count);
        evaluationOf(op)({ attributes, inputs: viewsOf(inputs), outputs: [{ type, shape, data }] });
        return data;
      });
      return [this.#push(names[0], type, shape, floats, dequantized)];
    }
    const views = viewsOf(inputs);
    const outputs = results.map((result, i): View | null => {
      if (result === null) return null;
      return { ...result, data: this.allocate(result.type, result.shape, names[i]) };
    });
    evaluationOf(op)({ attributes, inputs: views, outputs });
    return outputs.map((view, i) =>
      view === null ? null : this.constant(names[i], view.type, view.shape, view.data),
    );
  }

  #push(
    name: string,
    type: ElementType,
    shape: Shape,
    known: Known | null,
    dequantized?: Dequantized,
  ): Value {
    const value = new Value(this.values.length, name, type, shape, known, dequantized);
    this.values.push(value);
    return value;
  }
}

function viewsOf(inputs: readonly (Value | null)[]): (View | null)[] {
  return inputs.map((input): View | null =>
    input === null || input.constant === null
      ? null
      : { type: input.type, shape: input.shape, data: input.constant },
  );
}

function isDequantize(
  op: Operation,
  _attributes: Attributes[Operation],
): _attributes is Attributes['DequantizeLinear'] {
  return op === 'DequantizeLinear';
}

function originOf(axis: number, [value, scale, zero]: readonly (Value | null)[]): Dequantized | undefined {
  return value === null || scale === null
    ? undefined
    : { value: value.id, scale: scale.id, zero: zero?.id ?? null, axis };
}
