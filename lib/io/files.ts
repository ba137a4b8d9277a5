/**
 * Writing files whole or not at all, through whatever the path leads to: a link stays a link, a pipe a pipe, and a file
 * keeps its mode, its owner and its other names.
 */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import {
  access,
  type FileHandle,
  lstat,
  open,
  readlink,
  realpath,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { checkOptions, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { type FileURL, pathOf } from './source.js';

/** Of writers of large files. */
export interface WriteOptions {
  /** Told the share that is written, from 0 to 1, now and then. What it throws ends the writing. */
  readonly onProgress?: (share: number) => void;
}

/** Whom to tell of progress: nobody by default. */
export function readWriteOptions(options: WriteOptions | undefined): (share: number) => void {
  const { onProgress = () => {} } = checkOptions(options, ['onProgress']);
  if (typeof onProgress !== 'function')
    throw mistake(ArgumentError, 'options.onProgress', 'a function', onProgress);
  return onProgress as (share: number) => void;
}

export type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Writes the pieces, one behind the other. A regular file has all of them or, after a failure of theirs or of the disk,
 * what it had before; nothing is left beside it.
 */
export async function writeFile(path: string | FileURL, pieces: Pieces): Promise<void> {
  const name = pathOf(path);
  const found = await stat(name).catch(ignore('ENOENT'));
  await breathe();
  if (found === undefined) return writeNew(await followLinks(name), pieces);
  if (!found.isFile()) return writeThrough(name, pieces);
  await access(name, constants.W_OK);
  return rewrite(name, found, pieces);
}

/** undefined for an error with this code: nothing is there. */
function ignore(...codes: readonly string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (codes.includes(error.code ?? '')) return undefined;
    throw error;
  };
}

/** As the system does: a chain that is longer leads in a circle. */
const LONGEST_CHAIN = 40;

/** Where a path leads that has nothing at its end: itself, or the place that links point to. */
async function followLinks(path: string): Promise<string> {
  let place = path;
  for (let links = 0; links < LONGEST_CHAIN; links++) {
    const link = await lstat(place).catch(ignore('ENOENT'));
    if (!link?.isSymbolicLink()) break;
    place = resolve(dirname(place), await readlink(place));
  }
  return place;
}

/** In bytes: what is written in one go. A write costs as much as copying this. */
const GATHERED = 1 << 16;

/**
 * The pieces, small ones gathered, each of which is made when there is time for it: many writes may end in one turn of the
 * event loop. What it gives is valid until the next is asked for.
 */
async function* inTurns(pieces: Pieces): AsyncGenerator<Uint8Array> {
  await breathe();
  let gathered: Uint8Array | undefined;
  let length = 0;
  for await (const piece of pieces) {
    if (gathered !== undefined && length + piece.length > GATHERED) {
      yield gathered.subarray(0, length);
      length = 0;
    }
    if (piece.length > GATHERED) {
      yield piece;
    } else {
      gathered ??= new Uint8Array(GATHERED);
      gathered.set(piece, length);
      length += piece.length;
    }
    await breathe();
  }
  if (gathered !== undefined && length > 0) yield gathered.subarray(0, length);
}

/** Into a pipe or a device: there is no name to take, and nothing to keep. */
async function writeThrough(path: string, pieces: Pieces): Promise<void> {
  const handle = await open(path, constants.O_WRONLY);
  try {
    for await (const piece of inTurns(pieces)) await writeAll(handle, piece, null);
  } finally {
    await handle.close();
  }
}

async function writeNew(path: string, pieces: Pieces): Promise<void> {
  await withDraft(dirname(path), path, 0o666, pieces, (draft) => rename(draft, path));
}

/** A file that is there gives way to a new one of its mode and owner, or, where that cannot be, takes new contents. */
async function rewrite(path: string, old: Stats, pieces: Pieces): Promise<void> {
  // Undefined where a path is a descriptor of a file that has lost its name.
  const place = await realpath(path).catch(ignore('ENOENT', 'EACCES'));
  const folder = place === undefined ? tmpdir() : dirname(place);
  const install = async (draft: string): Promise<void> => {
    const replaced =
      place !== undefined &&
      old.nlink === 1 &&
      (await makeAlike(draft, old)) &&
      (await takeName(draft, place));
    if (!replaced) await copyInto(draft, path);
  };
  try {
    await withDraft(folder, path, old.mode & 0o600, pieces, install);
  } catch (error) {
    if (!(error instanceof NoDraft)) throw error;
    await withDraft(tmpdir(), path, old.mode & 0o600, pieces, (draft) => copyInto(draft, path));
  }
}

/** Where a folder takes no new files, although the one in it may be written. */
class NoDraft extends Error {}

/** install(draft) with a new file that holds the pieces. It is gone afterwards, whatever happens. */
async function withDraft(
  folder: string,
  path: string,
  mode: number,
  pieces: Pieces,
  install: (draft: string) => Promise<void>,
): Promise<void> {
  // Short, and not made of the file's own name, which may be as long as names can be.
  const draft = join(folder, `.convmat-${randomBytes(6).toString('hex')}.tmp`);
  const handle = await open(draft, 'wx', mode).catch((error: NodeJS.ErrnoException) => {
    if (mode !== 0o666 && folder !== tmpdir()) throw new NoDraft();
    // Of the file that was asked for: nobody knows the draft's name.
    error.message = error.message.replace(draft, path);
    error.path = path;
    throw error;
  });
  try {
    try {
      let at = 0;
      for await (const piece of inTurns(pieces)) {
        await writeAll(handle, piece, at);
        at += piece.length;
      }
    } finally {
      await handle.close();
    }
    await breathe();
    await install(draft);
  } finally {
    await unlink(draft).catch(ignore('ENOENT'));
  }
}

/** Gives the draft the mode and the owner of the file that it is to replace; whether that can be. */
async function makeAlike(draft: string, { mode, uid, gid }: Stats): Promise<boolean> {
  const handle = await open(draft, 'r+');
  try {
    const own = await handle.stat();
    if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid);
    // After the owner, which takes set-user bits away.
    await handle.chmod(mode & 0o7777);
    return true;
  } catch {
    return false;
  } finally {
    await handle.close();
  }
}

