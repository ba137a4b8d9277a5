/** NumPy's .npz: a zip archive of .npy files, stored or deflated. */
import { isObject, mistake } from '../check.js';
import { ArgumentError, FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';
import { Budget, type ReadOptions } from './budget.js';
import { writeFile } from './files.js';
import { foreignArchive } from './foreign.js';
import { type ArrayRead, type ArrayToWrite, arrayParts, readArray, readInt64 } from './npy.js';
import { recordOf } from './record.js';
import { type Bytes, type FileURL, openBytes, type Source, withBytes } from './source.js';
import { MEMBERS_AT_ONCE, memberName, readZipDirectory, withMember, type ZipMember } from './zip-reader.js';
import { type ArchiveMember, archivePieces, checkMemberName, encodeArchive } from './zip-writer.js';

/** An archive whose arrays are read one at a time. */
export interface OpenArchive {
  /** Of all arrays, in the archive's order, those that cannot be read among them. */
  readonly names: readonly string[];
  /** One array. @throws {ArgumentError} for a name that is not there, and whatever is wrong with the array. */
  read<T extends ArrayRead = Tensor>(name: string): Promise<T>;
  /** Closes the file. Later reads are refused. */
  close(): Promise<void>;
}

/**
 * Opens an .npz file: its directory is read, its arrays when they are asked for. It is closed by close().
 *
 * @param options.maxBytes  The most that one array may take.
 * @example
 *   const file = await io.openNpz('model.npz');
 *   for (const name of file.names) console.log(name);
 *   const weight = await file.read('weight');
 *   await file.close();
 */
export async function openNpz(source: Source, options?: ReadOptions): Promise<OpenArchive> {
  readInt64(options);
  const bytes = await openBytes(source, options);
  try {
    const members = await membersOf(bytes);
    return archiveOf(bytes, [...members.keys()], async (name) => {
      const member = members.get(name) as ZipMember;
      const array = await readMember(bytes, member, new Budget(bytes.name, bytes.size, options), options);
      if (array instanceof FormatError) throw array;
      return array;
    });
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** An open archive over these bytes, whose arrays `readArray` reads by name. */
export function archiveOf(
  bytes: Bytes,
  names: readonly string[],
  readArray: (name: string) => Promise<ArrayRead>,
): OpenArchive {
  const known = new Set(names);
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await bytes.close();
  };
  return {
    names: Object.freeze([...names]),
    async read<T extends ArrayRead>(name: string): Promise<T> {
      if (!open) throw new ArgumentError(`${bytes.name}: expected an open archive, got a closed one`);
      if (!known.has(name)) throw mistake(ArgumentError, 'name', "one of the archive's names", name);
      return (await readArray(name)) as T;
    },
    close,
  };
}

/**
 * The arrays of an .npz file by name, read as readNpy reads them.
 *
 * An array that no Tensor holds (strings, objects, dates, structures, integers past 32 bits) does not keep the others
 * from being read: its name is there, and its FormatError is thrown when the property is read. Damage anywhere is a
 * FormatError of the whole.
 *
 * @param options.maxBytes  The most that all arrays together may take.
 * @example const { weight, bias } = await io.readNpz('model.npz');
 */
export async function readNpz<T extends ArrayRead = Tensor>(
  source: Source,
  options?: ReadOptions,
): Promise<Record<string, T>> {
  return withBytes(source, options, async (bytes) => {
    const budget = new Budget(bytes.name, bytes.size, options);
    const arrays: [string, ArrayRead | FormatError][] = [];
    for (const [name, member] of await membersOf(bytes))
      arrays.push([name, await readMember(bytes, member, budget, options)]);
    return recordOf<T>(arrays);
  });
}

/** The archive's members by array name. */
export async function membersOf(bytes: Bytes): Promise<Map<string, ZipMember>> {
  const members = await readZipDirectory(bytes);
  const foreign = foreignArchive(members.map(({ name }) => name));
  if (foreign !== undefined) throw new FormatError(`${bytes.name}: expected an .npz archive, got ${foreign}`);
  const byName = new Map<string, ZipMember>();
  for (const member of members) {
    if (byName.size % MEMBERS_AT_ONCE === 0) await breathe();
    const name = member.name.endsWith('.npy') ? member.name.slice(0, -'.npy'.length) : member.name;
    if (byName.has(name)) {
      throw new FormatError(`${memberName(bytes, name)}: expected one array of this name, got two`);
    }
    byName.set(name, member);
  }
  return byName;
}

async function readMember(
  bytes: Bytes,
  member: ZipMember,
  budget: Budget,
  options: ReadOptions | undefined,
): Promise<ArrayRead | FormatError> {
  try {
    return await withMember(bytes, member, (stream) => readArray(stream, budget, options));
  } catch (error) {
    // Archives may hold other things beside arrays, such as a note.
    if (error instanceof FormatError && !member.name.endsWith('.npy')) return error;
    throw error;
  }
}

/**
 * Writes an uncompressed .npz file, as numpy.savez does: names get the suffix .npy inside; arrays are those of writeNpy.
 *
 * @example await io.writeNpz('results.npz', { weight, bias: [1, 2] });
 */
export async function writeNpz(path: string | FileURL, arrays: Record<string, ArrayToWrite>): Promise<void> {
  await writeArchive(path, membersFrom(arrays), false);
}

/**
 * The bytes that writeNpz writes.
 *
 * @example const bytes = io.encodeNpz({ weight, bias: [1, 2] });
 */
export function encodeNpz(arrays: Record<string, ArrayToWrite>): Uint8Array {
  return encodeArchive(membersFrom(arrays));
}

function membersFrom(arrays: Record<string, ArrayToWrite>): ArchiveMember[] {
  return entriesOf(arrays, 'arrays').map(([name, value]) => ({
    name: checkMemberName(name),
    parts: arrayParts(value, `arrays.${name}`),
  }));
}

function entriesOf<T>(arrays: Record<string, T>, argument: string): [string, T][] {
  if (!isObject(arrays)) throw mistake(ArgumentError, argument, 'arrays by name', arrays);
  return Object.entries(arrays);
}

/** Tensors by name. */
export function tensorsFrom(arrays: Record<string, TensorLike>, argument: string): [string, Tensor][] {
  return entriesOf(arrays, argument).map(([name, t]) => [name, takeTensor(t, `${argument}.${name}`)]);
}

export async function writeArchive(
  path: string | FileURL,
  members: readonly ArchiveMember[],
  compress: boolean,
): Promise<void> {
  await writeFile(path, archivePieces(members, compress));
}
