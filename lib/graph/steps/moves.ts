/** Steps that compute nothing: transposes, slices, parts of a whole, padding, indices. */

import { storageOf } from '../elements.js';
import type { Attributes, NodeOf, Value } from '../graph.js';
import { inputOf, outputOf } from '../operands.js';
import { joinAxes, sizeOf, stridesOf } from '../shapes.js';
import type { KernelStep, Lowering } from './step.js';

interface Described {
  readonly label: string;
  readonly sources: readonly string[];
}

const MOST_AXES = 8;

/** One side of a copy: a value, the element in front of the first, and strides. */
export interface Side {
  readonly value: number;
  readonly first: number;
  readonly strides: readonly number[];
}

/** to[i…] ← from[i…], for every index of a shape; null when that takes more axes than a step has. */
export function copyStep(
  { label, sources }: Described,
  values: readonly Value[],
  shape: readonly number[],
  from: Side,
  to: Side,
): KernelStep | null {
  const loops = joinAxes(shape, [from.strides, to.strides]);
  if (loops.shape.length > MOST_AXES) return null;
  const dtype = storageOf(values[from.value].type);
  return {
    kind: 'copy',
    label,
    algorithm: 'strided copy',
    sources,
    reads: [from.value],
    writes: [to.value],
    multiplications: 0,
    encode(words) {
      words.dtype(dtype).push(loops.shape.length, ...loops.shape);
      [from, to].forEach(({ value, first }, side) => {
        words
          .push(sizeOf(values[value].shape))
          .operand(value)
          .push(first, ...loops.strides[side]);
      });
    },
  };
}

/** The whole of a value, in order. */
function whole(values: readonly Value[], value: number): Side {
  return { value, first: 0, strides: stridesOf(values[value].shape) };
}

/** Whether the steps were made. */
export function lowerTranspose(node: NodeOf<'Transpose'>, to: Lowering): boolean {
  const { values } = to;
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const { perm } = node.attributes;
  const moved = perm.filter((axis) => values[x].shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1])) {
    to.alias(y, x, 0);
    return true;
  }
  const own = stridesOf(values[x].shape);
  const from = { value: x, first: 0, strides: perm.map((axis) => own[axis]) };
  return pushCopy(node, to, values[y].shape, from, whole(values, y));
}

function pushCopy(
  node: { readonly op: string; readonly sources: readonly string[] },
  to: Lowering,
  shape: readonly number[],
  from: Side,
  into: Side,
): boolean {
  const step = copyStep({ label: node.op, sources: node.sources }, to.values, shape, from, into);
  if (step === null) return false;
  to.push(step);
  return true;
}

export function lowerSlice(node: NodeOf<'Slice'>, to: Lowering): boolean {
  const { values } = to;
  const [x, y] = [values[inputOf(node, 0)], values[outputOf(node)]];
  const { starts, steps } = node.attributes;
  const own = stridesOf(x.shape);
  const first = starts.reduce((sum, start, axis) => sum + start * own[axis], 0);
  // One stretch of memory is read where it lies: in front of the last axis that is cut, nothing is gone over.
  const cut = x.shape.findLastIndex((size, axis) => size !== y.shape[axis]);
  const isStretch =
    steps.every((step, axis) => step === 1 || y.shape[axis] <= 1) &&
    (cut < 0 || y.shape.slice(0, cut).every((size) => size === 1));
  if (isStretch && sizeOf(y.shape) > 0) {
    to.alias(y.id, x.id, first);
    return true;
  }
  const strides = own.map((stride, axis) => stride * steps[axis]);
  return pushCopy(node, to, y.shape, { value: x.id, first, strides }, whole(values, y.id));
}

export function lowerExpand(node: NodeOf<'Expand'>, to: Lowering): boolean {
  const { values } = to;
  const [x, y] = [values[inputOf(node, 0)], values[outputOf(node)]];
  const lead = y.shape.length - x.shape.length;
  const own = stridesOf(x.shape);
  const strides = y.shape.map((_, axis) =>
    axis < lead || x.shape[axis - lead] === 1 ? 0 : own[axis - lead],
  );
  return pushCopy(node, to, y.shape, { value: x.id, first: 0, strides }, whole(values, y.id));
}

