/** Convolutions of 8-bit integers as ONNX defines them: exact sums, and sums scaled back to 8 bits. */
import type { IntegerOperands } from '../backend/backend.js';
import { backend } from '../backend/select.js';
import {
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  describe,
  describeShape,
  isObject,
  listOf,
  mismatch,
} from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import {
  checkChannels,
  forwardAxes,
  GEOMETRY_OPTIONS,
  type Geometry,
  likeInput,
  rankOfWeight,
  readBatchShape,
  readWindow,
  type Window,
} from '../plan/options/window.js';
import { loweredRequest, planConv } from '../plan/plans/conv.js';
import { type IntegerConvPlan, planInteger } from '../plan/plans/integer.js';
import { BYTE_RANGE, type ByteArray, type ByteDType } from '../tensor/dtype.js';
import { resultTensor } from '../tensor/out.js';
import { isNested, type TensorLike, takeTensor } from '../tensor/take.js';
import { hasDType, type Shape, type Tensor } from '../tensor/tensor.js';

/** Geometry and zero points of a convolution of integers. */
export interface IntegerConvOptions extends Geometry {
  /** The input value that stands for 0; padding has it. Default 0. */
  readonly inputZeroPoint?: number;
  /** The weight value that stands for 0: one, or one per output channel. Default 0. */
  readonly weightZeroPoint?: number | ArrayLike<number>;
}

/** Geometry, scales and zero points of ONNX’s QLinearConv: a real value is scale·(q − zeroPoint). */
export interface QLinearConvOptions extends Geometry {
  /** Of the input. */
  readonly inputScale: number;
  /** Of the input, in its range of integers. */
  readonly inputZeroPoint: number;
  /** One for the tensor, or one per output channel. */
  readonly weightScale: number | ArrayLike<number>;
  /** Of the weight: one, or one per output channel. */
  readonly weightZeroPoint: number | ArrayLike<number>;
  /** Of the result. */
  readonly outputScale: number;
  /** Of the result, in its range of integers. */
  readonly outputZeroPoint: number;
  /** Default: the input's. */
  readonly outputDType?: ByteDType;
  /** int32, [outChannels], of scale inputScale·weightScale. */
  readonly bias?: TensorLike | null;
}

const INTEGER_OPTIONS = [...GEOMETRY_OPTIONS, 'inputZeroPoint', 'weightZeroPoint'];
export const QLINEAR_OPTIONS = [
  ...INTEGER_OPTIONS,
  'inputScale',
  'weightScale',
  'outputScale',
  'outputZeroPoint',
  'outputDType',
  'bias',
];

/**
 * ONNX's ConvInteger: exact sums of products of 8-bit integers, modulo 2^32. The kernel is not flipped.
 *
 *   y[n,o,i] = Σ_{c,p} (x[n,c,i·s + p·d − pad] − inputZeroPoint)·(w[o,c,p] − weightZeroPoint[o])
 *
 * Padding has the value inputZeroPoint (or what the padding mode gives), so that it adds nothing.
 *
 * @param input   x, int8 or uint8, [n, ic, spatial…], or without n; nested arrays are uint8.
 * @param weight  w, int8 or uint8, [oc, ic/groups, kernel…]; nested arrays are int8.
 * @returns y, int32.
 * @throws as convNd; {DTypeError} for other dtypes; {ArgumentError} for a zero point outside its dtype.
 * Source: ONNX operators, ConvInteger-10.
 * @example convInteger(image, weight, { padding: 1 }).dtype   // 'int32'
 */
export function convInteger(
  input: TensorLike,
  weight: TensorLike,
  options?: IntegerConvOptions,
): Tensor<Int32Array> {
  const given = checkOptions(options, INTEGER_OPTIONS);
  const x = takeBytes(input, 'input', 'uint8');
  const filter = readFilter(weight, given, x.dtype);
  const { plan, shape } = planFilter(filter, x.shape, { dtype: 'int32', zeroPoint: 0 });
  const output = resultTensor(undefined, shape, 'int32', {});
  backend().convInteger(plan, { ...filter.operands, bias: null, multipliers: null }, x.data, output.data);
  return output;
}

/**
 * ONNX's QLinearConv: the sums of convInteger plus bias, scaled back to 8 bits.
 *
 *   y = saturate(round((Σ + bias[o])·inputScale·weightScale[o]/outputScale) + outputZeroPoint), halves to even
 *
 * The scales are multiplied and applied in float64.
 *
 * @param input   x, int8 or uint8, [n, ic, spatial…], or without n; nested arrays are uint8.
 * @param weight  w, int8 or uint8, [oc, ic/groups, kernel…]; nested arrays are int8.
 * @returns y, of outputDType.
 * @throws as convInteger; {ArgumentError} for a scale that is not a positive number.
 * @example qlinearConv(image, weight, { inputScale: 0.02, weightScale: 0.01, outputScale: 0.1, outputZeroPoint: 128 }).dtype
 *
 * Source: ONNX operators, QLinearConv-10.
 */
export function qlinearConv(
  input: TensorLike,
  weight: TensorLike,
  options: QLinearConvOptions,
): Tensor<ByteArray> {
  const given = checkOptions(options, QLINEAR_OPTIONS);
  const x = takeBytes(input, 'input', 'uint8');
  const filter = readFilter(weight, given, x.dtype);
  const scaling = readScaling(given, filter);
  const { plan, shape } = planFilter(filter, x.shape, scaling);
  const output = resultTensor(undefined, shape, scaling.dtype, {});
  backend().convInteger(plan, { ...filter.operands, ...scaling }, x.data, output.data);
  return output;
}

