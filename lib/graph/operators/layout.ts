/** What moves elements without changing them: shapes, transposes, slices, paddings, repeats. */
import { describe, describeShape } from '../../check.js';
import { ArgumentError, FormatError, ShapeError, UnsupportedError } from '../../errors.js';
import type { Shape } from '../../tensor/tensor.js';
import type { Evaluations, View } from '../evaluate.js';
import type { Attributes, Value } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { broadcastShapes, broadcastStrides, copyStrided, sizeOf, stridesOf } from '../shapes.js';

export const LAYOUT: Readonly<Record<string, OnnxOperator>> = {
  Identity: { attributes: {}, read: (node) => node.result(0, node.input(0)) },
  Dropout: {
    attributes: { ratio: 'float', is_test: 'int', seed: 'int', consumed_inputs: 'ints' },
    read: readDropout,
  },
  Reshape: { attributes: { allowzero: 'int', shape: 'ints', consumed_inputs: 'ints' }, read: readReshape },
  Flatten: { attributes: { axis: 'int' }, read: readFlatten },
  Squeeze: { attributes: { axes: 'ints' }, read: readSqueeze },
  Unsqueeze: { attributes: { axes: 'ints' }, read: readUnsqueeze },
  Transpose: { attributes: { perm: 'ints' }, read: readTranspose },
  Concat: { attributes: { axis: 'int' }, read: readConcat },
  Split: { attributes: { axis: 'int', split: 'ints', num_outputs: 'int' }, read: readSplit },
  Slice: { attributes: { axes: 'ints', starts: 'ints', ends: 'ints' }, read: readSlice },
  Expand: { attributes: {}, read: readExpand },
  Tile: { attributes: {}, read: readTile },
  Pad: {
    attributes: {
      mode: ['constant', 'reflect', 'edge', 'wrap'],
      pads: 'ints',
      paddings: 'ints',
      value: 'float',
    },
    read: readPad,
  },
  DepthToSpace: { attributes: { blocksize: 'int', mode: ['DCR', 'CRD'] }, read: readDepthToSpace },
  SpaceToDepth: { attributes: { blocksize: 'int' }, read: readSpaceToDepth },
};

function readDropout(node: OnnxNode): void {
  const x = node.input(0);
  const training = node.optional(2);
  const ratio = node.optional(1);
  if (
    training !== null &&
    node.knownNumber(training) !== 0 &&
    !(ratio !== null && node.knownNumber(ratio) === 0)
  )
    throw node.refuse(UnsupportedError, 'training_mode false', 'true');
  node.result(0, x);
  if (!node.wants(1)) return;
  // Nothing was dropped; the mask was of the input's type before opset 10.
  const type = node.opset < 10 ? x.type : 'bool';
  node.result(1, node.constant(type, x.shape, node.allocate(type, x.shape).fill(1)));
}

/** The operand `index` of newer opsets, or the attribute of older ones. */
function listOf(node: OnnxNode, index: number, attribute: string, fallback?: readonly number[]): number[] {
  const operand = node.optional(index);
  return operand === null ? node.ints(attribute, fallback) : node.known(operand);
}

function readReshape(node: OnnxNode): void {
  const x = node.input(0);
  const told = listOf(node, 1, 'shape');
  const keepsZero = node.int('allowzero', 0) === 1;
  const shape = told.map((size, axis) => (size === 0 && !keepsZero ? (x.shape[axis] ?? -2) : size));
  const open = shape.indexOf(-1);
  if (open >= 0) {
    const rest = shape.reduce((product, size, axis) => (axis === open ? product : product * size), 1);
    shape[open] = rest === 0 ? 0 : sizeOf(x.shape) / rest;
  }
  if (!shape.every((size) => Number.isInteger(size) && size >= 0) || sizeOf(shape) !== sizeOf(x.shape))
    throw node.refuse(ShapeError, `a shape of ${sizeOf(x.shape)} elements`, describe(told));
  node.result(0, node.reshape(x, shape));
}

function readFlatten(node: OnnxNode): void {
  const x = node.input(0);
  const told = node.int('axis', 1);
  const axis = told === x.shape.length ? told : node.axis(told, x.shape.length);
  node.result(0, node.reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]));
}

function readSqueeze(node: OnnxNode): void {
  const x = node.input(0);
  const told = listOf(node, 1, 'axes', []);
  const named = node.optional(1) !== null || node.has('axes');
  const axes = named
    ? node.axes(told, x.shape.length)
    : x.shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  if (axes.some((axis) => x.shape[axis] !== 1))
    throw node.refuse(ShapeError, `size 1 on axes ${describe(axes)}`, describeShape(x.shape));
  node.result(
    0,
    node.reshape(
      x,
      x.shape.filter((_, axis) => !axes.includes(axis)),
    ),
  );
}

