/** A graph made ready to run: rewritten, lowered to steps, with memory planned and weights packed. */
import type { AbortSignalLike } from '../backend/abort.js';
import type { BoundNetwork, NetworkProgram } from '../backend/backend.js';
import { withOwnOperands } from '../backend/own-operands.js';
import { backend } from '../backend/select.js';
import { STEP_KINDS } from '../backend/steps.js';
import { ArgumentError } from '../errors.js';
import { atOnce, paced } from '../host/pace.js';
import { checkPresent } from '../onnx-file/stored-floats.js';
import { arrayOver, BYTES, dtypeOf, type TypedArray, uninitialised } from '../tensor/dtype.js';
import { copyInTurns } from '../tensor/paced-copy.js';
import { storageOf } from './elements.js';
import type { View } from './evaluate.js';
import type { Executable, Preparation, StepReport, StepTime } from './executable.js';
import type { Elements, Graph, GraphNode, NodeOf, Operation } from './graph.js';
import { type MemoryPlan, planningMemory } from './memory.js';
import { inputOf, outputOf } from './operands.js';
import { evaluationOf } from './operators/index.js';
import { Derivations } from './rewrite/derivations.js';
import { rewriting } from './rewrite/rules.js';
import { sizeOf } from './shapes.js';
import { type Lowered, lowering } from './steps/lower.js';
import type { KernelStep, OperationStep, ScriptStep } from './steps/step.js';
import { Constants, Words } from './steps/words.js';

/** What graphs of one network share: constants by number, what has been made from them, and weights that are packed. */
class Shared {
  readonly constants = new Constants();
  readonly derivations = new Derivations();
  latest: CompiledGraph | null = null;
}

const sharedBy = new WeakMap<Preparation, Shared>();

function sharedOf(preparation: Preparation): Shared {
  const shared = sharedBy.get(preparation) ?? new Shared();
  sharedBy.set(preparation, shared);
  return shared;
}

/** Prepares a graph for the backend in use: natively, all steps in one call. */
export function prepareCompiled(graph: Graph, preparation: Preparation): Executable {
  const shared = sharedOf(preparation);
  const draft = atOnce(drafting(graph, preparation, shared));
  const lenders = lendersOf(shared);
  const segments = draft.sections.map((section) => {
    if (section.kind === 'script') return section;
    return bind(section, (program) => backend().bindNetwork?.(program, lenders.shift() ?? null));
  });
  return compiled(draft, segments, shared);
}

/**
 * As prepareCompiled, with nothing packed on the calling thread, of which each turn is short.
 *
 * @param isOnly  Whether nobody reads constants of the network afterwards: memory of those that are packed is given back.
 */
export async function prepareCompiledInTime(
  graph: Graph,
  preparation: Preparation,
  isOnly = false,
): Promise<Executable> {
  const shared = sharedOf(preparation);
  const draft = await paced(drafting(graph, preparation, shared));
  const lenders = lendersOf(shared);
  const segments: Segment[] = [];
  try {
    // WebAssembly has its own copies of whatever it is given.
    const isOwn = preparation.isOwn === true || backend().name === 'wasm';
    const { list, weights } = shared.constants;
    let own: readonly TypedArray[] | null = isOwn ? list : null;
    // Copies of all but large weights.
    let plain: readonly TypedArray[] | null = null;
    for (const section of draft.sections) {
      if (section.kind === 'script') {
        segments.push(section);
        continue;
      }
      const lender = lenders.shift() ?? null;
      if (own === null && lender !== null) {
        const isLarge = (number: number) => weights.has(number) && list[number].byteLength > SMALL_BYTES;
        plain ??= await copiesOf(list.map((constant, number) => (isLarge(number) ? ABSENT : constant)));
        const lent = await bindLent({ ...section.program, constants: plain }, lender);
        if (lent !== null) {
          segments.push(bind(section, () => lent));
          continue;
        }
      }
      own ??= await copiesOf(list);
      const spent = isOnly && section.program.isAlone ? spentOf(shared.constants) : [];
      const program = { ...section.program, constants: own, spent };
      const bound = await backend().bindNetworkAsync?.(program, lender);
      segments.push(bind(section, () => bound));
    }
  } catch (error) {
    for (const segment of segments) if (segment.kind === 'native') segment.bound.release();
    throw error;
  }
  return compiled(draft, segments, shared);
}

function compiled(draft: Draft, segments: readonly Segment[], shared: Shared): CompiledGraph {
  shared.latest = new CompiledGraph(draft, segments);
  return shared.latest;
}

/** Weights as they lie in a file that one step is packed from. */
function spentOf({ list, uses }: Constants): number[] {
  return list.flatMap((constant, number) =>
    constant instanceof Uint8Array && uses[number] === 1 ? [number] : [],
  );
}

/** Weights that are copied for every shape, since some steps pack them otherwise for it: depthwise ones above all. */
const SMALL_BYTES = 2 ** 16;
/** In the place of weights that have been packed for other shapes. */
const ABSENT = new Uint8Array(0);

