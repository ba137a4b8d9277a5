/** Quantised operators. Sums are exact integers; what is scaled is scaled in float32, as onnxruntime scales it. */
import { backend } from '../../backend/select.js';
import { describeShape } from '../../check.js';
import { ShapeError, UnsupportedError } from '../../errors.js';
import { fileType } from '../../onnx-file/element-types.js';
import { convInteger } from '../../quantized/conv.js';
import { uninitialised } from '../../tensor/dtype.js';
import { Tensor } from '../../tensor/tensor.js';
import type { Evaluations, View } from '../evaluate.js';
import type { ConvAttributes, Elements, ElementType, Value } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { sizeOf } from '../shapes.js';
import { readConvolution } from './convolution.js';
import { productLoops, productShape } from './products.js';
import { roundToEven } from './unary.js';
import { WINDOW_ATTRIBUTES } from './windows.js';

const BYTES: readonly ElementType[] = ['int8', 'uint8'];
const QUANTISED: readonly ElementType[] = [...BYTES, 'int16', 'uint16'];

const LINEAR_ATTRIBUTES = {
  axis: 'int',
  block_size: 'int',
  saturate: 'int',
  output_dtype: 'int',
  precision: 'int',
} as const;

export const QUANTIZED: Readonly<Record<string, OnnxOperator>> = {
  QuantizeLinear: { attributes: LINEAR_ATTRIBUTES, read: readQuantize },
  DequantizeLinear: { attributes: LINEAR_ATTRIBUTES, read: readDequantize },
  DynamicQuantizeLinear: { attributes: {}, read: readDynamicQuantize },
  ConvInteger: { attributes: { ...WINDOW_ATTRIBUTES, group: 'int' }, read: readConvInteger },
  QLinearConv: { attributes: { ...WINDOW_ATTRIBUTES, group: 'int' }, read: readQLinearConv },
  MatMulInteger: { attributes: {}, read: readMatMulInteger },
  QLinearMatMul: { attributes: {}, read: readQLinearMatMul },
};

/** The axis along which scales go, and whether they fit there. */
function readScales(node: OnnxNode, x: Value, scale: Value, zeroPoint: Value | null): number {
  if (node.int('block_size', 0) !== 0)
    throw node.refuse(UnsupportedError, 'block_size 0', `${node.int('block_size')}`);
  node.checkType(scale, ['float32']);
  const count = sizeOf(scale.shape);
  const axis = count === 1 ? 0 : node.axis(node.int('axis', 1), x.shape.length);
  if (count !== 1 && (scale.shape.length !== 1 || count !== x.shape[axis]))
    throw node.refuse(
      ShapeError,
      `one scale, or ${x.shape[axis]} along axis ${axis}`,
      describeShape(scale.shape),
    );
  if (zeroPoint !== null && sizeOf(zeroPoint.shape) !== count)
    throw node.refuse(ShapeError, `${count} zero points`, describeShape(zeroPoint.shape));
  return axis;
}

function readQuantize(node: OnnxNode): void {
  const [x, scale, zeroPoint] = [node.input(0), node.input(1), node.optional(2)];
  node.checkType(x, ['float32', 'int32']);
  const told = fileType(node.int('output_dtype', 0));
  const type = zeroPoint?.type ?? (told.name === 'undefined' ? 'uint8' : told.type);
  if (type === null || !QUANTISED.includes(type))
    throw node.refuse(UnsupportedError, `a result of ${QUANTISED.join(' or ')}`, type ?? told.name);
  const axis = readScales(node, x, scale, zeroPoint);
  node.become('QuantizeLinear', { axis }, [x, scale, zeroPoint], type, x.shape);
}

function readDequantize(node: OnnxNode): void {
  const [x, scale, zeroPoint] = [node.input(0), node.input(1), node.optional(2)];
  node.checkType(x, [...QUANTISED, 'int32']);
  const axis = readScales(node, x, scale, zeroPoint);
  node.become('DequantizeLinear', { axis }, [x, scale, zeroPoint], 'float32', x.shape);
}

