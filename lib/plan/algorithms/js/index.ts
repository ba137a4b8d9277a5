/** The algorithms of the JavaScript backend. */
import type { AlgorithmName, JsAlgorithm } from '../algorithm.js';
import { jsDepthwise } from './depthwise.js';
import { jsDirect } from './direct.js';
import { jsFft } from './fft.js';
import { jsIm2col } from './im2col.js';
import { jsToeplitz } from './toeplitz.js';
import { jsWinograd } from './winograd.js';

/** In the order in which 'auto' asks them; the ratios that they know are V8's on a Zen 4 core. */
export const JS_ALGORITHMS: Readonly<Record<AlgorithmName, JsAlgorithm>> = {
  fft: jsFft,
  toeplitz: jsToeplitz,
  winograd: jsWinograd,
  depthwise: jsDepthwise,
  direct: jsDirect,
  im2col: jsIm2col,
};
