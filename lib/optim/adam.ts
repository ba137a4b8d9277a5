/** Adam, and AdamW: steps by running averages of the gradient and of its square. */
import { checkBoolean, checkOptions, isArray, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import type { Parameter } from '../nn/module.js';
import { type FloatArray, zeros } from '../tensor/dtype.js';
import { checkDecay, checkRate, decayed, ParameterOptimizer, scalarsFor } from './optimizer.js';

/** As in PyTorch. */
export interface AdamOptions {
  /** Default 0.001. */
  readonly lr?: number;
  /** How slowly the averages of the gradient and of its square forget. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Keeps the divisor from 0. Default 1e-8. */
  readonly eps?: number;
  /** Adam: adds weightDecay·p to the gradient; default 0. AdamW: shrinks p by lr·weightDecay; default 0.01. */
  readonly weightDecay?: number;
  /** Divide by the largest average of squares so far. Default false. */
  readonly amsgrad?: boolean;
  /** Climb instead of descend: the gradient counts negatively. Default false. */
  readonly maximize?: boolean;
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
 *   amsgrad: v̂ ← max(v̂, v) stands for v in the last line;   maximize: g ← −grad + weightDecay·p
 *
 * @throws {ArgumentError} for rates that are negative, NaN or infinite, and betas outside [0, 1).
 *
 * Source: Kingma and Ba 2015, «Adam: a method for stochastic optimization»; amsgrad: Reddi et al. 2018.
 * @example new optim.Adam(parameters, { lr: 0.001 }).step();
 */
export class Adam extends ParameterOptimizer {
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #weightDecay: number;
  readonly #amsgrad: boolean;
  readonly #sign: number;

  /** @param parameters  What is optimised: net.parameters(). */
  constructor(parameters: Parameter[], options?: AdamOptions) {
    const names = ['lr', 'betas', 'eps', 'weightDecay', 'amsgrad', 'maximize'];
    const given = checkOptions(options, names);
    super(parameters, given.lr ?? 0.001);
    const betas = given.betas ?? [0.9, 0.999];
    if (!isArray(betas) || betas.length !== 2) {
      throw mistake(ArgumentError, 'options.betas', 'two numbers', betas);
    }
    this.#betas = [checkDecay(betas[0], 'options.betas[0]'), checkDecay(betas[1], 'options.betas[1]')];
    this.#eps = checkRate(given.eps ?? 1e-8, 'options.eps');
    this.#weightDecay = checkRate(given.weightDecay ?? this.defaultWeightDecay, 'options.weightDecay');
    this.#amsgrad = checkBoolean(given.amsgrad ?? false, 'options.amsgrad');
    this.#sign = checkBoolean(given.maximize ?? false, 'options.maximize') ? -1 : 1;
  }

  protected get defaultWeightDecay(): number {
    return 0;
  }

  protected decay(weightDecay: number, scalar: (value: number) => number): Decay {
    return { shrink: 1, intoGradient: scalar(weightDecay) };
  }

  /** Mean, mean square, and with amsgrad the largest of these. */
  protected initialState(size: number): FloatArray[] {
    return Array.from({ length: this.#amsgrad ? 3 : 2 }, () => zeros('float64', size));
  }

  protected update(
    p: FloatArray,
    grad: FloatArray,
    [mean, square, largest]: readonly FloatArray[],
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
      const g = decayed(this.#sign * grad[i], intoGradient, p[i]);
      mean[i] *= beta1;
      mean[i] += rest1 * g;
      square[i] *= beta2;
      square[i] += rest2 * g * g;
      // NaN is larger than every number.
      if (largest !== undefined && !(square[i] <= largest[i])) largest[i] = square[i];
      const v = largest === undefined ? square[i] : largest[i];
      p[i] -= (rate * mean[i]) / (Math.sqrt(v) / correction + eps);
    }
  }
}

/**
 * Adam with the weight decay taken apart from the gradient, as torch.optim.AdamW: p ← p·(1 − lr·weightDecay) before
 * Adam's step without decay.
 *
 * Source: Loshchilov and Hutter 2019, «Decoupled weight decay regularization».
 * @example new optim.AdamW(parameters, { weightDecay: 0.01 }).step();
 */
export class AdamW extends Adam {
  protected override get defaultWeightDecay(): number {
    return 0.01;
  }

  protected override decay(weightDecay: number, scalar: (value: number) => number): Decay {
    return { shrink: scalar(1 - this.lr * weightDecay), intoGradient: 0 };
  }
}
