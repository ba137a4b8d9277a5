/** Interleaved pixels, as decoders and canvases have them, to tensors of channels first, and back. */
import type { AbortSignalLike } from '../backend/abort.js';
import { withOwnOperands } from '../backend/own-operands.js';
import { backend } from '../backend/select.js';
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  describe,
  describeShape,
  isObject,
  listOf,
  mismatch,
  mistake,
} from '../check.js';
import { type AsyncOptions, readSignal, readTransfer } from '../conv/options.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import {
  type FromPixelsPlan,
  LUMA,
  type PixelDType,
  type PlaneSource,
  type ToPixelsPlan,
} from '../plan/plans/pixels.js';
import {
  dtypeOf,
  type FloatArray,
  type FloatDType,
  isFloatArray,
  isTypedArray,
  uninitialised,
} from '../tensor/dtype.js';
import { overlaps, resultTensor } from '../tensor/out.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import { checkData, type Shape, Tensor } from '../tensor/tensor.js';

/** Interleaved pixels: sharp's raw output, a canvas's ImageData, pngjs's PNG. */
export interface Pixels {
  /** [height][width][channels], row-major; floats are 0 to 1 where opacity is meant. */
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array | Float32Array;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha. Default data.length/(width·height). */
  readonly channels?: number;
}

/** Which channels come out, and how values are scaled. */
export interface FromPixelsOptions {
  /**
   * 'rgb' drops alpha and repeats grey, 'bgr' is that with the order reversed, 'grey' is Rec. 709 luma without alpha.
   * Default 'keep': every channel as it is.
   */
  readonly channels?: 'keep' | 'rgb' | 'bgr' | 'grey';
  /** Multiplies colours by alpha, as what is to be filtered must be. Default false. */
  readonly premultiply?: boolean;
  /** A pixel becomes (value·scale − mean)/std. Default 1. */
  readonly scale?: number;
  /** One for all channels of the result, or one for each. Default 0. */
  readonly mean?: number | readonly number[];
  /** As mean; not 0. Default 1. */
  readonly std?: number | readonly number[];
}

/** How values become pixels. */
export interface ToPixelsOptions {
  /** A pixel is value·scale + offset. Default 1. */
  readonly scale?: number;
  /** Default 0. */
  readonly offset?: number;
  /** Divides colours by alpha, as premultiply multiplied them. Default false. */
  readonly unpremultiply?: boolean;
  /** Integers are rounded half to even and saturated, NaN becoming 0. Default 'uint8'. */
  readonly dtype?: PixelDType;
}

export const FROM_OPTIONS = ['channels', 'premultiply', 'scale', 'mean', 'std'] as const;
export const TO_OPTIONS = ['scale', 'offset', 'unpremultiply', 'dtype'] as const;

export type PixelArray = Uint8Array | Uint16Array | Float32Array;

/**
 * Pixels as a tensor, [channels, height, width] float32: (value·scale − mean)/std, computed in float64 and rounded once.
 *
 * With `out`, a float32 Tensor of the result's shape and memory of its own, nothing is allocated: as for the frames of a film.
 *
 * @throws {ArgumentError} for a bad option or what are no pixels, {ShapeError} when data has not width·height·channels
 *   elements, {DTypeError} for data of another type.
 * @example image.fromPixels({ data: Uint8Array.of(0, 128, 255), width: 3, height: 1 }, { scale: 1 / 255 }).shape   // [1, 1, 3]
 */
export function fromPixels(
  pixels: Pixels,
  options?: FromPixelsOptions & { readonly out?: Tensor },
): Tensor<Float32Array> {
  const given = checkOptions(options, [...FROM_OPTIONS, 'out']);
  const { plan, data, shape } = readFromPixels(pixels, given);
  const planes = resultTensor(given.out, shape, 'float32', {
    'pixels.data': new Tensor(data, [data.length]),
  });
  backend().fromPixels(plan, data, planes.data);
  return planes;
}

/**
 * As fromPixels, off the event loop. The pixels are copied, as conv2dAsync's operands are, or handed over (`transfer`).
 *
 * @example const x = await image.fromPixelsAsync(pixels, { scale: 1 / 255 });
 */
