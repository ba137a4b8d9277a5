/** The algorithms of the native backend. */
import type { AlgorithmName, NativeAlgorithm } from './algorithm.js';
import { depthwise } from './depthwise.js';
import { direct } from './direct.js';
import { fft } from './fft.js';
import { im2col } from './im2col.js';
import { partitionedFft } from './partitioned-fft.js';
import { separable } from './separable.js';
import { toeplitz } from './toeplitz.js';
import { winograd } from './winograd.js';

/**
 * By name, the kinds of each: of several the first that serves is what the name means, and when none does the last tells
 * why. Of algorithms that are expected to take as long 'auto' takes the first.
 */
export const NATIVE_ALGORITHMS: Readonly<
  Record<AlgorithmName, readonly [NativeAlgorithm, ...NativeAlgorithm[]]>
> = {
  depthwise: [separable, depthwise],
  fft: [fft, partitionedFft],
  toeplitz: [toeplitz],
  winograd: [winograd],
  direct: [direct],
  im2col: [im2col],
};
