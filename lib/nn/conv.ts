/** Convolution layers in one, two and three dimensions. */
import { checkOptions, checkShape } from '../check.js';
import { conv1d, conv2d, conv3d } from '../conv/conv.js';
import { convBiasGrad, convInputGrad, convWeightGrad } from '../conv/gradients.js';
import type { Axes, Rank } from '../plan/options/axes.js';
import {
  checkChannels,
  forwardAxes,
  GEOMETRY_OPTIONS,
  type Geometry,
  readBatchShape,
  type Window,
} from '../plan/options/window.js';
import type { TensorLike } from '../tensor/take.js';
import type { FloatTensor, Shape } from '../tensor/tensor.js';
import { type ConvLayerOptions, makeConvParts } from './conv-parts.js';
import { FRESH, type GradientMemory, type Memory, type Passed, resultIn } from './memory.js';
import {
  accumulate,
  keptBy,
  Module,
  type Output,
  type Parameter,
  takeGradient,
  takeInput,
} from './module.js';
import { describeGeometry, explainAxes } from './words.js';

const CONV_LAYER_OPTIONS = [...GEOMETRY_OPTIONS, 'bias', 'seed'];
const CONV_OF_RANK = { 1: conv1d, 2: conv2d, 3: conv3d } as const;

/**
 * 1-D cross-correlation with learned weight and bias (the kernel is not flipped): as `conv1d`, with its geometry options.
 *
 * @param inChannels   ic, of the input [n, ic, l] (n may be left out).
 * @param outChannels  oc, of the output.
 * @param kernelSize   One number, or one per spatial axis.
 * @param options.seed  Of the initial weights: uniform in ±1/√(ic/groups·∏kernel), PyTorch's default.
 * @throws {ArgumentError} for sizes and options that convNd would refuse.
 *
 * Parameters: `weight` [oc, ic/groups, kernel…] and, unless `bias: false`, `bias` [oc].
 * @example new nn.Conv1d(1, 2, 3, { padding: 1 }).outputShape([1, 1, 8])   // [1, 2, 8]
 */
export class Conv1d extends Module {
  static override readonly name: string = 'Conv1d';
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** What the options amount to, with nothing left out. */
  readonly geometry: Required<Geometry>;
  /** OIHW or as the rank has it: [outChannels, inChannels/groups, …]. */
  readonly weight: Parameter;
  /** One per output; null when the layer has none. */
  readonly bias: Parameter | null;
  readonly #window: Window;
  #kept: { input: FloatTensor; batched: boolean; output: Output } | undefined;

  /** @param kernelSize  One size for all axes, or one for each. */
  constructor(inChannels: number, outChannels: number, kernelSize: Axes, options?: ConvLayerOptions) {
    super();
    const given = checkOptions(options, CONV_LAYER_OPTIONS);
    const parts = makeConvParts(this.rank, inChannels, outChannels, kernelSize, given, 'OI');
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.geometry = parts.geometry;
    this.weight = parts.weight;
    this.bias = parts.bias;
    this.#window = parts.window;
  }

  /** Spatial axes. */
  get rank(): Rank {
    return 1;
  }

  /** @param x  [n, ic, spatial…], or without n. @returns [n, oc, spatial…], or without n. */
  forward(x: TensorLike): FloatTensor {
    return this.#run(this.#take(x), 'none', FRESH);
  }

  /** @internal */
  override forwardInto(x: FloatTensor, memory: Memory): FloatTensor {
    return this.#run(this.#take(x), 'none', memory);
  }

  /** As forward with a ReLU after it, in one pass: each value is rectified as it is written. */
  forwardRectified(x: TensorLike): FloatTensor {
    return this.#run(this.#take(x), 'relu', FRESH);
  }

  /** @internal */
  forwardRectifiedInto(x: FloatTensor, memory: Memory): FloatTensor {
    return this.#run(this.#take(x), 'relu', memory);
  }

