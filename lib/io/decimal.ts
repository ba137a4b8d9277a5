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
const EXACT_POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));

/**
 * The number nearest to a decimal one, which may have Fortran's exponents (1D5, and 1.5-100 without a letter); infinities
 * and NaNs as C, Fortran and Python write them. undefined for what is no number.
 */
export function parseNumber(bytes: Uint8Array, from: number, to: number): number | undefined {
  const negative = bytes[from] === MINUS;
  let at = negative || bytes[from] === PLUS ? from + 1 : from;
  const start = at;
  let mantissa = 0;
  let digits = 0;
  let seen = 0;
  let point = -1;
  for (; at < to; at++) {
    const digit = bytes[at] - 0x30;
    if (digit >= 0 && digit <= 9) {
      seen++;
      if (digits > 0 || digit > 0) digits++;
      if (digits <= EXACT_DIGITS) mantissa = 10 * mantissa + digit;
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
  if (digits <= EXACT_DIGITS && power >= -22 && power <= 22) {
    value = power < 0 ? mantissa / EXACT_POWERS[-power] : mantissa * EXACT_POWERS[power];
  } else value = Number(`${latin1(bytes, start, mantissaEnd)}e${exponent}`);
  return negative ? -value : value;
}

/** inf, infinity, nan, nan(…) and -nan(ind) in any case, and Microsoft's 1.#INF, 1.#IND, 1.#QNAN. */
function special(bytes: Uint8Array, from: number, start: number, to: number): number | undefined {
  const word = latin1(bytes, start, Math.min(to, start + 40)).toLowerCase();
  if (word === 'inf' || word === 'infinity' || word.startsWith('1.#inf'))
    return bytes[from] === MINUS ? -Infinity : Infinity;
  const isNotANumber =
    word === 'nan' || (word.startsWith('nan(') && word.endsWith(')')) || /^1\.#(ind|qnan|snan)/.test(word);
  return isNotANumber ? Number.NaN : undefined;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}
