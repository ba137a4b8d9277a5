/** What a file may make its reader spend: a few bytes can claim any size. */
import { checkNumber, checkOptions } from '../check.js';
import { MemoryError } from '../errors.js';

/** How much may be read, and as what. */
export interface ReadOptions {
  /**
   * The most bytes that what a file holds may take in memory, counted in what is kept. Default 4 GiB; of what a file
   * claims without holding it, such as empty rows, 4 MiB and sixteen times its size unless maxBytes is given.
   */
  readonly maxBytes?: number;
  /**
   * What 64-bit integers become: 'int32' (the default), or a FormatError where one does not fit; 'float64', which is
   * exact to 2⁵³ and rounds beyond.
   */
  readonly int64?: 'int32' | 'float64';
}

export const READ_OPTIONS = ['maxBytes', 'int64'] as const;

const DEFAULT_MAX_BYTES = 2 ** 32;
const CLAIMED_BYTES = 2 ** 22;
const CLAIMED_PER_BYTE = 16;

/** Counts what is about to be allocated; MemoryError once it passes the most. */
export class Budget {
  readonly #name: string;
  readonly #most: number;
  /** The most that may be claimed beyond what the file holds. */
  readonly #mostClaimed: number;
  #taken = 0;
  #claimed = 0;

  constructor(name: string, fileSize: number, options: ReadOptions | undefined) {
    const { maxBytes } = checkOptions(options, READ_OPTIONS);
    this.#name = name;
    this.#most = checkMaxBytes(maxBytes);
    this.#mostClaimed =
      maxBytes === undefined ? CLAIMED_BYTES + CLAIMED_PER_BYTE * fileSize : Number.POSITIVE_INFINITY;
  }

  /** For what the file holds, byte for byte or nearly so. */
  take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken > this.#most) throw this.#refusal(this.#most, this.#taken);
  }

  /** For what the file only says. */
  claim(bytes: number): void {
    this.#claimed += bytes;
    if (this.#claimed > this.#mostClaimed) throw this.#refusal(this.#mostClaimed, this.#claimed);
    this.take(bytes);
  }

  /** What a sparse matrix of this shape takes besides its entries while it is made: offsets by row and by column. */
  claimOffsets(rows: number, cols: number): void {
    this.claim(4 * (rows + 1) + 4 * (cols + 1));
  }

  #refusal(most: number, bytes: number): MemoryError {
    const expected = `what takes at most ${most} bytes (options.maxBytes)`;
    return new MemoryError(`${this.#name}: expected ${expected}, got ${bytes}`);
  }
}

/** The option that bounds a reader, checked. */
export function checkMaxBytes(maxBytes: number | undefined): number {
  return checkNumber(maxBytes ?? DEFAULT_MAX_BYTES, 'options.maxBytes', 0);
}
