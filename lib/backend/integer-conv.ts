/**
 * Convolutions of 8-bit integers on a backend's float64 convolution: exact, since every sum stays below 2^53 (at most
 * 2^31 products of at most 2^16).
 */
import type { ConvPlan } from '../plan/conv-plan.js';
import { encodeConvPlan } from '../plan/wire.js';
import { BYTE_RANGE, type ByteArray, zeros } from '../tensor/dtype.js';
import type { Backend, Requantization } from './kernels.js';

const NO_CLAMP = { min: -Infinity, max: Infinity };

export function convIntegerInFloat64(conv: Backend['conv']): Backend['convInteger'] {
  return (plan, { weight, inputZeroPoint, weightZeroPoints }, requantization, input, output) => {
    const floatPlan: ConvPlan = {
      ...plan,
      dtype: 'float64',
      wire: encodeConvPlan({ ...plan, dtype: 'float64' }, plan),
    };
    const x = Float64Array.from(input, (value) => value - inputZeroPoint);
    const perChannel = weight.length / plan.outChannels;
    const w = Float64Array.from(weight, (value, i) => value - weightZeroPoints[Math.floor(i / perChannel)]);
    const sums = zeros('float64', output.length);
    conv(floatPlan, { weight: w, bias: null, clamp: NO_CLAMP }, x, sums);
    if (requantization === null) for (let i = 0; i < sums.length; i++) output[i] = sums[i];
    else requantize(plan, requantization, sums, output as ByteArray);
  };
}

function requantize(
  { batch, outChannels }: ConvPlan,
  { bias, multipliers, zeroPoint }: Requantization,
  sums: Float64Array,
  output: ByteArray,
): void {
  const [min, max] = BYTE_RANGE[output instanceof Int8Array ? 'int8' : 'uint8'];
  const perChannel = sums.length / (batch * outChannels);
  for (let at = 0; at < sums.length; at++) {
    const channel = Math.floor(at / perChannel) % outChannels;
    const value = (sums[at] + (bias === null ? 0 : bias[channel])) * multipliers[channel];
    output[at] = Math.min(max, Math.max(min, roundHalfToEven(value) + zeroPoint));
  }
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const part = value - floor;
  if (part !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
