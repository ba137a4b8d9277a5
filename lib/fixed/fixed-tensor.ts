/** Fixed-point tensors: integers with a type that says what they stand for. */
import { describe, isInstance, isObject, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError } from '../errors.js';
import {
  bestFractionLength,
  type FullNumericType,
  type NumericType,
  readNumericType,
  scale,
  storer,
  wordDType,
  wordRange,
} from '../plan/options/numeric-type.js';
import { type TypedArray, uninitialised } from '../tensor/dtype.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * Values raw·2^(−type.fractionLength).
 *
 * @example fixed.fi([0.5, -1.25], { signed: true, wordLength: 8, fractionLength: 4 }).raw   // Int8Array [8, -20]
 */
export class FixedTensor {
  /** Stored integers, in the narrowest integer dtype that holds the word. */
  readonly raw: Tensor;
  /** Of every element. */
  readonly type: FullNumericType;

  /**
   * @param raw  Stored integers, shared; of the narrowest integer dtype that holds the word, and within the word.
   * @throws {DTypeError|ArgumentError} when they are not; {ArgumentError} for a type that is none.
   */
  constructor(raw: Tensor, type: NumericType) {
    this.type = readNumericType(type, 'type');
    this.raw = takeTensor(raw, 'raw');
    checkStored(this, 'raw');
    Object.freeze(this);
  }

  /** The values, a row of the last axis on each line, and the type. Of many rows and columns the first are shown. */
  toString(): string {
    return printed(this);
  }

  /** The values in float64: exact wherever float64 reaches. */
  toFloat(): Tensor<Float64Array> {
    const { data, shape } = this.raw;
    const values = uninitialised('float64', data.length);
    for (let i = 0; i < values.length; i++) values[i] = scale(data[i], -this.type.fractionLength);
    return new Tensor(values, shape);
  }
}

// A screen's worth.
const SHOWN_ROWS = 20;
const SHOWN_COLUMNS = 10;

/** MATLAB's display of a fi, by its values. */
function printed(t: FixedTensor): string {
  const { data, shape } = t.toFloat();
  const { signed, wordLength, fractionLength } = t.type;
  const columns = shape.at(-1) ?? 1;
  const shown = Math.min(columns, SHOWN_COLUMNS);
  const rows = columns === 0 ? 0 : Math.min(data.length / columns, SHOWN_ROWS);
  const cells = Array.from({ length: rows }, (_, i) =>
    Array.from(data.subarray(i * columns, i * columns + shown), String),
  );
  const width = Math.max(0, ...cells.flat().map(({ length }) => length));
  const lines = cells.map((row) => {
    const more = shown < columns ? ' …' : '';
    return `  ${row.map((cell) => cell.padStart(width)).join('  ')}${more}`;
  });
  if (columns > 0 && rows < data.length / columns) lines.push('  …');
  const sizes = shape.length === 0 ? 'one number' : `[${shape.join(', ')}]`;
  const type = `${signed ? 'signed' : 'unsigned'}, ${wordLength} bits, ${fractionLength} behind the point`;
  return [...lines, `  (${sizes}: ${type})`].join('\n');
}

/** Stored integers are within the word: their data can be written by anyone, and bounds are proved from the type. */
export function checkStored({ raw, type }: FixedTensor, argument: string): void {
  const dtype = wordDType(type);
  if (raw.dtype !== dtype) throw mismatch(DTypeError, argument, `${dtype} for ${typeName(type)}`, raw.dtype);
  if (type.wordLength === 8 * raw.data.BYTES_PER_ELEMENT) return;
  const { low, high } = wordRange(type);
  const at = firstBeyond(raw.data, low, high);
  if (at < 0) return;
  const expected = `integers from ${low} to ${high} for ${typeName(type)}`;
  throw mismatch(ArgumentError, argument, expected, `${raw.data[at]}`);
}

/** Where the first integer below low or above high is; −1 when there is none. */
function firstBeyond(data: TypedArray, low: number, high: number): number {
  for (let i = 0; i < data.length; i++) if (data[i] < low || data[i] > high) return i;
  return -1;
}

function typeName({ signed, wordLength }: FullNumericType): string {
  return `${signed ? 'signed' : 'unsigned'} words of ${wordLength} bits`;
}

/** A power of two this small or large takes few float64 to nothing or to infinity, and those are nothing or too large. */
const PLAIN_EXPONENT = 900;

/** A type whose fraction length the values may choose. */
export type BestNumericType = Omit<NumericType, 'fractionLength'> &
  Partial<Pick<NumericType, 'fractionLength'>>;

/**
 * Numbers as fixed-point ones, MATLAB's `fi`.
 *
 *   raw = limit(round(value·2^fractionLength))
 *
 * @param values  Of any dtype; nested arrays are read as float64.
 * @param type    {signed, wordLength 1 … 32, fractionLength: any integer}; rounding 'nearest' (ties toward +∞) and
 *   overflow 'saturate' unless given. With 'wrap', raw is taken modulo 2^wordLength; infinities saturate all the same.
 *   Without fractionLength, best precision: as many bits before the point as the least and the largest of the finite
 *   values take, the others behind it.
 * @throws {ArgumentError} for NaN, or a type that is none.
 * @example fi([0.3, -2, 1 / 256], { signed: true, wordLength: 8, fractionLength: 7 }).raw.data   // Int8Array [38, -128, 1]
 */
export function fi(values: TensorLike, type: BestNumericType): FixedTensor {
  const { data, shape } = takeTensor(values, 'values', 'float64');
  const full = readNumericType(withFractionLength(type, data), 'type');
  const raw = uninitialised(wordDType(full), data.length);
  const store = storer(full);
  // The usual type, without a function for each number.
  const isUsual =
    full.rounding === 'nearest' &&
    full.overflow === 'saturate' &&
    Math.abs(full.fractionLength) <= PLAIN_EXPONENT;
  const { low, high } = wordRange(full);
  const unit = 2 ** full.fractionLength;
  for (let i = 0; i < raw.length; i++) {
    const value = data[i];
    if (Number.isNaN(value)) throw mistake(ArgumentError, `values[${i}]`, 'a number', value);
    if (isUsual) {
      const scaled = value * unit;
      const below = Math.floor(scaled);
      raw[i] = Math.max(low, Math.min(high, scaled - below >= 0.5 ? below + 1 : below));
    } else raw[i] = store(value, full.fractionLength);
  }
  return new FixedTensor(new Tensor(raw, shape), full);
}

/**
 * Whether nothing is to be added; what is no type at all is for readNumericType to refuse, and so is a fraction length that
 * was given and is undefined: more likely a mistake than a choice.
 */
function isWhole(type: BestNumericType): type is NumericType {
  return !isObject(type) || 'fractionLength' in type;
}

/** The type with the best fraction length for these values, when it has none. */
function withFractionLength(type: BestNumericType, values: TypedArray): NumericType {
  if (isWhole(type)) return type;
  const { signed, wordLength } = readNumericType({ ...type, fractionLength: 0 }, 'type');
  let least = 0;
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    least = Math.min(least, values[i]);
    most = Math.max(most, values[i]);
  }
  return { ...type, fractionLength: bestFractionLength({ signed, wordLength }, least, most) };
}

/** An operand that `fi` or `conv2` made. */
export function takeFixed(value: unknown, argument: string): FixedTensor {
  if (!isInstance(value, FixedTensor)) {
    throw mismatch(ArgumentError, argument, 'a FixedTensor, as fi makes it', describe(value));
  }
  checkStored(value, argument);
  return value;
}
