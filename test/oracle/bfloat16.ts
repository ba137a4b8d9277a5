/** Rounding to bfloat16 by arithmetic: 8 bits of significand, exponents as of float32. */
import { Tensor } from 'convmat';

const LEAST_NORMAL = 2 ** -126;
const GREATEST = (2 - 2 ** -7) * 2 ** 127;

/** The nearest bfloat16 of a float32, halves to even; what is below the least normal number is a zero. */
export function bfloat16(value: number): number {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return value;
  if (size < LEAST_NORMAL) return Math.sign(value) * 0;
  const exponent = Math.floor(Math.log2(size));
  const step = 2 ** (exponent - 7);
  const steps = size / step;
  const below = Math.floor(steps);
  const rest = steps - below;
  const nearest = (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below) * step;
  const rounded = nearest > GREATEST ? Infinity : nearest;
  return Math.sign(value) * rounded;
}

/** A tensor of such numbers. */
export function rounded({ data, shape }: Tensor): Tensor {
  return new Tensor(Float32Array.from(data, bfloat16), shape);
}
