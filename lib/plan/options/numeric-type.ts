/** Fixed-point types, MATLAB's numerictype, and how a number becomes a stored integer of one. Pure functions. */
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from '../../check.js';
import type { DType } from '../../tensor/dtype.js';

/**
 * Ties: 'nearest' toward +∞, 'round' away from zero, 'convergent' to even. The others do not go to the nearest: 'floor'
 * toward −∞, 'ceiling' toward +∞, 'zero' toward zero.
 */
export type Rounding = 'nearest' | 'floor' | 'ceiling' | 'zero' | 'convergent' | 'round';
/** What becomes of a value that does not fit: the nearest that does, or its lowest bits. */
export type Overflow = 'saturate' | 'wrap';

/** In the order of the native side's enumeration. */
export const ROUNDINGS = [
  'nearest',
  'floor',
  'ceiling',
  'zero',
  'convergent',
  'round',
] as const satisfies readonly Rounding[];
const OVERFLOWS = ['saturate', 'wrap'] as const satisfies readonly Overflow[];

/** A value is stored as the integer value·2^fractionLength, in a word of so many bits. */
export interface NumericType {
  /** Whether there are negative values: two’s complement. */
  readonly signed: boolean;
  /** 1 … 32 bits, the sign's included. */
  readonly wordLength: number;
  /** Any integer: negative, or larger than the word, too. */
  readonly fractionLength: number;
  /** Default 'nearest'. */
  readonly rounding?: Rounding;
  /** Default 'saturate'. */
  readonly overflow?: Overflow;
}

export type FullNumericType = Required<NumericType>;

const FIELDS = ['signed', 'wordLength', 'fractionLength', 'rounding', 'overflow'] as const;
const MAX_EXPONENT = 2 ** 31 - 1;

export function readNumericType(type: NumericType | undefined, argument: string): FullNumericType {
  const { signed, wordLength, fractionLength, rounding, overflow } = checkOptions(type, FIELDS, argument);
  return Object.freeze({
    signed: checkBoolean(signed, `${argument}.signed`),
    wordLength: checkInteger(wordLength, `${argument}.wordLength`, 1, 32),
    fractionLength: checkExponent(fractionLength, `${argument}.fractionLength`),
    rounding: checkOneOf(rounding ?? 'nearest', `${argument}.rounding`, ROUNDINGS),
    overflow: checkOneOf(overflow ?? 'saturate', `${argument}.overflow`, OVERFLOWS),
  });
}

/** An exponent of two: any integer of 32 bits. */
export function checkExponent(value: unknown, argument: string): number {
  return checkInteger(value, argument, -MAX_EXPONENT, MAX_EXPONENT);
}

/**
 * The fraction length that keeps the most bits of numbers from `least` to `most`, MATLAB's best precision: as many bits
 * before the point as hold both, the others behind it. A negative power of two needs one bit less than the positive.
 */
export function bestFractionLength(
  { signed, wordLength }: Pick<NumericType, 'signed' | 'wordLength'>,
  least: number,
  most: number,
): number {
  const above = most > 0 ? exponentOf(most) + 1 : -Infinity;
  const negative = signed && least < 0 ? exponentOf(-least) : -Infinity;
  const below = -least > 2 ** negative ? negative + 1 : negative;
  const whole = Math.max(above, below);
  return wordLength - Number(signed) - (whole === -Infinity ? 0 : whole);
}

/** ⌊log₂ x⌋ of a positive number, exactly: Math.log2 rounds up just below a power of two. */
function exponentOf(x: number): number {
  const guess = Math.max(-1074, Math.min(1023, Math.floor(Math.log2(x))));
  if (2 ** guess > x) return guess - 1;
  return guess < 1023 && 2 ** (guess + 1) <= x ? guess + 1 : guess;
}

/** The least and the greatest stored integer. */
export function wordRange({ signed, wordLength }: NumericType): { low: number; high: number } {
  const low = signed ? -(2 ** (wordLength - 1)) : 0;
  return { low, high: low + 2 ** wordLength - 1 };
}

