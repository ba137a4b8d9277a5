/**
 * MATLAB's convolutions, transforms and block reshaping, computed and returned in float64.
 *
 * @module
 */
export type { ConvShape } from '../plan/plans/linear.js';
export type { ComplexTensor, PartsOf } from '../tensor/complex.js';
export type { BlockKind } from './blocks.js';
export { col2im, im2col } from './blocks.js';
export type { Conv2Options, LinearOptions } from './convolution.js';
export { cconv, conv, conv2, conv2Separable, convn, filter2 } from './convolution.js';
export { convmtx, deconv, filter, xcorr } from './filters.js';
export type { ComplexTensorLike } from './spectra.js';
export { fft2, fftAlong, fftshift, ifft2, ifftAlong, ifftshift } from './spectra.js';
export type { Complex, ComplexLike } from './transform.js';
export { fft, ifft } from './transform.js';
