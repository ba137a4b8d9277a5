/** What the backend in JavaScript chooses from, read from the top; the ratios are V8's on a Zen 4 core. */
import type { Candidate } from './algorithms.js';
import type { ConvGeometry } from './problem.js';

/** Elements of each of the arrays that the direct algorithm lays source rows in. */
export const LINE_CAPACITY = 1 << 15;
/** The least part of a row of outputs that its lines must fit for. */
export const MIN_LINE_WIDTH = 32;

/** From this many channels on, im2col takes a 1×1 kernel: it runs at 1.1 times the speed of direct. */
const PACKED_POINTWISE_CHANNELS = 128;

/** Channels of a group that are read. */
function sourceChannels(g: ConvGeometry): number {
  return (g.op === 'forward' ? g.inChannels : g.outChannels) / g.groups;
}

function linesTooLarge(g: ConvGeometry): string | null {
  if (g.op === 'weightGrad') return 'serves what writes an image';
  const [depth, height, width] = g.axes;
  const columns = Math.min(g.op === 'forward' ? width.out : width.in, MIN_LINE_WIDTH);
  const lines = depth.kernel * height.kernel * Math.ceil((sourceChannels(g) * width.kernel) / 3);
  return lines * columns <= LINE_CAPACITY ? null : 'the source rows of a few outputs exceed the workspace';
}

export const JS_CANDIDATES: readonly Candidate[] = [
  {
    algorithm: 'depthwise',
    declines: (g) => (sourceChannels(g) === 1 ? linesTooLarge(g) : 'needs one channel per group'),
    suits: () => 'one channel per group: its rows are summed tap by tap',
  },
  {
    algorithm: 'direct',
    declines: linesTooLarge,
    suits(g) {
      const isPointwise = g.axes.every((axis) => axis.kernel === 1);
      if (isPointwise && sourceChannels(g) >= PACKED_POINTWISE_CHANNELS) return null;
      return 'rows are summed tap by tap: no patch is packed';
    },
  },
  {
    algorithm: 'im2col',
    declines: () => null,
    suits: () => 'serves every geometry: patches packed straight into the tiles of a product',
  },
];
