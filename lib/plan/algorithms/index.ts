/** The algorithms of either backend. */
import type { AlgorithmName, JsAlgorithm, NativeAlgorithm } from './algorithm.js';
import { depthwise } from './depthwise.js';
import { direct } from './direct.js';
import { fft } from './fft.js';
import { im2col } from './im2col.js';
import { jsDepthwise } from './js/depthwise.js';
import { jsDirect } from './js/direct.js';
import { jsFft } from './js/fft.js';
import { jsIm2col } from './js/im2col.js';
import { jsToeplitz } from './js/toeplitz.js';
import { jsWinograd } from './js/winograd.js';
import { largeFft } from './large-fft.js';
import { partitionedFft } from './partitioned-fft.js';
import { separable } from './separable.js';
import { toeplitz } from './toeplitz.js';
import { winograd } from './winograd.js';

/**
 * By name, the kinds of each: of several that serve the fastest is what the name means, and when none does the last tells
 * why. Of algorithms that are expected to take as long 'auto' takes the first.
 */
export const NATIVE_ALGORITHMS: Readonly<
  Record<AlgorithmName, readonly [NativeAlgorithm, ...NativeAlgorithm[]]>
> = {
  depthwise: [separable, depthwise],
  fft: [fft, partitionedFft, largeFft],
  toeplitz: [toeplitz],
  winograd: [winograd],
  direct: [direct],
  im2col: [im2col],
};

/** In the order in which 'auto' asks them; the ratios that they know are V8's on a Zen 4 core. */
export const JS_ALGORITHMS: Readonly<Record<AlgorithmName, JsAlgorithm>> = {
  fft: jsFft,
  toeplitz: jsToeplitz,
  winograd: jsWinograd,
  depthwise: jsDepthwise,
  direct: jsDirect,
  im2col: jsIm2col,
};
