/** im2col and col2im as operations of their own, for every dtype. */
import type { ConvPlan } from '../../plan/plans/conv.js';
import type { TypedArray } from '../../tensor/dtype.js';
import { type AxisGather, forwardGather, sourceAt } from './gather.js';

/** columns[n][c·taps][outputs] ← input[n][c][in] */
export function unfold(plan: ConvPlan, input: TypedArray, columns: TypedArray): void {
  const [depth, height, width] = plan.axes;
  const [gd, gh, gw] = plan.axes.map((axis) => forwardGather(axis, plan.paddingMode));
  const inSize = depth.in * height.in * width.in;
  const from = bits(input);
  const to = bits(columns);
  const runs = runsOf(gw);
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
                copyRow(from, plane * inSize + (z * height.in + y) * width.in, gw, runs[tw], to, at);
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
  const runs = runsOf(gw);
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
              addRow(column, c, gw, runs[tw], sums, (z * height.in + y) * width.in);
            }
          }
        }
      }
    }
    output.set(sums, plane * inSize);
  }
}

/** Of one tap: outputs [start, end) read within the source, output w its element first + w·jump. */
interface Run {
  readonly offset: number;
  readonly start: number;
  readonly end: number;
  readonly first: number;
}

function runsOf({ count, offsets, jump, line, inside }: AxisGather): Run[] {
  return Array.from(offsets, (offset) => {
    const start = Math.min(count, Math.max(0, Math.ceil((inside[0] - offset) / jump)));
    const end = Math.max(start, Math.min(count, Math.ceil((inside[1] - offset) / jump)));
    return { offset, start, end, first: offset - inside[0] + line[inside[0]] };
  });
}

/** to[at + w] ← what output w of a tap reads in the row of the source */
function copyRow(
  from: Bits,
  row: number,
  { line, jump, count }: AxisGather,
  { offset, start, end, first }: Run,
  to: Bits,
  at: number,
): void {
  let x = (row + first + start * jump) | 0;
  for (let q = (at + start) | 0; q < at + end; q++) {
    to[q] = from[x];
    x = (x + jump) | 0;
  }
  for (let w = 0; w < count; w++) {
    if (w === start) w = end;
    if (w === count) break;
    const x = line[offset + w * jump];
    to[at + w] = x < 0 ? 0 : from[row + x];
  }
}

/** The row of sums at what output w of a tap reads += column[at + w] */
function addRow(
  column: Float64Array,
  at: number,
  { line, jump, count }: AxisGather,
  { offset, start, end, first }: Run,
  sums: Float64Array,
  row: number,
): void {
  let x = (row + first + start * jump) | 0;
  for (let q = (at + start) | 0; q < at + end; q++) {
    sums[x] += column[q];
    x = (x + jump) | 0;
  }
  for (let w = 0; w < count; w++) {
    if (w === start) w = end;
    if (w === count) break;
    const x = line[offset + w * jump];
    if (x >= 0) sums[row + x] += column[at + w];
  }
}

type Bits = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** The same elements as plain bits of their width: copying then needs four kinds of array, not eight. */
function bits(array: TypedArray): Bits {
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
