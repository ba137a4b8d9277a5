/** Rows, columns and values of entries whose number is only known when all have come. */
import { uninitialised } from '../tensor/dtype.js';
import type { Budget } from './budget.js';

const FIRST = 1024;
/** Row, column and value, here and in the matrix that is made of them. */
const ENTRY_BYTES = 2 * 16;

export class Triplets {
  readonly #budget: Budget;
  #rows = uninitialised('int32', FIRST);
  #cols = uninitialised('int32', FIRST);
  #values = uninitialised('float64', FIRST);
  #count = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  push(row: number, col: number, value: number): void {
    if (this.#count === this.#values.length) this.#grow();
    this.#rows[this.#count] = row;
    this.#cols[this.#count] = col;
    this.#values[this.#count++] = value;
  }

  get rows(): Int32Array {
    return this.#rows.subarray(0, this.#count);
  }

  get cols(): Int32Array {
    return this.#cols.subarray(0, this.#count);
  }

  get values(): Float64Array {
    return this.#values.subarray(0, this.#count);
  }

  #grow(): void {
    const length = 2 * this.#count;
    this.#budget.take(ENTRY_BYTES * this.#count);
    const [rows, cols, values] = [this.#rows, this.#cols, this.#values];
    this.#rows = uninitialised('int32', length);
    this.#cols = uninitialised('int32', length);
    this.#values = uninitialised('float64', length);
    this.#rows.set(rows);
    this.#cols.set(cols);
    this.#values.set(values);
  }
}
