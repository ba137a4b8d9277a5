/** Fixed-point types, MATLAB's numerictype, and how a number becomes a stored integer of one. Pure functions. */
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from '../../check.js';
import type { DType } from '../../tensor/dtype.js';

/**
 * Ties: 'nearest' toward +∞, 'round' away from zero, 'convergent' to even. The others do not go to the nearest: 'floor'
 * toward −∞, 'ceiling' toward +∞, 'zero' toward zero.
 */
export type Rounding = 'nearest' | 'floor' | 'ceiling' | 'zero' | 'convergent' | 'round';
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
  const below = Math.floor(value);
  const rest = value - below; // exact: beyond 2^53 there is none
  switch (rounding) {
    case 'floor':
      return below;
    case 'ceiling':
      return Math.ceil(value);
    case 'zero':
      return Math.trunc(value);
    case 'nearest':
      return rest >= 0.5 ? below + 1 : below;
    case 'round':
      return rest > 0.5 || (rest === 0.5 && value > 0) ? below + 1 : below;
    case 'convergent':
      return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
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
