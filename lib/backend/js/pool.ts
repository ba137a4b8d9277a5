/**
 * Pooling, a channel plane at a time and a row of outputs tap by tap, in the order of the window. Planes are converted
 * to float64 and back (exact for every dtype), so that the loops see one kind of array.
 */
import type { Axis } from '../../plan/options/axes.js';
import type { PoolPlan } from '../../plan/plans/pool.js';
import type { FloatArray, TypedArray } from '../../tensor/dtype.js';

/** The windows of one axis, clipped to the input: window o covers first[o], first[o] + step, … below end[o]. */
interface Windows {
  readonly first: Int32Array;
  readonly end: Int32Array;
  readonly step: number;
  /** Elements of each window, clipped to the input; and to the input and its padding. */
  readonly inside: Int32Array;
  readonly padded: Int32Array;
}

function windowsOf({ in: size, kernel, stride, dilation, padBefore, padAfter, out }: Axis): Windows {
  const first = new Int32Array(out);
  const end = new Int32Array(out);
  const inside = new Int32Array(out);
  const padded = new Int32Array(out);
  for (let o = 0; o < out; o++) {
    const start = o * stride - padBefore;
    const past = start + dilation * (kernel - 1) + 1;
    first[o] = start < 0 ? start + Math.ceil(-start / dilation) * dilation : start;
    end[o] = Math.min(past, size);
    inside[o] = Math.max(0, Math.ceil((end[o] - first[o]) / dilation));
    padded[o] = Math.ceil((Math.min(past, size + padAfter) - start) / dilation);
  }
  return { first, end, step: dilation, inside, padded };
}

/** The outputs [first, end) whose tap lies in the input: output o reads element offset + o·stride. */
interface Tap {
  readonly first: number;
  readonly end: number;
  readonly offset: number;
}

function tapsOf({ in: size, kernel, stride, dilation, padBefore, out }: Axis): Tap[] {
  return Array.from({ length: kernel }, (_, t) => {
    const offset = t * dilation - padBefore;
    const first = offset < 0 ? Math.ceil(-offset / stride) : 0;
    return { first, end: Math.min(out, Math.floor((size - 1 - offset) / stride) + 1), offset };
  });
}

/** As PyTorch: NaN wins, and of equal maxima the first. */
export function maxPool(
  plan: PoolPlan,
  input: TypedArray,
  output: TypedArray,
  indices: Int32Array | null,
): void {
  const [depth, height, width] = plan.axes;
  const [wd, wh, ww] = plan.axes.map(windowsOf);
  const taps = tapsOf(width);
  const inSize = depth.in * height.in * width.in;
  const outSize = depth.out * height.out * width.out;
  const from = new Float64Array(inSize);
  const best = new Float64Array(outSize);
  const where = new Int32Array(outSize);
  for (let plane = 0; plane < plan.planes; plane++) {
    from.set(input.subarray(plane * inSize, (plane + 1) * inSize));
    best.fill(-Infinity);
    for (let row = 0; row < depth.out * height.out; row++) {
      const d = Math.floor(row / height.out);
      const h = row % height.out;
      const corner = (wd.first[d] * height.in + wh.first[h]) * width.in;
      for (let w = 0; w < width.out; w++) where[row * width.out + w] = corner + ww.first[w];
      for (let z = wd.first[d]; z < wd.end[d]; z += wd.step) {
        for (let y = wh.first[h]; y < wh.end[h]; y += wh.step) {
          const line = (z * height.in + y) * width.in;
          for (const tap of taps) takeLarger(from, line, tap, width.stride, best, where, row * width.out);
        }
      }
    }
    output.set(best, plane * outSize);
    indices?.set(where, plane * outSize);
  }
}

function takeLarger(
  from: Float64Array,
  line: number,
  { first, end, offset }: Tap,
  stride: number,
  best: Float64Array,
  where: Int32Array,
  row: number,
): void {
  let x = (line + offset + first * stride) | 0;
  for (let at = row + first; at < row + end; at++) {
    const value = from[x];
    if (value > best[at] || Number.isNaN(value)) {
      best[at] = value;
      where[at] = x;
    }
    x = (x + stride) | 0;
  }
}

export function avgPool(plan: PoolPlan, input: FloatArray, output: FloatArray): void {
  const [depth, height, width] = plan.axes;
  const [wd, wh, ww] = plan.axes.map(windowsOf);
  const taps = tapsOf(width);
  const inSize = depth.in * height.in * width.in;
  const outSize = depth.out * height.out * width.out;
  const from = new Float64Array(inSize);
  const sums = new Float64Array(outSize);
  const countOf = plan.countIncludePad
    ? (d: number, h: number, w: number) => wd.padded[d] * wh.padded[h] * ww.padded[w]
    : (d: number, h: number, w: number) => wd.inside[d] * wh.inside[h] * ww.inside[w];
  for (let plane = 0; plane < plan.planes; plane++) {
    from.set(input.subarray(plane * inSize, (plane + 1) * inSize));
    sums.fill(0);
    for (let row = 0; row < depth.out * height.out; row++) {
      const d = Math.floor(row / height.out);
      const h = row % height.out;
      for (let z = wd.first[d]; z < wd.end[d]; z++) {
        for (let y = wh.first[h]; y < wh.end[h]; y++) {
          const line = (z * height.in + y) * width.in;
          for (const tap of taps) addTap(from, line, tap, width.stride, sums, row * width.out);
        }
      }
      for (let w = 0; w < width.out; w++) sums[row * width.out + w] /= countOf(d, h, w);
    }
    output.set(sums, plane * outSize);
  }
}

function addTap(
  from: Float64Array,
  line: number,
  { first, end, offset }: Tap,
  stride: number,
  sums: Float64Array,
  row: number,
): void {
  let x = (line + offset + first * stride) | 0;
  for (let at = row + first; at < row + end; at++) {
    sums[at] += from[x];
    x = (x + stride) | 0;
  }
}

export function maxPoolGrad(
  planes: number,
  outputs: number,
  inputs: number,
  gradOutput: FloatArray,
  indices: Int32Array,
  gradInput: FloatArray,
): void {
  gradInput.fill(0);
  for (let at = 0, plane = 0; plane < planes * inputs; plane += inputs) {
    for (const end = at + outputs; at < end; at++) gradInput[plane + indices[at]] += gradOutput[at];
  }
}
