/** Runs a graph node by node in JavaScript; convolutions, pooling and products are the backend's. */
import { nextTurn } from '#host';
import type { AbortSignalLike } from '../backend/abort.js';
import type { BoundConv } from '../backend/backend.js';
import { backend } from '../backend/select.js';
import { BYTES, copyOf } from '../tensor/dtype.js';
import { bytesOf, multiplicationsOf } from './cost.js';
import { allocate, floatsOf, storageOf } from './elements.js';
import type { View } from './evaluate.js';
import type { Executable, Preparation, StepReport } from './executable.js';
import type { Elements, Graph, GraphNode } from './graph.js';
import { operandsOf, planOf } from './operators/convolution.js';
import { evaluateNode } from './operators/index.js';
import { sizeOf } from './shapes.js';

/** A node with what it needs besides the values. */
interface Step {
  readonly node: GraphNode;
  readonly report: StepReport;
  /** A convolution whose weights are packed. */
  readonly conv: BoundConv | null;
  /** Values that nobody reads after this step. */
  readonly last: readonly number[];
}

export function prepareStepwise(graph: Graph, { accuracy }: Preparation): Executable {
  const lastReads = lastReadersOf(graph);
  const steps = graph.nodes.map((node, index): Step => {
    const { conv, algorithm } = bind(node, graph, accuracy);
    return { node, report: reportOf(node, graph, algorithm), conv, last: lastReads[index] };
  });
  return new Stepwise(graph, steps);
}

function bind(
  node: GraphNode,
  graph: Graph,
  accuracy: Preparation['accuracy'],
): { conv: BoundConv | null; algorithm: string } {
  if (node.op !== 'Conv' && node.op !== 'ConvTranspose') return { conv: null, algorithm: 'evaluated' };
  const [x, w, bias] = node.inputs.map((id) => (id === null ? null : graph.values[id]));
  const y = node.outputs[0] === null ? null : graph.values[node.outputs[0]];
  if (x == null || w == null || y === null) return { conv: null, algorithm: 'evaluated' };
  const weight = { shape: w.shape, data: w.constant };
  const plan = planOf(node.op, node.attributes, x, weight, y.shape, accuracy);
  const isBound = w.constant !== null && (bias == null || bias.constant !== null) && sizeOf(y.shape) > 0;
  const conv =
    isBound && w.constant !== null
      ? backend().bindConv(plan, operandsOf(w.constant, bias?.constant ?? null))
      : null;
  return { conv, algorithm: plan.variant.algorithm };
}

function reportOf(node: GraphNode, graph: Graph, algorithm: string): StepReport {
  const first = node.outputs.find((id) => id !== null);
  return {
    step: titleOf(node),
    nodes: node.sources,
    algorithm,
    outputShape: first == null ? [] : graph.values[first].shape,
    multiplications: multiplicationsOf(node, graph),
    bytes: bytesOf(node, graph),
  };
}

/** The operation, and which function where one operation has many. */
function titleOf(node: GraphNode): string {
  if (node.op === 'Unary' || node.op === 'Binary') return node.attributes.fn;
  return node.op === 'Reduce' || node.op === 'ArgReduce' ? `${node.op} ${node.attributes.fn}` : node.op;
}

/** For each node the values that it is the last to read. */
function lastReadersOf(graph: Graph): number[][] {
  const kept = new Set([...graph.outputs.map(({ value }) => value), ...graph.inputs]);
  const seen = new Set<number>();
  const last: number[][] = graph.nodes.map(() => []);
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    for (const id of graph.nodes[index].inputs) {
      if (id === null || seen.has(id) || kept.has(id)) continue;
      seen.add(id);
      if (graph.values[id].constant === null) last[index].push(id);
    }
  }
  return last;
}

class Stepwise implements Executable {
  readonly steps: readonly StepReport[];
  readonly peakBytes: number;
  readonly #graph: Graph;
  readonly #steps: readonly Step[];
  /** Runs that are under way off the event loop: what they need is freed behind them. */
  #running = 0;
  #released = false;

  constructor(graph: Graph, steps: readonly Step[]) {
    this.#graph = graph;
    this.#steps = steps;
    this.steps = steps.map(({ report }) => report);
    this.peakBytes = peakOf(graph, steps);
  }

