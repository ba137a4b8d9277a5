/** Pooling layers. */
import { backend } from '../backend/select.js';
import { checkOptions, checkShape } from '../check.js';
import type { Axes } from '../plan/options/axes.js';
import { readBatchShape } from '../plan/options/window.js';
import { type AvgPoolOptions, type PoolOptions, type PoolPlan, planPool } from '../plan/plans/pool.js';
import { avgPool2d, maxPool2dWithIndices } from '../pool/pool.js';
import { type FloatArray, uninitialisedLike, zerosLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { passWhereOn } from './relu.js';
import { by, explainAxes } from './words.js';

/** Max pooling over [n, c, h, w] (n may be left out): as `maxPool2d`. The gradient goes to the first of equal maxima. */
export class MaxPool2d extends Module {
  readonly kernelSize: Axes;
  readonly options: PoolOptions;
  #kept: Maxima | undefined;

  /** @throws {ArgumentError} for a kernel and options that maxPool2d would refuse whatever the input. */
  constructor(kernelSize: Axes, options?: PoolOptions) {
    super();
    this.options = Object.freeze({ ...checkOptions(options, ['stride', 'padding', 'dilation', 'ceilMode']) });
    this.kernelSize = kernelSize;
    checkWindow(kernelSize, this.options);
  }

  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const { output, indices } = maxPool2dWithIndices(input, this.kernelSize, this.options);
    this.#kept = { inputShape: input.shape, indices: indices.data, output };
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const kept = keptBy(this, this.#kept);
    return scatter(kept, takeGradient(gradOutput, kept.output).data);
  }

  /**
   * As backward with that of a ReLU after it, when the input came from one: only maxima have a gradient, so the ReLU need
   * look at nothing else.
   */
  backwardRectified(gradOutput: TensorLike): FloatTensor {
    const kept = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, kept.output);
    return scatter(kept, passWhereOn(g, kept.output.data));
  }

  outputShape(inputShape: Shape): Shape {
    return planOf(inputShape, this.kernelSize, this.options).outputShape;
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): MaxPool2d {
    return new MaxPool2d(this.kernelSize, this.options);
  }

  override describe(): string {
    return describeWindow(this, this.kernelSize, this.options);
  }

  override explainShape(inputShape: Shape): string {
    return explainAxes(planOf(inputShape, this.kernelSize, this.options).axes.slice(1));
  }
}

/** Average pooling over [n, c, h, w] (n may be left out): as `avgPool2d`. */
export class AvgPool2d extends Module {
  readonly kernelSize: Axes;
  readonly options: AvgPoolOptions;
  #kept: { plan: PoolPlan; inputShape: Shape; output: Output } | undefined;

  /** @throws {ArgumentError} for a kernel and options that avgPool2d would refuse whatever the input. */
  constructor(kernelSize: Axes, options?: AvgPoolOptions) {
    super();
    this.options = Object.freeze({
      ...checkOptions(options, ['stride', 'padding', 'ceilMode', 'countIncludePad']),
    });
    this.kernelSize = kernelSize;
    checkWindow(kernelSize, this.options);
  }

  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const output = avgPool2d(input, this.kernelSize, this.options);
    this.#kept = {
      plan: planOf(input.shape, this.kernelSize, this.options),
      inputShape: input.shape,
      output: { shape: output.shape, dtype: output.dtype },
    };
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { plan, inputShape, output } = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, output);
    const size = inputShape.reduce((product, n) => product * n, 1);
    const dx = zerosLike(g, size);
    spread(plan, g, dx);
    return new Tensor(dx, inputShape);
  }

  outputShape(inputShape: Shape): Shape {
    return planOf(inputShape, this.kernelSize, this.options).outputShape;
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): AvgPool2d {
    return new AvgPool2d(this.kernelSize, this.options);
  }

  override describe(): string {
    return describeWindow(this, this.kernelSize, this.options);
  }

  override multiplications(inputShape: Shape): number {
    return this.outputShape(inputShape).reduce((product, size) => product * size, 1);
  }

  override explainShape(inputShape: Shape): string {
    return explainAxes(planOf(inputShape, this.kernelSize, this.options).axes.slice(1));
  }
}

/** What max pooling keeps of a forward pass. */
interface Maxima {
  readonly inputShape: Shape;
  readonly indices: Int32Array;
  readonly output: FloatTensor;
}

function scatter({ inputShape, indices, output }: Maxima, g: FloatArray): FloatTensor {
  const size = inputShape.reduce((product, n) => product * n, 1);
  const dx = uninitialisedLike(g, size);
  const outputs = area(output.shape);
  // Without outputs there is nothing to scatter, and perhaps no plane either.
  const planes = outputs === 0 ? 0 : g.length / outputs;
  backend().maxPoolGrad(planes, outputs, area(inputShape), g, indices, dx);
  return new Tensor(dx, inputShape);
}

function planOf(inputShape: Shape, kernelSize: Axes, options: PoolOptions & AvgPoolOptions): PoolPlan {
  const shape = checkShape(inputShape, 'inputShape');
  readBatchShape(shape, 2, 'inputShape');
  return planPool(shape, 'float32', 2, kernelSize, options);
}

/** What a layer can refuse before it sees an input: anything that a huge plane refuses too. */
function checkWindow(kernelSize: Axes, options: PoolOptions & AvgPoolOptions): void {
  const side = 2 ** 15;
  planPool([1, side, side], 'float32', 2, kernelSize, options);
}

function describeWindow(module: Module, kernelSize: Axes, { stride, padding }: PoolOptions): string {
  const words = [typeof kernelSize === 'number' ? by([kernelSize, kernelSize]) : by(kernelSize)];
  if (stride !== undefined) words.push(`stride ${typeof stride === 'number' ? stride : by(stride)}`);
  if (padding !== undefined)
    words.push(`padding ${typeof padding === 'number' ? padding : padding.join('×')}`);
  return `${module.constructor.name}(${words.join(', ')})`;
}

function area(shape: Shape): number {
  return shape[shape.length - 2] * shape[shape.length - 1];
}

/** The adjoint of average pooling: each output's gradient, over its divisor, goes to every element of its window. */
function spread(plan: PoolPlan, g: FloatArray, dx: FloatArray): void {
  const [, rows, cols] = plan.axes;
  const across = Array.from({ length: cols.out }, (_, j) => windowAt(cols, j));
  const down = Array.from({ length: rows.out }, (_, i) => windowAt(rows, i));
  let at = 0;
  for (let plane = 0; plane < plan.planes; plane++) {
    const base = plane * rows.in * cols.in;
    for (const row of down) {
      for (const col of across) {
        const divisor = plan.countIncludePad
          ? row.padded * col.padded
          : (row.end - row.start) * (col.end - col.start);
        const share = g[at++] / divisor;
        for (let i = row.start; i < row.end; i++) {
          const line = base + i * cols.in;
          for (let j = col.start; j < col.end; j++) dx[line + j] += share;
        }
      }
    }
  }
}

/** The elements of the input that window `i` covers, and how many it covers of the padded input. */
function windowAt(axis: PoolPlan['axes'][number], i: number): { start: number; end: number; padded: number } {
  const first = i * axis.stride - axis.padBefore;
  const last = Math.min(first + axis.kernel, axis.in + axis.padAfter);
  return { start: Math.max(first, 0), end: Math.min(last, axis.in), padded: last - first };
}
