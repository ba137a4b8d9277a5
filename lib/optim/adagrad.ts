/** Adagrad: steps shrink where gradients have been large. */
import { checkOptions } from '../check.js';
import type { Parameter } from '../nn/module.js';
import { type FloatArray, zeros } from '../tensor/dtype.js';
import { checkRate, decayed, ParameterOptimizer, scalarsFor } from './optimizer.js';

/** As in PyTorch. */
export interface AdagradOptions {
  /** Default 0.01. */
  readonly lr?: number;
  /** The rate at step t is lr / (1 + (t − 1)·lrDecay). Default 0. */
  readonly lrDecay?: number;
  /** Adds weightDecay·p to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** Where the sums of squares start. Default 0. */
  readonly initialAccumulatorValue?: number;
  /** Keeps the divisor from 0. Default 1e-10. */
  readonly eps?: number;
}

/**
 * As torch.optim.Adagrad, at step t:
 *
 *   g ← grad + weightDecay·p,   s ← s + g²,   p ← p − lr / (1 + (t − 1)·lrDecay) · g / (√s + eps)
 *
 * @throws {ArgumentError} for rates that are negative, NaN or infinite.
 *
 * Source: Duchi, Hazan and Singer 2011, «Adaptive subgradient methods».
 * @example new optim.Adagrad(parameters, { lr: 0.01 }).step();
 */
export class Adagrad extends ParameterOptimizer {
  readonly #lrDecay: number;
  readonly #weightDecay: number;
  readonly #initial: number;
  readonly #eps: number;

  /** @param parameters  What is optimised: net.parameters(). */
  constructor(parameters: Parameter[], options?: AdagradOptions) {
    const names = ['lr', 'lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'];
    const given = checkOptions(options, names);
    super(parameters, given.lr ?? 0.01);
    this.#lrDecay = checkRate(given.lrDecay ?? 0, 'options.lrDecay');
    this.#weightDecay = checkRate(given.weightDecay ?? 0, 'options.weightDecay');
    this.#initial = checkRate(given.initialAccumulatorValue ?? 0, 'options.initialAccumulatorValue');
    this.#eps = checkRate(given.eps ?? 1e-10, 'options.eps');
  }

  protected initialState(size: number): FloatArray[] {
    return [zeros('float64', size).fill(this.#initial)];
  }

  protected update(p: FloatArray, grad: FloatArray, [sums]: readonly FloatArray[], steps: number): void {
    const scalar = scalarsFor(p);
    const rate = scalar(this.lr / (1 + (steps - 1) * this.#lrDecay));
    const weightDecay = scalar(this.#weightDecay);
    const eps = scalar(this.#eps);
    for (let i = 0; i < p.length; i++) {
      const g = decayed(grad[i], weightDecay, p[i]);
      sums[i] += g * g;
      p[i] -= (rate * g) / (Math.sqrt(sums[i]) + eps);
    }
  }
}
