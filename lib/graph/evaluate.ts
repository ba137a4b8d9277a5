/** What a file of operators says of its operations: how JavaScript runs each. */
import type { Shape } from '../tensor/tensor.js';
import type { Attributes, Elements, ElementType, Operation } from './graph.js';

/** Elements with their type and shape. */
export interface View {
  readonly type: ElementType;
  readonly shape: Shape;
  readonly data: Elements;
}

/** One operation about to run: every output has its place, and nothing in it matters yet. */
export interface Call<K extends Operation> {
  readonly attributes: Attributes[K];
  readonly inputs: readonly (View | null)[];
  readonly outputs: readonly (View | null)[];
}

/** Writes the outputs. Outputs never overlap inputs, but for operations that say so. */
export type Evaluate<K extends Operation> = (call: Call<K>) => void;

export type Evaluations<K extends Operation = Operation> = { readonly [P in K]: Evaluate<P> };
