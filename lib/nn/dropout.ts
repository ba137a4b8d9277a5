/** Leaving out elements at random while training. */
import { checkNumber, checkOptions, checkShape } from '../check.js';
import { type Random, random } from '../random.js';
import { uninitialisedLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';

/** Where the noise comes from. */
export interface DropoutOptions {
  /** Of the choices; drawn when absent. */
  readonly seed?: number;
}

/**
 * While training each element becomes 0 with probability p, and what stays is divided by 1 − p; in evaluation mode nothing
 * happens. As torch.nn.Dropout.
 *
 * Source: Srivastava et al. 2014.
 * @example new nn.Dropout(0.5).eval().forward([1, 2]).toNested()   // [1, 2]
 */
export class Dropout extends Module {
  static override readonly name: string = 'Dropout';
  /** Share of elements that become 0 in training. */
  readonly p: number;
  readonly #seed: number | undefined;
  readonly #random: Random;
  /** What each element was multiplied by; null when nothing happened. */
  #kept: { factors: Float64Array | null; output: Output } | undefined;

  /** @param p  From 0 to 1. Default 0.5. */
  constructor(p = 0.5, options?: DropoutOptions) {
    super();
    const { seed } = checkOptions(options, ['seed']);
    this.p = checkNumber(p, 'p', 0, 1);
    this.#seed = seed;
    this.#random = random(seed);
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const { shape, dtype } = input;
    const factors = this.training && this.p > 0 ? this.#draw(input.size) : null;
    this.#kept = { factors, output: { shape, dtype } };
    return scaled(input, factors);
  }

  #draw(size: number): Float64Array {
    const stays = this.p === 1 ? 0 : 1 / (1 - this.p);
    return Float64Array.from({ length: size }, () => (this.#random.uniform() < this.p ? 0 : stays));
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { factors, output } = keptBy(this, this.#kept);
    return scaled(takeGradient(gradOutput, output), factors);
  }

  outputShape(inputShape: Shape): Shape {
    return checkShape(inputShape, 'inputShape');
  }

  override forget(): void {
    this.#kept = undefined;
  }

  /** Draws from the beginning, when it has a seed. */
  override copy(): Dropout {
    return this.inMode(new Dropout(this.p, { seed: this.#seed }));
  }

  override describe(): string {
    return `${this.constructor.name}(${this.p})`;
  }

  override explainShape(): string {
    return 'element by element';
  }
}

function scaled(t: FloatTensor, factors: Float64Array | null): FloatTensor {
  if (factors === null) return t;
  const values = uninitialisedLike(t.data);
  for (let i = 0; i < values.length; i++) values[i] = factors[i] === 0 ? 0 : t.data[i] * factors[i];
  return new Tensor(values, t.shape);
}
