/** Stochastic gradient descent. */
import { checkBoolean, checkOptions, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';
import type { Parameter } from '../nn/module.js';
import { type FloatArray, zeros } from '../tensor/dtype.js';
import { checkRate, decayed, ParameterOptimizer, scalarsFor } from './optimizer.js';

/** As in PyTorch. */
export interface SGDOptions {
  /** The learning rate. */
  readonly lr: number;
  /** Share of the last update that is kept. Default 0. */
  readonly momentum?: number;
  /** Share of the gradient that momentum leaves out. Default 0. */
  readonly dampening?: number;
  /** Look ahead along the momentum; needs momentum, and no dampening. Default false. */
  readonly nesterov?: boolean;
  /** Adds weightDecay·p to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** λ of the penalty λ·‖p‖₁, taken by its proximal step. Default 0. */
  readonly l1?: number;
}

/**
 * Stochastic gradient descent, as torch.optim.SGD:
 *
 *   g ← grad + weightDecay·p
 *   v ← g at the first step, then momentum·v + (1 − dampening)·g
 *   p ← p − lr·v, or with nesterov p − lr·(g + momentum·v)
 *
 * With `l1`, which PyTorch has not, every step ends with the proximal operator of lr·l1·‖p‖₁, soft-thresholding:
 *   p ← sign(p)·max(|p| − lr·l1, 0), so that weights become exactly 0.
 *
 * @throws {ArgumentError} for rates that are negative, NaN or infinite.
 *
 * Source: Sutskever et al. 2013; Parikh and Boyd 2014, «Proximal algorithms», §4.2 and §6.5.2.
 * @example new optim.SGD(parameters, { lr: 0.1, momentum: 0.9 }).step();
 */
export class SGD extends ParameterOptimizer {
  readonly #momentum: number;
  readonly #dampening: number;
  readonly #nesterov: boolean;
  readonly #weightDecay: number;
  readonly #l1: number;

  /** @param parameters  What is optimised: net.parameters(). */
  constructor(parameters: Parameter[], options: SGDOptions) {
    const names = ['lr', 'momentum', 'dampening', 'nesterov', 'weightDecay', 'l1'];
    const given = checkOptions(options, names);
    super(parameters, given.lr);
    this.#momentum = checkRate(given.momentum ?? 0, 'options.momentum');
    this.#dampening = checkRate(given.dampening ?? 0, 'options.dampening');
    this.#nesterov = checkBoolean(given.nesterov ?? false, 'options.nesterov');
    this.#weightDecay = checkRate(given.weightDecay ?? 0, 'options.weightDecay');
    this.#l1 = checkRate(given.l1 ?? 0, 'options.l1');
    if (this.#nesterov && (this.#momentum === 0 || this.#dampening !== 0)) {
      const actual = `momentum ${this.#momentum} and dampening ${this.#dampening}`;
      throw mismatch(ArgumentError, 'options.nesterov', 'momentum above 0 and no dampening', actual);
    }
  }

  protected initialState(size: number): FloatArray[] {
    return this.#momentum === 0 ? [] : [zeros('float64', size)];
  }

  protected update(p: FloatArray, grad: FloatArray, [velocity]: readonly FloatArray[], steps: number): void {
    const scalar = scalarsFor(p);
    const lr = scalar(this.lr);
    const weightDecay = scalar(this.#weightDecay);
    if (velocity === undefined) descend(p, grad, lr, weightDecay);
    else {
      const momentum = scalar(this.#momentum);
      const [keep, take] = steps === 1 ? [0, 1] : [momentum, scalar(1 - this.#dampening)];
      descendWithMomentum(p, grad, velocity, lr, weightDecay, keep, take, this.#nesterov ? momentum : null);
    }
    if (this.#l1 > 0) softThreshold(p, this.lr * this.#l1);
  }
}

function descend(p: FloatArray, grad: FloatArray, lr: number, weightDecay: number): void {
  if (weightDecay === 0) {
    for (let i = 0; i < p.length; i++) p[i] -= lr * grad[i];
    return;
  }
  for (let i = 0; i < p.length; i++) p[i] -= lr * (grad[i] + weightDecay * p[i]);
}

/** @param ahead  Nesterov's look ahead: the momentum, or null for none. */
function descendWithMomentum(
  p: FloatArray,
  grad: FloatArray,
  velocity: FloatArray,
  lr: number,
  weightDecay: number,
  keep: number,
  take: number,
  ahead: number | null,
): void {
  for (let i = 0; i < p.length; i++) {
    const g = decayed(grad[i], weightDecay, p[i]);
    velocity[i] *= keep;
    velocity[i] += take * g;
    p[i] -= lr * (ahead === null ? velocity[i] : g + ahead * velocity[i]);
  }
}

/** p ← sign(p)·max(|p| − threshold, 0). */
function softThreshold(p: FloatArray, threshold: number): void {
  for (let i = 0; i < p.length; i++) p[i] = p[i] - Math.max(-threshold, Math.min(threshold, p[i]));
}
