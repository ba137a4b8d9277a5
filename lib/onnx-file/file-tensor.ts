/** A tensor as a file holds it: its elements are read when somebody wants them, and stay views of the file where they can. */
import { LITTLE_ENDIAN, swappedBytes } from '../bytes.js';
import { describe, elementCount, isInteger } from '../check.js';
import { DTypeError, FormatError, UnsupportedError } from '../errors.js';
import { type ArrayOf, arrayOver, BYTES, type DType, isShared, uninitialised } from '../tensor/dtype.js';
import { type Elements, type ElementType, storageOf } from '../tensor/element-type.js';
import { Tensor } from '../tensor/tensor.js';
import { type FileType, fileType } from './element-types.js';
import { fromBfloat16, fromFloat16 } from './half.js';
import { checkPresent, StoredFloats } from './stored-floats.js';

/** Where a tensor's bytes are when they are not in the file itself. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  /** null: to the end of the file. */
  readonly length: number | null;
}

/** The forms in which a file gives elements. */
export type TensorSource =
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /** One of float_data, int32_data, int64_data, double_data, uint64_data. */
  | { readonly kind: 'list'; readonly values: readonly (number | bigint)[] }
  /** Strings, and what has no elements of whole bytes: the message as it stands. */
  | { readonly kind: 'kept'; readonly message: Uint8Array }
  | { readonly kind: 'external'; readonly at: ExternalData };

/** Elements from which a copy of them is worth sparing. */
const MANY = 256;

export class FileTensor {
  readonly name: string;
  readonly dims: readonly number[];
  /** TensorProto.DataType. */
  readonly typeNumber: number;
  source: TensorSource;
  readonly #file: string;
  #size: number | null = null;
  #elements: Elements | null = null;
  #stored: StoredFloats | null = null;

  constructor(file: string, name: string, dims: readonly number[], typeNumber: number, source: TensorSource) {
    this.#file = file;
    this.name = name;
    this.dims = dims;
    this.typeNumber = typeNumber;
    this.source = source;
    this.#check();
  }

  get fileType(): FileType {
    return fileType(this.typeNumber);
  }

  get size(): number {
    this.#size ??= elementCount(this.dims, this.#place);
    return this.#size;
  }

  /** The bytes of its elements in raw_data. */
  get rawLength(): number {
    return this.size * this.fileType.bytes;
  }

  /**
   * Elements as the graph holds them: int64 in float64, 16-bit floats in float32, bool in uint8. Not to be written to.
   * @throws {UnsupportedError} for types that are not served.
   */
  elements(): Elements {
    this.#elements ??= this.#read();
    checkPresent(this.#elements, this.size, () => this.#place);
    return this.#elements;
  }

  /** Its elements, or what stands for them where they are many floats that kernels can take from the file's bytes. */
  known(): Elements | StoredFloats {
    const { source } = this;
    const isStored =
      source.kind === 'raw' &&
      this.fileType.name === 'float' &&
      this.size >= MANY &&
      LITTLE_ENDIAN &&
      !isShared(source.bytes.buffer);
    if (!isStored) return this.elements();
    const place = () => this.#place;
    this.#stored ??= new StoredFloats(source.bytes, this.size, place, () => asFloats(this.elements()));
    return this.#stored;
  }

  /**
   * The tensor that the public model shows: int64 and uint64 as int32.
   * @throws {DTypeError} for an integer that int32 does not hold; {UnsupportedError} for types that are not served.
   */
  toTensor(): Tensor {
    const elements = this.elements();
    const { type } = this.fileType;
    return type === 'int64' || type === 'uint64'
      ? toInt32Tensor(elements, this.dims, this.#place)
      : new Tensor(elements, this.dims);
  }

  /** Its elements as raw_data has them; null for those that are kept or elsewhere. */
  rawBytes(): Uint8Array | null {
    if (this.source.kind === 'raw') return this.source.bytes;
    if (this.source.kind !== 'list') return null;
    return encodeList(this.source.values, this.fileType);
  }

  get #place(): string {
    return `${this.#file}: tensor ${describe(this.name)}`;
  }

  /** A tensor whose bytes do not make its shape is refused before anything is allocated for it. */
  #check(): void {
    this.dims.forEach((size, axis) => {
      if (!isInteger(size) || size < 0)
        throw new FormatError(`${this.#place}: expected sizes ≥ 0, got ${size} on axis ${axis}`);
    });
    const { name, bytes } = this.fileType;
    const { source } = this;
    if (source.kind === 'kept') return;
    const count = this.size;
    if (source.kind === 'list' && source.values.length !== count)
      throw new FormatError(`${this.#place}: expected ${count} elements, got ${source.values.length}`);
    const length =
      source.kind === 'raw' ? source.bytes.length : source.kind === 'external' ? source.at.length : null;
    if (length !== null && length !== count * bytes)
      throw new FormatError(
        `${this.#place}: expected ${count * bytes} bytes for ${count} elements of ${name}, got ${length}`,
      );
  }

