/** A value of a graph, and what is known of its elements before anything runs. */
import { describe } from '../check.js';
import { checkPresent, StoredFloats } from '../onnx-file/stored-floats.js';
import type { Elements, ElementType } from '../tensor/element-type.js';
import type { Shape } from '../tensor/tensor.js';
import { DequantizedFloats } from './dequantized.js';
import { sizeOf } from './shapes.js';

/** Elements of a constant, or what stands for them. */
export type Known = Elements | StoredFloats | DequantizedFloats;

/** Integers, their scales and zero points (null for 0), which go along an axis where there are several: ids of values. */
export interface Dequantized {
  readonly value: number;
  readonly scale: number;
  readonly zero: number | null;
  readonly axis: number;
}

export class Value {
  constructor(
    /** Its index in Graph.values. */
    readonly id: number,
    /** The name in the file, or one made from it: for people. */
    readonly name: string,
    readonly type: ElementType,
    readonly shape: Shape,
    /** Of a constant; null for what a run computes. Never written to, and shared among graphs of one model. */
    readonly known: Known | null,
    /** Of a constant that DequantizeLinear gives: what it is made from. */
    readonly dequantized?: Dequantized,
  ) {}

  /**
   * The elements of a constant, which may be made for the first who asks: `known` tells without.
   *
   * @throws {ArgumentError} when they lay in memory that was taken away, as a view of it then has none.
   */
  get constant(): Elements | null {
    const { known } = this;
    const elements =
      known instanceof StoredFloats || known instanceof DequantizedFloats ? known.elements() : known;
    if (elements !== null)
      checkPresent(elements, sizeOf(this.shape), () => `model: tensor ${describe(this.name)}`);
    return elements;
  }
}