function readUnsqueeze(node: OnnxNode): void {
  const x = node.input(0);
  const told = listOf(node, 1, 'axes');
  const rank = x.shape.length + told.length;
  const axes = node.axes(told, rank);
  const rest = [...x.shape];
  const shape = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1)));
  node.result(0, node.reshape(x, shape));
}

function readTranspose(node: OnnxNode): void {
  const x = node.input(0);
  const rank = x.shape.length;
  const perm = node.ints(
    'perm',
    x.shape.map((_, axis) => rank - 1 - axis),
  );
  if (perm.length !== rank || new Set(node.axes(perm, rank)).size !== rank)
    throw node.refuse(ShapeError, `a permutation of ${rank} axes`, describe(perm));
  node.result(0, transpose(node, x, node.axes(perm, rank)));
}

function transpose(node: OnnxNode, x: Value, perm: readonly number[]): Value {
  const shape = perm.map((axis) => x.shape[axis]);
  // Where only axes of size 1 move, the elements stay.
  const moved = perm.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1])) return node.reshape(x, shape);
  return node.apply('Transpose', { perm }, [x], x.type, shape);
}

function readConcat(node: OnnxNode): void {
  const operands = node.inputs();
  const [first] = operands;
  node.checkRank(first, 1, Infinity);
  const axis = node.axis(node.int('axis', node.opset < 4 ? 1 : undefined), first.shape.length);
  let total = 0;
  for (const operand of operands) {
    const fits =
      operand.type === first.type &&
      operand.shape.length === first.shape.length &&
      operand.shape.every((size, i) => i === axis || size === first.shape[i]);
    if (!fits)
      throw node.refuse(
        ShapeError,
        `${first.type} of ${describeShape(first.shape)} but for axis ${axis}`,
        `${operand.type} of ${describeShape(operand.shape)}`,
      );
    total += operand.shape[axis];
  }
  const shape = first.shape.map((size, i) => (i === axis ? total : size));
  if (operands.length === 1) node.result(0, first);
  else node.become('Concat', { axis }, operands, first.type, shape);
}

function readSplit(node: OnnxNode): void {
  const x = node.input(0);
  const axis = node.axis(node.int('axis', 0), x.shape.length);
  const size = x.shape[axis];
  const parts = node.int('num_outputs', node.outputCount);
  if (!(parts >= 1)) throw node.refuse(FormatError, 'at least one output', `${parts}`);
  const told = listOf(node, 1, 'split', []);
  // Shares are equal, but for the last of num_outputs.
  const share = Math.ceil(size / parts);
  const sizes =
    told.length > 0
      ? told
      : Array.from({ length: parts }, (_, i) => Math.min(share, Math.max(size - i * share, 0)));
  const sum = sizes.reduce((total, part) => total + part, 0);
  if (sum !== size || sizes.length !== node.outputCount || sizes.some((part) => part < 0))
    throw node.refuse(ShapeError, `${node.outputCount} sizes that make ${size}`, describe(sizes));
  let start = 0;
  sizes.forEach((part, i) => {
    if (node.wants(i)) {
      const starts = x.shape.map((_, other) => (other === axis ? start : 0));
      const shape = x.shape.map((extent, other) => (other === axis ? part : extent));
      node.result(
        i,
        slice(
          node,
          x,
          starts,
          x.shape.map(() => 1),
          shape,
        ),
      );
    }
    start += part;
  });
}

function slice(
  node: OnnxNode,
  x: Value,
  starts: readonly number[],
  steps: readonly number[],
  shape: Shape,
): Value {
  const whole = steps.every((step) => step === 1) && shape.every((size, axis) => size === x.shape[axis]);
  return whole ? x : node.apply('Slice', { starts, steps }, [x], x.type, shape);
}

function readSlice(node: OnnxNode): void {
  const x = node.input(0);
  const rank = x.shape.length;
  const from = listOf(node, 1, 'starts');
  const to = listOf(node, 2, 'ends');
  const axes = node.axes(
    listOf(
      node,
      3,
      'axes',
      from.map((_, i) => i),
    ),
    rank,
  );
  const stepOperand = node.optional(4);
  const by = stepOperand === null ? from.map(() => 1) : node.known(stepOperand);
  if (to.length !== from.length || axes.length !== from.length || by.length !== from.length)
    throw node.refuse(ShapeError, `${from.length} ends, axes and steps`, describe([to, axes, by]));
  const starts = x.shape.map(() => 0);
  const steps = x.shape.map(() => 1);
  const shape = [...x.shape];
  axes.forEach((axis, i) => {
    const size = x.shape[axis];
    const step = by[i];
    if (step === 0) throw node.refuse(ArgumentError, 'steps other than 0', describe(by));
    const wrap = (place: number) => (place < 0 ? place + size : place);
    const clamp = (place: number, low: number, high: number) => Math.min(Math.max(place, low), high);
    // Backwards, the place before the first element is −1.
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const start = clamp(wrap(from[i]), step > 0 ? 0 : Math.min(0, high), high);
    const end = clamp(wrap(to[i]), low, high);
    shape[axis] = size === 0 ? 0 : Math.max(0, Math.ceil((end - start) / step));
    starts[axis] = start;
    steps[axis] = step;
  });
  node.result(0, slice(node, x, starts, steps, shape));
}