  #take(x: TensorLike): FloatTensor {
    return takeInput(x, this.weight.data.dtype);
  }

  #run(input: FloatTensor, activation: 'none' | 'relu', memory: Memory): FloatTensor {
    const out = memory === FRESH ? undefined : resultIn(memory, input.dtype, this.outputShape(input.shape));
    const options = { ...this.geometry, bias: this.bias?.data, activation, out };
    const output = CONV_OF_RANK[this.rank](input, this.weight.data, options);
    const batched = input.shape.length === this.rank + 2;
    const { shape, dtype } = output;
    this.#kept = { input, batched, output: { shape, dtype } };
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    return this.#back(takeGradient(gradOutput, keptBy(this, this.#kept).output), FRESH);
  }

  /** @internal */
  override backwardInto(passed: Passed, memory: GradientMemory): Passed {
    const given = takeGradient(passed.gradient, keptBy(this, this.#kept).output);
    const gradient = this.#back(given, memory);
    memory.giveBack(passed);
    return { gradient, isOwn: true };
  }

  #back(given: FloatTensor, memory: Memory): FloatTensor {
    const { input } = keptBy(this, this.#kept);
    const { x, g } = this.#batched(given);
    const out = resultIn(memory, x.dtype, x.shape);
    const inputGrad = convInputGrad(x.shape, this.weight.data, g, { ...this.geometry, out });
    this.#accumulate(x, g);
    return inputGrad.reshape(input.shape);
  }

  override backwardParameters(gradOutput: TensorLike): void {
    const { x, g } = this.#batched(takeGradient(gradOutput, keptBy(this, this.#kept).output));
    this.#accumulate(x, g);
  }

  /** Input and gradient with the axis of the batch. */
  #batched(given: FloatTensor): { x: FloatTensor; g: FloatTensor } {
    const { input, batched } = keptBy(this, this.#kept);
    if (batched) return { x: input, g: given };
    return { x: input.reshape([1, ...input.shape]), g: given.reshape([1, ...given.shape]) };
  }

  #accumulate(x: FloatTensor, g: FloatTensor): void {
    const weightGrad = convWeightGrad(x, this.weight.data.shape, g, this.geometry);
    if (this.bias !== null) accumulate(this.bias, convBiasGrad(g));
    accumulate(this.weight, weightGrad);
  }

  outputShape(inputShape: Shape): Shape {
    const { batched, batch, channels, spatial } = readBatchShape(
      checkShape(inputShape, 'inputShape'),
      this.rank,
      'inputShape',
    );
    checkChannels(channels, this.weight.data.shape, this.#window.groups, 'inputShape');
    const out = [this.outChannels, ...forwardAxes(this.#window, spatial).map((axis) => axis.out)];
    return batched ? [batch, ...out] : out;
  }

  override parameters(): Parameter[] {
    return this.bias === null ? [this.weight] : [this.weight, this.bias];
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): Conv1d {
    const options = { ...this.geometry, bias: this.bias !== null, seed: 0 };
    const twin = new CONV_LAYER_OF_RANK[this.rank](
      this.inChannels,
      this.outChannels,
      this.#window.kernel,
      options,
    );
    twin.loadStateDict(this.stateDict());
    return this.inMode(twin);
  }

  override describe(): string {
    const words = describeGeometry(this.inChannels, this.outChannels, this.#window);
    return `${this.constructor.name}(${words.join(', ')})`;
  }

  /** One per output and tap, padding included. */
  override multiplications(inputShape: Shape): number {
    const outputs = this.outputShape(inputShape).reduce((product, size) => product * size, 1);
    return (outputs * this.weight.data.size) / this.outChannels;
  }

  override explainShape(inputShape: Shape): string {
    const axes = forwardAxes(this.#window, inputShape.slice(1));
    const channels = this.outChannels;
    const gives =
      channels === 1 ? '1 kernel gives 1 channel' : `${channels} kernels give ${channels} channels`;
    return `${gives}; ${explainAxes(axes)}`;
  }
}

/**
 * 2-D cross-correlation with learned weight and bias: as `conv2d`, over [n, ic, h, w]. See Conv1d.
 *
 * @example new nn.Conv2d(3, 8, 3, { padding: 1 }).forward(image).shape   // [1, 8, 32, 32]
 */
export class Conv2d extends Conv1d {
  static override readonly name: string = 'Conv2d';
  override get rank(): Rank {
    return 2;
  }
}

/**
 * 3-D cross-correlation with learned weight and bias: as `conv3d`, over [n, ic, d, h, w]. See Conv1d.
 *
 * @example new nn.Conv3d(1, 2, 3).outputShape([1, 1, 8, 8, 8])   // [1, 2, 6, 6, 6]
 */
export class Conv3d extends Conv1d {
  static override readonly name: string = 'Conv3d';
  override get rank(): Rank {
    return 3;
  }
}

export const CONV_LAYER_OF_RANK = { 1: Conv1d, 2: Conv2d, 3: Conv3d } as const;
