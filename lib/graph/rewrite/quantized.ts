/**
 * Float operators between DequantizeLinear and QuantizeLinear are operators of bytes, as onnxruntime takes them: what they
 * compute is the operator of bytes, not float arithmetic. Scales of bytes that meet are constants, one for each tensor.
 */
import type { ConvAttributes, Dequantized, Elements, GraphNode, NodeOf, Value } from '../graph.js';
import { inputOf, outputOf } from '../operands.js';
import { sizeOf } from '../shapes.js';
import { type Draft, type Rule, scalarOf } from './draft.js';

const isByte = ({ type }: Value) => type === 'int8' || type === 'uint8';

/** What a float operand is made from, if it is made from integers. */
function originOf(draft: Draft, id: number | null): Dequantized | null {
  if (id === null) return null;
  const { dequantized } = draft.value(id);
  if (dequantized !== undefined) return dequantized;
  const node = draft.producer(id);
  if (node?.op !== 'DequantizeLinear') return null;
  return {
    value: inputOf(node, 0),
    scale: inputOf(node, 1),
    zero: node.inputs[2] ?? null,
    axis: node.attributes.axis,
  };
}

/** An operand of bytes with one scale. */
function wholeOf(draft: Draft, id: number | null): Dequantized | null {
  const origin = originOf(draft, id);
  if (origin === null || !isByte(draft.value(origin.value))) return null;
  return scalarOf(draft.value(origin.scale)) === null ? null : origin;
}

/** Weights of bytes with one scale, or one for each place of the axis. */
function weightOf(draft: Draft, id: number | null, axis: number): Dequantized | null {
  const origin = originOf(draft, id);
  if (origin === null) return null;
  const [value, scale] = [draft.value(origin.value), draft.value(origin.scale)];
  if (!isByte(value) || value.constant === null || scale.constant === null) return null;
  return scale.constant.length === 1 || origin.axis === axis ? origin : null;
}

/** A bias of int32 in units of the products: null for none, undefined where there is another. */
function biasOf(draft: Draft, id: number | null, x: Dequantized, w: Dequantized): number | null | undefined {
  if (id === null) return null;
  const origin = originOf(draft, id);
  if (origin === null || draft.value(origin.value).type !== 'int32') return undefined;
  const zero = origin.zero === null ? 0 : scalarOf(draft.value(origin.zero));
  const scales = draft.value(origin.scale).constant;
  const [xScale, wScales] = [scalarOf(draft.value(x.scale)), draft.value(w.scale).constant];
  if (zero !== 0 || scales === null || xScale === null || wScales === null) return undefined;
  const unit = (of: Elements, i: number) => of[of.length === 1 ? 0 : i];
  for (let i = 0; i < Math.max(scales.length, wScales.length); i++) {
    const product = xScale * unit(wScales, i);
    if (Math.abs(unit(scales, i) - product) > 1e-5 * Math.abs(product)) return undefined;
  }
  return origin.value;
}

/** The float operation whose result is quantized, with the activation between them that the range of bytes holds. */
function quantizedBy(draft: Draft, node: NodeOf<'QuantizeLinear'>): GraphNode[] | null {
  const y = draft.value(outputOf(node));
  if (!isByte(y) || scalarOf(draft.operand(node, 1)) === null) return null;
  const before = onlyProducer(draft, node);
  if (before?.op !== 'Unary') return before === null ? null : [before];
  const bounds = boundsOf(before);
  if (bounds === null || !holds(draft, node, bounds)) return null;
  const operation = onlyProducer(draft, before);
  return operation === null ? null : [operation, before];
}

function onlyProducer(draft: Draft, node: GraphNode): GraphNode | null {
  const id = inputOf(node, 0);
  const producer = draft.producer(id);
  if (producer === undefined || draft.isOutput(id) || draft.readers(id).size !== 1) return null;
  return producer;
}

function boundsOf({ attributes: { fn, alpha, beta } }: NodeOf<'Unary'>): [number, number] | null {
  if (fn === 'Relu') return [0, Infinity];
  return fn === 'Clip' ? [alpha, beta] : null;
}