function readDynamicQuantize(node: OnnxNode): void {
  const x = node.input(0);
  node.checkType(x, ['float32']);
  const results = [
    { type: 'uint8' as const, shape: x.shape },
    { type: 'float32' as const, shape: [] },
    { type: 'uint8' as const, shape: [] },
  ];
  node.applyMany('DynamicQuantizeLinear', {}, [x], results).forEach((value, i) => {
    node.result(i, value);
  });
}

/** Zero points of weights: one, or one for each of `count`. */
function checkZeroPoint(node: OnnxNode, zeroPoint: Value | null, type: ElementType, count: number): void {
  if (zeroPoint === null) return;
  node.checkType(zeroPoint, [type]);
  const size = sizeOf(zeroPoint.shape);
  if (size !== 1 && size !== count)
    throw node.refuse(ShapeError, `one zero point, or ${count}`, describeShape(zeroPoint.shape));
}

function checkScale(node: OnnxNode, scale: Value, count: number): void {
  node.checkType(scale, ['float32']);
  const size = sizeOf(scale.shape);
  if (size !== 1 && size !== count)
    throw node.refuse(ShapeError, `one scale, or ${count}`, describeShape(scale.shape));
}

function readConvInteger(node: OnnxNode): void {
  const [x, w, xZero, wZero] = [node.input(0), node.input(1), node.optional(2), node.optional(3)];
  for (const operand of [x, w]) node.checkType(operand, BYTES);
  const { attributes, shape } = readConvolution(node, x, w);
  checkZeroPoint(node, xZero, x.type, 1);
  checkZeroPoint(node, wZero, w.type, w.shape[0]);
  node.become('ConvInteger', attributes, [x, w, xZero, wZero], 'int32', shape);
}

function readQLinearConv(node: OnnxNode): void {
  const [x, xScale, xZero, w, wScale, wZero, yScale, yZero] = Array.from({ length: 8 }, (_, i) =>
    node.input(i),
  );
  const bias = node.optional(8);
  for (const operand of [x, w, yZero]) node.checkType(operand, BYTES);
  const { attributes, shape } = readConvolution(node, x, w);
  checkScale(node, xScale, 1);
  checkScale(node, yScale, 1);
  checkScale(node, wScale, w.shape[0]);
  checkZeroPoint(node, xZero, x.type, 1);
  checkZeroPoint(node, yZero, yZero.type, 1);
  checkZeroPoint(node, wZero, w.type, w.shape[0]);
  if (bias !== null && (bias.type !== 'int32' || sizeOf(bias.shape) !== w.shape[0]))
    throw node.refuse(
      ShapeError,
      `an int32 bias of [${w.shape[0]}]`,
      `${bias.type} of ${describeShape(bias.shape)}`,
    );
  const inputs = [x, xScale, xZero, w, wScale, wZero, yScale, yZero, bias];
  node.become('QLinearConv', attributes, inputs, yZero.type, shape);
}

function readMatMulInteger(node: OnnxNode): void {
  const [a, b, aZero, bZero] = [node.input(0), node.input(1), node.optional(2), node.optional(3)];
  for (const operand of [a, b]) node.checkType(operand, BYTES);
  const shape = productShape(node, a, b);
  checkZeroPoint(node, aZero, a.type, a.shape[a.shape.length - 2] ?? 1);
  checkZeroPoint(node, bZero, b.type, b.shape[b.shape.length - 1]);
  node.become('MatMulInteger', {}, [a, b, aZero, bZero], 'int32', shape);
}

function readQLinearMatMul(node: OnnxNode): void {
  const inputs = Array.from({ length: 8 }, (_, i) => node.input(i));
  const [a, aScale, aZero, b, bScale, bZero, yScale, yZero] = inputs;
  for (const operand of [a, b, yZero]) node.checkType(operand, BYTES);
  const shape = productShape(node, a, b);
  const columns = b.shape[b.shape.length - 1];
  checkScale(node, aScale, 1);
  checkScale(node, yScale, 1);
  checkScale(node, bScale, columns);
  checkZeroPoint(node, aZero, a.type, 1);
  checkZeroPoint(node, bZero, b.type, columns);
  checkZeroPoint(node, yZero, yZero.type, 1);
  node.become('QLinearMatMul', {}, inputs, yZero.type, shape);
}

