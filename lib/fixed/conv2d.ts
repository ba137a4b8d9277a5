/** Convolution of fixed-point feature maps, as the layers of a network need it. */
import { type FixedSums, type FixedWords, NO_CLAMP } from '../backend/backend.js';
import { limit, quantise } from '../backend/js/fixed.js';
import { backend } from '../backend/select.js';
import { checkOneOf, checkOptions, describeShape, mismatch } from '../check.js';
import { checkWeightRank } from '../conv/operands.js';
import { ShapeError, UnsupportedError } from '../errors.js';
import { product } from '../numbers.js';
import type { Isa } from '../plan/isa.js';
import type { Axes, Padding } from '../plan/options/axes.js';
import {
  type FullNumericType,
  type NumericType,
  readNumericType,
  wordDType,
  wordRange,
} from '../plan/options/numeric-type.js';
import { checkChannels, forwardAxes, likeInput, readBatchShape, readWindow } from '../plan/options/window.js';
import { type ConvPlan, planConv } from '../plan/plans/conv.js';
import type { Accumulate } from '../plan/plans/fixed.js';
import { planInteger } from '../plan/plans/integer.js';
import { convert, type DType, holds, type TypedArray, uninitialised } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { ACCUMULATES } from './conv2.js';
import { FixedTensor, takeFixed } from './fixed-tensor.js';
import { alignedSum, bigStorerOf, storerOf } from './stored.js';

/** Types, geometry and order of a fixed-point convolution of many channels. */
export interface FixedConv2dOptions {
  /** The type of the result. Rounding defaults to 'nearest', overflow to 'saturate'. */
  readonly output: NumericType;
  /** [outChannels], of any type. Default none. */
  readonly bias?: FixedTensor | null;
  /** Default 1. */
  readonly stride?: Axes;
  /** Zeros around the image. Default 0. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly groups?: number;
  /**
   * 'full' (default): products and bias are summed exactly, and the sum is brought into `output` once. 'every-step': the
   * running sum starts at the bias in `output`, and each product, and the sum after it, is brought into `output`, walking
   * channels, then the kernel's rows, then its columns.
   */
  readonly accumulate?: Accumulate;
}

const OPTIONS = ['output', 'bias', 'stride', 'padding', 'groups', 'accumulate'] as const;

/**
 * 2-D convolution of many channels in fixed point: the kernel is not flipped, as in `conv2d`. Bit-exact: the same integers
 * on every machine, backend and instruction set.
 *
 *   y[n,o,i,j] = output(bias[o] + Σ_{c,p,q} x[n, c, i·sh + p − ph, j·sw + q − pw]·w[o,c,p,q])
 *
 * With 'full', words of 8 bits run on integer kernels, those of 16 bits as pairs of bytes on the same where that is faster,
 * longer ones on float64 wherever their sums are exact in it, and on halves of words, put together in BigInt, past that.
 *
 * @param image   [C, H, W], or [N, C, H, W].
 * @param weight  [O, C/groups, kH, kW].
 * @returns a FixedTensor of type `options.output`: [O, oH, oW], or with N, where oH = ⌊(H + 2·ph − kH)/sh⌋ + 1.
 * @throws {ShapeError} when shapes disagree; {ArgumentError} for operands that are no FixedTensor, or a bad option;
 *   {UnsupportedError} for 2²¹ products and more in one sum of words that long.
 * @example
 * const hidden = fixed.relu(fixed.conv2d(image, weight, { bias, padding: 1, output: { signed: true, wordLength: 8, fractionLength: 4 } }));
 */
export function conv2d(image: FixedTensor, weight: FixedTensor, options: FixedConv2dOptions): FixedTensor {
  const x = takeFixed(image, 'image');
  const w = takeFixed(weight, 'weight');
  const given = checkOptions(options, OPTIONS);
  const output = readNumericType(given.output, 'options.output');
  const accumulate = checkOneOf(given.accumulate ?? 'full', 'options.accumulate', ACCUMULATES);
  const input = readBatchShape(x.raw.shape, 2, 'image');
  checkWeightRank(w.raw.shape, 2);
  const { stride, padding, groups } = given;
  const window = readWindow({ stride, padding, groups }, w.raw.shape.slice(2), 2);
  checkChannels(input.channels, w.raw.shape, window.groups, 'image');
  const bias = given.bias == null ? null : takeBias(given.bias, w.raw.shape[0]);
  const planOf = (dtype: DType): ConvPlan =>
    planConv(
      {
        op: 'forward',
        dtype,
        rank: 2,
        batch: input.batch,
        groups: window.groups,
        inChannels: input.channels,
        outChannels: w.raw.shape[0],
        axes: forwardAxes(window, input.spatial),
        paddingMode: 'zeros',
        algorithm: 'im2col',
        accuracy: 'strict',
        precision: 'float32',
        density: 1,
        separable: false,
      },
      backend().machine,
    );
  const plan = planOf('float64');
  const raw = uninitialised(wordDType(output), product(plan.outputShape));
  if (accumulate === 'every-step') stepByStep(plan, x, w, bias, output, raw);
  else atOnce(planOf, x, w, bias, output, raw);
  return new FixedTensor(new Tensor(raw, likeInput(plan.outputShape, input)), output);
}

