/**
 * Convolutions of 8-bit integers on a backend's float64 convolution: exact, since every sum stays below 2^53 (at most
 * 2^31 products of at most 2^16).
 *
 * Most sums are far smaller, and two of them fit one float64: where weights allow it, output channels a and b go as one
 * with the weights a + 2^27·b, at half the multiplications.
 */
import { product } from '../numbers.js';
import type { Algorithm } from '../plan/algorithms/algorithm.js';
import type { Machine } from '../plan/isa.js';
import { type ConvPlan, convRequest, planConv } from '../plan/plans/conv.js';
import type { IntegerConvPlan } from '../plan/plans/integer.js';
import { BYTE_RANGE, type ByteArray, type ByteDType, type FloatArray } from '../tensor/dtype.js';
import {
  type Backend,
  type BoundInteger,
  type ConvOperands,
  type IntegerOperands,
  NO_CLAMP,
} from './backend.js';

/** The second of two sums counts in units of this, and either is less than half of it in magnitude. */
const UNIT = 2 ** 27;
/** Added and subtracted, it leaves the nearest multiple of UNIT: float64 counts in units of it there. */
const TO_UNITS = 1.5 * 2 ** 52 * UNIT;
/** Likewise the nearest integer, of halves the even one. */
const TO_INTEGERS = 1.5 * 2 ** 52;

/** The convolution in float64 that gives the sums. */
interface Sums {
  readonly plan: ConvPlan;
  readonly operands: ConvOperands;
  /** Channels of the result for each channel of the sums. */
  readonly perSum: 1 | 2;
}

/** @param algorithm  Must be exact on integers. */
export function convIntegerInFloat64(
  conv: Backend['conv'],
  machine: Machine,
  algorithm: Algorithm,
): Backend['convInteger'] {
  return (plan, operands, input, output) => {
    const sums = sumsOf(plan, operands, machine, algorithm);
    run(plan, operands, sums, (x, y) => conv(sums.plan, sums.operands, x, y), input, output);
  };
}

export function bindIntegerInFloat64(
  bindConv: Backend['bindConv'],
  machine: Machine,
  algorithm: Algorithm,
): Backend['bindInteger'] {
  return (plan, operands): BoundInteger => {
    const sums = sumsOf(plan, operands, machine, algorithm);
    const conv = bindConv(sums.plan, sums.operands);
    return {
      packedBytes: conv.packedBytes,
      run: (input, output) => run(plan, operands, sums, (x, y) => conv.run(x, y), input, output),
      release: () => conv.release(),
    };
  };
}

function sumsOf(
  plan: IntegerConvPlan,
  operands: IntegerOperands,
  machine: Machine,
  algorithm: Algorithm,
): Sums {
  const { conv } = plan;
  const { groups } = conv;
  const centred = centredWeights(conv, operands);
  const perSum = fitInPairs(plan, centred) ? 2 : 1;
  const perGroup = Math.ceil(conv.outChannels / groups / perSum);
  const outChannels = groups * perGroup;
  const weight = perSum === 1 ? centred : pairedWeights(conv, centred, perGroup);
  const sizes = { ...conv, outChannels, axes: conv.axes.slice(3 - conv.rank) };
  const request = convRequest('forward', 'float64', conv, sizes, { algorithm, accuracy: 'strict' });
  const floats = planConv(request, machine);
  return { plan: floats, operands: { weight, bias: null, clamp: NO_CLAMP }, perSum };
}

function centredWeights(
  { outChannels }: ConvPlan,
  { weight, weightZeroPoints }: IntegerOperands,
): Float64Array {
  const perChannel = weight.length / outChannels;
  const centred = new Float64Array(weight.length);
  for (let channel = 0, at = 0; channel < outChannels; channel++) {
    const zeroPoint = weightZeroPoints[channel];
    for (const end = at + perChannel; at < end; at++) centred[at] = weight[at] - zeroPoint;
  }
  return centred;
}

