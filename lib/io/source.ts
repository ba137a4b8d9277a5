/** Bytes read in order, from a file or from an entry of an archive: only as many as asked for are ever in memory. */
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { FormatError } from '../errors.js';

export interface ByteSource {
  /** What an error calls it. */
  readonly name: string;
  /** Bytes that it holds from its beginning to its end. */
  readonly size: number;
  /** How many have been read. */
  readonly position: number;
  /** Fills as much of `target` as there is; the count is less only at the end. */
  read(target: Uint8Array): Promise<number>;
}

export class FileSource implements ByteSource {
  position = 0;

  constructor(
    readonly name: string,
    readonly size: number,
    private readonly handle: FileHandle,
  ) {}

  async read(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await this.handle.read(target, filled, target.length - filled, this.position);
      if (bytesRead === 0) break;
      filled += bytesRead;
      this.position += bytesRead;
    }
    return filled;
  }
}

export class StreamSource implements ByteSource {
  position = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(
    readonly name: string,
    readonly size: number,
    stream: Readable,
  ) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async read(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#chunks.next();
        if (done) break;
        this.#rest = value;
      }
      const taken = Math.min(this.#rest.length, target.length - filled);
      target.set(this.#rest.subarray(0, taken), filled);
      this.#rest = this.#rest.subarray(taken);
      filled += taken;
    }
    this.position += filled;
    return filled;
  }
}

/** Exactly `length` bytes, or FormatError with the place where they ran out. */
export async function readExactly(source: ByteSource, length: number, what: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await fillExactly(source, bytes, what);
  return bytes;
}

export async function fillExactly(source: ByteSource, target: Uint8Array, what: string): Promise<void> {
  const start = source.position;
  const filled = await source.read(target);
  if (filled < target.length) {
    throw new FormatError(
      `${source.name}: expected ${target.length} bytes of ${what} at byte ${start}, got ${filled}`,
    );
  }
}
