/** Adam, and AdamW: steps by running averages of the gradient and of its square. */
import { checkOptions, isArray, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import type { Parameter } from '../nn/module.js';
import { type FloatArray, zeros } from '../tensor/dtype.js';
import { checkDecay, checkRate, decayed, ParameterOptimizer, scalarsFor } from './optimizer.js';

export interface AdamOptions {
  /** Default 0.001. */
  readonly lr?: number;
  /** How slowly the averages of the gradient and of its square forget. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Keeps the divisor from 0. Default 1e-8. */
  readonly eps?: number;
  /** Adam: adds weightDecay·p to the gradient; default 0. AdamW: shrinks p by lr·weightDecay; default 0.01. */
  readonly weightDecay?: number;
}

/** What weight decay does to a step: the factor on p before it, and the share of p that joins the gradient. */
interface Decay {
  readonly shrink: number;
  readonly intoGradient: number;
}

/**
 * As torch.optim.Adam, at step t:
 *
 *   g ← grad + weightDecay·p,   m ← β₁·m + (1 − β₁)·g,   v ← β₂·v + (1 − β₂)·g²
 *   p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps)
 *
 * @throws {ArgumentError} for rates that are negative, NaN or infinite, and betas outside [0, 1).
 *
 * Source: Kingma and Ba 2015, «Adam: a method for stochastic optimization».
 */
export class Adam extends ParameterOptimizer {
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #weightDecay: number;

  constructor(parameters: Parameter[], options?: AdamOptions) {
    const given = checkOptions(options, ['lr', 'betas', 'eps', 'weightDecay']);
    super(parameters, given.lr ?? 0.001);
    const betas = given.betas ?? [0.9, 0.999];
    if (!isArray(betas) || betas.length !== 2) {
      throw mistake(ArgumentError, 'options.betas', 'two numbers', betas);
    }
    this.#betas = [checkDecay(betas[0], 'options.betas[0]'), checkDecay(betas[1], 'options.betas[1]')];
    this.#eps = checkRate(given.eps ?? 1e-8, 'options.eps');
    this.#weightDecay = checkRate(given.weightDecay ?? this.defaultWeightDecay, 'options.weightDecay');
  }

  protected get defaultWeightDecay(): number {
    return 0;
  }

  protected decay(weightDecay: number, scalar: (value: number) => number): Decay {
    return { shrink: 1, intoGradient: scalar(weightDecay) };
  }

  protected initialState(size: number): FloatArray[] {
    return [zeros('float64', size), zeros('float64', size)];
  }

  protected update(
    p: FloatArray,
    grad: FloatArray,
    [mean, square]: readonly FloatArray[],
    steps: number,
  ): void {
    const scalar = scalarsFor(p);
    const [beta1, beta2] = this.#betas.map(scalar);
    const [rest1, rest2] = this.#betas.map((beta) => scalar(1 - beta));
    const eps = scalar(this.#eps);
    const rate = scalar(this.lr / (1 - this.#betas[0] ** steps));
    const correction = scalar(Math.sqrt(1 - this.#betas[1] ** steps));
    const { shrink, intoGradient } = this.decay(this.#weightDecay, scalar);
    for (let i = 0; i < p.length; i++) {
      p[i] *= shrink;
      const g = decayed(grad[i], intoGradient, p[i]);
      mean[i] *= beta1;
      mean[i] += rest1 * g;
      square[i] *= beta2;
      square[i] += rest2 * g * g;
      p[i] -= (rate * mean[i]) / (Math.sqrt(square[i]) / correction + eps);
    }
  }
}

/**
 * Adam with the weight decay taken apart from the gradient, as torch.optim.AdamW: p ← p·(1 − lr·weightDecay) before
 * Adam's step without decay.
 *
 * Source: Loshchilov and Hutter 2019, «Decoupled weight decay regularization».
 */
export class AdamW extends Adam {
  protected override get defaultWeightDecay(): number {
    return 0.01;
  }

  protected override decay(weightDecay: number, scalar: (value: number) => number): Decay {
    return { shrink: scalar(1 - this.lr * weightDecay), intoGradient: 0 };
  }
}
