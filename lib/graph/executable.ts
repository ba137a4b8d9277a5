/** What a prepared graph is to the network that runs it. */
import type { AbortSignalLike } from '../backend/abort.js';
import type { Exactness } from '../plan/algorithms/algorithm.js';
import type { Shape } from '../tensor/tensor.js';
import type { View } from './evaluate.js';

/** One step as `explain` tells it. */
export interface StepReport {
  /** What it does, with what was fused into it. */
  readonly step: string;
  /** The nodes of the file that it does the work of. */
  readonly nodes: readonly string[];
  /** What runs it. */
  readonly algorithm: string;
  /** Shape of what the step gives. */
  readonly outputShape: Shape;
  /** Of the definition, not of the algorithm. */
  readonly multiplications: number;
  /** Read and written. */
  readonly bytes: number;
}

/** How long a step took. */
export interface StepTime {
  /** As in explain(). */
  readonly step: string;
  /** Milliseconds. */
  readonly ms: number;
}

/** A graph prepared to run any number of times, also concurrently. */
export interface Executable {
  readonly steps: readonly StepReport[];
  /** Memory that one run holds at most, weights included. */
  readonly peakBytes: number;
  /** Outputs in the graph's order: arrays of their own, that nobody else will write. Inputs are in the graph's order too. */
  run(inputs: readonly View[]): View[];
  /** As run, off the event loop; inputs are copied when the call is made. Rejects with the signal's reason at the next step. */
  runAsync(inputs: readonly View[], signal?: AbortSignalLike): Promise<View[]>;
  /** One run, timed step by step. */
  profile(inputs: readonly View[]): { readonly outputs: View[]; readonly steps: readonly StepTime[] };
  /** Frees packed weights once runs in flight have ended. */
  release(): void;
}

/** What graphs of one network share, whatever their shapes. */
export interface Preparation {
  readonly exactness: Exactness;
  /** Whether nobody else can write to the constants, nor hand their memory on. Default false. */
  readonly isOwn?: boolean;
  /** Whether nothing is prepared but for the first shapes, nor are constants read for anything else. Default false. */
  readonly isFixed?: boolean;
}
