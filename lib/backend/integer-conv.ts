/**
 * Convolutions of 8-bit integers on a backend's float64 convolution: exact, since every sum stays below 2^53 (at most
 * 2^31 products of at most 2^16).
 */
import type { ConvPlan } from '../plan/conv-plan.js';
import type { IntegerConvPlan } from '../plan/integer-plan.js';
import { encodeConvPlan } from '../plan/wire.js';
import { BYTE_RANGE, type ByteArray, type ByteDType, type FloatArray, zeros } from '../tensor/dtype.js';
import type { Backend, BoundInteger, ConvOperands, IntegerOperands } from './kernels.js';

const NO_CLAMP = { min: -Infinity, max: Infinity };

export function convIntegerInFloat64(conv: Backend['conv']): Backend['convInteger'] {
  return (plan, operands, input, output) => {
    const floats = floatPlan(plan);
    const floatOperands = centredWeights(plan, operands);
    run(plan, operands, (x, sums) => conv(floats, floatOperands, x, sums), input, output);
  };
}

export function bindIntegerInFloat64(bindConv: Backend['bindConv']): Backend['bindInteger'] {
  return (plan, operands): BoundInteger => {
    const conv = bindConv(floatPlan(plan), centredWeights(plan, operands));
    return {
      packedBytes: conv.packedBytes,
      run: (input, output) => run(plan, operands, (x, sums) => conv.run(x, sums), input, output),
      release: () => conv.release(),
    };
  };
}

function floatPlan({ conv }: IntegerConvPlan): ConvPlan {
  const geometry = { ...conv, dtype: 'float64' } as const;
  return { ...geometry, wire: encodeConvPlan(geometry, conv) };
}

function centredWeights(
  { conv }: IntegerConvPlan,
  { weight, weightZeroPoints }: IntegerOperands,
): ConvOperands {
  const perChannel = weight.length / conv.outChannels;
  const centred = Float64Array.from(
    weight,
    (value, i) => value - weightZeroPoints[Math.floor(i / perChannel)],
  );
  return { weight: centred, bias: null, clamp: NO_CLAMP };
}

function run(
  plan: IntegerConvPlan,
  operands: IntegerOperands,
  conv: (x: FloatArray, sums: FloatArray) => void,
  input: ByteArray,
  output: Int32Array | ByteArray,
): void {
  const { inputZeroPoint, outputDType } = plan;
  const x = new Float64Array(input.length);
  for (let i = 0; i < x.length; i++) x[i] = input[i] - inputZeroPoint;
  const sums = zeros('float64', output.length) as Float64Array;
  conv(x, sums);
  if (outputDType === 'int32') for (let i = 0; i < sums.length; i++) output[i] = sums[i];
  else requantize(plan, outputDType, operands, sums, output as ByteArray);
}

function requantize(
  { conv: { batch, outChannels }, outputZeroPoint }: IntegerConvPlan,
  dtype: ByteDType,
  { bias, multipliers }: IntegerOperands,
  sums: Float64Array,
  output: ByteArray,
): void {
  const [min, max] = BYTE_RANGE[dtype];
  const perChannel = sums.length / (batch * outChannels);
  let at = 0;
  for (let plane = 0; plane < batch * outChannels; plane++) {
    const channel = plane % outChannels;
    const offset = bias === null ? 0 : bias[channel];
    const multiplier = (multipliers as Float64Array)[channel];
    for (const end = at + perChannel; at < end; at++) {
      const value = roundHalfToEven((sums[at] + offset) * multiplier) + outputZeroPoint;
      output[at] = Math.min(max, Math.max(min, value));
    }
  }
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const part = value - floor;
  if (part !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