/** Whether no sum, nor a part of it, can reach half of UNIT, and there is a second channel to go with the first. */
function fitInPairs({ conv, inputZeroPoint }: IntegerConvPlan, weight: Float64Array): boolean {
  const { outChannels, groups, dtype } = conv;
  if (outChannels === groups) return false;
  const [min, max] = BYTE_RANGE[dtype as ByteDType];
  const mostInput = Math.max(max - inputZeroPoint, inputZeroPoint - min);
  const perChannel = weight.length / outChannels;
  for (let at = 0; at < weight.length; ) {
    let magnitude = 0;
    for (const end = at + perChannel; at < end; at++) magnitude += Math.abs(weight[at]);
    if (magnitude * mostInput >= UNIT / 2) return false;
  }
  return true;
}

/** Of each group channels 2i and 2i + 1 as one; of an odd number the last alone. */
function pairedWeights({ outChannels, groups }: ConvPlan, weight: Float64Array, pairs: number): Float64Array {
  const perChannel = weight.length / outChannels;
  const perGroup = outChannels / groups;
  const paired = new Float64Array(groups * pairs * perChannel);
  for (let channel = 0; channel < outChannels; channel++) {
    const within = channel % perGroup;
    const to = (((channel - within) / perGroup) * pairs + (within >> 1)) * perChannel;
    const unit = within % 2 === 0 ? 1 : UNIT;
    for (let i = 0; i < perChannel; i++) paired[to + i] += unit * weight[channel * perChannel + i];
  }
  return paired;
}

function run(
  plan: IntegerConvPlan,
  operands: IntegerOperands,
  { plan: floats, perSum }: Sums,
  conv: (x: FloatArray, sums: FloatArray) => void,
  input: ByteArray,
  output: Int32Array | ByteArray,
): void {
  const { batch, outChannels, groups, axes } = plan.conv;
  const x = centredInput(input, plan.inputZeroPoint);
  const places = product(axes.map((axis) => axis.out));
  const sums = new Float64Array(batch * floats.outChannels * places);
  conv(x, sums);
  const perGroup = outChannels / groups;
  const first = perSum === 1 ? sums : new Float64Array(places);
  const second = new Float64Array(perSum === 1 ? 0 : places);
  let plane = 0;
  for (let at = 0; at < sums.length; at += places) {
    if (perSum === 1) finish(plan, operands, first, at, plane++, places, output);
    else {
      separate(sums, at, first, second);
      finish(plan, operands, first, 0, plane++, places, output);
      if ((plane % outChannels) % perGroup !== 0) finish(plan, operands, second, 0, plane++, places, output);
    }
  }
}

function centredInput(input: ByteArray, zeroPoint: number): Float64Array {
  const x = new Float64Array(input.length);
  for (let i = 0; i < x.length; i++) x[i] = input[i] - zeroPoint;
  return x;
}

function separate(sums: Float64Array, at: number, first: Float64Array, second: Float64Array): void {
  for (let i = 0; i < first.length; i++) {
    const both = sums[at + i];
    const units = both + TO_UNITS - TO_UNITS;
    first[i] = both - units;
    second[i] = units / UNIT;
  }
}

/** One plane of the output from its sums. */
function finish(
  { conv: { outChannels }, outputDType, outputZeroPoint }: IntegerConvPlan,
  { bias, multipliers }: IntegerOperands,
  sums: Float64Array,
  at: number,
  plane: number,
  places: number,
  output: Int32Array | ByteArray,
): void {
  const to = plane * places;
  if (outputDType === 'int32') {
    for (let i = 0; i < places; i++) output[to + i] = sums[at + i];
    return;
  }
  const [min, max] = BYTE_RANGE[outputDType];
  const channel = plane % outChannels;
  const offset = bias === null ? 0 : bias[channel];
  const multiplier = (multipliers as Float64Array)[channel];
  // Before the zero point: what is beyond saturates whatever it is.
  const [least, most] = [min - outputZeroPoint, max - outputZeroPoint];
  for (let i = 0; i < places; i++) {
    const value = Math.min(Math.max((sums[at + i] + offset) * multiplier, least), most);
    output[to + i] = value + TO_INTEGERS - TO_INTEGERS + outputZeroPoint;
  }
}
