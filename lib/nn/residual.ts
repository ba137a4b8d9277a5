/** Two ways through a network, summed. */
import { checkShape, describeShape, isInstance, mismatch, mistake, sameShape } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { uninitialisedLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { asFloat, type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { inPart } from './summary.js';

/**
 * body(x) + shortcut(x), which have one shape; without a shortcut body(x) + x. Parameters are named 'body.…' and
 * 'shortcut.…'.
 *
 * @throws {ArgumentError} unless both are Modules, and two; {ShapeError} from forward when their shapes differ.
 * @example
 *   new nn.Residual(
 *     new nn.Sequential(new nn.Conv2d(8, 16, 3, { stride: 2, padding: 1 }), new nn.BatchNorm2d(16)),
 *     new nn.Conv2d(8, 16, 1, { stride: 2 }),
 *   );
 * Source: He et al. 2016, «Deep residual learning for image recognition».
 */
export class Residual extends Module {
  static override readonly name: string = 'Residual';
  /** What is learned. */
  readonly body: Module;
  /** What the input goes through beside it; null adds the input itself. */
  readonly shortcut: Module | null;
  #output: Output | undefined;

  /**
   * @param body      What is learned.
   * @param shortcut  What the input goes through beside it; the input itself when absent.
   */
  constructor(body: Module, shortcut?: Module | null) {
    super();
    if (!isInstance(body, Module)) throw mistake(ArgumentError, 'body', 'a Module', body);
    if (shortcut != null && !isInstance(shortcut, Module))
      throw mistake(ArgumentError, 'shortcut', 'a Module', shortcut);
    if (shortcut === body) throw new ArgumentError('shortcut: expected a module of its own, got the body');
    this.body = body;
    this.shortcut = shortcut ?? null;
  }

  override children(): readonly (readonly [string, Module])[] {
    const body = ['body', this.body] as const;
    return this.shortcut === null ? [body] : [body, ['shortcut', this.shortcut]];
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x, this.parameters()[0]?.data.dtype);
    // A way that refuses its input must do so before the other one forgets its last one.
    this.outputShape(input.shape);
    const through = asFloat(this.body.forward(input), "the body's output");
    const past =
      this.shortcut === null ? input : asFloat(this.shortcut.forward(input), "the shortcut's output");
    const y = sum(through, past);
    this.#output = { shape: y.shape, dtype: y.dtype };
    return y;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const g = takeGradient(gradOutput, keptBy(this, this.#output));
    const through = asFloat(this.body.backward(g), "the body's gradient");
    const past = this.shortcut === null ? g : asFloat(this.shortcut.backward(g), "the shortcut's gradient");
    return sum(through, past);
  }

  outputShape(inputShape: Shape): Shape {
    const shape = checkShape(inputShape, 'inputShape');
    const through = inPart(this.body, 'body', () => this.body.outputShape(shape));
    const { shortcut } = this;
    const past = shortcut === null ? shape : inPart(shortcut, 'shortcut', () => shortcut.outputShape(shape));
    if (!sameShape(through, past)) {
      throw mismatch(ShapeError, 'shortcut', `${describeShape(through)}, as the body`, describeShape(past));
    }
    return through;
  }

  override forget(): void {
    super.forget();
    this.#output = undefined;
  }

  override copy(): Residual {
    return this.inMode(new Residual(this.body.copy(), this.shortcut?.copy()));
  }

  override describe(): string {
    const past = this.shortcut === null ? 'x' : this.shortcut.describe();
    return `${this.constructor.name}(${this.body.describe()} + ${past})`;
  }

  override multiplications(inputShape: Shape): number {
    return this.children().reduce((count, [, child]) => count + child.multiplications(inputShape), 0);
  }
}

function sum({ data: a, shape }: FloatTensor, { data: b }: FloatTensor): FloatTensor {
  const values = uninitialisedLike(a);
  for (let i = 0; i < values.length; i++) values[i] = a[i] + b[i];
  return new Tensor(values, shape);
}
