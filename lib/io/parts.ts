/** The caller's arrays as bytes to be written, of which nothing is copied. */
import { describe, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';

/** Some memory, which must be there for as long as it is written. */
export interface Part {
  readonly byteLength: number;
  /** A piece at a time. @throws {ArgumentError} when the memory has been resized or transferred since. */
  pieces(): Iterable<Uint8Array>;
}

/** What is copied and summed up without letting the event loop turn: some tenths of a millisecond. */
const PIECE = 1 << 18;

export function partOf(array: ArrayBufferView): Part {
  // As they are now: a view that follows its buffer's size changes with it.
  const { buffer, byteOffset, byteLength } = array;
  return {
    byteLength,
    *pieces() {
      for (let at = 0; at < byteLength; at += PIECE) {
        if (buffer.byteLength < byteOffset + byteLength) {
          const expected = `memory that stays while it is written (${byteLength} bytes)`;
          throw mismatch(ArgumentError, 'data', expected, describe(array));
        }
        yield new Uint8Array(buffer, byteOffset + at, Math.min(PIECE, byteLength - at));
      }
    },
  };
}

export function sizeOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** One part behind the other. */
export function* piecesOfParts(parts: readonly Part[]): Generator<Uint8Array> {
  for (const part of parts) yield* part.pieces();
}
