/**
 * NumPy's .npy: a header that is a Python dictionary of three entries, then the elements.
 * Source: NEP 1; numpy/lib/format.py.
 */
import { endianness } from 'node:os';
import { MAX_ELEMENTS } from '../check.js';
import { FormatError, MemoryError } from '../errors.js';
import { type DType, type TypedArray, uninitialised, zeros } from '../tensor/dtype.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';
import { replaceFile, withFile, writeAll } from './files.js';
import { type ByteSource, fillExactly, readExactly } from './source.js';

const MAGIC = '\x93NUMPY';
/** NumPy pads headers so that the elements begin at a multiple of this. */
const ALIGNMENT = 64;
const LONGEST_HEADER = 1 << 20;

/** Type codes without their byte order. Booleans are read as uint8, 64-bit integers as int32 where they fit. */
const READ_AS: Readonly<Record<string, DType>> = {
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  u1: 'uint8',
  b1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
};
const WRITE_AS: Readonly<Record<DType, string>> = {
  float32: 'f4',
  float64: 'f8',
  int8: 'i1',
  uint8: 'u1',
  int16: 'i2',
  uint16: 'u2',
  int32: 'i4',
  uint32: 'u4',
};

const LITTLE_ENDIAN = endianness() === 'LE';

/** The array of an .npy file. 64-bit integers become int32, or a FormatError where one does not fit. */
export function readNpy(path: string): Promise<Tensor> {
  return withFile(path, readArray);
}

/** Writes an .npy file (version 1.0, row-major, little-endian) that NumPy loads with the same dtype and shape. */
export async function writeNpy(path: string, t: TensorLike): Promise<void> {
  const array = takeTensor(t, 't');
  await replaceFile(path, async (handle) => {
    for (const part of encodeArray(array)) await writeAll(handle, part);
  });
}

/** Header and elements, to be written one after the other. */
export function encodeArray({ data, dtype, shape }: Tensor): [header: Uint8Array, elements: TypedArray] {
  return [encodeHeader(WRITE_AS[dtype], shape), data];
}

/** The header of elements with this type code (such as f4, i8, S3) in the machine's byte order. */
export function encodeHeader(code: string, shape: readonly number[]): Uint8Array {
  const order = /^(.1|S.*)$/.test(code) ? '|' : LITTLE_ENDIAN ? '<' : '>';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const prefix = MAGIC.length + 4;
  const length = Math.ceil((prefix + dictionary.length + 1) / ALIGNMENT) * ALIGNMENT - prefix;
  const header = Buffer.alloc(prefix + length, ' ');
  header.write(MAGIC, 'latin1');
  header.writeUInt16LE(0x0001, MAGIC.length);
  header.writeUInt16LE(length, MAGIC.length + 2);
  header.write(dictionary, prefix, 'latin1');
  header.write('\n', prefix + length - 1);
  return header;
}

interface Header {
  /** Type code without byte order, such as 'f4'. */
  readonly code: string;
  readonly swapped: boolean;
  readonly columnMajor: boolean;
  readonly shape: number[];
}

/** The array that a source holds from where it stands. */
export async function readArray(source: ByteSource): Promise<Tensor> {
  const header = await readHeader(source);
  const { code, shape } = header;
  const itemBytes = Number(code.slice(1));
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  const available = source.size - source.position;
  if (count * itemBytes > available) {
    const claim = `${count} elements of ${itemBytes} bytes`;
    throw new FormatError(
      `${source.name}: expected ${claim} after byte ${source.position}, got ${available} bytes`,
    );
  }
  if (count > MAX_ELEMENTS)
    throw new MemoryError(`${source.name}: expected at most 2^31 - 1 elements, got ${count}`);
  const data = await readElements(source, header, count);
  return new Tensor(header.columnMajor ? toRowMajor(data, shape) : data, shape);
}

/** The text of a zero-dimensional or one-element byte or text string, as scipy.sparse keeps its format in. */
export async function readString(source: ByteSource): Promise<string> {
  const { code } = await readHeader(source, /^[SU]\d+$/);
  const length = Number(code.slice(1));
  if (length > 64) throw new FormatError(`${source.name}: expected a short string, got ${length} characters`);
  const bytes = await readExactly(source, code[0] === 'U' ? 4 * length : length, 'a string');
  // UTF-32 of ASCII is ASCII between zeros.
  return String.fromCharCode(...bytes.filter((byte) => byte !== 0));
}

async function readHeader(source: ByteSource, codes = /^([fiu][1248]|b1)$/): Promise<Header> {
  const start = await readExactly(source, MAGIC.length + 2, 'magic');
  if (Buffer.from(start.subarray(0, MAGIC.length)).toString('latin1') !== MAGIC) {
    throw new FormatError(`${source.name}: expected the magic of an .npy array at byte 0, got other bytes`);
  }
  const version = start[MAGIC.length];
  if (version < 1 || version > 3) {
    throw new FormatError(`${source.name}: expected .npy version 1, 2 or 3 at byte 6, got ${version}`);
  }
  const wide = version > 1;
  const lengthBytes = Buffer.from(await readExactly(source, wide ? 4 : 2, "the header's length"));
  const length = wide ? lengthBytes.readUInt32LE() : lengthBytes.readUInt16LE();
  if (length > LONGEST_HEADER) {
    throw new FormatError(`${source.name}: expected a header below ${LONGEST_HEADER} bytes, got ${length}`);
  }
  const at = source.position;
  const text = Buffer.from(await readExactly(source, length, 'header')).toString('utf8');
  return parseHeader(text, codes, `${source.name}: header at byte ${at}`);
}