/** Whether no byte stands for a number beyond the bounds. */
function holds(draft: Draft, node: NodeOf<'QuantizeLinear'>, [low, high]: [number, number]): boolean {
  const [scale, zero] = [
    scalarOf(draft.operand(node, 1)),
    node.inputs[2] == null ? 0 : scalarOf(draft.operand(node, 2)),
  ];
  if (scale === null || zero === null) return false;
  const least = draft.value(outputOf(node)).type === 'int8' ? -128 : 0;
  return (least - zero) * scale >= low && (least + 255 - zero) * scale <= high;
}

/** The zero point of a value, made where the file has none. */
function zeroPoint(draft: Draft, zero: number | null, of: Value): number {
  if (zero !== null) return zero;
  return draft.addConstant(
    'zero point',
    of.type,
    [],
    of.type === 'int8' ? new Int8Array(1) : new Uint8Array(1),
  );
}

export const fuseQuantized: Rule = {
  name: 'operators of bytes',
  apply(draft, node) {
    if (node.op !== 'QuantizeLinear') return false;
    const nodes = quantizedBy(draft, node);
    if (nodes === null) return false;
    const [operation] = nodes;
    const sources = [...nodes, node].flatMap((n) => n.sources);
    const y: Result = { node, sources, scale: inputOf(node, 1), zero: node.inputs[2] ?? null };
    switch (operation.op) {
      case 'Conv':
        return fuseConv(draft, operation, y);
      case 'MatMul':
        return fuseMatMul(draft, operation, y);
      case 'Gemm':
        return fuseGemm(draft, operation, y);
      case 'Binary':
        return operation.attributes.fn === 'Add' && fuseAdd(draft, operation, y);
      case 'Reduce':
        return fuseMean(draft, operation, y);
      case 'DequantizeLinear':
      case 'MaxPool':
      case 'Reshape':
      case 'Transpose':
        return nodes.length === 1 && dropBetween(draft, operation, y);
      default:
        return false;
    }
  },
};

interface Result {
  readonly node: NodeOf<'QuantizeLinear'>;
  readonly sources: readonly string[];
  readonly scale: number;
  readonly zero: number | null;
}

function operandsOf(draft: Draft, { value, scale, zero }: Dequantized): [number, number, number] {
  return [value, scale, zeroPoint(draft, zero, draft.value(value))];
}

function resultOperands(draft: Draft, { node, scale, zero }: Result): [number, number] {
  return [scale, zeroPoint(draft, zero, draft.value(outputOf(node)))];
}

function fuseConv(draft: Draft, conv: NodeOf<'Conv'>, y: Result): boolean {
  const x = wholeOf(draft, inputOf(conv, 0));
  const w = weightOf(draft, inputOf(conv, 1), 0);
  const bias = x === null || w === null ? undefined : biasOf(draft, conv.inputs[2] ?? null, x, w);
  if (x === null || w === null || bias === undefined) return false;
  const inputs = [...operandsOf(draft, x), ...operandsOf(draft, w), ...resultOperands(draft, y), bias];
  draft.replace(y.node, 'QLinearConv', conv.attributes, inputs, y.node.outputs, y.sources);
  return true;
}

function fuseMatMul(draft: Draft, matmul: NodeOf<'MatMul'>, y: Result): boolean {
  const [a, b] = [wholeOf(draft, inputOf(matmul, 0)), wholeOf(draft, inputOf(matmul, 1))];
  const last = draft.value(inputOf(matmul, 1)).shape.length - 1;
  const weight = b ?? weightOf(draft, inputOf(matmul, 1), last);
  if (a === null || weight === null) return false;
  const inputs = [...operandsOf(draft, a), ...operandsOf(draft, weight), ...resultOperands(draft, y)];
  draft.replace(y.node, 'QLinearMatMul', {}, inputs, y.node.outputs, y.sources);
  return true;
}

/** Rows of one pixel each, when the matrix lies as weights do. */
const POINTWISE: ConvAttributes = { kernel: [1], strides: [1], dilations: [1], pads: [[0, 0]], groups: 1 };

