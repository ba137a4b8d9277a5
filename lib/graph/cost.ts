/** What an operation costs, counted from its shapes. */

import { BYTES } from '../tensor/dtype.js';
import { storageOf } from './elements.js';
import type { Graph, GraphNode } from './graph.js';
import { sizeOf } from './shapes.js';

/** Multiplications of numbers by numbers, as the definition of the operation has them. */
export function multiplicationsOf(node: GraphNode, graph: Pick<Graph, 'values'>): number {
  const shape = (id: number | null | undefined) => (id == null ? [] : graph.values[id].shape);
  const size = (id: number | null | undefined) => (id == null ? 0 : sizeOf(graph.values[id].shape));
  const [x, y] = [node.inputs[0], node.outputs[0]];
  switch (node.op) {
    case 'Conv':
    case 'ConvInteger':
      return size(y) * sizeOf(shape(node.inputs[1]).slice(1));
    case 'QLinearConv':
      return size(y) * (sizeOf(shape(node.inputs[3]).slice(1)) + 1);
    case 'ConvTranspose':
      return size(x) * sizeOf(shape(node.inputs[1]).slice(1));
    case 'Gemm':
      return size(y) * (node.attributes.transA ? shape(x)[0] : shape(x)[1]);
    case 'MatMul':
    case 'MatMulInteger':
    case 'QLinearMatMul':
      return size(y) * (shape(x).at(-1) ?? 1);
    case 'BatchNormalization':
    case 'QLinearAdd':
    case 'QuantizeLinear':
    case 'DequantizeLinear':
      return size(y);
    case 'InstanceNormalization':
    case 'LayerNormalization':
    case 'GroupNormalization':
      return 2 * size(y);
    case 'LRN':
      return (node.attributes.size + 2) * size(y);
    case 'AveragePool':
      return size(y);
    case 'Binary':
      return node.attributes.fn === 'Mul' || node.attributes.fn === 'Div' ? size(y) : 0;
    case 'Resize':
      return node.attributes.mode === 'nearest'
        ? 0
        : size(y) * node.attributes.axes.reduce((taps, axis) => taps + axis.taps, 0);
    case 'Softmax':
    case 'LogSoftmax':
      return size(y);
    default:
      return 0;
  }
}

/** Bytes that an operation reads and writes. */
export function bytesOf(node: GraphNode, graph: Pick<Graph, 'values'>): number {
  let bytes = 0;
  for (const id of [...node.inputs, ...node.outputs]) {
    if (id === null) continue;
    const { type, shape } = graph.values[id];
    bytes += sizeOf(shape) * BYTES[storageOf(type)];
  }
  return bytes;
}
