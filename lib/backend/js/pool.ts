/**
 * Pooling, a channel plane at a time. Planes are converted to float64 and back (exact for every dtype), so that the
 * loops see one kind of array.
 */
import type { Axis } from '../../plan/axes.js';
import type { PoolPlan } from '../../plan/pool-plan.js';
import type { FloatArray, TypedArray } from '../../tensor/dtype.js';

/** The windows of one axis, clipped to the input: window o covers first[o], first[o] + step, … below end[o]. */
interface Windows {
  readonly first: Int32Array;
  readonly end: Int32Array;
  readonly step: number;
  /** Elements of each window, clipped to the input and its padding. */
  readonly padded: Int32Array;
}

function windowsOf({ in: size, kernel, stride, dilation, padBefore, padAfter, out }: Axis): Windows {
  const first = new Int32Array(out);
  const end = new Int32Array(out);
  const padded = new Int32Array(out);
  for (let o = 0; o < out; o++) {
    const start = o * stride - padBefore;
    const past = start + dilation * (kernel - 1) + 1;
    first[o] = start < 0 ? start + Math.ceil(-start / dilation) * dilation : start;
    end[o] = Math.min(past, size);
    padded[o] = Math.ceil((Math.min(past, size + padAfter) - start) / dilation);
  }
  return { first, end, step: dilation, padded };
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
  const inSize = depth.in * height.in * width.in;
  const outSize = depth.out * height.out * width.out;
  const from = new Float64Array(inSize);
  const best = new Float64Array(outSize);
  const where = new Int32Array(outSize);
  for (let plane = 0; plane < plan.planes; plane++) {
    from.set(input.subarray(plane * inSize, (plane + 1) * inSize));
    let at = 0;
    for (let d = 0; d < depth.out; d++) {
      for (let h = 0; h < height.out; h++) {
        for (let w = 0; w < width.out; w++, at++) {
          let max = -Infinity;
          let argMax = (wd.first[d] * height.in + wh.first[h]) * width.in + ww.first[w];
          for (let z = wd.first[d]; z < wd.end[d]; z += wd.step) {
            for (let y = wh.first[h]; y < wh.end[h]; y += wh.step) {
              const row = (z * height.in + y) * width.in;
              for (let x = ww.first[w]; x < ww.end[w]; x += ww.step) {
                const value = from[row + x];
                if (value > max || Number.isNaN(value)) {
                  max = value;
                  argMax = row + x;
                }
              }
            }
          }
          best[at] = max;
          where[at] = argMax;
        }
      }
    }
    output.set(best, plane * outSize);
    indices?.set(where, plane * outSize);
  }
}

export function avgPool(plan: PoolPlan, input: FloatArray, output: FloatArray): void {
  const [depth, height, width] = plan.axes;
  const [wd, wh, ww] = plan.axes.map(windowsOf);
  const inSize = depth.in * height.in * width.in;
  const outSize = depth.out * height.out * width.out;
  const from = new Float64Array(inSize);
  const mean = new Float64Array(outSize);
  for (let plane = 0; plane < plan.planes; plane++) {
    from.set(input.subarray(plane * inSize, (plane + 1) * inSize));
    let at = 0;
    for (let d = 0; d < depth.out; d++) {
      for (let h = 0; h < height.out; h++) {
        for (let w = 0; w < width.out; w++, at++) {
          let sum = 0;
          for (let z = wd.first[d]; z < wd.end[d]; z++) {
            for (let y = wh.first[h]; y < wh.end[h]; y++) {
              const row = (z * height.in + y) * width.in;
              for (let x = ww.first[w]; x < ww.end[w]; x++) sum += from[row + x];
            }
          }
          const count = plan.countIncludePad
            ? wd.padded[d] * wh.padded[h] * ww.padded[w]
            : (wd.end[d] - wd.first[d]) * (wh.end[h] - wh.first[h]) * (ww.end[w] - ww.first[w]);
          mean[at] = sum / count;
        }
      }
    }
    output.set(mean, plane * outSize);
  }
}
