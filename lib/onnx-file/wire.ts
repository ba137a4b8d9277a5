/**
 * The wire format of Protocol Buffers, as far as a file of tensors needs it: a message is fields one after the other, each
 * a number, a kind of payload and the payload. Nothing here recurses, and no length is trusted before it is compared with
 * what is there.
 * Source: https://protobuf.dev/programming-guides/encoding
 */
import { bytesOfText, textOfBytes } from '../bytes.js';
import { FormatError } from '../errors.js';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

const KINDS: Readonly<Record<number, string>> = {
  [VARINT]: 'a varint',
  [FIXED64]: '8 bytes',
  [BYTES]: 'a length and bytes',
  [FIXED32]: '4 bytes',
};

/** Longest varint: 64 bits, seven in each byte. */
const LONGEST_VARINT = 10;

/** Reads the fields of one message: a stretch of a file's bytes. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  readonly #file: string;
  #at: number;
  #kind = VARINT;

  /** @param file  What an error calls the file. Places in errors count from the first of `bytes`. */
  constructor(bytes: Uint8Array, file: string, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#start = start;
    this.#at = start;
    this.#end = end;
  }

  /** Moves to the next field: its number, or 0 at the end of the message. */
  next(): number {
    if (this.#at >= this.#end) return 0;
    const start = this.#at;
    const tag = this.#varint();
    const field = Math.floor(tag / 8);
    this.#kind = tag % 8;
    if (field < 1 || field > 0x1fffffff || KINDS[this.#kind] === undefined)
      throw this.#failure(start, 'a field of a message', `tag ${tag}`);
    return field;
  }

  /** The value of an int64, int32, bool or enum field: exact to 2^53, else the nearest number. */
  int(): number {
    this.#expect(VARINT);
    return this.#signedVarint();
  }

  /** An int64 that keeps all of its bits: a number where one is exact. */
  exactInt(): number | bigint {
    this.#expect(VARINT);
    const start = this.#at;
    const value = this.#signedVarint();
    return Number.isSafeInteger(value) ? value : this.#bigVarint(start);
  }

  float(): number {
    this.#expect(FIXED32);
    return this.#view.getFloat32(this.#advance(4), true);
  }

  /** A view of the bytes in the file. */
  bytes(): Uint8Array {
    const [start, end] = this.#stretch();
    return this.#bytes.subarray(start, end);
  }

  string(): string {
    return textOfBytes(this.bytes());
  }

  /** The fields of a message within this one. */
  message(): Reader {
    const [start, end] = this.#stretch();
    return new Reader(this.#bytes, this.#file, start, end);
  }

  /** The bytes of the whole message. */
  whole(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Appends the values of a repeated integer field, packed or one by one. */
  ints(into: (number | bigint)[]): void {
    this.#repeated(VARINT, 1, (reader) => into.push(reader.#signedVarint()));
  }

  exactInts(into: (number | bigint)[]): void {
    if (this.#kind === VARINT) {
      into.push(this.exactInt());
      return;
    }
    const reader = this.message();
    reader.#kind = VARINT;
    while (reader.#at < reader.#end) into.push(reader.exactInt());
  }

  floats(into: (number | bigint)[]): void {
    this.#repeated(FIXED32, 4, (reader) => into.push(reader.#view.getFloat32(reader.#advance(4), true)));
  }

  doubles(into: (number | bigint)[]): void {
    this.#repeated(FIXED64, 8, (reader) => into.push(reader.#view.getFloat64(reader.#advance(8), true)));
  }

  /** Passes over the field: its payload as it stands, for writing it again. */
  skip(): { readonly kind: number; readonly payload: Uint8Array } {
    const kind = this.#kind;
    if (kind === BYTES) return { kind, payload: this.bytes() };
    const start = this.#at;
    if (kind === VARINT) this.#varint();
    else this.#advance(kind === FIXED64 ? 8 : 4);
    return { kind, payload: this.#bytes.subarray(start, this.#at) };
  }

  /** The error for something wrong in the field that was just read. */
  failure(expected: string, actual: string): FormatError {
    return this.#failure(this.#at, expected, actual);
  }

  #repeated(kind: number, bytes: number, read: (reader: Reader) => void): void {
    if (this.#kind === kind) {
      read(this);
      return;
    }
    const reader = this.message();
    const length = reader.#end - reader.#at;
    if (length % bytes !== 0) throw this.#failure(reader.#at, `a multiple of ${bytes} bytes`, `${length}`);
    while (reader.#at < reader.#end) read(reader);
  }

  #expect(kind: number): void {
    if (this.#kind !== kind) throw this.#failure(this.#at, KINDS[kind], KINDS[this.#kind]);
  }

  #stretch(): [start: number, end: number] {
    this.#expect(BYTES);
    const at = this.#at;
    const length = this.#varint();
    if (length > this.#end - this.#at)
      throw this.#failure(at, `at most ${this.#end - this.#at} bytes`, `a length of ${length}`);
    const start = this.#advance(length);
    return [start, start + length];
  }

  #advance(bytes: number): number {
    const at = this.#at;
    if (this.#end - at < bytes) throw this.#failure(at, `${bytes} bytes`, `${this.#end - at}`);
    this.#at = at + bytes;
    return at;
  }

  #varint(): number {
    const start = this.#at;
    let value = 0;
    let unit = 1;
    for (let count = 0; count < LONGEST_VARINT; count++, unit *= 128) {
      const byte = this.#bytes[this.#advance(1)];
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
    throw this.#failure(start, `a varint of at most ${LONGEST_VARINT} bytes`, 'a longer one');
  }

  #signedVarint(): number {
    const start = this.#at;
    const value = this.#varint();
    // Two's complement of 64 bits: a negative number is ten bytes long, and floats lose its small digits.
    return value < 2 ** 53 ? value : Number(BigInt.asIntN(64, this.#bigVarint(start)));
  }

  #bigVarint(start: number): bigint {
    let value = 0n;
    for (let at = start, shift = 0n; at < this.#at; at++, shift += 7n)
      value |= BigInt(this.#bytes[at] & 127) << shift;
    return BigInt.asIntN(64, value);
  }

  #failure(at: number, expected: string, actual: string): FormatError {
    return new FormatError(`${this.#file}: expected ${expected} at byte ${at}, got ${actual}`);
  }
}

/** Writes messages: large payloads are kept as they are, and joined once at the end. */
export class Writer {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  int(field: number, value: number | bigint): this {
    return this.#tag(field, VARINT).#varint(value);
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#tag(field, FIXED32).#raw(bytes);
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#tag(field, BYTES).#varint(value.length).#raw(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, bytesOfText(value));
  }

  /** A message within this one. */
  message(field: number, body: Writer): this {
    this.#tag(field, BYTES).#varint(body.#length);
    for (const part of body.#parts) this.#raw(part);
    return this;
  }

  ints(field: number, values: readonly (number | bigint)[]): this {
    if (values.length === 0) return this;
    const body = new Writer();
    for (const value of values) body.#varint(value);
    return this.message(field, body);
  }

  floats(field: number, values: ArrayLike<number>): this {
    if (values.length === 0) return this;
    const bytes = new Uint8Array(4 * values.length);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i], true);
    return this.bytes(field, bytes);
  }

  /** A field that was passed over when it was read. */
  again(field: number, { kind, payload }: { readonly kind: number; readonly payload: Uint8Array }): this {
    return kind === BYTES ? this.bytes(field, payload) : this.#tag(field, kind).#raw(payload);
  }

  /** The fields of a message that was kept as bytes. */
  fields(message: Uint8Array): this {
    return this.#raw(message);
  }

  /** The pieces of the message in order, for writing them without joining them. */
  parts(): readonly Uint8Array[] {
    return this.#parts;
  }

  #tag(field: number, kind: number): this {
    return this.#varint(field * 8 + kind);
  }

  #varint(value: number | bigint): this {
    const bytes: number[] = [];
    if (typeof value === 'number' && value >= 0 && value < 2 ** 31) {
      for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
      bytes.push(value);
    } else {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
      bytes.push(Number(rest));
    }
    return this.#raw(Uint8Array.from(bytes));
  }

  #raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
}
