/** Layers one after the other. */
import { checkShape, mistake, sameShape } from '../check.js';
import { ArgumentError } from '../errors.js';
import type { TensorLike } from '../tensor/take.js';
import { asFloat, type FloatTensor, type Shape } from '../tensor/tensor.js';
import { Conv1d, Conv2d, Conv3d } from './conv.js';
import { keptBy, Module, type Output, type Parameter, takeGradient, takeInput } from './module.js';
import { MaxPool2d } from './pool.js';
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
  readonly modules: readonly Module[];
  readonly #parameters = new Map<Parameter, Parameter>();
  /** The input shape that the layers were last found to agree on. */
  #checked: Shape | undefined;
  #output: Output | undefined;

  constructor(...modules: Module[]) {
    super();
    modules.forEach((module, i) => {
      if (!(module instanceof Module)) throw mistake(ArgumentError, `modules[${i}]`, 'a Module', module);
    });
    checkDistinct(modules);
    this.modules = Object.freeze([...modules]);
  }

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
      if (isPlain(module, MaxPool2d) && isPlain(before, ReLU)) {
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

  override parameters(): Parameter[] {
    return this.modules.flatMap((module, i) =>
      module.parameters().map((parameter) => this.#named(`${i}.${parameter.name}`, parameter)),
    );
  }

  /** The same object for the same parameter, however often it is asked for. */
  #named(name: string, parameter: Parameter): Parameter {
    const known = this.#parameters.get(parameter) ?? new NamedParameter(name, parameter);
    this.#parameters.set(parameter, known);
    return known;
  }

  override forget(): void {
    this.#output = undefined;
    this.#checked = undefined;
    for (const module of this.modules) module.forget();
  }

  override copy(): Sequential {
    return new Sequential(...this.modules.map((module) => module.copy()));
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

/** A layer's parameter under the name that the network gives it. */
class NamedParameter implements Parameter {
  readonly name: string;
  readonly #own: Parameter;

  constructor(name: string, own: Parameter) {
    this.name = name;
    this.#own = own;
  }

  get data(): FloatTensor {
    return this.#own.data;
  }

  set data(data: FloatTensor) {
    this.#own.data = data;
  }

  get grad(): FloatTensor {
    return this.#own.grad;
  }

  set grad(grad: FloatTensor) {
    this.#own.grad = grad;
  }
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
    if (module instanceof Sequential)
      for (const [i, inner] of module.modules.entries()) visit(inner, `${path}.modules[${i}]`);
  };
  for (const [i, module] of modules.entries()) visit(module, `modules[${i}]`);
}
