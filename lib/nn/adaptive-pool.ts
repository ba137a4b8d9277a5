/** Average pooling to a given size. */
import { checkInteger, checkShape, isArray, listOf, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { product } from '../numbers.js';
import { readBatchShape } from '../plan/options/window.js';
import { type FloatArray, uninitialisedLike, zerosLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import type { GradientMemory, Passed } from './memory.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { by } from './words.js';

/** Of one axis: output i is the mean of elements first[i] … end[i] − 1. */
interface Windows {
  readonly size: number;
  readonly first: readonly number[];
  readonly end: readonly number[];
}

/**
 * [n, c, h, w] → [n, c, …outputSize] (n may be left out): output i is the mean of the elements from ⌊i·size/out⌋ to below
 * ⌈(i + 1)·size/out⌉, so that windows may overlap. As torch.nn.AdaptiveAvgPool2d; of size 1 it is global pooling.
 * @example new nn.AdaptiveAvgPool2d(1).forward([[[1, 2], [3, 4]]]).toNested()   // [[[2.5]]]
 */
export class AdaptiveAvgPool2d extends Module {
  static override readonly name: string = 'AdaptiveAvgPool2d';
  /** Of the result; null keeps the size of the input. */
  readonly outputSize: readonly [height: number | null, width: number | null];
  #kept: { inputShape: Shape; rows: Windows; cols: Windows; output: Output } | undefined;

  /** @param outputSize  One size for both axes, or [height, width]; null keeps the input's. */
  constructor(outputSize: number | null | readonly [height: number | null, width: number | null]) {
    super();
    const list = listOf(outputSize, 2) ?? [outputSize, outputSize];
    if (list.length !== 2)
      throw mistake(ArgumentError, 'outputSize', 'a size, or [height, width]', outputSize);
    const [height, width] = list.map((size, i) =>
      size === null ? null : checkInteger(size, isArray(outputSize) ? `outputSize[${i}]` : 'outputSize', 1),
    );
    this.outputSize = Object.freeze([height, width] as const);
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x);
    const shape = this.#shapeOf(input.shape, 'x');
    const [rows, cols] = this.#windows(input.shape, shape);
    const y = uninitialisedLike(input.data, product(shape));
    averageInto(input.data, y, product(shape.slice(0, -2)), rows, cols);
    const output = new Tensor(y, shape);
    this.#kept = { inputShape: input.shape, rows, cols, output: { shape, dtype: output.dtype } };
    return output;
  }

  /** @internal */
  override forwardInto(x: FloatTensor): FloatTensor {
    return this.forward(x);
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { inputShape, rows, cols, output } = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, output);
    const dx: FloatArray = zerosLike(g, product(inputShape));
    spreadInto(g, dx, product(inputShape.slice(0, -2)), rows, cols);
    return new Tensor(dx, inputShape);
  }

  /** @internal */
  override backwardInto(passed: Passed, memory: GradientMemory): Passed {
    const gradient = this.backward(passed.gradient);
    memory.giveBack(passed);
    return { gradient, isOwn: true };
  }

  #windows(from: Shape, to: Shape): [Windows, Windows] {
    return [
      windowsOf(from[from.length - 2], to[to.length - 2]),
      windowsOf(from[from.length - 1], to[to.length - 1]),
    ];
  }

  #shapeOf(shape: Shape, argument: string): Shape {
    const { spatial } = readBatchShape(shape, 2, argument);
    return [...shape.slice(0, -2), ...spatial.map((size, axis) => this.outputSize[axis] ?? size)];
  }

  outputShape(inputShape: Shape): Shape {
    return this.#shapeOf(checkShape(inputShape, 'inputShape'), 'inputShape');
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): AdaptiveAvgPool2d {
    return this.inMode(new AdaptiveAvgPool2d(this.outputSize));
  }

  override describe(): string {
    return `${this.constructor.name}(${by(this.outputSize.map((size) => size ?? 'all'))})`;
  }

  override multiplications(inputShape: Shape): number {
    return product(this.outputShape(inputShape));
  }
}

function windowsOf(size: number, out: number): Windows {
  const places = Array.from({ length: out }, (_, i) => i);
  return {
    size,
    first: places.map((i) => Math.floor((i * size) / out)),
    end: places.map((i) => Math.ceil(((i + 1) * size) / out)),
  };
}

// Loops without calls within, which a global pooling of many small planes would mostly be.

function averageInto(x: FloatArray, y: FloatArray, planes: number, rows: Windows, cols: Windows): void {
  let at = 0;
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i < rows.first.length; i++) {
      for (let j = 0; j < cols.first.length; j++) {
        const width = cols.end[j] - cols.first[j];
        let sum = 0;
        for (let row = rows.first[i]; row < rows.end[i]; row++) {
          const start = (plane * rows.size + row) * cols.size + cols.first[j];
          for (let k = start; k < start + width; k++) sum += x[k];
        }
        y[at++] = sum / ((rows.end[i] - rows.first[i]) * width);
      }
    }
  }
}

/** The adjoint: each output's gradient, over the size of its window, is added to all of that. */
function spreadInto(g: FloatArray, dx: FloatArray, planes: number, rows: Windows, cols: Windows): void {
  let at = 0;
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i < rows.first.length; i++) {
      for (let j = 0; j < cols.first.length; j++) {
        const width = cols.end[j] - cols.first[j];
        const share = g[at++] / ((rows.end[i] - rows.first[i]) * width);
        for (let row = rows.first[i]; row < rows.end[i]; row++) {
          const start = (plane * rows.size + row) * cols.size + cols.first[j];
          for (let k = start; k < start + width; k++) dx[k] += share;
        }
      }
    }
  }
}
