/** Whole numbers of any size, in units of 2^−places, as stored integers of a type. */
import { type FullNumericType, limiterBig, roundBig, storer } from '../plan/options/numeric-type.js';

/** value / 2^places in the type, exact: value is a safe integer. */
export function storerOf(type: FullNumericType, places: number): (value: number) => number {
  const store = storer(type);
  const exponent = type.fractionLength - places;
  return (value) => store(value, exponent);
}

/** More places than any word and its bits behind the point have between them: further ones only say on which side. */
const FAR = 128;

/** As storerOf, for whole numbers past those. */
export function bigStorerOf(type: FullNumericType, places: number): (value: bigint) => number {
  const limit = limiterBig(type);
  const shift = places - type.fractionLength;
  return (value) => {
    if (value === 0n) return 0;
    // A shift to the left by more than the word leaves nothing of it, or all too much.
    if (shift < 0) return Number(limit(value << BigInt(Math.min(-shift, FAR))));
    const bits = value.toString(2).length;
    return Number(limit(roundBig(value, Math.min(shift, bits + FAR), type.rounding)));
  };
}

/**
 * a / 2^placesA + b / 2^placesB as one whole number and its places. Where the places lie further apart than any word
 * reaches, the number is another one that is stored alike in a type of this fraction length.
 */
export function alignedSum(
  a: bigint,
  placesA: number,
  b: bigint,
  placesB: number,
  fractionLength: number,
): { value: bigint; places: number } {
  if (b === 0n) return { value: a, places: placesA };
  if (a === 0n) return { value: b, places: placesB };
  if (placesA > placesB) return alignedSum(b, placesB, a, placesA, fractionLength);
  const apart = placesB - placesA;
  if (apart <= 2 * FAR) return { value: (a << BigInt(apart)) + b, places: placesB };
  const side = b < 0n ? -1n : 1n;
  // b is far less than half a unit of the type, and of a.
  if (fractionLength - placesA < FAR)
    return { value: (a << BigInt(2 * FAR)) + side, places: placesA + 2 * FAR };
  // a is a multiple of 2^FAR units: whatever b is, it saturates, and wraps to nothing. Another such multiple does, too.
  const below = placesB - fractionLength;
  if (below > 2 * FAR) return { value: (a << BigInt(2 * FAR)) + side, places: fractionLength + FAR };
  return { value: (a << BigInt(Math.max(0, below + FAR))) + b, places: placesB };
}