  run(inputs: readonly View[]): View[] {
    const values = this.#begin(inputs);
    for (const step of this.#steps) this.#runStep(step, values);
    return this.#collect(values, inputs);
  }

  async runAsync(inputs: readonly View[], signal?: AbortSignalLike): Promise<View[]> {
    signal?.throwIfAborted();
    const copies = inputs.map((view) => ({ ...view, data: copyOf(view.data) }));
    this.#running++;
    try {
      return this.#collect(await this.#runSteps(copies, signal), copies);
    } finally {
      this.#running--;
      this.#free();
    }
  }

  async #runSteps(
    inputs: readonly View[],
    signal: AbortSignalLike | undefined,
  ): Promise<Map<number, Elements>> {
    const values = this.#begin(inputs);
    for (const step of this.#steps) {
      await nextTurn();
      signal?.throwIfAborted();
      const [x] = step.node.inputs;
      const [y] = step.node.outputs;
      if (step.conv === null || x === null || y === null) this.#runStep(step, values);
      else {
        const input = floatsOf(this.#view(x, values).data);
        values.set(y, await step.conv.runAsync(input, signal));
        for (const id of step.last) values.delete(id);
      }
    }
    return values;
  }

  profile(inputs: readonly View[]): ReturnType<Executable['profile']> {
    const values = this.#begin(inputs);
    const steps = this.#steps.map((step) => {
      const start = performance.now();
      this.#runStep(step, values);
      return { step: step.report.step, ms: performance.now() - start };
    });
    return { outputs: this.#collect(values, inputs), steps };
  }

  release(): void {
    this.#released = true;
    this.#free();
  }

  #free(): void {
    if (this.#released && this.#running === 0) for (const { conv } of this.#steps) conv?.release();
  }

  #begin(inputs: readonly View[]): Map<number, Elements> {
    return new Map(this.#graph.inputs.map((id, i) => [id, inputs[i].data]));
  }

  #runStep({ node, conv, last }: Step, values: Map<number, Elements>): void {
    const inputs = node.inputs.map((id) => (id === null ? null : this.#view(id, values)));
    const first = inputs[0];
    const outputs = node.outputs.map((id): View | null => {
      if (id === null) return null;
      const { type, shape } = this.#graph.values[id];
      const shares = node.op === 'Reshape' && first !== null;
      const data = shares ? first.data : allocate(type, sizeOf(shape));
      values.set(id, data);
      return { type, shape, data };
    });
    if (conv !== null && first !== null && outputs[0] !== null)
      conv.run(floatsOf(first.data), floatsOf(outputs[0].data));
    else evaluateNode(node, inputs, outputs);
    for (const id of last) values.delete(id);
  }

  #view(id: number, values: ReadonlyMap<number, Elements>): View {
    const { type, shape, constant } = this.#graph.values[id];
    const data = constant ?? values.get(id);
    if (data === undefined) throw new Error(`value ${id} is read before it is written`);
    return { type, shape, data };
  }

  /** Outputs that are somebody else's array too become copies. */
  #collect(values: ReadonlyMap<number, Elements>, inputs: readonly View[]): View[] {
    const taken = new Set<ArrayBufferLike>(inputs.map(({ data }) => data.buffer));
    for (const { constant } of this.#graph.values) if (constant !== null) taken.add(constant.buffer);
    return this.#graph.outputs.map(({ value }) => {
      const view = this.#view(value, values);
      const data = taken.has(view.data.buffer) ? copyOf(view.data) : view.data;
      taken.add(data.buffer);
      return { ...view, data };
    });
  }
}

function peakOf(graph: Graph, steps: readonly Step[]): number {
  const bytes = (id: number) => sizeOf(graph.values[id].shape) * BYTES[storageOf(graph.values[id].type)];
  let held = graph.inputs.reduce((sum, id) => sum + bytes(id), 0);
  for (const { constant } of graph.values) held += constant?.byteLength ?? 0;
  for (const { conv } of steps) held += conv?.packedBytes ?? 0;
  let peak = held;
  for (const { node, last } of steps) {
    if (node.op !== 'Reshape') for (const id of node.outputs) held += id === null ? 0 : bytes(id);
    peak = Math.max(peak, held);
    for (const id of last) held -= bytes(id);
  }
  return peak;
}