/** A program without large weights; null where steps ask for some, since they pack otherwise than those of the lender. */
async function bindLent(program: NetworkProgram, lender: BoundNetwork): Promise<BoundNetwork | null> {
  try {
    return (await backend().bindNetworkAsync?.(program, lender)) ?? null;
  } catch (error) {
    if (error instanceof ArgumentError) return null;
    throw error;
  }
}

/** In bytes: a cache line. */
const CONSTANT_ALIGNMENT = 64;

/** Other threads read them: nobody else may have seen those. */
async function copiesOf(constants: readonly TypedArray[]): Promise<readonly TypedArray[]> {
  const starts: number[] = [];
  let bytes = 0;
  for (const { byteLength } of constants) {
    starts.push(bytes);
    bytes += Math.ceil(byteLength / CONSTANT_ALIGNMENT) * CONSTANT_ALIGNMENT;
  }
  // In one piece, which is of few pages: new pages take longer than what is written there.
  const memory = backend().arena?.(bytes) ?? uninitialised('uint8', bytes);
  const jobs = constants.map((from, i) => {
    const { length } = from;
    const to = arrayOver(dtypeOf(from), memory.buffer, memory.byteOffset + starts[i], length);
    return { from, to, check: () => checkPresent(from, length, () => 'model') };
  });
  await copyInTurns(jobs);
  return jobs.map(({ to }) => to);
}

/** Steps for one call, or one that JavaScript runs. */
type Section =
  | { readonly kind: 'native'; readonly program: NetworkProgram; readonly steps: readonly KernelStep[] }
  | { readonly kind: 'script'; readonly step: ScriptStep | OperationStep };

/** The same, ready to run. */
type Segment =
  | { readonly kind: 'native'; readonly bound: BoundNetwork; readonly steps: readonly KernelStep[] }
  | Extract<Section, { kind: 'script' }>;

function bind(
  { program, steps }: Extract<Section, { kind: 'native' }>,
  by: (program: NetworkProgram) => BoundNetwork | undefined,
): Segment {
  const bound = by(program);
  if (bound === undefined) throw new Error('kernel steps need the native backend');
  return { kind: 'native', bound, steps };
}

/** What the latest graph has packed, call by call. */
function lendersOf({ latest }: Shared): BoundNetwork[] {
  return latest === null ? [] : latest.nativeSegments();
}

/** A graph that is planned, with nothing packed yet. */
interface Draft {
  readonly lowered: Lowered;
  readonly memory: MemoryPlan;
  readonly sections: readonly Section[];
}

/** Pauses often enough that turns are short. */
function* drafting(
  graph: Graph,
  { exactness, isOwn = false }: Preparation,
  { constants, derivations }: Shared,
): Generator<undefined, Draft, void> {
  const lowered = yield* lowering(yield* rewriting(graph, derivations), exactness, derivations);
  const memory = yield* planningMemory(lowered, constants);
  return { lowered, memory, sections: yield* encoding(lowered, memory, constants, isOwn) };
}

function* encoding(
  lowered: Lowered,
  { places, arenaBytes }: MemoryPlan,
  constants: Constants,
  constantsLast: boolean,
): Generator<undefined, Section[], void> {
  const { values, steps, inputs, outputs } = lowered;
  const placeOf = (value: number) => {
    const place = places[value];
    if (place === null) throw new Error(`value ${values[value].name} has no place`);
    return place;
  };
  const bytesOf = (id: number) => lowered.sizeOf(id) * BYTES[storageOf(values[id].type)];
  const isAlone = steps.every((step) => step.kind !== 'script' && step.kind !== 'operation');
  const [inputBytes, outputBytes] = [inputs.map(bytesOf), outputs.map(bytesOf)];
  const sections: Section[] = [];
  let kernels: KernelStep[] = [];
  let words = new Words(placeOf, constants);
  const flush = () => {
    if (kernels.length === 0) return;
    const memory = { arenaBytes, inputBytes, outputBytes };
    const program = {
      words: words.finish(),
      ...memory,
      constants: constants.list,
      constantsLast,
      isAlone,
      spent: [],
    };
    sections.push({ kind: 'native', program, steps: kernels });
    kernels = [];
    words = new Words(placeOf, constants);
  };
  for (const step of steps) {
    yield;
    if (step.kind === 'script' || step.kind === 'operation') {
      flush();
      sections.push({ kind: 'script', step });
    } else {
      kernels.push(step);
      words.push(STEP_KINDS.indexOf(step.kind));
      step.encode(words);
    }
  }
  flush();
  return sections;
}

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

  constructor({ lowered, memory }: Draft, segments: readonly Segment[]) {
    this.#lowered = lowered;
    this.#memory = memory;
    this.#segments = segments;
    this.steps = this.#report();
    this.peakBytes = this.#peakBytes();
  }

  nativeSegments(): BoundNetwork[] {
    return this.#segments.flatMap((segment) => (segment.kind === 'native' ? [segment.bound] : []));
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
