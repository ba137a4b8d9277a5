/** Pooling layers. */
import { backend } from '../backend/select.js';
import { checkOptions, checkShape } from '../check.js';
import { product } from '../numbers.js';
import type { Axes, Axis, Rank } from '../plan/options/axes.js';
import { readBatchShape } from '../plan/options/window.js';
import { type AvgPoolOptions, type PoolOptions, type PoolPlan, planPool } from '../plan/plans/pool.js';
import {
  avgPool1d,
  avgPool2d,
  avgPool3d,
  checkDivisor,
  maxPool1dWithIndices,
  maxPool2dWithIndices,
  maxPool3dWithIndices,
} from '../pool/pool.js';
import { type FloatArray, zerosLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { FRESH, type GradientMemory, type Memory, type Passed, resultIn } from './memory.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { passWhereOn } from './relu.js';
import { by, explainAxes } from './words.js';

const MAX_POOL_OF_RANK = {
  1: maxPool1dWithIndices,
  2: maxPool2dWithIndices,
  3: maxPool3dWithIndices,
} as const;
const AVG_POOL_OF_RANK = { 1: avgPool1d, 2: avgPool2d, 3: avgPool3d } as const;

/**
 * Max pooling over [n, c, l] (n may be left out): as `maxPool1d`. The gradient goes to the first of equal maxima.
 *
 * @example new nn.MaxPool1d(2).outputShape([1, 3, 8])   // [1, 3, 4]
 */
export class MaxPool1d extends Module {
  static override readonly name: string = 'MaxPool1d';
  /** Of the window. */
  readonly kernelSize: Axes;
  /** Stride, padding and what else the window has. */
  readonly options: PoolOptions;
  #kept: Maxima | undefined;

  /** @throws {ArgumentError} for a kernel and options that maxPool1d would refuse whatever the input. */
  constructor(kernelSize: Axes, options?: PoolOptions) {
    super();
    this.options = Object.freeze({ ...checkOptions(options, ['stride', 'padding', 'dilation', 'ceilMode']) });
    this.kernelSize = kernelSize;
    checkWindow(this.rank, kernelSize, this.options);
  }

  /** Spatial axes. */
  get rank(): Rank {
    return 1;
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const { output, indices } = MAX_POOL_OF_RANK[this.rank](input, this.kernelSize, this.options);
    this.#kept = { rank: this.rank, inputShape: input.shape, indices: indices.data, output };
    return output;
  }

  /** @internal */
  override forwardInto(x: FloatTensor): FloatTensor {
    return this.forward(x);
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const kept = keptBy(this, this.#kept);
    return scatter(kept, takeGradient(gradOutput, kept.output).data, FRESH);
  }

  /** @internal */
  override backwardInto(passed: Passed, memory: GradientMemory): Passed {
    const kept = keptBy(this, this.#kept);
    const gradient = scatter(kept, takeGradient(passed.gradient, kept.output).data, memory);
    memory.giveBack(passed);
    return { gradient, isOwn: true };
  }

  /**
   * As backward with that of a ReLU after it, when the input came from one: only maxima have a gradient, so the ReLU need
   * look at nothing else.
   */
  backwardRectified(gradOutput: TensorLike): FloatTensor {
    return this.#backRectified(gradOutput, FRESH);
  }

  /** @internal */
  backwardRectifiedInto(passed: Passed, memory: GradientMemory): Passed {
    const gradient = this.#backRectified(passed.gradient, memory);
    memory.giveBack(passed);
    return { gradient, isOwn: true };
  }

  #backRectified(gradOutput: TensorLike, memory: Memory): FloatTensor {
    const kept = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, kept.output);
    return scatter(kept, passWhereOn(g, kept.output.data), memory);
  }

  outputShape(inputShape: Shape): Shape {
    return planOf(this.rank, inputShape, this.kernelSize, this.options).outputShape;
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): MaxPool1d {
    return this.inMode(new MAX_LAYER_OF_RANK[this.rank](this.kernelSize, this.options));
  }

  override describe(): string {
    return describeWindow(this, this.kernelSize, this.options);
  }

  override explainShape(inputShape: Shape): string {
    return explainAxes(
      planOf(this.rank, inputShape, this.kernelSize, this.options).axes.slice(3 - this.rank),
    );
  }
}

/**
 * Max pooling over [n, c, h, w]: as `maxPool2d`. See MaxPool1d.
 *
 * @example new nn.MaxPool2d(2).outputShape([1, 3, 8, 8])   // [1, 3, 4, 4]
 */
export class MaxPool2d extends MaxPool1d {
  static override readonly name: string = 'MaxPool2d';
  override get rank(): Rank {
    return 2;
  }
}

/**
 * Max pooling over [n, c, d, h, w]: as `maxPool3d`. See MaxPool1d.
 *
 * @example new nn.MaxPool3d(2).outputShape([1, 3, 8, 8, 8])   // [1, 3, 4, 4, 4]
 */
export class MaxPool3d extends MaxPool1d {
  static override readonly name: string = 'MaxPool3d';
  override get rank(): Rank {
    return 3;
  }
}

const MAX_LAYER_OF_RANK = { 1: MaxPool1d, 2: MaxPool2d, 3: MaxPool3d } as const;

/**
 * Average pooling over [n, c, l] (n may be left out): as `avgPool1d`.
 *
 * @example new nn.AvgPool1d(2).outputShape([1, 3, 8])   // [1, 3, 4]
 */
export class AvgPool1d extends Module {
  static override readonly name: string = 'AvgPool1d';
  /** Of the window. */
  readonly kernelSize: Axes;
  /** Stride, padding and what else the window has. */
  readonly options: AvgPoolOptions;
  #kept: { plan: PoolPlan; inputShape: Shape; output: Output } | undefined;

  /** @throws {ArgumentError} for a kernel and options that avgPool1d would refuse whatever the input. */
  constructor(kernelSize: Axes, options?: AvgPoolOptions) {
    super();
    this.options = Object.freeze({
      ...checkOptions(options, ['stride', 'padding', 'ceilMode', 'countIncludePad', 'divisorOverride']),
    });
    this.kernelSize = kernelSize;
    if (this.options.divisorOverride !== undefined) checkDivisor(this.options.divisorOverride);
    checkWindow(this.rank, kernelSize, this.options);
  }

  /** Spatial axes. */
  get rank(): Rank {
    return 1;
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const output = AVG_POOL_OF_RANK[this.rank](input, this.kernelSize, this.options);
    this.#kept = {
      plan: planOf(this.rank, input.shape, this.kernelSize, this.options),
      inputShape: input.shape,
      output: { shape: output.shape, dtype: output.dtype },
    };
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { plan, inputShape, output } = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, output);
    const dx = zerosLike(g, product(inputShape));
    spread(plan, g, dx, this.options.divisorOverride);
    return new Tensor(dx, inputShape);
  }

  outputShape(inputShape: Shape): Shape {
    return planOf(this.rank, inputShape, this.kernelSize, this.options).outputShape;
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): AvgPool1d {
    return this.inMode(new AVG_LAYER_OF_RANK[this.rank](this.kernelSize, this.options));
  }

  override describe(): string {
    return describeWindow(this, this.kernelSize, this.options);
  }

  override multiplications(inputShape: Shape): number {
    return product(this.outputShape(inputShape));
  }

  override explainShape(inputShape: Shape): string {
    return explainAxes(
      planOf(this.rank, inputShape, this.kernelSize, this.options).axes.slice(3 - this.rank),
    );
  }
}