/** Reads the dictionary by its grammar; nothing is evaluated. */
function parseHeader(text: string, codes: RegExp, place: string): Header {
  const entries = new Map<string, string>();
  const entry = /\s*(['"])(\w+)\1\s*:\s*((['"])[^'"]*\4|True|False|\([^()]*\)|\[[^[\]]*\])\s*(,|(?=\}))/y;
  const body = text.trim();
  entry.lastIndex = 1;
  while (body[0] === '{') {
    const match = entry.exec(body);
    if (match === null) break;
    entries.set(match[2], match[3]);
    if (/^\s*\}$/.test(body.slice(entry.lastIndex))) {
      return interpretHeader(entries, codes, place);
    }
  }
  throw new FormatError(
    `${place}: expected a dictionary of descr, fortran_order and shape, got ${JSON.stringify(body.slice(0, 80))}`,
  );
}

function interpretHeader(entries: ReadonlyMap<string, string>, codes: RegExp, place: string): Header {
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => {
    const value = entries.get(key);
    if (value === undefined) throw new FormatError(`${place}: expected the entry '${key}', got none`);
    return value;
  });
  const type = /^['"]([<>|=]?)(\w+)['"]$/.exec(descr);
  if (type === null || !codes.test(type[2])) {
    throw new FormatError(`${place}: expected a dtype of real numbers up to 64 bits, got ${descr}`);
  }
  const sizes = /^\(\s*(?:\d+\s*(?:,\s*\d+\s*)*,?\s*)?\)$/.test(shape) ? (shape.match(/\d+/g) ?? []) : null;
  if (sizes === null) throw new FormatError(`${place}: expected a shape of integers ≥ 0, got ${shape}`);
  if (order !== 'True' && order !== 'False') {
    throw new FormatError(`${place}: expected fortran_order True or False, got ${order}`);
  }
  const native = LITTLE_ENDIAN ? '<' : '>';
  return {
    code: type[2],
    swapped: (type[1] === '<' || type[1] === '>') && type[1] !== native,
    columnMajor: order === 'True',
    shape: sizes.map(Number),
  };
}

async function readElements(
  source: ByteSource,
  { code, swapped }: Header,
  count: number,
): Promise<TypedArray> {
  const dtype = READ_AS[code];
  if (dtype === undefined) return readLongs(source, code, swapped, count);
  const data = uninitialised(dtype, count);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  await fillExactly(source, bytes, 'elements');
  if (swapped) swapBytes(bytes, data.BYTES_PER_ELEMENT);
  return data;
}

/** 64-bit integers, which no dtype here holds: as int32 where every one fits. */
async function readLongs(
  source: ByteSource,
  code: string,
  swapped: boolean,
  count: number,
): Promise<TypedArray> {
  if (code !== 'i8' && code !== 'u8') {
    throw new FormatError(`${source.name}: expected float32, float64 or integers, got type code ${code}`);
  }
  const data = zeros('int32', count);
  // A block at a time: the wide form is never in memory whole.
  const block = 1 << 16;
  for (let at = 0; at < count; at += block) {
    const bytes = Buffer.from(await readExactly(source, 8 * Math.min(block, count - at), 'elements'));
    if (swapped === LITTLE_ENDIAN) bytes.swap64();
    for (let i = 0; 8 * i < bytes.length; i++) {
      const low = bytes.readUInt32LE(8 * i) | 0;
      const high = bytes.readInt32LE(8 * i + 4);
      if (high !== low >> 31 || (code === 'u8' && high !== 0)) {
        throw new FormatError(
          `${source.name}: expected integers that fit in 32 bits, got another at element ${at + i}`,
        );
      }
      data[at + i] = low;
    }
  }
  return data;
}

function swapBytes(bytes: Buffer, width: number): void {
  if (width === 2) bytes.swap16();
  else if (width === 4) bytes.swap32();
  else if (width === 8) bytes.swap64();
}

/** Elements in Fortran's order (the first axis varies fastest), rearranged into C's. */
function toRowMajor<A extends TypedArray>(data: A, shape: readonly number[]): A {
  const result = data.slice() as A;
  const index = shape.map(() => 0);
  for (let from = 0; from < data.length; from++) {
    let to = 0;
    for (let axis = 0; axis < shape.length; axis++) to = to * shape[axis] + index[axis];
    result[to] = data[from];
    for (let axis = 0; axis < shape.length && ++index[axis] === shape[axis]; axis++) index[axis] = 0;
  }
  return result;
}