function takeBias(bias: FixedTensor, channels: number): FixedTensor {
  const { raw } = takeFixed(bias, 'options.bias');
  if (raw.shape.length !== 1 || raw.size !== channels)
    throw mismatch(ShapeError, 'options.bias', `shape [${channels}]`, describeShape(raw.shape));
  return bias;
}

/** The output channel of element i. */
function channelOf({ outputShape }: ConvPlan): (i: number) => number {
  const places = product(outputShape.slice(2));
  const channels = outputShape[1];
  return (i) => Math.floor(i / places) % channels;
}

/** The largest magnitude that any part of a sum can have: by the image's type and the weight's values. */
function sumBound(x: FixedTensor, w: FixedTensor): number {
  const { low, high } = wordRange(x.type);
  const perChannel = product(w.raw.shape.slice(1));
  let most = 0;
  for (let at = 0; at < w.raw.size; at += perChannel) {
    let sum = 0;
    for (let i = at; i < at + perChannel; i++) sum += Math.abs(w.raw.data[i]);
    most = Math.max(most, sum);
  }
  return most * Math.max(-low, high);
}

/** Multiplying by a power of two this small or large is exact for every safe integer. */
const PLAIN_EXPONENT = 900;

function atOnce(
  planOf: (dtype: DType) => ConvPlan,
  x: FixedTensor,
  w: FixedTensor,
  bias: FixedTensor | null,
  output: FullNumericType,
  raw: TypedArray,
): void {
  const places = x.type.fractionLength + w.type.fractionLength;
  const bound = sumBound(x, w);
  const plan = planOf('float64');
  const channel = channelOf(plan);
  const ahead = bias === null ? 0 : bias.type.fractionLength - places;
  // Sums and biases in units of the finer of the two.
  const [unitOfSum, unitOfBias] = [2 ** Math.max(0, ahead), 2 ** Math.max(0, -ahead)];
  const most = bound * unitOfSum + (bias === null ? 0 : 2 ** 32 * unitOfBias);
  if (most > Number.MAX_SAFE_INTEGER) {
    const sums = bound <= Number.MAX_SAFE_INTEGER ? wholeSums(planOf, x, w, bound) : null;
    const exact = sums === null ? bigSums(plan, x, w) : (i: number) => BigInt(sums[i]);
    if (bias === null) {
      const store = bigStorerOf(output, places);
      for (let i = 0; i < raw.length; i++) raw[i] = store(exact(i));
      return;
    }
    const { data } = bias.raw;
    for (let i = 0; i < raw.length; i++) {
      const added = BigInt(data[channel(i)]);
      const sum = alignedSum(exact(i), places, added, bias.type.fractionLength, output.fractionLength);
      raw[i] = bigStorerOf(output, sum.places)(sum.value);
    }
    return;
  }
  const addend = { unitOfSum, bias: bias?.raw.data ?? null, unitOfBias };
  const exponent = output.fractionLength - places - Math.max(0, ahead);
  const parts = byteParts(planOf, x, w, bound);
  if (parts !== null && storeParts(plan, parts, addend, most, exponent, output, raw)) return;
  const sums = parts === null ? doubleProducts(planOf, x, w) : joinedSums(parts);
  if (Math.abs(exponent) <= PLAIN_EXPONENT) {
    storeScaled(plan, sums, addend, most, 2 ** exponent, output, raw);
    return;
  }
  const store = storerOf(output, places + Math.max(0, ahead));
  forEachPlane(plan, addend, (first, end, added) => {
    for (let i = first; i < end; i++) raw[i] = store(sums[i] * unitOfSum + added);
  });
}

/** What is added to sums, and the units of both. */
interface Addend {
  readonly unitOfSum: number;
  readonly bias: TypedArray | null;
  readonly unitOfBias: number;
}