/** Everything that is known without the input's shape. */
export interface Filter {
  readonly inputDType: ByteDType;
  readonly inputZeroPoint: number;
  readonly weightShape: Shape;
  readonly weightDType: ByteDType;
  readonly window: Window;
  readonly operands: Pick<IntegerOperands, 'weight' | 'weightZeroPoints'>;
}

/** How sums become 8-bit results. */
export interface Scaling {
  readonly dtype: ByteDType;
  readonly zeroPoint: number;
  readonly bias: Int32Array | null;
  readonly multipliers: Float64Array;
}

export function readFilter(weight: TensorLike, options: IntegerConvOptions, inputDType: ByteDType): Filter {
  const w = takeBytes(weight, 'weight', 'int8');
  const rank = rankOfWeight(w.shape);
  const weightDType = w.dtype;
  const window = readWindow(options, w.shape.slice(2), rank);
  const readZeroPoint = (zero: unknown, argument: string) =>
    checkInteger(zero, argument, ...BYTE_RANGE[weightDType]);
  const zeroPoints = perChannel(
    options.weightZeroPoint ?? 0,
    w.shape[0],
    'options.weightZeroPoint',
    readZeroPoint,
  );
  return {
    inputDType,
    inputZeroPoint: checkInteger(
      options.inputZeroPoint ?? 0,
      'options.inputZeroPoint',
      ...BYTE_RANGE[inputDType],
    ),
    weightShape: w.shape,
    weightDType,
    window,
    operands: { weight: w.data, weightZeroPoints: Int32Array.from(zeroPoints) },
  };
}

export function readScaling(
  options: Partial<QLinearConvOptions>,
  { inputDType, weightShape }: Filter,
): Scaling {
  const channels = weightShape[0];
  const dtype = checkOneOf(options.outputDType ?? inputDType, 'options.outputDType', ['int8', 'uint8']);
  const inputScale = readScale(options.inputScale, 'options.inputScale');
  const scale = inputScale / readScale(options.outputScale, 'options.outputScale');
  const weightScales = perChannel(options.weightScale, channels, 'options.weightScale', readScale);
  return {
    dtype,
    zeroPoint: checkInteger(options.outputZeroPoint, 'options.outputZeroPoint', ...BYTE_RANGE[dtype]),
    bias: readBias(options.bias, channels),
    // Whatever is that large saturates every sum but 0, of which infinity would make no number.
    multipliers: Float64Array.from(weightScales, (weightScale) =>
      Math.min(weightScale * scale, Number.MAX_VALUE),
    ),
  };
}

/** The plan for an input of this shape, and the shape of the result. */
export function planFilter(
  { inputDType, inputZeroPoint, weightShape, weightDType, window }: Filter,
  inputShape: Shape,
  output: { dtype: ByteDType | 'int32'; zeroPoint: number; bias?: Int32Array | null },
): { plan: IntegerConvPlan; shape: Shape } {
  const input = readBatchShape(inputShape, window.rank, 'input');
  checkChannels(input.channels, weightShape, window.groups, 'input', input);
  const sizes = {
    batch: input.batch,
    inChannels: input.channels,
    outChannels: weightShape[0],
    axes: forwardAxes(window, input.spatial),
  };
  const request = loweredRequest(inputDType, window, sizes);
  const conv = planConv(request, backend().machine);
  const geometry = {
    conv,
    weightDType,
    outputDType: output.dtype,
    inputZeroPoint,
    outputZeroPoint: output.zeroPoint,
  };
  let mostBias = 0;
  for (const value of output.bias ?? []) mostBias = Math.max(mostBias, Math.abs(value));
  return { plan: planInteger(geometry, mostBias), shape: likeInput(conv.outputShape, input) };
}

export function takeBytes(value: TensorLike, argument: string, nested: ByteDType): Tensor<ByteArray> {
  const t = takeTensor(value, argument, nested);
  if (hasDType(t, 'int8') || hasDType(t, 'uint8')) return t;
  throw mismatch(DTypeError, argument, 'int8 or uint8', t.dtype);
}

function readBias(bias: TensorLike | null | undefined, channels: number): Int32Array | null {
  if (bias === undefined || bias === null) return null;
  const b = takeTensor(bias, 'options.bias', isNested(bias) ? 'int32' : undefined);
  if (!hasDType(b, 'int32')) throw mismatch(DTypeError, 'options.bias', 'int32', b.dtype);
  if (b.shape.length !== 1 || b.size !== channels) {
    throw mismatch(ShapeError, 'options.bias', `shape [${channels}]`, describeShape(b.shape));
  }
  return b.data;
}

function hasLength(value: unknown, length: number): value is ArrayLike<unknown> {
  return isObject(value) && 'length' in value && value.length === length;
}

/** One value for every channel, or one each. */
function perChannel(
  value: unknown,
  channels: number,
  argument: string,
  read: (value: unknown, argument: string) => number,
): number[] {
  const list = listOf(value, channels) ?? (hasLength(value, channels) ? Array.from(value) : [value]);
  if (list.length !== channels && list.length !== 1) {
    throw mismatch(
      ArgumentError,
      argument,
      `one value, or one per output channel (${channels})`,
      describe(value),
    );
  }
  const values = list.map((entry, i) => read(entry, list.length === 1 ? argument : `${argument}[${i}]`));
  return values.length === channels ? values : Array<number>(channels).fill(values[0]);
}

function readScale(value: unknown, argument: string): number {
  return checkNumber(value, argument, Number.MIN_VALUE, Number.MAX_VALUE);
}
