/** A graph made ready to run: rewritten, lowered to steps, with memory planned and weights packed. */
import type { AbortSignalLike } from '../backend/abort.js';
import type { BoundNetwork } from '../backend/backend.js';
import { withOwnOperands } from '../backend/own-operands.js';
import { backend } from '../backend/select.js';
import { STEP_KINDS } from '../backend/steps.js';
import type { Accuracy } from '../plan/algorithms/algorithm.js';
import { arrayOver, BYTES, uninitialised } from '../tensor/dtype.js';
import { storageOf } from './elements.js';
import type { View } from './evaluate.js';
import type { Executable, Preparation, StepReport, StepTime } from './executable.js';
import type { Elements, Graph, GraphNode, NodeOf, Operation } from './graph.js';
import { type MemoryPlan, planMemory } from './memory.js';
import { inputOf, outputOf } from './operands.js';
import { evaluationOf } from './operators/index.js';
import { Derivations } from './rewrite/derivations.js';
import { rewrite } from './rewrite/rules.js';
import { sizeOf } from './shapes.js';
import { type Lowered, lower } from './steps/lower.js';
import type { KernelStep, OperationStep, ScriptStep } from './steps/step.js';
import { Constants, Words } from './steps/words.js';

/** What graphs of one network share: constants by number, what has been made from them, and weights that are packed. */
class Shared {
  readonly constants = new Constants();
  readonly derivations = new Derivations();
  latest: CompiledGraph | null = null;
}

const sharedBy = new WeakMap<Preparation, Shared>();

/** Prepares a graph for the backend in use: natively, all steps in one call. */
export function prepareCompiled(graph: Graph, preparation: Preparation): Executable {
  const shared = sharedBy.get(preparation) ?? new Shared();
  sharedBy.set(preparation, shared);
  const compiled = new CompiledGraph(graph, preparation.accuracy, shared);
  shared.latest = compiled;
  return compiled;
}

/** Steps that run in one call, or one that JavaScript runs. */
type Segment =
  | { readonly kind: 'native'; readonly bound: BoundNetwork; readonly steps: readonly KernelStep[] }
  | { readonly kind: 'script'; readonly step: ScriptStep | OperationStep };

/** What a run reads and writes. */
interface Run {
  readonly arena: Uint8Array;
  readonly inputs: readonly Elements[];
  readonly outputs: readonly Elements[];
}

/** Arenas that wait for their next run; concurrent runs make more. */
const KEPT_ARENAS = 2;

export class CompiledGraph implements Executable {
  readonly steps: readonly StepReport[];
  readonly peakBytes: number;
  readonly #lowered: Lowered;
  readonly #memory: MemoryPlan;
  readonly #segments: readonly Segment[];
  readonly #arenas: Uint8Array[] = [];
  #running = 0;
  #released = false;

  constructor(graph: Graph, accuracy: Accuracy, shared: Shared) {
    this.#lowered = lower(rewrite(graph, shared.derivations), accuracy, shared.derivations);
    this.#memory = planMemory(this.#lowered, shared.constants);
    this.#segments = this.#bind(shared);
    this.steps = this.#report();
    this.peakBytes = this.#peakBytes();
  }

  run(inputs: readonly View[]): View[] {
    return this.#withArena((arena) => {
      const run = { arena, inputs: elementsOf(inputs), outputs: this.#results() };
      for (const segment of this.#segments) this.#runSegment(segment, run);
      return this.#viewsOf(run.outputs);
    });
  }

  async runAsync(views: readonly View[], signal?: AbortSignalLike): Promise<View[]> {
    signal?.throwIfAborted();
    const operands = Object.fromEntries(views.map(({ data }, i) => [`inputs[${i}]`, data]));
    const { arenaBytes } = this.#memory;
    this.#running++;
    try {
      return await withOwnOperands(operands, arenaBytes, { signal }, async (own) => {
        const arena = this.#takeArena();
        const run = { arena, inputs: views.map((_, i) => own[`inputs[${i}]`]), outputs: this.#results() };
        for (const segment of this.#segments) {
          if (segment.kind === 'native') {
            await segment.bound.runAsync(arena, run.inputs, run.outputs, signal);
          } else {
            signal?.throwIfAborted();
            this.#runSegment(segment, run);
          }
        }
        // A call that was aborted may still write to its arena: it comes back only from those that ended.
        this.#giveArena(arena);
        return this.#viewsOf(run.outputs);
      });
    } finally {
      this.#running--;
      this.#releaseIfDue();
    }
  }

  profile(inputs: readonly View[]): { outputs: View[]; steps: StepTime[] } {
    return this.#withArena((arena) => {
      const run = { arena, inputs: elementsOf(inputs), outputs: this.#results() };
      const ms: number[] = [];
      for (const segment of this.#segments) {
        if (segment.kind === 'native') {
          const times = new Float64Array(segment.steps.length);
          segment.bound.run(arena, run.inputs, run.outputs, times);
          for (const ns of times) ms.push(ns / 1e6);
        } else {
          const begin = performance.now();
          this.#runSegment(segment, run);
          ms.push(performance.now() - begin);
        }
      }
      const steps = this.#lowered.steps.map(({ label }, i) => ({ step: label, ms: ms[i] }));
      return { outputs: this.#viewsOf(run.outputs), steps };
    });
  }

  #report(): StepReport[] {
    const { steps, values } = this.#lowered;
    return steps.map(({ label, sources, algorithm, reads, writes, multiplications }) => ({
      step: label,
      nodes: sources,
      algorithm,
      outputShape: values[writes[0]].shape,
      multiplications,
      bytes: [...reads, ...writes].reduce((sum, id) => sum + this.#bytesOf(id), 0),
    }));
  }

  #peakBytes(): number {
    const { inputs, outputs } = this.#lowered;
    const operands = [...inputs, ...outputs].reduce((sum, id) => sum + this.#bytesOf(id), 0);
    const packed = this.#segments.reduce(
      (sum, s) => sum + (s.kind === 'native' ? s.bound.packedBytes : 0),
      0,
    );
    return operands + packed + this.#memory.arenaBytes;
  }

