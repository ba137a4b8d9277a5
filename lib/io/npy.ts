/** NumPy's .npy: a header, then the elements. */
import { checkOneOf, checkOptions } from '../check.js';
import { FormatError } from '../errors.js';
import { breathe } from '../host/pace.js';
import { type ComplexTensor, checkParts, isParts, type PartsOf } from '../tensor/complex.js';
import { type DType, type FloatDType, type TypedArray, uninitialised } from '../tensor/dtype.js';
import { type TensorLike, takeFloats, takeTensor } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';
import { quoted } from '../text.js';
import { Budget, READ_OPTIONS, type ReadOptions } from './budget.js';
import { ByteStream } from './byte-stream.js';
import { bytesOfElement, readElements } from './elements.js';
import { writeFile } from './files.js';
import { countElements, encodeHeader, READ_AS, readHeader } from './npy-header.js';
import { bytesOf, interleaved, type Part, partOf, piecesOfParts } from './parts.js';
import { type FileURL, piecesOf, type Source, withBytes } from './source.js';

/** What an array of a file becomes: complex64 and complex128 are {re, im}, everything else a Tensor. */
export type ArrayRead = Tensor | ComplexTensor;

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

const WRITE_COMPLEX_AS: Readonly<Record<FloatDType, string>> = { float32: 'c8', float64: 'c16' };

/**
 * The array of an .npy file. The eight dtypes are read as they are; booleans become uint8, float16 and bfloat16 (which
 * NumPy writes as 2-byte voids) float32, 64-bit integers int32 or as options.int64 says, complex64 and complex128
 * {re, im} of float32 and float64: name that type, as in readNpy<io.ComplexTensor>(path), for files that hold one.
 *
 * @param source  A path, a file URL, the bytes, a Blob, or a stream of bytes.
 * @throws {FormatError} for damage, with its place; for strings, objects, dates and structures; for integers past 32 bits.
 * @throws {MemoryError} past options.maxBytes.
 * @example const { data, shape } = await io.readNpy('weights.npy');
 */
export async function readNpy<T extends ArrayRead = Tensor>(
  source: Source,
  options?: ReadOptions,
): Promise<T> {
  return withBytes(source, options, async (bytes) => {
    const stream = new ByteStream(bytes.name, bytes.size, piecesOf(bytes, 0, bytes.size));
    const array = await readArray(stream, new Budget(bytes.name, bytes.size, options), options);
    if (array instanceof FormatError) throw array;
    return array as T;
  });
}

/** What writers take for an array: a tensor, or both parts of a complex one, of one shape and floating dtype. */
export type ArrayToWrite = TensorLike | PartsOf<TensorLike>;

/**
 * Writes an .npy file (version 1.0, row-major, little-endian) that NumPy loads with the same dtype and shape: { re, im } of
 * float32 and float64 as complex64 and complex128.
 *
 * @throws {ShapeError} for parts of different shapes, {DTypeError} for parts that are not float32 or float64, both alike.
 * @example await io.writeNpy('result.npy', tensor([[1, 2], [3, 4]]));
 */
export async function writeNpy(path: string | FileURL, t: ArrayToWrite): Promise<void> {
  await writeFile(path, npyPieces(t));
}

/** What writeNpy writes. */
export function npyPieces(t: ArrayToWrite): Iterable<Uint8Array> {
  return piecesOfParts(arrayParts(t, 't'));
}

/**
 * The bytes that writeNpy writes.
 *
 * @example await fetch(url, { method: 'PUT', body: io.encodeNpy(result) });
 */
export function encodeNpy(t: ArrayToWrite): Uint8Array {
  return bytesOf(arrayParts(t, 't'));
}

