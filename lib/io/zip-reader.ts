/**
 * Zip archives, read by position: the directory first, then each member when it is asked for. Source: APPNOTE 6.3.10.
 * Members may be stored or deflated, and archives larger than 4 GiB. What is read is compared with its checksum, and
 * members that share bytes are refused: that is how a few kilobytes become gigabytes.
 */
import { inflateRawSync } from 'node:zlib';
import { FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { printable } from '../text.js';
import { ByteStream } from './byte-stream.js';
import { crc32 } from './crc32.js';
import { inflated } from './inflate.js';
import { copyOfLent } from './lent.js';
import { type Bytes, piecesOf } from './source.js';

export interface ZipMember {
  readonly name: string;
  readonly compressed: boolean;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where its local header begins, and where the next member or the directory does. */
  readonly start: number;
  limit: number;
}

const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_BYTES = 30;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_ENTRY_BYTES = 46;
/** With a name, an extra field and a comment. */
const LONGEST_ENTRY = DIRECTORY_ENTRY_BYTES + 3 * 0xffff;
/** Of the directory, read at once. */
const WINDOW_BYTES = 1 << 18;
/** Gone through without letting the event loop turn. */
export const MEMBERS_AT_ONCE = 64;
const END = Buffer.from([0x50, 0x4b, 5, 6]);
const END_BYTES = 22;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const END64_LOCATOR = 0x07064b50;
const END64_LOCATOR_BYTES = 20;
const LONGEST_COMMENT = 0xffff;

const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;

/** Deflate cannot do better than this, so a member that claims more is lying about its size. */
const BEST_RATIO = 1032;
/** Members up to this size are read in one go: a stream costs more than they do. */
const READ_AT_ONCE = 1 << 16;

/** The members of an archive in the order of its directory, their names unlike one another. */
export async function readZipDirectory(bytes: Bytes): Promise<ZipMember[]> {
  const { count, start, end } = await findDirectory(bytes);
  const members: ZipMember[] = [];
  const names = new Set<string>();
  let window: Buffer = Buffer.alloc(0);
  let from = start;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (i % MEMBERS_AT_ONCE === 0) await breathe();
    if (at + LONGEST_ENTRY > from + window.length && from + window.length < end) {
      window = await take(bytes, at, Math.min(WINDOW_BYTES, end - at), 'a member');
      from = at;
    }
    const { member, next } = parseEntry(bytes, window.subarray(at - from), at, end);
    if (names.has(member.name))
      throw mistake(bytes, `one member named ${printable(member.name, 120)}`, 'two');
    names.add(member.name);
    members.push(member);
    at = next;
  }
  if (at !== end) throw mistake(bytes, `${count} members up to byte ${end}`, `their end at byte ${at}`);
  await checkPlaces(bytes, members, start);
  return members;
}

/** body(stream) with what a member holds, which is compared with its checksum afterwards. */
export async function withMember<R>(
  bytes: Bytes,
  member: ZipMember,
  body: (stream: ByteStream) => Promise<R>,
): Promise<R> {
  const name = memberName(bytes, member.name);
  const stream = new ByteStream(name, member.size, await openMember(bytes, member, name));
  try {
    const result = await body(stream);
    await stream.finish();
    return result;
  } finally {
    await stream.close();
  }
}

/** What an error calls a member. */
export function memberName(bytes: Bytes, name: string): string {
  return `${bytes.name}: ${printable(name, 120)}`;
}

function mistake(bytes: Bytes, expected: string, got: string): FormatError {
  return new FormatError(`${bytes.name}: expected a sound zip archive with ${expected}, got ${got}`);
}

/** Exactly these bytes, in memory of their own. */
async function take(bytes: Bytes, from: number, length: number, what: string): Promise<Buffer> {
  const view = await bytes.read(from, length);
  if (view.length < length) throw mistake(bytes, `${what} at byte ${from}`, `the end at ${bytes.size}`);
  return copyOfLent(view, bytes.name);
}

