/** Numbers as text, read from its bytes: a string for each would cost more than all else. */

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Where the next word begins; `to` when none does. */
export function wordStart(bytes: Uint8Array, from: number, to: number): number {
  while (from < to && isSpace(bytes[from])) from++;
  return from;
}

/** Where the word that begins at `from` ends. */
export function wordEnd(bytes: Uint8Array, from: number, to: number): number {
  while (from < to && !isSpace(bytes[from])) from++;
  return from;
}

/** An integer ≥ 0 in digits; NaN for anything else. Past 2⁵³ it is rounded, which no size survives. */
export function parseCount(bytes: Uint8Array, from: number, to: number): number {
  if (from === to) return Number.NaN;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = 10 * value + digit;
  }
  return value;
}

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;

// With so many digits a mantissa is exact, and so is each of these powers: their product or quotient is rounded once.
const EXACT_DIGITS = 15;
const EXACT_POWERS = 22;
// With so many digits it is the exact sum of two numbers, and so, but for its last bits, is each of these powers.
const PAIR_DIGITS = 19;
const PAIR_POWERS = 60;
const POWERS = Float64Array.from({ length: PAIR_POWERS + 1 }, (_, power) => Number(10n ** BigInt(power)));
const POWER_RESTS = Float64Array.from(POWERS, (power, i) => Number(10n ** BigInt(i) - BigInt(power)));

/**
 * The number nearest to a decimal one, which may have Fortran's exponents (1D5, and 1.5-100 without a letter); infinities
 * and NaNs as C, Fortran and Python write them. undefined for what is no number.
 */
export function parseNumber(bytes: Buffer, from: number, to: number): number | undefined {
  const negative = bytes[from] === MINUS;
  let at = negative || bytes[from] === PLUS ? from + 1 : from;
  const start = at;
  let mantissa = 0;
  let rest = 0;
  let digits = 0;
  let seen = 0;
  let point = -1;
  for (; at < to; at++) {
    const digit = bytes[at] - 0x30;
    if (digit >= 0 && digit <= 9) {
      seen++;
      if (digits > 0 || digit > 0) digits++;
      if (digits <= EXACT_DIGITS) mantissa = 10 * mantissa + digit;
      else if (digits <= PAIR_DIGITS) rest = 10 * rest + digit;
    } else if (bytes[at] === POINT && point < 0) point = at;
    else break;
  }
  if (seen === 0) return special(bytes, from, start, to);
  const mantissaEnd = at;
  const fraction = point < 0 ? 0 : mantissaEnd - point - 1;
  let exponent = 0;
  if (at < to) {
    // A letter, or in Fortran's three-digit exponents none.
    const hasLetter = 'eEdDqQ'.includes(String.fromCharCode(bytes[at]));
    if (hasLetter) at++;
    const isNegative = bytes[at] === MINUS;
    const hasSign = isNegative || bytes[at] === PLUS;
    if (hasSign) at++;
    if (!hasLetter && !hasSign) return special(bytes, from, start, to);
    exponent = parseCount(bytes, at, to);
    if (Number.isNaN(exponent)) return undefined;
    if (isNegative) exponent = -exponent;
  }
  const power = exponent - fraction;
  let value: number;
  if (digits <= EXACT_DIGITS && power >= -EXACT_POWERS && power <= EXACT_POWERS) {
    value = power < 0 ? mantissa / POWERS[-power] : mantissa * POWERS[power];
  } else {
    value =
      digits <= PAIR_DIGITS
        ? scaledPair(mantissa, rest, Math.max(0, digits - EXACT_DIGITS), power)
        : Number.NaN;
    if (Number.isNaN(value)) value = Number(`${bytes.toString('latin1', start, mantissaEnd)}e${exponent}`);
  }
  return negative ? -value : value;
}

/**
 * (mantissa·10^restDigits + rest)·10^power, rounded once: a number and what it lacks, each product and quotient of two with the
 * error that it made. NaN where that is not close enough to tell which of two neighbours is the nearer, or power is too large.
 * Source: Dekker, A floating-point technique for extending the available precision, Numer. Math. 18 (1971).
 */
function scaledPair(mantissa: number, rest: number, restDigits: number, power: number): number {
  const size = Math.abs(power);
  if (size > PAIR_POWERS) return Number.NaN;
  const whole = mantissa * POWERS[restDigits];
  const high = whole + rest;
  const low = productError(mantissa, POWERS[restDigits], whole) + (rest - (high - whole));
  const [tens, tensRest] = [POWERS[size], POWER_RESTS[size]];
  let near: number;
  let lacks: number;
  let doubt: number;
  if (power < 0) {
    near = high / tens;
    const back = near * tens;
    const remainder = high - back - productError(near, tens, back);
    lacks = (remainder - near * tensRest + low) / tens;
    doubt = (Math.abs(remainder) + Math.abs(near * tensRest) + Math.abs(low)) / tens;
  } else {
    near = high * tens;
    const error = productError(high, tens, near);
    lacks = error + (high * tensRest + low * tens);
    doubt = Math.abs(error) + Math.abs(high * tensRest) + Math.abs(low * tens);
  }
  const margin = doubt * 2 ** -48;
  const value = near + (lacks + margin);
  return value === near + (lacks - margin) ? value : Number.NaN;
}

const SPLITTER = 2 ** 27 + 1;

/** a·b − product, exactly, where product is a·b rounded. */
function productError(a: number, b: number, product: number): number {
  const [p, q] = [SPLITTER * a, SPLITTER * b];
  const [aHigh, bHigh] = [p - (p - a), q - (q - b)];
  const [aLow, bLow] = [a - aHigh, b - bHigh];
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

/** inf, infinity, nan, nan(…) and -nan(ind) in any case, and Microsoft's 1.#INF, 1.#IND, 1.#QNAN. */
function special(bytes: Buffer, from: number, start: number, to: number): number | undefined {
  const word = bytes.toString('latin1', start, Math.min(to, start + 40)).toLowerCase();
  if (word === 'inf' || word === 'infinity' || word.startsWith('1.#inf'))
    return bytes[from] === MINUS ? -Infinity : Infinity;
  const isNotANumber =
    word === 'nan' || (word.startsWith('nan(') && word.endsWith(')')) || /^1\.#(ind|qnan|snan)/.test(word);
  return isNotANumber ? Number.NaN : undefined;
}
