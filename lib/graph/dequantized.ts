/** Floats that DequantizeLinear makes of constants. Operators of bytes read what they are made from, and not them. */
import type { Elements } from '../tensor/element-type.js';

export class DequantizedFloats {
  readonly length: number;
  readonly #make: () => Elements;
  #elements: Elements | null = null;

  /** @param make  All of them, for the first who asks. */
  constructor(length: number, make: () => Elements) {
    this.length = length;
    this.#make = make;
  }

  /** Not to be written to. */
  elements(): Elements {
    this.#elements ??= this.#make();
    return this.#elements;
  }
}
