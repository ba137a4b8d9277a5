/** A step of a network that is ready to run: one native kernel call, or one operation in JavaScript. */

import type { StepKind } from '../../backend/steps.js';
import type { View } from '../evaluate.js';
import type { Elements, ElementType, GraphNode, Known, Value } from '../graph.js';
import type { Words } from './words.js';

interface StepBase {
  /** What it does, for people: 'Conv + Add + Relu'. */
  readonly label: string;
  /** How, and why, where there was a choice. */
  readonly algorithm: string;
  /** The nodes of the file that it does the work of. */
  readonly sources: readonly string[];
  /** Values that it reads, constants among them, and those that it writes. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly multiplications: number;
}

/** A kernel: in C++ what `encode` says, in JavaScript what `run` does. */
export interface KernelStep extends StepBase {
  readonly kind: StepKind;
  /** A value that it reads element by element as it writes its result, which may lie in the same memory. */
  readonly overwrites?: number | null;
  encode(words: Words): void;
}

/** A convolution in JavaScript, or a program: the steps that are worth more than their operations one by one. */
export interface ScriptStep extends StepBase {
  readonly kind: 'script';
  run(viewOf: (value: number) => View): void;
  release(): void;
}

/** One operation as it is evaluated when nothing runs it faster. */
export interface OperationStep extends StepBase {
  readonly kind: 'operation';
  readonly node: GraphNode;
}

export type Step = KernelStep | ScriptStep | OperationStep;

/** What lowering works with. */
export interface Lowering {
  readonly values: Value[];
  /** A value of this lowering alone: what one step leaves for the next. */
  temporary(name: string, type: ElementType, shape: readonly number[]): number;
  /** A constant of this model, made once from others. */
  derive<E extends Elements>(what: string, sources: readonly Known[], make: () => E): E;
  /** The same, as a value. */
  constant(what: string, shape: readonly number[], make: () => Float32Array): number;
  push(step: Step): void;
  /** One value lies inside another, so many elements behind its first. */
  alias(value: number, within: number, offset: number): void;
}
