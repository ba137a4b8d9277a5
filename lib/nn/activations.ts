/** Activations: functions of each element, and the softmax of a line of them. */
import { checkInteger, checkNumber, checkOneOf, checkOptions, checkShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { uninitialisedLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { erf } from './erf.js';
import { keptBy, Module, takeGradient, takeInput } from './module.js';

/** A function of each element on its own, computed in float64. */
abstract class Elementwise extends Module {
  #kept: { input: FloatTensor; output: FloatTensor } | undefined;

  protected abstract value(x: number): number;
  /** The derivative at x, where the value is y. */
  protected abstract slope(x: number, y: number): number;

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const y = uninitialisedLike(input.data);
    for (let i = 0; i < y.length; i++) y[i] = this.value(input.data[i]);
    const output = new Tensor(y, input.shape);
    this.#kept = { input, output };
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { input, output } = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, output);
    const dx = uninitialisedLike(g);
    for (let i = 0; i < dx.length; i++) dx[i] = g[i] * this.slope(input.data[i], output.data[i]);
    return new Tensor(dx, input.shape);
  }

  outputShape(inputShape: Shape): Shape {
    return checkShape(inputShape, 'inputShape');
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override explainShape(): string {
    return 'element by element';
  }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/**
 * y = 1/(1 + e⁻ˣ), element by element.
 *
 * @example new nn.Sigmoid().forward([0]).toNested()   // [0.5]
 */
export class Sigmoid extends Elementwise {
  static override readonly name: string = 'Sigmoid';

  protected value(x: number): number {
    return sigmoid(x);
  }

  protected slope(_x: number, y: number): number {
    return y * (1 - y);
  }

  override copy(): Sigmoid {
    return this.inMode(new Sigmoid());
  }
}

/**
 * y = tanh x, element by element.
 *
 * @example new nn.Tanh().forward([0]).toNested()   // [0]
 */
export class Tanh extends Elementwise {
  static override readonly name: string = 'Tanh';

  protected value(x: number): number {
    return Math.tanh(x);
  }

  protected slope(_x: number, y: number): number {
    return 1 - y * y;
  }

  override copy(): Tanh {
    return this.inMode(new Tanh());
  }
}

/**
 * y = x for x > 0, negativeSlope·x otherwise; the derivative at 0 is negativeSlope, as in PyTorch.
 *
 * @example new nn.LeakyReLU(0.5).forward([-2, 2]).toNested()   // [-1, 2]
 */
export class LeakyReLU extends Elementwise {
  static override readonly name: string = 'LeakyReLU';
  /** Of the line through negative values. */
  readonly negativeSlope: number;

  /** @param negativeSlope  Default 0.01. */
  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = checkNumber(negativeSlope, 'negativeSlope');
  }

  protected value(x: number): number {
    return x > 0 ? x : x * this.negativeSlope;
  }

  protected slope(x: number): number {
    return x > 0 ? 1 : this.negativeSlope;
  }

  override copy(): LeakyReLU {
    return this.inMode(new LeakyReLU(this.negativeSlope));
  }

  override describe(): string {
    return `${this.constructor.name}(${this.negativeSlope})`;
  }
}

/** As in PyTorch. */
export interface GELUOptions {
  /** 'none' (default): by the error function; 'tanh': x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
  readonly approximate?: 'none' | 'tanh';
}

/**
 * y = x·Φ(x), Φ the normal distribution's, element by element.
 *
 * Source: Hendrycks and Gimpel 2016.
 * @example new nn.GELU().forward([0]).toNested()   // [0]
 */
export class GELU extends Elementwise {
  static override readonly name: string = 'GELU';
  /** 'tanh' is the approximation by one; 'none' the definition. */
  readonly approximate: 'none' | 'tanh';

  /** @param options  approximate: 'none' (the default) or 'tanh'. */
  constructor(options?: GELUOptions) {
    super();
    const { approximate } = checkOptions(options, ['approximate']);
    this.approximate = checkOneOf(approximate ?? 'none', 'options.approximate', ['none', 'tanh']);
  }

  protected value(x: number): number {
    return x * (this.approximate === 'tanh' ? (1 + Math.tanh(inTanh(x))) / 2 : normal(x));
  }

  protected slope(x: number): number {
    if (this.approximate === 'none')
      return normal(x) + x * Math.exp((-x * x) / 2) * Math.sqrt(1 / (2 * Math.PI));
    const t = Math.tanh(inTanh(x));
    const inner = ROOT * (1 + 3 * CUBIC * x * x);
    return (1 + t) / 2 + (x / 2) * (1 - t * t) * inner;
  }

  override copy(): GELU {
    return this.inMode(new GELU({ approximate: this.approximate }));
  }
}

const ROOT = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

function inTanh(x: number): number {
  return ROOT * (x + CUBIC * x * x * x);
}

function normal(x: number): number {
  return (1 + erf(x * Math.SQRT1_2)) / 2;
}

/**
 * y = x/(1 + e⁻ˣ), element by element: the swish.
 *
 * @example new nn.SiLU().forward([0]).toNested()   // [0]
 */
export class SiLU extends Elementwise {
  static override readonly name: string = 'SiLU';

  protected value(x: number): number {
    return x * sigmoid(x);
  }

  protected slope(x: number): number {
    const s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }

  override copy(): SiLU {
    return this.inMode(new SiLU());
  }
}

/**
 * y = e^x / Σ e^x along one axis; the largest element is subtracted first, so that none is too large.
 *
 * @example new nn.Softmax(1).forward([[0, 0]]).toNested()   // [[0.5, 0.5]]
 */
export class Softmax extends Module {
  static override readonly name: string = 'Softmax';
  /** Along which the results sum to 1. */
  readonly axis: number;
  #output: FloatTensor | undefined;

  /** @param axis  Default -1, the last; negative ones count from the end. */
  constructor(axis = -1) {
    super();
    this.axis = checkInteger(axis, 'axis', Number.MIN_SAFE_INTEGER);
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const { data } = input;
    const y = uninitialisedLike(data);
    this.#forEachLine(input.shape, (start, length, step) => {
      const end = start + length * step;
      let largest = -Infinity;
      for (let i = start; i < end; i += step) if (!(data[i] <= largest)) largest = data[i];
      let sum = 0;
      for (let i = start; i < end; i += step) sum += Math.exp(data[i] - largest);
      for (let i = start; i < end; i += step) y[i] = Math.exp(data[i] - largest) / sum;
    });
    this.#output = new Tensor(y, input.shape);
    return this.#output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const output = keptBy(this, this.#output);
    const { data: y, shape } = output;
    const { data: g } = takeGradient(gradOutput, output);
    const dx = uninitialisedLike(g);
    this.#forEachLine(shape, (start, length, step) => {
      const end = start + length * step;
      let sum = 0;
      for (let i = start; i < end; i += step) sum += g[i] * y[i];
      for (let i = start; i < end; i += step) dx[i] = y[i] * (g[i] - sum);
    });
    return new Tensor(dx, shape);
  }

  /** Calls `run` with each line along the axis: its elements are start, start + step, … */
  #forEachLine(shape: Shape, run: (start: number, length: number, step: number) => void): void {
    const axis = this.#axisOf(shape, 'x');
    const length = shape[axis];
    const step = product(shape.slice(axis + 1));
    const blocks = product(shape.slice(0, axis));
    for (let block = 0; block < blocks; block++) {
      for (let i = 0; i < step; i++) run(block * length * step + i, length, step);
    }
  }

  #axisOf({ length }: Shape, argument: string): number {
    const axis = this.axis < 0 ? this.axis + length : this.axis;
    if (axis < 0 || axis >= length)
      throw mismatch(ShapeError, argument, `an axis ${this.axis}`, `${length} axes`);
    return axis;
  }

  outputShape(inputShape: Shape): Shape {
    const shape = checkShape(inputShape, 'inputShape');
    this.#axisOf(shape, 'inputShape');
    return shape;
  }

  override forget(): void {
    this.#output = undefined;
  }

  override copy(): Softmax {
    return this.inMode(new Softmax(this.axis));
  }

  override explainShape(): string {
    return 'line by line';
  }
}
