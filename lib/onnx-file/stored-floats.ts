/**
 * float32 weights as they lie in a file: in memory of the file's, and rarely where a Float32Array could begin. Kernels
 * take them from there, scaled row by row as they pack them; elements are made for whoever reads them one by one.
 */
import { uninitialised } from '../tensor/dtype.js';

export class StoredFloats {
  /** Four little-endian bytes for each. */
  readonly bytes: Uint8Array;
  /** A factor for each row: as many rows as there are factors, one behind the other. Null for none. */
  readonly scale: Float32Array | null;
  readonly #make: () => Float32Array;
  readonly #view: DataView;
  #elements: Float32Array | null = null;

  /** @param make  The elements, from the same bytes. */
  constructor(bytes: Uint8Array, make: () => Float32Array, scale: Float32Array | null = null) {
    this.bytes = bytes;
    this.scale = scale;
    this.#make = make;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length / Float32Array.BYTES_PER_ELEMENT;
  }

  /** One element, to look at. */
  at(index: number): number {
    const stored = this.#view.getFloat32(Float32Array.BYTES_PER_ELEMENT * index, true);
    return this.scale === null
      ? stored
      : stored * this.scale[Math.floor(index / (this.length / this.scale.length))];
  }

  /** All of them, made once. Not to be written to. */
  elements(): Float32Array {
    this.#elements ??= this.#scaled(this.#make());
    return this.#elements;
  }

  /** The same bytes, each row times its factor. */
  scaled(factors: Float32Array): StoredFloats {
    const { scale } = this;
    return new StoredFloats(
      this.bytes,
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
