/**
 * safetensors, the format of weights that PyTorch's users have: the length of a header, the header in JSON, and the
 * tensors one behind the other. Source: the format's description and reference implementation.
 */

import { LITTLE_ENDIAN, textOfBytes } from '../bytes.js';
import { checkOptions, isObject, MAX_AXES, mistake } from '../check.js';
import { ArgumentError, FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';
import type { DType } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';
import { printable, quoted } from '../text.js';
import { Budget, type ReadOptions } from './budget.js';
import { ByteStream } from './byte-stream.js';
import { bytesOfElement, type ElementType, readElements } from './elements.js';
import { writeFile } from './files.js';
import { foreignBytes } from './foreign.js';
import { type ArrayRead, readInt64 } from './npy.js';
import { countElements } from './npy-header.js';
import { archiveOf, type OpenArchive, tensorsFrom } from './npz.js';
import { type Part, partOf, piecesOfParts } from './parts.js';
import { recordOf } from './record.js';
import { Scanner } from './scanner.js';
import { type Bytes, type FileURL, openBytes, piecesOf, type Source, withBytes } from './source.js';

/** Names of dtypes; others, such as F4 and F8_E8M0, are refused when their tensor is asked for. */
const READ_AS: Readonly<Record<string, ElementType>> = {
  BOOL: 'bool',
  U8: 'uint8',
  I8: 'int8',
  F8_E4M3: 'float8_e4m3',
  F8_E5M2: 'float8_e5m2',
  I16: 'int16',
  U16: 'uint16',
  F16: 'float16',
  BF16: 'bfloat16',
  I32: 'int32',
  U32: 'uint32',
  F32: 'float32',
  I64: 'int64',
  U64: 'uint64',
  F64: 'float64',
  C64: 'complex64',
};

const WRITE_AS: Readonly<Record<DType, string>> = {
  float32: 'F32',
  float64: 'F64',
  int8: 'I8',
  uint8: 'U8',
  int16: 'I16',
  uint16: 'U16',
  int32: 'I32',
  uint32: 'U32',
};

/** The reference implementation's own limit. */
const LONGEST_HEADER = 100_000_000;
const METADATA = '__metadata__';
/** Tensors up to this size are read in one go. */
const READ_AT_ONCE = 1 << 16;

/** A safetensors file whose tensors are read one at a time. */
export interface OpenSafetensors extends OpenArchive {
  /** What the file says of itself, such as { format: 'pt' }. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What stands in the header besides the tensors. */
export interface SafetensorsOptions {
  /** What the file is to say of itself. */
  readonly metadata?: Readonly<Record<string, string>>;
}

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: number[];
  /** In bytes behind the header. */
  readonly begin: number;
  readonly end: number;
}

interface Header {
  /** Where the tensors begin. */
  readonly start: number;
  readonly entries: readonly Entry[];
  readonly metadata: Record<string, string>;
}

/**
 * Opens a safetensors file: its header is read, its tensors when they are asked for. It is closed by close().
 *
 * @param options.maxBytes  The most that one tensor may take.
 * @example
 *   const file = await io.openSafetensors('model.safetensors');
 *   for (const name of file.names) console.log(name);
 *   const weight = await file.read('0.weight');
 *   await file.close();
 */
export async function openSafetensors(source: Source, options?: ReadOptions): Promise<OpenSafetensors> {
  readInt64(options);
  const bytes = await openBytes(source, options);
  try {
    const { start, entries, metadata } = await readHeader(bytes);
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    const archive = archiveOf(bytes, [...byName.keys()], async (name) => {
      const entry = byName.get(name) as Entry;
      const tensor = await readTensor(
        bytes,
        start,
        entry,
        new Budget(bytes.name, bytes.size, options),
        options,
      );
      if (tensor instanceof FormatError) throw tensor;
      return tensor;
    });
    return Object.assign(archive, { metadata });
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/**
 * The tensors of a safetensors file by name. F32, F64 and the integers up to 32 bits are read as they are; BOOL becomes
 * uint8; F16, BF16, F8_E4M3 and F8_E5M2 float32; I64 and U64 int32 or as options.int64 says; C64 {re, im} of float32.
 *
 * A tensor that cannot be read keeps its name, and its FormatError is thrown when the property is read, as by readNpz.
 *
 * @param source  A path, a file URL, the bytes, a Blob, or a stream of bytes.
 * @param options.maxBytes  The most that all tensors together may take.
 * @throws {FormatError} for damage: a header that is not what it should be, tensors that overlap or leave holes.
 * @example net.loadStateDict(await io.readSafetensors('model.safetensors'));
 */
export async function readSafetensors<T extends ArrayRead = Tensor>(
  source: Source,
  options?: ReadOptions,
): Promise<Record<string, T>> {
  readInt64(options);
  return withBytes(source, options, async (bytes) => {
    const { start, entries } = await readHeader(bytes);
    const budget = new Budget(bytes.name, bytes.size, options);
    const tensors: [string, ArrayRead | FormatError][] = [];
    for (const entry of entries) {
      tensors.push([entry.name, await readTensor(bytes, start, entry, budget, options)]);
    }
    return recordOf<T>(tensors);
  });
}

async function readTensor(
  bytes: Bytes,
  start: number,
  { name, dtype, shape, begin, end }: Entry,
  budget: Budget,
  options: ReadOptions | undefined,
): Promise<ArrayRead | FormatError> {
  const place = `${bytes.name}: ${printable(name, 120)}`;
  const type = Object.hasOwn(READ_AS, dtype) ? READ_AS[dtype] : undefined;
  if (type === undefined) {
    const known = Object.keys(READ_AS).join(', ');
    return new FormatError(`${place}: expected one of the dtypes ${known}, got ${quoted(dtype, 40)}`);
  }
  const [from, to] = [start + begin, start + end];
  const pieces = to - from <= READ_AT_ONCE ? await bytes.read(from, to - from) : piecesOf(bytes, from, to);
  const stream = new ByteStream(place, end - begin, pieces);
  const count = countElements(shape, bytesOfElement(type), stream);
  if (count * bytesOfElement(type) !== end - begin) {
    const claim = `${count} elements of ${dtype}`;
    throw new FormatError(`${place}: expected ${claim}, got ${end - begin} bytes`);
  }
  const manner = { swapped: !LITTLE_ENDIAN, int64: readInt64(options) };
  const parts = await readElements(stream, type, count, manner, budget);
  if (parts instanceof FormatError) return parts;
  const [re, im] = parts.map((part) => new Tensor(part, shape));
  return im === undefined ? re : { re, im };
}

async function readHeader(bytes: Bytes): Promise<Header> {
  const stream = new ByteStream(bytes.name, bytes.size, piecesOf(bytes, 0, bytes.size));
  const prefix = await stream.take(Math.min(8, stream.left), "the header's length");
  const length = prefix.length < 8 ? Number.NaN : prefix.reduceRight((sum, byte) => 256 * sum + byte, 0);
  if (!(length <= Math.min(LONGEST_HEADER, stream.left))) {
    const got =
      foreignBytes(await bytes.read(0, 20)) ??
      (prefix.length < 8 ? `${bytes.size}` : `${length} of ${stream.left}`);
    throw new FormatError(
      `${bytes.name}: expected a safetensors header of that many bytes behind byte 8, got ${got}`,
    );
  }
  const scanner = new Scanner(textOfBytes(await stream.take(length, 'header')), `${bytes.name}: header`);
  const { entries, metadata } = await parseHeader(scanner);
  checkOffsets(bytes.name, entries, stream.left);
  return { start: stream.position, entries, metadata };
}

async function parseHeader(scanner: Scanner): Promise<Omit<Header, 'start'>> {
  const entries: Entry[] = [];
  const names = new Set<string>();
  let metadata: Record<string, string> = {};
  await members(scanner, async (name) => {
    if (names.has(name)) throw scanner.mistake(`one tensor named ${quoted(name)}, not two,`);
    names.add(name);
    if (name === METADATA) metadata = await parseMetadata(scanner);
    else entries.push(await parseEntry(scanner, name));
    await breathe();
  });
  scanner.end();
  return { entries, metadata };
}

/** An object in JSON: visit(name) reads each value. */
async function members(scanner: Scanner, visit: (name: string) => void | Promise<void>): Promise<void> {
  scanner.expect('{', 'an object in braces');
  if (scanner.take('}')) return;
  do {
    const name = parseString(scanner);
    scanner.expect(':');
    await visit(name);
  } while (scanner.take(','));
  scanner.expect('}', "',' or '}'");
}

async function parseMetadata(scanner: Scanner): Promise<Record<string, string>> {
  const pairs: [string, string][] = [];
  await members(scanner, (key) => {
    pairs.push([key, parseString(scanner)]);
  });
  return Object.fromEntries(pairs);
}

async function parseEntry(scanner: Scanner, name: string): Promise<Entry> {
  const fields: { dtype?: string; shape?: number[]; data_offsets?: number[] } = {};
  await members(scanner, (key) => {
    if (key === 'dtype') fields.dtype = parseString(scanner);
    else if (key === 'shape') fields.shape = parseSizes(scanner, MAX_AXES);
    else if (key === 'data_offsets') fields.data_offsets = parseSizes(scanner, 2);
    else throw scanner.mistake(`dtype, shape and data_offsets of ${quoted(name)} and no ${quoted(key)}`);
  });
  const { dtype, shape, data_offsets: offsets } = fields;
  if (dtype === undefined || shape === undefined || offsets?.length !== 2 || offsets[1] < offsets[0]) {
    throw scanner.mistake(`dtype, shape and two ascending data_offsets of ${quoted(name)}`);
  }
  return { name, dtype, shape, begin: offsets[0], end: offsets[1] };
}

function parseString(scanner: Scanner): string {
  const text = scanner.string('"');
  if (text === undefined) throw scanner.mistake('a string');
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    throw scanner.mistake('a string in JSON before');
  }
}

function parseSizes(scanner: Scanner, most: number): number[] {
  const sizes: number[] = [];
  scanner.expect('[', 'a list in brackets');
  if (scanner.take(']')) return sizes;
  do {
    const size = scanner.integer();
    if (Number.isNaN(size)) throw scanner.mistake('an integer ≥ 0');
    if (sizes.length === most) throw scanner.mistake(`at most ${most} sizes`);
    sizes.push(size);
  } while (scanner.take(','));
  scanner.expect(']', "',' or ']'");
  return sizes;
}

/** Tensors lie one behind the other and fill the file: as the reference demands, since what hides between is nobody's. */
function checkOffsets(name: string, entries: readonly Entry[], available: number): void {
  let at = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== at) {
      const place = `${name}: ${printable(entry.name, 120)}`;
      throw new FormatError(
        `${place}: expected its data from offset ${at}, behind the last, got ${entry.begin}`,
      );
    }
    at = entry.end;
  }
  if (at !== available) {
    throw new FormatError(`${name}: expected ${at} bytes of data behind the header, got ${available}`);
  }
}

