/** Where a reader's bytes come from: a file, read as far as it is looked at, or memory. */
import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, isObject, mismatch, mistake } from '../check.js';
import { ArgumentError, FormatError, MemoryError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { dtypeOf, isArrayBuffer } from '../tensor/dtype.js';
import { printable } from '../text.js';
import { type BlobLike, isBlob } from './blob.js';
import { checkMaxBytes, type ReadOptions } from './budget.js';

/**
 * What every reader takes: a path, a file URL, the bytes themselves (which must not change before the reader is done),
 * a Blob (a file of a form, a drop or fs.openAsBlob) or a stream of bytes, which is read to its end first.
 */
export type Source = string | FileURL | Uint8Array | ArrayBuffer | BlobLike | AsyncIterable<Uint8Array>;

/** A URL, of any realm, whose protocol is file: */
export interface FileURL {
  /** The whole of it. */
  readonly href: string;
  /** 'file:'. */
  readonly protocol: string;
}

/** Bytes by position. */
export interface Bytes {
  /** What an error calls them. */
  readonly name: string;
  readonly size: number;
  /** Those from `from` on, at most `length` (≤ PIECE) and fewer only at the end: a view that nobody writes to later. */
  read(from: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The most that is read at once. */
export const PIECE = 1 << 18;

/** body(bytes), which are closed whatever happens. */
export async function withBytes<R>(
  source: Source,
  options: ReadOptions | undefined,
  body: (bytes: Bytes) => Promise<R>,
): Promise<R> {
  const bytes = await openBytes(source, options);
  try {
    await breathe();
    return await body(bytes);
  } finally {
    await bytes.close();
  }
}

/** To be closed by the caller. Errors of the file system pass as they are. */
export async function openBytes(source: Source, options: ReadOptions | undefined): Promise<Bytes> {
  if (typeof source === 'string' || isURL(source)) return openFile(pathOf(source), options);
  const memory = viewOf(source);
  if (memory !== null) return new MemoryBytes('source', memory);
  if (isBlob(source)) return blobBytes(source);
  if (!isStream(source)) {
    throw mistake(
      ArgumentError,
      'source',
      'a path, a file URL, a Uint8Array, an ArrayBuffer, a Blob or a stream',
      source,
    );
  }
  return new MemoryBytes('source', await collect('source', source, options));
}

function isStream(source: unknown): source is AsyncIterable<unknown> {
  if (!isObject(source)) return false;
  return typeof (source as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function';
}

/** A path as the file system takes it. */
export function pathOf(path: string | FileURL, argument = 'path'): string {
  if (isURL(path)) {
    if (path.protocol !== 'file:') throw mistake(ArgumentError, argument, 'a file URL', path.href);
    return fileURLToPath(path.href);
  }
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw mistake(ArgumentError, argument, 'a file path', path);
  }
  return path;
}

function isURL(value: unknown): value is FileURL {
  if (!isObject(value)) return false;
  const { href, protocol } = value as Partial<FileURL>;
  return typeof href === 'string' && typeof protocol === 'string';
}

/** A Uint8Array or ArrayBuffer as a view of its memory; null for anything else, detached ones among it. */
function viewOf(source: unknown): Uint8Array | null {
  try {
    if (isArrayBuffer(source)) return new Uint8Array(source);
    if (dtypeOf(source) !== 'uint8') return null;
    const { buffer, byteOffset, byteLength } = source as Uint8Array;
    return isArrayBuffer(buffer) ? new Uint8Array(buffer, byteOffset, byteLength) : null;
  } catch {
    return null;
  }
}

/** What an error calls a file: the end of a long path tells more than its beginning. */
function nameOf(path: string): string {
  return printable(path.length > 200 ? `…${path.slice(-199)}` : path, 300);
}

/** The system's error for reading a folder, which says there what it does not say by itself: of which one. */
export function checkNoFolder(stat: { isDirectory(): boolean }, path: string): void {
  if (!stat.isDirectory()) return;
  const error = new Error(`EISDIR: illegal operation on a directory, read '${nameOf(path)}'`);
  throw Object.assign(error, { code: 'EISDIR', syscall: 'read', path });
}

async function openFile(path: string, options: ReadOptions | undefined): Promise<Bytes> {
  const handle = await open(path, 'r');
  try {
    const stat = await handle.stat();
    checkNoFolder(stat, path);
    if (stat.isFile()) return fileBytes(nameOf(path), stat.size, handle);
    // A pipe has no size and no positions.
    const chunks = handle.createReadStream({ autoClose: false });
    const bytes = await collect(nameOf(path), chunks, options);
    await handle.close();
    return new MemoryBytes(nameOf(path), bytes);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** All bytes of a stream, up to options.maxBytes of them. */
async function collect(
  name: string,
  chunks: AsyncIterable<unknown>,
  options: ReadOptions | undefined,
): Promise<Uint8Array> {
  const most = checkMaxBytes(options?.maxBytes);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    const part = viewOf(chunk);
    if (part === null) throw mistake(ArgumentError, name, 'a stream of Uint8Array', chunk);
    size += part.length;
    if (size > most) {
      const expected = `a stream of at most ${most} bytes (options.maxBytes)`;
      throw new MemoryError(`${name}: expected ${expected}, got more`);
    }
    parts.push(part);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

class MemoryBytes implements Bytes {
  readonly size: number;

  constructor(
    readonly name: string,
    private readonly bytes: Uint8Array,
  ) {
    this.size = bytes.length;
  }

  async read(from: number, length: number): Promise<Uint8Array> {
    // Those of a buffer that was taken away before are none, and have no parts.
    if (this.size === 0) return new Uint8Array(0);
    try {
      if (this.bytes.length === this.size) return this.bytes.subarray(from, from + length);
    } catch {
      // Compiled code was seen to know the length of a view whose buffer is gone.
    }
    throw mismatch(FormatError, this.name, `${this.size} bytes until they are read`, describe(this.bytes));
  }

  async close(): Promise<void> {}
}

function fileBytes(name: string, size: number, handle: FileHandle): Bytes {
  const readPiece = async (from: number, length: number): Promise<Uint8Array> => {
    // New memory each time: others may still look at the last piece.
    const piece = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await handle.read(piece, filled, length - filled, from + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return piece.subarray(0, filled);
  };
  return new PiecewiseBytes(name, size, readPiece, () => handle.close());
}

function blobBytes(blob: BlobLike): Bytes {
  const { name } = blob;
  const called = typeof name === 'string' && name !== '' ? nameOf(name) : 'source';
  const readPiece = async (from: number, length: number): Promise<Uint8Array> => {
    const piece = viewOf(await blob.slice(from, from + length).arrayBuffer());
    if (piece === null) throw mistake(ArgumentError, called, 'a Blob that gives an ArrayBuffer', blob);
    return piece.subarray(0, length);
  };
  return new PiecewiseBytes(called, blob.size, readPiece, async () => {});
}

/** Bytes that come from elsewhere, of which a piece is kept: what lies close together is read at once. */
class PiecewiseBytes implements Bytes {
  #piece: Uint8Array = new Uint8Array(0);
  #start = 0;

  constructor(
    readonly name: string,
    readonly size: number,
    /** Those from `from` on, in memory of their own: fewer than `length` only at the end. */
    private readonly readPiece: (from: number, length: number) => Promise<Uint8Array>,
    readonly close: () => Promise<void>,
  ) {}

  async read(from: number, length: number): Promise<Uint8Array> {
    const offset = from - this.#start;
    const kept = this.#piece;
    if (offset >= 0 && offset + length <= kept.length) return kept.subarray(offset, offset + length);
    const piece = await this.readPiece(from, Math.max(0, Math.min(PIECE, this.size - from)));
    this.#piece = piece;
    this.#start = from;
    return piece.subarray(0, length);
  }
}

/** Bytes from one position to another, a piece at a time; FormatError where they end before. */
export async function* piecesOf(bytes: Bytes, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; ) {
    const wanted = Math.min(PIECE, to - at);
    const piece = await bytes.read(at, wanted);
    // Many files may have come in one turn of the event loop.
    await breathe();
    if (piece.length < wanted) {
      const got = `${at + piece.length}`;
      throw new FormatError(`${bytes.name}: expected bytes up to ${to}, got the end at byte ${got}`);
    }
    yield piece;
    at += wanted;
  }
}
