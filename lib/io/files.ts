/** Opening files to read, and writing them whole or not at all. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { checkOptions, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { FileSource } from './source.js';

export interface WriteOptions {
  /** Told the share that is written, from 0 to 1, now and then. */
  readonly onProgress?: (share: number) => void;
}

/** Whom to tell of progress: nobody by default. */
export function readWriteOptions(options: WriteOptions | undefined): (share: number) => void {
  const { onProgress = () => {} } = checkOptions(options, ['onProgress']);
  if (typeof onProgress !== 'function')
    throw mistake(ArgumentError, 'options.onProgress', 'a function', onProgress);
  return onProgress as (share: number) => void;
}

export function checkPath(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw mistake(ArgumentError, 'path', 'a file path', path);
  }
  return path;
}

/** body(source) with the file open; errors of the file system pass as they are. */
export async function withFile<R>(path: string, body: (source: FileSource) => Promise<R>): Promise<R> {
  const handle = await open(checkPath(path), 'r');
  try {
    const { size } = await handle.stat();
    return await body(new FileSource(path, size, handle));
  } finally {
    await handle.close();
  }
}

/**
 * body(handle) writes a new file beside `path`, which takes the name when it is complete: a failure leaves what was
 * there before, and nothing half-written.
 */
export async function replaceFile(path: string, body: (handle: FileHandle) => Promise<void>): Promise<void> {
  const draft = `${checkPath(path)}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(draft, 'wx').catch((error: NodeJS.ErrnoException) => {
    // Of the file that was asked for: nobody knows the draft's name.
    error.message = error.message.replace(draft, path);
    error.path = path;
    throw error;
  });
  try {
    await body(handle);
    await handle.close();
    await rename(draft, path);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(draft, { force: true });
    throw error;
  }
}

/** Writes all of a typed array's or buffer's bytes. */
export async function writeAll(handle: FileHandle, view: NodeJS.ArrayBufferView): Promise<void> {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