// ───────────────────────────── evaluation ─────────────────────────────

const f = Math.fround;

const RANGES: Partial<Readonly<Record<ElementType, readonly [low: number, high: number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** A scaled number in units of the result: rounded, of halves to the even one, moved to the zero point, saturated; NaN is the least. */
function toStep(scaled: number, zeroPoint: number, [low, high]: readonly [number, number]): number {
  const step = roundToEven(scaled) + zeroPoint;
  return Number.isNaN(step) ? low : Math.min(Math.max(step, low), high);
}

/** The same in the range of a type. */
export function saturate(scaled: number, zeroPoint: number, type: ElementType): number {
  return toStep(scaled, zeroPoint, rangeOf(type));
}

function rangeOf(type: ElementType): readonly [number, number] {
  return RANGES[type] ?? [-128, 127];
}

/** Calls `row` for each stretch of elements with one scale, with the index of that. */
function overScales(
  x: View,
  axis: number,
  count: number,
  row: (from: number, to: number, index: number) => void,
): void {
  if (count === 1) {
    row(0, x.data.length, 0);
    return;
  }
  const inner = sizeOf(x.shape.slice(axis + 1));
  for (let at = 0, i = 0; at < x.data.length; at += inner, i++) row(at, at + inner, i % count);
}

export const EVALUATE_QUANTIZED: Evaluations<
  | 'QuantizeLinear'
  | 'DequantizeLinear'
  | 'DynamicQuantizeLinear'
  | 'ConvInteger'
  | 'QLinearConv'
  | 'MatMulInteger'
  | 'QLinearMatMul'
> = {
  QuantizeLinear: ({ attributes: { axis }, inputs: [x, scale, zeroPoint], outputs: [y] }) => {
    if (x === null || scale === null || y === null) return;
    const range = rangeOf(y.type);
    overScales(x, axis, scale.data.length, (from, to, c) => {
      const zero = zeroPoint == null ? 0 : zeroPoint.data[c];
      for (let i = from; i < to; i++) y.data[i] = toStep(f(x.data[i] / scale.data[c]), zero, range);
    });
  },
  DequantizeLinear: ({ attributes: { axis }, inputs: [x, scale, zeroPoint], outputs: [y] }) => {
    if (x === null || scale === null || y === null) return;
    overScales(x, axis, scale.data.length, (from, to, c) => {
      const [zero, unit] = [zeroPoint == null ? 0 : zeroPoint.data[c], scale.data[c]];
      const [given, made] = [x.data, y.data];
      for (let i = from; i < to; i++) made[i] = (given[i] - zero) * unit;
    });
  },
  DynamicQuantizeLinear: ({ inputs: [x], outputs: [y, scales, zeroPoints] }) => {
    if (x === null) return;
    let [low, high] = [0, 0];
    for (const value of x.data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const scale = high === low ? 1 : f(f(high - low) / 255);
    const zero = roundToEven(Math.min(Math.max(f(0 - f(low / scale)), 0), 255));
    if (y != null)
      for (let i = 0; i < x.data.length; i++) y.data[i] = toStep(f(x.data[i] / scale), zero, [0, 255]);
    if (scales != null) scales.data[0] = scale;
    if (zeroPoints != null) zeroPoints.data[0] = zero;
  },
  ConvInteger: ({ attributes, inputs: [x, w, xZero, wZero], outputs: [y] }) => {
    if (x === null || w === null || y === null) return;
    y.data.set(integerSums(attributes, x, w, xZero ?? null, wZero ?? null));
  },
  QLinearConv: ({ attributes, inputs, outputs: [y] }) => {
    const [x, xScale, xZero, w, wScale, wZero, yScale, yZero, bias] = inputs;
    if (x === null || w === null || y === null) return;
    if (xScale === null || wScale === null || yScale === null || yZero === null) return;
    const sums = integerSums(attributes, x, w, xZero, wZero);
    const [batch, channels] = y.shape;
    const places = sizeOf(y.shape.slice(2));
    for (let row = 0; row < batch * channels; row++) {
      const c = row % channels;
      const weightScale = wScale.data[wScale.data.length === 1 ? 0 : c];
      const multiplier = f(f(xScale.data[0] * weightScale) / yScale.data[0]);
      const added = bias == null ? 0 : bias.data[c];
      scaleRow(sums, y, row * places, places, added, multiplier, yZero.data[0]);
    }
  },
  MatMulInteger: ({ inputs: [a, b, aZero, bZero], outputs: [y] }) => {
    if (a === null || b === null || y === null) return;
    y.data.set(productSums(a, b, aZero ?? null, bZero ?? null, y.data.length));
  },
  QLinearMatMul: ({ inputs, outputs: [y] }) => {
    const [a, aScale, aZero, b, bScale, bZero, yScale, yZero] = inputs;
    if (a === null || b === null || y === null) return;
    if (aScale === null || bScale === null || yScale === null || yZero === null) return;
    const sums = productSums(a, b, aZero, bZero, y.data.length);
    const columns = b.shape.length === 1 ? 1 : b.shape[b.shape.length - 1];
    for (let i = 0; i < sums.length; i++) {
      const columnScale = bScale.data[bScale.data.length === 1 ? 0 : i % columns];
      const multiplier = f(f(aScale.data[0] * columnScale) / yScale.data[0]);
      scaleRow(sums, y, i, 1, 0, multiplier, yZero.data[0]);
    }
  },
};

function scaleRow(
  sums: Int32Array,
  y: View,
  at: number,
  count: number,
  added: number,
  multiplier: number,
  zeroPoint: number,
): void {
  const range = rangeOf(y.type);
  for (let i = at; i < at + count; i++)
    y.data[i] = toStep(f(f((sums[i] + added) | 0) * multiplier), zeroPoint, range);
}

function integerSums(
  { strides, pads, dilations, groups }: ConvAttributes,
  x: View,
  w: View,
  xZero: View | null,
  wZero: View | null,
): Int32Array {
  const zeros = wZero === null ? 0 : Array.from(wZero.data);
  return convInteger(new Tensor(x.data, x.shape), new Tensor(w.data, w.shape), {
    stride: strides,
    padding: pads,
    dilation: dilations,
    groups,
    inputZeroPoint: xZero === null ? 0 : xZero.data[0],
    weightZeroPoint: zeros,
  }).data;
}

/** Σ (a − a₀)·(b − b₀), modulo 2^32: the product as it stands, less what the zero points add. */
function productSums(a: View, b: View, aZero: View | null, bZero: View | null, size: number): Int32Array {
  const { m, n, k, count, left, right } = productLoops(a.shape, b.shape);
  const sums = uninitialised('int32', size);
  const [rowZeros, columnZeros] = [zerosOf(aZero, m), zerosOf(bZero, n)];
  for (let i = 0; i < count; i++) {
    const from = a.data.subarray(left[i] * m * k, (left[i] + 1) * m * k);
    const by = b.data.subarray(right[i] * k * n, (right[i] + 1) * k * n);
    const into = sums.subarray(i * m * n, (i + 1) * m * n);
    backend().matmul(m, n, k, from, by, into);
    const rowSums = totals(from, m, k, k, 1);
    const columnSums = totals(by, n, k, 1, n);
    for (let r = 0; r < m; r++) {
      for (let c = 0; c < n; c++) {
        const [ra, cb] = [rowZeros[r], columnZeros[c]];
        into[r * n + c] = into[r * n + c] - cb * rowSums[r] - ra * columnSums[c] + k * ra * cb;
      }
    }
  }
  return sums;
}

function zerosOf(zeroPoint: View | null, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    if (zeroPoint === null) return 0;
    return zeroPoint.data[zeroPoint.data.length === 1 ? 0 : i];
  });
}

/** Sums of `count` lines of `length` elements. */
function totals(data: Elements, count: number, length: number, line: number, step: number): Float64Array {
  const sums = new Float64Array(count);
  for (let i = 0; i < count; i++) for (let j = 0; j < length; j++) sums[i] += data[i * line + j * step];
  return sums;
}