/**
 * Average pooling over [n, c, h, w]: as `avgPool2d`. See AvgPool1d.
 *
 * @example new nn.AvgPool2d(2).outputShape([1, 3, 8, 8])   // [1, 3, 4, 4]
 */
export class AvgPool2d extends AvgPool1d {
  static override readonly name: string = 'AvgPool2d';
  override get rank(): Rank {
    return 2;
  }
}

/**
 * Average pooling over [n, c, d, h, w]: as `avgPool3d`. See AvgPool1d.
 *
 * @example new nn.AvgPool3d(2).outputShape([1, 3, 8, 8, 8])   // [1, 3, 4, 4, 4]
 */
export class AvgPool3d extends AvgPool1d {
  static override readonly name: string = 'AvgPool3d';
  override get rank(): Rank {
    return 3;
  }
}

const AVG_LAYER_OF_RANK = { 1: AvgPool1d, 2: AvgPool2d, 3: AvgPool3d } as const;

/** What max pooling keeps of a forward pass. */
interface Maxima {
  readonly rank: Rank;
  readonly inputShape: Shape;
  readonly indices: Int32Array;
  readonly output: FloatTensor;
}

function scatter({ rank, inputShape, indices, output }: Maxima, g: FloatArray, memory: Memory): FloatTensor {
  const dx = resultIn(memory, output.dtype, inputShape);
  const outputs = product(output.shape.slice(-rank));
  // Without outputs there is nothing to scatter, and perhaps no plane either.
  const planes = outputs === 0 ? 0 : g.length / outputs;
  backend().maxPoolGrad(planes, outputs, product(inputShape.slice(-rank)), g, indices, dx.data);
  return dx;
}