export async function fromPixelsAsync(
  pixels: Pixels,
  options?: FromPixelsOptions & AsyncOptions,
): Promise<Tensor<Float32Array>> {
  const given = checkOptions(options, [...FROM_OPTIONS, 'signal', 'transfer']);
  const signal = readSignal(given.signal);
  const transfer = readTransfer(given.transfer, 'pixels.data');
  const { plan, data, shape } = readFromPixels(pixels, given);
  signal?.throwIfAborted();
  const length = plan.count * plan.planes.length;
  const planes = await withOwnOperands({ 'pixels.data': data }, length * 4, { signal, transfer }, (own) =>
    backend().fromPixelsAsync(plan, own['pixels.data'], uninitialised('float32', length), signal),
  );
  return new Tensor(planes, shape);
}

/**
 * A tensor as interleaved pixels.
 *
 * @param t  [channels, height, width] with one to four channels, [1, channels, height, width] or [height, width]; float32 or
 *   float64.
 * With `out`, an array of `options.dtype` (an ImageData's is one of bytes) as long as the result, nothing is allocated.
 *
 * @returns data of `options.dtype`, which is `out` where that is given, width, height and channels, as sharp and ImageData
 *   take them.
 * @throws {ShapeError} for another shape, {DTypeError} for integers, {ArgumentError} for a bad option.
 * @example image.toPixels(grey, { scale: 255 }).width   // 32
 */
export function toPixels(
  t: TensorLike,
  options?: ToPixelsOptions & { readonly out?: Pixels['data'] },
): Required<Pixels> {
  const given = checkOptions(options, [...TO_OPTIONS, 'out']);
  const { plan, planes, size } = readToPixels(t, given);
  const { out } = given;
  const data = out === undefined ? uninitialised(plan.to, plan.count * plan.channels) : takeOut(out, plan);
  if (overlaps(data, planes))
    throw mismatch(ArgumentError, 'out', 'memory of its own', 'memory shared with t');
  backend().toPixels(plan, planes, data);
  return { data: out ?? data, ...size };
}

/** The caller's array, or that beneath its clamped bytes. */
function takeOut(out: Pixels['data'], { to, count, channels }: ToPixelsPlan): PixelArray {
  const data = takePixelData(out, 'out');
  if (pixelDType(data) !== to) throw mismatch(DTypeError, 'out', to, pixelDType(data));
  if (data.length !== count * channels)
    throw mismatch(ShapeError, 'out', `${count * channels} elements`, describe(data));
  return data;
}

/**
 * As toPixels, off the event loop. The tensor is copied, as conv2dAsync's operands are, or handed over (`transfer`).
 *
 * @example const { data, width, height } = await image.toPixelsAsync(grey, { scale: 255 });
 */
export async function toPixelsAsync(
  t: TensorLike,
  options?: ToPixelsOptions & AsyncOptions,
): Promise<Required<Pixels>> {
  const given = checkOptions(options, [...TO_OPTIONS, 'signal', 'transfer']);
  const transfer = readTransfer(given.transfer, 't');
  const signal: AbortSignalLike | undefined = readSignal(given.signal);
  const { plan, planes, size } = readToPixels(t, given);
  signal?.throwIfAborted();
  const result: PixelArray = uninitialised(plan.to, plan.count * plan.channels);
  const data = await withOwnOperands({ t: planes }, result.byteLength, { signal, transfer }, (own) =>
    backend().toPixelsAsync(plan, own.t, result, signal),
  );
  return { data, ...size };
}

/** A call's plan, the values that it reads and the shape of the planes. */
export function readFromPixels(
  pixels: Pixels,
  options: FromPixelsOptions,
): { plan: FromPixelsPlan; data: PixelArray; shape: readonly number[] } {
  if (!isObject(pixels)) throw mistake(ArgumentError, 'pixels', '{ data, width, height }', pixels);
  const data = takePixelData(pixels.data, 'pixels.data');
  const width = checkInteger(pixels.width, 'pixels.width', 1);
  const height = checkInteger(pixels.height, 'pixels.height', 1);
  const count = width * height;
  const channels = checkInteger(pixels.channels ?? data.length / count, 'pixels.channels', 1, 4);
  if (data.length !== count * channels) {
    const expected = `${height} × ${width} pixels of ${channels} channels`;
    throw mismatch(ShapeError, 'pixels.data', expected, describe(data));
  }
  const order = checkOneOf(options.channels ?? 'keep', 'options.channels', ['keep', 'rgb', 'bgr', 'grey']);
  const premultiply = checkBoolean(options.premultiply ?? false, 'options.premultiply');
  const alpha = channels === 2 || channels === 4 ? channels - 1 : -1;
  const sources = sourcesOf(order, channels);
  const scale = checkNumber(options.scale ?? 1, 'options.scale');
  const mean = perChannel(options.mean ?? 0, sources.length, 'options.mean');
  const std = perChannel(options.std ?? 1, sources.length, 'options.std');
  const planes = sources.map((channel, k): PlaneSource => {
    if (std[k] === 0) throw mistake(ArgumentError, 'options.std', 'numbers other than 0', options.std);
    const premultiplied = premultiply && alpha >= 0 && channel !== alpha;
    return { channel, premultiplied, scale, mean: mean[k], inverseStd: 1 / std[k] };
  });
  return {
    plan: {
      dtype: pixelDType(data),
      count,
      channels,
      alpha: planes.some(({ premultiplied }) => premultiplied) ? alpha : -1,
      planes,
    },
    data,
    shape: [sources.length, height, width],
  };
}

