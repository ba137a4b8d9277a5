/** Scales and shifts of channels go into the weights of the convolution, or of the Gemm, that they follow. */

import { StoredFloats } from '../../onnx-file/stored-floats.js';
import { uninitialised } from '../../tensor/dtype.js';
import type { GraphNode, Known, NodeOf, Value } from '../graph.js';
import { float32Of, inputOf, outputOf } from '../operands.js';
import { constantOperand, type Draft, perChannel, type Rule } from './draft.js';

/** y·scale[c] + shift[c], for each channel c. */
interface ChannelMap {
  readonly scale: Float32Array;
  readonly shift: Float32Array;
  readonly sources: readonly Known[];
  readonly what: string;
}

export const foldBatchNormalization: Rule = {
  name: 'batch normalization into the weights before it',
  apply(draft, node) {
    if (node.op !== 'BatchNormalization') return false;
    const channels = draft.value(inputOf(node, 0)).shape[1];
    const map = normalizationMap(draft, node, channels);
    return map !== null && foldInto(draft, node, 0, map);
  },
};

/** What is left of batch normalization is a product and a sum. */
export const splitBatchNormalization: Rule = {
  name: 'batch normalization as a product and a sum',
  apply(draft, node) {
    if (node.op !== 'BatchNormalization') return false;
    const [x, y] = [draft.value(inputOf(node, 0)), outputOf(node)];
    const map = normalizationMap(draft, node, x.shape[1]);
    if (map === null || x.type !== 'float32') return false;
    const shape = [x.shape[1], ...x.shape.slice(2).map(() => 1)];
    const scale = draft.derive(`${map.what} scale`, map.sources, shape, () => map.scale);
    const shift = draft.derive(`${map.what} shift`, map.sources, shape, () => map.shift);
    const scaled = draft.addValue(`${draft.value(y).name} scaled`, x.type, x.shape);
    const at = draft.nodes.indexOf(node);
    draft.replace(node, 'Binary', { fn: 'Add' }, [scaled, shift], [y], node.sources);
    draft.insert(at, 'Binary', { fn: 'Mul' }, [x.id, scale], [scaled], node.sources);
    return true;
  },
};

export const foldChannelMap: Rule = {
  name: 'constant product or sum into the weights before it',
  apply(draft, node) {
    if (node.op !== 'Binary') return false;
    const { fn } = node.attributes;
    if (fn !== 'Mul' && fn !== 'Add' && fn !== 'Sub' && fn !== 'Div') return false;
    const found = constantOperand(draft, node);
    if (found === null || ((fn === 'Sub' || fn === 'Div') && found.other !== 0)) return false;
    const y = draft.value(outputOf(node));
    const x = draft.value(inputOf(node, found.other));
    if (x.shape.length !== y.shape.length || x.shape.some((size, axis) => size !== y.shape[axis]))
      return false;
    const values = perChannel(found.constant, x.shape[1], x.shape.length);
    if (values === null || x.shape.length < 2) return false;
    const [one, none] = [new Float32Array(values.length).fill(1), new Float32Array(values.length)];
    const map: ChannelMap = {
      scale: fn === 'Mul' ? values : fn === 'Div' ? values.map((v) => 1 / v) : one,
      shift: fn === 'Add' ? values : fn === 'Sub' ? values.map((v) => -v) : none,
      sources: found.constant.constant === null ? [] : [found.constant.constant],
      what: fn,
    };
    return foldInto(draft, node, found.other, map);
  },
};

function normalizationMap(
  draft: Draft,
  node: NodeOf<'BatchNormalization'>,
  channels: number,
): ChannelMap | null {
  const parameters = [1, 2, 3, 4].map((i) => draft.operand(node, i));
  const arrays = parameters.flatMap((value) =>
    value?.constant?.length === channels ? [value.constant] : [],
  );
  if (arrays.length !== parameters.length) return null;
  const [gamma, beta, mean, variance] = arrays;
  const { epsilon } = node.attributes;
  const scale = Float32Array.from(gamma, (g, c) => g / Math.sqrt(variance[c] + epsilon));
  // In float64: the difference of two products that may be close.
  const shift = Float32Array.from(
    beta,
    (b, c) => b - (mean[c] * gamma[c]) / Math.sqrt(variance[c] + epsilon),
  );
  return { scale, shift, sources: arrays, what: `normalized ${epsilon}` };
}

