/**
 * Reading Matrix Market's text format for matrices. Source: Boisvert, Pozo, Remington 1996 (NISTIR 5935); what SciPy,
 * Octave, Fortran programs and C's printf write besides is taken too.
 */
import { MAX_ELEMENTS } from '../check.js';
import { FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { type ComplexCsrMatrix, type CsrMatrix, complexCsrOf } from '../matrix/csr.js';
import { quoted } from '../text.js';
import { Budget, type ReadOptions } from './budget.js';
import { parseCount, parseNumber, wordEnd, wordStart } from './decimal.js';
import { foreignBytes, LONGEST_MAGIC } from './foreign.js';
import { inflated } from './inflate.js';
import { copyOfLent } from './lent.js';
import { readInt64 } from './npy.js';
import { type Bytes, piecesOf, type Source, withBytes } from './source.js';
import { Triplets } from './triplets.js';

/**
 * A matrix as float64: coordinate or array layout; real, double, integer, unsigned-integer, complex or pattern (ones);
 * general, symmetric, skew-symmetric or hermitian; as it is or compressed by gzip. Entries that a file repeats are summed. A
 * complex one is a ComplexCsrMatrix: name that type, as in readMatrixMarket<ComplexCsrMatrix<Float64Array>>(path), for files
 * that hold one.
 *
 * @param source  A path, a file URL, the bytes, a Blob, or a stream of bytes.
 * @throws {FormatError} with the line, for damage.
 * @throws {MemoryError} past options.maxBytes.
 * @example const matrix = await io.readMatrixMarket('matrix.mtx');
 */
export function readMatrixMarket<T extends MatrixRead = CsrMatrix<Float64Array>>(
  source: Source,
  options?: ReadOptions,
): Promise<T>;
export async function readMatrixMarket(source: Source, options?: ReadOptions): Promise<MatrixRead> {
  readInt64(options);
  return withBytes(source, options, async (bytes) => {
    const { name, size } = bytes;
    const isGzip = (await startOf(bytes)).subarray(0, 2).equals(GZIP);
    const file = piecesOf(bytes, 0, size);
    const reader = new LineReader(name, isGzip ? GZIP_RATIO * size : size, new Budget(name, size, options));
    // A few bytes expand to any length, most of which may be comments that nobody keeps.
    const text = new Budget(name, size, options);
    for await (const piece of isGzip ? inflated(file, 'gzip', name) : file) {
      text.take(piece.length);
      const chars = copyOfLent(piece, name);
      for (let at = 0; at < chars.length; at += PARSED_AT_ONCE) {
        reader.push(chars.subarray(at, at + PARSED_AT_ONCE));
        await breathe();
      }
    }
    return reader.finish();
  });
}

/** What a file becomes: a ComplexCsrMatrix where its field is complex. */
export type MatrixRead = CsrMatrix<Float64Array> | ComplexCsrMatrix<Float64Array>;

/** In bytes: what is parsed without letting the event loop turn. */
const PARSED_AT_ONCE = 1 << 12;

const GZIP = Buffer.from([0x1f, 0x8b]);
/** The most that gzip can expand by. */
const GZIP_RATIO = 1032;

async function startOf(bytes: Bytes): Promise<Buffer> {
  return Buffer.from(await bytes.read(0, LONGEST_MAGIC));
}

const NEWLINE = 0x0a;
const PERCENT = 0x25;
/** In bytes. The format allows 1024; comments may be longer. */
const LONGEST_LINE = 1 << 16;

/** Cuts text into lines, wherever its pieces end, and hands them to whom they are for. */
class LineReader {
  #number = 0;
  /** The beginning of a line whose end has not come yet. */
  #carried: Buffer = Buffer.alloc(0);
  /** Whether the rest of the line that is being read is of no interest. */
  #skipping = false;
  #banner: Banner | undefined;
  #entries: EntryReader | undefined;

  constructor(
    private readonly name: string,
    private readonly textSize: number,
    private readonly budget: Budget,
  ) {}

  push(piece: Buffer): void {
    let from = 0;
    for (let at = 0; at < piece.length; at++) {
      if (piece[at] !== NEWLINE) continue;
      this.#end(piece, from, at);
      from = at + 1;
    }
    this.#carry(piece.subarray(from));
  }

  async finish(): Promise<MatrixRead> {
    if (this.#carried.length > 0) this.#end(this.#carried, 0, 0);
    if (this.#entries !== undefined) return this.#entries.finish(this.#place);
    const expected = this.#banner ? 'a size line' : 'a banner';
    throw new FormatError(`${this.#place}: expected ${expected}, got the end of the file`);
  }

  get #place(): string {
    return `${this.name}:${this.#number}`;
  }

  /** A line ends at `to`: it began at `from`, or with what was carried. */
  #end(piece: Buffer, from: number, to: number): void {
    this.#number++;
    if (this.#skipping) this.#skipping = false;
    else if (this.#carried.length > 0) {
      const line = this.#carried === piece ? piece : Buffer.concat([this.#carried, piece.subarray(from, to)]);
      this.#carried = Buffer.alloc(0);
      this.#line(line, 0, line.length);
    } else this.#line(piece, from, to);
  }

  #carry(rest: Buffer): void {
    if (this.#skipping || rest.length === 0) return;
    this.#carried = this.#carried.length > 0 ? Buffer.concat([this.#carried, rest]) : rest;
    if (this.#carried.length <= LONGEST_LINE) return;
    if (this.#banner === undefined || this.#carried[0] !== PERCENT) throw this.#tooLong(this.#number + 1);
    this.#skipping = true;
    this.#carried = Buffer.alloc(0);
  }

  #tooLong(number: number): FormatError {
    const place = `${this.name}:${number}`;
    return new FormatError(`${place}: expected lines of at most ${LONGEST_LINE} bytes, got a longer one`);
  }

  #line(bytes: Buffer, from: number, to: number): void {
    if (this.#banner === undefined) {
      this.#banner = readBanner(bytes.subarray(from, to), this.#place);
      return;
    }
    const start = wordStart(bytes, from, to);
    if (start === to || bytes[start] === PERCENT) return;
    if (to - from > LONGEST_LINE) throw this.#tooLong(this.#number);
    try {
      if (this.#entries === undefined) {
        this.#entries = new EntryReader(this.#banner, bytes.subarray(start, to), this.textSize, this.budget);
      } else this.#entries.add(bytes, start, to);
    } catch (error) {
      // Entries know what is wrong with them; where they stand is not worth a string each.
      if (error instanceof LineMistake) throw new FormatError(`${this.#place}: ${error.message}`);
      throw error;
    }
  }
}

/** What is wrong with a line, before its place is known. */
class LineMistake extends Error {}

function shown(line: Uint8Array): string {
  return quoted(Buffer.from(line.subarray(0, 120)).toString('latin1').trimEnd(), 80);
}

interface Banner {
  readonly layout: 'coordinate' | 'array';
  /** Of an entry: none of a pattern's, two of a complex one's. */
  readonly numbers: 0 | 1 | 2;
  /** Of real ones never 'hermitian'. */
  readonly symmetry: (typeof SYMMETRIES)[number];
}

const LAYOUTS = ['coordinate', 'array'] as const;
const FIELDS = ['real', 'double', 'integer', 'unsigned-integer', 'complex', 'pattern'] as const;
const SYMMETRIES = ['general', 'symmetric', 'skew-symmetric', 'hermitian'] as const;

function readBanner(line: Uint8Array, place: string): Banner {
  // Some editors begin files with a byte-order mark.
  const text = Buffer.from(line.subarray(0, 200))
    .toString('utf8')
    .replace(/^\ufeff/, '');
  const [tag, object, layout, field, symmetry = 'general'] = text.trim().toLowerCase().split(/\s+/);
  if (tag !== '%%matrixmarket') {
    const got = foreignBytes(line) ?? shown(line);
    throw new FormatError(`${place}: expected the banner '%%MatrixMarket matrix …', got ${got}`);
  }
  oneOf(object, ['matrix'], 'object', place);
  const isArray = oneOf(layout, LAYOUTS, 'layout', place) === 'array';
  const fields = isArray ? FIELDS.filter((name) => name !== 'pattern') : FIELDS;
  const kindOfValue = oneOf(field, fields, 'field', place);
  const numbers = kindOfValue === 'pattern' ? 0 : kindOfValue === 'complex' ? 2 : 1;
  const kind = oneOf(symmetry, SYMMETRIES, 'symmetry', place);
  // A real matrix that is Hermitian is symmetric.
  return {
    layout: isArray ? 'array' : 'coordinate',
    numbers,
    symmetry: kind === 'hermitian' && numbers < 2 ? 'symmetric' : kind,
  };
}

function oneOf<const T extends string>(
  value: string | undefined,
  choices: readonly T[],
  what: string,
  place: string,
): T {
  if (choices.includes(value as T)) return value as T;
  const got = value === undefined ? 'none' : quoted(value, 40);
  throw new FormatError(`${place}: expected the ${what} to be ${choices.join(' or ')}, got ${got}`);
}

/** Collects the entries of one matrix; knows how many are to come. */
class EntryReader {
  readonly #banner: Banner;
  readonly #rows: number;
  readonly #cols: number;
  readonly #expected: number;
  readonly #entries: Triplets;
  /** Of complex ones, with the same places. */
  readonly #imaginary: Triplets | undefined;
  #seen = 0;
  /** Where the next entry of an array stands. */
  #nextRow: number;
  #nextCol = 0;

  constructor(banner: Banner, line: Uint8Array, textSize: number, budget: Budget) {
    this.#banner = banner;
    this.#nextRow = this.#firstRow(0);
    const isCoordinate = banner.layout === 'coordinate';
    const sizes = readSizes(line, isCoordinate ? 3 : 2);
    if (sizes === null) {
      const expected = isCoordinate ? 'rows, columns and entries' : 'rows and columns';
      throw new LineMistake(`expected ${expected}, got ${shown(line)}`);
    }
    [this.#rows, this.#cols] = sizes;
    if (banner.symmetry !== 'general' && this.#rows !== this.#cols) {
      const got = `${this.#rows} × ${this.#cols}`;
      throw new LineMistake(`expected a square ${banner.symmetry} matrix, got ${got}`);
    }
    this.#expected = isCoordinate ? sizes[2] : this.#arrayLength();
    // An entry has a digit for each of its numbers, and a character behind each.
    const shortest = (isCoordinate ? 4 : 0) + 2 * banner.numbers;
    const most = Math.ceil((textSize + 1) / shortest);
    if (this.#expected > most) {
      throw new LineMistake(`expected at most ${most} entries in ${textSize} bytes, got ${this.#expected}`);
    }
    if (Math.max(this.#rows, this.#cols) > MAX_ELEMENTS) {
      throw new LineMistake(`expected sizes below 2^31, got ${this.#rows} × ${this.#cols}`);
    }
    budget.claimOffsets(this.#rows, this.#cols);
    this.#entries = new Triplets(budget);
    this.#imaginary = banner.numbers === 2 ? new Triplets(budget) : undefined;
  }

  /** An array holds every entry, or those on and below the diagonal, or those below it. */
  #arrayLength(): number {
    const [n, m] = [this.#rows, this.#cols];
    if (this.#banner.symmetry === 'general') return n * m;
    return (n * (this.#banner.symmetry === 'skew-symmetric' ? n - 1 : n + 1)) / 2;
  }

  /** The entry in bytes[from … to − 1], which begin with a word. */
  add(bytes: Buffer, from: number, to: number): void {
    if (this.#seen === this.#expected) {
      const got = shown(bytes.subarray(from, to));
      throw new LineMistake(`expected ${this.#expected} entries, got another: ${got}`);
    }
    if (this.#banner.layout === 'array') this.#addArrayEntry(bytes, from, to);
    else this.#addCoordinate(bytes, from, to);
    this.#seen++;
  }

  #addCoordinate(bytes: Buffer, from: number, to: number): void {
    const { numbers } = this.#banner;
    const rowEnd = wordEnd(bytes, from, to);
    const colStart = wordStart(bytes, rowEnd, to);
    const colEnd = wordEnd(bytes, colStart, to);
    const start = wordStart(bytes, colEnd, to);
    const end = wordEnd(bytes, start, to);
    const nextStart = wordStart(bytes, end, to);
    const nextEnd = wordEnd(bytes, nextStart, to);
    const found = Number(start < end) + Number(nextStart < nextEnd);
    if (colStart === colEnd || found !== numbers || wordStart(bytes, nextEnd, to) < to) {
      const expected = [
        'a row and a column',
        'a row, a column and a value',
        'a row, a column and two values',
      ];
      throw new LineMistake(`expected ${expected[numbers]}, got ${shown(bytes.subarray(from, to))}`);
    }
    const row = readIndex(bytes, from, rowEnd, this.#rows, 'row');
    const col = readIndex(bytes, colStart, colEnd, this.#cols, 'column');
    const re = numbers === 0 ? 1 : readValue(bytes, start, end);
    this.#push(row, col, re, numbers === 2 ? readValue(bytes, nextStart, nextEnd) : 0);
  }

  /** Arrays are column-major; of symmetric ones only the lower triangle is there. */
  #addArrayEntry(bytes: Buffer, from: number, to: number): void {
    const { numbers } = this.#banner;
    const end = wordEnd(bytes, from, to);
    const nextStart = wordStart(bytes, end, to);
    const nextEnd = wordEnd(bytes, nextStart, to);
    if (numbers === 2 ? nextStart === nextEnd || wordStart(bytes, nextEnd, to) < to : nextStart < to) {
      const expected = numbers === 2 ? 'two values' : 'one value';
      throw new LineMistake(`expected ${expected}, got ${shown(bytes.subarray(from, to))}`);
    }
    const re = readValue(bytes, from, end);
    const im = numbers === 2 ? readValue(bytes, nextStart, nextEnd) : 0;
    if (re !== 0 || im !== 0) this.#push(this.#nextRow, this.#nextCol, re, im);
    if (++this.#nextRow === this.#rows) {
      this.#nextCol++;
      this.#nextRow = this.#firstRow(this.#nextCol);
    }
  }

  #firstRow(col: number): number {
    return { general: 0, symmetric: col, hermitian: col, 'skew-symmetric': col + 1 }[this.#banner.symmetry];
  }

  #push(row: number, col: number, re: number, im: number): void {
    const { symmetry } = this.#banner;
    this.#entries.push(row, col, re);
    this.#imaginary?.push(row, col, im);
    if (symmetry === 'general' || row === col) return;
    this.#entries.push(col, row, symmetry === 'skew-symmetric' ? -re : re);
    this.#imaginary?.push(col, row, symmetry === 'symmetric' ? im : -im);
  }

  async finish(place: string): Promise<MatrixRead> {
    if (this.#seen < this.#expected) {
      const got = `${this.#seen} before the end of the file`;
      throw new FormatError(`${place}: expected ${this.#expected} entries, got ${got}`);
    }
    const shape = [this.#rows, this.#cols] as const;
    const real = await this.#entries.toCSR(shape);
    if (this.#imaginary === undefined) return real;
    const { data } = await this.#imaginary.toCSR(shape);
    return complexCsrOf(real, data);
  }
}

/** So many counts and nothing else, or null. */
function readSizes(line: Uint8Array, count: number): number[] | null {
  const sizes: number[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const start = wordStart(line, at, line.length);
    at = wordEnd(line, start, line.length);
    const size = parseCount(line, start, at);
    if (Number.isNaN(size)) return null;
    sizes.push(size);
  }
  return wordStart(line, at, line.length) === line.length ? sizes : null;
}

function readIndex(bytes: Uint8Array, from: number, to: number, size: number, what: string): number {
  const index = parseCount(bytes, from, to);
  if (!(index >= 1 && index <= size)) {
    throw new LineMistake(`expected a ${what} from 1 to ${size}, got ${shown(bytes.subarray(from, to))}`);
  }
  return index - 1;
}

function readValue(bytes: Buffer, from: number, to: number): number {
  const value = parseNumber(bytes, from, to);
  if (value === undefined) throw new LineMistake(`expected a number, got ${shown(bytes.subarray(from, to))}`);
  return value;
}
