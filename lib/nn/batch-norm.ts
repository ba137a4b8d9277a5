/** Batch normalisation over one to three spatial axes. */
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  checkShape,
  describeShape,
  mismatch,
} from '../check.js';
import { ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import type { Rank } from '../plan/options/axes.js';
import { type FloatArray, uninitialisedLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import {
  accumulate,
  keptBy,
  Module,
  makeParameter,
  type Parameter,
  type StateBuffer,
  takeGradient,
  takeInput,
} from './module.js';

/** As in PyTorch. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** The share of the latest batch in the running statistics; null for their plain average. Default 0.1. */
  readonly momentum?: number | null;
  /** Learn a weight and a bias per channel. Default true. */
  readonly affine?: boolean;
  /** Keep running statistics for evaluation; without them every batch is normalised by its own. Default true. */
  readonly trackRunningStats?: boolean;
}

interface Running {
  readonly mean: StateBuffer<FloatTensor>;
  readonly variance: StateBuffer<FloatTensor>;
  readonly batches: StateBuffer<Tensor<Int32Array>>;
}

/** The statistics that a forward pass normalised by. */
interface Kept {
  readonly input: FloatTensor;
  readonly mean: Float64Array;
  /** 1/√(variance + eps). */
  readonly scale: Float64Array;
  /** Whether they are the input's own, so that gradients flow through them. */
  readonly ofBatch: boolean;
}

/**
 * y = (x − mean)/√(variance + eps)·weight + bias per channel: by the batch's own statistics while training, by the running
 * ones in evaluation mode. As torch.nn.BatchNorm1d, whose variances it has: the biased one normalises, the unbiased one
 * enters the running average. Sums are in float64.
 *
 * @param numFeatures  Channels: x is [n, c] or [n, c, l].
 * @throws {ShapeError} in training mode for a batch with one value per channel, which has no variance.
 *
 * Parameters: `weight` and `bias` [c]. Buffers: `running_mean`, `running_var` [c], and `num_batches_tracked`.
 * Source: Ioffe and Szegedy 2015.
 * @example new nn.BatchNorm1d(2).outputShape([4, 2])   // [4, 2]
 */
export class BatchNorm1d extends Module {
  static override readonly name: string = 'BatchNorm1d';
  /** How many channels there are. */
  readonly numFeatures: number;
  /** Added to variances. */
  readonly eps: number;
  /** Share of the new batch in the running statistics; null averages all batches. */
  readonly momentum: number | null;
  /** γ, one per channel; null when not affine. */
  readonly weight: Parameter | null;
  /** β, one per channel; null when not affine. */
  readonly bias: Parameter | null;
  readonly #running: Running | null;
  #kept: Kept | undefined;

  /** @param numFeatures  How many channels there are. */
  constructor(numFeatures: number, options?: BatchNormOptions) {
    super();
    const given = checkOptions(options, ['eps', 'momentum', 'affine', 'trackRunningStats']);
    this.numFeatures = checkInteger(numFeatures, 'numFeatures', 1);
    this.eps = checkNumber(given.eps ?? 1e-5, 'options.eps', 0, Number.MAX_VALUE);
    const { momentum = 0.1 } = given;
    this.momentum = momentum === null ? null : checkNumber(momentum, 'options.momentum', 0, 1);
    const affine = checkBoolean(given.affine ?? true, 'options.affine');
    this.weight = affine ? makeParameter('weight', this.#perChannel(1)) : null;
    this.bias = affine ? makeParameter('bias', this.#perChannel(0)) : null;
    this.#running = checkBoolean(given.trackRunningStats ?? true, 'options.trackRunningStats')
      ? {
          mean: { name: 'running_mean', data: this.#perChannel(0) },
          variance: { name: 'running_var', data: this.#perChannel(1) },
          batches: { name: 'num_batches_tracked', data: new Tensor(Int32Array.of(0), []) },
        }
      : null;
  }

  /** Spatial axes; of one there may be none, too. */
  get spatialRank(): Rank {
    return 1;
  }

  #perChannel(value: number): Tensor<Float32Array> {
    return new Tensor(new Float32Array(this.numFeatures).fill(value), [this.numFeatures]);
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x, this.weight?.data.dtype);
    this.#check(input.shape, 'x');
    const kept: Kept =
      this.training || this.#running === null
        ? { input, ofBatch: true, ...this.#measure(input) }
        : { input, ofBatch: false, ...this.#remembered(this.#running) };
    this.#kept = kept;
    const y = uninitialisedLike(input.data);
    forEachPlane(input, (channel, start, end) => {
      const { factor, offset } = affineOf(kept, channel, this.weight?.data.data, this.bias?.data.data);
      scaleInto(input.data, y, start, end, factor, offset);
    });
    return new Tensor(y, input.shape);
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const kept = keptBy(this, this.#kept);
    const { input, mean, scale, ofBatch } = kept;
    const { data: g } = takeGradient(gradOutput, input);
    const x = input.data;
    // Of each channel Σ g and Σ g·x̂: the gradients of bias and weight, and what the statistics pass back.
    const sums = new Float64Array(this.numFeatures);
    const products = new Float64Array(this.numFeatures);
    forEachPlane(input, (channel, start, end) => {
      sums[channel] += sumOf(g, start, end);
      products[channel] += momentOf(g, x, start, end, mean[channel]) * scale[channel];
    });
    const count = x.length / this.numFeatures;
    const dx = uninitialisedLike(x);
    forEachPlane(input, (channel, start, end) => {
      const weight = this.weight === null ? 1 : this.weight.data.data[channel];
      const factor = weight * scale[channel];
      const level = ofBatch ? sums[channel] / count : 0;
      const slope = ofBatch ? (products[channel] * scale[channel]) / count : 0;
      passBack(g, x, dx, start, end, factor, level - slope * mean[channel], slope);
    });
    if (this.weight !== null) accumulate(this.weight, new Tensor(products, [this.numFeatures]));
    if (this.bias !== null) accumulate(this.bias, new Tensor(sums, [this.numFeatures]));
    return new Tensor(dx, input.shape);
  }

  /** Mean and variance of each channel of the batch, which the running ones move towards. */
  #measure(input: FloatTensor): Pick<Kept, 'mean' | 'scale'> {
    const count = input.size / this.numFeatures;
    if (count < 2) {
      const expected = 'more than one value per channel to train on';
      throw mismatch(ShapeError, 'x', expected, describeShape(input.shape));
    }
    const { data } = input;
    const mean = new Float64Array(this.numFeatures);
    forEachPlane(input, (channel, start, end) => {
      mean[channel] += sumOf(data, start, end) / count;
    });
    const squares = new Float64Array(this.numFeatures);
    forEachPlane(input, (channel, start, end) => {
      squares[channel] += squaresOf(data, start, end, mean[channel]);
    });
    if (this.training) this.#follow(mean, squares, count);
    return { mean, scale: squares.map((sum) => 1 / Math.sqrt(sum / count + this.eps)) };
  }

  #follow(mean: Float64Array, squares: Float64Array, count: number): void {
    if (this.#running === null) return;
    const [runningMean, runningVariance] = [this.#running.mean.data.data, this.#running.variance.data.data];
    const batches = this.#running.batches.data.data;
    batches[0]++;
    const share = this.momentum ?? 1 / batches[0];
    for (let c = 0; c < this.numFeatures; c++) {
      runningMean[c] += share * (mean[c] - runningMean[c]);
      runningVariance[c] += share * (squares[c] / (count - 1) - runningVariance[c]);
    }
  }

  /** The running statistics as they normalise. */
  #remembered({ mean, variance }: Running): Pick<Kept, 'mean' | 'scale'> {
    return {
      mean: Float64Array.from(mean.data.data),
      scale: Float64Array.from(variance.data.data, (value) => 1 / Math.sqrt(value + this.eps)),
    };
  }

  /**
   * y = factor·x + offset per channel, as evaluation computes it; null when each batch is normalised by its own
   * statistics.
   */
  affine(): { factor: Float64Array; offset: Float64Array } | null {
    if (this.#running === null) return null;
    const kept = this.#remembered(this.#running);
    const all = Array.from(kept.mean, (_, channel) =>
      affineOf(kept, channel, this.weight?.data.data, this.bias?.data.data),
    );
    return {
      factor: Float64Array.from(all, ({ factor }) => factor),
      offset: Float64Array.from(all, ({ offset }) => offset),
    };
  }

  outputShape(inputShape: Shape): Shape {
    return this.#check(checkShape(inputShape, 'inputShape'), 'inputShape');
  }

  #check(shape: Shape, argument: string): Shape {
    const rank = this.spatialRank;
    if (shape.length !== rank + 2 && !(rank === 1 && shape.length === 2)) {
      const expected = rank === 1 ? '2 or 3 axes [N, C] or [N, C, L]' : `${rank + 2} axes [N, C, spatial…]`;
      throw mismatch(ShapeError, argument, expected, describeShape(shape));
    }
    if (shape[1] !== this.numFeatures)
      throw mismatch(ShapeError, argument, `${this.numFeatures} channels`, `${shape[1]} channels`);
    return shape;
  }

  override parameters(): Parameter[] {
    return this.weight === null || this.bias === null ? [] : [this.weight, this.bias];
  }

  override buffers(): StateBuffer[] {
    if (this.#running === null) return [];
    const { mean, variance, batches } = this.#running;
    return [mean, variance, batches];
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): BatchNorm1d {
    const { eps, momentum } = this;
    const options = {
      eps,
      momentum,
      affine: this.weight !== null,
      trackRunningStats: this.#running !== null,
    };
    const twin = new NORM_OF_RANK[this.spatialRank](this.numFeatures, options);
    twin.loadStateDict(this.stateDict());
    return this.inMode(twin);
  }

  override describe(): string {
    return `${this.constructor.name}(${this.numFeatures})`;
  }

  override multiplications(inputShape: Shape): number {
    return product(inputShape);
  }

  override explainShape(): string {
    return 'each channel by its mean and variance';
  }
}

/**
 * Batch normalisation of [n, c, h, w]. See BatchNorm1d.
 *
 * @example new nn.BatchNorm2d(3).outputShape([1, 3, 8, 8])   // [1, 3, 8, 8]
 */
export class BatchNorm2d extends BatchNorm1d {
  static override readonly name: string = 'BatchNorm2d';
  override get spatialRank(): Rank {
    return 2;
  }
}

/**
 * Batch normalisation of [n, c, d, h, w]. See BatchNorm1d.
 *
 * @example new nn.BatchNorm3d(3).outputShape([1, 3, 4, 8, 8])   // [1, 3, 4, 8, 8]
 */
export class BatchNorm3d extends BatchNorm1d {
  static override readonly name: string = 'BatchNorm3d';
  override get spatialRank(): Rank {
    return 3;
  }
}

const NORM_OF_RANK = { 1: BatchNorm1d, 2: BatchNorm2d, 3: BatchNorm3d } as const;

/** Calls `run` with each channel plane's elements, [start, end). */
function forEachPlane(
  { shape, size }: FloatTensor,
  run: (channel: number, start: number, end: number) => void,
): void {
  const [batch, channels] = shape;
  const places = size / (batch * channels);
  for (let plane = 0, start = 0; plane < batch * channels && places > 0; plane++, start += places)
    run(plane % channels, start, start + places);
}

function affineOf(
  { mean, scale }: Pick<Kept, 'mean' | 'scale'>,
  channel: number,
  weight: FloatArray | undefined,
  bias: FloatArray | undefined,
): { factor: number; offset: number } {
  const factor = scale[channel] * (weight === undefined ? 1 : weight[channel]);
  return { factor, offset: (bias === undefined ? 0 : bias[channel]) - mean[channel] * factor };
}

// The loops over a plane, each a function of its own, so that it is compiled once and for one kind of array. Two sums side
// by side do not wait for one another.

function scaleInto(
  x: FloatArray,
  y: FloatArray,
  start: number,
  end: number,
  factor: number,
  offset: number,
): void {
  for (let i = start; i < end; i++) y[i] = x[i] * factor + offset;
}

function sumOf(x: FloatArray, start: number, end: number): number {
  let even = 0;
  let odd = 0;
  let i = start;
  for (; i + 1 < end; i += 2) {
    even += x[i];
    odd += x[i + 1];
  }
  return i < end ? even + odd + x[i] : even + odd;
}

/** Σ (x − mean)². */
function squaresOf(x: FloatArray, start: number, end: number, mean: number): number {
  return momentOf(x, x, start, end, mean, mean);
}

/** Σ (g − level)·(x − mean). */
function momentOf(g: FloatArray, x: FloatArray, start: number, end: number, mean: number, level = 0): number {
  let even = 0;
  let odd = 0;
  let i = start;
  for (; i + 1 < end; i += 2) {
    even += (g[i] - level) * (x[i] - mean);
    odd += (g[i + 1] - level) * (x[i + 1] - mean);
  }
  return i < end ? even + odd + (g[i] - level) * (x[i] - mean) : even + odd;
}

/** dx = factor·(g − offset − slope·x). */
function passBack(
  g: FloatArray,
  x: FloatArray,
  dx: FloatArray,
  start: number,
  end: number,
  factor: number,
  offset: number,
  slope: number,
): void {
  for (let i = start; i < end; i++) dx[i] = factor * (g[i] - offset - slope * x[i]);
}
