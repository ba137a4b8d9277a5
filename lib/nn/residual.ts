/** Two ways through a network, summed. */
import { backend } from '../backend/select.js';
import { checkShape, describeShape, isInstance, mismatch, mistake, sameShape } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import type { TensorLike } from '../tensor/take.js';
import type { FloatTensor, Shape } from '../tensor/tensor.js';
import { FRESH, GradientMemory, type Memory, type Passed, resultIn, SameMemory } from './memory.js';
import { dtypeOfParameters, keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { backInto, hidesGradient, hidesInput, runInto } from './passing.js';
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
  // Of the two ways' results, which nobody but their own layers reads once they are summed.
  readonly #through = new SameMemory();
  readonly #past = new SameMemory();

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
    return this.#run(this.#take(x), false, FRESH);
  }

  /** @internal */
  override hidesInput(): boolean {
    return hidesInput(this.body) && (this.shortcut === null || hidesInput(this.shortcut));
  }

  /** @internal */
  override forwardInto(x: FloatTensor, memory: Memory): FloatTensor {
    return this.#run(this.#take(x), false, memory);
  }

  /** As forward with a ReLU after it, in one pass: each sum is rectified as it is written. @internal */
  forwardRectifiedInto(x: FloatTensor, memory: Memory): FloatTensor {
    return this.#run(this.#take(x), true, memory);
  }

  #take(x: TensorLike): FloatTensor {
    return takeInput(x, dtypeOfParameters(this));
  }

  #run(input: FloatTensor, rectified: boolean, memory: Memory): FloatTensor {
    // A way that refuses its input must do so before the other one forgets its last one.
    this.outputShape(input.shape);
    const through = runInto(this.body, input, this.#through, "the body's output");
    const past =
      this.shortcut === null ? input : runInto(this.shortcut, input, this.#past, "the shortcut's output");
    const y = resultIn(memory, through.dtype, through.shape);
    backend().sumElements(through.data, past.data, rectified, y.data);
    this.#output = { shape: y.shape, dtype: y.dtype };
    return y;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const gradient = takeGradient(gradOutput, keptBy(this, this.#output));
    return this.#back({ gradient, isOwn: false }, new GradientMemory()).gradient;
  }

  /** @internal */
  override hidesGradient(): boolean {
    return hidesGradient(this.body) && (this.shortcut === null || hidesGradient(this.shortcut));
  }

  /** @internal */
  override backwardInto({ gradient, isOwn }: Passed, memory: GradientMemory): Passed {
    return this.#back({ gradient: takeGradient(gradient, keptBy(this, this.#output)), isOwn }, memory);
  }

  #back({ gradient, isOwn }: Passed, memory: GradientMemory): Passed {
    // Both ways read it: the second may write there if the first showed it to nobody.
    const through = backInto(this.body, { gradient, isOwn: false }, memory, "the body's gradient");
    const passed = { gradient, isOwn: isOwn && hidesGradient(this.body) };
    const past =
      this.shortcut === null ? passed : backInto(this.shortcut, passed, memory, "the shortcut's gradient");
    const { dtype, shape } = through.gradient;
    const sum = through.isOwn ? through.gradient : resultIn(memory, dtype, shape);
    backend().sumElements(through.gradient.data, past.gradient.data, false, sum.data);
    memory.giveBack(past);
    return { gradient: sum, isOwn: true };
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
    this.#through.clear();
    this.#past.clear();
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
