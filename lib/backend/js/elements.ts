/** Arrays of one length, an element at a time. */
import { type FloatArray, holds } from '../../tensor/dtype.js';

// Signs of activations are as good as random, and a branch on one is mispredicted every other time: on the bits there
// is no branch, which is four to five times as fast.

const INFINITY_BITS = 0x7f800000;

export function rectify(x: FloatArray, y: FloatArray): void {
  if (holds(x, 'float32') && holds(y, 'float32')) rectify32(bits(x), bits(y));
  else for (let i = 0; i < y.length; i++) y[i] = Math.max(x[i], 0);
}

function rectify32(from: Int32Array, to: Int32Array): void {
  for (let i = 0; i < from.length; i++) {
    const v = from[i];
    const positive = ~(v >> 31);
    const nan = (INFINITY_BITS - (v & 0x7fffffff)) >> 31;
    to[i] = v & (positive | nan);
  }
}

export function rectifyGrad(g: FloatArray, y: FloatArray, dx: FloatArray): void {
  if (holds(g, 'float32') && holds(y, 'float32') && holds(dx, 'float32'))
    rectifyGrad32(bits(g), bits(y), bits(dx));
  else for (let i = 0; i < dx.length; i++) dx[i] = y[i] === 0 ? 0 : g[i];
}

function rectifyGrad32(from: Int32Array, on: Int32Array, to: Int32Array): void {
  for (let i = 0; i < from.length; i++) {
    const magnitude = on[i] << 1;
    to[i] = from[i] & ((magnitude | -magnitude) >> 31);
  }
}

export function sumElements(a: FloatArray, b: FloatArray, rectified: boolean, y: FloatArray): void {
  for (let i = 0; i < y.length; i++) y[i] = a[i] + b[i];
  if (rectified) rectify(y, y);
}

function bits(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}