/** Outputs first … end − 1 of one image and channel, and what is added to them. */
function forEachPlane(
  { batch, outChannels, outputShape }: ConvPlan,
  { bias, unitOfBias }: Addend,
  visit: (first: number, end: number, added: number) => void,
): void {
  const places = product(outputShape.slice(2));
  for (let plane = 0; plane < batch * outChannels; plane++) {
    const added = bias === null ? 0 : bias[plane % outChannels] * unitOfBias;
    visit(plane * places, (plane + 1) * places, added);
  }
}

const MOST_INT32 = 2 ** 31 - 1;

/**
 * Sums of products of bytes as stored integers, for the most usual types: whether that serves. Down to ⌊v⌋, and to the
 * nearest, ties up, are both the integer next to a number that lies half way between none: v is a multiple of `unit`.
 *
 * @param most  That no sum exceeds, with what is added to it.
 */
function storeParts(
  plan: ConvPlan,
  parts: FixedSums['parts'],
  { unitOfSum, bias, unitOfBias }: Addend,
  most: number,
  exponent: number,
  output: FullNumericType,
  raw: TypedArray,
): boolean {
  const { rounding, overflow } = output;
  const { low, high } = wordRange(output);
  const unit = 2 ** exponent;
  const serves =
    overflow === 'saturate' &&
    (rounding === 'nearest' || rounding === 'floor') &&
    Math.abs(exponent) <= PLAIN_EXPONENT &&
    high <= MOST_INT32 &&
    most + 1 / Math.min(1, unit) <= MOST_WITH_HALVES;
  const { fixedWords } = backend();
  if (!serves || fixedWords === undefined) return false;
  const half = rounding === 'nearest' && unit < 1 ? 0.5 : 0;
  const between = half - 0.5 + Math.min(1, unit) / 2;
  const addends = uninitialised('float64', plan.outChannels);
  for (let o = 0; o < addends.length; o++)
    addends[o] = (bias === null ? 0 : bias[o] * unitOfBias) * unit + between;
  const places = product(plan.outputShape.slice(2));
  if (raw.length > 0) fixedWords.store({ parts, places, addends, factor: unitOfSum * unit, low, high }, raw);
  return true;
}

/** Numbers below this, in units that they are multiples of, have room for two bits behind the point. */
const MOST_WITH_HALVES = 2 ** 51;

/**
 * Sums as stored integers, by any type: each in float64, where it and its multiples by powers of two are exact.
 *
 * @param most  That no sum exceeds, with what is added to it.
 */
function storeScaled(
  plan: ConvPlan,
  sums: Float64Array,
  addend: Addend,
  most: number,
  unit: number,
  output: FullNumericType,
  raw: TypedArray,
): void {
  const factor = addend.unitOfSum * unit;
  // In units of a sum: with half of an output's, it is exact still.
  const half = unit < 1 ? 0.5 : 0;
  if (output.rounding === 'nearest' && output.overflow === 'saturate' && most + half / unit <= MOST_EXACT) {
    forEachPlane(plan, addend, (first, end, added) => {
      roundInto(raw, sums, first, end, factor, added * unit + half, output);
    });
    return;
  }
  const values = convert(sums, 'float64');
  forEachPlane(plan, addend, (first, end, added) => {
    for (let i = first; i < end; i++) values[i] = values[i] * factor + added * unit;
  });
  quantise(values, values.length, output);
  raw.set(values);
}

/** Numbers below this, in units that they are multiples of, have room for one bit behind the point. */
const MOST_EXACT = 2 ** 52;

function roundInto(
  raw: TypedArray,
  sums: Float64Array,
  first: number,
  end: number,
  factor: number,
  offset: number,
  output: FullNumericType,
): void {
  const { low, high } = wordRange(output);
  for (let i = first; i < end; i++)
    raw[i] = Math.max(low, Math.min(high, Math.floor(sums[i] * factor + offset)));
}

/**
 * How many convolutions of bytes take less time than one in float64, as measured on 64 channels of 56 × 56: VNNI's and AMX's
 * sums of four products leave room for four. One, where it was not measured.
 */
const BYTE_CONVOLUTIONS: Readonly<Partial<Record<Isa, number>>> = {
  amx: 4,
  avx512: 4,
  avx2: 2,
  neon: 2,
  generic: 4,
  'wasm-relaxed': 4,
  wasm: 4,
};