/** The narrowest integers that hold the word. */
export function wordDType({ signed, wordLength }: NumericType): DType {
  const bits = wordLength <= 8 ? 8 : wordLength <= 16 ? 16 : 32;
  return `${signed ? 'int' : 'uint'}${bits}`;
}

/** Brings a whole or infinite number into the word. Infinities saturate, in whatever mode. */
export function limiter(type: FullNumericType): (value: number) => number {
  const { low, high } = wordRange(type);
  const saturate = (value: number) => Math.min(Math.max(value, low), high);
  if (type.overflow === 'saturate') return saturate;
  const span = high - low + 1;
  return (value) => {
    if (!Number.isFinite(value)) return saturate(value);
    const rest = value % span; // exact, with the sign of value
    return rest > high ? rest - span : rest < low ? rest + span : rest;
  };
}

/** A number that is no NaN as a whole number. */
export function round(value: number, rounding: Rounding): number {
  // Toward zero, what is cut off is exact. Down from zero it would not be: −2⁻⁵⁴ + 1 is no float64.
  const whole = Math.trunc(value);
  const rest = Math.abs(value - whole);
  const away = whole + Math.sign(value);
  switch (rounding) {
    case 'floor':
      return Math.floor(value);
    case 'ceiling':
      return Math.ceil(value);
    case 'zero':
      return whole;
    case 'nearest':
      return rest > 0.5 || (rest === 0.5 && value > 0) ? away : whole;
    case 'round':
      return rest >= 0.5 ? away : whole;
    case 'convergent':
      return rest > 0.5 || (rest === 0.5 && whole % 2 !== 0) ? away : whole;
  }
}

/**
 * value·2^exponent, exact but for what no float64 holds: beyond, infinity; and where it would vanish, the least number
 * of its sign, so that it still rounds as what it is.
 */
export function scale(value: number, exponent: number): number {
  let scaled = value;
  let rest = Math.min(Math.max(exponent, -4000), 4000);
  for (; rest > 1000; rest -= 1000) scaled *= 2 ** 1000;
  for (; rest < -1000; rest += 1000) scaled *= 2 ** -1000;
  scaled *= 2 ** rest;
  return scaled === 0 && value !== 0 ? Math.sign(value) * Number.MIN_VALUE : scaled;
}

/** The stored integer of value·2^exponent, for numbers that are no NaN. */
export function storer(type: FullNumericType): (value: number, exponent: number) => number {
  const limit = limiter(type);
  return (value, exponent) => {
    const scaled = scale(value, exponent);
    // Past float64, a finite number is a multiple of every word: it wraps to nothing.
    if (type.overflow === 'wrap' && !Number.isFinite(scaled) && Number.isFinite(value)) return 0;
    return limit(round(scaled, type.rounding));
  };
}

/** As limiter, for whole numbers of any size. */
export function limiterBig(type: FullNumericType): (value: bigint) => bigint {
  const { low, high } = wordRange(type);
  const [least, most, span] = [BigInt(low), BigInt(high), BigInt(high - low + 1)];
  return (value) => {
    if (value >= least && value <= most) return value;
    if (type.overflow === 'saturate') return value < least ? least : most;
    const above = (value - least) % span;
    return (above < 0n ? above + span : above) + least;
  };
}

/** p / 2^shift as a whole number. */
export function roundBig(p: bigint, shift: number, rounding: Rounding): bigint {
  if (shift <= 0) return p << BigInt(-shift);
  const bits = BigInt(shift);
  const below = p >> bits;
  const rest = p - (below << bits);
  const half = 1n << (bits - 1n);
  const upward = {
    floor: false,
    ceiling: rest > 0n,
    zero: rest > 0n && p < 0n,
    nearest: rest >= half,
    round: rest > half || (rest === half && p > 0n),
    convergent: rest > half || (rest === half && (below & 1n) === 1n),
  }[rounding];
  return upward ? below + 1n : below;
}
