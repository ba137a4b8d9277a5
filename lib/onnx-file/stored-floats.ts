/**
 * float32 weights as they lie in a file: in memory of the file's, and rarely where a Float32Array could begin. Kernels
 * take them from there, scaled row by row as they pack them; elements are made for whoever reads them one by one.
 */
import { ArgumentError } from '../errors.js';
import { uninitialised } from '../tensor/dtype.js';

/**
 * A model may be read from memory of the caller's, who may hand it on before every shape of the network has been prepared.
 *
 * @param place  The file and the tensor, as in «model.onnx: tensor 'w'», asked for where a message says it.
 * @throws {ArgumentError} when the bytes are no longer there.
 */
export function checkPresent(data: ArrayLike<number>, length: number, place: () => string): void {
  if (data.length === length) return;
  const expected = 'the bytes that the model was read from';
  throw new ArgumentError(`${place()}: expected ${expected}, got a buffer that was taken away or shrunk`);
}

export class StoredFloats {
  readonly length: number;
  /** A factor for each row: as many rows as there are factors, one behind the other. Null for none. */
  readonly scale: Float32Array | null;
  readonly #bytes: Uint8Array;
  readonly #place: () => string;
  readonly #make: () => Float32Array;
  #elements: Float32Array | null = null;

  /**
   * @param make  The elements, from the same bytes.
   * @param place  As of checkPresent.
   */
  constructor(
    bytes: Uint8Array,
    length: number,
    place: () => string,
    make: () => Float32Array,
    scale: Float32Array | null = null,
  ) {
    this.length = length;
    this.scale = scale;
    this.#bytes = bytes;
    this.#place = place;
    this.#make = make;
  }

  /** Four little-endian bytes for each. @throws {ArgumentError} as checkPresent. */
  get bytes(): Uint8Array {
    checkPresent(this.#bytes, Float32Array.BYTES_PER_ELEMENT * this.length, this.#place);
    return this.#bytes;
  }

  /** What gives its elements one by one, to look at some of them here and now. @throws {ArgumentError} as checkPresent. */
  reader(): (index: number) => number {
    const { buffer, byteOffset, byteLength } = this.bytes;
    const view = new DataView(buffer, byteOffset, byteLength);
    const at = (index: number) => view.getFloat32(Float32Array.BYTES_PER_ELEMENT * index, true);
    const { scale } = this;
    if (scale === null) return at;
    const row = this.length / scale.length;
    return (index) => at(index) * scale[Math.floor(index / row)];
  }

  /** All of them, made once: not to be written to. @throws {ArgumentError} as checkPresent. */
  elements(): Float32Array {
    this.#elements ??= this.#scaled(this.#make());
    checkPresent(this.#elements, this.length, this.#place);
    return this.#elements;
  }

  /** The same bytes, each row times its factor. */
  scaled(factors: Float32Array): StoredFloats {
    const { scale } = this;
    return new StoredFloats(
      this.#bytes,
      this.length,
      this.#place,
      this.#make,
      scale === null ? factors : factors.map((factor, row) => factor * scale[row]),
    );
  }

  #scaled(from: Float32Array): Float32Array {
    if (this.scale === null) return from;
    const to = uninitialised('float32', from.length);
    const row = from.length / this.scale.length;
    this.scale.forEach((factor, r) => {
      for (let i = r * row; i < (r + 1) * row; i++) to[i] = from[i] * factor;
    });
    return to;
  }
}
