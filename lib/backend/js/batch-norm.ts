/** Batch normalisation by channels: each loop over a plane is a function of its own, so that it is compiled once. */
import { type FloatArray, uninitialisedLike, viewOf } from '../../tensor/dtype.js';
import type { ChannelShape, Normalisation } from '../backend.js';
import { rectify, rectifyGrad } from './elements.js';

export function batchMoments(
  shape: ChannelShape,
  x: FloatArray,
  mean: Float64Array,
  squares: Float64Array,
): void {
  const count = shape.batch * shape.places;
  mean.fill(0);
  forEachPlane(shape, (channel, start, end) => {
    mean[channel] += sumOf(x, start, end) / count;
  });
  squares.fill(0);
  forEachPlane(shape, (channel, start, end) => {
    squares[channel] += momentOf(x, x, start, end, mean[channel], mean[channel]);
  });
}

export function channelAffine(
  shape: ChannelShape,
  x: FloatArray,
  factor: Float64Array,
  offset: Float64Array,
  rectified: boolean,
  y: FloatArray,
): void {
  forEachPlane(shape, (channel, start, end) => {
    scaleInto(x, y, start, start, end, factor[channel], offset[channel]);
  });
  if (rectified) rectify(y, y);
}

export function batchNormGrad(
  shape: ChannelShape,
  g: FloatArray,
  x: FloatArray,
  by: Normalisation,
  rectified: boolean,
  dx: FloatArray,
  sums: Float64Array,
  products: Float64Array,
): void {
  if (rectified) passWherePositive(shape, g, x, by, dx);
  const passed = rectified ? dx : g;
  const { mean, scale, factor } = by;
  sums.fill(0);
  products.fill(0);
  forEachPlane(shape, (channel, start, end) => {
    sums[channel] += sumOf(passed, start, end);
    products[channel] += momentOf(passed, x, start, end, 0, mean[channel]) * scale[channel];
  });
  const count = shape.batch * shape.places;
  forEachPlane(shape, (channel, start, end) => {
    if (by.ofBatch) {
      const level = sums[channel] / count;
      const slope = (products[channel] * scale[channel]) / count;
      passBack(passed, x, dx, start, end, factor[channel], level, slope, mean[channel]);
    } else scaleInto(passed, dx, start, start, end, factor[channel], 0);
  });
}

/** dx ← g where the rectified x·factor + offset is not 0, else 0. */
function passWherePositive(
  shape: ChannelShape,
  g: FloatArray,
  x: FloatArray,
  { factor, offset }: Normalisation,
  dx: FloatArray,
): void {
  const y = uninitialisedLike(x, shape.places);
  forEachPlane(shape, (channel, start, end) => {
    scaleInto(x, y, start, 0, end, factor[channel], offset[channel]);
    rectify(y, y);
    rectifyGrad(viewOf(g, start, shape.places), y, viewOf(dx, start, shape.places));
  });
}

/** Calls `run` with each channel plane's elements, [start, end). */
function forEachPlane(
  { batch, channels, places }: ChannelShape,
  run: (channel: number, start: number, end: number) => void,
): void {
  if (places === 0) return;
  for (let plane = 0, start = 0; plane < batch * channels; plane++, start += places)
    run(plane % channels, start, start + places);
}

/** y[to…] ← x[start … end)·factor + offset. */
function scaleInto(
  x: FloatArray,
  y: FloatArray,
  start: number,
  to: number,
  end: number,
  factor: number,
  offset: number,
): void {
  const shift = to - start;
  for (let i = start; i < end; i++) y[i + shift] = x[i] * factor + offset;
}

// Two sums side by side do not wait for one another.

function sumOf(x: FloatArray, start: number, end: number): number {
  let even = 0;
  let odd = 0;
  let i = start;
  for (; i + 1 < end; i += 2) {
    even += x[i];
    odd += x[i + 1];
  }
  return i < end ? even + odd + x[i] : even + odd;
}

/** Σ (a − level)·(b − mean). */
function momentOf(
  a: FloatArray,
  b: FloatArray,
  start: number,
  end: number,
  level: number,
  mean: number,
): number {
  let even = 0;
  let odd = 0;
  let i = start;
  for (; i + 1 < end; i += 2) {
    even += (a[i] - level) * (b[i] - mean);
    odd += (a[i + 1] - level) * (b[i + 1] - mean);
  }
  return i < end ? even + odd + (a[i] - level) * (b[i] - mean) : even + odd;
}

/** dx = factor·(g − level − slope·(x − mean)). */
function passBack(
  g: FloatArray,
  x: FloatArray,
  dx: FloatArray,
  start: number,
  end: number,
  factor: number,
  level: number,
  slope: number,
  mean: number,
): void {
  for (let i = start; i < end; i++) dx[i] = factor * (g[i] - level - slope * (x[i] - mean));
}
