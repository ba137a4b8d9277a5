/** Conv and ConvTranspose: each is a plan of the library's own. */
import { type ConvOperands, NO_CLAMP } from '../../backend/backend.js';
import { backend } from '../../backend/select.js';
import { describe, describeShape } from '../../check.js';
import { ShapeError, UnsupportedError } from '../../errors.js';
import type { Exactness, Weights } from '../../plan/algorithms/algorithm.js';
import type { ConvOp } from '../../plan/geometry.js';
import { type Axis, extent } from '../../plan/options/axes.js';
import {
  type ConvPlan,
  type ConvRequest,
  type ConvSizes,
  convRequest,
  loweredRequest,
  planConv,
} from '../../plan/plans/conv.js';
import { UNKNOWN_WEIGHTS, weightsOf } from '../../plan/weights.js';
import type { ByteDType, FloatDType } from '../../tensor/dtype.js';
import type { Shape } from '../../tensor/tensor.js';
import { floatsOf, floatTypeOf } from '../elements.js';
import type { Evaluations, View } from '../evaluate.js';
import type { Attributes, ConvAttributes, Value, Window } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { rankOf, readPads, readSteps, readWindow, splitPad, WINDOW_ATTRIBUTES } from './windows.js';

export const CONVOLUTIONS: Readonly<Record<string, OnnxOperator>> = {
  Conv: { attributes: { ...WINDOW_ATTRIBUTES, group: 'int' }, read: readConv },
  ConvTranspose: {
    attributes: { ...WINDOW_ATTRIBUTES, group: 'int', output_padding: 'ints', output_shape: 'ints' },
    read: readConvTranspose,
  },
};

function readConv(node: OnnxNode): void {
  const [x, w, bias] = [node.input(0), node.input(1), node.optional(2)];
  node.checkType(x, ['float32', 'float64']);
  const { attributes, shape } = readConvolution(node, x, w);
  checkBias(node, bias, w.shape[0]);
  node.become('Conv', attributes, [x, w, bias], x.type, shape);
}

/** The attributes of a convolution, floating or integer, and the shape of its result. */
export function readConvolution(
  node: OnnxNode,
  x: Value,
  w: Value,
): { attributes: ConvAttributes; shape: number[] } {
  node.checkRank(x, 3, Infinity);
  node.checkRank(w, x.shape.length);
  const [batch, channels, ...sizes] = x.shape;
  const [outChannels, perGroup, ...kernel] = w.shape;
  const groups = node.int('group', 1);
  if (!(groups >= 1) || perGroup * groups !== channels || outChannels % groups !== 0 || channels === 0)
    throw node.refuse(
      ShapeError,
      `channels of ${x.name} (${channels}) and ${w.name} that make ${groups} groups`,
      describeShape(w.shape),
    );
  checkKernel(node, kernel);
  const { window, outputs } = readWindow(node, sizes, kernel);
  return { attributes: { ...window, groups }, shape: [batch, outChannels, ...outputs] };
}

function checkKernel(node: OnnxNode, kernel: readonly number[]): void {
  const told = node.ints('kernel_shape', kernel);
  if (told.length !== kernel.length || told.some((size, axis) => size !== kernel[axis]))
    throw node.refuse(ShapeError, `kernel_shape ${describe(kernel)}, as the weight`, describe(told));
}

function checkBias(node: OnnxNode, bias: Value | null, channels: number): void {
  if (bias !== null && (bias.shape.length !== 1 || bias.shape[0] !== channels))
    throw node.refuse(ShapeError, `a bias of shape [${channels}]`, describeShape(bias.shape));
}

function readConvTranspose(node: OnnxNode): void {
  const [x, w, bias] = [node.input(0), node.input(1), node.optional(2)];
  node.checkType(x, ['float32', 'float64']);
  node.checkRank(x, 3, Infinity);
  node.checkRank(w, x.shape.length);
  const [batch, channels, ...sizes] = x.shape;
  const [inChannels, perGroup, ...kernel] = w.shape;
  const groups = node.int('group', 1);
  if (
    !(groups >= 1) ||
    inChannels !== channels ||
    channels % groups !== 0 ||
    channels === 0 ||
    perGroup === 0
  )
    throw node.refuse(
      ShapeError,
      `channels of ${x.name} (${channels}) and ${w.name} that make ${groups} groups`,
      describeShape(w.shape),
    );
  checkKernel(node, kernel);
  const steps = readSteps(node, sizes.length, kernel);
  const outputPads = node.ints(
    'output_padding',
    kernel.map(() => 0),
  );
  checkBias(node, bias, perGroup * groups);
  const { pads, outputs } = transposedPads(node, sizes, steps, outputPads);
  // Rows that only output_padding reaches: as many as an output_shape past the full result asks for.
  const beyond = outputs.map((count, axis) => {
    const full = (sizes[axis] - 1) * steps.strides[axis] + extent(kernel[axis], steps.dilations[axis]);
    return count - (full - pads[axis][0] - pads[axis][1]);
  });
  if (
    beyond.some((count, axis) => count < 0 || count >= Math.max(steps.strides[axis], steps.dilations[axis]))
  )
    throw node.refuse(UnsupportedError, 'output_padding below stride or dilation', describe(beyond));
  if (outputs.some((count) => count < 1))
    throw node.refuse(ShapeError, 'a result with elements', describeShape(outputs));
  node.become('ConvTranspose', { ...steps, pads, groups, outputPads: beyond }, [x, w, bias], x.type, [
    batch,
    perGroup * groups,
    ...outputs,
  ]);
}