/** The channel of the pixels that each plane holds. */
function sourcesOf(order: 'keep' | 'rgb' | 'bgr' | 'grey', channels: number): number[] {
  const isColour = channels >= 3;
  switch (order) {
    case 'keep':
      return Array.from({ length: channels }, (_, channel) => channel);
    case 'rgb':
      return isColour ? [0, 1, 2] : [0, 0, 0];
    case 'bgr':
      return isColour ? [2, 1, 0] : [0, 0, 0];
    case 'grey':
      return [isColour ? LUMA : 0];
  }
}

/** Clamped bytes are bytes. */
function takePixelData(data: unknown, argument: string): PixelArray {
  if (isClamped(data)) {
    const { buffer, byteOffset, length } = data;
    return takePixelData(new Uint8Array(buffer, byteOffset, length), argument);
  }
  if (!isTypedArray(data)) {
    const expected = 'a Uint8Array, Uint8ClampedArray, Uint16Array or Float32Array';
    throw mistake(ArgumentError, argument, expected, data);
  }
  const dtype = checkData(data, argument);
  if (!isPixelArray(data)) throw mismatch(DTypeError, argument, 'uint8, uint16 or float32', dtype);
  return data;
}

function isPixelArray(data: unknown): data is PixelArray {
  const dtype = dtypeOf(data);
  return dtype === 'uint8' || dtype === 'uint16' || dtype === 'float32';
}

function isClamped(data: unknown): data is Uint8ClampedArray {
  // Of a view only: a revoked proxy throws at toString.
  return ArrayBuffer.isView(data) && Object.prototype.toString.call(data) === '[object Uint8ClampedArray]';
}

function pixelDType(data: PixelArray): PixelDType {
  return dtypeOf(data);
}

function perChannel(value: unknown, channels: number, argument: string): number[] {
  const list = listOf(value, 4);
  if (list === null) return Array<number>(channels).fill(checkNumber(value, argument));
  if (list.length !== channels)
    throw mismatch(ArgumentError, argument, `a number, or ${channels} of them`, `${list.length}`);
  return list.map((one, k) => checkNumber(one, `${argument}[${k}]`));
}

function readToPixels(
  t: TensorLike,
  options: ToPixelsOptions,
): { plan: ToPixelsPlan; planes: FloatArray; size: { width: number; height: number; channels: number } } {
  const { data, shape } = takeTensor(t, 't');
  if (!isFloatArray(data)) throw mismatch(DTypeError, 't', 'float32 or float64', dtypeOf(data));
  const { plan, size } = planToPixels(dtypeOf(data), shape, 't', options);
  return { plan, planes: data, size };
}

/** As of toPixels, of planes of a type and shape that `argument` has. */
export function planToPixels(
  from: FloatDType,
  shape: Shape,
  argument: string,
  options: ToPixelsOptions,
): { plan: ToPixelsPlan; size: { width: number; height: number; channels: number } } {
  const axes = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
  const [channels, height, width] = axes.length === 2 ? [1, ...axes] : axes;
  if (axes.length < 2 || axes.length > 3 || channels < 1 || channels > 4) {
    throw mismatch(
      ShapeError,
      argument,
      '[channels, height, width] with 1 to 4 channels',
      describeShape(shape),
    );
  }
  const to = checkOneOf(options.dtype ?? 'uint8', 'options.dtype', ['uint8', 'uint16', 'float32']);
  const unpremultiply = checkBoolean(options.unpremultiply ?? false, 'options.unpremultiply');
  return {
    plan: {
      from,
      to,
      count: height * width,
      channels,
      alpha: unpremultiply && channels % 2 === 0 ? channels - 1 : -1,
      scale: checkNumber(options.scale ?? 1, 'options.scale'),
      offset: checkNumber(options.offset ?? 0, 'options.offset'),
    },
    size: { width, height, channels },
  };
}
