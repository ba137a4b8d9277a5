/** What a layer is, and what it learns: forward, backward, and parameters under PyTorch's names. */
import {
  checkBoolean,
  checkFunction,
  checkOptions,
  describe,
  describeShape,
  isArray,
  isObject,
  mismatch,
  mistake,
  sameShape,
} from '../check.js';
import { ArgumentError, DTypeError, ShapeError, UnsupportedError } from '../errors.js';
import { copyOf, type FloatDType, zerosLike } from '../tensor/dtype.js';
import { isNested, type TensorLike, takeFloat, takeTensor } from '../tensor/take.js';
import { asFloat, type FloatTensor, isFloat, isTensor, type Shape, Tensor } from '../tensor/tensor.js';
import type { GradientMemory, Memory, Passed } from './memory.js';

/** A tensor that training changes, and the gradient that backward passes accumulate in it. */
export interface Parameter {
  /** As in PyTorch's state_dict: '0.weight'. */
  readonly name: string;
  /** What an optimiser changes. */
  data: FloatTensor;
  /** ∂loss/∂data, summed by backward() until zeroGrad(). */
  grad: FloatTensor;
}

/** A tensor of a module's state that no gradient changes. */
export interface StateBuffer<T extends Tensor = Tensor> {
  /** As in PyTorch's state_dict: 'running_mean'. */
  readonly name: string;
  /** What stateDict() gives of it. */
  data: T;
}

/** How names of a state are matched with those of a module. */
export interface LoadStateOptions {
  /** The name here of a name there. */
  readonly map?: (name: string) => string;
  /** Whether names that are missing or left over are an error. Default true. */
  readonly strict?: boolean;
}

/** What a lenient loadStateDict did not find, and what it did not know. */
export interface LoadedState {
  /** Names here that the state had nothing for. */
  readonly missing: readonly string[];
  /** Names of the state that nothing here has. */
  readonly unexpected: readonly string[];
}

/**
 * A layer. It computes in the dtype of its parameters: float32 when made; `loadStateDict` adopts the dtype that it is
 * given, and inputs must agree.
 *
 * `forward` keeps what `backward` needs, by reference: an input must not be written to between the two.
 * A layer of your own implements forward, backward and outputShape, and whatever else it has something to say on.
 *
 * @example
 *   class Negated extends nn.Module {
 *     forward(x) { return tensor(x.data.map((value) => -value), x.shape); }
 *     backward(gradient) { return this.forward(gradient); }
 *     outputShape(inputShape) { return inputShape; }
 *   }
 *   const y = new nn.Sequential(net, new Negated()).forward(images);
 */
export abstract class Module {
  /** The result for a batch; in training, what backward() needs is kept. */
  abstract forward(x: TensorLike): Tensor;

  /**
   * The gradient of the input of the latest `forward`, given the gradient of its output; adds the parameters' gradients
   * to their `grad`.
   *
   * @throws {ArgumentError} before any forward, {ShapeError} for a gradient of another shape than the output's,
   *   {DTypeError} for one of another dtype. A refused call adds nothing.
   */
  abstract backward(gradOutput: TensorLike): Tensor;

  /**
   * As backward, for the parameters' gradients alone: of a network's first convolution, the gradient of its input is work
   * that training has no use for.
   */
  backwardParameters(gradOutput: TensorLike): void {
    this.backward(gradOutput);
  }

  /**
   * As forward, of a checked input, with the result in memory that is given or in other that the input has no part in.
   * @internal
   */
  forwardInto?(x: FloatTensor, memory: Memory): FloatTensor;

  /** Of modules that have forwardInto: whether they show its input to none but layers that have it, too. @internal */
  hidesInput?(): boolean;

  /** As backward, of a gradient that may be written to where it is the network's own. @internal */
  backwardInto?(passed: Passed, memory: GradientMemory): Passed;

  /** Of modules that have backwardInto: whether they show the gradient to none but layers that have it, too. @internal */
  hidesGradient?(): boolean;

