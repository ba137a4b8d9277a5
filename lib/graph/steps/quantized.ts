/**
 * Steps over bytes that stand for real numbers. Scales and zero points must be constants, and weights too; what else a
 * file may say is evaluated.
 */
import { backend } from '../../backend/select.js';
import { type Axis, UNIT_AXIS } from '../../plan/options/axes.js';
import { type ConvPlan, loweredRequest, planConv } from '../../plan/plans/conv.js';
import { planInteger } from '../../plan/plans/integer.js';
import { type ByteDType, uninitialisedLike } from '../../tensor/dtype.js';
import type { Elements, ElementType, GraphNode, NodeOf, Value } from '../graph.js';
import { inputOf, outputOf } from '../operands.js';
import { byteRequest } from '../operators/convolution.js';
import { addScales, meanScale } from '../operators/qlinear.js';
import { sizeOf, stridesOf } from '../shapes.js';
import { copyStep } from './moves.js';
import type { KernelStep, Lowering } from './step.js';

const BYTES = 'bytes, exact sums';
/** Sums in the mean of a plane that an int32 surely holds: native/network/quantized_steps.cc. */
const MOST_AVERAGED = 2 ** 23;

function byteType(type: ElementType): ByteDType | null {
  return type === 'int8' || type === 'uint8' ? type : null;
}

function stepOf(
  node: GraphNode,
  kind: KernelStep['kind'],
  reads: readonly number[],
  writes: number,
  encode: KernelStep['encode'],
): KernelStep {
  const { op: label, sources } = node;
  return { kind, label, algorithm: BYTES, sources, reads, writes: [writes], multiplications: 0, encode };
}

/** The one number of an operand: `absent` where there is no operand, null where it is not known or not one. */
function numberOf(node: GraphNode, index: number, to: Lowering, absent: number | null): number | null {
  const id = node.inputs[index] ?? null;
  if (id === null) return absent;
  const { constant } = to.values[id];
  return constant !== null && constant.length === 1 ? constant[0] : null;
}

/** Zero points of `count` places as int32, of an operand that may be absent; null when they are not known. */
function zerosOf(node: GraphNode, index: number, count: number, to: Lowering): Elements | null {
  const id = node.inputs[index] ?? null;
  const given = id === null ? null : to.values[id].constant;
  if (id !== null && given === null) return null;
  return to.derive(`${count} zero points`, given === null ? [] : [given], () =>
    Int32Array.from({ length: count }, (_, i) => (given === null ? 0 : given[given.length === 1 ? 0 : i])),
  );
}

export function lowerQuantize(
  node: NodeOf<'QuantizeLinear'> | NodeOf<'DequantizeLinear'>,
  to: Lowering,
): boolean {
  const [x, scale, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)].map((id) => to.values[id]);
  const quantizes = node.op === 'QuantizeLinear';
  const [floats, bytes] = quantizes ? [x, byteType(y.type)] : [y, byteType(x.type)];
  if (floats.type !== 'float32' || bytes === null || scale.constant === null || sizeOf(x.shape) === 0)
    return false;
  const count = sizeOf(scale.shape);
  const zeros = zerosOf(node, 2, count, to);
  if (zeros === null) return false;
  const { axis } = node.attributes;
  const inner = count === 1 ? sizeOf(x.shape) : sizeOf(x.shape.slice(axis + 1));
  const outer = count === 1 ? 1 : sizeOf(x.shape.slice(0, axis));
  const scales = scale.constant;
  to.push(
    stepOf(node, quantizes ? 'quantizeLinear' : 'dequantizeLinear', [x.id], y.id, (words) => {
      words.dtype(bytes).push(outer, count, inner).constant(scales).constant(zeros);
      words.operand(x.id).operand(y.id);
    }),
  );
  return true;
}