interface Directory {
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

async function findDirectory(bytes: Bytes): Promise<Directory> {
  const from = Math.max(0, bytes.size - END_BYTES - LONGEST_COMMENT);
  const tail = await take(bytes, from, bytes.size - from, 'its end');
  // Searched from a negative place, it would be found past the last that has room.
  let at = tail.length < END_BYTES ? -1 : tail.lastIndexOf(END, tail.length - END_BYTES);
  // A comment may hold the signature too: the end is where the comment's length reaches the end of the file.
  while (at >= 0 && at + END_BYTES + tail.readUInt16LE(at + 20) !== tail.length) {
    at = at === 0 ? -1 : tail.lastIndexOf(END, at - 1);
  }
  if (at < 0) throw mistake(bytes, 'the end of its directory', 'none');
  const disk = tail.readUInt16LE(at + 4);
  const count = tail.readUInt16LE(at + 10);
  const size = tail.readUInt32LE(at + 12);
  const start = tail.readUInt32LE(at + 16);
  if (disk === 0xffff || count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
    const large = await findDirectory64(bytes, from + at);
    if (large !== null) return large;
  }
  return checkDirectory(bytes, { count, start, end: start + size }, from + at);
}

async function findDirectory64(bytes: Bytes, end: number): Promise<Directory | null> {
  if (end < END64_LOCATOR_BYTES) return null;
  const locator = await take(bytes, end - END64_LOCATOR_BYTES, END64_LOCATOR_BYTES, 'a locator');
  if (locator.readUInt32LE(0) !== END64_LOCATOR) return null;
  const at = readLong(locator, 8);
  const record = await take(bytes, Math.min(at, bytes.size), END64_BYTES, 'the end of its directory');
  if (record.readUInt32LE(0) !== END64)
    throw mistake(bytes, `the end of its directory at byte ${at}`, 'none');
  const start = readLong(record, 48);
  return checkDirectory(bytes, { count: readLong(record, 32), start, end: start + readLong(record, 40) }, at);
}

function checkDirectory(bytes: Bytes, directory: Directory, end: number): Directory {
  const { count, start } = directory;
  if (directory.end !== end)
    throw mistake(bytes, `a directory up to byte ${end}`, `one up to ${directory.end}`);
  if (count * DIRECTORY_ENTRY_BYTES > end - start) {
    throw mistake(bytes, `room for its members`, `${count} members in ${end - start} bytes`);
  }
  return directory;
}

/** Past 2⁵³ they are as wrong as anything past the end of the file. */
function readLong(record: Buffer, at: number): number {
  return record.readUInt32LE(at) + 2 ** 32 * record.readUInt32LE(at + 4);
}

/** The entry that `record` begins with, which is at byte `at`: as much of the directory as the longest one needs, or the rest. */
function parseEntry(
  bytes: Bytes,
  record: Buffer,
  at: number,
  end: number,
): { member: ZipMember; next: number } {
  if (record.length < DIRECTORY_ENTRY_BYTES || record.readUInt32LE(0) !== DIRECTORY_ENTRY) {
    throw mistake(bytes, `a member at byte ${at} of its directory`, 'none');
  }
  const nameBytes = record.readUInt16LE(28);
  const wordBytes = nameBytes + record.readUInt16LE(30);
  const next = at + DIRECTORY_ENTRY_BYTES + wordBytes + record.readUInt16LE(32);
  if (next > end) throw mistake(bytes, `a member at byte ${at} of its directory`, 'one that is cut');
  const words = record.subarray(DIRECTORY_ENTRY_BYTES, DIRECTORY_ENTRY_BYTES + wordBytes);
  const name = words.toString('utf8', 0, nameBytes);
  const [size, compressedSize, start] = wideFields(words.subarray(nameBytes), [
    record.readUInt32LE(24),
    record.readUInt32LE(20),
    record.readUInt32LE(42),
  ]);
  const method = record.readUInt16LE(10);
  if ((record.readUInt16LE(8) & ENCRYPTED) !== 0)
    throw new FormatError(`${memberName(bytes, name)}: expected no encryption, got some`);
  if (method !== STORED && method !== DEFLATED) {
    const where = memberName(bytes, name);
    throw new FormatError(`${where}: expected a stored or deflated member, got compression method ${method}`);
  }
  if (method === STORED ? size !== compressedSize : size > compressedSize * BEST_RATIO) {
    const where = memberName(bytes, name);
    const claim = `${size} bytes from ${compressedSize}`;
    throw new FormatError(
      `${where}: expected what ${method === STORED ? 'is stored' : 'deflate can hold'}, got ${claim}`,
    );
  }
  const crc = record.readUInt32LE(16);
  const member = { name, compressed: method === DEFLATED, crc, compressedSize, size, start, limit: 0 };
  return { member, next };
}

/** Sizes and offset, from the zip64 field where they do not fit 32 bits. */
function wideFields(extra: Buffer, fields: readonly number[]): number[] {
  const ZIP64 = 1;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== ZIP64) continue;
    const wide = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    let from = 0;
    return fields.map((field) => {
      if (field !== 0xffffffff || from + 8 > wide.length) return field;
      from += 8;
      return readLong(wide, from - 8);
    });
  }
  return [...fields];
}