/** Whether the draft could take the name: a file that something is mounted on, or in use, keeps it. */
async function takeName(draft: string, place: string): Promise<boolean> {
  return rename(draft, place).then(
    () => true,
    () => false,
  );
}

/**
 * The draft's contents in a file that stays where it is. What needs new room on the disk, and so may fail, is written
 * first, behind the old contents, and taken back when it does.
 */
async function copyInto(draft: string, path: string): Promise<void> {
  const from = await open(draft, 'r');
  try {
    const to = await open(path, constants.O_WRONLY);
    try {
      const { size: oldSize } = await to.stat();
      const { size } = await from.stat();
      const common = Math.min(size, oldSize);
      try {
        await copyRange(from, to, common, size);
      } catch (error) {
        await to.truncate(oldSize);
        throw error;
      }
      await copyRange(from, to, 0, common);
      if (size < oldSize) await to.truncate(size);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

const COPIED_AT_ONCE = 1 << 20;

async function copyRange(from: FileHandle, to: FileHandle, start: number, end: number): Promise<void> {
  const bytes = new Uint8Array(Math.min(COPIED_AT_ONCE, end - start));
  for (let at = start; at < end; ) {
    const { bytesRead } = await from.read(bytes, 0, Math.min(bytes.length, end - at), at);
    if (bytesRead === 0) return;
    await writeAll(to, bytes.subarray(0, bytesRead), at);
    at += bytesRead;
  }
}

/** Writes all bytes, from `position` on, or where the handle stands. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number | null): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const place = position === null ? null : position + at;
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, place);
    at += bytesWritten;
  }
}
