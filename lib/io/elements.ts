/** How files write numbers, and what they become: the eight dtypes as they are, everything else as the next wider one. */
import { LITTLE_ENDIAN } from '../bytes.js';
import { FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { BYTES, type DType, type TypedArray, uninitialised } from '../tensor/dtype.js';
import type { Budget } from './budget.js';
import type { ByteStream } from './byte-stream.js';

/** The names of what can be read. */
export type ElementType =
  | DType
  | 'bool'
  | 'float8_e4m3'
  | 'float8_e5m2'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'uint64'
  | 'complex64'
  | 'complex128';

interface Encoding {
  /** Of what is read. */
  readonly dtype: DType;
  /** Bytes of one number in the file; a complex element is two numbers. */
  readonly bytes: number;
  readonly complex?: true;
  /**
   * Writes a block of numbers, in the machine's byte order, to the targets (real and imaginary parts of complex ones)
   * from element `at` on. Gives the first that does not fit, or -1. Without it numbers are stored as they are.
   */
  readonly widen?: (block: Block, count: number, targets: readonly TypedArray[], at: number) => number;
}

const BLOCK_BYTES = 1 << 16;

/** One memory, seen as each kind of number. */
class Block {
  readonly bytes = Buffer.alloc(BLOCK_BYTES);
  readonly #buffer = this.bytes.buffer;
  readonly halves = new Uint16Array(this.#buffer, this.bytes.byteOffset, BLOCK_BYTES / 2);
  readonly words = new Int32Array(this.#buffer, this.bytes.byteOffset, BLOCK_BYTES / 4);
  readonly float32 = new Float32Array(this.#buffer, this.bytes.byteOffset, BLOCK_BYTES / 4);
  readonly float64 = new Float64Array(this.#buffer, this.bytes.byteOffset, BLOCK_BYTES / 8);
}

function same(dtype: DType): Encoding {
  return { dtype, bytes: BYTES[dtype] };
}

const ENCODINGS: Readonly<Record<ElementType, Encoding>> = {
  float32: same('float32'),
  float64: same('float64'),
  int8: same('int8'),
  uint8: same('uint8'),
  int16: same('int16'),
  uint16: same('uint16'),
  int32: same('int32'),
  uint32: same('uint32'),
  bool: same('uint8'),
  float8_e4m3: { dtype: 'float32', bytes: 1, widen: (...to) => widenFloats(8, float8E4M3, ...to) },
  float8_e5m2: {
    dtype: 'float32',
    bytes: 1,
    widen: (...to) => widenFloats(8, (byte) => float16(byte << 8), ...to),
  },
  float16: { dtype: 'float32', bytes: 2, widen: (...to) => widenFloats(16, float16, ...to) },
  bfloat16: { dtype: 'float32', bytes: 2, widen: (...to) => widenFloats(16, (half) => half << 16, ...to) },
  int64: { dtype: 'int32', bytes: 8, widen: (...to) => narrowLongs(true, ...to) },
  uint64: { dtype: 'int32', bytes: 8, widen: (...to) => narrowLongs(false, ...to) },
  complex64: { dtype: 'float32', bytes: 4, complex: true, widen: separate },
  complex128: { dtype: 'float64', bytes: 8, complex: true, widen: separate },
};

/** 64-bit integers on request. */
const LONGS_AS_FLOAT64: Readonly<Partial<Record<ElementType, Encoding>>> = {
  int64: { dtype: 'float64', bytes: 8, widen: (...to) => convertLongs(true, ...to) },
  uint64: { dtype: 'float64', bytes: 8, widen: (...to) => convertLongs(false, ...to) },
};

/** Bytes of one element in the file. */
export function bytesOfElement(type: ElementType): number {
  const { bytes, complex } = ENCODINGS[type];
  return complex ? 2 * bytes : bytes;
}

export interface ElementOptions {
  /** Whether the file's byte order is not the machine's. */
  readonly swapped: boolean;
  readonly int64: 'int32' | 'float64';
}

/**
 * `count` elements of a stream: one array, or real and imaginary parts. What is there but does not fit its dtype is a
 * FormatError as a value; what is not there is one that is thrown.
 */
export async function readElements(
  stream: ByteStream,
  type: ElementType,
  count: number,
  { swapped, int64 }: ElementOptions,
  budget: Budget,
): Promise<readonly TypedArray[] | FormatError> {
  const encoding = (int64 === 'float64' ? LONGS_AS_FLOAT64[type] : undefined) ?? ENCODINGS[type];
  const { dtype, bytes, complex, widen } = encoding;
  const parts = complex ? 2 : 1;
  budget.take(parts * count * BYTES[dtype]);
  const target = uninitialised(dtype, count);
  if (widen === undefined) {
    const whole = Buffer.from(target.buffer as ArrayBuffer, target.byteOffset, target.byteLength);
    const there = stream.takeAtOnce(whole.length);
    if (there === undefined) await stream.fill(whole, 'elements');
    else whole.set(there);
    for (let at = 0; swapped && at < whole.length; at += SWAPPED_AT_ONCE) {
      swapBytes(whole.subarray(at, at + SWAPPED_AT_ONCE), bytes);
      await breathe();
    }
    return [target];
  }
  const targets = complex ? [target, uninitialised(dtype, count)] : [target];
  const block = new Block();
  const most = BLOCK_BYTES / (parts * bytes);
  for (let at = 0; at < count; at += most) {
    const length = Math.min(most, count - at);
    const filled = block.bytes.subarray(0, length * parts * bytes);
    await stream.fill(filled, 'elements');
    if (swapped) swapBytes(filled, bytes);
    const wrong = widen(block, length, targets, at);
    if (wrong >= 0) {
      const expected = "integers that fit in 32 bits (or the option int64: 'float64')";
      return new FormatError(`${stream.name}: expected ${expected}, got another at element ${wrong}`);
    }
  }
  return targets;
}

/** In bytes: without letting the event loop turn. */
const SWAPPED_AT_ONCE = 1 << 18;

function swapBytes(bytes: Buffer, width: number): void {
  if (width === 2) bytes.swap16();
  else if (width === 4) bytes.swap32();
  else if (width === 8) bytes.swap64();
}

/** Short floats, whose bits as a float32's `bitsOf` knows. */
function widenFloats(
  width: 8 | 16,
  bitsOf: (bits: number) => number,
  block: Block,
  count: number,
  [target]: readonly TypedArray[],
  at: number,
): number {
  const from = width === 8 ? block.bytes : block.halves;
  // As bits: a signalling NaN would not survive as a number.
  const to = new Int32Array(target.buffer, target.byteOffset + 4 * at, count);
  for (let i = 0; i < count; i++) to[i] = bitsOf(from[i]);
  return -1;
}

const scratch = new Float32Array(1);
const scratchBits = new Int32Array(scratch.buffer);

/** The bits of a float32 with the value of this float16. */
function float16(half: number): number {
  const sign = (half & 0x8000) << 16;
  if ((half & 0x7c00) === 0x7c00) return sign | 0x7f800000 | ((half & 0x3ff) << 13);
  // Exponent and mantissa in their new places, 112 too low in the exponent: right for subnormals too.
  scratchBits[0] = (half & 0x7fff) << 13;
  scratch[0] *= 2 ** 112;
  return sign | scratchBits[0];
}

/** The same of a float8 with four bits of exponent, no infinities and one NaN (OCP's E4M3). */
function float8E4M3(byte: number): number {
  const sign = (byte & 0x80) << 24;
  if ((byte & 0x7f) === 0x7f) return sign | 0x7fc00000;
  scratchBits[0] = (byte & 0x7f) << 20;
  scratch[0] *= 2 ** 120;
  return sign | scratchBits[0];
}

// Where the halves of a 64-bit integer stand, in words.
const [LOW, HIGH] = LITTLE_ENDIAN ? [0, 1] : [1, 0];

function narrowLongs(
  signed: boolean,
  { words }: Block,
  count: number,
  [target]: readonly TypedArray[],
  at: number,
): number {
  for (let i = 0; i < count; i++) {
    const low = words[2 * i + LOW];
    const high = words[2 * i + HIGH];
    if (high !== low >> 31 || (!signed && high !== 0)) return at + i;
    target[at + i] = low;
  }
  return -1;
}

function convertLongs(
  signed: boolean,
  { words }: Block,
  count: number,
  [target]: readonly TypedArray[],
  at: number,
): number {
  for (let i = 0; i < count; i++) {
    const low = words[2 * i + LOW] >>> 0;
    const high = words[2 * i + HIGH];
    // The product is exact, so that the sum is rounded once.
    target[at + i] = (signed ? high : high >>> 0) * 2 ** 32 + low;
  }
  return -1;
}

function separate(
  { float32, float64 }: Block,
  count: number,
  [re, im]: readonly TypedArray[],
  at: number,
): number {
  const from = re.BYTES_PER_ELEMENT === 4 ? float32 : float64;
  for (let i = 0; i < count; i++) {
    re[at + i] = from[2 * i];
    im[at + i] = from[2 * i + 1];
  }
  return -1;
}