/** The sums as those of the words' bytes, where integer kernels hold them and are faster. */
function byteParts(
  planOf: (dtype: DType) => ConvPlan,
  x: FixedTensor,
  w: FixedTensor,
  bound: number,
): FixedSums['parts'] | null {
  const { fixedWords } = backend();
  if (fixedWords === undefined) return null;
  const [bytesOfImage, bytesOfWeight] = [bytesPerWord(x.raw.data), bytesPerWord(w.raw.data)];
  const count = bytesOfImage * bytesOfWeight;
  // A sum of products of bytes, whatever they are.
  const most = count === 1 ? bound : product(w.raw.shape.slice(1)) * 255 * 255;
  if (count > (BYTE_CONVOLUTIONS[backend().machine.isa] ?? 1) || most > MOST_INT32) return null;
  const [image, weight] = [bytesOf(fixedWords, x.raw.data), bytesOf(fixedWords, w.raw.data)];
  const [low, ...rest] = image.flatMap((part) => weight.map((other) => byteSums(planOf, part, other)));
  return [low, ...rest];
}

function doubleProducts(planOf: (dtype: DType) => ConvPlan, x: FixedTensor, w: FixedTensor): Float64Array {
  return doubleSums(planOf('float64'), convert(x.raw.data, 'float64'), convert(w.raw.data, 'float64'));
}

/** The sums as safe integers. */
function wholeSums(
  planOf: (dtype: DType) => ConvPlan,
  x: FixedTensor,
  w: FixedTensor,
  bound: number,
): Float64Array {
  const parts = byteParts(planOf, x, w, bound);
  return parts === null ? doubleProducts(planOf, x, w) : joinedSums(parts);
}

/** Infinity for words of more than 16 bits, which no kernels take apart. */
function bytesPerWord(words: TypedArray): number {
  return words.BYTES_PER_ELEMENT > 2 ? Number.POSITIVE_INFINITY : words.BYTES_PER_ELEMENT;
}

/** Words of up to 16 bits as Σ parts[k]·2^(8k), the last one signed where they are. */
function bytesOf({ split }: FixedWords, words: TypedArray): (Int8Array | Uint8Array)[] {
  if (holds(words, 'int8') || holds(words, 'uint8')) return [words];
  if (!holds(words, 'int16') && !holds(words, 'uint16')) return [];
  const low = uninitialised('uint8', words.length);
  const high = uninitialised(holds(words, 'int16') ? 'int8' : 'uint8', words.length);
  split(words, low, high);
  return [low, high];
}

/** Safe integers, as the sums of the words' products are. */
function joinedSums([low, above, beside, high]: FixedSums['parts']): Float64Array {
  const joined = convert(low, 'float64');
  if (above === undefined) return joined;
  for (let i = 0; i < joined.length; i++) joined[i] += above[i] * 2 ** 8;
  if (beside === undefined || high === undefined) return joined;
  for (let i = 0; i < joined.length; i++) joined[i] += beside[i] * 2 ** 8 + high[i] * 2 ** 16;
  return joined;
}

function byteSums(
  planOf: (dtype: DType) => ConvPlan,
  image: Int8Array | Uint8Array,
  weight: Int8Array | Uint8Array,
): Int32Array {
  const conv = planOf(holds(image, 'int8') ? 'int8' : 'uint8');
  const plan = planInteger(
    {
      conv,
      weightDType: holds(weight, 'int8') ? 'int8' : 'uint8',
      outputDType: 'int32',
      inputZeroPoint: 0,
      outputZeroPoint: 0,
    },
    0,
  );
  const weightZeroPoints = new Int32Array(conv.outChannels);
  const sums = uninitialised('int32', product(conv.outputShape));
  backend().convInteger(plan, { weight, weightZeroPoints, bias: null, multipliers: null }, image, sums);
  return sums;
}

function doubleSums(plan: ConvPlan, image: Float64Array, weight: Float64Array): Float64Array {
  const sums = uninitialised('float64', product(plan.outputShape));
  backend().conv(plan, { weight, bias: null, clamp: NO_CLAMP }, image, sums);
  return sums;
}

const HALF_BITS = 16;
/** Products of halves have 32 bits. */
const MOST_PRODUCTS = 2 ** (53 - 2 * HALF_BITS) - 1;

