/** The header of an .npy array: a Python dictionary of three entries. Source: NEP 1; numpy/lib/format.py. */

import { LITTLE_ENDIAN, textOfBytes } from '../bytes.js';
import { MAX_AXES, MAX_ELEMENTS } from '../check.js';
import { FormatError } from '../errors.js';
import type { ByteStream } from './byte-stream.js';
import type { ElementType } from './elements.js';
import { foreignBytes, LONGEST_MAGIC } from './foreign.js';
import { Scanner } from './scanner.js';

export const MAGIC = '\x93NUMPY';
/** NumPy pads headers so that the elements begin at a multiple of this. */
const ALIGNMENT = 64;
const LONGEST_HEADER = 1 << 20;

export interface NpyHeader {
  /** The dtype as it stands in the file, without its byte order: 'f4', 'U10', or the text of a structured one. */
  readonly code: string;
  /** Whether the file's byte order is not the machine's. */
  readonly swapped: boolean;
  readonly columnMajor: boolean;
  readonly shape: number[];
}

/** Type codes that are read. A 2-byte void is how NumPy writes bfloat16, a dtype that it does not know. */
export const READ_AS: Readonly<Record<string, ElementType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  c8: 'complex64',
  c16: 'complex128',
  b1: 'bool',
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  V2: 'bfloat16',
  bfloat16: 'bfloat16',
};

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

export async function readHeader(stream: ByteStream): Promise<NpyHeader> {
  const take = (length: number, what: string): Uint8Array | Promise<Uint8Array> =>
    stream.takeAtOnce(length) ?? stream.take(length, what);
  const start = await take(Math.min(MAGIC.length + 2, stream.left), 'magic');
  if (!beginsWithMagic(start)) {
    const rest = await take(Math.min(LONGEST_MAGIC, stream.left), 'magic');
    const other = start.length === 0 ? 'none' : 'other bytes';
    const got = foreignBytes(Buffer.concat([start, rest])) ?? other;
    throw new FormatError(`${stream.name}: expected the magic of an .npy array at byte 0, got ${got}`);
  }
  const version = start[MAGIC.length];
  if (start.length < MAGIC.length + 2 || version < 1 || version > 3) {
    throw new FormatError(`${stream.name}: expected .npy version 1, 2 or 3 at byte 6, got ${version}`);
  }
  const lengthBytes = await take(version > 1 ? 4 : 2, "the header's length");
  let length = 0;
  for (let i = lengthBytes.length - 1; i >= 0; i--) length = 256 * length + lengthBytes[i];
  if (length > LONGEST_HEADER) {
    throw new FormatError(`${stream.name}: expected a header below ${LONGEST_HEADER} bytes, got ${length}`);
  }
  const place = `${stream.name}: header at byte ${stream.position}`;
  const text = textOfBytes(await take(length, 'header'));
  return parseHeader(new Scanner(text, place));
}

function beginsWithMagic(start: Uint8Array): boolean {
  for (let i = 0; i < MAGIC.length; i++) if (start[i] !== MAGIC.charCodeAt(i)) return false;
  return true;
}

function parseHeader(scanner: Scanner): NpyHeader {
  const entries: { descr?: Pick<NpyHeader, 'code' | 'swapped'>; fortran_order?: boolean; shape?: number[] } =
    {};
  scanner.expect('{', 'a dictionary of descr, fortran_order and shape');
  while (!scanner.take('}')) {
    const at = scanner.at;
    const key = scanner.string(`'"`);
    if (key !== 'descr' && key !== 'fortran_order' && key !== 'shape') {
      scanner.at = at;
      throw scanner.mistake("'descr', 'fortran_order' or 'shape'");
    }
    scanner.expect(':');
    if (key === 'descr') entries.descr = parseType(scanner);
    else if (key === 'shape') entries.shape = parseShape(scanner);
    else if (scanner.take('True')) entries.fortran_order = true;
    else if (scanner.take('False')) entries.fortran_order = false;
    else throw scanner.mistake('fortran_order True or False');
    if (!scanner.take(',')) {
      scanner.expect('}', "',' or '}'");
      break;
    }
  }
  scanner.end();
  const { descr, fortran_order, shape } = entries;
  if (descr === undefined || fortran_order === undefined || shape === undefined) {
    throw new FormatError(
      `${scanner.place}: expected the entries 'descr', 'fortran_order' and 'shape', got ${Object.keys(entries).join(', ') || 'none'}`,
    );
  }
  return { ...descr, columnMajor: fortran_order, shape };
}

/** A type code in quotation marks, or the list or tuple of a structured dtype, whose text stands for it. */
function parseType(scanner: Scanner): Pick<NpyHeader, 'code' | 'swapped'> {
  const descr = scanner.string(`'"`);
  if (descr === undefined) return { code: structuredType(scanner), swapped: false };
  const order = '<>|='.includes(descr[0]) ? descr[0] : '';
  const native = LITTLE_ENDIAN ? '<' : '>';
  return { code: descr.slice(order.length), swapped: (order === '<' || order === '>') && order !== native };
}

function structuredType(scanner: Scanner): string {
  const start = scanner.at;
  let depth = 0;
  do {
    if (scanner.take('[') || scanner.take('(')) depth++;
    else if (depth === 0) throw scanner.mistake('a dtype');
    else if (scanner.take(']') || scanner.take(')')) depth--;
    else if (scanner.string(`'"`) === undefined && Number.isNaN(scanner.integer()) && !scanner.take(','))
      throw scanner.mistake('a dtype');
  } while (depth > 0);
  return scanner.text.slice(start, scanner.at);
}

/** A tuple of integers ≥ 0; Python 2 wrote them with an L behind. */
function parseShape(scanner: Scanner): number[] {
  const shape: number[] = [];
  scanner.expect('(', 'a shape in parentheses');
  while (!scanner.take(')')) {
    const size = scanner.integer();
    if (Number.isNaN(size)) throw scanner.mistake('a shape of integers ≥ 0');
    if (shape.length === MAX_AXES) throw scanner.mistake(`at most ${MAX_AXES} axes`);
    shape.push(size);
    scanner.take('L');
    if (!scanner.take(',')) {
      scanner.expect(')', "',' or ')'");
      break;
    }
  }
  return shape;
}

/** The number of elements; FormatError when the stream has no room for them, or a size passes what an index counts. */
export function countElements(shape: readonly number[], itemBytes: number, stream: ByteStream): number {
  const largest = shape.reduce((most, size) => Math.max(most, size), 0);
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (count * itemBytes > stream.left) {
    const claim = `${count} elements of ${itemBytes} bytes after byte ${stream.position}`;
    throw new FormatError(`${stream.name}: expected ${claim}, got ${stream.left} bytes`);
  }
  if (largest > MAX_ELEMENTS || count > MAX_ELEMENTS) {
    throw new FormatError(`${stream.name}: expected sizes below 2^31, got ${Math.max(largest, count)}`);
  }
  return count;
}
