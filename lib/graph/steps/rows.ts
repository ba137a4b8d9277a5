/** Reductions, softmax, normalisation, pooling and resizing: steps along axes. */

import { REDUCTIONS, type StepKind } from '../../backend/steps.js';
import { type Axis, toTriple, UNIT_AXIS } from '../../plan/options/axes.js';
import { encodePoolPlan } from '../../plan/plans/wire.js';
import { storageOf } from '../elements.js';
import type { NodeOf, Value } from '../graph.js';
import { inputOf, outputOf } from '../operands.js';
import { sizeOf } from '../shapes.js';
import type { KernelStep, Lowering } from './step.js';
import type { Words } from './words.js';

type Encode = (words: Words) => void;

function rowStep(
  kind: StepKind,
  node: { readonly op: string; readonly sources: readonly string[] },
  reads: readonly number[],
  writes: number,
  encode: Encode,
): KernelStep {
  return {
    kind,
    label: node.op,
    algorithm: 'row by row',
    sources: node.sources,
    reads,
    writes: [writes],
    multiplications: 0,
    encode,
  };
}

const isFloat = (value: Value) => value.type === 'float32';
const isByte = (value: Value) => value.type === 'int8' || value.type === 'uint8';

/** An array seen as [outer][count][inner] around some neighbouring axes. */
function around(shape: readonly number[], first: number, end: number): [number, number, number] {
  return [sizeOf(shape.slice(0, first)), sizeOf(shape.slice(first, end)), sizeOf(shape.slice(end))];
}

export function lowerReduce(node: NodeOf<'Reduce'>, to: Lowering): boolean {
  const [x, y] = [to.values[inputOf(node, 0)], to.values[outputOf(node)]];
  const { fn } = node.attributes;
  // Axes of size 1 reduce nothing, and may stand between the others.
  const axes = node.attributes.axes.filter((axis) => x.shape[axis] !== 1);
  if (!isFloat(x) || sizeOf(x.shape) === 0) return false;
  const [first, last] = [axes[0] ?? 0, axes[axes.length - 1] ?? -1];
  for (let axis = first; axis <= last; axis++) {
    if (!axes.includes(axis) && x.shape[axis] !== 1) return false;
  }
  if (axes.length === 0 && (fn === 'Sum' || fn === 'Mean' || fn === 'Max' || fn === 'Min' || fn === 'Prod')) {
    to.alias(y.id, x.id, 0);
    return true;
  }
  const rows = around(x.shape, first, last + 1);
  to.push({
    ...rowStep('reduce', node, [x.id], y.id, (words) => {
      words
        .push(REDUCTIONS.indexOf(fn), ...rows)
        .operand(x.id)
        .operand(y.id);
    }),
    label: `Reduce${fn}`,
  });
  return true;
}

export function lowerSoftmax(node: NodeOf<'Softmax'> | NodeOf<'LogSoftmax'>, to: Lowering): boolean {
  const [x, y] = [to.values[inputOf(node, 0)], to.values[outputOf(node)]];
  const { axis } = node.attributes;
  if (!isFloat(x) || sizeOf(x.shape) === 0) return false;
  const rows = around(x.shape, axis, axis + 1);
  to.push(
    rowStep('softmax', node, [x.id], y.id, (words) => {
      words
        .flag(node.op === 'LogSoftmax')
        .push(...rows)
        .operand(x.id)
        .operand(y.id);
    }),
  );
  return true;
}

export function lowerLayerNormalization(node: NodeOf<'LayerNormalization'>, to: Lowering): boolean {
  const [x, scale, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)].map((id) => to.values[id]);
  const { axis, epsilon } = node.attributes;
  const count = sizeOf(x.shape.slice(axis));
  const rows = sizeOf(x.shape.slice(0, axis));
  if (!isFloat(x) || count === 0 || node.outputs.slice(1).some((id) => id != null)) return false;
  // Parameters that are broadcast along the row have fewer elements.
  const given = node.inputs[2];
  const isWhole = (value: Value) => isFloat(value) && sizeOf(value.shape) === count;
  if (!isWhole(scale) || (given != null && !isWhole(to.values[given]))) return false;
  const bias = given ?? to.constant(`zeros ${count}`, [count], () => new Float32Array(count));
  to.push(
    rowStep('normalise', node, [x.id, scale.id, bias], y.id, (words) => {
      words.push(rows, count, epsilon, 0).operand(x.id).operand(scale.id).operand(bias).operand(y.id);
    }),
  );
  return true;
}

export function lowerInstanceNormalization(node: NodeOf<'InstanceNormalization'>, to: Lowering): boolean {
  const ids = [inputOf(node, 0), inputOf(node, 1), inputOf(node, 2), outputOf(node)];
  const [x, scale, bias, y] = ids.map((id) => to.values[id]);
  const [batch, channels, ...places] = x.shape;
  const count = sizeOf(places);
  if (![x, scale, bias].every(isFloat) || count === 0 || channels === 0) return false;
  const { epsilon } = node.attributes;
  to.push(
    rowStep('normalise', node, [x.id, scale.id, bias.id], y.id, (words) => {
      words.push(batch * channels, count, epsilon, channels);
      words.operand(x.id).operand(scale.id).operand(bias.id).operand(y.id);
    }),
  );
  return true;
}

