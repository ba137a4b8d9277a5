/** Arithmetic of sizes that many rooms need. */

/** Of no sizes 1: how many elements a shape has. What comes from a user is checked by elementCount first. */
export function product(sizes: readonly number[]): number {
  let count = 1;
  for (const size of sizes) count *= size;
  return count;
}

/** ⌈a/b⌉: how many groups of b hold a. */
export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}

/** The greatest common divisor; of 0 and b, b. */
export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
