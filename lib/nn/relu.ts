/** The rectifier. */
import { checkShape } from '../check.js';
import { type FloatArray, holds, uninitialised, uninitialisedLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { keptBy, Module, takeGradient, takeInput } from './module.js';

/**
 * y = max(x, 0), element by element, of any shape. NaN stays NaN; the gradient at 0 is 0, as in PyTorch.
 *
 * @example new nn.ReLU().forward([-1, 2]).toNested()   // [0, 2]
 */
export class ReLU extends Module {
  static override readonly name: string = 'ReLU';
  #output: FloatTensor | undefined;

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const { data, shape } = takeInput(x);
    return this.keep(new Tensor(rectified(data), shape));
  }

  /** Takes what another layer has rectified for its own output. */
  keep(output: FloatTensor): FloatTensor {
    this.#output = output;
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const output = keptBy(this, this.#output);
    const g = takeGradient(gradOutput, output);
    return new Tensor(passWhereOn(g.data, output.data), g.shape);
  }

  outputShape(inputShape: Shape): Shape {
    return checkShape(inputShape, 'inputShape');
  }

  override forget(): void {
    this.#output = undefined;
  }

  override copy(): ReLU {
    return this.inMode(new ReLU());
  }

  override explainShape(): string {
    return 'element by element';
  }
}

/** dx[i] = y[i] == 0 ? 0 : g[i], for rectified y. */
export function passWhereOn(g: FloatArray, y: FloatArray): FloatArray {
  if (holds(g, 'float32') && holds(y, 'float32')) return passWhereOn32(g, y);
  const dx = uninitialisedLike(g);
  for (let i = 0; i < dx.length; i++) dx[i] = y[i] === 0 ? 0 : g[i];
  return dx;
}

// Signs of activations are as good as random, and a branch on one is mispredicted every other time: on the bits there
// is no branch, which is four to five times as fast.

const INFINITY_BITS = 0x7f800000;

/** y[i] = x[i] < 0 ? 0 : x[i]. */
function rectified(x: FloatArray): FloatArray {
  if (holds(x, 'float32')) return rectified32(x);
  const y = uninitialisedLike(x);
  for (let i = 0; i < y.length; i++) y[i] = Math.max(x[i], 0);
  return y;
}

function rectified32(x: Float32Array): Float32Array {
  const y = uninitialised('float32', x.length);
  const from = bits(x);
  const to = bits(y);
  for (let i = 0; i < from.length; i++) {
    const v = from[i];
    const positive = ~(v >> 31);
    const nan = (INFINITY_BITS - (v & 0x7fffffff)) >> 31;
    to[i] = v & (positive | nan);
  }
  return y;
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