/** Each member has its bytes to itself, before the directory. */
async function checkPlaces(bytes: Bytes, members: readonly ZipMember[], directory: number): Promise<void> {
  const isInOrder = members.every((member, i) => i === 0 || member.start >= members[i - 1].start);
  const placed = isInOrder ? members : [...members].sort((a, b) => a.start - b.start);
  for (let i = 0; i < placed.length; i++) {
    if (i % MEMBERS_AT_ONCE === 0) await breathe();
    const member = placed[i];
    member.limit = placed[i + 1]?.start ?? directory;
    const end = member.start + LOCAL_HEADER_BYTES + member.compressedSize;
    if (end > member.limit) {
      const where = memberName(bytes, member.name);
      throw new FormatError(
        `${where}: expected its bytes before byte ${member.limit}, got them up to ${end}`,
      );
    }
  }
}

/** What a member holds: at once, where it is small, and a piece at a time otherwise. */
async function openMember(
  bytes: Bytes,
  member: ZipMember,
  name: string,
): Promise<AsyncIterable<Uint8Array> | Uint8Array> {
  await breathe();
  const header = await take(bytes, member.start, LOCAL_HEADER_BYTES, 'a member');
  if (header.readUInt32LE(0) !== LOCAL_HEADER) {
    throw new FormatError(`${name}: expected a member at byte ${member.start}, got other bytes`);
  }
  const from = member.start + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  const to = from + member.compressedSize;
  if (to > member.limit) {
    throw new FormatError(`${name}: expected its bytes before byte ${member.limit}, got them up to ${to}`);
  }
  if (member.size <= READ_AT_ONCE && member.compressedSize <= READ_AT_ONCE) {
    const stored = await take(bytes, from, member.compressedSize, 'a member');
    const whole = member.compressed ? inflateAtOnce(stored, member, name) : stored;
    checkSize(whole.length, member, name);
    checkSum(crc32(whole), member, name);
    return whole;
  }
  const pieces = piecesOf(bytes, from, to);
  return checked(member.compressed ? inflated(pieces, 'deflate', name) : pieces, member, name);
}

function inflateAtOnce(stored: Uint8Array, { size }: ZipMember, name: string): Uint8Array {
  try {
    // One byte more than it may have, to see that it has none.
    return inflateRawSync(stored, { maxOutputLength: size + 1, chunkSize: Math.max(64, size + 1) });
  } catch (cause) {
    throw new FormatError(`${name}: expected sound deflate data, got: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function checkSize(length: number, { size }: ZipMember, name: string): void {
  if (length !== size)
    throw new FormatError(`${name}: expected ${size} bytes, got ${length > size ? 'more' : length}`);
}

function checkSum(sum: number, { crc }: ZipMember, name: string): void {
  if (sum === crc) return;
  const [expected, got] = [crc, sum].map((value) => value.toString(16).padStart(8, '0'));
  throw new FormatError(`${name}: expected bytes with the checksum ${expected} (CRC-32), got ${got}`);
}

/** The pieces, as many bytes as the directory says, and their checksum compared at the end. */
async function* checked(
  pieces: AsyncIterable<Uint8Array>,
  member: ZipMember,
  name: string,
): AsyncGenerator<Uint8Array> {
  let seen = 0;
  let sum = 0;
  for await (const piece of pieces) {
    seen += piece.length;
    if (seen > member.size) checkSize(seen, member, name);
    sum = crc32(piece, sum);
    yield piece;
  }
  checkSize(seen, member, name);
  checkSum(sum, member, name);
}