function readExpand(node: OnnxNode): void {
  const x = node.input(0);
  const told = node.known(node.input(1));
  const shape = broadcastShapes([x.shape, told]);
  if (shape === null)
    throw node.refuse(ShapeError, `a shape that ${describeShape(x.shape)} broadcasts with`, describe(told));
  if (sizeOf(shape) === sizeOf(x.shape)) node.result(0, node.reshape(x, shape));
  else node.become('Expand', {}, [x], x.type, shape);
}

function readTile(node: OnnxNode): void {
  const x = node.input(0);
  const repeats = node.known(node.input(1));
  if (repeats.length !== x.shape.length || !repeats.every((count) => count >= 0))
    throw node.refuse(ShapeError, `${x.shape.length} counts ≥ 0`, describe(repeats));
  const shape = x.shape.map((size, axis) => size * repeats[axis]);
  if (repeats.every((count) => count === 1)) node.result(0, x);
  else node.become('Tile', { repeats }, [x], x.type, shape);
}

const PAD_MODES = ['constant', 'reflect', 'edge', 'wrap'] as const;

function readPad(node: OnnxNode): void {
  const x = node.input(0);
  const rank = x.shape.length;
  const told =
    node.opset < 11 ? node.ints(node.has('paddings') ? 'paddings' : 'pads') : node.known(node.input(1));
  const axesOperand = node.optional(3);
  const axes =
    axesOperand === null ? x.shape.map((_, axis) => axis) : node.axes(node.known(axesOperand), rank);
  if (told.length !== 2 * axes.length)
    throw node.refuse(ShapeError, `${2 * axes.length} pads`, describe(told));
  const before = x.shape.map(() => 0);
  const after = x.shape.map(() => 0);
  axes.forEach((axis, i) => {
    before[axis] = told[i];
    after[axis] = told[axes.length + i];
  });
  const word = node.string('mode', 'constant');
  const mode = PAD_MODES.find((known) => known === word) ?? 'constant';
  const operand = node.opset < 11 ? null : node.optional(2);
  const value = operand === null ? node.float('value', 0) : node.knownNumber(operand);
  const shape = x.shape.map((size, axis) => size + before[axis] + after[axis]);
  // Reflection needs an element besides the edge, and repetition an element.
  const least = { constant: 0, reflect: 2, edge: 1, wrap: 1 }[mode];
  x.shape.forEach((size, axis) => {
    if (shape[axis] < 0 || (Math.max(before[axis], after[axis]) > 0 && size < least))
      throw node.refuse(
        ShapeError,
        `pads that ${mode} padding of ${describeShape(x.shape)} has`,
        describe(told),
      );
  });
  if ([...before, ...after].every((count) => count === 0)) node.result(0, x);
  else node.become('Pad', { mode, before, after, value }, [x], x.type, shape);
}

function readDepthToSpace(node: OnnxNode): void {
  const x = node.input(0);
  node.checkRank(x, 4);
  const block = node.int('blocksize');
  const [n, c, h, w] = x.shape;
  const depth = c / (block * block);
  if (!Number.isInteger(depth) || !(block >= 1))
    throw node.refuse(ShapeError, `channels that make blocks of ${block} × ${block}`, describeShape(x.shape));
  const columnsFirst = node.string('mode', 'DCR') === 'DCR';
  const split = columnsFirst ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w];
  const perm = columnsFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  const moved = transpose(node, node.reshape(x, split), perm);
  node.result(0, node.reshape(moved, [n, depth, h * block, w * block]));
}

function readSpaceToDepth(node: OnnxNode): void {
  const x = node.input(0);
  node.checkRank(x, 4);
  const block = node.int('blocksize');
  const [n, c, h, w] = x.shape;
  if (!(block >= 1) || h % block !== 0 || w % block !== 0)
    throw node.refuse(ShapeError, `sizes that make blocks of ${block} × ${block}`, describeShape(x.shape));
  const split = node.reshape(x, [n, c, h / block, block, w / block, block]);
  const moved = transpose(node, split, [0, 3, 5, 1, 2, 4]);
  node.result(0, node.reshape(moved, [n, c * block * block, h / block, w / block]));
}

