/**
 * Zip archives, member after member. Source: APPNOTE 6.3.10. Members have their checksum in front of them, as every
 * reader takes it; long ones that are deflated behind, since it is not known before they are written. The same members give the
 * same bytes: all are dated 1 January 1980.
 */
import { deflateRawSync } from 'node:zlib';
import { mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { crc32 } from './crc32.js';
import { deflated } from './inflate.js';
import { bytesOf, type Part, piecesOfParts, sizeOf } from './parts.js';

export interface ArchiveMember {
  readonly name: string;
  /** Written one behind the other. */
  readonly parts: readonly Part[];
}

/** A member, its sizes and its checksum. */
interface Entry {
  readonly name: Buffer;
  readonly start: number;
  readonly size: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly method: number;
  /** Whether sizes and checksum come behind the member. */
  readonly sizesBehind: boolean;
}

const STORED = 0;
const DEFLATED = 8;
const UTF8 = 0x0800;
const SIZES_BEHIND = 0x0008;
const EPOCH_DATE = 0x0021;
const MOST_32 = 0xffffffff;
const LONGEST_NAME = 0xffff;
/** In bytes: members up to this are deflated in one go, in half a millisecond at most, since a stream costs more than they do. */
const DEFLATED_AT_ONCE = 1 << 15;

/** Refuses names that a reader would take for places outside of the archive, or could not hold. */
export function checkMemberName(name: string): string {
  const isPlain =
    name !== '' && !name.startsWith('/') && !name.includes('\\') && !name.split('/').includes('..');
  if (!isPlain) throw mistake(ArgumentError, 'arrays', 'names that are plain relative paths', name);
  if (Buffer.byteLength(name) > LONGEST_NAME - '.npy'.length) {
    throw mistake(ArgumentError, 'arrays', 'names below 65,532 bytes', name);
  }
  return name;
}

/** A stored archive in one piece. */
export function encodeArchive(members: readonly ArchiveMember[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  const entries: Entry[] = [];
  let at = 0;
  const add = (piece: Uint8Array): void => {
    pieces.push(piece);
    at += piece.length;
  };
  for (const { name, parts } of members) {
    let crc = 0;
    for (const piece of piecesOfParts(parts)) crc = crc32(piece, crc);
    const entry = storedEntry(name, at, sizeOf(parts), crc);
    entries.push(entry);
    add(localHeader(entry));
    for (const piece of piecesOfParts(parts)) add(piece);
  }
  add(directoryOf(entries, at));
  return Buffer.concat(pieces, at);
}

/** The pieces of an archive. onProgress hears the share of the members' bytes that has been taken. */
export async function* archivePieces(
  members: readonly ArchiveMember[],
  compress: boolean,
  onProgress: (share: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const all = members.reduce((sum, { parts }) => sum + sizeOf(parts), 0);
  let taken = 0;
  const told = (bytes: number): void => {
    taken += bytes;
    onProgress(taken / all);
  };
  const entries: Entry[] = [];
  let at = 0;
  for (const { name, parts } of members) {
    const member = compress ? deflatedMember(name, at, parts, told) : storedMember(name, at, parts, told);
    for (;;) {
      const { value, done } = await member.next();
      if (done) {
        entries.push(value);
        break;
      }
      at += value.length;
      yield value;
    }
  }
  yield directoryOf(entries, at);
}

async function* storedMember(
  name: string,
  start: number,
  parts: readonly Part[],
  told: (bytes: number) => void,
): AsyncGenerator<Uint8Array, Entry> {
  let crc = 0;
  for (const piece of piecesOfParts(parts)) {
    crc = crc32(piece, crc);
    await breathe();
  }
  const entry = storedEntry(name, start, sizeOf(parts), crc);
  yield localHeader(entry);
  let written = 0;
  for (const piece of piecesOfParts(parts)) {
    yield piece;
    written = crc32(piece, written);
    told(piece.length);
  }
  if (written !== crc) {
    const expected = `data of '${name}' that stay as they are while they are written`;
    throw new ArgumentError(`arrays: expected ${expected}, got others`);
  }
  return entry;
}

async function* deflatedMember(
  name: string,
  start: number,
  parts: readonly Part[],
  told: (bytes: number) => void,
): AsyncGenerator<Uint8Array, Entry> {
  if (sizeOf(parts) <= DEFLATED_AT_ONCE) {
    await breathe();
    const bytes = bytesOf(parts);
    const compressed = deflateRawSync(bytes);
    const stored = storedEntry(name, start, bytes.length, crc32(bytes));
    const entry = { ...stored, compressedSize: compressed.length, method: DEFLATED };
    yield localHeader(entry);
    yield compressed;
    told(bytes.length);
    return entry;
  }
  const open = { ...storedEntry(name, start, sizeOf(parts), 0), method: DEFLATED, sizesBehind: true };
  let crc = 0;
  let compressedSize = 0;
  const read = async function* (): AsyncGenerator<Uint8Array> {
    for (const piece of piecesOfParts(parts)) {
      await breathe();
      // zlib looks at it on a thread of its own: a copy is what it and the checksum agree on.
      const copy = Uint8Array.from(piece);
      crc = crc32(copy, crc);
      yield copy;
      told(piece.length);
    }
  };
  yield localHeader(open);
  await breathe();
  for await (const piece of deflated(read(), 'deflate')) {
    compressedSize += piece.length;
    yield piece;
  }
  const entry = { ...open, crc, compressedSize };
  yield recordBehind(entry);
  return entry;
}

function storedEntry(name: string, start: number, size: number, crc: number): Entry {
  const stored = { compressedSize: size, method: STORED, sizesBehind: false };
  return { name: Buffer.from(`${name}.npy`), start, size, crc, ...stored };
}

/** Whether a member's sizes may pass 32 bits; deflate adds a little to what it cannot compress. */
function isLarge({ size }: Entry): boolean {
  return size > MOST_32 - 2 ** 24;
}

function localHeader(entry: Entry): Buffer {
  const { name, size, compressedSize, crc, method, sizesBehind: behind } = entry;
  const large = isLarge(entry);
  const header = Buffer.alloc(30 + name.length + (large ? 20 : 0));
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(large ? 45 : 20, 4);
  header.writeUInt16LE(UTF8 | (behind ? SIZES_BEHIND : 0), 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt16LE(EPOCH_DATE, 12);
  header.writeUInt32LE(behind ? 0 : crc, 14);
  header.writeUInt32LE(large ? MOST_32 : behind ? 0 : compressedSize, 18);
  header.writeUInt32LE(large ? MOST_32 : behind ? 0 : size, 22);
  header.writeUInt16LE(name.length, 26);
  name.copy(header, 30);
  if (large) {
    header.writeUInt16LE(20, 28);
    wideField(behind ? [0, 0] : [size, compressedSize]).copy(header, 30 + name.length);
  }
  return header;
}

function recordBehind(entry: Entry): Buffer {
  const large = isLarge(entry);
  const record = Buffer.alloc(large ? 24 : 16);
  record.writeUInt32LE(0x08074b50, 0);
  record.writeUInt32LE(entry.crc, 4);
  if (large) {
    record.writeBigUInt64LE(BigInt(entry.compressedSize), 8);
    record.writeBigUInt64LE(BigInt(entry.size), 16);
  } else {
    record.writeUInt32LE(entry.compressedSize, 8);
    record.writeUInt32LE(entry.size, 12);
  }
  return record;
}

/** The zip64 field with these numbers. */
function wideField(numbers: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * numbers.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * numbers.length, 2);
  numbers.forEach((number, i) => {
    field.writeBigUInt64LE(BigInt(number), 4 + 8 * i);
  });
  return field;
}

function directoryOf(entries: readonly Entry[], start: number): Buffer {
  const records = entries.map(directoryEntry);
  const size = records.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  const count = Math.min(entries.length, 0xffff);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(Math.min(size, MOST_32), 12);
  end.writeUInt32LE(Math.min(start, MOST_32), 16);
  const fits = entries.length < 0xffff && size < MOST_32 && start < MOST_32;
  return Buffer.concat([...records, ...(fits ? [] : [end64(entries.length, size, start)]), end]);
}

function directoryEntry(entry: Entry): Buffer {
  const { name, start, size, crc, compressedSize, method, sizesBehind } = entry;
  const wide = [size, compressedSize, start].filter((number) => number >= MOST_32);
  const extra = wide.length > 0 ? wideField(wide) : Buffer.alloc(0);
  const record = Buffer.alloc(46 + name.length + extra.length);
  const version = wide.length > 0 || isLarge(entry) ? 45 : 20;
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(version, 4);
  record.writeUInt16LE(version, 6);
  record.writeUInt16LE(UTF8 | (sizesBehind ? SIZES_BEHIND : 0), 8);
  record.writeUInt16LE(method, 10);
  record.writeUInt16LE(EPOCH_DATE, 14);
  record.writeUInt32LE(crc, 16);
  record.writeUInt32LE(Math.min(compressedSize, MOST_32), 20);
  record.writeUInt32LE(Math.min(size, MOST_32), 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(extra.length, 30);
  record.writeUInt32LE(Math.min(start, MOST_32), 42);
  name.copy(record, 46);
  extra.copy(record, 46 + name.length);
  return record;
}

/** The end of a directory that 32 bits do not hold, and where it is. */
function end64(count: number, size: number, start: number): Buffer {
  const record = Buffer.alloc(56 + 20);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(size), 40);
  record.writeBigUInt64LE(BigInt(start), 48);
  record.writeUInt32LE(0x07064b50, 56);
  record.writeBigUInt64LE(BigInt(start + size), 64);
  record.writeUInt32LE(1, 72);
  return record;
}
