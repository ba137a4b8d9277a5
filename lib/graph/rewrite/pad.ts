/** Zeros around an image are the convolution's own padding. */
import type { NodeOf } from '../graph.js';
import { inputOf } from '../operands.js';
import type { Draft, Rule } from './draft.js';

export const foldPad: Rule = {
  name: 'padding into the convolution or pooling behind it',
  apply(draft, node) {
    if (node.op !== 'Conv' && node.op !== 'AveragePool' && node.op !== 'MaxPool') return false;
    if (node.op === 'AveragePool' && !node.attributes.countIncludePad) return false;
    if (node.op === 'MaxPool' && node.outputs[1] != null) return false;
    const pad = draft.only(node, 0, 'Pad');
    if (pad === null || pad.attributes.mode !== 'constant') return false;
    if (!isTakenAs(draft, pad, node.op === 'MaxPool')) return false;
    const { before, after } = pad.attributes;
    if ([...before, ...after].some((n) => n < 0) || before[0] + after[0] + before[1] + after[1] > 0)
      return false;
    const pads = node.attributes.pads.map(([b, a], axis): [number, number] => [
      b + before[axis + 2],
      a + after[axis + 2],
    ]);
    // Pooling's windows hold an element of the image each, and its padding is smaller than they are.
    if (node.op !== 'Conv' && pads.some(([b, a], axis) => Math.max(b, a) >= node.attributes.kernel[axis]))
      return false;
    draft.remove(pad);
    const inputs = [pad.inputs[0], ...node.inputs.slice(1)];
    const sources = [...pad.sources, ...node.sources];
    if (node.op === 'Conv')
      draft.replace(node, 'Conv', { ...node.attributes, pads }, inputs, node.outputs, sources);
    else if (node.op === 'MaxPool')
      draft.replace(node, 'MaxPool', { ...node.attributes, pads }, inputs, node.outputs, sources);
    else draft.replace(node, 'AveragePool', { ...node.attributes, pads }, inputs, node.outputs, sources);
    return true;
  },
};

/** A maximum takes the lowest value for padding, and zeros where nothing in the image is below. */
function isTakenAs(draft: Draft, pad: NodeOf<'Pad'>, lowest: boolean): boolean {
  const { value } = pad.attributes;
  if (!lowest) return value === 0;
  if (value === -Infinity) return true;
  const producer = draft.producer(inputOf(pad, 0));
  return value === 0 && producer?.op === 'Unary' && producer.attributes.fn === 'Relu';
}