/**
 * Writes a safetensors file that every reader of the format takes.
 *
 * @param options.metadata  What the file is to say of itself; PyTorch's loaders ask for { format: 'pt' }.
 * @example await io.writeSafetensors('trained.safetensors', net.stateDict(), { metadata: { format: 'pt' } });
 */
export async function writeSafetensors(
  path: string | FileURL,
  tensors: Record<string, TensorLike>,
  options?: SafetensorsOptions,
): Promise<void> {
  await writeFile(path, piecesOfParts(partsOf(tensors, options)));
}

/**
 * The bytes that writeSafetensors writes.
 *
 * @example const bytes = io.encodeSafetensors(net.stateDict());
 */
export function encodeSafetensors(
  tensors: Record<string, TensorLike>,
  options?: SafetensorsOptions,
): Uint8Array {
  return Buffer.concat([...piecesOfParts(partsOf(tensors, options))]);
}

function partsOf(tensors: Record<string, TensorLike>, options: SafetensorsOptions | undefined): Part[] {
  const { metadata } = checkOptions(options, ['metadata']);
  const header: [string, unknown][] = metadata === undefined ? [] : [[METADATA, checkMetadata(metadata)]];
  // Wide elements first, as the reference writes them: everything is aligned then.
  const sorted = tensorsFrom(tensors, 'tensors').sort(
    ([a, { data: x }], [b, { data: y }]) => y.BYTES_PER_ELEMENT - x.BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  );
  const parts: Part[] = [];
  let at = 0;
  for (const [name, { data, dtype, shape }] of sorted) {
    if (name === METADATA) throw mistake(ArgumentError, 'tensors', `names other than ${METADATA}`, name);
    const end = at + data.byteLength;
    header.push([name, { dtype: WRITE_AS[dtype], shape, data_offsets: [at, end] }]);
    parts.push(partOf(littleEndian(data)));
    at = end;
  }
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const padded = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8), 0);
  text.copy(padded, 8);
  return [partOf(padded), ...parts];
}

/** The elements as the format has them: copied and swapped where the machine's order is the other. */
function littleEndian(data: Tensor['data']): ArrayBufferView {
  if (LITTLE_ENDIAN || data.BYTES_PER_ELEMENT === 1) return data;
  const bytes = Buffer.from(Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength));
  const width = data.BYTES_PER_ELEMENT;
  return width === 2 ? bytes.swap16() : width === 4 ? bytes.swap32() : bytes.swap64();
}

function checkMetadata(metadata: unknown): Record<string, string> {
  const isText = isObject(metadata) && Object.values(metadata).every((value) => typeof value === 'string');
  if (!isText) throw mistake(ArgumentError, 'options.metadata', 'strings by name', metadata);
  return metadata as Record<string, string>;
}
