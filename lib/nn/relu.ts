/** The rectifier. */
import { backend } from '../backend/select.js';
import { checkShape } from '../check.js';
import { type FloatArray, uninitialisedLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { FRESH, type GradientMemory, type Memory, type Passed, resultIn } from './memory.js';
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
    return this.forwardInto(takeInput(x), FRESH);
  }

  /** @internal */
  override forwardInto(x: FloatTensor, memory: Memory): FloatTensor {
    const y = resultIn(memory, x.dtype, x.shape);
    backend().rectify(x.data, y.data);
    return this.keep(y);
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

  /** @internal */
  override backwardInto({ gradient, isOwn }: Passed, memory: GradientMemory): Passed {
    const output = keptBy(this, this.#output);
    const g = takeGradient(gradient, output);
    const dx = isOwn ? g : resultIn(memory, g.dtype, g.shape);
    backend().rectifyGrad(g.data, output.data, dx.data);
    return { gradient: dx, isOwn: true };
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
  const dx = uninitialisedLike(g);
  backend().rectifyGrad(g, y, dx);
  return dx;
}
