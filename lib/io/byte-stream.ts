/** Bytes read in order, from a file or from a member of an archive: only a piece of them is ever in memory. */
import { describe, mismatch } from '../check.js';
import { FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';

const NOTHING = new Uint8Array(0);

export class ByteStream {
  /** How many have been read. */
  position = 0;
  readonly #pieces: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = NOTHING;

  /**
   * @param name    What an error calls it.
   * @param size    How many there are from the beginning to the end.
   * @param pieces  The bytes, at once or a piece at a time; what they throw, the reads throw.
   */
  constructor(
    readonly name: string,
    readonly size: number,
    pieces: AsyncIterable<Uint8Array> | Uint8Array,
  ) {
    if (pieces instanceof Uint8Array) this.#rest = pieces;
    else this.#pieces = pieces[Symbol.asyncIterator]();
  }

  get left(): number {
    return this.size - this.position;
  }

  /** Fills `target`, or FormatError with the place where the bytes ran out. */
  async fill(target: Uint8Array, what: string): Promise<void> {
    const start = this.position;
    for (let filled = 0; filled < target.length; ) {
      if (this.#rest.length === 0) {
        if (await this.#next()) continue; // to look again: whoever lent them may have taken them away
        const expected = `${target.length} bytes of ${what} at byte ${start}`;
        throw new FormatError(`${this.name}: expected ${expected}, got ${filled}`);
      }
      const taken = this.#cut(Math.min(this.#rest.length, target.length - filled));
      target.set(taken, filled);
      filled += taken.length;
    }
  }

  /** The next `length` bytes where they have come already, as those of a small member have: without a promise. */
  takeAtOnce(length: number): Uint8Array | undefined {
    return length > this.#rest.length ? undefined : this.#cut(length);
  }

  /** The first `length` of the bytes that have come. */
  #cut(length: number): Uint8Array {
    try {
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      this.position += length;
      return bytes;
    } catch {
      // Compiled code was seen to know the length of a view whose buffer is gone.
      throw mismatch(FormatError, this.name, `${length} bytes until they are read`, describe(this.#rest));
    }
  }

  /** The next `length` bytes, which are not to be written to. */
  async take(length: number, what: string): Promise<Uint8Array> {
    // Before memory is taken for them: the length is the file's word.
    if (length > this.left) {
      const expected = `${length} bytes of ${what} at byte ${this.position}`;
      throw new FormatError(`${this.name}: expected ${expected}, got ${this.left}`);
    }
    const there = this.takeAtOnce(length);
    if (there !== undefined) return there;
    const bytes = new Uint8Array(length);
    await this.fill(bytes, what);
    return bytes;
  }

  /** Reads what is left, so that checksums are compared. */
  async finish(): Promise<void> {
    do {
      this.position += this.#rest.length;
      this.#rest = NOTHING;
    } while (this.#pieces !== undefined && (await this.#next()));
  }

  /** No more is wanted: whatever the pieces come from is let go. */
  async close(): Promise<void> {
    await this.#pieces?.return?.();
  }

  async #next(): Promise<boolean> {
    if (this.#pieces === undefined) return false;
    const { value, done } = await this.#pieces.next();
    if (done) return false;
    const { length } = value;
    // Many reads may end in one turn of the event loop: what is done with them waits for its time.
    await breathe();
    if (value.length !== length)
      throw mismatch(FormatError, this.name, `${length} bytes until they are read`, describe(value));
    this.#rest = value;
    return true;
  }
}
