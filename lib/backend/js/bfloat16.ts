/** Operands rounded to bfloat16, as native/runtime/bfloat16.h does it. */
import type { FloatArray } from '../../tensor/dtype.js';
import type { Work } from './work.js';

const EXPONENT = 0x7f800000;
const UPPER = -0x10000;
const SIGN = -0x80000000;
const QUIET = 0x00400000;
/** Elements in one unit of the work. */
const PART = 2 ** 16;

/**
 * The nearest bfloat16 of each element, halves to even, as float32: 8 bits of significand. What is too large becomes infinite, a
 * NaN stays one, and what is below the least normal number becomes a zero of its sign.
 */
export function* roundingToBfloat16(from: FloatArray, to: Float32Array): Work {
  const bits = new Int32Array(to.buffer, to.byteOffset, to.length);
  to.set(from);
  for (let begin = 0; begin < bits.length; begin += PART) {
    roundPart(bits, begin, Math.min(bits.length, begin + PART));
    yield;
  }
}

export function roundToBfloat16(from: FloatArray): Float32Array {
  const to = Float32Array.from(from);
  roundPart(new Int32Array(to.buffer), 0, to.length);
  return to;
}

function roundPart(bits: Int32Array, begin: number, end: number): void {
  for (let i = begin; i < end; i++) {
    const given = bits[i];
    if ((given & ~SIGN) > EXPONENT) {
      bits[i] = (given | QUIET) & UPPER;
    } else {
      bits[i] = (given & EXPONENT) === 0 ? given & SIGN : (given + 0x7fff + ((given >>> 16) & 1)) & UPPER;
    }
  }
}
