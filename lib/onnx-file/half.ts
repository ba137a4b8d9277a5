/** The two 16-bit floats: float32 holds every value of either. */

const bits = new Uint32Array(1);
const number = new Float32Array(bits.buffer);

export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return number[0];
}

/** The nearest float16 as a number, halves to even. */
export function toFloat16(value: number): number {
  const magnitude = Math.abs(value);
  if (!(magnitude < 65520)) return Number.isNaN(value) ? NaN : Math.sign(value) * Infinity;
  // One unit in the last place: 2^(exponent − 10), or that of subnormal numbers.
  const unit = 2 ** Math.max(Math.floor(Math.log2(magnitude || 1)) - 10, -24);
  // Added and subtracted, 1.5·2^52 leaves the nearest integer, of halves the even one.
  const steps = value / unit + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
  return steps === 0 ? 0 * value : steps * unit;
}

/** The bits of the nearest float16. */
export function float16Bits(value: number): number {
  const rounded = toFloat16(value);
  if (Number.isNaN(rounded)) return 0x7e00;
  const sign = rounded < 0 || Object.is(rounded, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(rounded);
  if (magnitude === Infinity) return sign | 0x7c00;
  // Subnormal numbers are multiples of 2^−24.
  if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  return sign | ((exponent + 15) << 10) | ((magnitude / 2 ** exponent - 1) * 1024);
}

/** The nearest bfloat16 as a number, halves to even. */
export function toBfloat16(value: number): number {
  number[0] = value;
  if (Number.isNaN(value)) return NaN;
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return number[0];
}
