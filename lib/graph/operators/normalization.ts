/** Normalisations: each centres and scales its elements by statistics that are given or its own. */
import { describeShape, sameShape } from '../../check.js';
import { FormatError, ShapeError, UnsupportedError } from '../../errors.js';
import type { Shape } from '../../tensor/tensor.js';
import { FLOATS } from '../elements.js';
import type { Evaluations, View } from '../evaluate.js';
import type { BinaryFunction, Elements, Value } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { broadcastShapes, broadcastStrides, copyStrided, sizeOf, stridesOf } from '../shapes.js';

export const NORMALIZATIONS: Readonly<Record<string, OnnxOperator>> = {
  BatchNormalization: {
    attributes: {
      epsilon: 'float',
      momentum: 'float',
      spatial: 'int',
      is_test: 'int',
      training_mode: 'int',
      consumed_inputs: 'ints',
    },
    read: readBatchNormalization,
  },
  InstanceNormalization: { attributes: { epsilon: 'float', consumed_inputs: 'ints' }, read: readInstance },
  LayerNormalization: {
    attributes: { axis: 'int', epsilon: 'float', stash_type: 'int' },
    read: readLayerNormalization,
  },
  GroupNormalization: {
    attributes: { epsilon: 'float', num_groups: 'int', stash_type: 'int' },
    read: readGroupNormalization,
  },
  LRN: { attributes: { alpha: 'float', beta: 'float', bias: 'float', size: 'int' }, read: readLrn },
};

function readBatchNormalization(node: OnnxNode): void {
  const [x, ...parameters] = [0, 1, 2, 3, 4].map((i) => node.input(i));
  node.checkType(x, FLOATS);
  node.checkRank(x, 1, Infinity);
  if (node.opset < 7 && node.has('is_test') && node.int('is_test') === 0)
    throw node.refuse(UnsupportedError, 'is_test 1', '0: statistics of the batch');
  if (node.int('spatial', 1) !== 1)
    throw node.refuse(UnsupportedError, 'spatial 1', '0: statistics of each place');
  const channels = x.shape.length === 1 ? 1 : x.shape[1];
  for (const parameter of parameters) checkPerChannel(node, parameter, channels);
  if (node.int('training_mode', 0) !== 0) {
    readBatchStatistics(node, x, parameters);
    return;
  }
  const attributes = { epsilon: node.float('epsilon', 1e-5) };
  node.become('BatchNormalization', attributes, [x, ...parameters], x.type, x.shape);
}

/** training_mode: by the mean and variance of the batch itself, which join the running ones. */
function readBatchStatistics(
  node: OnnxNode,
  x: Value,
  [scale, bias, mean, variance]: readonly Value[],
): void {
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const average = (value: Value) =>
    node.apply('Reduce', { fn: 'Mean', axes, keepDims: false }, [value], x.type, scale.shape);
  const combine = (fn: BinaryFunction, a: Value, b: Value) =>
    node.apply('Binary', { fn }, [a, b], a.type, node.broadcast(a, b));
  const ownMean = average(x);
  const column = node.reshape(ownMean, [scale.shape[0], ...x.shape.slice(2).map(() => 1)]);
  const centred = combine('Sub', x, column);
  const ownVariance = average(combine('Mul', centred, centred));
  const attributes = { epsilon: node.float('epsilon', 1e-5) };
  node.become('BatchNormalization', attributes, [x, scale, bias, ownMean, ownVariance], x.type, x.shape);
  const momentum = node.float('momentum', 0.9);
  const share = (of: number) => node.constant(x.type, [], node.allocate(x.type, []).fill(of));
  const running = (old: Value, own: Value) =>
    combine('Add', combine('Mul', old, share(momentum)), combine('Mul', own, share(1 - momentum)));
  if (node.wants(1)) node.result(1, running(mean, ownMean));
  if (node.wants(2)) node.result(2, running(variance, ownVariance));
}

function checkPerChannel(node: OnnxNode, parameter: Value, channels: number): void {
  if (parameter.shape.length !== 1 || parameter.shape[0] !== channels)
    throw node.refuse(ShapeError, `${parameter.name} of shape [${channels}]`, describeShape(parameter.shape));
}

