/** Models and what lies beside them in files: in Node.js, Bun and Deno. files-browser.ts stands in for it where there are none. */
import { mkdir, open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { backend } from '../backend/select.js';
import { FormatError, MemoryError } from '../errors.js';
import { writeFile } from '../io/files.js';
import { writeNpy } from '../io/npy.js';
import { checkNoFolder, type FileURL, pathOf } from '../io/source.js';
import { writeSparseNpz } from '../io/sparse-npz.js';
import type { SparseFormats } from '../matrix/operator.js';
import { type TypedArray, uninitialised } from '../tensor/dtype.js';
import { quoted } from '../text.js';

export type { FileURL };
export { basename, dirname, join as joinPath, pathOf, writeFile };

/** What the file system reads in one call. */
const MOST_AT_ONCE = 2 ** 30;

/** All bytes of a file, in memory that holds nothing else. */
export async function readWhole(path: string): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    const stat = await handle.stat();
    checkNoFolder(stat, path);
    // A pipe has no size.
    if (!stat.isFile()) return await handle.readFile();
    const { size } = stat;
    const bytes = allocateBytes(size, path);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(size - at, MOST_AT_ONCE), at);
      if (bytesRead === 0) throw new FormatError(`${path}: expected ${size} bytes, got ${at}`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

function allocateBytes(size: number, path: string): Uint8Array {
  try {
    // Steps that read weights where they are cross few pages there.
    return backend().arena?.(size) ?? uninitialised('uint8', size);
  } catch (cause) {
    throw new MemoryError(`${path}: cannot allocate its ${size} bytes`, { cause });
  }
}

/**
 * The path of a file in a folder, whatever links lead there.
 * @param what  Whose file it is, for the error.
 * @throws {FormatError} for a place outside of the folder.
 */
export async function locate(folder: string, location: string, what: string): Promise<string> {
  const outside = new FormatError(
    `${what}: expected a file within the model's folder, got ${quoted(location)}`,
  );
  const plain = normalize(location);
  if (location.includes('\0') || isAbsolute(location) || plain === '..' || plain.startsWith(`..${sep}`))
    throw outside;
  const home = await realpath(folder);
  const path = await realpath(join(home, plain));
  const within = relative(home, path);
  if (within === '..' || within.startsWith(`..${sep}`) || isAbsolute(within)) throw outside;
  return path;
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}

/** A sparse matrix as scipy.sparse.load_npz reads it. */
export function writeMatrix(path: string, matrix: SparseFormats): Promise<void> {
  return writeSparseNpz(path, matrix);
}

/** A flat array as numpy.load reads it. */
export function writeArray(path: string, elements: TypedArray): Promise<void> {
  return writeNpy(path, elements);
}
