/** From feature maps to vectors. */
import { checkShape, describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import type { TensorLike } from '../tensor/take.js';
import type { FloatTensor, Shape } from '../tensor/tensor.js';
import type { Passed } from './memory.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { by } from './words.js';

/**
 * [n, c, spatial…] → [n, c·∏spatial]: the first axis is the batch. The result shares the input's data.
 *
 * @example new nn.Flatten().outputShape([1, 3, 4, 4])   // [1, 48]
 */
export class Flatten extends Module {
  static override readonly name: string = 'Flatten';
  #kept: { inputShape: Shape; output: Output } | undefined;

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const output = input.reshape(flat(input.shape, 'x'));
    this.#kept = {
      inputShape: input.shape,
      output: { shape: output.shape, dtype: output.dtype },
    };
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { inputShape, output } = keptBy(this, this.#kept);
    return takeGradient(gradOutput, output).reshape(inputShape);
  }

  /** What it passes on is the gradient itself. @internal */
  override hidesGradient(): boolean {
    return false;
  }

  /** @internal */
  override backwardInto({ gradient, isOwn }: Passed): Passed {
    return { gradient: this.backward(gradient), isOwn };
  }

  outputShape(inputShape: Shape): Shape {
    return flat(checkShape(inputShape, 'inputShape'), 'inputShape');
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): Flatten {
    return this.inMode(new Flatten());
  }

  override explainShape(inputShape: Shape): string {
    return `${inputShape.join('·')} = ${this.outputShape([1, ...inputShape])[1]}: ${by(inputShape)} in one row`;
  }
}

function flat(shape: Shape, argument: string): Shape {
  if (shape.length < 2) throw mismatch(ShapeError, argument, 'at least 2 axes [N, …]', describeShape(shape));
  const [batch, ...rest] = shape;
  return [batch, rest.reduce((product, size) => product * size, 1)];
}
