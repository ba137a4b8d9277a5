/**
 * Operators of bytes that onnxruntime adds to ONNX's: sums and means, which is what it makes of float operators between
 * DequantizeLinear and QuantizeLinear. What is scaled is scaled in float32, as it does.
 */
import { describeShape } from '../../check.js';
import { ShapeError, UnsupportedError } from '../../errors.js';
import type { Evaluations, View } from '../evaluate.js';
import type { ElementType, Value } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { sizeOf } from '../shapes.js';
import { saturate } from './quantized.js';

const BYTES: readonly ElementType[] = ['int8', 'uint8'];

/** By op_type, of the domain com.microsoft. */
export const QLINEAR: Readonly<Record<string, OnnxOperator>> = {
  QLinearAdd: { attributes: {}, read: readAdd },
  QLinearGlobalAveragePool: { attributes: { channels_last: 'int' }, read: readGlobalAveragePool },
};

/** One number that scales a whole tensor, or stands for 0 in it. */
function checkSingle(node: OnnxNode, value: Value | null, type: ElementType): void {
  if (value === null) return;
  node.checkType(value, [type]);
  if (sizeOf(value.shape) !== 1) throw node.refuse(ShapeError, 'one number', describeShape(value.shape));
}

function readAdd(node: OnnxNode): void {
  const [a, aScale, b, bScale, yScale] = [0, 1, 3, 4, 6].map((i) => node.input(i));
  const [aZero, bZero, yZero] = [2, 5, 7].map((i) => node.optional(i));
  node.checkType(a, BYTES);
  node.checkType(b, [a.type]);
  for (const scale of [aScale, bScale, yScale]) checkSingle(node, scale, 'float32');
  for (const zero of [aZero, bZero, yZero]) checkSingle(node, zero, a.type);
  const shape = node.broadcast(a, b);
  const whole = (value: Value) =>
    sizeOf(value.shape) === sizeOf(shape)
      ? node.reshape(value, shape)
      : node.apply('Expand', {}, [value], value.type, shape);
  const inputs = [whole(a), aScale, aZero, whole(b), bScale, bZero, yScale, yZero];
  node.become('QLinearAdd', {}, inputs, a.type, shape);
}

function readGlobalAveragePool(node: OnnxNode): void {
  const [x, xScale, yScale] = [0, 1, 3].map((i) => node.input(i));
  const [xZero, yZero] = [2, 4].map((i) => node.optional(i));
  node.checkType(x, BYTES);
  node.checkRank(x, 3, 5);
  for (const scale of [xScale, yScale]) checkSingle(node, scale, 'float32');
  for (const zero of [xZero, yZero]) checkSingle(node, zero, x.type);
  if (node.int('channels_last', 0) !== 0)
    throw node.refuse(UnsupportedError, 'channels_last 0', `${node.int('channels_last')}`);
  const shape = x.shape.map((size, axis) => (axis < 2 ? size : 1));
  node.become('QLinearMean', {}, [x, xScale, xZero, yScale, yZero], x.type, shape);
}

// ───────────────────────────── evaluation ─────────────────────────────

const f = Math.fround;

/** y = saturate(round(a·aScale + (b·bScale + offset))), where each sum is rounded once. */
export interface AddScales {
  readonly a: number;
  readonly b: number;
  readonly offset: number;
}

/** From scales and zero points in the order of the operands: a's, b's, the result's. */
export function addScales(scales: readonly number[], zeros: readonly number[]): AddScales {
  const [a, b] = [f(scales[0] / scales[2]), f(scales[1] / scales[2])];
  return { a, b, offset: f(zeros[2] - f(a * zeros[0] + f(b * zeros[1]))) };
}

/** What a sum over `count` elements is multiplied by. */
export function meanScale(xScale: number, yScale: number, count: number): number {
  return f(xScale / f(yScale * count));
}

const numberIn = (view: View | null) => (view === null ? 0 : view.data[0]);

export const EVALUATE_QLINEAR: Evaluations<'QLinearAdd' | 'QLinearMean'> = {
  QLinearAdd: ({ inputs, outputs: [y] }) => {
    const [a, aScale, aZero, b, bScale, bZero, yScale, yZero] = inputs;
    if (a === null || b === null || y === null) return;
    const scales = addScales([aScale, bScale, yScale].map(numberIn), [aZero, bZero, yZero].map(numberIn));
    for (let i = 0; i < y.data.length; i++) {
      // Products of bytes are exact in float64.
      const sum = f(a.data[i] * scales.a + f(b.data[i] * scales.b + scales.offset));
      y.data[i] = saturate(sum, 0, y.type);
    }
  },
  QLinearMean: ({ inputs: [x, xScale, xZero, yScale, yZero], outputs: [y] }) => {
    if (x === null || y === null) return;
    const count = x.data.length / y.data.length;
    const scale = meanScale(numberIn(xScale), numberIn(yScale), count);
    const less = numberIn(xZero) * count;
    for (let plane = 0, at = 0; plane < y.data.length; plane++) {
      let sum = -less;
      for (const end = at + count; at < end; at++) sum += x.data[at];
      y.data[plane] = saturate(f(f(sum) * scale), numberIn(yZero), y.type);
    }
  },
};