function fuseGemm(draft: Draft, gemm: NodeOf<'Gemm'>, y: Result): boolean {
  const { alpha, beta, transA, transB } = gemm.attributes;
  const a = wholeOf(draft, inputOf(gemm, 0));
  const b = weightOf(draft, inputOf(gemm, 1), 0);
  if (a === null || b === null || alpha !== 1 || beta !== 1 || transA || !transB) return false;
  const bias = biasOf(draft, gemm.inputs[2] ?? null, a, b);
  const [rows, k] = draft.value(inputOf(gemm, 0)).shape;
  const weight = draft.value(b.value);
  const n = weight.shape[0];
  if (bias === undefined || weight.constant === null) return false;
  if (bias !== null && sizeOf(draft.value(bias).shape) !== n) return false;
  const from = draft.value(a.value);
  const images = draft.addValue(`${from.name} as images`, from.type, [rows, k, 1]);
  const kernels = draft.addConstant(weight.name, weight.type, [n, k, 1], weight.constant);
  const result = draft.value(outputOf(y.node));
  const sums = draft.addValue(`${result.name} as images`, result.type, [rows, n, 1]);
  const [, ...aGrid] = operandsOf(draft, a);
  const [, ...bGrid] = operandsOf(draft, b);
  const inputs = [images, ...aGrid, kernels, ...bGrid, ...resultOperands(draft, y), bias];
  const at = draft.nodes.indexOf(y.node);
  draft.insert(at, 'QLinearConv', POINTWISE, inputs, [sums], y.sources);
  draft.insert(at, 'Reshape', {}, [a.value], [images], []);
  draft.replace(y.node, 'Reshape', {}, [sums], y.node.outputs, []);
  return true;
}

function fuseAdd(draft: Draft, sum: NodeOf<'Binary'>, y: Result): boolean {
  const [a, b] = [wholeOf(draft, inputOf(sum, 0)), wholeOf(draft, inputOf(sum, 1))];
  const result = draft.value(outputOf(y.node));
  if (a === null || b === null) return false;
  const isAlike = ({ value }: Dequantized) => {
    const { type, shape } = draft.value(value);
    return type === result.type && sizeOf(shape) === sizeOf(result.shape);
  };
  if (!isAlike(a) || !isAlike(b)) return false;
  const inputs = [...operandsOf(draft, a), ...operandsOf(draft, b), ...resultOperands(draft, y)];
  draft.replace(y.node, 'QLinearAdd', {}, inputs, y.node.outputs, y.sources);
  return true;
}

function fuseMean(draft: Draft, { attributes, inputs }: NodeOf<'Reduce'>, y: Result): boolean {
  const x = wholeOf(draft, inputs[0]);
  if (x === null || attributes.fn !== 'Mean' || !attributes.keepDims) return false;
  const { type, shape } = draft.value(x.value);
  const isSpatial =
    shape.length > 2 && attributes.axes.length === shape.length - 2 && !attributes.axes.some((a) => a < 2);
  if (!isSpatial || type !== draft.value(outputOf(y.node)).type) return false;
  const operands = [...operandsOf(draft, x), ...resultOperands(draft, y)];
  draft.replace(y.node, 'QLinearMean', {}, operands, y.node.outputs, y.sources);
  return true;
}

/** What moves elements, or picks the largest, does the same to bytes of one scale. */
function dropBetween(
  draft: Draft,
  operation: NodeOf<'DequantizeLinear'> | NodeOf<'MaxPool'> | NodeOf<'Reshape'> | NodeOf<'Transpose'>,
  y: Result,
): boolean {
  const x = wholeOf(draft, operation.op === 'DequantizeLinear' ? outputOf(operation) : inputOf(operation, 0));
  if (x === null || operation.outputs.slice(1).some((id) => id !== null)) return false;
  const same = (p: number | null, q: number | null) =>
    (p === null ? 0 : scalarOf(draft.value(p))) === (q === null ? 0 : scalarOf(draft.value(q)));
  const isSame = same(x.scale, y.scale) && same(x.zero, y.zero);
  if (!isSame || draft.value(x.value).type !== draft.value(outputOf(y.node)).type) return false;
  const { outputs } = y.node;
  if (operation.op === 'MaxPool')
    draft.replace(y.node, 'MaxPool', operation.attributes, [x.value], outputs, y.sources);
  else if (operation.op === 'Transpose')
    draft.replace(y.node, 'Transpose', operation.attributes, [x.value], outputs, y.sources);
  else draft.replace(y.node, 'Reshape', {}, [x.value], outputs, y.sources);
  return true;
}
