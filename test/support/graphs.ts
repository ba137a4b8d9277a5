/** Graphs made by hand, and what their operations give one by one. */
import { prepareCompiled } from '../../dist/graph/compile.js';
import type { View } from '../../dist/graph/evaluate.js';
import type { Preparation } from '../../dist/graph/executable.js';
import type {
  Attributes,
  Elements,
  ElementType,
  Graph,
  GraphNode,
  Known,
  Operation,
} from '../../dist/graph/graph.js';
import type { evaluationOf } from '../../dist/graph/operators/index.js';
import { Value } from '../../dist/graph/value.js';
import { StoredFloats } from '../../dist/onnx-file/stored-floats.js';
import { random } from './random';

export class GraphOf {
  readonly #values: Value[] = [];
  readonly #nodes: GraphNode[] = [];
  readonly #inputs: number[] = [];
  #seed = 1;

  #value(type: ElementType, shape: readonly number[], known: Known | null): number {
    const id = this.#values.length;
    this.#values.push(new Value(id, `value ${id}`, type, shape, known));
    return id;
  }
  /** Filled with random numbers of this spread when the graph runs. */
  input(shape: readonly number[], spread: number, positive = false): number {
    const id = this.#value('float32', shape, null);
    this.#inputs.push(id);
    this.spreads.push({ spread, positive });
    return id;
  }
  readonly spreads: { spread: number; positive: boolean }[] = [];

  constant(shape: readonly number[], positive = false): number {
    const size = shape.reduce((n, k) => n * k, 1);
    const values = uniform(this.#seed++, size, 1, positive);
    return this.#value('float32', shape, values);
  }
  constantOf(shape: readonly number[], values: Float32Array): number {
    return this.#value('float32', shape, values);
  }
  /** A constant as a file may have it: bytes that begin where no float could. */
  stored(shape: readonly number[], values: Float32Array): number {
    const bytes = new Uint8Array(values.byteLength + 1).subarray(1);
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return this.#value(
      'float32',
      shape,
      new StoredFloats(
        bytes,
        values.length,
        () => 'test',
        () => values.slice(),
      ),
    );
  }
  number(value: number): number {
    return this.#value('float32', [1], Float32Array.of(value));
  }
  integers(values: readonly number[], shape: readonly number[]): number {
    return this.#value('int64', shape, Float64Array.from(values));
  }
  add<K extends Operation>(
    op: K,
    attributes: Attributes[K],
    inputs: readonly number[],
    shape: readonly number[],
    type: ElementType = 'float32',
  ): number {
    const output = this.#value(type, shape, null);
    const sources = [`${op} ${output}`];
    this.#nodes.push({ op, attributes, inputs, outputs: [output], sources } as unknown as GraphNode);
    return output;
  }
  graph(...outputs: readonly number[]): Graph & { spreads: GraphOf['spreads'] } {
    return {
      values: [...this.#values],
      nodes: [...this.#nodes],
      inputs: [...this.#inputs],
      outputs: outputs.map((value, i) => ({ name: `output ${i}`, value })),
      spreads: this.spreads,
    };
  }
}

/** Numbers from −spread to spread, or from 0.1·spread to 1.1·spread. */
function uniform(seed: number, size: number, spread: number, positive: boolean): Float32Array {
  const values = random([size], 'float32', seed).data as Float32Array;
  return values.map((v) => (positive ? spread * (Math.abs(v) + 0.1) : spread * v));
}

const FAST = { accuracy: 'fast', precision: 'float32' } as const;

/** What runs a graph on the backend in use. */
/** @param preparation  What graphs of one network have in common. */
export function compiled(graph: Graph, preparation: Preparation = { exactness: FAST }) {
  const executable = prepareCompiled(graph as never, preparation);
  const views = (inputs: readonly Elements[]) =>
    graph.inputs.map((id, i) => ({
      type: graph.values[id].type,
      shape: graph.values[id].shape,
      data: inputs[i],
    }));
  return {
    executable,
    run: (inputs: readonly Elements[]): Elements[] => executable.run(views(inputs)).map(({ data }) => data),
    runAsync: async (inputs: readonly Elements[], signal?: AbortSignal): Promise<Elements[]> =>
      (await executable.runAsync(views(inputs), signal)).map(({ data }) => data),
    release: () => executable.release(),
  };
}

/** Every operation on its own, in JavaScript's order. */
export function results(
  graph: Graph,
  evaluate: typeof evaluationOf,
  given?: readonly Elements[],
): { inputs: Float32Array[]; outputs: Elements[] } {
  const { spreads } = graph as ReturnType<GraphOf['graph']>;
  const size = (shape: readonly number[]) => shape.reduce((n, k) => n * k, 1);
  const data = new Map<number, Elements>();
  const inputs = graph.inputs.map((id, i) => {
    const { spread, positive } = spreads?.[i] ?? { spread: 1, positive: false };
    const values =
      (given?.[i] as Float32Array) ?? uniform(100 + i, size(graph.values[id].shape), spread, positive);
    data.set(id, values);
    return values;
  });
  const view = (id: number | null): View | null => {
    if (id === null) return null;
    const { type, shape, constant } = graph.values[id];
    return { type, shape, data: constant ?? (data.get(id) as Elements) };
  };
  for (const node of graph.nodes) {
    for (const id of node.outputs) {
      if (id !== null) data.set(id, new Float32Array(size(graph.values[id].shape)));
    }
    if (node.op === 'Reshape') {
      (data.get(node.outputs[0] as number) as Float32Array).set(view(node.inputs[0])?.data as Float32Array);
      continue;
    }
    const call = {
      attributes: node.attributes,
      inputs: node.inputs.map(view),
      outputs: node.outputs.map(view),
    };
    evaluate(node.op as never)(call as never);
  }
  return { inputs, outputs: graph.outputs.map(({ value }) => view(value)?.data as Elements) };
}

/** Relative to the RMS of what is expected; infinite where one is a number and the other is not. */
export function worstDifference(got: Elements, expected: Elements): number {
  if (got.length !== expected.length) return Infinity;
  let [worst, squares, finite] = [0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(got[i], expected[i])) {
      if (Number.isFinite(expected[i])) {
        squares += expected[i] ** 2;
        finite++;
      }
      continue;
    }
    if (!Number.isFinite(expected[i]) || !Number.isFinite(got[i])) return Infinity;
    worst = Math.max(worst, Math.abs(got[i] - expected[i]));
    squares += expected[i] ** 2;
    finite++;
  }
  return worst === 0 ? 0 : worst / Math.sqrt(squares / Math.max(1, finite));
}
