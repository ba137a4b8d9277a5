/** The fully-connected layer. */
import { checkBoolean, checkInteger, checkOptions, checkShape, describeShape, mismatch } from '../check.js';
import { ShapeError } from '../errors.js';
import { random } from '../random.js';
import { convertLike, type FloatArray } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { defaultInit } from './init.js';
import { product, productTransposed, transposedProduct } from './linear-algebra.js';
import type { GradientMemory, Passed } from './memory.js';
import {
  accumulate,
  keptBy,
  Module,
  makeParameter,
  type Output,
  type Parameter,
  takeGradient,
  takeInput,
} from './module.js';

/** Bias, and where initial weights come from. */
export interface LinearOptions {
  /** Add a learned bias per output. Default true. */
  readonly bias?: boolean;
  /** Of the initial weights; drawn at random when absent. */
  readonly seed?: number;
}

/**
 * y = x·weightᵀ + bias.
 *
 * @param inFeatures   Length of x's last axis; the axes before it are all batch.
 * @param outFeatures  Length of y's last axis.
 * @param options.seed  Of the initial weights: uniform in ±1/√inFeatures, PyTorch's default.
 *
 * Parameters: `weight` [outFeatures, inFeatures] and, unless `bias: false`, `bias` [outFeatures].
 * @example new nn.Linear(3, 2).outputShape([4, 3])   // [4, 2]
 */
export class Linear extends Module {
  static override readonly name: string = 'Linear';
  /** Features of a sample that comes in. */
  readonly inFeatures: number;
  /** Features of a sample that comes out. */
  readonly outFeatures: number;
  /** [outFeatures, inFeatures]. */
  readonly weight: Parameter;
  /** One per output; null when the layer has none. */
  readonly bias: Parameter | null;
  #kept: { input: FloatTensor; output: Output } | undefined;

  /**
   * @param inFeatures   Features of a sample that comes in.
   * @param outFeatures  Features of a sample that comes out.
   */
  constructor(inFeatures: number, outFeatures: number, options?: LinearOptions) {
    super();
    const given = checkOptions(options, ['bias', 'seed']);
    this.inFeatures = checkInteger(inFeatures, 'inFeatures', 1);
    this.outFeatures = checkInteger(outFeatures, 'outFeatures', 1);
    const withBias = checkBoolean(given.bias ?? true, 'options.bias');
    const source = random(given.seed);
    this.weight = makeParameter('weight', defaultInit([outFeatures, inFeatures], inFeatures, source));
    this.bias = withBias ? makeParameter('bias', defaultInit([outFeatures], inFeatures, source)) : null;
  }

  /** @param x  [batch…, inFeatures]. @returns [batch…, outFeatures]. */
  forward(x: TensorLike): FloatTensor {
    const { weight, inFeatures, outFeatures } = this;
    const { dtype } = weight.data;
    const input = takeInput(x, dtype);
    const shape = this.#outputShape(input.shape, 'x');
    const rows = input.size / inFeatures;
    const values = productTransposed(rows, outFeatures, inFeatures, input.data, weight.data.data);
    if (this.bias !== null) addToRows(values, this.bias.data.data);
    this.#kept = { input, output: { shape, dtype } };
    return new Tensor(values, shape);
  }

  /** @internal */
  override forwardInto(x: FloatTensor): FloatTensor {
    return this.forward(x);
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { input, output } = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, output);
    const { weight, bias, inFeatures, outFeatures } = this;
    const rows = input.size / inFeatures;
    const inputGrad = product(rows, inFeatures, outFeatures, g, weight.data.data);
    const weightGrad = transposedProduct(outFeatures, inFeatures, rows, g, input.data);
    if (bias !== null) accumulate(bias, sumOfRows(g, outFeatures));
    accumulate(weight, new Tensor(weightGrad, weight.data.shape));
    return new Tensor(inputGrad, input.shape);
  }

  /** @internal */
  override backwardInto(passed: Passed, memory: GradientMemory): Passed {
    const gradient = this.backward(passed.gradient);
    memory.giveBack(passed);
    return { gradient, isOwn: true };
  }

  outputShape(inputShape: Shape): Shape {
    return this.#outputShape(checkShape(inputShape, 'inputShape'), 'inputShape');
  }

  #outputShape(inputShape: Shape, argument: string): Shape {
    if (inputShape.at(-1) !== this.inFeatures) {
      throw mismatch(ShapeError, argument, `a last axis of ${this.inFeatures}`, describeShape(inputShape));
    }
    return [...inputShape.slice(0, -1), this.outFeatures];
  }

  override parameters(): Parameter[] {
    return this.bias === null ? [this.weight] : [this.weight, this.bias];
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): Linear {
    const twin = new Linear(this.inFeatures, this.outFeatures, { bias: this.bias !== null, seed: 0 });
    twin.loadStateDict(this.stateDict());
    return this.inMode(twin);
  }

  override describe(): string {
    return `${this.constructor.name}(${this.inFeatures} → ${this.outFeatures})`;
  }

  override multiplications(inputShape: Shape): number {
    const inputs = inputShape.reduce((count, size) => count * size, 1);
    return inputs * this.outFeatures;
  }

  override explainShape(): string {
    return `each of ${this.outFeatures} outputs weighs all ${this.inFeatures} inputs`;
  }
}

function addToRows(values: FloatArray, row: FloatArray): void {
  for (let start = 0; start < values.length; start += row.length) {
    for (let i = 0; i < row.length; i++) values[start + i] += row[i];
  }
}

/** Summed in float64, rounded once. */
function sumOfRows(values: FloatArray, length: number): FloatTensor {
  const sums = new Float64Array(length);
  for (let start = 0; start < values.length; start += length) {
    for (let i = 0; i < length; i++) sums[i] += values[start + i];
  }
  return new Tensor(convertLike(values, sums), [length]);
}
