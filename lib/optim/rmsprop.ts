/** RMSprop: steps by the gradient over the root of its running mean square. */
import { checkBoolean, checkOptions } from '../check.js';
import type { Parameter } from '../nn/module.js';
import { type FloatArray, zeros } from '../tensor/dtype.js';
import { checkRate, decayed, ParameterOptimizer, scalarsFor } from './optimizer.js';

/** As in PyTorch. */
export interface RMSpropOptions {
  /** Default 0.01. */
  readonly lr?: number;
  /** How slowly the averages forget. Default 0.99. */
  readonly alpha?: number;
  /** Keeps the divisor from 0. Default 1e-8. */
  readonly eps?: number;
  /** Share of the last update that is kept. Default 0. */
  readonly momentum?: number;
  /** Adds weightDecay·p to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** Divide by the standard deviation instead of the root mean square. Default false. */
  readonly centered?: boolean;
}

/**
 * As torch.optim.RMSprop:
 *
 *   g ← grad + weightDecay·p,   s ← α·s + (1 − α)·g²,   d ← √s + eps
 *   centered: m ← α·m + (1 − α)·g,   d ← √(s − m²) + eps
 *   p ← p − lr·g/d, or with momentum v ← momentum·v + g/d, p ← p − lr·v
 *
 * @throws {ArgumentError} for rates that are negative, NaN or infinite.
 *
 * Source: Tieleman and Hinton 2012, lecture 6.5; centered: Graves 2013, «Generating sequences with RNNs».
 * @example new optim.RMSprop(parameters, { lr: 0.01 }).step();
 */
export class RMSprop extends ParameterOptimizer {
  readonly #alpha: number;
  readonly #eps: number;
  readonly #momentum: number;
  readonly #weightDecay: number;
  readonly #centered: boolean;

  /** @param parameters  What is optimised: net.parameters(). */
  constructor(parameters: Parameter[], options?: RMSpropOptions) {
    const names = ['lr', 'alpha', 'eps', 'momentum', 'weightDecay', 'centered'];
    const given = checkOptions(options, names);
    super(parameters, given.lr ?? 0.01);
    this.#alpha = checkRate(given.alpha ?? 0.99, 'options.alpha');
    this.#eps = checkRate(given.eps ?? 1e-8, 'options.eps');
    this.#momentum = checkRate(given.momentum ?? 0, 'options.momentum');
    this.#weightDecay = checkRate(given.weightDecay ?? 0, 'options.weightDecay');
    this.#centered = checkBoolean(given.centered ?? false, 'options.centered');
  }

  /** Mean square, velocity, and mean when centered. */
  protected initialState(size: number): FloatArray[] {
    return Array.from({ length: this.#centered ? 3 : 2 }, () => zeros('float64', size));
  }

  protected update(p: FloatArray, grad: FloatArray, states: readonly FloatArray[]): void {
    const [square, velocity, mean] = states;
    const scalar = scalarsFor(p);
    const alpha = scalar(this.#alpha);
    const rest = scalar(1 - this.#alpha);
    const eps = scalar(this.#eps);
    const momentum = scalar(this.#momentum);
    const weightDecay = scalar(this.#weightDecay);
    const lr = scalar(this.lr);
    for (let i = 0; i < p.length; i++) {
      const g = decayed(grad[i], weightDecay, p[i]);
      square[i] *= alpha;
      square[i] += rest * g * g;
      let variance = square[i];
      if (mean !== undefined) {
        mean[i] *= alpha;
        mean[i] += rest * g;
        variance -= mean[i] * mean[i];
      }
      // Without momentum the velocity is the step itself.
      velocity[i] *= momentum;
      velocity[i] += g / (Math.sqrt(variance) + eps);
      p[i] -= lr * velocity[i];
    }
  }
}