function transposedPads(
  node: OnnxNode,
  sizes: readonly number[],
  { kernel, strides, dilations }: Omit<Window, 'pads'>,
  outputPads: readonly number[],
): { pads: [number, number][]; outputs: number[] } {
  if (outputPads.length !== sizes.length)
    throw node.refuse(ShapeError, `output_padding of ${sizes.length} numbers`, describe(outputPads));
  const autoPad = node.string('auto_pad', 'NOTSET');
  const told = node.has('output_shape') ? node.ints('output_shape').slice(-sizes.length) : null;
  if (told !== null && told.length !== sizes.length)
    throw node.refuse(ShapeError, `output_shape of ${sizes.length} numbers`, describe(told));
  const full = sizes.map(
    (size, axis) => (size - 1) * strides[axis] + extent(kernel[axis], dilations[axis]) + outputPads[axis],
  );
  if (told === null && (autoPad === 'NOTSET' || autoPad === 'VALID')) {
    const pads =
      autoPad === 'VALID' ? sizes.map((): [number, number] => [0, 0]) : readPads(node, sizes.length);
    return { pads, outputs: full.map((size, axis) => size - pads[axis][0] - pads[axis][1]) };
  }
  const outputs = told ?? sizes.map((size, axis) => size * strides[axis]);
  const pads = full.map((size, axis) =>
    splitPad(Math.max(size - outputs[axis], 0), autoPad === 'SAME_UPPER'),
  );
  return { pads, outputs };
}

/** A Conv, or the convolution that a ConvTranspose is the adjoint of, which leads from its result to its input. */
export function requestOf(
  node: 'Conv' | 'ConvTranspose',
  op: ConvOp,
  attributes: ConvAttributes,
  x: { readonly type: View['type']; readonly shape: Shape },
  outputShape: Shape,
  manner: Exactness & Partial<Weights>,
): ConvRequest & { readonly dtype: FloatDType } {
  const [from, to] = node === 'Conv' ? [x.shape, outputShape] : [outputShape, x.shape];
  const sizes = sizesOf(attributes, from, to);
  return convRequest(op, floatTypeOf(x.type), windowOf(attributes), sizes, { algorithm: 'auto', ...manner });
}

/** The request of a convolution of bytes, from the shapes of x and y. */
export function byteRequest(attributes: ConvAttributes, dtype: ByteDType, x: Shape, y: Shape): ConvRequest {
  const sizes = sizesOf(attributes, x, y);
  return loweredRequest(dtype, windowOf(attributes), sizes);
}

function windowOf({ kernel, groups }: ConvAttributes) {
  return { rank: rankOf(kernel.length), groups, paddingMode: 'zeros' } as const;
}

function sizesOf({ kernel, strides, dilations, pads }: ConvAttributes, from: Shape, to: Shape): ConvSizes {
  const axes = kernel.map((size, axis): Axis => {
    const [padBefore, padAfter] = pads[axis];
    return {
      in: from[axis + 2],
      kernel: size,
      stride: strides[axis],
      dilation: dilations[axis],
      padBefore,
      padAfter,
      out: to[axis + 2],
    };
  });
  return { batch: from[0], inChannels: from[1], outChannels: to[1], axes };
}

/** The library's plan of a Conv or ConvTranspose over shapes and weights that are known. */
export function planOf(
  node: 'Conv' | 'ConvTranspose',
  attributes: ConvAttributes,
  x: { readonly type: View['type']; readonly shape: Shape },
  w: { readonly shape: Shape; readonly data: View['data'] | null },
  outputShape: Shape,
  exactness: Exactness,
): ConvPlan {
  const forward = node === 'Conv';
  const weights = forward && w.data !== null ? weightsOf(floatsOf(w.data), w.shape, 'auto') : UNKNOWN_WEIGHTS;
  const op = forward ? 'forward' : 'inputGrad';
  return planConv(
    requestOf(node, op, attributes, x, outputShape, { ...exactness, ...weights }),
    backend().machine,
  );
}

/** Weight and bias as a backend takes them. */
export function operandsOf(weight: View['data'], bias: View['data'] | null): ConvOperands {
  return { weight: floatsOf(weight), bias: bias === null ? null : floatsOf(bias), clamp: NO_CLAMP };
}

export const EVALUATE_CONVOLUTIONS: Evaluations<'Conv' | 'ConvTranspose'> = {
  Conv: ({ attributes, inputs, outputs }) => convolve('Conv', attributes, inputs, outputs),
  ConvTranspose: ({ attributes, inputs, outputs }) => convolve('ConvTranspose', attributes, inputs, outputs),
};

/** Evaluations are what steps are compared with. */
const EVALUATED: Exactness = { accuracy: 'strict', precision: 'float32' };

function convolve<K extends 'Conv' | 'ConvTranspose'>(
  op: K,
  attributes: Attributes[K],
  [x, w, bias]: readonly (View | null)[],
  [y]: readonly (View | null)[],
): void {
  if (x === null || w === null || y === null) return;
  const plan = planOf(op, attributes, x, w, y.shape, EVALUATED);
  backend().conv(plan, operandsOf(w.data, bias?.data ?? null), floatsOf(x.data), floatsOf(y.data));
}
