/**
 * Linear convolution along one axis by transforms of any values. A transform mixes all values of its block, so that one
 * NaN, one infinity or one huge number would spoil, and the rounding of a large sum would reach, what does not read them:
 *
 * - Values that are not finite, and huge ones, are kept out of the transforms; what they add to the outputs that read them is
 *   worked out for itself: term by term where they are few, by counting terms of each kind where they are many.
 * - Numbers that are all near an end of the range are scaled by a power of two for the transforms.
 * - Operands of one sign each give results of one sign: a rounding on its other side is zero.
 */
import type { FloatArray, FloatDType } from '../tensor/dtype.js';
import type { Work } from './js/work.js';

/** An operand: where its elements lie among `values`, everywhere when null. What lies between them is zero. */
export interface Line {
  readonly values: FloatArray;
  places(): Int32Array | null;
}

/** out[i] ← Σ_j signal[j]·kernel[start + i − j] by transforms, of finite values; arrays as long as a line's and as `out`. */
export type FiniteConvolution = (signal: FloatArray, kernel: FloatArray, out: FloatArray) => Work;

/** Terms, for each point of the lines, that are worked out one by one in less time than the transforms of countTerms take. */
const TERMS_PER_POINT = 64;

/** out[i] ← Σ_j signal[j]·kernel[start + i − j] over the elements of both lines. */
export function* convolveAny(
  signal: Line,
  kernel: Line,
  start: number,
  out: FloatArray,
  convolve: FiniteConvolution,
): Work {
  const plain = PLAIN[out instanceof Float32Array ? 'float32' : 'float64'];
  let [a, b] = [summarise(signal.values, plain.most), summarise(kernel.values, plain.most)];
  const isFew = (): boolean =>
    a.apart * kernel.values.length + b.apart * signal.values.length <=
    TERMS_PER_POINT * (signal.values.length + kernel.values.length);
  // Many huge numbers take part in the transforms, scaled.
  if (!isFew()) {
    [a, b] = [summarise(signal.values, Number.MAX_VALUE), summarise(kernel.values, Number.MAX_VALUE)];
  }
  const [shiftA, shiftB] = [shiftFor(a, plain), shiftFor(b, plain)];
  yield* convolve(plainPart(signal.values, a, shiftA), plainPart(kernel.values, b, shiftB), out);
  if (shiftA + shiftB !== 0) scale(out, shiftA + shiftB);
  const sign = signOf(a) * signOf(b);
  if (sign > 0) for (let i = 0; i < out.length; i++) out[i] = Math.max(out[i], 0);
  if (sign < 0) for (let i = 0; i < out.length; i++) out[i] = Math.min(out[i], 0);
  if (a.apart + b.apart === 0) return;
  yield;
  if (isFew()) {
    addTerms(signal, a, kernel, start, out, null);
    addTerms(kernel, b, signal, start, out, a);
  } else {
    yield* countTerms(signal, kernel, out, convolve);
  }
}

/**
 * What transforms take as it is: sums of 2⁴⁰ products of two such numbers do not overflow, and products of what is smaller
 * than they by a rounding do not underflow.
 */
interface Plain {
  readonly least: number;
  readonly most: number;
}
const PLAIN: Readonly<Record<FloatDType, Plain>> = {
  float32: { least: 2 ** -40, most: 2 ** 40 },
  float64: { least: 2 ** -450, most: 2 ** 450 },
};

/** What there is to know of an operand's values, of which those above `most` or not finite are kept apart. */
interface Summary {
  readonly most: number;
  readonly apart: number;
  /** The largest absolute value of the others. */
  readonly largest: number;
  readonly hasPositive: boolean;
  readonly hasNegative: boolean;
}

function summarise(values: FloatArray, most: number): Summary {
  let highest = 0;
  let lowest = 0;
  let apart = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!(Math.abs(value) <= most)) apart++;
    else if (value > highest) highest = value;
    else if (value < lowest) lowest = value;
  }
  return {
    most,
    apart,
    largest: Math.max(highest, -lowest),
    hasPositive: highest > 0,
    hasNegative: lowest < 0,
  };
}

/**
 * Of values that transforms take as they are, none apart and none to be scaled, their sign: 1 or −1 when none has the other,
 * else 0. Null of other values.
 */
export function signOfPlain(values: FloatArray): number | null {
  const plain = PLAIN[values instanceof Float32Array ? 'float32' : 'float64'];
  const summary = summarise(values, plain.most);
  return summary.apart === 0 && shiftFor(summary, plain) === 0 ? signOf(summary) : null;
}

function isApart(value: number, { most }: Summary): boolean {
  return !(Math.abs(value) <= most);
}

/** 1 or −1 when no value has the other sign, else 0. */
function signOf({ hasPositive, hasNegative }: Summary): number {
  if (!hasNegative) return 1;
  return hasPositive ? 0 : -1;
}