  #bytesOf(id: number): number {
    return this.#lowered.sizeOf(id) * BYTES[storageOf(this.#lowered.values[id].type)];
  }

  /** Frees what it holds once runs in flight have ended. */
  release(): void {
    this.#released = true;
    this.#releaseIfDue();
  }

  #releaseIfDue(): void {
    if (!this.#released || this.#running > 0) return;
    this.#arenas.length = 0;
    for (const segment of this.#segments) {
      if (segment.kind === 'native') segment.bound.release();
      else if (segment.step.kind === 'script') segment.step.release();
    }
  }

  #bind({ constants, latest }: Shared): Segment[] {
    const { values, steps, inputs, outputs } = this.#lowered;
    const { places, arenaBytes } = this.#memory;
    const placeOf = (value: number) => {
      const place = places[value];
      if (place === null) throw new Error(`value ${values[value].name} has no place`);
      return place;
    };
    const lenders = latest === null ? [] : latest.#segments.filter((s) => s.kind === 'native');
    const isAlone = steps.every((step) => step.kind !== 'script' && step.kind !== 'operation');
    const segments: Segment[] = [];
    let kernels: KernelStep[] = [];
    const flush = () => {
      if (kernels.length === 0) return;
      const words = new Words(placeOf, constants);
      for (const step of kernels) {
        words.push(STEP_KINDS.indexOf(step.kind));
        step.encode(words);
      }
      const made = backend().bindNetwork?.(
        {
          words: words.finish(),
          arenaBytes,
          inputBytes: inputs.map((id) => this.#bytesOf(id)),
          outputBytes: outputs.map((id) => this.#bytesOf(id)),
          constants: constants.list,
          isAlone,
        },
        lenders[segments.filter((s) => s.kind === 'native').length]?.bound ?? null,
      );
      if (made === undefined) throw new Error('kernel steps need the native backend');
      segments.push({ kind: 'native', bound: made, steps: kernels });
      kernels = [];
    };
    for (const step of steps) {
      if (step.kind !== 'script' && step.kind !== 'operation') {
        kernels.push(step);
        continue;
      }
      flush();
      segments.push({ kind: 'script', step });
    }
    flush();
    return segments;
  }

  #runSegment(segment: Segment, run: Run): void {
    if (segment.kind === 'native') segment.bound.run(run.arena, run.inputs, run.outputs, null);
    else this.#runStep(segment.step, (value) => this.#view(value, run));
  }

  #runStep(step: ScriptStep | OperationStep, viewOf: (value: number) => View): void {
    if (step.kind === 'script') {
      step.run(viewOf);
      return;
    }
    const { node } = step;
    if (node.op === 'Reshape') {
      viewOf(outputOf(node)).data.set(viewOf(inputOf(node, 0)).data);
      return;
    }
    const views = (ids: readonly (number | null)[]) => ids.map((id) => (id === null ? null : viewOf(id)));
    evaluate(node, views(node.inputs), views(node.outputs));
  }

  #view(id: number, { arena, inputs, outputs }: Run): View {
    const { type, shape, constant } = this.#lowered.values[id];
    if (constant !== null) return { type, shape, data: constant };
    const place = this.#memory.places[id];
    if (place === null || place.home === 'constant') throw new Error(`value ${id} has no place`);
    const home =
      place.home === 'arena' ? arena : place.home === 'input' ? inputs[place.index] : outputs[place.index];
    return {
      type,
      shape,
      data: arrayOver(storageOf(type), home.buffer, home.byteOffset + place.offset, sizeOf(shape)),
    };
  }

  #viewsOf(outputs: readonly Elements[]): View[] {
    return this.#lowered.results.map((id, i) => {
      const { type, shape } = this.#lowered.values[id];
      return { type, shape, data: outputs[i] };
    });
  }

  #results(): Elements[] {
    return this.#lowered.outputs.map((id) => {
      const { type, shape } = this.#lowered.values[id];
      return uninitialised(storageOf(type), sizeOf(shape));
    });
  }

  #withArena<T>(body: (arena: Uint8Array) => T): T {
    const arena = this.#takeArena();
    try {
      return body(arena);
    } finally {
      this.#giveArena(arena);
    }
  }
  #takeArena(): Uint8Array {
    const { arenaBytes } = this.#memory;
    return this.#arenas.pop() ?? backend().arena?.(arenaBytes) ?? uninitialised('uint8', arenaBytes);
  }
  #giveArena(arena: Uint8Array): void {
    if (!this.#released && this.#arenas.length < KEPT_ARENAS) this.#arenas.push(arena);
  }
}

function elementsOf(views: readonly View[]): Elements[] {
  return views.map(({ data }) => data);
}

/** By the operation's own evaluation: `op` and `attributes` belong together, which a union cannot say. */
function evaluate<K extends Operation>(
  node: GraphNode,
  inputs: readonly (View | null)[],
  outputs: readonly (View | null)[],
): void {
  const { op, attributes } = node as NodeOf<K>;
  evaluationOf(op)({ attributes, inputs, outputs });
}
