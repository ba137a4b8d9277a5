/** What the JavaScript algorithms that sum by rows share: how many lines of the source the workspace holds. */
import { gcd } from '../../../numbers.js';
import type { ConvGeometry } from '../../geometry.js';
import type { Axis } from '../../options/axes.js';

/** Elements of each of the arrays that source rows are laid in. */
export const LINE_CAPACITY = 1 << 15;
/** The least part of a row of outputs that its lines must fit for. */
export const MIN_LINE_WIDTH = 16;

/** The share of nonzero weights up to which visiting them one by one is faster than sums over all taps (V8, Zen 4). */
const SPARSE = 0.5;

export function sparseLimitOfSums(): number {
  return SPARSE;
}

/** Channels of a group that are read. */
export function sourceChannels(g: ConvGeometry): number {
  return (g.op === 'forward' ? g.inChannels : g.outChannels) / g.groups;
}

/** Positions written along an axis. */
export function written(g: ConvGeometry, axis: Axis): number {
  return g.op === 'forward' ? axis.out : axis.in;
}

/** Taps of an axis that one position meets: the adjoint of a stride meets those of its residue only. */
export function tapsMet({ op }: ConvGeometry, { kernel, stride, dilation }: Axis): number {
  return op === 'forward' ? kernel : Math.ceil((kernel * gcd(stride, dilation)) / stride);
}

export function declinesRows(g: ConvGeometry): string | null {
  if (g.op === 'weightGrad') return 'serves what writes an image';
  const [depth, height, width] = g.axes;
  const columns = Math.min(written(g, width), MIN_LINE_WIDTH);
  const lines =
    tapsMet(g, depth) * tapsMet(g, height) * Math.ceil((sourceChannels(g) * tapsMet(g, width)) / 3);
  return lines * columns <= LINE_CAPACITY ? null : 'the source rows of a few outputs exceed the workspace';
}
