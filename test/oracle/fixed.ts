/** Fixed-point convolution by definition, in rational numbers of BigInt: value = numerator / 2^places. */

export interface NumericType {
  readonly signed: boolean;
  readonly wordLength: number;
  readonly fractionLength: number;
  readonly rounding?: string;
  readonly overflow?: string;
}

/** numerator / 2^places as a whole number. */
function rounded(numerator: bigint, places: number, rounding: string): bigint {
  if (places <= 0) return numerator << BigInt(-places);
  const unit = 1n << BigInt(places);
  const rest = ((numerator % unit) + unit) % unit;
  const below = (numerator - rest) / unit;
  const twice = 2n * rest;
  switch (rounding) {
    case 'floor':
      return below;
    case 'ceiling':
      return rest === 0n ? below : below + 1n;
    case 'zero':
      return numerator / unit;
    case 'nearest':
      return twice >= unit ? below + 1n : below;
    case 'round':
      return twice > unit || (twice === unit && numerator > 0n) ? below + 1n : below;
    default:
      return twice > unit || (twice === unit && below % 2n !== 0n) ? below + 1n : below;
  }
}

/** The stored integer for numerator / 2^places. */
export function stored(numerator: bigint, places: number, type: NumericType): bigint {
  const whole = rounded(numerator, places - type.fractionLength, type.rounding ?? 'nearest');
  const span = 1n << BigInt(type.wordLength);
  const low = type.signed ? -span / 2n : 0n;
  const high = low + span - 1n;
  if (type.overflow !== 'wrap') return whole < low ? low : whole > high ? high : whole;
  return ((((whole - low) % span) + span) % span) + low;
}

interface Plane {
  readonly rows: number;
  readonly columns: number;
  readonly raw: ArrayLike<number>;
  readonly type: NumericType;
}

/** The 'valid' window. */
export function fixedConv2(
  image: Plane,
  kernel: Plane,
  options: { output: NumericType; productShift?: number; accumulate?: string },
): number[] {
  const { output } = options;
  const places = image.type.fractionLength + kernel.type.fractionLength + (options.productShift ?? 0);
  const result: number[] = [];
  for (let i = 0; i <= image.rows - kernel.rows; i++) {
    for (let j = 0; j <= image.columns - kernel.columns; j++) {
      let exact = 0n;
      let running = 0n;
      for (let p = 0; p < kernel.rows; p++) {
        for (let q = 0; q < kernel.columns; q++) {
          const x = BigInt(image.raw[(i + p) * image.columns + j + q]);
          const w = BigInt(kernel.raw[(kernel.rows - 1 - p) * kernel.columns + kernel.columns - 1 - q]);
          exact += x * w;
          running = stored(running + stored(x * w, places, output), output.fractionLength, output);
        }
      }
      result.push(Number(options.accumulate === 'every-step' ? running : stored(exact, places, output)));
    }
  }
  return result;
}
