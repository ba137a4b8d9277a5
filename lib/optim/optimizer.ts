/** What all optimisers share: their parameters, the learning rate, and refusing a step before it begins. */
import { checkNumber, isArray, mismatch, mistake } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { checkParameter, type Parameter, zeroGradients } from '../nn/module.js';
import { convertLike, dtypeOf, type FloatArray } from '../tensor/dtype.js';

/** Changes parameters by their gradients. */
export interface Optimizer {
  /** Moves every parameter by its gradient. */
  step(): void;
  /** Sets every gradient to zero. */
  zeroGrad(): void;
}

/**
 * Parameters are updated in place. Parameters and state are stored in the parameter's dtype after each operation that
 * PyTorch stores after; in between, sums and products are computed in float64. A step that one parameter refuses (its
 * gradient has another shape, say) moves none.
 */
export abstract class ParameterOptimizer implements Optimizer {
  readonly #parameters: readonly Parameter[];
  readonly #sizes: readonly number[];
  #lr: number;
  #steps = 0;
  /** What the rule remembers of each parameter: some arrays of its size, in its dtype. */
  #states: FloatArray[][] = [];

  constructor(parameters: Parameter[], lr: number | undefined) {
    if (!isArray(parameters) || parameters.length === 0) {
      throw mistake(ArgumentError, 'parameters', 'an array of at least one Parameter', parameters);
    }
    parameters.forEach((parameter, i) => {
      checkParameter(parameter, `parameters[${i}]`);
      const first = parameters.findIndex((other) => other === parameter || other.data === parameter.data);
      if (first !== i) {
        throw new ArgumentError(
          `parameters[${i}]: expected each parameter once, got parameters[${first}] again`,
        );
      }
    });
    this.#parameters = [...parameters];
    this.#sizes = parameters.map(({ data }) => data.size);
    this.#lr = checkRate(lr, 'options.lr');
  }

  /**
   * The learning rate; may be set between steps.
   *
   * @throws {ArgumentError} for a negative one, NaN or infinity.
   */
  get lr(): number {
    return this.#lr;
  }

  /** Counts from the next step on. */
  set lr(lr: number) {
    this.#lr = checkRate(lr, 'lr');
  }

  step(): void {
    this.#parameters.forEach((parameter, i) => {
      checkParameter(parameter, `parameters[${i}]`);
      if (parameter.data.size !== this.#sizes[i]) {
        const expected = `${this.#sizes[i]} elements, as when the optimizer was made`;
        throw mismatch(ShapeError, `parameters[${i}].data`, expected, `${parameter.data.size}`);
      }
    });
    if (this.#steps === 0) this.#states = this.#sizes.map((size) => this.initialState(size));
    this.#steps++;
    this.#parameters.forEach(({ data, grad }, i) => {
      const states = this.#states[i];
      // loadStateDict may have changed the dtype since the last step.
      states.forEach((state, k) => {
        if (dtypeOf(state) !== data.dtype) states[k] = convertLike(data.data, state);
      });
      this.update(data.data, grad.data, states, this.#steps);
    });
  }

  zeroGrad(): void {
    zeroGradients(this.#parameters);
  }

  /** What the rule remembers before the first step: arrays of `size`. */
  protected abstract initialState(size: number): FloatArray[];

  /** @param steps  1 at the first step. */
  protected abstract update(
    p: FloatArray,
    grad: FloatArray,
    states: readonly FloatArray[],
    steps: number,
  ): void;
}

/**
 * How scalars enter a rule: rounded to the parameter's dtype, as in PyTorch. In float32 the factor 1 − 10⁻⁴ is off by
 * 2·10⁻⁸, at every step to the same side, so that trajectories part when one library rounds it and the other does not.
 */
export function scalarsFor(p: FloatArray): (value: number) => number {
  return dtypeOf(p) === 'float32' ? Math.fround : Number;
}

/** The gradient with its weight decay. Without any, a parameter that is infinite must not make it NaN. */
export function decayed(grad: number, weightDecay: number, p: number): number {
  return weightDecay === 0 ? grad : grad + weightDecay * p;
}

/** A finite number ≥ 0, or ArgumentError. */
export function checkRate(value: unknown, argument: string): number {
  return checkNumber(value, argument, 0, Number.MAX_VALUE);
}

/** A number in [0, 1), or ArgumentError. */
export function checkDecay(value: unknown, argument: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value < 1)) {
    throw mistake(ArgumentError, argument, 'a number from 0 to below 1', value);
  }
  return value;
}
