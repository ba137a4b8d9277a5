/** Fixed-point tensors: integers with a type that says what they stand for. */
import { describe, isInstance, mismatch, mistake } from '../check.js';
import { ArgumentError, DTypeError } from '../errors.js';
import {
  type FullNumericType,
  limiter,
  type NumericType,
  readNumericType,
  round,
  scale,
  wordDType,
  wordRange,
} from '../plan/options/numeric-type.js';
import { uninitialised } from '../tensor/dtype.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';

/** Values raw·2^(−type.fractionLength). */
export class FixedTensor {
  /** Stored integers, in the narrowest integer dtype that holds the word. */
  readonly raw: Tensor;
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

  /** The values in float64: exact wherever float64 reaches. */
  toFloat(): Tensor<Float64Array> {
    const { data, shape } = this.raw;
    const values = uninitialised('float64', data.length);
    for (let i = 0; i < values.length; i++) values[i] = scale(data[i], -this.type.fractionLength);
    return new Tensor(values, shape);
  }
}

/** Stored integers are within the word: their data can be written by anyone, and bounds are proved from the type. */
export function checkStored({ raw, type }: FixedTensor, argument: string): void {
  const dtype = wordDType(type);
  if (raw.dtype !== dtype) throw mismatch(DTypeError, argument, `${dtype} for ${typeName(type)}`, raw.dtype);
  if (type.wordLength === 8 * raw.data.BYTES_PER_ELEMENT) return;
  const { low, high } = wordRange(type);
  for (let i = 0; i < raw.data.length; i++) {
    const value = raw.data[i];
    if (value < low || value > high) {
      throw mismatch(
        ArgumentError,
        argument,
        `integers from ${low} to ${high} for ${typeName(type)}`,
        `${value}`,
      );
    }
  }
}

function typeName({ signed, wordLength }: FullNumericType): string {
  return `${signed ? 'signed' : 'unsigned'} words of ${wordLength} bits`;
}

/**
 * Numbers as fixed-point ones, MATLAB's `fi`.
 *
 *   raw = limit(round(value·2^fractionLength))
 *
 * @param values  Of any dtype; nested arrays are read as float64.
 * @param type    {signed, wordLength 1 … 32, fractionLength: any integer}; rounding 'nearest' (ties toward +∞) and
 *   overflow 'saturate' unless given. With 'wrap', raw is taken modulo 2^wordLength; infinities saturate all the same.
 * @throws {ArgumentError} for NaN, or a type that is none.
 * @example fi([0.3, -2, 1 / 256], { signed: true, wordLength: 8, fractionLength: 7 }).raw   // 38, -128, 1
 */
export function fi(values: TensorLike, type: NumericType): FixedTensor {
  const full = readNumericType(type, 'type');
  const { data, shape } = takeTensor(values, 'values', 'float64');
  const raw = uninitialised(wordDType(full), data.length);
  const limit = limiter(full);
  for (let i = 0; i < raw.length; i++) {
    const value = data[i];
    if (Number.isNaN(value)) throw mistake(ArgumentError, `values[${i}]`, 'a number', value);
    raw[i] = limit(round(scale(value, full.fractionLength), full.rounding));
  }
  return new FixedTensor(new Tensor(raw, shape), full);
}

/** An operand that `fi` or `conv2` made. */
export function takeFixed(value: unknown, argument: string): FixedTensor {
  if (!isInstance(value, FixedTensor)) {
    throw mismatch(ArgumentError, argument, 'a FixedTensor, as fi makes it', describe(value));
  }
  checkStored(value, argument);
  return value;
}
