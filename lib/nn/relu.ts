/** The rectifier. */
import { checkShape } from '../check.js';
import type { FloatTensor } from '../conv/operands.js';
import { type FloatArray, type FloatDType, uninitialised } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { Module, takeGradient, takeInput } from './module.js';

/** y = max(x, 0), element by element, of any shape. NaN stays NaN; the gradient at 0 is 0, as in PyTorch. */
export class ReLU extends Module {
  #output: FloatTensor | undefined;

  forward(x: TensorLike): Tensor {
    const { data, shape, dtype } = takeInput(x);
    const y = uninitialised(dtype as FloatDType, data.length);
    if (data instanceof Float32Array) rectify32(data, y as Float32Array);
    else for (let i = 0; i < data.length; i++) y[i] = Math.max(data[i], 0);
    return this.keep(new Tensor(y, shape));
  }

  /** Takes what another layer has rectified for its own output. */
  keep(output: Tensor): Tensor {
    this.#output = output as FloatTensor;
    return output;
  }

  backward(gradOutput: TensorLike): Tensor {
    const output = this.#output;
    const g = takeGradient(gradOutput, this, output as { shape: Shape; dtype: FloatDType } | undefined);
    return new Tensor(passWhereOn(g.data, output!.data), g.shape);
  }

  outputShape(inputShape: Shape): Shape {
    return checkShape(inputShape, 'inputShape');
  }

  override forget(): void {
    this.#output = undefined;
  }

  override copy(): ReLU {
    return new ReLU();
  }

  override explainShape(): string {
    return 'element by element';
  }
}

/** dx[i] = y[i] == 0 ? 0 : g[i], for rectified y. */
export function passWhereOn(g: FloatArray, y: FloatArray): FloatArray {
  if (g instanceof Float32Array) return passWhereOn32(g, y as Float32Array);
  return g.map((value, i) => (y[i] === 0 ? 0 : value));
}

// Signs of activations are as good as random, and a branch on one is mispredicted every other time: on the bits there
// is no branch, which is four to five times as fast.

const INFINITY_BITS = 0x7f800000;

/** y[i] = x[i] < 0 ? 0 : x[i]. */
function rectify32(x: Float32Array, y: Float32Array): void {
  const from = bits(x);
  const to = bits(y);
  for (let i = 0; i < from.length; i++) {
    const v = from[i];
    const positive = ~(v >> 31);
    const nan = (INFINITY_BITS - (v & 0x7fffffff)) >> 31;
    to[i] = v & (positive | nan);
  }
}

function passWhereOn32(g: Float32Array, y: Float32Array): Float32Array {
  const dx = uninitialised('float32', g.length);
  const from = bits(g);
  const on = bits(y);
  const to = bits(dx);
  for (let i = 0; i < from.length; i++) {
    const magnitude = on[i] << 1;
    to[i] = from[i] & ((magnitude | -magnitude) >> 31);
  }
  return dx;
}

function bits(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}