export function lowerTile(node: NodeOf<'Tile'>, to: Lowering): boolean {
  const { values } = to;
  const [x, y] = [values[inputOf(node, 0)], values[outputOf(node)]];
  const own = stridesOf(x.shape);
  // Each axis twice: over its copies, and within one.
  const shape = x.shape.flatMap((size, axis) => [node.attributes.repeats[axis], size]);
  const from = { value: x.id, first: 0, strides: own.flatMap((stride) => [0, stride]) };
  const whole2 = { value: y.id, first: 0, strides: stridesOf(shape) };
  return pushCopy(node, to, shape, from, whole2);
}

/** Parts lie in the whole where nothing else stands between their elements; others are copied there. */
export function lowerConcat(
  node: NodeOf<'Concat'>,
  to: Lowering,
  canLieWithin: (value: number) => boolean,
): boolean {
  const { values } = to;
  const y = values[outputOf(node)];
  const { axis } = node.attributes;
  const own = stridesOf(y.shape);
  const isStretch = y.shape.slice(0, axis).every((size) => size === 1);
  let at = 0;
  const seen = new Set<number>();
  for (const id of node.inputs) {
    if (id === null) continue;
    const part = values[id];
    const first = at * own[axis];
    at += part.shape[axis];
    if (sizeOf(part.shape) === 0) continue;
    if (isStretch && !seen.has(id) && canLieWithin(id)) {
      to.alias(id, y.id, first);
      seen.add(id);
      continue;
    }
    const from = whole(values, id);
    if (!pushCopy(node, to, part.shape, from, { value: y.id, first, strides: own })) return false;
  }
  return true;
}

/** Parts of whole blocks, one behind the other. */
export function lowerBlockedConcat(
  node: NodeOf<'Concat'>,
  parts: readonly number[],
  y: Value,
  to: Lowering,
  canLieWithin: (value: number) => boolean,
): void {
  const { values } = to;
  const [batch] = y.shape;
  const seen = new Set<number>();
  let first = 0;
  for (const part of parts) {
    const size = sizeOf(values[part].shape) / batch;
    if (batch === 1 && !seen.has(part) && canLieWithin(part)) {
      to.alias(part, y.id, first);
      seen.add(part);
    } else {
      const from = { value: part, first: 0, strides: [size, 1] };
      pushCopy(node, to, [batch, size], from, { value: y.id, first, strides: [sizeOf(y.shape) / batch, 1] });
    }
    first += size;
  }
}

/** Channels of one image in blocks, with zeros behind them: there are zeros already where a block is not full. */
export function lowerZeroPadding(
  node: NodeOf<'Concat'>,
  part: number,
  y: Value,
  to: Lowering,
  storedSize: (value: number) => number,
  canLieWithin: (value: number) => boolean,
): void {
  const size = storedSize(part);
  if (canLieWithin(part)) to.alias(part, y.id, 0);
  else to.push(blockCopy(node, part, y.id, size, storedSize(y.id)));
  const rest = storedSize(y.id) - size;
  if (rest === 0) return;
  const zeros = to.temporary(`${y.name}'s last channels`, y.type, [rest]);
  to.alias(zeros, y.id, size);
  to.push({
    kind: 'fill',
    label: `${node.op} (the zeros)`,
    algorithm: 'fill',
    sources: node.sources,
    reads: [],
    writes: [zeros],
    multiplications: 0,
    encode: (words) => words.push(rest, 0).operand(zeros),
  });
}

/** The first elements of a value, as they lie in memory. */
function blockCopy(
  node: NodeOf<'Concat'>,
  from: number,
  into: number,
  size: number,
  whole: number,
): KernelStep {
  return {
    kind: 'copy',
    label: node.op,
    algorithm: 'strided copy',
    sources: node.sources,
    reads: [from],
    writes: [into],
    multiplications: 0,
    encode: (words) =>
      words
        .dtype('float32')
        .push(1, size)
        .push(size)
        .operand(from)
        .push(0, 1)
        .push(whole)
        .operand(into)
        .push(0, 1),
  };
}

