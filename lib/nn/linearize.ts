/** The same network with every convolution as the fully-connected layer that it is. */
import { checkShape, describeShape, elementCount, mismatch, mistake, sameShape } from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { convToLinear } from '../matrix/linear.js';
import type { TensorLike } from '../tensor/take.js';
import type { FloatTensor, Shape } from '../tensor/tensor.js';
import { Conv1d } from './conv.js';
import { Linear } from './linear.js';
import { keptBy, type Module, type Output, takeGradient, takeInput } from './module.js';
import { Sequential } from './sequential.js';
import { inLayer } from './summary.js';

/**
 * Replaces every Conv, in nested Sequentials too, by the Linear that equals it at `inputShape`; all other layers are
 * copied. Outputs are equal to rounding; the matrix is dense, (outputs × inputs) of each layer.
 *
 * The replacement takes and gives the convolution's own shapes, and stays at its index, so that '0.weight' is now the
 * matrix of the convolution, [oc·∏out, ic·∏in], and '0.bias' the bias of each output.
 *
 * @param net         A network whose layers can be copied: `copy` of a layer of your own must be implemented.
 * @param inputShape  Of one sample: [c, spatial…].
 * @returns a network with parameters of its own; of each sample it takes exactly that shape.
 * @throws {ShapeError} where a layer cannot take what the one before it gives; {MemoryError} for a matrix too large.
 */
export function linearize(net: Sequential, inputShape: Shape): Sequential {
  if (!(net instanceof Sequential)) throw mistake(ArgumentError, 'net', 'a Sequential', net);
  let shape: Shape = checkShape(inputShape, 'inputShape');
  const modules = net.modules.map((module, i) => {
    const from = shape;
    shape = inLayer(module, i, () => module.outputShape([1, ...from])).slice(1);
    return linearized(module, from);
  });
  return new Sequential(...modules);
}

function linearized(module: Module, inputShape: Shape): Module {
  if (module instanceof Conv1d) return new LinearizedConv(module, inputShape);
  if (module instanceof Sequential) return linearize(module, inputShape);
  return module.copy();
}

/** A Linear between the shapes of a convolution: [n, ic, spatial…] → [n, oc, spatial…]. */
class LinearizedConv extends Linear {
  readonly #conv: Conv1d;
  readonly #from: Shape;
  readonly #to: Shape;
  #kept: { inputShape: Shape; output: Output } | undefined;

  constructor(conv: Conv1d, inputShape: Shape) {
    const [, ...outputShape] = conv.outputShape([1, ...inputShape]);
    super(count(inputShape), count(outputShape), { seed: 0 });
    this.#conv = conv;
    this.#from = inputShape;
    this.#to = outputShape;
    const { weight, bias, geometry } = conv;
    this.loadStateDict(
      convToLinear(weight.data, { ...geometry, inputShape, bias: bias?.data, sparse: false }),
    );
  }

  override forward(x: TensorLike): FloatTensor {
    const input = takeInput(x, this.weight.data.dtype);
    const shape = this.outputShape(input.shape);
    const output = super
      .forward(input.reshape([input.size / this.inFeatures, this.inFeatures]))
      .reshape(shape);
    this.#kept = { inputShape: input.shape, output: { shape, dtype: output.dtype } };
    return output;
  }

  override backward(gradOutput: TensorLike): FloatTensor {
    const { inputShape, output } = keptBy(this, this.#kept);
    const g = takeGradient(gradOutput, output);
    return super.backward(g.reshape([g.size / this.outFeatures, this.outFeatures])).reshape(inputShape);
  }

  override outputShape(inputShape: Shape): Shape {
    const sizes = checkShape(inputShape, 'inputShape');
    const batch = sizes.length > this.#from.length ? sizes.slice(0, 1) : [];
    const expected = [...batch, ...this.#from];
    if (!sameShape(sizes, expected)) {
      throw mismatch(
        ShapeError,
        'x',
        `${describeShape(this.#from)}, with or without a batch axis`,
        describeShape(sizes),
      );
    }
    return [...batch, ...this.#to];
  }

  override forget(): void {
    super.forget();
    this.#kept = undefined;
  }

  override copy(): LinearizedConv {
    const twin = new LinearizedConv(this.#conv, this.#from);
    twin.loadStateDict(this.stateDict());
    return twin;
  }

  override describe(): string {
    return `Linear(${this.inFeatures} → ${this.outFeatures}) for ${this.#conv.describe()}`;
  }
}

function count(shape: Shape): number {
  return elementCount(shape, 'inputShape');
}