  /** The shape that `forward` gives for an input of this shape, batch axis as given. @throws as forward. */
  abstract outputShape(inputShape: Shape): Shape;

  #training = true;
  readonly #renamed = new Map<Parameter, Parameter>();

  /** Whether the module trains: Dropout drops and BatchNorm measures the batch then. True when made. */
  get training(): boolean {
    return this.#training;
  }

  /** Sets the mode of this module and of all within it. */
  train(mode = true): this {
    this.#training = checkBoolean(mode, 'mode');
    for (const [, child] of this.children()) child.train(mode);
    return this;
  }

  /** Evaluation mode: `train(false)`. */
  eval(): this {
    return this.train(false);
  }

  /** The modules that this one is made of, by the names that stand before those of their parameters. */
  children(): readonly (readonly [name: string, module: Module])[] {
    return [];
  }

  /** What training changes: of layers that learn nothing none, of modules made of others theirs, named after them. */
  parameters(): Parameter[] {
    return this.children().flatMap(([name, child]) =>
      child.parameters().map((parameter) => this.#rename(`${name}.${parameter.name}`, parameter)),
    );
  }

  /** What belongs to the state and is not learned by gradients, such as the running mean of a BatchNorm. */
  buffers(): StateBuffer[] {
    return this.children().flatMap(([name, child]) =>
      child.buffers().map((buffer) => renamedBuffer(`${name}.${buffer.name}`, buffer)),
    );
  }

  /** The same object for the same parameter, however often it is asked for. */
  #rename(name: string, parameter: Parameter): Parameter {
    const known = this.#renamed.get(parameter) ?? new RenamedParameter(name, parameter);
    this.#renamed.set(parameter, known);
    return known;
  }

  /** Sets every gradient to zero. */
  zeroGrad(): void {
    zeroGradients(this.parameters());
  }

  /** Copies of the parameters and buffers by name; `io.writeNpz` saves them. */
  stateDict(): Record<string, Tensor> {
    return Object.fromEntries(
      [...this.parameters(), ...this.buffers()].map(({ name, data }) => [
        name,
        new Tensor(copyOf(data.data), data.shape),
      ]),
    );
  }

  /**
   * Copies parameters and buffers from another network's `stateDict`, and adopts their dtype. Gradients become zero, and
   * what `forward` kept is dropped.
   *
   * @param options.map     From the state's names to this network's: PyTorch's models name their layers.
   * @param options.strict  Default true. With false, entries that are missing keep what they have, and unknown ones are
   *   left out; both are told.
   * @throws {ArgumentError} for a missing or an unknown entry, {ShapeError} for one of another shape, {DTypeError} for
   *   integers or mixed dtypes. A refused call changes nothing.
   * @example net.loadStateDict(state, { map: (name) => name.replace('features.', '') })
   */
  loadStateDict(state: Record<string, TensorLike>, options?: LoadStateOptions): LoadedState {
    const parameters = this.parameters();
    const buffers = this.buffers();
    const loaded = takeState(state, parameters, buffers, options);
    parameters.forEach((parameter, i) => {
      parameter.data = loaded.parameters[i];
      parameter.grad = noGradient(loaded.parameters[i]);
    });
    buffers.forEach((buffer, i) => {
      buffer.data = loaded.buffers[i];
    });
    this.forget();
    return loaded.told;
  }

  /** Drops what `forward` kept for `backward`. */
  forget(): void {
    for (const [, child] of this.children()) child.forget();
  }

  /** Gives a copy, which is made for training, this module's mode; modules within it have their own. */
  protected inMode<M extends Module>(twin: M): M {
    twin.#training = this.#training;
    return twin;
  }

  /** A layer of the same kind with parameters of its own, equal to these. */
  copy(): Module {
    throw new UnsupportedError(
      `${this.constructor.name}: expected a layer with a copy() of its own, got one without`,
    );
  }

  /** One line for `summary`: the kind and the options that matter. */
  describe(): string {
    return this.constructor.name;
  }

