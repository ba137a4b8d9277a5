/** Layers one after the other. */
import { checkShape, isInstance, mistake, sameShape } from '../check.js';
import { ArgumentError } from '../errors.js';
import type { TensorLike } from '../tensor/take.js';
import type { FloatTensor, Shape } from '../tensor/tensor.js';
import { BatchNorm1d, BatchNorm2d, BatchNorm3d } from './batch-norm.js';
import { Conv1d, Conv2d, Conv3d } from './conv.js';
import { FRESH, GradientMemory, type Memory, type Passed, SameMemory } from './memory.js';
import { dtypeOfParameters, keptBy, Module, type Output, takeGradient, takeInput } from './module.js';
import { backInto, backIntoParameters, hidesGradient, hidesInput, runInto } from './passing.js';
import { MaxPool1d, MaxPool2d, MaxPool3d } from './pool.js';
import { ReLU } from './relu.js';
import { Residual } from './residual.js';
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
  /** Of each layer's result, for the layer after it. */
  readonly #between: readonly SameMemory[];
  readonly #gradients = new GradientMemory();

  /** @param modules  In the order in which they run. */
  constructor(...modules: Module[]) {
    super();
    modules.forEach((module, i) => {
      if (!isInstance(module, Module)) throw mistake(ArgumentError, `modules[${i}]`, 'a Module', module);
    });
    checkDistinct(modules);
    this.modules = Object.freeze([...modules]);
    this.#between = modules.map(() => new SameMemory());
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    return this.#run(takeInput(x, dtypeOfParameters(this)), FRESH);
  }

  /** @internal */
  override hidesInput(): boolean {
    return this.modules.length > 0 && hidesInput(this.modules[0]);
  }

  /** @internal */
  override forwardInto(x: FloatTensor, memory: Memory): FloatTensor {
    return this.#run(takeInput(x, dtypeOfParameters(this)), memory);
  }

  #run(input: FloatTensor, memory: Memory): FloatTensor {
    // A layer that refuses its input must do so before the ones above it forget their last one.
    if (this.#checked === undefined || !sameShape(this.#checked, input.shape)) {
      this.outputShape(input.shape);
      this.#checked = input.shape;
      this.#gradients.clear();
    }
    let y: FloatTensor = input;
    for (let i = 0; i < this.modules.length; i++) {
      const [module, next] = [this.modules[i], this.modules[i + 1]];
      if (isRectifying(module) && isPlain(next, ReLU)) {
        i++;
        y = next.keep(module.forwardRectifiedInto(y, this.#memoryAfter(i, memory)));
      } else y = runInto(module, y, this.#memoryAfter(i, memory), `layer ${i}'s output`);
    }
    this.#output = { shape: y.shape, dtype: y.dtype };
    return y;
  }

  /** Where the result of layer i goes: somebody else may keep it unless the next layer hides it. */
  #memoryAfter(i: number, memory: Memory): Memory {
    if (i === this.modules.length - 1) return memory;
    return hidesInput(this.modules[i + 1]) ? this.#between[i] : FRESH;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    return this.#back({ gradient: this.#take(gradOutput), isOwn: false }, this.#gradients).gradient;
  }

  /** @internal */
  override hidesGradient(): boolean {
    const last = this.modules.at(-1);
    return last !== undefined && hidesGradient(last);
  }

  override backwardParameters(gradOutput: TensorLike): void {
    const given = { gradient: this.#take(gradOutput), isOwn: false };
    const [first, second] = this.modules;
    // Where the two run together, there is no gradient between them.
    if (first === undefined || isPair(first, second)) this.#back(given, this.#gradients);
    else {
      const passed = this.#back(given, this.#gradients, 1);
      backIntoParameters(first, passed.gradient);
      if (hidesGradient(first)) this.#gradients.giveBack(passed);
    }
  }

  /** @internal */
  override backwardInto({ gradient, isOwn }: Passed, memory: GradientMemory): Passed {
    return this.#back({ gradient: this.#take(gradient), isOwn }, memory);
  }

  #take(gradOutput: TensorLike): FloatTensor {
    return takeGradient(gradOutput, keptBy(this, this.#output));
  }

  /** The gradient of the input of layer `first`. */
  #back(given: Passed, memory: GradientMemory, first = 0): Passed {
    let passed = given;
    for (let i = this.modules.length - 1; i >= first; i--) {
      const [module, before] = [this.modules[i], this.modules[i - 1]];
      if (isPlainMaxPool(module) && isPlain(before, ReLU)) {
        passed = module.backwardRectifiedInto(passed, memory);
        i--;
      } else if (isPlain(module, ReLU) && isPlainNorm(before)) {
        passed = before.backwardRectifiedInto(passed, memory);
        i--;
      } else passed = backInto(module, passed, memory, `layer ${i}'s gradient`);
    }
    return passed;
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
    this.#gradients.clear();
    for (const memory of this.#between) memory.clear();
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

/** Whether backward runs them as one. */
function isPair(module: Module, next: Module | undefined): boolean {
  if (next === undefined) return false;
  return (isPlain(module, ReLU) && isPlainMaxPool(next)) || (isPlainNorm(module) && isPlain(next, ReLU));
}

function isPlainConv(module: Module): module is Conv1d {
  return isPlain(module, Conv1d) || isPlain(module, Conv2d) || isPlain(module, Conv3d);
}

function isPlainNorm(module: Module | undefined): module is BatchNorm1d {
  return isPlain(module, BatchNorm1d) || isPlain(module, BatchNorm2d) || isPlain(module, BatchNorm3d);
}

/** Layers that rectify what they write. */
function isRectifying(module: Module): module is Conv1d | BatchNorm1d | Residual {
  return isPlainConv(module) || isPlainNorm(module) || isPlain(module, Residual);
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