function readInstance(node: OnnxNode): void {
  const [x, scale, bias] = [0, 1, 2].map((i) => node.input(i));
  node.checkType(x, FLOATS);
  node.checkRank(x, 3, Infinity);
  for (const parameter of [scale, bias]) checkPerChannel(node, parameter, x.shape[1]);
  const attributes = { epsilon: node.float('epsilon', 1e-5) };
  node.become('InstanceNormalization', attributes, [x, scale, bias], x.type, x.shape);
}

function readLayerNormalization(node: OnnxNode): void {
  const [x, scale, bias] = [node.input(0), node.input(1), node.optional(2)];
  node.checkType(x, FLOATS);
  const axis = node.axis(node.int('axis', -1), x.shape.length);
  const inner = x.shape.slice(axis);
  const parameters = bias === null ? [scale] : [scale, bias];
  for (const parameter of parameters) {
    if (!fits(parameter.shape, x.shape))
      throw node.refuse(
        ShapeError,
        `${parameter.name} that broadcasts to ${describeShape(x.shape)}`,
        describeShape(parameter.shape),
      );
  }
  const statistic = {
    type: x.type,
    shape: x.shape.map((size, i) => (i < axis ? size : 1)),
  };
  const results = [
    { type: x.type, shape: x.shape },
    node.wants(1) ? statistic : null,
    node.wants(2) ? statistic : null,
  ];
  const attributes = { axis, epsilon: node.float('epsilon', 1e-5) };
  const isWithin = parameters.every(({ shape }) => fits(shape, inner));
  // Parameters that differ along the axes in front are applied to what was normalised without any.
  const one = isWithin ? scale : node.constant(x.type, [1], node.allocate(x.type, [1]).fill(1));
  const operands = isWithin ? [x, scale, bias] : [x, one, null];
  const combine = (fn: BinaryFunction, a: Value, b: Value) =>
    node.apply('Binary', { fn }, [a, b], x.type, x.shape);
  const affine = (value: Value) => {
    const scaled = combine('Mul', value, scale);
    return bias === null ? scaled : combine('Add', scaled, bias);
  };
  node.applyMany('LayerNormalization', attributes, operands, results).forEach((value, i) => {
    node.result(i, i > 0 || value === null || isWithin ? value : affine(value));
  });
}

/** Whether a shape broadcasts to another that stays as it is. */
function fits(shape: readonly number[], to: readonly number[]): boolean {
  const both = broadcastShapes([to, shape]);
  return both !== null && sameShape(both, to);
}

function readGroupNormalization(node: OnnxNode): void {
  const [x, scale, bias] = [0, 1, 2].map((i) => node.input(i));
  node.checkType(x, FLOATS);
  node.checkRank(x, 3, Infinity);
  const groups = node.int('num_groups');
  if (!(groups >= 1) || x.shape[1] % groups !== 0)
    throw node.refuse(ShapeError, `channels that make ${groups} groups`, describeShape(x.shape));
  // Before opset 21 there was one scale for each group.
  for (const parameter of [scale, bias])
    checkPerChannel(node, parameter, node.opset < 21 ? groups : x.shape[1]);
  const attributes = { groups, epsilon: node.float('epsilon', 1e-5) };
  node.become('GroupNormalization', attributes, [x, scale, bias], x.type, x.shape);
}

function readLrn(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, FLOATS);
  node.checkRank(x, 2, Infinity);
  const size = node.int('size');
  if (!(size >= 1)) throw node.refuse(FormatError, 'a size ≥ 1', `${size}`);
  const [alpha, beta, bias] = [node.float('alpha', 1e-4), node.float('beta', 0.75), node.float('bias', 1)];
  node.become('LRN', { alpha, beta, bias, size }, [x], x.type, x.shape);
}

type Normalizations =
  | 'BatchNormalization'
  | 'InstanceNormalization'
  | 'LayerNormalization'
  | 'GroupNormalization'
  | 'LRN';