/** Whether the map went into the node that writes operand `index`. */
function foldInto(draft: Draft, node: GraphNode, index: number, map: ChannelMap): boolean {
  const conv =
    draft.only(node, index, 'Conv') ??
    draft.only(node, index, 'ConvTranspose') ??
    draft.only(node, index, 'Gemm');
  if (conv === null) return false;
  const [w, b] = [draft.operand(conv, 1), draft.operand(conv, 2)];
  if (w === null || w.known === null || w.type !== 'float32') return false;
  if (b !== null && b.known === null) return false;
  const channels = map.scale.length;
  if (conv.op === 'Gemm' && (conv.attributes.alpha !== 1 || (b !== null && conv.attributes.beta !== 1)))
    return false;
  const bias = b === null ? new Float32Array(channels) : biasOf(b, channels);
  if (bias === null || draft.value(outputOf(conv)).shape[1] !== channels) return false;

  const weights = w.known;
  const isIdentity = map.scale.every((s) => s === 1);
  const scaled = isIdentity
    ? w.id
    : draft.derive(`${map.what} ${conv.op} ${shapeKey(conv, w)}`, [weights, ...map.sources], w.shape, () =>
        scaleWeights(conv, w, map.scale),
      );
  const sources = b?.constant == null ? [weights, ...map.sources] : [b.constant, weights, ...map.sources];
  const shifted = draft.derive(`${map.what} bias`, sources, [channels], () =>
    bias.map((value, c) => value * map.scale[c] + map.shift[c]),
  );
  draft.remove(conv);
  draft.replace(
    node,
    conv.op,
    conv.attributes,
    [conv.inputs[0], scaled, shifted],
    [node.outputs[0]],
    [...conv.sources, ...node.sources],
  );
  return true;
}

function shapeKey(conv: GraphNode, w: Value): string {
  const turned = conv.op === 'Gemm' && conv.attributes.transB ? 'ᵀ' : '';
  const groups = conv.op === 'ConvTranspose' ? ` ${conv.attributes.groups}` : '';
  return `${w.shape.join('×')}${turned}${groups}`;
}

function biasOf(b: Value, channels: number): Float32Array | null {
  if (b.constant === null || b.type !== 'float32') return null;
  if (b.constant.length === 1) return new Float32Array(channels).fill(b.constant[0]);
  const isRow = b.constant.length === channels && b.shape[b.shape.length - 1] === channels;
  return isRow ? Float32Array.from(b.constant) : null;
}

function scaleWeights(
  conv: NodeOf<'Conv'> | NodeOf<'ConvTranspose'> | NodeOf<'Gemm'>,
  w: Value,
  scale: Float32Array,
): Known {
  const isByRows = conv.op === 'Conv' || (conv.op === 'Gemm' && conv.attributes.transB);
  if (isByRows && w.known instanceof StoredFloats) return w.known.scaled(scale);
  const from = float32Of(w.constant);
  const to = uninitialised('float32', from.length);
  const [first, second] = w.shape;
  if (isByRows) {
    const inner = from.length / first;
    for (let i = 0, oc = 0; oc < first; oc++) {
      const factor = scale[oc];
      for (const end = i + inner; i < end; i++) to[i] = from[i] * factor;
    }
    return to;
  }
  // [ic, oc / groups, taps]: the channel of the result counts within the group of ic.
  const inner = from.length / (first * second);
  const groups = conv.op === 'ConvTranspose' ? conv.attributes.groups : 1;
  const inPerGroup = first / groups;
  for (let i = 0, ic = 0; ic < first; ic++) {
    const base = conv.op === 'ConvTranspose' ? Math.floor(ic / inPerGroup) * second : 0;
    for (let oc = 0; oc < second; oc++)
      for (let t = 0; t < inner; t++, i++) to[i] = from[i] * scale[base + oc];
  }
  return to;
}
