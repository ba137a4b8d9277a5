/** Arithmetic of shapes: strides, broadcasting, and one loop that copies between any two layouts. */
import type { Shape } from '../tensor/tensor.js';
import type { Elements } from './graph.js';

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** The shape to which all of these broadcast, as NumPy's arrays do; null when they do not. */
export function broadcastShapes(shapes: readonly Shape[]): number[] | null {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const lead = rank - shape.length;
    for (let axis = 0; axis < shape.length; axis++) {
      const extent = shape[axis];
      if (extent === 1) continue;
      if (result[lead + axis] !== 1 && result[lead + axis] !== extent) return null;
      result[lead + axis] = extent;
    }
  }
  return result;
}

/** Strides with which an operand is read along a shape that it broadcasts to: 0 where it repeats. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  const lead = to.length - shape.length;
  return to.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead]));
}

/** Loops over a shape in as few axes as the strides of all operands allow; at least one axis. */
export interface Loops {
  readonly shape: readonly number[];
  /** One list of strides for each operand. */
  readonly strides: readonly (readonly number[])[];
}

/** Drops axes of size 1, and joins neighbours over which every operand steps evenly. */
export function joinAxes(shape: Shape, strides: readonly (readonly number[])[]): Loops {
  const sizes: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = sizes.length - 1;
    const joins = last >= 0 && steps.every((own, i) => own[last] === strides[i][axis] * shape[axis]);
    if (joins) {
      sizes[last] *= shape[axis];
      for (const [i, own] of steps.entries()) own[last] = strides[i][axis];
    } else {
      sizes.push(shape[axis]);
      for (const [i, own] of steps.entries()) own.push(strides[i][axis]);
    }
  }
  if (sizes.length === 0) {
    sizes.push(1);
    for (const own of steps) own.push(0);
  }
  return { shape: sizes, strides: steps };
}

/** What lies where in an array: element [i…] is at offset + Σ i·strides. */
export interface Layout {
  readonly data: Elements;
  readonly offset: number;
  readonly strides: readonly number[];
}

// Rows that are shorter are copied faster by a loop than by a call.
const SHORT_ROW = 16;

/** to[i…] = from[i…] for every index of the shape. */
export function copyStrided(shape: Shape, from: Layout, to: Layout): void {
  if (shape.includes(0)) return;
  const loops = joinAxes(shape, [from.strides, to.strides]);
  const [fromStrides, toStrides] = loops.strides;
  const last = loops.shape.length - 1;
  const count = loops.shape[last];
  const [fromStep, toStep] = [fromStrides[last], toStrides[last]];
  const [source, target] = [from.data, to.data];
  const whole =
    fromStep === 1 && toStep === 1 && count >= SHORT_ROW && source.constructor === target.constructor;
  forEachRow(loops, [from.offset, to.offset], ([at, into]) => {
    if (whole) target.set(source.subarray(at, at + count), into);
    else for (let i = 0; i < count; i++) target[into + i * toStep] = source[at + i * fromStep];
  });
}

/** Calls `row` with each operand's offset, for every index of all axes but the last. */
export function forEachRow(
  { shape, strides }: Loops,
  offsets: readonly number[],
  row: (offsets: readonly number[]) => void,
): void {
  const outer = shape.length - 1;
  const at = [...offsets];
  const index = new Array<number>(outer).fill(0);
  for (;;) {
    row(at);
    let axis = outer - 1;
    for (; axis >= 0; axis--) {
      index[axis]++;
      for (let i = 0; i < at.length; i++) at[i] += strides[i][axis];
      if (index[axis] < shape[axis]) break;
      for (let i = 0; i < at.length; i++) at[i] -= strides[i][axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}