export function lowerLrn(node: NodeOf<'LRN'>, to: Lowering): boolean {
  const [x, y] = [to.values[inputOf(node, 0)], to.values[outputOf(node)]];
  const [batch, channels, ...places] = x.shape;
  if (!isFloat(x) || channels === 0) return false;
  const { size, alpha, beta, bias } = node.attributes;
  to.push(
    rowStep('responseNormalise', node, [x.id], y.id, (words) => {
      words.push(batch, channels, sizeOf(places), size, alpha, beta, bias).operand(x.id).operand(y.id);
    }),
  );
  return true;
}

export function lowerPool(node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'>, to: Lowering): boolean {
  const [x, y] = [to.values[inputOf(node, 0)], to.values[outputOf(node)]];
  const isServedType = isFloat(x) || (node.op === 'MaxPool' && isByte(x));
  if (!isServedType || x.shape.length > 5 || (node.op === 'MaxPool' && node.outputs[1] != null)) return false;
  const axes = poolAxes(node, x, y);
  if (!axes.every(isServed) || (node.op === 'AveragePool' && node.attributes.dilations.some((d) => d !== 1)))
    return false;
  to.push(poolStep(node, axes, x, y.id, 'row by row'));
  return true;
}

/** A pool of a value in blocks. */
export function lowerBlockedPool(
  node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'> | NodeOf<'Reduce'>,
  x: Value,
  y: Value,
  to: Lowering,
): void {
  const axes =
    node.op === 'Reduce'
      ? x.shape.slice(2).map((size): Axis => ({ ...UNIT_AXIS, in: size, kernel: size, stride: size, out: 1 }))
      : poolAxes(node, x, y);
  to.push(poolStep(node, axes, x, y.id, BLOCKS));
}

/** What a step over values in blocks says of itself. */
export const BLOCKS = 'channels in blocks';

function poolStep(
  node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'> | NodeOf<'Reduce'>,
  axes: readonly Axis[],
  x: Value,
  result: number,
  algorithm: string,
): KernelStep {
  const countIncludePad = node.op === 'AveragePool' && node.attributes.countIncludePad;
  const [batch, channels] = x.shape;
  const plan = encodePoolPlan({
    dtype: storageOf(x.type),
    planes: batch * channels,
    axes: toTriple(axes),
    countIncludePad,
  });
  const step = rowStep(node.op === 'MaxPool' ? 'maxPool' : 'averagePool', node, [x.id], result, (words) => {
    words
      .push(...plan, algorithm === BLOCKS ? channels : 0)
      .operand(x.id)
      .operand(result);
  });
  return { ...step, label: node.op === 'Reduce' ? 'ReduceMean' : node.op, algorithm };
}

export function poolAxes(node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'>, x: Value, y: Value): Axis[] {
  const { kernel, strides, dilations, pads } = node.attributes;
  return kernel.map((size, axis) => ({
    in: x.shape[axis + 2],
    kernel: size,
    stride: strides[axis],
    dilation: dilations[axis],
    padBefore: pads[axis][0],
    padAfter: pads[axis][1],
    out: y.shape[axis + 2],
  }));
}

/** What native code takes: every window meets the image, and begins before what follows it. */
export function isServed(axis: Axis): boolean {
  const span = (axis.kernel - 1) * axis.dilation + 1;
  const last = (axis.out - 1) * axis.stride;
  if (axis.in === 0 || axis.out === 0 || last >= axis.in + axis.padBefore) return false;
  if (last + span >= axis.in + axis.padBefore + axis.padAfter + axis.stride) return false;
  for (const o of [0, axis.out - 1]) {
    const start = o * axis.stride - axis.padBefore;
    const tap = start < 0 ? Math.ceil(-start / axis.dilation) : 0;
    if (tap >= axis.kernel || start + tap * axis.dilation >= axis.in) return false;
  }
  return axis.padBefore < span;
}

/** One axis after the other: those that shrink first, then the last axes, whose rows are the shorter before the others grow. */
export function lowerResize(node: NodeOf<'Resize'>, to: Lowering): boolean {
  const [x, y] = [to.values[inputOf(node, 0)], to.values[outputOf(node)]];
  const { axes } = node.attributes;
  if (!isFloat(x) || axes.length === 0 || axes.some((axis) => axis.outside !== null)) return false;
  const growth = (axis: number) => y.shape[axis] / x.shape[axis];
  const order = [...axes].sort((a, b) => growth(a.axis) - growth(b.axis) || b.axis - a.axis);
  let from = x.id;
  const shape = [...x.shape];
  order.forEach(({ axis, taps, indices, weights }, i) => {
    const [outer, size, inner] = around(shape, axis, axis + 1);
    shape[axis] = y.shape[axis];
    const source = from;
    const result =
      i === order.length - 1 ? y.id : to.temporary(`${y.name} axis ${axis}`, 'float32', [...shape]);
    to.push(
      rowStep('resample', node, [source], result, (words) => {
        words.push(outer, size, inner, y.shape[axis], taps).constant(indices).constant(weights);
        words.operand(source).operand(result);
      }),
    );
    from = result;
  });
  return true;
}