/** The power of two that brings the largest value near 1; 0 when the transforms need none. */
function shiftFor({ largest }: Summary, { least, most }: Plain): number {
  return largest === 0 || (largest >= least && largest <= most) ? 0 : Math.floor(Math.log2(largest));
}

/** The values divided by 2^shift, zeros instead of those kept apart; the array itself when nothing changes. */
function plainPart(values: FloatArray, summary: Summary, shift: number): FloatArray {
  if (summary.apart === 0 && shift === 0) return values;
  const plain = values.slice();
  if (summary.apart > 0) for (let i = 0; i < plain.length; i++) if (isApart(plain[i], summary)) plain[i] = 0;
  if (shift !== 0) scale(plain, -shift);
  return plain;
}

/** values·2^exponent. In two steps, since 2^exponent itself may be out of range; only the last one rounds. */
function scale(values: FloatArray, exponent: number): void {
  const half = Math.trunc(exponent / 2);
  const [first, second] = [2 ** half, 2 ** (exponent - half)];
  for (let i = 0; i < values.length; i++) values[i] = values[i] * first * second;
}

/** Adds the terms of the values that `line` keeps apart, one by one; but those with one of `except`'s. */
function addTerms(
  line: Line,
  summary: Summary,
  other: Line,
  start: number,
  out: FloatArray,
  except: Summary | null,
): void {
  if (summary.apart === 0) return;
  const places = other.places();
  const count = places === null ? other.values.length : places.length;
  eachPlace(line, (p) => {
    const value = line.values[p];
    if (!isApart(value, summary)) return;
    for (let i = 0; i < count; i++) {
      const q = places === null ? i : places[i];
      const at = p + q - start;
      if (at < 0 || at >= out.length) continue;
      const factor = other.values[q];
      if (except === null || !isApart(factor, except)) out[at] += value * factor;
    }
  });
}

function eachPlace({ values, places }: Line, visit: (place: number) => void): void {
  const elements = places();
  const count = elements === null ? values.length : elements.length;
  for (let i = 0; i < count; i++) visit(elements === null ? i : elements[i]);
}

/**
 * The same by the numbers of terms of each kind, which transforms of zeros and ones give exactly: a term is NaN, ∞ or −∞, and
 * a sum with an infinity is the infinity unless it has a NaN or both.
 */
function* countTerms(signal: Line, kernel: Line, out: FloatArray, convolve: FiniteConvolution): Work {
  const spoilt = new Float64Array(out.length);
  const infinite = new Float64Array(out.length);
  const signed = new Float64Array(out.length);
  const sums = new Float64Array(out.length);
  const mark = (line: Line, kind: (value: number) => number): Float64Array => {
    const marks = new Float64Array(line.values.length);
    eachPlace(line, (p) => {
      marks[p] = kind(line.values[p]);
    });
    return marks;
  };
  function* count(
    to: Float64Array,
    ofSignal: (value: number) => number,
    ofKernel: (value: number) => number,
  ): Work {
    const [x, y] = [mark(signal, ofSignal), mark(kernel, ofKernel)];
    if (x.every((value) => value === 0) || y.every((value) => value === 0)) return;
    yield* convolve(x, y, sums);
    for (let i = 0; i < sums.length; i++) to[i] += Math.round(sums[i]);
    yield;
  }
  yield* count(spoilt, isNaNValue, any);
  yield* count(spoilt, isNumber, isNaNValue);
  yield* count(spoilt, isInfinity, isZero);
  yield* count(spoilt, isZero, isInfinity);
  yield* count(infinite, isInfinity, isNonzero);
  yield* count(infinite, isFiniteNonzero, isInfinity);
  yield* count(signed, signOfInfinity, signOfNumber);
  yield* count(signed, signOfFinite, signOfInfinity);
  for (let i = 0; i < out.length; i++) {
    if (spoilt[i] > 0 || Math.abs(signed[i]) < infinite[i]) out[i] = NaN;
    else if (infinite[i] > 0) out[i] = signed[i] > 0 ? Infinity : -Infinity;
  }
}

const any = (): number => 1;
const isNaNValue = (value: number): number => (Number.isNaN(value) ? 1 : 0);
const isNumber = (value: number): number => (Number.isNaN(value) ? 0 : 1);
const isZero = (value: number): number => (value === 0 ? 1 : 0);
const isInfinity = (value: number): number => (Math.abs(value) === Infinity ? 1 : 0);
const isNonzero = (value: number): number => (Math.abs(value) > 0 ? 1 : 0);
const isFiniteNonzero = (value: number): number => (value !== 0 && Number.isFinite(value) ? 1 : 0);
const signOfNumber = (value: number): number => (Number.isNaN(value) ? 0 : Math.sign(value));
const signOfInfinity = (value: number): number => (isInfinity(value) === 1 ? Math.sign(value) : 0);
const signOfFinite = (value: number): number => (Number.isFinite(value) ? Math.sign(value) : 0);

/** A line whose every value is an element. */
export function wholeLine(values: FloatArray): Line {
  return { values, places: () => null };
}
