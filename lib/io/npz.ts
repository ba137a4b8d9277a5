/** NumPy's .npz: a zip archive of .npy files, stored or deflated. */
import { once } from 'node:events';
import { close, open } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { Entry, ZipFile } from 'yauzl';
import { mistake } from '../check.js';
import { ArgumentError, ConvmatError, FormatError } from '../errors.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';
import { Budget, type ReadOptions } from './budget.js';
import { checkPath, replaceFile, writeAll } from './files.js';
import { encodeArray, readArray } from './npy.js';
import { type ByteSource, StreamSource } from './source.js';

/** Deflate cannot do better than this, so an entry that claims more is lying about its size. */
const BEST_RATIO = 1040;
/** A fixed time, so that the same arrays give the same file. */
const EPOCH = new Date(1980, 0, 1);

/** The arrays of an .npz file by name. */
export async function readNpz(path: string, options?: ReadOptions): Promise<Record<string, Tensor>> {
  const budget = new Budget(path, options);
  const arrays: [string, Tensor][] = [];
  await forEachEntry(path, async (name, source) => {
    budget.take(source.size);
    arrays.push([name, await readArray(source)]);
  });
  return Object.fromEntries(arrays);
}

/** Writes an uncompressed .npz file, as numpy.savez does: names get the suffix .npy inside. */
export async function writeNpz(path: string, arrays: Record<string, TensorLike>): Promise<void> {
  if (typeof arrays !== 'object' || arrays === null)
    throw mistake(ArgumentError, 'arrays', 'arrays by name', arrays);
  const tensors = Object.entries(arrays).map(([name, t]) => [name, takeTensor(t, `arrays.${name}`)] as const);
  await writeArchive(
    path,
    tensors.map(([name, t]) => ({ name, parts: encodeArray(t) })),
    false,
  );
}

export interface ArchiveEntry {
  readonly name: string;
  /** Written one after the other. */
  readonly parts: readonly NodeJS.ArrayBufferView[];
}

export async function writeArchive(
  path: string,
  entries: readonly ArchiveEntry[],
  compress: boolean,
  onProgress: (share: number) => void = () => {},
): Promise<void> {
  const sizeOf = (parts: ArchiveEntry['parts']) => parts.reduce((sum, part) => sum + part.byteLength, 0);
  const all = entries.reduce((sum, { parts }) => sum + sizeOf(parts), 0);
  let read = 0;
  const told = (bytes: number): void => {
    read += bytes;
    onProgress(read / all);
  };
  await replaceFile(path, async (handle) => {
    // Only archives need the library: it is loaded with the first.
    const { ZipFile: ZipWriter } = await import('yazl');
    const zip = new ZipWriter();
    for (const { name, parts } of entries) {
      zip.addReadStream(Readable.from(slices(parts, told)), `${checkEntryName(name)}.npy`, {
        mtime: EPOCH,
        compress,
        size: sizeOf(parts),
      });
    }
    zip.end();
    for await (const chunk of zip.outputStream as Readable) await writeAll(handle, chunk as Buffer);
  });
}

function checkEntryName(name: string): string {
  if (name === '' || name.startsWith('/') || name.includes('\\') || name.split('/').includes('..')) {
    throw mistake(ArgumentError, 'arrays', 'names that are plain relative paths', name);
  }
  return name;
}

/** Views of the parts in pieces that a stream likes; nothing is copied. `told` hears of each when it is taken. */
function* slices(parts: readonly NodeJS.ArrayBufferView[], told: (bytes: number) => void): Generator<Buffer> {
  const piece = 1 << 20;
  for (const { buffer, byteOffset, byteLength } of parts) {
    for (let at = 0; at < byteLength; at += piece) {
      const bytes = Math.min(piece, byteLength - at);
      yield Buffer.from(buffer as ArrayBuffer, byteOffset + at, bytes);
      told(bytes);
    }
  }
}

/** visit(name without .npy, bytes) for every entry, in the archive's order. What is wrong with it is a FormatError. */
export async function forEachEntry(
  path: string,
  visit: (name: string, source: ByteSource) => Promise<void>,
): Promise<void> {
  const { fromFd } = await import('yauzl');
  const fd = await promisify(open)(checkPath(path), 'r');
  let zip: ZipFile | undefined;
  try {
    zip = await promisify<number, object, ZipFile>(fromFd)(fd, { lazyEntries: true, autoClose: false });
    const seen = new Set<string>();
    for await (const entry of entriesOf(zip)) {
      const name = entry.fileName.replace(/\.npy$/, '');
      if (seen.has(name)) throw new FormatError(`${path}: expected one entry named ${name}, got two`);
      seen.add(name);
      checkRatio(path, entry);
      const stream = await promisify(zip.openReadStream.bind(zip) as OpenReadStream)(entry);
      try {
        await visit(name, new StreamSource(`${path}: ${entry.fileName}`, entry.uncompressedSize, stream));
      } finally {
        stream.destroy();
      }
    }
  } catch (error) {
    if (error instanceof ConvmatError) throw error;
    throw new FormatError(`${path}: expected a sound zip archive, got: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await promisify(close)(fd);
  }
}

type OpenReadStream = (entry: Entry, done: (error: Error | null, stream: Readable) => void) => void;

function checkRatio(path: string, { fileName, compressedSize, uncompressedSize }: Entry): void {
  if (uncompressedSize > compressedSize * BEST_RATIO + BEST_RATIO) {
    const claim = `${uncompressedSize} bytes from ${compressedSize}`;
    throw new FormatError(`${path}: ${fileName}: expected what deflate can hold, got a claim of ${claim}`);
  }
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (let i = 0; i < zip.entryCount; i++) {
    const next = once(zip, 'entry');
    zip.readEntry();
    yield ((await next) as [Entry])[0];
  }
}
