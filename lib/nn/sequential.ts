/** Layers one after the other. */
import { checkShape, isInstance, mistake, sameShape } from '../check.js';
import { ArgumentError } from '../errors.js';
import type { TensorLike } from '../tensor/take.js';
import { asFloat, type FloatTensor, type Shape } from '../tensor/tensor.js';
import { Conv1d, Conv2d, Conv3d } from './conv.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { MaxPool1d, MaxPool2d, MaxPool3d } from './pool.js';
import { ReLU } from './relu.js';
import { inLayer, type Summary, summarize } from './summary.js';

/**
 * forward runs the layers in order, backward in reverse. Parameters are named after their layer's index, as in PyTorch:
 * '0.weight', '0.bias', '3.weight'.
 *
 * @throws {ArgumentError} unless every argument is a Module, each of them once: layers keep what their backward needs,
 *   so one that runs twice would lose it.
 * @example
 *   const net = new nn.Sequential(new nn.Conv2d(1, 6, 3), new nn.ReLU(), new nn.MaxPool2d(2));
 *   const y = net.forward(images);       // [n, 1, 32, 32] → [n, 6, 15, 15]
 */
export class Sequential extends Module {
  static override readonly name: string = 'Sequential';
  /** In the order in which they run. */
  readonly modules: readonly Module[];
  /** The input shape that the layers were last found to agree on. */
  #checked: Shape | undefined;
  #output: Output | undefined;

  /** @param modules  In the order in which they run. */
  constructor(...modules: Module[]) {
    super();
    modules.forEach((module, i) => {
      if (!isInstance(module, Module)) throw mistake(ArgumentError, `modules[${i}]`, 'a Module', module);
    });
    checkDistinct(modules);
    this.modules = Object.freeze([...modules]);
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x, this.parameters()[0]?.data.dtype);
    // A layer that refuses its input must do so before the ones above it forget their last one.
    if (this.#checked === undefined || !sameShape(this.#checked, input.shape)) {
      this.outputShape(input.shape);
      this.#checked = input.shape;
    }
    let y: FloatTensor = input;
    for (let i = 0; i < this.modules.length; i++) {
      const [module, next] = [this.modules[i], this.modules[i + 1]];
      if (isPlainConv(module) && isPlain(next, ReLU)) {
        y = next.keep(module.forwardRectified(y));
        i++;
      } else y = asFloat(module.forward(y), `layer ${i}'s output`);
    }
    this.#output = { shape: y.shape, dtype: y.dtype };
    return y;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    let g = takeGradient(gradOutput, keptBy(this, this.#output));
    for (let i = this.modules.length - 1; i >= 0; i--) {
      const [module, before] = [this.modules[i], this.modules[i - 1]];
      if (isPlainMaxPool(module) && isPlain(before, ReLU)) {
        g = module.backwardRectified(g);
        i--;
      } else g = asFloat(module.backward(g), `layer ${i}'s gradient`);
    }
    return g;
  }

  outputShape(inputShape: Shape): Shape {
    return this.modules.reduce<Shape>(
      (shape, module, i) => inLayer(module, i, () => module.outputShape(shape)),
      checkShape(inputShape, 'inputShape'),
    );
  }

  override children(): readonly (readonly [string, Module])[] {
    return this.modules.map((module, i) => [`${i}`, module]);
  }

  override forget(): void {
    super.forget();
    this.#output = undefined;
    this.#checked = undefined;
  }

  override copy(): Sequential {
    return this.inMode(new Sequential(...this.modules.map((module) => module.copy())));
  }

  override multiplications(inputShape: Shape): number {
    let shape = inputShape;
    let count = 0;
    for (const module of this.modules) {
      count += module.multiplications(shape);
      shape = module.outputShape(shape);
    }
    return count;
  }

  /**
   * Layer by layer: name, shapes, parameters, multiplications, and the arithmetic that gave each size, in words.
   *
   * @param inputShape  Of one sample, without the batch axis: [c, spatial…].
   * @returns rows as data; `toString` makes an aligned table of them.
   * @throws {ShapeError} where a layer cannot take what the one before it gives.
   */
  summary(inputShape: Shape): Summary {
    return summarize(this.modules, checkShape(inputShape, 'inputShape'));
  }
}

// Layers that run together save passes over memory; not subclasses of them, which may compute something else.

function isPlain<M extends Module>(
  module: Module | undefined,
  Layer: new (...args: never[]) => M,
): module is M {
  return module !== undefined && module.constructor === Layer;
}

function isPlainConv(module: Module): module is Conv1d {
  return isPlain(module, Conv1d) || isPlain(module, Conv2d) || isPlain(module, Conv3d);
}

function isPlainMaxPool(module: Module): module is MaxPool1d {
  return isPlain(module, MaxPool1d) || isPlain(module, MaxPool2d) || isPlain(module, MaxPool3d);
}

function checkDistinct(modules: readonly Module[]): void {
  const seen = new Set<Module>();
  const visit = (module: Module, path: string): void => {
    if (seen.has(module)) {
      throw new ArgumentError(
        `${path}: expected a module of its own, got one that is already in the network`,
      );
    }
    seen.add(module);
    const own = module instanceof Sequential;
    for (const [name, inner] of module.children())
      visit(inner, own ? `${path}.modules[${name}]` : `${path}.${name}`);
  };
  for (const [i, module] of modules.entries()) visit(module, `modules[${i}]`);
}
