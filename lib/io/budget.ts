/** What a file may make its reader allocate: a few bytes can claim any size. */
import { checkNumber, checkOptions } from '../check.js';
import { MemoryError } from '../errors.js';

export interface ReadOptions {
  /** The most bytes that what a file holds may take in memory. Default 4 GiB. */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 2 ** 32;

/** Counts what is about to be allocated; MemoryError once it passes the most. */
export class Budget {
  readonly #name: string;
  readonly #most: number;
  #taken = 0;

  constructor(name: string, options: ReadOptions | undefined) {
    const { maxBytes = DEFAULT_MAX_BYTES } = checkOptions(options, ['maxBytes']);
    this.#name = name;
    this.#most = checkNumber(maxBytes, 'options.maxBytes', 0);
  }

  take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken > this.#most) {
      const most = `at most ${this.#most} bytes (options.maxBytes)`;
      throw new MemoryError(`${this.#name}: expected what takes ${most}, got ${this.#taken}`);
    }
  }

  /** What a sparse matrix of this shape takes besides its entries while it is made: offsets by row and by column. */
  takeOffsets(rows: number, cols: number): void {
    this.take(4 * (rows + 1) + 4 * (cols + 1));
  }
}
