/** What a layer is, and what it learns: forward, backward, and parameters under PyTorch's names. */
import { describe, describeShape, mismatch, mistake, sameShape } from '../check.js';
import { ArgumentError, DTypeError, ShapeError, UnsupportedError } from '../errors.js';
import { copyOf, type FloatDType, zerosLike } from '../tensor/dtype.js';
import { isNested, type TensorLike, takeFloat, takeTensor } from '../tensor/take.js';
import { asFloat, type FloatTensor, isTensor, type Shape, Tensor } from '../tensor/tensor.js';

/** A tensor that training changes, and the gradient that backward passes accumulate in it. */
export interface Parameter {
  /** As in PyTorch's state_dict: '0.weight'. */
  readonly name: string;
  data: FloatTensor;
  grad: FloatTensor;
}

/**
 * A layer. It computes in the dtype of its parameters: float32 when made; `loadStateDict` adopts the dtype that it is
 * given, and inputs must agree.
 *
 * `forward` keeps what `backward` needs, by reference: an input must not be written to between the two.
 * A layer of your own implements forward, backward and outputShape, and whatever else it has something to say on.
 */
export abstract class Module {
  abstract forward(x: TensorLike): Tensor;

  /**
   * The gradient of the input of the latest `forward`, given the gradient of its output; adds the parameters' gradients
   * to their `grad`.
   *
   * @throws {ArgumentError} before any forward, {ShapeError} for a gradient of another shape than the output's,
   *   {DTypeError} for one of another dtype. A refused call adds nothing.
   */
  abstract backward(gradOutput: TensorLike): Tensor;

  /** The shape that `forward` gives for an input of this shape, batch axis as given. @throws as forward. */
  abstract outputShape(inputShape: Shape): Shape;

  /** What training changes. Empty for layers that learn nothing. */
  parameters(): Parameter[] {
    return [];
  }

  /** Sets every gradient to zero. */
  zeroGrad(): void {
    zeroGradients(this.parameters());
  }

  /** Copies of the parameters by name; `io.writeNpz` saves them. */
  stateDict(): Record<string, FloatTensor> {
    return Object.fromEntries(
      this.parameters().map(({ name, data }) => [name, new Tensor(copyOf(data.data), data.shape)]),
    );
  }

  /**
   * Copies parameters from another network's `stateDict`, and adopts their dtype. Gradients become zero, and what
   * `forward` kept is dropped.
   *
   * @throws {ArgumentError} for a missing or an unknown entry, {ShapeError} for one of another shape, {DTypeError} for
   *   integers or mixed dtypes. A refused call changes nothing.
   */
  loadStateDict(state: Record<string, TensorLike>): void {
    const parameters = this.parameters();
    const loaded = takeState(state, parameters);
    parameters.forEach((parameter, i) => {
      parameter.data = loaded[i];
      parameter.grad = noGradient(loaded[i]);
    });
    this.forget();
  }

  /** Drops what `forward` kept for `backward`. */
  forget(): void {}

  /** A layer of the same kind with parameters of its own, equal to these. */
  copy(): Module {
    throw new UnsupportedError(`${this.constructor.name}: copy is not implemented`);
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
  if (typeof parameter !== 'object' || parameter === null)
    throw mistake(ArgumentError, argument, 'a Parameter', parameter);
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

/** One tensor per parameter, copied: everything is checked before the first is used. */
function takeState(state: Record<string, TensorLike>, parameters: readonly Parameter[]): FloatTensor[] {
  if (typeof state !== 'object' || state === null || Array.isArray(state) || ArrayBuffer.isView(state)) {
    throw mistake(ArgumentError, 'state', 'an object of tensors by name', state);
  }
  const names = parameters.map(({ name }) => name);
  for (const name of names) {
    if (!Object.hasOwn(state, name) || state[name] === undefined) {
      throw mismatch(ArgumentError, 'state', `an entry '${name}'`, `entries ${describe(Object.keys(state))}`);
    }
  }
  for (const name of Object.keys(state)) {
    if (!names.includes(name)) {
      throw mismatch(ArgumentError, 'state', `entries ${describe(names)}`, `the entry ${describe(name)}`);
    }
  }
  // Nested arrays have no dtype of their own: they take the others', or the one that is there.
  const typed = names.find((name) => !isNested(state[name]));
  const dtype =
    typed === undefined ? parameters[0]?.data.dtype : takeTensor(state[typed], `state['${typed}']`).dtype;
  return parameters.map(({ name, data }) => {
    const argument = `state['${name}']`;
    const t = asFloat(takeTensor(state[name], argument, dtype), argument);
    if (t.dtype !== dtype) throw mismatch(DTypeError, argument, `${dtype}, as the other entries`, t.dtype);
    if (!sameShape(t.shape, data.shape)) {
      throw mismatch(ShapeError, argument, describeShape(data.shape), describeShape(t.shape));
    }
    return new Tensor(copyOf(t.data), t.shape);
  });
}
