/** Interleaved pixels to planes of floats, and back: a unit of work for each row of a few thousand pixels. */
import {
  type FromPixelsPlan,
  LARGEST,
  LUMA,
  LUMA_WEIGHTS,
  type PlaneSource,
  type ToPixelsPlan,
} from '../../plan/plans/pixels.js';
import type { FloatArray, TypedArray } from '../../tensor/dtype.js';
import type { Work } from './work.js';

/** Pixels of a unit of work: some tenths of a millisecond. */
const UNIT = 2 ** 15;

export function* fromPixels(plan: FromPixelsPlan, pixels: TypedArray, planes: Float32Array): Work {
  const { count } = plan;
  for (const [p, plane] of plan.planes.entries()) {
    for (let first = 0; first < count; first += UNIT) {
      const end = Math.min(count, first + UNIT);
      fillPlane(plan, plane, pixels, planes, p * count, first, end);
      yield;
    }
  }
}

function fillPlane(
  { channels, alpha, dtype }: FromPixelsPlan,
  { channel, premultiplied, scale, mean, inverseStd }: PlaneSource,
  pixels: TypedArray,
  planes: Float32Array,
  plane: number,
  first: number,
  end: number,
): void {
  const [red, green, blue] = LUMA_WEIGHTS;
  const largest = LARGEST[dtype];
  for (let i = first, at = first * channels; i < end; i++, at += channels) {
    let value =
      channel === LUMA
        ? red * pixels[at] + green * pixels[at + 1] + blue * pixels[at + 2]
        : pixels[at + channel];
    if (premultiplied) value = (value * pixels[at + alpha]) / largest;
    planes[plane + i] = (value * scale - mean) * inverseStd;
  }
}

export function* toPixels(plan: ToPixelsPlan, planes: FloatArray, pixels: TypedArray): Work {
  const { count, channels } = plan;
  for (let c = 0; c < channels; c++) {
    for (let first = 0; first < count; first += UNIT) {
      fillChannel(plan, c, planes, pixels, first, Math.min(count, first + UNIT));
      yield;
    }
  }
}

/** Integers between doubles near 2^52 are what is left when a sum is rounded there, half to even. */
const ROUNDING = 6755399441055744;

function fillChannel(
  { count, channels, alpha, scale, offset, to }: ToPixelsPlan,
  channel: number,
  planes: FloatArray,
  pixels: TypedArray,
  first: number,
  end: number,
): void {
  const largest = LARGEST[to];
  const isOpaque = alpha < 0 || channel === alpha;
  const isInteger = to !== 'float32';
  for (let i = first, at = first * channels + channel; i < end; i++, at += channels) {
    let value = planes[channel * count + i] * scale + offset;
    if (!isOpaque) {
      const opacity = planes[alpha * count + i] * scale + offset;
      value = opacity > 0 ? value * (largest / opacity) : 0;
    }
    if (isInteger) {
      const clamped = value > 0 ? Math.min(value, largest) : 0;
      pixels[at] = clamped + ROUNDING - ROUNDING;
    } else {
      pixels[at] = value;
    }
  }
}