export function lowerQLinearAdd(node: NodeOf<'QLinearAdd'>, to: Lowering): boolean {
  const [a, b, y] = [inputOf(node, 0), inputOf(node, 3), outputOf(node)].map((id) => to.values[id]);
  const bytes = byteType(y.type);
  const numbers = [1, 4, 6, 2, 5, 7].map((index, i) => numberOf(node, index, to, i < 3 ? null : 0));
  const known = numbers.filter((number) => number !== null);
  if (bytes === null || known.length < numbers.length) return false;
  const scales = addScales(known.slice(0, 3), known.slice(3));
  to.push({
    ...stepOf(node, 'qlinearAdd', [a.id, b.id], y.id, (words) => {
      words.dtype(bytes).push(sizeOf(y.shape), scales.a, scales.b, scales.offset);
      words.operand(a.id).operand(b.id).operand(y.id);
    }),
    overwrites: a.id,
  });
  return true;
}

export function lowerQLinearMean(node: NodeOf<'QLinearMean'>, to: Lowering): boolean {
  const [x, y] = [inputOf(node, 0), outputOf(node)].map((id) => to.values[id]);
  const [from, bytes] = [byteType(x.type), byteType(y.type)];
  const numbers = [1, 3, 2, 4].map((index, i) => numberOf(node, index, to, i < 2 ? null : 0));
  const [xScale, yScale, xZero, yZero] = numbers;
  if (from === null || bytes === null || xScale === null || yScale === null) return false;
  const planes = sizeOf(y.shape);
  const pixels = sizeOf(x.shape) / planes;
  if (xZero === null || yZero === null || !(pixels > 0 && pixels <= MOST_AVERAGED)) return false;
  const scale = meanScale(xScale, yScale, pixels);
  to.push(
    stepOf(node, 'qlinearMean', [x.id], y.id, (words) => {
      words.dtype(from).dtype(bytes).push(planes, pixels, scale, xZero, yZero);
      words.operand(x.id).operand(y.id);
    }),
  );
  return true;
}

/** What scales the sums of a convolution or product, in the order of its operands; null when something is not known. */
interface Scaling {
  readonly multipliers: Elements;
  readonly weightZeros: Elements;
  readonly bias: Elements | null;
  readonly xZero: number;
  readonly yZero: number;
}

function scalingOf(
  node: NodeOf<'QLinearConv'> | NodeOf<'QLinearMatMul'>,
  channels: number,
  to: Lowering,
): Scaling | null {
  const [xScale, xZero, yScale, yZero] = [1, 2, 6, 7].map((index) => numberOf(node, index, to, null));
  const wScale = to.values[inputOf(node, 4)].constant;
  const weightZeros = zerosOf(node, 5, channels, to);
  const biasId = node.inputs[8] ?? null;
  const bias = biasId === null ? null : to.values[biasId].constant;
  if (xScale === null || xZero === null || yScale === null || yZero === null) return null;
  if (wScale === null || weightZeros === null || (biasId !== null && bias === null)) return null;
  const f = Math.fround;
  const multipliers = to.derive(`multipliers ${xScale} ${yScale} ${channels}`, [wScale], () =>
    Float32Array.from({ length: channels }, (_, i) =>
      f(f(xScale * wScale[wScale.length === 1 ? 0 : i]) / yScale),
    ),
  );
  return { multipliers, weightZeros, bias, xZero, yZero };
}

function convolutionStep(
  node: NodeOf<'QLinearConv'> | NodeOf<'QLinearMatMul'>,
  conv: ConvPlan,
  weightDType: ByteDType,
  weight: Elements,
  { multipliers, weightZeros, bias, xZero, yZero }: Scaling,
  x: number,
  y: number,
  outputDType: ByteDType,
): KernelStep {
  const geometry = { conv, weightDType, outputDType, inputZeroPoint: xZero, outputZeroPoint: yZero };
  const { wire } = planInteger(geometry, 0);
  return {
    ...stepOf(node, 'qlinearConv', [x], y, (words) => {
      words
        .push(...wire)
        .constant(weight)
        .constant(weightZeros)
        .constant(bias)
        .constant(multipliers);
      words.operand(x).operand(y);
    }),
    multiplications: sizeOf(conv.outputShape) * sizeOf(conv.weightShape.slice(1)),
  };
}

