/** Pooling: windows, and the global forms, which are reductions. */
import { backend } from '../../backend/select.js';
import { describeShape } from '../../check.js';
import { ShapeError } from '../../errors.js';
import { type PoolPlan, planPool } from '../../plan/plans/pool.js';
import type { Shape } from '../../tensor/tensor.js';
import { FLOATS, floatsOf, storageOf } from '../elements.js';
import type { Evaluations, View } from '../evaluate.js';
import type { Window } from '../graph.js';
import type { AttributeForm, OnnxNode, OnnxOperator } from '../onnx-node.js';
import { sizeOf, stridesOf } from '../shapes.js';
import { checkPadsWithin, isCeil, rankOf, readWindow, WINDOW_ATTRIBUTES } from './windows.js';

const POOL_ATTRIBUTES: Readonly<Record<string, AttributeForm>> = { ...WINDOW_ATTRIBUTES, ceil_mode: 'int' };

export const POOLING: Readonly<Record<string, OnnxOperator>> = {
  MaxPool: { attributes: { ...POOL_ATTRIBUTES, storage_order: 'int' }, read: readMaxPool },
  AveragePool: { attributes: { ...POOL_ATTRIBUTES, count_include_pad: 'int' }, read: readAveragePool },
  LpPool: { attributes: { ...POOL_ATTRIBUTES, p: 'int' }, read: readLpPool },
  GlobalMaxPool: { attributes: {}, read: (node) => readGlobal(node, 'Max') },
  GlobalAveragePool: { attributes: {}, read: (node) => readGlobal(node, 'Mean') },
  GlobalLpPool: { attributes: { p: 'int' }, read: readGlobalLp },
};

function readPool(node: OnnxNode): { window: Window; shape: number[] } {
  const x = node.input(0);
  node.checkRank(x, 3, 5);
  const [batch, channels, ...sizes] = x.shape;
  const { window, outputs } = readWindow(node, sizes);
  checkPadsWithin(node, window);
  return { window, shape: [batch, channels, ...outputs] };
}

function readMaxPool(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, ['float32', 'float64', 'int8', 'uint8']);
  const { window, shape } = readPool(node);
  const columnMajor = node.int('storage_order', 0) === 1;
  const results = [{ type: x.type, shape }, node.wants(1) ? { type: 'int64' as const, shape } : null];
  const [y, indices] = node.applyMany('MaxPool', { ...window, columnMajor }, [x], results);
  node.result(0, y);
  node.result(1, indices);
}

function readAveragePool(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, FLOATS);
  const { window, shape } = readPool(node);
  const countIncludePad = node.int('count_include_pad', 0) === 1;
  node.become('AveragePool', { ...window, countIncludePad }, [x], x.type, shape);
}

function readLpPool(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, FLOATS);
  const { window, shape } = readPool(node);
  node.become('LpPool', { ...window, p: node.int('p', 2) }, [x], x.type, shape);
}

function readGlobal(node: OnnxNode, fn: 'Max' | 'Mean'): void {
  const x = node.input(0);
  node.checkType(x, FLOATS);
  const { axes, shape } = globalAxes(node, x.shape);
  node.become('Reduce', { fn, axes, keepDims: true }, [x], x.type, shape);
}

function readGlobalLp(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, FLOATS);
  const p = node.int('p', 2);
  const { axes, shape } = globalAxes(node, x.shape);
  if (p === 1 || p === 2) {
    node.become('Reduce', { fn: p === 1 ? 'L1' : 'L2', axes, keepDims: true }, [x], x.type, shape);
    return;
  }
  const [batch, channels, ...sizes] = x.shape;
  const flat = node.reshape(x, [batch, channels, sizeOf(sizes)]);
  const window = { kernel: [sizeOf(sizes)], strides: [1], dilations: [1], pads: [[0, 0] as const], p };
  node.result(0, node.reshape(node.apply('LpPool', window, [flat], x.type, [batch, channels, 1]), shape));
}

function globalAxes(node: OnnxNode, shape: Shape): { axes: number[]; shape: number[] } {
  if (shape.length < 3) throw node.refuse(ShapeError, 'an input with spatial axes', describeShape(shape));
  return {
    axes: shape.map((_, axis) => axis).slice(2),
    shape: shape.map((size, axis) => (axis < 2 ? size : 1)),
  };
}

/** The library's plan of a pooling window. */
export function poolPlanOf(window: Window, x: View, y: View, countIncludePad: boolean): PoolPlan {
  const { kernel, strides, dilations, pads } = window;
  const options = {
    stride: strides,
    padding: pads,
    dilation: dilations,
    ceilMode: isCeil(window, x.shape.slice(2), y.shape.slice(2)),
    countIncludePad,
  };
  return planPool(x.shape, storageOf(x.type), rankOf(kernel.length), kernel, options);
}

