/**
 * Matrix Market's text format for matrices. Source: Boisvert, Pozo, Remington 1996 (NISTIR 5935).
 * Rows and columns count from 1 in the file.
 */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MAX_ELEMENTS, mistake } from '../check.js';
import { ArgumentError, FormatError, MemoryError } from '../errors.js';
import { CsrMatrix } from '../matrix/csr.js';
import type { SparseFormats } from '../matrix/operator.js';
import { Budget, type ReadOptions } from './budget.js';
import { readWriteOptions, replaceFile, type WriteOptions, withFile } from './files.js';

/** Writes «coordinate real general»: one line per stored entry, every digit kept. */
export async function writeMatrixMarket(
  path: string,
  m: SparseFormats,
  options?: WriteOptions,
): Promise<void> {
  const onProgress = readWriteOptions(options);
  if (typeof m?.toCSR !== 'function') throw mistake(ArgumentError, 'm', 'a matrix with toCSR()', m);
  const { shape, indptr, indices, data, nnz } = m.toCSR();
  await replaceFile(path, async (handle) => {
    let text = `%%MatrixMarket matrix coordinate real general\n${shape[0]} ${shape[1]} ${nnz}\n`;
    for (let row = 0; row < shape[0]; row++) {
      for (let i = indptr[row]; i < indptr[row + 1]; i++) {
        text += `${row + 1} ${indices[i] + 1} ${formatValue(data[i])}\n`;
        if (text.length > 1 << 16) {
          await handle.appendFile(text);
          text = '';
          onProgress(i / nnz);
        }
      }
    }
    await handle.appendFile(text);
  });
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

interface Banner {
  readonly layout: 'coordinate' | 'array';
  readonly field: 'real' | 'integer' | 'pattern';
  readonly symmetry: 'general' | 'symmetric' | 'skew-symmetric';
}

/**
 * A real matrix as float64: coordinate or array layout, real, integer or pattern (ones), general, symmetric or
 * skew-symmetric. Entries that a file repeats are summed.
 */
export async function readMatrixMarket(path: string, options?: ReadOptions): Promise<CsrMatrix> {
  const budget = new Budget(path, options);
  // The size is looked at first: a header may not claim more entries than the file has room for.
  const size = await withFile(path, async (source) => source.size);
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  let banner: Banner | undefined;
  let reader: EntryReader | undefined;
  try {
    for await (const line of lines) {
      number++;
      const place = `${path}:${number}`;
      if (banner === undefined) banner = readBanner(line, place);
      else if (/^\s*(%|$)/.test(line)) continue;
      else if (reader === undefined) reader = new EntryReader(banner, line, size, budget, place);
      else reader.add(line, place);
    }
  } finally {
    lines.close();
  }
  if (reader === undefined) {
    throw new FormatError(
      `${path}:${number}: expected ${banner ? 'a size line' : 'a banner'}, got the end of the file`,
    );
  }
  return reader.finish(`${path}:${number}`);
}

function readBanner(line: string, place: string): Banner {
  const [tag, object, layout, field, symmetry] = line.trim().toLowerCase().split(/\s+/);
  if (tag !== '%%matrixmarket' || object !== 'matrix') {
    throw new FormatError(
      `${place}: expected the banner '%%MatrixMarket matrix …', got ${JSON.stringify(line.slice(0, 80))}`,
    );
  }
  return {
    layout: oneOf(layout, ['coordinate', 'array'], 'layout', place),
    field: oneOf(
      field,
      layout === 'array' ? ['real', 'integer'] : ['real', 'integer', 'pattern'],
      'field',
      place,
    ),
    symmetry: oneOf(symmetry, ['general', 'symmetric', 'skew-symmetric'], 'symmetry', place),
  };
}

function oneOf<const T extends string>(
  value: string | undefined,
  choices: readonly T[],
  what: string,
  place: string,
): T {
  if (choices.includes(value as T)) return value as T;
  throw new FormatError(`${place}: expected the ${what} to be ${choices.join(' or ')}, got ${value}`);
}

/** Collects the entries of one matrix; knows how many are to come. */
class EntryReader {
  readonly #banner: Banner;
  readonly #rows: number;
  readonly #cols: number;
  readonly #expected: number;
  readonly #row: number[] = [];
  readonly #col: number[] = [];
  readonly #value: number[] = [];
  #seen = 0;
  /** Where the next entry of an array stands. */
  #nextRow: number;
  #nextCol = 0;

  constructor(banner: Banner, line: string, fileSize: number, budget: Budget, place: string) {
    this.#banner = banner;
    this.#nextRow = this.#firstRow(0);
    const sizes = line.trim().split(/\s+/);
    if (sizes.length !== (banner.layout === 'coordinate' ? 3 : 2) || !sizes.every((s) => /^\d+$/.test(s))) {
      const expected = banner.layout === 'coordinate' ? 'rows, columns and entries' : 'rows and columns';
      throw new FormatError(`${place}: expected ${expected}, got ${JSON.stringify(line.slice(0, 80))}`);
    }
    [this.#rows, this.#cols] = sizes.map(Number);
    if (banner.symmetry !== 'general' && this.#rows !== this.#cols) {
      throw new FormatError(
        `${place}: expected a square ${banner.symmetry} matrix, got ${this.#rows} × ${this.#cols}`,
      );
    }
    this.#expected = banner.layout === 'coordinate' ? Number(sizes[2]) : this.#arrayLength();
    // The shortest entry is one digit and a line end.
    if (this.#expected > fileSize) {
      throw new FormatError(
        `${place}: expected at most ${fileSize} entries in ${fileSize} bytes, got ${this.#expected}`,
      );
    }
    if (Math.max(this.#rows, this.#cols, this.#expected) > MAX_ELEMENTS) {
      throw new MemoryError(`${place}: expected sizes and entries below 2^31, got ${line.trim()}`);
    }
    // Row, column and value of each, as they come and as the matrix holds them.
    budget.take(2 * 16 * this.#expected);
    budget.takeOffsets(this.#rows, this.#cols);
  }

  /** An array holds every entry, or those on and below the diagonal, or those below it. */
  #arrayLength(): number {
    const [n, m] = [this.#rows, this.#cols];
    if (this.#banner.symmetry === 'general') return n * m;
    return (n * (this.#banner.symmetry === 'symmetric' ? n + 1 : n - 1)) / 2;
  }

  add(line: string, place: string): void {
    if (this.#seen === this.#expected) {
      throw new FormatError(
        `${place}: expected ${this.#expected} entries, got another: ${JSON.stringify(line.slice(0, 80))}`,
      );
    }
    const words = line.trim().split(/\s+/);
    if (this.#banner.layout === 'array') this.#addArrayEntry(words, place);
    else this.#addCoordinate(words, place);
    this.#seen++;
  }

  #addCoordinate(words: string[], place: string): void {
    const pattern = this.#banner.field === 'pattern';
    if (words.length !== (pattern ? 2 : 3)) {
      const expected = pattern ? 'a row and a column' : 'a row, a column and a value';
      throw new FormatError(
        `${place}: expected ${expected}, got ${JSON.stringify(words.join(' ').slice(0, 80))}`,
      );
    }
    const row = readIndex(words[0], this.#rows, 'row', place);
    const col = readIndex(words[1], this.#cols, 'column', place);
    this.#push(row, col, pattern ? 1 : readValue(words[2], place));
  }

  /** Arrays are column-major; of symmetric ones only the lower triangle is there. */
  #addArrayEntry(words: string[], place: string): void {
    if (words.length !== 1) throw new FormatError(`${place}: expected one value, got ${words.length}`);
    const value = readValue(words[0], place);
    if (value !== 0) this.#push(this.#nextRow, this.#nextCol, value);
    if (++this.#nextRow === this.#rows) {
      this.#nextCol++;
      this.#nextRow = this.#firstRow(this.#nextCol);
    }
  }

  #firstRow(col: number): number {
    return { general: 0, symmetric: col, 'skew-symmetric': col + 1 }[this.#banner.symmetry];
  }

  #push(row: number, col: number, value: number): void {
    this.#row.push(row);
    this.#col.push(col);
    this.#value.push(value);
    if (this.#banner.symmetry === 'general' || row === col) return;
    this.#row.push(col);
    this.#col.push(row);
    this.#value.push(this.#banner.symmetry === 'symmetric' ? value : -value);
  }

  finish(place: string): CsrMatrix {
    if (this.#seen < this.#expected) {
      throw new FormatError(
        `${place}: expected ${this.#expected} entries, got ${this.#seen} before the end of the file`,
      );
    }
    const shape = [this.#rows, this.#cols] as const;
    return CsrMatrix.fromCOO(shape, this.#row, this.#col, Float64Array.from(this.#value));
  }
}

function readIndex(word: string, size: number, what: string, place: string): number {
  const index = /^\d+$/.test(word) ? Number(word) : 0;
  if (index < 1 || index > size)
    throw new FormatError(`${place}: expected a ${what} from 1 to ${size}, got ${word}`);
  return index - 1;
}

const SPECIAL: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Infinity,
  '+inf': Infinity,
  '-inf': -Infinity,
};

function readValue(word: string, place: string): number {
  const value =
    SPECIAL[word.toLowerCase()] ??
    (/^[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?$/.test(word) ? Number(word.replace(/[dD]/, 'e')) : undefined);
  if (value === undefined)
    throw new FormatError(`${place}: expected a number, got ${JSON.stringify(word.slice(0, 40))}`);
  return value;
}
