/** im2col and col2im as operations of their own, for every dtype. */
import type { ConvPlan } from '../../plan/conv-plan.js';
import type { TypedArray } from '../../tensor/dtype.js';
import { forwardGather, sourceAt } from './gather.js';

/** columns[n][c·taps][outputs] ← input[n][c][in] */
export function unfold(plan: ConvPlan, input: TypedArray, columns: TypedArray): void {
  const [depth, height, width] = plan.axes;
  const [gd, gh, gw] = plan.axes.map((axis) => forwardGather(axis, plan.paddingMode));
  const inSize = depth.in * height.in * width.in;
  const from = bits(input);
  const to = bits(columns);
  let at = 0;
  for (let plane = 0; plane < plan.batch * plan.inChannels; plane++) {
    for (let td = 0; td < depth.kernel; td++) {
      for (let th = 0; th < height.kernel; th++) {
        for (let tw = 0; tw < width.kernel; tw++) {
          for (let d = 0; d < depth.out; d++) {
            const z = sourceAt(gd, d, td);
            for (let h = 0; h < height.out; h++) {
              const y = sourceAt(gh, h, th);
              if (z < 0 || y < 0) {
                to.fill(0, at, at + width.out);
              } else {
                const row = plane * inSize + (z * height.in + y) * width.in;
                for (let w = 0, s = tw * width.dilation; w < width.out; w++, s += width.stride) {
                  const x = gw.line[s];
                  to[at + w] = x < 0 ? 0 : from[row + x];
                }
              }
              at += width.out;
            }
          }
        }
      }
    }
  }
}

/** output[n][c][in] ← Σ columns[n][c·taps][outputs]: summed in float64, integers wrap. */
export function fold(plan: ConvPlan, columns: TypedArray, output: TypedArray): void {
  const [depth, height, width] = plan.axes;
  const [gd, gh, gw] = plan.axes.map((axis) => forwardGather(axis, plan.paddingMode));
  const inSize = depth.in * height.in * width.in;
  const outSize = depth.out * height.out * width.out;
  const sums = new Float64Array(inSize);
  const column = new Float64Array(outSize);
  let at = 0;
  for (let plane = 0; plane < plan.batch * plan.inChannels; plane++) {
    sums.fill(0);
    for (let td = 0; td < depth.kernel; td++) {
      for (let th = 0; th < height.kernel; th++) {
        for (let tw = 0; tw < width.kernel; tw++) {
          column.set(columns.subarray(at, at + outSize));
          at += outSize;
          for (let d = 0, c = 0; d < depth.out; d++) {
            const z = sourceAt(gd, d, td);
            for (let h = 0; h < height.out; h++, c += width.out) {
              const y = sourceAt(gh, h, th);
              if (z < 0 || y < 0) continue;
              const row = (z * height.in + y) * width.in;
              for (let w = 0, s = tw * width.dilation; w < width.out; w++, s += width.stride) {
                const x = gw.line[s];
                if (x >= 0) sums[row + x] += column[c + w];
              }
            }
          }
        }
      }
    }
    output.set(sums, plane * inSize);
  }
}

/** The same elements as plain bits of their width: copying then needs four kinds of array, not eight. */
function bits(array: TypedArray): Uint8Array | Uint16Array | Uint32Array | Float64Array {
  const { buffer, byteOffset, length } = array;
  switch (array.BYTES_PER_ELEMENT) {
    case 1:
      return new Uint8Array(buffer, byteOffset, length);
    case 2:
      return new Uint16Array(buffer, byteOffset, length);
    case 4:
      return new Uint32Array(buffer, byteOffset, length);
    default:
      return new Float64Array(buffer, byteOffset, length);
  }
}