  /** Multiplications of a forward pass over an input of this shape. */
  multiplications(_inputShape: Shape): number {
    return 0;
  }

  /** Where each size of the output comes from, in words; shapes are without the batch axis. */
  explainShape(inputShape: Shape): string {
    return `${inputShape.join('×')} → ${this.outputShape([1, ...inputShape])
      .slice(1)
      .join('×')}`;
  }
}

/** A module's parameter under the name that a module around it gives it. */
class RenamedParameter implements Parameter {
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

function renamedBuffer(name: string, own: StateBuffer): StateBuffer {
  return {
    name,
    get data() {
      return own.data;
    },
    set data(data) {
      own.data = data;
    },
  };
}

export function zeroGradients(parameters: readonly Parameter[]): void {
  for (const { grad } of parameters) grad.data.fill(0);
}

function noGradient({ data, shape }: FloatTensor): FloatTensor {
  return new Tensor(zerosLike(data), shape);
}

/** A parameter that a layer owns. */
export function makeParameter(name: string, data: FloatTensor): Parameter {
  return { name, data, grad: noGradient(data) };
}

/** parameter.grad += gradient. */
export function accumulate(parameter: Parameter, gradient: Tensor): void {
  const sum = parameter.grad.data;
  const { data } = gradient;
  for (let i = 0; i < data.length; i++) sum[i] += data[i];
}

/** A layer's input: a float tensor, of the parameters' dtype when there are any. */
export function takeInput(x: TensorLike, dtype?: FloatDType): FloatTensor {
  return takeFloat(x, 'x', dtype);
}

/** The dtype of a module's first parameter, without a list of all of them; undefined when there is none. */
export function dtypeOfParameters(module: Module): FloatDType | undefined {
  if (module.parameters !== Module.prototype.parameters) return module.parameters()[0]?.data.dtype;
  for (const [, child] of module.children()) {
    const dtype = dtypeOfParameters(child);
    if (dtype !== undefined) return dtype;
  }
  return undefined;
}

/** What a layer's latest forward kept for backward, or an error when there was none. */
export function keptBy<K>(module: Module, kept: K | undefined): K {
  if (kept === undefined) {
    throw new ArgumentError(
      `${module.constructor.name}.backward: expected a forward call before it, got none`,
    );
  }
  return kept;
}

/** All that backward needs to know of forward's output. */
export interface Output {
  readonly shape: Shape;
  readonly dtype: FloatDType;
}

/** The gradient of a forward's output, checked against it. */
export function takeGradient(gradOutput: TensorLike, output: Output): FloatTensor {
  const g = takeFloat(gradOutput, 'gradOutput', output.dtype);
  if (!sameShape(g.shape, output.shape)) {
    throw mismatch(
      ShapeError,
      'gradOutput',
      `${describeShape(output.shape)}, as the output`,
      describeShape(g.shape),
    );
  }
  return g;
}

/** A parameter that functions outside its layer are about to write: a float tensor and a gradient like it. */
export function checkParameter(parameter: Parameter, argument: string): void {
  if (!isObject(parameter)) throw mistake(ArgumentError, argument, 'a Parameter', parameter);
  const { data, grad } = parameter;
  for (const [name, value] of [
    ['data', data],
    ['grad', grad],
  ] as const) {
    if (!isTensor(value)) throw mistake(ArgumentError, `${argument}.${name}`, 'a Tensor', value);
    takeFloat(value, `${argument}.${name}`);
  }
  if (grad.dtype !== data.dtype)
    throw mismatch(DTypeError, `${argument}.grad`, `${data.dtype}, as data`, grad.dtype);
  if (!sameShape(grad.shape, data.shape)) {
    throw mismatch(
      ShapeError,
      `${argument}.grad`,
      `${describeShape(data.shape)}, as data`,
      describeShape(grad.shape),
    );
  }
}

interface TakenState {
  readonly parameters: FloatTensor[];
  readonly buffers: Tensor[];
  readonly told: LoadedState;
}

/** One tensor per parameter and buffer, copied: everything is checked before the first is used. */
function takeState(
  state: Record<string, TensorLike>,
  parameters: readonly Parameter[],
  buffers: readonly StateBuffer[],
  options: LoadStateOptions | undefined,
): TakenState {
  const given = checkOptions(options, ['map', 'strict']);
  const strict = checkBoolean(given.strict ?? true, 'options.strict');
  const entries = readState(state, given.map);
  const names = [...parameters, ...buffers].map(({ name }) => name);
  const missing = names.filter((name) => !entries.has(name));
  const unexpected = [...entries.keys()].filter((name) => !names.includes(name));
  if (strict) {
    for (const name of missing) {
      throw mismatch(
        ArgumentError,
        'state',
        `an entry '${name}'`,
        `entries ${describe([...entries.keys()])}`,
      );
    }
    for (const name of unexpected) {
      throw mismatch(ArgumentError, 'state', `entries ${describe(names)}`, `the entry ${describe(name)}`);
    }
  }
  const dtype = dtypeOfState(entries, [...parameters, ...buffers.filter(({ data }) => isFloat(data))]);
  const take = (name: string, own: FloatTensor): FloatTensor => {
    const entry = entries.get(name);
    if (entry === undefined) return own.cast(dtype);
    const t = asFloat(takeTensor(entry.value, entry.argument, dtype), entry.argument);
    if (t.dtype !== dtype)
      throw mismatch(DTypeError, entry.argument, `${dtype}, as the other entries`, t.dtype);
    checkSameSizes(t, own, entry.argument);
    return new Tensor(copyOf(t.data), t.shape);
  };
  return {
    parameters: parameters.map(({ name, data }) => take(name, data)),
    buffers: buffers.map(({ name, data }) => {
      if (isFloat(data)) return take(name, data);
      const entry = entries.get(name);
      if (entry === undefined) return data;
      const t = takeTensor(entry.value, entry.argument, data.dtype);
      checkSameSizes(t, data, entry.argument);
      return t.cast(data.dtype);
    }),
    told: { missing, unexpected },
  };
}

interface StateEntry {
  readonly value: TensorLike;
  /** What errors call it: by the state's own name. */
  readonly argument: string;
}

function readState(
  state: Record<string, TensorLike>,
  map: (name: string) => unknown = (name) => name,
): Map<string, StateEntry> {
  if (!isObject(state) || isArray(state) || ArrayBuffer.isView(state)) {
    throw mistake(ArgumentError, 'state', 'an object of tensors by name', state);
  }
  const nameOf = checkFunction(map, 'options.map');
  const entries = new Map<string, StateEntry>();
  for (const [given, value] of Object.entries(state)) {
    if (value === undefined) continue;
    const name: unknown = nameOf(given);
    if (typeof name !== 'string') throw mistake(ArgumentError, 'options.map', 'a name for each name', name);
    if (entries.has(name))
      throw mismatch(ArgumentError, 'options.map', 'names of their own', `${describe(name)} twice`);
    entries.set(name, { value, argument: `state['${given}']` });
  }
  return entries;
}

/** Nested arrays have no dtype of their own: they take the others', or the one that is there. */
function dtypeOfState(
  entries: ReadonlyMap<string, StateEntry>,
  owned: readonly (Parameter | StateBuffer)[],
): FloatDType {
  for (const { name } of owned) {
    const entry = entries.get(name);
    if (entry === undefined || isNested(entry.value)) continue;
    return asFloat(takeTensor(entry.value, entry.argument), entry.argument).dtype;
  }
  return owned.some(({ data }) => data.dtype === 'float64') ? 'float64' : 'float32';
}

function checkSameSizes(t: Tensor, own: Tensor, argument: string): void {
  if (!sameShape(t.shape, own.shape))
    throw mismatch(ShapeError, argument, describeShape(own.shape), describeShape(t.shape));
}
