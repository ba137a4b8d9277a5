/** Operators that read or write where integers say. */
import { describe, describeShape } from '../../check.js';
import { ArgumentError, ShapeError } from '../../errors.js';
import type { Shape } from '../../tensor/tensor.js';
import type { Evaluations, View } from '../evaluate.js';
import type { Attributes, Elements, ElementType } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { sizeOf, stridesOf } from '../shapes.js';

const INTEGERS: readonly ElementType[] = ['int32', 'int64'];

export const INDEXING: Readonly<Record<string, OnnxOperator>> = {
  Gather: { attributes: { axis: 'int' }, read: readGather },
  GatherElements: { attributes: { axis: 'int' }, read: readGatherElements },
  GatherND: { attributes: { batch_dims: 'int' }, read: readGatherND },
  ScatterND: { attributes: { reduction: ['none', 'add', 'mul', 'min', 'max'] }, read: readScatterND },
  OneHot: { attributes: { axis: 'int' }, read: readOneHot },
  NonMaxSuppression: { attributes: { center_point_box: 'int' }, read: readNonMaxSuppression },
};

function readGather(node: OnnxNode): void {
  const [x, indices] = [node.input(0), node.input(1)];
  node.checkType(indices, INTEGERS);
  const axis = node.axis(node.int('axis', 0), x.shape.length);
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  node.become('Gather', { axis }, [x, indices], x.type, shape);
}

function readGatherElements(node: OnnxNode): void {
  const [x, indices] = [node.input(0), node.input(1)];
  node.checkType(indices, INTEGERS);
  const axis = node.axis(node.int('axis', 0), x.shape.length);
  node.checkRank(indices, x.shape.length);
  indices.shape.forEach((size, other) => {
    if (other !== axis && size > x.shape[other])
      throw node.refuse(ShapeError, `indices within ${describeShape(x.shape)}`, describeShape(indices.shape));
  });
  node.become('GatherElements', { axis }, [x, indices], x.type, indices.shape);
}

function readGatherND(node: OnnxNode): void {
  const [x, indices] = [node.input(0), node.input(1)];
  node.checkType(indices, ['int64', 'int32']);
  node.checkRank(indices, 1, Infinity);
  const batchDims = node.int('batch_dims', 0);
  const depth = indices.shape[indices.shape.length - 1];
  const fits =
    batchDims >= 0 &&
    batchDims < indices.shape.length &&
    batchDims + depth <= x.shape.length &&
    indices.shape.slice(0, batchDims).every((size, axis) => size === x.shape[axis]);
  if (!fits)
    throw node.refuse(
      ShapeError,
      `indices of at most ${x.shape.length - batchDims} axes each`,
      describeShape(indices.shape),
    );
  const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(batchDims + depth)];
  node.become('GatherND', { batchDims }, [x, indices], x.type, shape);
}

const REDUCTIONS = ['none', 'add', 'mul', 'min', 'max'] as const;

function readScatterND(node: OnnxNode): void {
  const [x, indices, updates] = [node.input(0), node.input(1), node.input(2)];
  node.checkType(indices, ['int64', 'int32']);
  node.checkRank(indices, 1, Infinity);
  const depth = indices.shape[indices.shape.length - 1];
  const expected = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
  if (depth > x.shape.length || describe(expected) !== describe([...updates.shape]))
    throw node.refuse(ShapeError, `updates of ${describeShape(expected)}`, describeShape(updates.shape));
  const word = node.string('reduction', 'none');
  const reduction = REDUCTIONS.find((known) => known === word) ?? 'none';
  node.become('ScatterND', { reduction }, [x, indices, updates], x.type, x.shape);
}

function readOneHot(node: OnnxNode): void {
  const [indices, values] = [node.input(0), node.input(2)];
  const depth = Math.trunc(node.knownNumber(node.input(1)));
  if (!(depth >= 1)) throw node.refuse(ArgumentError, 'a depth ≥ 1', `${depth}`);
  if (sizeOf(values.shape) !== 2)
    throw node.refuse(ShapeError, 'two values, off and on', describeShape(values.shape));
  const axis = node.axis(node.int('axis', -1), indices.shape.length + 1);
  const shape = [...indices.shape.slice(0, axis), depth, ...indices.shape.slice(axis)];
  node.become('OneHot', { axis, depth }, [indices, values], values.type, shape);
}

