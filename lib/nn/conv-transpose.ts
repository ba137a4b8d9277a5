/** Transposed convolution layers in one, two and three dimensions. */
import { checkOptions, checkShape, mismatch } from '../check.js';
import { conv1d, conv2d, conv3d } from '../conv/conv.js';
import { convBiasGrad, convWeightGrad } from '../conv/gradients.js';
import { convTranspose1d, convTranspose2d, convTranspose3d, transposedAxes } from '../conv/transpose.js';
import { ShapeError } from '../errors.js';
import { product } from '../numbers.js';
import { type Axes, perAxis, type Rank } from '../plan/options/axes.js';
import { GEOMETRY_OPTIONS, type Geometry, readBatchShape, type Window } from '../plan/options/window.js';
import { zerosLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { type ConvLayerOptions, makeConvParts } from './conv-parts.js';
import {
  accumulate,
  keptBy,
  Module,
  type Output,
  type Parameter,
  takeGradient,
  takeInput,
} from './module.js';
import { describeGeometry, explainTransposed } from './words.js';

/** As of a convolution, and which of the sizes that fit the result has. */
export interface ConvTransposeLayerOptions extends ConvLayerOptions {
  /** Elements added at the end of each axis of the result, to undo a stride's rounding. Default 0. */
  readonly outputPadding?: Axes;
}

const LAYER_OPTIONS = [...GEOMETRY_OPTIONS, 'outputPadding', 'bias', 'seed'];
const CONV_OF_RANK = { 1: conv1d, 2: conv2d, 3: conv3d } as const;
const TRANSPOSE_OF_RANK = { 1: convTranspose1d, 2: convTranspose2d, 3: convTranspose3d } as const;

/**
 * 1-D transposed convolution with learned weight and bias: as `convTranspose1d`, with its geometry options.
 *
 * @param inChannels   ic, of the input [n, ic, l] (n may be left out).
 * @param outChannels  oc, of the output.
 * @param kernelSize   One number, or one per spatial axis.
 * @param options.seed  Of the initial weights: uniform in ±1/√(oc/groups·∏kernel), PyTorch's default.
 * @throws {ArgumentError} for sizes and options that convTransposeNd would refuse.
 *
 * Parameters: `weight` [ic, oc/groups, kernel…] and, unless `bias: false`, `bias` [oc].
 * @example new nn.ConvTranspose1d(1, 2, 2, { stride: 2 }).outputShape([1, 1, 5])   // [1, 2, 10]
 */
export class ConvTranspose1d extends Module {
  static override readonly name: string = 'ConvTranspose1d';
  /** Channels of the input. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** What the options amount to, with nothing left out. */
  readonly geometry: Required<Geometry>;
  /** Added to the size of the result at the end of each axis. */
  readonly outputPadding: readonly number[];
  /** IOHW or as the rank has it: [inChannels, outChannels/groups, …]. */
  readonly weight: Parameter;
  /** One per output; null when the layer has none. */
  readonly bias: Parameter | null;
  readonly #window: Window;
  #kept: { input: FloatTensor; batched: boolean; output: Output } | undefined;

  /** @param kernelSize  One size for all axes, or one for each. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Axes,
    options?: ConvTransposeLayerOptions,
  ) {
    super();
    const given = checkOptions(options, LAYER_OPTIONS);
    const parts = makeConvParts(this.rank, inChannels, outChannels, kernelSize, given, 'IO');
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.geometry = parts.geometry;
    this.outputPadding = Object.freeze(
      perAxis(given.outputPadding ?? 0, this.rank, 'options.outputPadding', 0),
    );
    this.weight = parts.weight;
    this.bias = parts.bias;
    this.#window = parts.window;
  }

  /** Spatial axes. */
  get rank(): Rank {
    return 1;
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x, this.weight.data.dtype);
    const { geometry, outputPadding, bias } = this;
    const options = { ...geometry, outputPadding, bias: bias?.data };
    const { shape, dtype, data } = TRANSPOSE_OF_RANK[this.rank](input, this.weight.data, options);
    this.#kept = { input, batched: input.shape.length === this.rank + 2, output: { shape, dtype } };
    return new Tensor(data, shape);
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { input, batched, output } = keptBy(this, this.#kept);
    const given = takeGradient(gradOutput, output);
    const x = batched ? input : input.reshape([1, ...input.shape]);
    const g = batched ? given : given.reshape([1, ...given.shape]);
    const weight = this.weight.data;
    // The convolution that this layer is the adjoint of takes gradients back to the input.
    const back = CONV_OF_RANK[this.rank](g, weight, this.geometry);
    const weightGrad = convWeightGrad(g, weight.shape, extended(x, back.shape), this.geometry);
    if (this.bias !== null) accumulate(this.bias, convBiasGrad(g));
    accumulate(this.weight, weightGrad);
    const inputGrad = back.slice(...x.shape.map((size) => [0, size] as const));
    return batched ? inputGrad : inputGrad.reshape(input.shape);
  }

  outputShape(inputShape: Shape): Shape {
    const { batched, batch, channels, spatial } = readBatchShape(
      checkShape(inputShape, 'inputShape'),
      this.rank,
      'inputShape',
    );
    if (channels !== this.inChannels)
      throw mismatch(ShapeError, 'inputShape', `${this.inChannels} channels`, `${channels} channels`);
    const axes = transposedAxes(this.#window, spatial, { outputPadding: this.outputPadding });
    const out = [this.outChannels, ...axes.map((axis) => axis.in)];
    return batched ? [batch, ...out] : out;
  }

  override parameters(): Parameter[] {
    return this.bias === null ? [this.weight] : [this.weight, this.bias];
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): ConvTranspose1d {
    const { geometry, outputPadding } = this;
    const options = { ...geometry, outputPadding, bias: this.bias !== null, seed: 0 };
    const Layer = CONV_TRANSPOSE_LAYER_OF_RANK[this.rank];
    const twin = new Layer(this.inChannels, this.outChannels, this.#window.kernel, options);
    twin.loadStateDict(this.stateDict());
    return this.inMode(twin);
  }

  override describe(): string {
    const words = describeGeometry(this.inChannels, this.outChannels, this.#window);
    if (this.outputPadding.some((n) => n !== 0)) words.push(`output padding ${this.outputPadding.join('×')}`);
    return `${this.constructor.name}(${words.join(', ')})`;
  }

  /** One per input and tap, what falls on padding included. */
  override multiplications(inputShape: Shape): number {
    return (product(inputShape) * this.weight.data.size) / this.inChannels;
  }

  override explainShape(inputShape: Shape): string {
    const { outputPadding } = this;
    return explainTransposed(transposedAxes(this.#window, inputShape.slice(1), { outputPadding }));
  }
}

/**
 * 2-D transposed convolution: as `convTranspose2d`, over [n, ic, h, w]. See ConvTranspose1d.
 *
 * @example new nn.ConvTranspose2d(1, 2, 2, { stride: 2 }).outputShape([1, 1, 5, 5])   // [1, 2, 10, 10]
 */
export class ConvTranspose2d extends ConvTranspose1d {
  static override readonly name: string = 'ConvTranspose2d';
  override get rank(): Rank {
    return 2;
  }
}

/**
 * 3-D transposed convolution: as `convTranspose3d`, over [n, ic, d, h, w]. See ConvTranspose1d.
 *
 * @example new nn.ConvTranspose3d(1, 2, 2, { stride: 2 }).outputShape([1, 1, 5, 5, 5])   // [1, 2, 10, 10, 10]
 */
export class ConvTranspose3d extends ConvTranspose1d {
  static override readonly name: string = 'ConvTranspose3d';
  override get rank(): Rank {
    return 3;
  }
}

export const CONV_TRANSPOSE_LAYER_OF_RANK = {
  1: ConvTranspose1d,
  2: ConvTranspose2d,
  3: ConvTranspose3d,
} as const;

/**
 * x with zeros behind it on each axis, up to `shape`. Output padding that a stride does not explain lets the convolution
 * back see one place more than x has.
 */
function extended(x: FloatTensor, shape: Shape): FloatTensor {
  if (product(shape) === x.size) return x;
  const data = zerosLike(x.data, product(shape));
  const walk = (axis: number, from: number, to: number): void => {
    if (axis === shape.length) {
      data[to] = x.data[from];
      return;
    }
    for (let i = 0; i < x.shape[axis]; i++) walk(axis + 1, from * x.shape[axis] + i, to * shape[axis] + i);
  };
  walk(0, 0, 0);
  return new Tensor(data, shape);
}
