/** Reductions over axes, and what runs along one axis: Softmax, ArgMax, TopK, CumSum. */
import { describeShape } from '../../check.js';
import { ShapeError } from '../../errors.js';
import type { Shape } from '../../tensor/tensor.js';
import { FLOATS, isFloat, NUMBERS } from '../elements.js';
import type { Evaluations, View } from '../evaluate.js';
import type { Elements, ElementType, ReduceFunction, Value } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { sizeOf, stridesOf } from '../shapes.js';

function reduce(fn: ReduceFunction, types: readonly ElementType[] = NUMBERS): OnnxOperator {
  return {
    attributes: { axes: 'ints', keepdims: 'int', noop_with_empty_axes: 'int' },
    read: (node) => {
      const x = node.input(0);
      node.checkType(x, types);
      const rank = x.shape.length;
      const operand = node.optional(1);
      const told = operand === null ? node.ints('axes', []) : node.known(operand);
      const all = told.length === 0 && node.int('noop_with_empty_axes', 0) === 0;
      const axes = all ? x.shape.map((_, axis) => axis) : node.axes(told, rank).sort((a, b) => a - b);
      const keepDims = node.int('keepdims', 1) !== 0;
      const shape = reducedShape(x.shape, axes, keepDims);
      node.become('Reduce', { fn, axes, keepDims }, [x], x.type, shape);
    },
  };
}

export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return shape.flatMap((size, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [size]));
}

const ARG_ATTRIBUTES = { axis: 'int', keepdims: 'int', select_last_index: 'int' } as const;

export const REDUCTIONS: Readonly<Record<string, OnnxOperator>> = {
  ReduceL1: reduce('L1'),
  ReduceL2: reduce('L2'),
  ReduceLogSum: reduce('LogSum'),
  ReduceLogSumExp: reduce('LogSumExp'),
  ReduceMax: reduce('Max', [...NUMBERS, 'bool']),
  ReduceMean: reduce('Mean'),
  ReduceMin: reduce('Min', [...NUMBERS, 'bool']),
  ReduceProd: reduce('Prod'),
  ReduceSum: reduce('Sum'),
  ReduceSumSquare: reduce('SumSquare'),
  ArgMax: { attributes: ARG_ATTRIBUTES, read: (node) => readArg(node, 'Max') },
  ArgMin: { attributes: ARG_ATTRIBUTES, read: (node) => readArg(node, 'Min') },
  Softmax: { attributes: { axis: 'int' }, read: (node) => readSoftmax(node, 'Softmax') },
  LogSoftmax: { attributes: { axis: 'int' }, read: (node) => readSoftmax(node, 'LogSoftmax') },
  Hardmax: { attributes: { axis: 'int' }, read: readHardmax },
  TopK: { attributes: { axis: 'int', k: 'int', largest: 'int', sorted: 'int' }, read: readTopK },
  CumSum: { attributes: { exclusive: 'int', reverse: 'int' }, read: readCumSum },
};

function readArg(node: OnnxNode, fn: 'Max' | 'Min'): void {
  const x = node.input(0);
  node.checkType(x, NUMBERS);
  const axis = node.axis(node.int('axis', 0), x.shape.length);
  if (x.shape[axis] === 0)
    throw node.refuse(ShapeError, `elements along axis ${axis}`, describeShape(x.shape));
  const keepDims = node.int('keepdims', 1) !== 0;
  const last = node.int('select_last_index', 0) === 1;
  const shape = reducedShape(x.shape, [axis], keepDims);
  node.become('ArgReduce', { fn, axis, keepDims, last }, [x], 'int64', shape);
}

/** Before opset 13, all axes from `axis` on are one: the last alone is what it is since. */
function readSoftmax(node: OnnxNode, op: 'Softmax' | 'LogSoftmax'): void {
  const x = node.input(0);
  node.checkType(x, FLOATS);
  const rank = x.shape.length;
  const axis = node.int('axis', node.opset >= 13 ? -1 : 1);
  if (node.opset >= 13 || axis === -1 || axis === rank - 1) {
    node.become(op, { axis: node.axis(axis, rank) }, [x], x.type, x.shape);
    return;
  }
  const flat = flattened(node, x);
  const result = node.apply(op, { axis: 1 }, [flat], x.type, flat.shape);
  node.result(0, node.reshape(result, x.shape));
}