export const EVALUATE_NORMALIZATIONS: Evaluations<Normalizations> = {
  BatchNormalization: ({
    attributes: { epsilon },
    inputs: [x, scale, bias, mean, variance],
    outputs: [y],
  }) => {
    if (x === null || y === null || scale === null || bias === null || mean === null || variance === null)
      return;
    const channels = x.shape.length === 1 ? 1 : x.shape[1];
    const places = sizeOf(x.shape.slice(2)) * (x.shape.length === 1 ? x.shape[0] : 1);
    for (let at = 0, row = 0; at < x.data.length; at += places, row++) {
      const c = row % channels;
      const factor = scale.data[c] / Math.sqrt(variance.data[c] + epsilon);
      const offset = bias.data[c] - mean.data[c] * factor;
      affine(x.data, y.data, at, places, factor, offset);
    }
  },
  InstanceNormalization: ({ attributes: { epsilon }, inputs: [x, scale, bias], outputs: [y] }) => {
    if (x === null || y === null || scale === null || bias === null) return;
    const places = sizeOf(x.shape.slice(2));
    for (let at = 0, row = 0; at < x.data.length; at += places, row++) {
      const c = row % x.shape[1];
      const { mean, deviation } = statistics(x.data, at, places, epsilon);
      const factor = scale.data[c] / deviation;
      affine(x.data, y.data, at, places, factor, bias.data[c] - mean * factor);
    }
  },
  LayerNormalization: ({ attributes: { axis, epsilon }, inputs, outputs }) => {
    const [x, scale, bias] = inputs;
    const [y, means, inverses] = outputs;
    if (x === null || y === null || scale === null) return;
    const inner = x.shape.slice(axis);
    const count = sizeOf(inner);
    const factors = spread(scale, inner);
    const offsets = bias == null ? null : spread(bias, inner);
    for (let at = 0, row = 0; at < x.data.length; at += count, row++) {
      const { mean, deviation } = statistics(x.data, at, count, epsilon);
      for (let i = 0; i < count; i++) {
        const value = ((x.data[at + i] - mean) / deviation) * factors[i];
        y.data[at + i] = offsets === null ? value : value + offsets[i];
      }
      if (means != null) means.data[row] = mean;
      if (inverses != null) inverses.data[row] = 1 / deviation;
    }
  },
  GroupNormalization: ({ attributes: { groups, epsilon }, inputs: [x, scale, bias], outputs: [y] }) => {
    if (x === null || y === null || scale === null || bias === null) return;
    const channels = x.shape[1];
    const places = sizeOf(x.shape.slice(2));
    const together = (channels / groups) * places;
    const perGroup = scale.data.length === groups;
    for (let at = 0, row = 0; at < x.data.length; at += together, row++) {
      const group = row % groups;
      const { mean, deviation } = statistics(x.data, at, together, epsilon);
      for (let c = 0; c < channels / groups; c++) {
        const p = perGroup ? group : (group * channels) / groups + c;
        const factor = scale.data[p] / deviation;
        affine(x.data, y.data, at + c * places, places, factor, bias.data[p] - mean * factor);
      }
    }
  },
  LRN: ({ attributes: { alpha, beta, bias, size }, inputs: [x], outputs: [y] }) => {
    if (x === null || y === null) return;
    const [batch, channels] = x.shape;
    const places = sizeOf(x.shape.slice(2));
    const before = Math.floor((size - 1) / 2);
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        const [from, to] = [Math.max(c - before, 0), Math.min(c - before + size, channels)];
        for (let i = 0; i < places; i++) {
          let sum = 0;
          for (let other = from; other < to; other++) sum += x.data[(n * channels + other) * places + i] ** 2;
          const at = (n * channels + c) * places + i;
          y.data[at] = x.data[at] / (bias + (alpha / size) * sum) ** beta;
        }
      }
    }
  },
};

function affine(x: Elements, y: Elements, at: number, count: number, factor: number, offset: number): void {
  for (let i = at; i < at + count; i++) y[i] = x[i] * factor + offset;
}

/** Mean, and √(variance + ε), of a stretch: in two passes, so that nothing cancels. */
function statistics(
  data: Elements,
  at: number,
  count: number,
  epsilon: number,
): { mean: number; deviation: number } {
  let sum = 0;
  for (let i = at; i < at + count; i++) sum += data[i];
  const mean = sum / count;
  let squares = 0;
  for (let i = at; i < at + count; i++) squares += (data[i] - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / count + epsilon) };
}

/** An operand as if it had the shape that it broadcasts to. */
function spread(view: View, shape: Shape): Elements {
  const count = sizeOf(shape);
  if (view.data.length === count) return view.data;
  const all = new Float64Array(count);
  const from = { data: view.data, offset: 0, strides: broadcastStrides(view.shape, shape) };
  copyStrided(shape, from, { data: all, offset: 0, strides: stridesOf(shape) });
  return all;
}
