/** Layer normalization spelt in its operations: (x − mean)/√(mean of (x − mean)² + ε)·scale + bias. */
import type { GraphNode, NodeOf } from '../graph.js';
import { inputOf } from '../operands.js';
import { constantOperand, type Draft, type Rule, scalarOf } from './draft.js';

export const recogniseLayerNormalization: Rule = {
  name: 'layer normalization spelt in several operations',
  apply(draft, node) {
    if (node.op !== 'Binary' || node.attributes.fn !== 'Div') return false;
    const [centred, root] = [inputOf(node, 0), draft.producer(inputOf(node, 1))];
    const sub = draft.producer(centred);
    if (sub?.op !== 'Binary' || sub.attributes.fn !== 'Sub') return false;
    const x = draft.value(inputOf(sub, 0));
    if (x.type !== 'float32' || !isMeanOfLast(draft, inputOf(sub, 1), x.id)) return false;
    if (root?.op !== 'Unary' || root.attributes.fn !== 'Sqrt') return false;
    const sum = draft.producer(inputOf(root, 0));
    if (sum?.op !== 'Binary' || sum.attributes.fn !== 'Add') return false;
    const found = constantOperand(draft, sum);
    const epsilon = found === null ? null : scalarOf(found.constant);
    if (found === null || epsilon === null) return false;
    const mean = draft.producer(inputOf(sum, found.other));
    if (mean?.op !== 'Reduce' || mean.attributes.fn !== 'Mean' || !isOverLast(mean, x.shape.length))
      return false;
    if (!isSquare(draft, inputOf(mean, 0), centred)) return false;

    const width = x.shape[x.shape.length - 1];
    const axis = x.shape.length - 1;
    const ones = draft.derive(`ones ${width}`, [], [width], () => new Float32Array(width).fill(1));
    const zeros = draft.derive(`zeros ${width}`, [], [width], () => new Float32Array(width));
    const inputs = [x.id, ones, zeros];
    const sources = [...sub.sources, ...mean.sources, ...sum.sources, ...root.sources, ...node.sources];
    draft.replace(node, 'LayerNormalization', { axis, epsilon }, inputs, [node.outputs[0]], sources);
    return true;
  },
};

/** A product or a sum with a constant row behind a normalization that has none yet. */
export const foldLayerScale: Rule = {
  name: 'scale and bias into the layer normalization before them',
  apply(draft, node) {
    if (node.op !== 'Binary' || (node.attributes.fn !== 'Mul' && node.attributes.fn !== 'Add')) return false;
    const found = constantOperand(draft, node);
    if (found === null || found.constant.type !== 'float32') return false;
    const norm = draft.only(node, found.other, 'LayerNormalization');
    if (norm === null || norm.outputs.slice(1).some((id) => id != null)) return false;
    const [x, scale, bias] = [0, 1, 2].map((i) => draft.operand(norm, i));
    if (x === null || scale === null || bias === null || bias.constant === null) return false;
    const width = scale.shape[scale.shape.length - 1];
    const row = found.constant;
    if (row.constant === null || row.constant.length !== width || row.shape[row.shape.length - 1] !== width)
      return false;
    const isScale = node.attributes.fn === 'Mul';
    const taken = isScale ? scalarOf(scale) === 1 && scalarOf(bias) === 0 : scalarOf(bias) === 0;
    if (!taken || norm.attributes.axis !== x.shape.length - 1) return false;
    const flat = draft.addConstant(row.name, 'float32', [width], row.constant);
    const inputs = isScale ? [x.id, flat, bias.id] : [x.id, scale.id, flat];
    draft.remove(norm);
    draft.replace(node, 'LayerNormalization', norm.attributes, inputs, node.outputs, [
      ...norm.sources,
      ...node.sources,
    ]);
    return true;
  },
};

function isOverLast(node: NodeOf<'Reduce'>, rank: number): boolean {
  const { axes, keepDims } = node.attributes;
  return keepDims && axes.length === 1 && axes[0] === rank - 1;
}

function isMeanOfLast(draft: Draft, id: number, x: number): boolean {
  const mean = draft.producer(id);
  if (mean?.op !== 'Reduce' || mean.attributes.fn !== 'Mean' || mean.inputs[0] !== x) return false;
  return isOverLast(mean, draft.value(x).shape.length);
}

function isSquare(draft: Draft, id: number, of: number): boolean {
  const square: GraphNode | undefined = draft.producer(id);
  if (square?.op !== 'Binary') return false;
  if (square.attributes.fn === 'Mul') return square.inputs[0] === of && square.inputs[1] === of;
  return (
    square.attributes.fn === 'Pow' && square.inputs[0] === of && scalarOf(draft.operand(square, 1)) === 2
  );
}