function flattened(node: OnnxNode, x: Value): Value {
  const told = node.int('axis', 1);
  const axis = told === x.shape.length ? told : node.axis(told, x.shape.length);
  const shape = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))];
  return node.reshape(x, shape);
}

function readHardmax(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, FLOATS);
  const flat = node.opset < 13 ? flattened(node, x) : x;
  const axis = node.opset < 13 ? 1 : node.axis(node.int('axis', -1), x.shape.length);
  const kept = reducedShape(flat.shape, [axis], false);
  const arg = { fn: 'Max', axis, keepDims: false, last: false } as const;
  const first = node.apply('ArgReduce', arg, [flat], 'int64', kept);
  const ends = node.constant(
    x.type,
    [2],
    x.type === 'float32' ? Float32Array.of(0, 1) : Float64Array.of(0, 1),
  );
  const hot = node.apply('OneHot', { axis, depth: flat.shape[axis] }, [first, ends], x.type, flat.shape);
  node.result(0, node.reshape(hot, x.shape));
}

function readTopK(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, NUMBERS);
  const axis = node.axis(node.int('axis', -1), x.shape.length);
  const k = node.opset < 10 ? node.int('k') : node.knownNumber(node.input(1));
  if (!(k >= 0 && k <= x.shape[axis])) throw node.refuse(ShapeError, `k from 0 to ${x.shape[axis]}`, `${k}`);
  const shape = x.shape.map((size, i) => (i === axis ? k : size));
  const results = [
    { type: x.type, shape },
    { type: 'int64' as const, shape },
  ];
  const attributes = { axis, k, largest: node.int('largest', 1) !== 0 };
  node.applyMany('TopK', attributes, [x], results).forEach((value, i) => {
    node.result(i, value);
  });
}

function readCumSum(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, NUMBERS);
  const axis = node.axis(node.knownNumber(node.input(1)), x.shape.length);
  const attributes = {
    axis,
    exclusive: node.int('exclusive', 0) === 1,
    reverse: node.int('reverse', 0) === 1,
  };
  node.become('CumSum', attributes, [x], x.type, x.shape);
}

// ───────────────────────────── evaluation ─────────────────────────────

/** Over `count` elements of `data`, at places that the caller steps through. */
type Reduction = (data: Elements, base: number, offsets: Int32Array) => number;

const sum = (map: (x: number) => number, finish = (total: number, _count: number) => total): Reduction => {
  return (data, base, offsets) => {
    let total = 0;
    for (const offset of offsets) total += map(data[base + offset]);
    return finish(total, offsets.length);
  };
};
const extreme = (pick: (a: number, b: number) => number, empty: number): Reduction => {
  return (data, base, offsets) => {
    let best = empty;
    for (const offset of offsets) best = pick(best, data[base + offset]);
    return best;
  };
};

const REDUCE: Readonly<Record<ReduceFunction, Reduction>> = {
  L1: sum(Math.abs),
  L2: sum((x) => x * x, Math.sqrt),
  LogSum: sum((x) => x, Math.log),
  LogSumExp: (data, base, offsets) => {
    const most = REDUCE.Max(data, base, offsets);
    if (!Number.isFinite(most)) return most;
    let total = 0;
    for (const offset of offsets) total += Math.exp(data[base + offset] - most);
    return most + Math.log(total);
  },
  Max: extreme(Math.max, -Infinity),
  Mean: sum(
    (x) => x,
    (total, count) => total / count,
  ),
  Min: extreme(Math.min, Infinity),
  Prod: (data, base, offsets) => {
    let product = 1;
    for (const offset of offsets) product *= data[base + offset];
    return product;
  },
  Sum: sum((x) => x),
  SumSquare: sum((x) => x * x),
};

/** Places of the elements that share every index but those of `axes`, relative to the first. */
export function offsetsAlong(shape: Shape, axes: readonly number[]): Int32Array {
  const along = axes.map((axis) => shape[axis]);
  return places(
    along,
    axes.map((axis) => stridesOf(shape)[axis]),
  );
}