export function lowerQLinearConv(node: NodeOf<'QLinearConv'>, to: Lowering): boolean {
  const [x, w, y] = [inputOf(node, 0), inputOf(node, 3), outputOf(node)].map((id) => to.values[id]);
  const [from, weightDType, bytes] = [x, w, y].map(({ type }) => byteType(type));
  const scaling = scalingOf(node, w.shape[0], to);
  if (from === null || weightDType === null || bytes === null || w.constant === null || scaling === null)
    return false;
  if (x.shape.length > 5 || sizeOf(y.shape) === 0) return false;
  const conv = planConv(byteRequest(node.attributes, from, x.shape, y.shape), backend().machine);
  to.push(convolutionStep(node, conv, weightDType, w.constant, scaling, x.id, y.id, bytes));
  return true;
}

/** Rows that are images of one pixel each; more of them are the pixels of one image, which takes two transposes. */
const MOST_IMAGES = 4;

/** A product by a constant matrix. */
export function lowerQLinearMatMul(node: NodeOf<'QLinearMatMul'>, to: Lowering): boolean {
  const [a, b, y] = [inputOf(node, 0), inputOf(node, 3), outputOf(node)].map((id) => to.values[id]);
  const [from, weightDType, bytes] = [a, b, y].map(({ type }) => byteType(type));
  if (from === null || weightDType === null || bytes === null || b.constant === null) return false;
  if (b.shape.length !== 2 || a.shape.length === 0 || sizeOf(y.shape) === 0) return false;
  const [k, n] = b.shape;
  const scaling = scalingOf(node, n, to);
  if (scaling === null) return false;
  const rows = sizeOf(a.shape) / k;
  const matrix = b.constant;
  const weight = to.derive(`transpose of ${k}×${n}`, [matrix], () => transposed(matrix, k, n));
  const areImages = rows <= MOST_IMAGES;
  const pixels = areImages ? 1 : rows;
  const axis: Axis = { ...UNIT_AXIS, in: pixels, out: pixels };
  const sizes = { batch: areImages ? rows : 1, inChannels: k, outChannels: n, axes: [axis] };
  const window = { rank: 1, groups: 1, paddingMode: 'zeros' } as const;
  const conv = planConv(loweredRequest(from, window, sizes), backend().machine);
  if (areImages) {
    to.push(convolutionStep(node, conv, weightDType, weight, scaling, a.id, y.id, bytes));
    return true;
  }
  const planes = to.temporary(`${a.name} by columns`, a.type, [k, rows]);
  const result = to.temporary(`${y.name} by columns`, y.type, [n, rows]);
  to.push(transpose(node, to.values, a, [rows, k], planes));
  to.push(convolutionStep(node, conv, weightDType, weight, scaling, planes, result, bytes));
  to.push(transpose(node, to.values, to.values[result], [n, rows], y.id));
  return true;
}

/** Rows whose elements of one column are read together: as many lines as L1 surely holds, and a line of bytes to write. */
const ROWS_AT_ONCE = 64;

function transposed(matrix: Elements, rows: number, columns: number): Elements {
  const result = uninitialisedLike(matrix, matrix.length);
  for (let first = 0; first < rows; first += ROWS_AT_ONCE) {
    const end = Math.min(rows, first + ROWS_AT_ONCE);
    for (let j = 0; j < columns; j++)
      for (let i = first; i < end; i++) result[j * rows + i] = matrix[i * columns + j];
  }
  return result;
}

function transpose(
  { sources }: GraphNode,
  values: readonly Value[],
  from: Value,
  [rows, columns]: readonly [number, number],
  to: number,
): KernelStep {
  const step = copyStep(
    { label: 'Transpose', sources },
    values,
    [columns, rows],
    { value: from.id, first: 0, strides: [1, columns] },
    { value: to, first: 0, strides: stridesOf([columns, rows]) },
  );
  if (step === null) throw new Error('two axes are copied in one step');
  return step;
}