/** Header and elements, to be written one after the other. */
export function arrayParts(value: ArrayToWrite, argument: string): Part[] {
  if (!isParts(value)) {
    const { data, dtype, shape } = takeTensor(value, argument);
    return [encodeHeader(WRITE_AS[dtype], shape), data].map(partOf);
  }
  checkParts(value, argument);
  const [re, im] = takeFloats([`${argument}.re`, `${argument}.im`], [value.re, value.im]);
  return [partOf(encodeHeader(WRITE_COMPLEX_AS[re.dtype], re.shape)), interleaved(re.data, im.data)];
}

/** The option, checked. */
export function readInt64(options: ReadOptions | undefined): 'int32' | 'float64' {
  const { int64 = 'int32' } = checkOptions(options, READ_OPTIONS);
  return checkOneOf(int64, 'options.int64', ['int32', 'float64']);
}

/**
 * The array that a stream holds from where it stands. One that is whole, but holds what no Tensor does, is a FormatError
 * as a value; damage is one that is thrown.
 */
export async function readArray(
  stream: ByteStream,
  budget: Budget,
  options: ReadOptions | undefined,
): Promise<ArrayRead | FormatError> {
  const int64 = readInt64(options);
  const { code, shape, swapped, columnMajor } = await readHeader(stream);
  const type = READ_AS[code];
  if (type === undefined) return unreadable(stream.name, code);
  const count = countElements(shape, bytesOfElement(type), stream);
  const parts = await readElements(stream, type, count, { swapped, int64 }, budget);
  if (parts instanceof FormatError) return parts;
  const tensors: Tensor[] = [];
  for (const part of parts) {
    if (columnMajor) budget.take(part.byteLength);
    tensors.push(new Tensor(columnMajor ? await toRowMajor(part, shape) : part, shape));
  }
  const [re, im] = tensors;
  return im === undefined ? re : { re, im };
}

const KINDS: Readonly<Record<string, string>> = {
  S: 'byte strings',
  U: 'strings',
  O: 'Python objects',
  M: 'dates',
  m: 'durations',
  V: 'voids',
  '[': 'structures',
  '(': 'sub-arrays',
  f: 'floats of another width',
  c: 'complex numbers of another width',
};

function unreadable(name: string, code: string): FormatError {
  const what = KINDS[code[0]] ?? 'what is no array of numbers';
  return new FormatError(
    `${name}: expected numbers of up to 64 bits each, got ${what} (dtype ${quoted(code, 40)})`,
  );
}

const LONGEST_STRING = 64;

/** The text of a zero-dimensional or one-element byte or text string, as scipy.sparse keeps its format in. */
export async function readString(stream: ByteStream): Promise<string> {
  const { code } = await readHeader(stream);
  const length = Number(code.slice(1));
  if ((code[0] !== 'S' && code[0] !== 'U') || !(length <= LONGEST_STRING))
    throw new FormatError(`${stream.name}: expected a short string, got the dtype ${quoted(code, 40)}`);
  const bytes = await stream.take(code[0] === 'U' ? 4 * length : length, 'a string');
  // UTF-32 of ASCII is ASCII between zeros.
  return String.fromCharCode(...bytes.filter((byte) => byte !== 0));
}

/** Elements that are moved without letting the event loop turn. */
const MOVED_AT_ONCE = 1 << 14;

/** Elements in Fortran's order (the first axis varies fastest), rearranged into C's. */
async function toRowMajor(data: TypedArray, shape: readonly number[]): Promise<TypedArray> {
  const result = uninitialised(new Tensor(data, [data.length]).dtype, data.length);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  // Axes of size 1 move nothing; without them an odometer's wheels turn every second step at most.
  const axes = shape
    .map((size, axis) => ({ size, stride: strides[axis], at: 0 }))
    .filter(({ size }) => size > 1);
  let to = 0;
  for (let from = 0; from < data.length; ) {
    for (const end = Math.min(from + MOVED_AT_ONCE, data.length); from < end; from++) {
      result[to] = data[from];
      for (const axis of axes) {
        to += axis.stride;
        if (++axis.at < axis.size) break;
        to -= axis.size * axis.stride;
        axis.at = 0;
      }
    }
    await breathe();
  }
  return result;
}