export function lowerPad(node: NodeOf<'Pad'>, to: Lowering): boolean {
  const { values } = to;
  const [x, y] = [values[inputOf(node, 0)], values[outputOf(node)]];
  const { mode, before, after, value } = node.attributes;
  if (x.type !== 'float32' || [...before, ...after].some((n) => n < 0) || sizeOf(x.shape) === 0) return false;
  if (mode !== 'constant') return padByIndices(node, x, y, to);
  to.push({
    kind: 'fill',
    label: `${node.op} (the border)`,
    algorithm: 'fill',
    sources: node.sources,
    reads: [],
    writes: [y.id],
    multiplications: 0,
    encode: (words) => words.push(sizeOf(y.shape), value).operand(y.id),
  });
  const own = stridesOf(y.shape);
  const first = before.reduce((sum, n, axis) => sum + n * own[axis], 0);
  return pushCopy(node, to, x.shape, whole(values, x.id), { value: y.id, first, strides: own });
}

function padByIndices(node: NodeOf<'Pad'>, x: Value, y: Value, to: Lowering): boolean {
  const { mode, before, after } = node.attributes;
  const axes = x.shape.map((_, axis) => axis).filter((axis) => before[axis] + after[axis] > 0);
  let from = x.id;
  const shape = [...x.shape];
  axes.forEach((axis, i) => {
    const size = x.shape[axis];
    const indices = Int32Array.from({ length: before[axis] + size + after[axis] }, (_, k) =>
      paddedIndex(mode, k - before[axis], size),
    );
    const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
    shape[axis] = indices.length;
    const result = i === axes.length - 1 ? y.id : to.temporary(`${y.name} axis ${axis}`, x.type, [...shape]);
    to.push(gatherStep(node, to.values, { from, into: result, outer, in: size, inner, indices }));
    from = result;
  });
  if (axes.length === 0) to.alias(y.id, x.id, 0);
  return true;
}

function paddedIndex(mode: Attributes['Pad']['mode'], at: number, size: number): number {
  if (mode === 'edge' || size === 1) return Math.min(Math.max(at, 0), size - 1);
  if (mode === 'wrap') return ((at % size) + size) % size;
  const period = 2 * (size - 1);
  const within = ((at % period) + period) % period;
  return within < size ? within : period - within;
}

interface Gathering {
  readonly from: number;
  readonly into: number;
  readonly outer: number;
  readonly in: number;
  readonly inner: number;
  readonly indices: Int32Array;
}

function gatherStep(
  { label, sources }: { label?: string; sources: readonly string[]; op: string },
  values: readonly Value[],
  g: Gathering,
): KernelStep {
  const dtype = storageOf(values[g.from].type);
  return {
    kind: 'gather',
    label: label ?? 'Gather',
    algorithm: 'slices by constant indices',
    sources,
    reads: [g.from],
    writes: [g.into],
    multiplications: 0,
    encode: (words) =>
      words
        .dtype(dtype)
        .push(g.outer, g.in, g.inner, g.indices.length)
        .constant(g.indices)
        .operand(g.from)
        .operand(g.into),
  };
}

/** By indices that are known. */
export function lowerGather(node: NodeOf<'Gather'>, to: Lowering): boolean {
  const { values } = to;
  const [x, index, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)].map((id) => values[id]);
  const { axis } = node.attributes;
  if (index.constant === null) return false;
  const size = x.shape[axis];
  const indices = Int32Array.from(index.constant, (i) => (i < 0 ? i + size : i));
  if (indices.some((i) => i < 0 || i >= size)) return false;
  const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  if (indices.length === 1 && outer === 1) {
    to.alias(y.id, x.id, indices[0] * inner);
    return true;
  }
  to.push(gatherStep(node, values, { from: x.id, into: y.id, outer, in: size, inner, indices }));
  return true;
}