/** Element i of the sums: each word is hi·2^16 + lo, and the four convolutions of these are exact in float64. */
function bigSums(plan: ConvPlan, x: FixedTensor, w: FixedTensor): (i: number) => bigint {
  const products = product(w.raw.shape.slice(1));
  if (products > MOST_PRODUCTS) {
    const expected = `at most ${MOST_PRODUCTS} products in a sum of words of ${x.type.wordLength} and ${w.type.wordLength} bits`;
    throw mismatch(UnsupportedError, 'weight', expected, `${products}`);
  }
  const [[xHigh, xLow], [wHigh, wLow]] = [halvesOf(x.raw.data), halvesOf(w.raw.data)];
  const high = doubleSums(plan, xHigh, wHigh);
  const crossed = doubleSums(plan, xHigh, wLow);
  const other = doubleSums(plan, xLow, wHigh);
  const low = doubleSums(plan, xLow, wLow);
  const bits = BigInt(HALF_BITS);
  return (i) =>
    (BigInt(high[i]) << (2n * bits)) + ((BigInt(crossed[i]) + BigInt(other[i])) << bits) + BigInt(low[i]);
}

function halvesOf(values: TypedArray): [high: Float64Array, low: Float64Array] {
  const high = Float64Array.from(values, (value) => Math.floor(value / 2 ** HALF_BITS));
  return [high, Float64Array.from(values, (value, i) => value - high[i] * 2 ** HALF_BITS)];
}

function stepByStep(
  plan: ConvPlan,
  x: FixedTensor,
  w: FixedTensor,
  bias: FixedTensor | null,
  output: FullNumericType,
  raw: TypedArray,
): void {
  const { batch, groups, inChannels, outChannels, axes } = plan;
  const [, rows, cols] = axes;
  const places = rows.out * cols.out;
  const perGroup = inChannels / groups;
  const sums = new Float64Array(places);
  const line = new Float64Array(cols.out);
  const bring = productsInto(x.type, w.type, output);
  const startOf = bias === null ? () => 0 : storerOf(output, bias.type.fractionLength);
  for (let n = 0, to = 0; n < batch; n++) {
    for (let o = 0; o < outChannels; o++, to += places) {
      sums.fill(bias === null ? 0 : startOf(bias.raw.data[o]));
      const firstChannel = Math.floor(o / (outChannels / groups)) * perGroup;
      let tap = o * perGroup * rows.kernel * cols.kernel;
      for (let c = 0; c < perGroup; c++) {
        const plane = (n * inChannels + firstChannel + c) * rows.in;
        for (let p = 0; p < rows.kernel; p++) {
          for (let q = 0; q < cols.kernel; q++, tap++) {
            const weight = w.raw.data[tap];
            for (let i = 0; i < rows.out; i++) {
              const row = i * rows.stride + p - rows.padBefore;
              if (row < 0 || row >= rows.in) continue;
              const from = (plane + row) * cols.in;
              const [first, end] = reached(cols, q);
              for (let j = first; j < end; j++)
                line[j - first] = x.raw.data[from + j * cols.stride + q - cols.padBefore];
              const at = i * cols.out + first;
              bring(line, end - first, weight);
              for (let j = 0; j < end - first; j++) sums[at + j] += line[j];
            }
            limit(sums, places, output);
          }
        }
      }
      raw.set(sums, to);
    }
  }
}

/** The outputs of a row whose tap q lies in the image. */
function reached(
  { in: size, out, stride, padBefore }: ConvPlan['axes'][number],
  q: number,
): [number, number] {
  const first = Math.max(0, Math.ceil((padBefore - q) / stride));
  const end = Math.min(out, Math.floor((size - 1 + padBefore - q) / stride) + 1);
  return [first, Math.max(first, end)];
}

/** Replaces numbers of type x by their products with a weight, each brought into `output`. */
function productsInto(
  x: FullNumericType,
  w: FullNumericType,
  output: FullNumericType,
): (line: Float64Array, count: number, weight: number) => void {
  const places = x.fractionLength + w.fractionLength;
  const exponent = output.fractionLength - places;
  if (x.wordLength + w.wordLength > 53) {
    const store = bigStorerOf(output, places);
    return (line, count, weight) => {
      for (let j = 0; j < count; j++) line[j] = store(BigInt(line[j]) * BigInt(weight));
    };
  }
  if (Math.abs(exponent) > PLAIN_EXPONENT) {
    const store = storerOf(output, places);
    return (line, count, weight) => {
      for (let j = 0; j < count; j++) line[j] = store(line[j] * weight);
    };
  }
  return (line, count, weight) => {
    const scaled = weight * 2 ** exponent;
    for (let j = 0; j < count; j++) line[j] *= scaled;
    quantise(line, count, output);
  };
}
