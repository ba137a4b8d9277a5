/** A network over values by name: its segments prepared for each shape that comes, and run one after the other. */
import { type AbortSignalLike, untilAborted } from '../backend/abort.js';
import { withOwnOperands } from '../backend/own-operands.js';
import { ArgumentError } from '../errors.js';
import { breathe, paced } from '../host/pace.js';
import {
  buildingSegment,
  buildSegment,
  type Entry,
  type Given,
  type Rest,
  type Segment,
  type Source,
} from './build.js';
import { prepareCompiled, prepareCompiledInTime } from './compile.js';
import type { View } from './evaluate.js';
import type { Executable, Preparation, StepReport, StepTime } from './executable.js';

/** Shapes (and elements that shapes depend on) that a service alternates between; one past these is prepared anew. */
const MOST_STAGES = 16;
/** Elements that may tell one stage from another. */
const LONGEST_KEY = 4096;

/** A segment prepared for its shapes, and what has been prepared to follow it. */
interface Stage {
  readonly segment: Segment;
  readonly executable: Executable;
  readonly next: Stages;
}

/** Stages for one place of the network, by what tells them apart; and those that are being prepared. */
class Stages {
  readonly ready = new Map<string, Stage>();
  readonly coming = new Map<string, Promise<Stage>>();

  /** The latest is the last to be dropped. */
  find(key: string | null): Stage | undefined {
    const known = key === null ? undefined : this.ready.get(key);
    if (known === undefined || key === null) return undefined;
    this.ready.delete(key);
    this.ready.set(key, known);
    return known;
  }

  add(key: string | null, stage: Stage): void {
    const unkeyed = key === null ? this.ready.get(UNKEYED) : undefined;
    if (unkeyed !== undefined) release(unkeyed);
    this.ready.set(key ?? UNKEYED, stage);
    for (const [oldest, dropped] of this.ready) {
      if (this.ready.size <= MOST_STAGES) break;
      this.ready.delete(oldest);
      release(dropped);
    }
  }

  release(): void {
    for (const stage of this.ready.values()) release(stage);
    this.ready.clear();
  }
}

export class SegmentedNetwork {
  readonly #source: Source;
  readonly #preparation: Preparation;
  readonly #first = new Stages();
  /** Asynchronous calls under way, which go on when it is disposed of. */
  #users = 0;
  #disposed = false;
  /** Whether constants are gone: the one stage that there can be has been prepared. */
  #isSpent = false;

  constructor(source: Source, preparation: Preparation) {
    this.#source = source;
    this.#preparation = preparation;
  }

  /** Prepares for inputs of these types and shapes: the first stage, since others may depend on elements. */
  async warm(inputs: ReadonlyMap<string, Given>): Promise<void> {
    const { key, entry } = this.#entryOf(inputs);
    await this.#stageInTime(this.#first, key, entry);
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
    signal?.throwIfAborted();
    let next: Next = { among: this.#first, ...this.#entryOf(inputs), feeds: inputs };
    this.#users++;
    try {
      while (true) {
        const { among, key, entry, feeds } = next;
        let [stage, own] = [among.find(key), feeds];
        if (stage === undefined) {
          const copying = copiesOf(feeds);
          // What is prepared serves other calls, too: it goes on when this one is aborted.
          const coming = Promise.all([this.#stageInTime(among, key, entry), copying]);
          [stage, own] = await untilAborted(coming, signal);
        }
        const outputs = await stage.executable.runAsync(feedsOf(stage, own), signal);
        if (stage.segment.rest === null) return namedOutputs(stage, outputs);
        next = this.#nextOf(stage, stage.segment.rest, outputs);
      }
    } finally {
      this.#users--;
      this.#releaseIfDue();
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

  /** Frees what is packed, once calls under way have ended. */
  dispose(): void {
    this.#disposed = true;
    this.#releaseIfDue();
  }

  #releaseIfDue(): void {
    if (this.#disposed && this.#users === 0) this.#first.release();
  }

  #begin(inputs: ReadonlyMap<string, Given>): Stage {
    const { key, entry } = this.#entryOf(inputs);
    return this.#stage(this.#first, key, entry);
  }

  #entryOf(inputs: ReadonlyMap<string, Given>): { key: string; entry: Entry } {
    if (this.#disposed) throw new ArgumentError('network: expected one in use, got a disposed one');
    const given = new Map<string, Given>();
    for (const [name, { type, shape }] of inputs) given.set(name, { type, shape, data: null });
    const key = [...given.values()].map(({ shape }) => shape.join('x')).join(';');
    return { key, entry: { position: 0, given } };
  }

  #stage(among: Stages, key: string | null, entry: Entry): Stage {
    const known = among.find(key);
    if (known !== undefined) return known;
    this.#checkConstants();
    const segment = buildSegment(this.#source, entry);
    const executable = prepareCompiled(segment.graph, this.#preparation);
    const stage = { segment, executable, next: new Stages() };
    among.add(key, stage);
    return stage;
  }

  /** As #stage, in short turns, with weights packed by other threads; once, for however many calls. */
  async #stageInTime(among: Stages, key: string | null, entry: Entry): Promise<Stage> {
    const prepare = async () => {
      this.#checkConstants();
      const segment = await paced(buildingSegment(this.#source, entry));
      await breathe();
      this.#isSpent = this.#preparation.isFixed === true && segment.rest === null;
      const executable = await prepareCompiledInTime(segment.graph, this.#preparation, this.#isSpent);
      // A call that could not wait has prepared it meanwhile.
      const known = among.find(key);
      if (known !== undefined) {
        executable.release();
        return known;
      }
      const stage = { segment, executable, next: new Stages() };
      among.add(key, stage);
      return stage;
    };
    if (key === null) return prepare();
    const known = among.find(key) ?? among.coming.get(key);
    if (known !== undefined) return known;
    this.#users++;
    const coming = prepare().finally(() => {
      among.coming.delete(key);
      this.#users--;
      this.#releaseIfDue();
    });
    among.coming.set(key, coming);
    return coming;
  }

  #checkConstants(): void {
    if (this.#isSpent) throw new Error('a network of fixed shapes is prepared once');
  }

  /** The stage after one. */
  #follow(stage: Stage, rest: Rest, outputs: readonly View[]): { stage: Stage; feeds: Next['feeds'] } {
    const { among, key, entry, feeds } = this.#nextOf(stage, rest, outputs);
    return { stage: this.#stage(among, key, entry), feeds };
  }

  /** What follows a stage, now that elements are known which shapes depend on. */
  #nextOf(stage: Stage, rest: Rest, outputs: readonly View[]): Next {
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
    return { among: stage.next, key, entry: { position: rest.position, given }, feeds };
  }
}

/** Which stage comes next, and what it is fed. */
interface Next {
  readonly among: Stages;
  readonly key: string | null;
  readonly entry: Entry;
  readonly feeds: ReadonlyMap<string, View>;
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

/** As they are when a call is made that has to wait for its preparation. */
async function copiesOf(feeds: ReadonlyMap<string, View>): Promise<ReadonlyMap<string, View>> {
  const operands = Object.fromEntries([...feeds].map(([name, { data }]) => [name, data]));
  return withOwnOperands(operands, 0, {}, (own) => {
    const copies = [...feeds].map(([name, view]): [string, View] => [name, { ...view, data: own[name] }]);
    return new Map(copies);
  });
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
  next.release();
}
