/** Rounding to bfloat16 by arithmetic: 8 bits of significand, exponents as of float32. */
import { Tensor } from 'convmat';

const LEAST_NORMAL = 2 ** -126;
const GREATEST = (2 - 2 ** -7) * 2 ** 127;

/** The nearest bfloat16 of a float32, halves to even; what is below the least normal one, after rounding, is a zero. */
export function bfloat16(value: number): number {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size === 0) return value;
  const exponent = Math.max(-126, Math.floor(Math.log2(size)));
  const step = 2 ** (exponent - 7);
  const steps = size / step;
  const below = Math.floor(steps);
  const rest = steps - below;
  const nearest = (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below) * step;
  const rounded = nearest > GREATEST ? Infinity : nearest < LEAST_NORMAL ? 0 : nearest;
  return Math.sign(value) * rounded;
}

/** A tensor of such numbers. */
export function rounded({ data, shape }: Tensor): Tensor {
  return new Tensor(Float32Array.from(data, bfloat16), shape);
}
