/** What a layer is, and what it learns: forward, backward, and parameters under PyTorch's names. */
import { describe, describeShape, mismatch, mistake, sameShape } from '../check.js';
import { type FloatTensor, takeFloat } from '../conv/operands.js';
import { ArgumentError, DTypeError, ShapeError, UnsupportedError } from '../errors.js';
import { checkFloat, convert, type FloatDType, zeros } from '../tensor/dtype.js';
import { isNested, type TensorLike, takeTensor } from '../tensor/take.js';
import { type Shape, Tensor } from '../tensor/tensor.js';

/** A tensor that training changes, and the gradient that backward passes accumulate in it. */
export interface Parameter {
  /** As in PyTorch's state_dict: '0.weight'. */
  readonly name: string;
  data: Tensor;
  grad: Tensor;
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
  stateDict(): Record<string, Tensor> {
    return Object.fromEntries(
      this.parameters().map(({ name, data }) => [name, new Tensor(data.data.slice(), data.shape)]),
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
      parameter.grad = zerosLike(loaded[i]);
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

export function zerosLike(tensor: Tensor): Tensor {
  return new Tensor(zeros(tensor.dtype, tensor.size), tensor.shape);
}

/** A parameter that a layer owns. */
export function makeParameter(name: string, data: Tensor): Parameter {
  return { name, data, grad: zerosLike(data) };
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

/** The gradient of a forward's output, checked against it; `shape` is undefined when there was no forward. */
export function takeGradient(
  gradOutput: TensorLike,
  module: Module,
  output: { readonly shape: Shape; readonly dtype: FloatDType } | undefined,
): FloatTensor {
  if (output === undefined) {
    throw new ArgumentError(
      `${module.constructor.name}.backward: expected a forward call before it, got none`,
    );
  }
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
    if (!(value instanceof Tensor)) throw mistake(ArgumentError, `${argument}.${name}`, 'a Tensor', value);
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
function takeState(state: Record<string, TensorLike>, parameters: readonly Parameter[]): Tensor[] {
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
    const t = takeTensor(state[name], argument, dtype);
    checkFloat(t.dtype, argument);
    if (t.dtype !== dtype) throw mismatch(DTypeError, argument, `${dtype}, as the other entries`, t.dtype);
    if (!sameShape(t.shape, data.shape)) {
      throw mismatch(ShapeError, argument, describeShape(data.shape), describeShape(t.shape));
    }
    return new Tensor(convert(t.data, t.dtype), t.shape);
  });
}