function readNonMaxSuppression(node: OnnxNode): void {
  const [boxes, scores] = [node.input(0), node.input(1)];
  node.checkType(boxes, ['float32']);
  node.checkRank(boxes, 3);
  node.checkRank(scores, 3);
  if (boxes.shape[2] !== 4 || boxes.shape[0] !== scores.shape[0] || boxes.shape[1] !== scores.shape[2])
    throw node.refuse(
      ShapeError,
      'boxes [batch, count, 4] and scores [batch, classes, count]',
      `${describeShape(boxes.shape)} and ${describeShape(scores.shape)}`,
    );
  const number = (index: number, fallback: number): number => {
    const operand = node.optional(index);
    return operand === null ? fallback : node.knownNumber(operand);
  };
  const limits = {
    centerPoint: node.int('center_point_box', 0) === 1,
    maxOutput: number(2, 0),
    iouThreshold: number(3, 0),
    scoreThreshold: number(4, -Infinity),
  };
  node.becomeWhat(
    ([b, s]) => {
      const data = suppressNonMax(limits, b, s);
      return { type: 'int64', shape: [data.length / 3, 3], data };
    },
    [boxes, scores],
  );
}

// ───────────────────────────── evaluation ─────────────────────────────

/** A place along an axis of `size`, where negative ones count from the end. */
function placeOf(index: number, size: number, op: string): number {
  const place = index < 0 ? index + size : index;
  if (!(place >= 0 && place < size))
    throw new ArgumentError(`${op}: expected indices from ${-size} to ${size - 1}, got ${index}`);
  return place;
}

export const EVALUATE_INDEXING: Evaluations<
  'Gather' | 'GatherElements' | 'GatherND' | 'ScatterND' | 'OneHot'
> = {
  Gather: ({ attributes: { axis }, inputs: [x, indices], outputs: [y] }) => {
    if (x === null || indices === null || y === null) return;
    const size = x.shape[axis];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const outer = sizeOf(x.shape.slice(0, axis));
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const index of indices.data) {
        const from = (o * size + placeOf(index, size, 'Gather')) * inner;
        y.data.set(x.data.subarray(from, from + inner), at);
        at += inner;
      }
    }
  },
  GatherElements: ({ attributes: { axis }, inputs: [x, indices], outputs: [y] }) => {
    if (x === null || indices === null || y === null) return;
    const [own, shape] = [stridesOf(x.shape), indices.shape];
    const steps = stridesOf(shape);
    for (let i = 0; i < y.data.length; i++) {
      let from = placeOf(indices.data[i], x.shape[axis], 'GatherElements') * own[axis];
      for (let other = 0; other < shape.length; other++)
        if (other !== axis) from += (Math.floor(i / steps[other]) % shape[other]) * own[other];
      y.data[i] = x.data[from];
    }
  },
  GatherND: ({ attributes: { batchDims }, inputs: [x, indices], outputs: [y] }) => {
    if (x === null || indices === null || y === null) return;
    const depth = indices.shape[indices.shape.length - 1];
    const inner = sizeOf(x.shape.slice(batchDims + depth));
    const rest = x.shape.slice(batchDims);
    const perBatch = sizeOf(indices.shape.slice(batchDims, -1));
    const count = sizeOf(indices.shape.slice(0, -1));
    for (let i = 0; i < count; i++) {
      const batch = Math.floor(i / perBatch) * sizeOf(rest);
      const from = batch + placeAt(indices.data, i * depth, depth, rest, 'GatherND');
      y.data.set(x.data.subarray(from, from + inner), i * inner);
    }
  },
  ScatterND: ({ attributes: { reduction }, inputs: [x, indices, updates], outputs: [y] }) => {
    if (x === null || indices === null || updates === null || y === null) return;
    y.data.set(x.data);
    const depth = indices.shape[indices.shape.length - 1];
    const inner = sizeOf(x.shape.slice(depth));
    const count = sizeOf(indices.shape.slice(0, -1));
    const combine = COMBINE[reduction];
    for (let i = 0; i < count; i++) {
      const at = placeAt(indices.data, i * depth, depth, x.shape, 'ScatterND');
      for (let j = 0; j < inner; j++) y.data[at + j] = combine(y.data[at + j], updates.data[i * inner + j]);
    }
  },
  OneHot: ({ attributes: { axis, depth }, inputs: [indices, values], outputs: [y] }) => {
    if (indices === null || values === null || y === null) return;
    const [off, on] = values.data;
    const inner = sizeOf(indices.shape.slice(axis));
    y.data.fill(off);
    for (let i = 0; i < indices.data.length; i++) {
      const index = Math.trunc(indices.data[i]);
      const place = index < 0 ? index + depth : index;
      // What lies outside is off everywhere.
      if (place < 0 || place >= depth) continue;
      y.data[(Math.floor(i / inner) * depth + place) * inner + (i % inner)] = on;
    }
  },
};

