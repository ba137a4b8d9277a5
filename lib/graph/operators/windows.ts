/** Windows of convolutions and pooling: kernel_shape, strides, dilations, pads and auto_pad, resolved. */
import { describe, describeShape } from '../../check.js';
import { ArgumentError, ShapeError, UnsupportedError } from '../../errors.js';
import { extent, type Rank } from '../../plan/options/axes.js';
import type { Window } from '../graph.js';
import type { AttributeForm, OnnxNode } from '../onnx-node.js';

export const AUTO_PAD: AttributeForm = ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'];

export const WINDOW_ATTRIBUTES: Readonly<Record<string, AttributeForm>> = {
  auto_pad: AUTO_PAD,
  dilations: 'ints',
  kernel_shape: 'ints',
  pads: 'ints',
  strides: 'ints',
};

/** kernel_shape, strides and dilations for this many spatial axes. */
export function readSteps(
  node: OnnxNode,
  spatial: number,
  kernel = node.ints('kernel_shape'),
): Omit<Window, 'pads'> {
  if (spatial < 1 || spatial > 3)
    throw node.refuse(UnsupportedError, 'one to three spatial axes', `${spatial}`);
  const ones = kernel.map(() => 1);
  const steps = { kernel, strides: node.ints('strides', ones), dilations: node.ints('dilations', ones) };
  for (const [name, list] of Object.entries(steps)) {
    if (list.length !== spatial || !list.every((size) => size >= 1))
      throw node.refuse(ShapeError, `${name}: ${spatial} sizes ≥ 1`, describe(list));
  }
  return steps;
}

/** pads as pairs: ONNX has all beginnings, then all ends. */
export function readPads(node: OnnxNode, spatial: number): [before: number, after: number][] {
  const pads = node.ints('pads', new Array<number>(2 * spatial).fill(0));
  if (pads.length !== 2 * spatial)
    throw node.refuse(ShapeError, `pads: ${2 * spatial} numbers`, describe(pads));
  if (!pads.every((pad) => pad >= 0)) throw node.refuse(UnsupportedError, 'pads ≥ 0', describe(pads));
  return Array.from({ length: spatial }, (_, axis) => [pads[axis], pads[spatial + axis]]);
}

/** The window over spatial axes of these sizes, and the sizes of the result. */
export function readWindow(
  node: OnnxNode,
  sizes: readonly number[],
  kernel?: number[],
): { window: Window; outputs: number[] } {
  const steps = readSteps(node, sizes.length, kernel);
  const autoPad = node.string('auto_pad', 'NOTSET');
  const reach = steps.kernel.map((size, axis) => extent(size, steps.dilations[axis]));
  const pads =
    autoPad === 'NOTSET'
      ? readPads(node, sizes.length)
      : sizes.map((size, axis): [number, number] => {
          if (autoPad === 'VALID') return [0, 0];
          const stride = steps.strides[axis];
          const total = Math.max((Math.ceil(size / stride) - 1) * stride + reach[axis] - size, 0);
          return splitPad(total, autoPad === 'SAME_UPPER');
        });
  const ceil = node.int('ceil_mode', 0) === 1;
  const outputs = sizes.map((size, axis) => {
    const [before, after] = pads[axis];
    const stride = steps.strides[axis];
    const room = size + before + after - reach[axis];
    if (room < 0)
      throw node.refuse(
        ShapeError,
        `a window of ${reach[axis]} within the padded input`,
        `${size + before + after} on spatial axis ${axis} of ${describeShape(sizes)}`,
      );
    const count = (ceil ? Math.ceil : Math.floor)(room / stride) + 1;
    // A last window counts only when it starts inside the input or its leading padding.
    return ceil && (count - 1) * stride >= size + before ? count - 1 : count;
  });
  return { window: { ...steps, pads }, outputs };
}

/** What SAME_UPPER and SAME_LOWER make of padding that does not halve. */
export function splitPad(total: number, upper: boolean): [before: number, after: number] {
  const half = Math.floor(total / 2);
  return upper ? [half, total - half] : [total - half, half];
}

/** The number of spatial axes as plans have it. */
export function rankOf(spatial: number): Rank {
  if (spatial === 1 || spatial === 2 || spatial === 3) return spatial;
  throw new UnsupportedError(`spatial axes: expected one to three, got ${spatial}`);
}

/** Whether pooling counted a last window that ends past the padding. */
export function isCeil(window: Window, sizes: readonly number[], outputs: readonly number[]): boolean {
  return outputs.some((count, axis) => {
    const [before, after] = window.pads[axis];
    const room = sizes[axis] + before + after - extent(window.kernel[axis], window.dilations[axis]);
    return count > Math.floor(room / window.strides[axis]) + 1;
  });
}

/** What a pooling window must be for its elements to exist. */
export function checkPadsWithin(node: OnnxNode, window: Window): void {
  window.pads.forEach((pads, axis) => {
    const reach = extent(window.kernel[axis], window.dilations[axis]);
    if (Math.max(...pads) >= reach)
      throw node.refuse(
        ArgumentError,
        `pads below the window's ${reach} on spatial axis ${axis}`,
        describe(pads),
      );
  });
}
