/** What each way of computing a convolution costs, counted from the geometry; nothing here is measured. */
import { BYTES, type DType } from '../../tensor/dtype.js';
import type { ConvGeometry } from '../geometry.js';
import type { Axis } from '../options/axes.js';
import { type AlgorithmName, SEPARABLE } from './algorithm.js';
import { fftWork } from './fft.js';
import { isJsFft, jsFftWork } from './js/fft.js';
import { winogradTile, winogradWork } from './winograd.js';

export interface Cost {
  /** 'dense-toeplitz' is the convolution's matrix multiplied out in full, zeros and all. */
  readonly algorithm: AlgorithmName | 'dense-toeplitz';
  readonly multiplications: number;
  readonly additions: number;
  /** Read and written once each: operands in the layout that the algorithm reads, and the result. */
  readonly bytes: number;
  /** Memory beyond operands and result. */
  readonly extraBytes: number;
  /** Of the weights as the algorithm keeps them, transformed or not: what a PreparedConv holds, but for padding. */
  readonly weightBytes: number;
}

/** Panels and index maps of the blocked algorithms: their workspace does not grow with the image. */
const BLOCKED_WORKSPACE_BYTES = 4 * 2 ** 20;
/** The strip between the two passes of a separable kernel. */
const SEPARABLE_STRIP_BYTES = 512 * 2 ** 10;

/**
 * In which each algorithm's own file of the plan tells its cost; sizes are of the forward convolution.
 *
 * @param variant  The choice within the algorithm; by default the one that native 'fast' takes.
 * @param transformed  What Winograd's transformed weights are.
 */
export function costOf(
  algorithm: AlgorithmName | 'dense-toeplitz',
  g: ConvGeometry,
  variant: number = winogradTile(g, 'fast'),
  transformed: DType = g.dtype,
): Cost {
  const item = BYTES[g.dtype];
  const inputs = g.inChannels * product(g.axes, (a) => a.in);
  const outputs = g.outChannels * product(g.axes, (a) => a.out);
  const perGroup = g.inChannels / g.groups;
  const weights = g.outChannels * perGroup * product(g.axes, (a) => a.kernel);
  const operands = item * (g.batch * (inputs + outputs) + weights);
  switch (algorithm) {
    case 'dense-toeplitz': {
      const entries = inputs * outputs;
      return {
        algorithm,
        multiplications: g.batch * entries,
        additions: g.batch * Math.max(entries - outputs, 0),
        bytes: item * (g.batch * (inputs + outputs) + entries),
        extraBytes: item * entries,
        weightBytes: item * entries,
      };
    }
    case 'toeplitz': {
      const products = g.batch * g.outChannels * perGroup * product(g.axes, tapsInside(g));
      return {
        algorithm,
        multiplications: products,
        additions: additionsOf(products, g.batch * outputs),
        bytes: operands,
        extraBytes: 0,
        weightBytes: item * weights,
      };
    }
    case 'fft': {
      if (isJsFft(variant)) {
        const plane = product(g.axes, (a) => a.in + a.padBefore + a.padAfter) + product(g.axes, (a) => a.out);
        return {
          algorithm,
          ...jsFftWork(g),
          bytes: operands,
          extraBytes: BYTES.float64 * (plane + 6 * 2 ** variant),
          weightBytes: item * weights,
        };
      }
      const work = fftWork(g);
      const spectra = work?.spectraBytes ?? 0;
      return {
        algorithm,
        multiplications: work?.multiplications ?? 0,
        additions: work?.additions ?? 0,
        bytes: operands + Math.max(0, spectra - item * weights),
        extraBytes: spectra + BLOCKED_WORKSPACE_BYTES,
        weightBytes: spectra + item * weights, // those for direct sums, where they are needed
      };
    }
    case 'depthwise': {
      const isSeparable = variant === SEPARABLE;
      const taps = isSeparable ? g.axes[1].kernel + g.axes[2].kernel : product(g.axes, (a) => a.kernel);
      const products = g.batch * outputs * perGroup * taps;
      return {
        algorithm,
        multiplications: products,
        additions: additionsOf(products, g.batch * outputs),
        bytes: operands,
        extraBytes: isSeparable ? SEPARABLE_STRIP_BYTES : 0,
        weightBytes: item * g.outChannels * perGroup * taps,
      };
    }
    case 'winograd': {
      const { multiplications, additions, transformedWeights } = winogradWork(g, variant);
      const kept = BYTES[transformed] * transformedWeights;
      return {
        algorithm,
        multiplications,
        additions,
        bytes: operands + kept - item * weights,
        extraBytes: kept + BLOCKED_WORKSPACE_BYTES,
        weightBytes: kept + item * weights, // likewise
      };
    }
    default: {
      const products = g.batch * outputs * perGroup * product(g.axes, (a) => a.kernel);
      const patches = item * perGroup * product(g.axes, (a) => a.kernel * a.out);
      return {
        algorithm,
        multiplications: products,
        additions: additionsOf(products, g.batch * outputs),
        bytes: operands,
        extraBytes: Math.min(patches, BLOCKED_WORKSPACE_BYTES),
        weightBytes: item * weights,
      };
    }
  }
}

function additionsOf(products: number, outputs: number): number {
  return Math.max(products - outputs, 0);
}

function product(axes: readonly Axis[], size: (axis: Axis) => number): number {
  return axes.reduce((count, axis) => count * size(axis), 1);
}

/** How many (output, tap) pairs of an axis read an element of the input rather than padding. */
function tapsInside({ paddingMode }: ConvGeometry): (axis: Axis) => number {
  return (axis) => {
    if (paddingMode !== 'zeros') return axis.kernel * axis.out;
    let inside = 0;
    for (let tap = 0; tap < axis.kernel; tap++) {
      const offset = tap * axis.dilation - axis.padBefore;
      const first = Math.max(0, Math.ceil(-offset / axis.stride));
      const last = Math.min(axis.out - 1, Math.floor((axis.in - 1 - offset) / axis.stride));
      inside += Math.max(0, last - first + 1);
    }
    return inside;
  };
}