  #read(): Elements {
    const { name, type, bytes } = this.fileType;
    if (type === null)
      throw new UnsupportedError(`${this.#place}: expected numbers of a type served here, got ${name}`);
    const { source } = this;
    if (source.kind === 'list') return fromList(source.values, name, type);
    if (source.kind !== 'raw')
      throw new FormatError(`${this.#place}: expected its elements, got ${source.kind}`);
    checkPresent(source.bytes, this.rawLength, () => this.#place);
    const aligned = LITTLE_ENDIAN ? source.bytes : swappedBytes(source.bytes, bytes);
    if (name === 'int64' || name === 'uint64') return fromWords(aligned, name === 'int64');
    if (bytes === 2 && type === 'float32') return fromHalves(aligned, name === 'float16');
    const stored = viewAs(aligned, storageOf(type));
    // Bytes that were copied to be aligned take the place of those in the file.
    if (LITTLE_ENDIAN)
      this.source = {
        kind: 'raw',
        bytes: new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength),
      };
    return stored;
  }
}

/** 64-bit integers, which lie in float64 here, as an int32 tensor. @throws {DTypeError} for one that does not fit. */
export function toInt32Tensor(elements: Elements, shape: readonly number[], what: string): Tensor {
  const narrow = uninitialised('int32', elements.length);
  for (let i = 0; i < elements.length; i++) {
    narrow[i] = elements[i];
    if (narrow[i] !== elements[i])
      throw new DTypeError(`${what}: expected integers that int32 holds, got ${elements[i]}`);
  }
  return new Tensor(narrow, shape);
}

function asFloats(elements: Elements): Float32Array {
  if (!(elements instanceof Float32Array)) throw new Error('float32 lies in a Float32Array');
  return elements;
}

/** The bytes as numbers: a view where they are aligned, else a copy. */
function viewAs<D extends DType>(bytes: Uint8Array, dtype: D): ArrayOf<D> {
  const size = BYTES[dtype];
  const length = bytes.length / size;
  const { buffer, byteOffset } = bytes;
  if (byteOffset % size === 0 && !isShared(buffer)) return arrayOver(dtype, buffer, byteOffset, length);
  const copy = uninitialised(dtype, length);
  new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength).set(bytes);
  return copy;
}

function fromWords(bytes: Uint8Array, signed: boolean): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(bytes.length / 8);
  const order = LITTLE_ENDIAN;
  for (let i = 0; i < values.length; i++) {
    const [low, high] = order ? [8 * i, 8 * i + 4] : [8 * i + 4, 8 * i];
    const upper = signed ? view.getInt32(high, order) : view.getUint32(high, order);
    values[i] = upper * 2 ** 32 + view.getUint32(low, order);
  }
  return values;
}

function fromHalves(bytes: Uint8Array, ieee: boolean): Float32Array {
  const halves = viewAs(bytes, 'uint16');
  const convert = ieee ? fromFloat16 : fromBfloat16;
  const values = uninitialised('float32', halves.length);
  for (let i = 0; i < values.length; i++) values[i] = convert(halves[i]);
  return values;
}

function fromList(list: readonly (number | bigint)[], name: string, type: ElementType): Elements {
  // Of 64 bits alone: an unsigned one past 2^63 was read as negative.
  if (type === 'uint64') return Float64Array.from(list, (value) => Number(BigInt.asUintN(64, BigInt(value))));
  if (type === 'int64') return Float64Array.from(list, Number);
  // 16-bit floats stand in int32_data by their bits.
  if (name === 'float16') return Float32Array.from(list, (value) => fromFloat16(Number(value)));
  if (name === 'bfloat16') return Float32Array.from(list, (value) => fromBfloat16(Number(value)));
  const elements = uninitialised(storageOf(type), list.length);
  list.forEach((value, i) => {
    elements[i] = Number(value);
  });
  return elements;
}

function encodeList(list: readonly (number | bigint)[], { name, type, bytes }: FileType): Uint8Array {
  const raw = new Uint8Array(list.length * bytes);
  const view = new DataView(raw.buffer);
  list.forEach((exact, i) => {
    const at = i * bytes;
    const value = Number(exact);
    if (name === 'float') view.setFloat32(at, value, true);
    else if (name === 'double') view.setFloat64(at, value, true);
    else if (type === 'int64' || type === 'uint64') view.setBigInt64(at, BigInt(exact), true);
    else if (bytes === 4) view.setInt32(at, value, true);
    else if (bytes === 2) view.setInt16(at, value, true);
    else view.setInt8(at, value);
  });
  return raw;
}
