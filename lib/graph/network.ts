/** A network over values by name: its segments prepared for each shape that comes, and run one after the other. */
import type { AbortSignalLike } from '../backend/abort.js';
import { ArgumentError } from '../errors.js';
import { buildSegment, type Entry, type Given, type Rest, type Segment, type Source } from './build.js';
import type { View } from './evaluate.js';
import type { Executable, Preparation, PrepareGraph, StepReport, StepTime } from './executable.js';

/** Shapes (and elements that shapes depend on) that a service alternates between; one past these is prepared anew. */
const MOST_STAGES = 16;
/** Elements that may tell one stage from another. */
const LONGEST_KEY = 4096;

/** A segment prepared for its shapes, and what has been prepared to follow it. */
interface Stage {
  readonly segment: Segment;
  readonly executable: Executable;
  readonly next: Map<string, Stage>;
}

export class SegmentedNetwork {
  readonly #source: Source;
  readonly #prepare: PrepareGraph;
  readonly #preparation: Preparation;
  readonly #first = new Map<string, Stage>();
  #disposed = false;

  constructor(source: Source, prepare: PrepareGraph, preparation: Preparation) {
    this.#source = source;
    this.#prepare = prepare;
    this.#preparation = preparation;
  }

  /** Prepares for inputs of these types and shapes: the first stage, since others may depend on elements. */
  warm(given: ReadonlyMap<string, Given>): void {
    this.#begin(given);
  }

  run(inputs: ReadonlyMap<string, View>): Map<string, View> {
    let feeds = inputs;
    for (let stage = this.#begin(inputs); ; ) {
      const outputs = stage.executable.run(feedsOf(stage, feeds));
      if (stage.segment.rest === null) return namedOutputs(stage, outputs);
      ({ stage, feeds } = this.#follow(stage, stage.segment.rest, outputs));
    }
  }

  async runAsync(inputs: ReadonlyMap<string, View>, signal?: AbortSignalLike): Promise<Map<string, View>> {
    let feeds = inputs;
    for (let stage = this.#begin(inputs); ; ) {
      const outputs = await stage.executable.runAsync(feedsOf(stage, feeds), signal);
      if (stage.segment.rest === null) return namedOutputs(stage, outputs);
      ({ stage, feeds } = this.#follow(stage, stage.segment.rest, outputs));
    }
  }

  profile(inputs: ReadonlyMap<string, View>): StepTime[] {
    const times: StepTime[] = [];
    let feeds = inputs;
    for (let stage = this.#begin(inputs); ; ) {
      const { outputs, steps } = stage.executable.profile(feedsOf(stage, feeds));
      times.push(...steps);
      if (stage.segment.rest === null) return times;
      ({ stage, feeds } = this.#follow(stage, stage.segment.rest, outputs));
    }
  }

  /** Steps as far as they follow from the shapes, and whether those are all. */
  explain(given: ReadonlyMap<string, Given>): {
    steps: readonly StepReport[];
    peakBytes: number;
    whole: boolean;
  } {
    const { executable, segment } = this.#begin(given);
    return { steps: executable.steps, peakBytes: executable.peakBytes, whole: segment.rest === null };
  }

  dispose(): void {
    this.#disposed = true;
    releaseAll(this.#first);
  }

  #begin(inputs: ReadonlyMap<string, Given>): Stage {
    if (this.#disposed) throw new ArgumentError('network: expected one in use, got a disposed one');
    const given = new Map<string, Given>();
    for (const [name, { type, shape }] of inputs) given.set(name, { type, shape, data: null });
    const key = [...given.values()].map(({ shape }) => shape.join('x')).join(';');
    return this.#stage(this.#first, key, { position: 0, given });
  }

  #stage(among: Map<string, Stage>, key: string | null, entry: Entry): Stage {
    const known = key === null ? undefined : among.get(key);
    if (known !== undefined && key !== null) {
      // The latest is the last to be dropped.
      among.delete(key);
      among.set(key, known);
      return known;
    }
    const segment = buildSegment(this.#source, entry);
    const executable = this.#prepare(segment.graph, this.#preparation);
    const stage = { segment, executable, next: new Map<string, Stage>() };
    const unkeyed = key === null ? among.get(UNKEYED) : undefined;
    if (unkeyed !== undefined) release(unkeyed);
    among.set(key ?? UNKEYED, stage);
    for (const [oldest, dropped] of among) {
      if (among.size <= MOST_STAGES) break;
      among.delete(oldest);
      release(dropped);
    }
    return stage;
  }

  /** The stage after one, now that elements are known which its shapes depend on. */
  #follow(stage: Stage, rest: Rest, outputs: readonly View[]): { stage: Stage; feeds: Map<string, View> } {
    const feeds = new Map(rest.carried.map((name, i) => [name, outputs[i]]));
    const operands = outputs.slice(rest.carried.length);
    const given = new Map<string, Given>(rest.constants);
    let key: string | null;
    if (rest.interlude === null) {
      operands.forEach((view, i) => {
        for (const name of rest.operands[i]) given.set(name, view);
      });
      key = keyOf(operands);
    } else {
      const result = rest.interlude.run(operands);
      feeds.set(rest.interlude.output, result);
      key = result.shape.join('x');
    }
    for (const [name, { type, shape }] of feeds) given.set(name, { type, shape, data: null });
    return { stage: this.#stage(stage.next, key, { position: rest.position, given }), feeds };
  }
}

/** Under this name stands the latest of those that too many elements tell apart. */
const UNKEYED = 'unkeyed';

/** Operands told apart by their elements; null when they are too many. */
function keyOf(operands: readonly View[]): string | null {
  const count = operands.reduce((sum, { data }) => sum + data.length, 0);
  return count > LONGEST_KEY
    ? null
    : operands.map(({ shape, data }) => `${shape.join('x')}:${data.join()}`).join(';');
}

function feedsOf({ segment }: Stage, feeds: ReadonlyMap<string, View>): View[] {
  return segment.inputNames.map((name) => {
    const view = feeds.get(name);
    if (view === undefined) throw new Error(`${name} is read and was not given`);
    return view;
  });
}

function namedOutputs({ segment }: Stage, outputs: readonly View[]): Map<string, View> {
  return new Map(segment.graph.outputs.map(({ name }, i) => [name, outputs[i]]));
}

function release({ executable, next }: Stage): void {
  executable.release();
  releaseAll(next);
}

function releaseAll(stages: Map<string, Stage>): void {
  for (const stage of stages.values()) release(stage);
  stages.clear();
}
