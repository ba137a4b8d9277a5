/**
 * Steps as they cross to native code: one list of numbers, in the order in which native/network reads them. Its lists
 * are lib/backend/steps.ts.
 */

import { HOMES } from '../../backend/steps.js';
import { StoredFloats } from '../../onnx-file/stored-floats.js';
import { DTYPES, type DType } from '../../tensor/dtype.js';
import type { Elements } from '../graph.js';

/** The place of a value: its home, which of it, and the bytes in front of it there. */
export interface Place {
  readonly home: (typeof HOMES)[number];
  /** Of a constant, input or output; 0 for the arena. */
  readonly index: number;
  readonly offset: number;
}

/** Constants by number, the same for every graph of a model: what is packed from them can be shared. */
export class Constants {
  readonly #numbers = new Map<Elements, number>();
  readonly list: Elements[] = [];
  /** How often each was asked for. */
  readonly uses: number[] = [];
  /** Those that steps are packed from, by number. */
  readonly weights = new Set<number>();

  number(elements: Elements): number {
    const known = this.#numbers.get(elements);
    if (known !== undefined) {
      this.uses[known]++;
      return known;
    }
    const number = this.list.length;
    this.uses.push(1);
    this.#numbers.set(elements, number);
    this.list.push(elements);
    return number;
  }
}

/** Writes one list. */
export class Words {
  readonly #words: number[] = [];
  readonly #placeOf: (value: number) => Place;
  readonly #constants: Constants;

  constructor(placeOf: (value: number) => Place, constants: Constants) {
    this.#placeOf = placeOf;
    this.#constants = constants;
  }

  push(...numbers: readonly number[]): this {
    for (const number of numbers) this.#words.push(number);
    return this;
  }
  flag(value: boolean): this {
    return this.push(value ? 1 : 0);
  }
  dtype(dtype: DType): this {
    return this.push(DTYPES.indexOf(dtype));
  }
  /** An operand of a step: a value, wherever it lies. */
  operand(value: number): this {
    const { home, index, offset } = this.#placeOf(value);
    return this.push(HOMES.indexOf(home), index, offset);
  }
  /** A constant that a step is made from; −1 for none. */
  constant(elements: Elements | null): this {
    return this.push(elements === null ? -1 : this.#constants.number(elements));
  }
  /** Weights that a step is packed from: a constant, and a factor for each row of it; −1 for none. */
  weight(weight: Float32Array | StoredFloats): this {
    const isStored = weight instanceof StoredFloats;
    const number = this.#constants.number(isStored ? weight.bytes : weight);
    this.#constants.weights.add(number);
    return this.push(number).constant(isStored ? weight.scale : null);
  }
  finish(): Float64Array {
    return Float64Array.from(this.#words);
  }
}