function places(shape: Shape, strides: readonly number[]): Int32Array {
  const list = new Int32Array(sizeOf(shape));
  const own = stridesOf(shape);
  for (let i = 0; i < list.length; i++) {
    let place = 0;
    for (let axis = 0; axis < shape.length; axis++)
      place += (Math.floor(i / own[axis]) % shape[axis]) * strides[axis];
    list[i] = place;
  }
  return list;
}

export const EVALUATE_REDUCTIONS: Evaluations<
  'Reduce' | 'ArgReduce' | 'Softmax' | 'LogSoftmax' | 'TopK' | 'CumSum'
> = {
  Reduce: ({ attributes: { fn, axes }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const rest = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
    const offsets = offsetsAlong(x.shape, axes);
    const bases = offsetsAlong(x.shape, rest);
    const integers = !isFloat(x.type);
    for (let i = 0; i < bases.length; i++) {
      const value = REDUCE[fn](x.data, bases[i], offsets);
      y.data[i] = integers ? Math.trunc(value) : value;
    }
  },
  ArgReduce: ({ attributes: { fn, axis, last }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const sign = fn === 'Max' ? 1 : -1;
    alongAxis(x.shape, axis, (at, step, count, line) => {
      let best = 0;
      for (let i = 1; i < count; i++) {
        const ahead = sign * (x.data[at + i * step] - x.data[at + best * step]);
        if (ahead > 0 || (last && ahead === 0)) best = i;
      }
      y.data[line] = best;
    });
  },
  Softmax: ({ attributes: { axis }, inputs: [x], outputs: [y] }) => {
    if (x !== null && y !== null) softmax(x, y, axis, (value, most, total) => Math.exp(value - most) / total);
  },
  LogSoftmax: ({ attributes: { axis }, inputs: [x], outputs: [y] }) => {
    if (x !== null && y !== null) softmax(x, y, axis, (value, most, total) => value - most - Math.log(total));
  },
  TopK: ({ attributes: { axis, k, largest }, inputs: [x], outputs: [values, indices] }) => {
    if (x === null) return;
    const size = x.shape[axis];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const order = new Int32Array(size);
    alongAxis(x.shape, axis, (at, step, count, line) => {
      for (let i = 0; i < count; i++) order[i] = i;
      // Of equal values the first counts more.
      order.sort((i, j) => {
        const ahead = x.data[at + j * step] - x.data[at + i * step];
        return (largest ? ahead : -ahead) || i - j;
      });
      const into = Math.floor(line / inner) * k * inner + (line % inner);
      for (let i = 0; i < k; i++) {
        if (values != null) values.data[into + i * inner] = x.data[at + order[i] * step];
        if (indices != null) indices.data[into + i * inner] = order[i];
      }
    });
  },
  CumSum: ({ attributes: { axis, exclusive, reverse }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    alongAxis(x.shape, axis, (at, step, count) => {
      let total = 0;
      for (let i = 0; i < count; i++) {
        const place = at + (reverse ? count - 1 - i : i) * step;
        if (exclusive) y.data[place] = total;
        total += x.data[place];
        if (!exclusive) y.data[place] = total;
      }
    });
  },
};

function softmax(
  x: View,
  y: View,
  axis: number,
  finish: (value: number, most: number, total: number) => number,
): void {
  alongAxis(x.shape, axis, (at, step, count) => {
    let most = -Infinity;
    for (let i = 0; i < count; i++) most = Math.max(most, x.data[at + i * step]);
    let total = 0;
    for (let i = 0; i < count; i++) total += Math.exp(x.data[at + i * step] - most);
    for (let i = 0; i < count; i++) y.data[at + i * step] = finish(x.data[at + i * step], most, total);
  });
}

/** Calls `line` for each line along an axis: its first element, its step, its length and its number. */
function alongAxis(
  shape: Shape,
  axis: number,
  line: (at: number, step: number, count: number, index: number) => void,
): void {
  const count = shape[axis];
  const step = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < step; i++) line(o * count * step + i, step, count, o * step + i);
  }
}