export const EVALUATE_POOLING: Evaluations<'MaxPool' | 'AveragePool' | 'LpPool'> = {
  MaxPool: ({ attributes, inputs: [x], outputs: [y, indices] }) => {
    if (x === null || y === null) return;
    const places = indices === null || indices === undefined ? null : new Int32Array(y.data.length);
    backend().maxPool(poolPlanOf(attributes, x, y, true), x.data, y.data, places);
    if (places !== null && indices != null)
      flatIndices(places, x.shape, indices.data, attributes.columnMajor);
  },
  AveragePool: ({ attributes, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    if (attributes.dilations.every((dilation) => dilation === 1)) {
      const plan = poolPlanOf(attributes, x, y, attributes.countIncludePad);
      backend().avgPool(plan, floatsOf(x.data), floatsOf(y.data));
    } else averageDilated(attributes, x, y, attributes.countIncludePad);
  },
  LpPool: ({ attributes, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const { p } = attributes;
    pool(
      attributes,
      x,
      y,
      (sum, value) => sum + Math.abs(value) ** p,
      (sum) => sum ** (1 / p),
    );
  },
};

/** Indices within a plane become those in the whole input, counted along columns when asked. */
function flatIndices(places: Int32Array, shape: Shape, indices: View['data'], columnMajor: boolean): void {
  const sizes = shape.slice(2);
  const plane = sizeOf(sizes);
  const planes = shape[0] * shape[1];
  const each = planes === 0 ? 0 : places.length / planes;
  const strides = stridesOf(sizes);
  for (let i = 0; i < places.length; i++) {
    let place = places[i];
    if (columnMajor) {
      let column = 0;
      let unit = 1;
      sizes.forEach((size, axis) => {
        column += (Math.floor(place / strides[axis]) % size) * unit;
        unit *= size;
      });
      place = column;
    }
    indices[i] = Math.floor(i / each) * plane + place;
  }
}

function averageDilated(window: Window, x: View, y: View, countIncludePad: boolean): void {
  const sizes = x.shape.slice(2);
  // The divisor of each window: its elements that lie in the input, or in the padded input.
  const taps = windowTaps(window, y.shape.slice(2), (position, axis) =>
    countIncludePad ? position < sizes[axis] + window.pads[axis][1] : position >= 0 && position < sizes[axis],
  );
  pool(
    window,
    x,
    y,
    (sum, value) => sum + value,
    (sum, output) => sum / taps[output],
  );
}

/** For each output place, how many taps pass on every axis. */
function windowTaps(
  { kernel, strides, dilations, pads }: Window,
  outputs: Shape,
  counts: (position: number, axis: number) => boolean,
): number[] {
  const perAxis = outputs.map((count, axis) =>
    Array.from({ length: count }, (_, i) => {
      const start = i * strides[axis] - pads[axis][0];
      let taps = 0;
      for (let t = 0; t < kernel[axis]; t++) if (counts(start + t * dilations[axis], axis)) taps++;
      return taps;
    }),
  );
  return perAxis.reduce((products, own) => products.flatMap((value) => own.map((taps) => value * taps)), [1]);
}

/** A window over each plane, in the plainest way: what the kernels have no form for. */
function pool(
  { kernel, strides, dilations, pads }: Window,
  x: View,
  y: View,
  add: (sum: number, value: number) => number,
  finish: (sum: number, output: number) => number,
): void {
  const [sizes, outputs] = [x.shape.slice(2), y.shape.slice(2)];
  const [inputs, each] = [sizeOf(sizes), sizeOf(outputs)];
  const own = stridesOf(sizes);
  const walk = (axis: number, base: number, index: readonly number[], sum: number): number => {
    if (axis === sizes.length) return add(sum, x.data[base]);
    const start = index[axis] * strides[axis] - pads[axis][0];
    for (let t = 0; t < kernel[axis]; t++) {
      const position = start + t * dilations[axis];
      if (position >= 0 && position < sizes[axis])
        sum = walk(axis + 1, base + position * own[axis], index, sum);
    }
    return sum;
  };
  const outStrides = stridesOf(outputs);
  for (let plane = 0; plane < x.shape[0] * x.shape[1]; plane++) {
    for (let output = 0; output < each; output++) {
      const index = outputs.map((count, axis) => Math.floor(output / outStrides[axis]) % count);
      y.data[plane * each + output] = finish(walk(0, plane * inputs, index, 0), output);
    }
  }
}
