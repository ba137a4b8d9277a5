/** The caller's arrays as bytes to be written, of which nothing is copied but complex numbers. */
import { describe, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';
import { type FloatArray, uninitialisedLike } from '../tensor/dtype.js';

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

/** Numbers of two arrays in turn, real and imaginary parts as files of complex numbers hold them; a piece of them is copied at a time. */
export function interleaved(re: FloatArray, im: FloatArray): Part {
  const [length, bytes] = [re.length, 2 * re.BYTES_PER_ELEMENT];
  return {
    byteLength: length * bytes,
    *pieces() {
      const most = PIECE / bytes;
      for (let at = 0; at < length; at += most) {
        if (re.length !== length || im.length !== length) {
          const expected = `memory that stays while it is written (${length} elements)`;
          throw mismatch(ArgumentError, 'data', expected, describe(re.length === length ? im : re));
        }
        const count = Math.min(most, length - at);
        const both = uninitialisedLike(re, 2 * count);
        for (let i = 0; i < count; i++) {
          both[2 * i] = re[at + i];
          both[2 * i + 1] = im[at + i];
        }
        yield new Uint8Array(both.buffer, both.byteOffset, both.byteLength);
      }
    },
  };
}

/** All of them in one array. */
export function bytesOf(parts: readonly Part[]): Uint8Array {
  const bytes = new Uint8Array(sizeOf(parts));
  let at = 0;
  for (const piece of piecesOfParts(parts)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

export function sizeOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** One part behind the other. */
export function* piecesOfParts(parts: readonly Part[]): Generator<Uint8Array> {
  for (const part of parts) yield* part.pieces();
}
