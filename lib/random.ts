/** Random numbers from a seed: the same on every machine, so that a seed names an initialisation or a shuffle. */
import { checkInteger } from './check.js';

const LARGEST_SEED = Number.MAX_SAFE_INTEGER;

/** A source of random numbers with a state of its own. */
export interface Random {
  /** Uniform in [0, 1), with 53 random bits. */
  uniform(): number;
  /** Uniform integer in [0, n). */
  below(n: number): number;
}

/**
 * xoshiro128**, its state filled from the seed by SplitMix32. Period 2^128 − 1.
 *
 * @param seed  An integer from 0 to 2^53 − 1; drawn by Math.random when undefined.
 * @throws {ArgumentError} for any other seed.
 *
 * Source: Blackman and Vigna 2021, «Scrambled linear pseudorandom number generators»; Steele, Lea and Flood 2014.
 */
export function random(seed: number | undefined, argument = 'options.seed'): Random {
  const chosen =
    seed === undefined ? Math.floor(Math.random() * 2 ** 53) : checkInteger(seed, argument, 0, LARGEST_SEED);
  let filler = (chosen ^ Math.imul(Math.floor(chosen / 2 ** 32), 0x9e3779b1)) | 0;
  const fill = (): number => {
    filler = (filler + 0x9e3779b9) | 0;
    let z = filler;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = fill();
  let b = fill();
  let c = fill();
  let d = fill();
  const next = (): number => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result >>> 0;
  };
  const uniform = (): number => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) * 2 ** -53;
  return { uniform, below: (n) => Math.floor(uniform() * n) };
}