// ───────────────────────────── evaluation ─────────────────────────────

export const EVALUATE_LAYOUT: Evaluations<
  'Reshape' | 'Transpose' | 'Concat' | 'Slice' | 'Expand' | 'Tile' | 'Pad'
> = {
  Reshape: ({ inputs: [x], outputs: [y] }) => {
    if (x !== null && y !== null && x.data !== y.data) y.data.set(x.data);
  },
  Transpose: ({ attributes: { perm }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const own = stridesOf(x.shape);
    fill(
      y,
      x,
      0,
      perm.map((axis) => own[axis]),
    );
  },
  Concat: ({ attributes: { axis }, inputs, outputs: [y] }) => {
    if (y === null) return;
    const strides = stridesOf(y.shape);
    let start = 0;
    for (const x of inputs) {
      if (x === null) continue;
      const from = { data: x.data, offset: 0, strides: stridesOf(x.shape) };
      copyStrided(x.shape, from, { data: y.data, offset: start * strides[axis], strides });
      start += x.shape[axis];
    }
  },
  Slice: ({ attributes: { starts, steps }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const own = stridesOf(x.shape);
    const offset = starts.reduce((sum, start, axis) => sum + start * own[axis], 0);
    fill(
      y,
      x,
      offset,
      own.map((stride, axis) => stride * steps[axis]),
    );
  },
  Expand: ({ inputs: [x], outputs: [y] }) => {
    if (x !== null && y !== null) fill(y, x, 0, broadcastStrides(x.shape, y.shape));
  },
  Tile: ({ attributes: { repeats }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    // Each axis as two: copies, and the elements of one.
    const own = stridesOf(x.shape);
    const full = stridesOf(y.shape);
    const shape = x.shape.flatMap((size, axis) => [repeats[axis], size]);
    const from = { data: x.data, offset: 0, strides: own.flatMap((stride) => [0, stride]) };
    const strides = full.flatMap((stride, axis) => [stride * x.shape[axis], stride]);
    copyStrided(shape, from, { data: y.data, offset: 0, strides });
  },
  Pad: ({ attributes, inputs: [x], outputs: [y] }) => {
    if (x !== null && y !== null) pad(attributes, x, y);
  },
};

function fill(y: View, x: View, offset: number, strides: readonly number[]): void {
  copyStrided(
    y.shape,
    { data: x.data, offset, strides },
    { data: y.data, offset: 0, strides: stridesOf(y.shape) },
  );
}

/** The part that is in the input as it stands, then whatever is around it, one axis after the other. */
function pad({ mode, before, after, value }: Attributes['Pad'], x: View, y: View): void {
  if (mode === 'constant') y.data.fill(value);
  const [own, full] = [stridesOf(x.shape), stridesOf(y.shape)];
  const kept = x.shape.map((size, axis) => size + Math.min(before[axis], 0) + Math.min(after[axis], 0));
  const offsets = (sign: number, strides: readonly number[]) =>
    before.reduce((sum, count, axis) => sum + Math.max(sign * count, 0) * strides[axis], 0);
  const from = { data: x.data, offset: offsets(-1, own), strides: own };
  copyStrided(kept, from, { data: y.data, offset: offsets(1, full), strides: full });
  if (mode === 'constant') return;
  // An axis that is filled spans what the axes before it have been filled to already.
  const span = kept.map((size) => size);
  const place = before.map((count) => Math.max(count, 0));
  for (let axis = 0; axis < span.length; axis++) {
    const [size, start] = [kept[axis], Math.max(before[axis], 0)];
    for (let i = 0; i < y.shape[axis]; i++) {
      if (i >= start && i < start + size) continue;
      const source = start + wrapped(i - start, size, mode);
      const shape = span.map((extent, other) => (other === axis ? 1 : extent));
      const at = (index: number) =>
        place.reduce((sum, first, other) => sum + (other === axis ? index : first) * full[other], 0);
      const copied = { data: y.data, offset: at(source), strides: full };
      copyStrided(shape, copied, { data: y.data, offset: at(i), strides: full });
    }
    span[axis] = y.shape[axis];
    place[axis] = 0;
  }
}

/** The element of a line of `size` that stands at a place outside of it. */
export function wrapped(place: number, size: number, mode: 'reflect' | 'edge' | 'wrap'): number {
  if (mode === 'edge') return Math.min(Math.max(place, 0), size - 1);
  if (mode === 'wrap') return ((place % size) + size) % size;
  const period = 2 * (size - 1);
  const folded = ((place % period) + period) % period;
  return folded < size ? folded : period - folded;
}
