/** Batch normalisation over one to three spatial axes. */
import type { ChannelShape, Normalisation } from '../backend/backend.js';
import { backend } from '../backend/select.js';
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
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { FRESH, type GradientMemory, type Memory, type Passed, resultIn } from './memory.js';
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

type Statistics = Pick<Normalisation, 'mean' | 'scale'>;
type Affine = Pick<Normalisation, 'factor' | 'offset'>;

/** What a forward pass normalised, and how. */
interface Kept extends Normalisation {
  readonly input: FloatTensor;
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
    return this.#run(this.#take(x), false, FRESH);
  }

  /** @internal */
  override forwardInto(x: FloatTensor, memory: Memory): FloatTensor {
    return this.#run(this.#take(x), false, memory);
  }

  /** As forward with a ReLU after it, in one pass: each value is rectified as it is written. @internal */
  forwardRectifiedInto(x: FloatTensor, memory: Memory): FloatTensor {
    return this.#run(this.#take(x), true, memory);
  }

  #take(x: TensorLike): FloatTensor {
    return takeInput(x, this.weight?.data.dtype);
  }

  #run(input: FloatTensor, rectified: boolean, memory: Memory): FloatTensor {
    this.#check(input.shape, 'x');
    const ofBatch = this.training || this.#running === null;
    const statistics =
      ofBatch || this.#running === null ? this.#measure(input) : this.#remembered(this.#running);
    const kept: Kept = { input, ofBatch, ...statistics, ...this.#affineOf(statistics) };
    this.#kept = kept;
    const y = resultIn(memory, input.dtype, input.shape);
    backend().channelAffine(channelsOf(input), input.data, kept.factor, kept.offset, rectified, y.data);
    return y;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    return this.#back({ gradient: this.#gradient(gradOutput), isOwn: false }, false, FRESH);
  }

  /** @internal */
  override backwardInto({ gradient, isOwn }: Passed, memory: GradientMemory): Passed {
    const g = this.#gradient(gradient);
    return { gradient: this.#back({ gradient: g, isOwn }, false, memory), isOwn: true };
  }

  /** The gradient of forwardRectifiedInto: as backwardInto, after that of the ReLU. @internal */
  backwardRectifiedInto({ gradient, isOwn }: Passed, memory: GradientMemory): Passed {
    const g = this.#gradient(gradient);
    return { gradient: this.#back({ gradient: g, isOwn }, true, memory), isOwn: true };
  }

  #gradient(gradOutput: TensorLike): FloatTensor {
    return takeGradient(gradOutput, keptBy(this, this.#kept).input);
  }

  #back({ gradient: g, isOwn }: Passed, rectified: boolean, memory: Memory): FloatTensor {
    const kept = keptBy(this, this.#kept);
    const { input } = kept;
    // Of each channel Σ g and Σ g·x̂: the gradients of bias and weight, and what the statistics pass back.
    const sums = new Float64Array(this.numFeatures);
    const products = new Float64Array(this.numFeatures);
    const dx = isOwn ? g : resultIn(memory, input.dtype, input.shape);
    backend().batchNormGrad(channelsOf(input), g.data, input.data, kept, rectified, dx.data, sums, products);
    if (this.weight !== null) accumulate(this.weight, new Tensor(products, [this.numFeatures]));
    if (this.bias !== null) accumulate(this.bias, new Tensor(sums, [this.numFeatures]));
    return dx;
  }

  /** Mean and variance of each channel of the batch, which the running ones move towards. */
  #measure(input: FloatTensor): Statistics {
    const count = input.size / this.numFeatures;
    if (count === 1) {
      const expected = 'more than one value per channel to train on';
      throw mismatch(ShapeError, 'x', expected, describeShape(input.shape));
    }
    const mean = new Float64Array(this.numFeatures);
    const squares = new Float64Array(this.numFeatures);
    backend().batchMoments(channelsOf(input), input.data, mean, squares);
    if (this.training) this.#follow(mean, squares, count);
    return { mean, scale: squares.map((sum) => 1 / Math.sqrt(sum / Math.max(count, 1) + this.eps)) };
  }

  #follow(mean: Float64Array, squares: Float64Array, count: number): void {
    if (this.#running === null) return;
    const [runningMean, runningVariance] = [this.#running.mean.data.data, this.#running.variance.data.data];
    const batches = this.#running.batches.data.data;
    batches[0]++;
    // A batch without elements has no mean to move towards.
    if (count === 0) return;
    const share = this.momentum ?? 1 / batches[0];
    for (let c = 0; c < this.numFeatures; c++) {
      runningMean[c] += share * (mean[c] - runningMean[c]);
      runningVariance[c] += share * (squares[c] / (count - 1) - runningVariance[c]);
    }
  }

  /** The running statistics as they normalise. */
  #remembered({ mean, variance }: Running): Statistics {
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
    return this.#running === null ? null : this.#affineOf(this.#remembered(this.#running));
  }

  #affineOf({ mean, scale }: Statistics): Affine {
    const [weight, bias] = [this.weight?.data.data, this.bias?.data.data];
    const factor = scale.map((value, c) => value * (weight === undefined ? 1 : weight[c]));
    const offset = mean.map((value, c) => (bias === undefined ? 0 : bias[c]) - value * factor[c]);
    return { factor, offset };
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

function channelsOf({ shape: [batch, channels, ...spatial] }: FloatTensor): ChannelShape {
  return { batch, channels, places: product(spatial) };
}
