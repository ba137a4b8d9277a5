/**
 * Pixels and tensors, and the kernels that images are filtered by.
 *
 * @module
 */
export type { PixelDType } from '../plan/plans/pixels.js';
export { type ConvolveOptions, convolve, convolveAsync } from './convolve.js';
export { box, gaussian, laplacian, sharpen, sobel } from './kernels.js';
export type { FromPixelsOptions, Pixels, ToPixelsOptions } from './pixels.js';
export { fromPixels, fromPixelsAsync, toPixels, toPixelsAsync } from './pixels.js';
