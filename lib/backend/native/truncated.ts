/** A shared library of ELF that was cut short (a full disk, a download that broke off) kills the process that maps it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const HEADER_BYTES = 64;
const ELF64_LITTLE_ENDIAN = Buffer.from('\x7fELF\x02\x01', 'latin1');

/**
 * Throws when a file of ELF ends before its table of sections, which linkers write last. Files that cannot be read, and of
 * other formats, whose loaders compare sizes themselves, are left to the loader.
 */
export function refuseTruncated(path: string): void {
  const found = startAndSize(path);
  if (found === null || !found.start.subarray(0, ELF64_LITTLE_ENDIAN.length).equals(ELF64_LITTLE_ENDIAN))
    return;
  const { start, size } = found;
  const expected =
    start.length < HEADER_BYTES
      ? HEADER_BYTES
      : Number(start.readBigUInt64LE(40)) + start.readUInt16LE(58) * start.readUInt16LE(60);
  if (size < expected) throw new Error(`it has ${size} of its ${expected} bytes`);
}

function startAndSize(path: string): { start: Buffer; size: number } | null {
  try {
    const file = openSync(path, 'r');
    try {
      const start = Buffer.alloc(HEADER_BYTES);
      return {
        start: start.subarray(0, readSync(file, start, 0, HEADER_BYTES, 0)),
        size: fstatSync(file).size,
      };
    } finally {
      closeSync(file);
    }
  } catch {
    return null;
  }
}