const COMBINE: Readonly<Record<Attributes['ScatterND']['reduction'], (old: number, by: number) => number>> = {
  none: (_, by) => by,
  add: (old, by) => old + by,
  mul: (old, by) => old * by,
  min: Math.min,
  max: Math.max,
};

/** The element at the index that stands in `depth` numbers from `at` on. */
function placeAt(data: Elements, at: number, depth: number, shape: Shape, op: string): number {
  const strides = stridesOf(shape);
  let place = 0;
  for (let axis = 0; axis < depth; axis++) place += placeOf(data[at + axis], shape[axis], op) * strides[axis];
  return place;
}

// ───────────────────────────── NonMaxSuppression ─────────────────────────────

interface NonMaxLimits {
  /** Boxes are [x, y, width, height] of their centre, and not two corners [y, x, y, x]. */
  readonly centerPoint: boolean;
  /** For each class of each batch. */
  readonly maxOutput: number;
  readonly iouThreshold: number;
  readonly scoreThreshold: number;
}

/**
 * Boxes that no better box of their class covers, as [batch, class, box], by falling score in each class: a box counts
 * as covered when their intersection is more than iouThreshold of their union.
 */
function suppressNonMax(
  { centerPoint, maxOutput, iouThreshold, scoreThreshold }: NonMaxLimits,
  boxes: View,
  scores: View,
): Float64Array {
  const [batches, classes, count] = scores.shape;
  const selected: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const corners = Array.from({ length: count }, (_, i) =>
      cornersOf(boxes.data, 4 * (batch * count + i), centerPoint),
    );
    for (let cls = 0; cls < classes; cls++) {
      const own = scores.data.subarray((batch * classes + cls) * count, (batch * classes + cls + 1) * count);
      const order = Array.from({ length: count }, (_, i) => i)
        .filter((i) => own[i] > scoreThreshold)
        .sort((i, j) => own[j] - own[i] || i - j);
      const kept: number[] = [];
      for (const candidate of order) {
        if (kept.length >= maxOutput) break;
        if (kept.every((better) => overlap(corners[candidate], corners[better]) <= iouThreshold)) {
          kept.push(candidate);
          selected.push(batch, cls, candidate);
        }
      }
    }
  }
  return Float64Array.from(selected);
}

interface Corners {
  readonly y0: number;
  readonly x0: number;
  readonly y1: number;
  readonly x1: number;
}

function cornersOf(data: Elements, at: number, centerPoint: boolean): Corners {
  const [a, b, c, d] = [data[at], data[at + 1], data[at + 2], data[at + 3]];
  if (centerPoint) return { x0: a - c / 2, y0: b - d / 2, x1: a + c / 2, y1: b + d / 2 };
  // Either diagonal may be given.
  return { y0: Math.min(a, c), x0: Math.min(b, d), y1: Math.max(a, c), x1: Math.max(b, d) };
}

/** Intersection over union. */
function overlap(a: Corners, b: Corners): number {
  const height = Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0);
  const width = Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0);
  if (!(height > 0 && width > 0)) return 0;
  const area = (box: Corners) => (box.y1 - box.y0) * (box.x1 - box.x0);
  const shared = height * width;
  return shared / (area(a) + area(b) - shared);
}