function planOf(
  rank: Rank,
  inputShape: Shape,
  kernelSize: Axes,
  options: PoolOptions & AvgPoolOptions,
): PoolPlan {
  const shape = checkShape(inputShape, 'inputShape');
  readBatchShape(shape, rank, 'inputShape');
  return planPool(shape, 'float32', rank, kernelSize, options);
}

// The most elements that a tensor may have, in a plane of equal sides.
const HUGE_SIDE = { 1: 2 ** 30, 2: 2 ** 15, 3: 2 ** 10 } as const;

/** What a layer can refuse before it sees an input: anything that a huge plane refuses too. */
function checkWindow(rank: Rank, kernelSize: Axes, options: PoolOptions & AvgPoolOptions): void {
  planPool([1, ...Array<number>(rank).fill(HUGE_SIDE[rank])], 'float32', rank, kernelSize, options);
}

function describeWindow(
  module: Module & { readonly rank: Rank },
  kernelSize: Axes,
  { stride, padding }: PoolOptions,
): string {
  const words = [
    by(typeof kernelSize === 'number' ? Array<number>(module.rank).fill(kernelSize) : kernelSize),
  ];
  if (stride !== undefined) words.push(`stride ${typeof stride === 'number' ? stride : by(stride)}`);
  if (padding !== undefined)
    words.push(`padding ${typeof padding === 'number' ? padding : padding.join('×')}`);
  return `${module.constructor.name}(${words.join(', ')})`;
}

/** The adjoint of average pooling: each output's gradient, over its divisor, goes to every element of its window. */
function spread(plan: PoolPlan, g: FloatArray, dx: FloatArray, override: number | undefined): void {
  const [slices, rows, cols] = plan.axes.map((axis) =>
    Array.from({ length: axis.out }, (_, i) => windowAt(axis, i)),
  );
  const [depth, height, width] = plan.axes.map((axis) => axis.in);
  let at = 0;
  for (let plane = 0; plane < plan.planes; plane++) {
    const base = plane * depth * height * width;
    for (const slice of slices) {
      for (const row of rows) {
        for (const col of cols) {
          const share = g[at++] / (override ?? divisorOf(plan, slice, row, col));
          for (let k = slice.start; k < slice.end; k++) {
            for (let i = row.start; i < row.end; i++) {
              const line = base + (k * height + i) * width;
              for (let j = col.start; j < col.end; j++) dx[line + j] += share;
            }
          }
        }
      }
    }
  }
}

/** The elements of the input that a window covers, and how many it covers of the padded input. */
interface PoolWindow {
  readonly start: number;
  readonly end: number;
  readonly padded: number;
}

function divisorOf({ countIncludePad }: PoolPlan, ...windows: PoolWindow[]): number {
  return product(windows.map(({ start, end, padded }) => (countIncludePad ? padded : end - start)));
}

function windowAt(axis: Axis, i: number): PoolWindow {
  const first = i * axis.stride - axis.padBefore;
  const last = Math.min(first + axis.kernel, axis.in + axis.padAfter);
  return { start: Math.max(first, 0), end: Math.min(last, axis.in), padded: last - first };
}
