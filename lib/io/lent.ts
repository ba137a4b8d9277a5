/** Memory that callers lend while a promise is open, and may take away in between. */
import { describe, mismatch } from '../check.js';
import { FormatError } from '../errors.js';

/** A copy of bytes that whoever lent them may take away at any time. @throws {FormatError} when they are gone. */
export function copyOfLent(bytes: Uint8Array, name: string): Buffer {
  const { length } = bytes;
  try {
    const copy = Buffer.from(bytes);
    if (copy.length === length) return copy;
  } catch {
    // Compiled code was seen to know the length of a view whose buffer is gone.
  }
  throw mismatch(FormatError, name, `${length} bytes until they are read`, describe(bytes));
}
