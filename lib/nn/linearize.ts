/** The same network with every convolution as the fully-connected layer that it is. */
import {
  checkBoolean,
  checkOptions,
  checkShape,
  describe,
  describeShape,
  elementCount,
  isInstance,
  mismatch,
  mistake,
  sameShape,
} from '../check.js';
import { ArgumentError, MemoryError, ShapeError, UnsupportedError } from '../errors.js';
import type { ConvMatrix, TransposedConvMatrix } from '../matrix/conv-matrix.js';
import { convMatrix } from '../matrix/from-weight.js';
import { product } from '../numbers.js';
import { BYTES, type FloatDType, uninitialisedLike, zerosLike } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { Conv1d } from './conv.js';
import { ConvTranspose1d } from './conv-transpose.js';
import { Linear } from './linear.js';
import { keptBy, type Module, type Output, takeGradient, takeInput } from './module.js';
import { Residual } from './residual.js';
import { Sequential } from './sequential.js';
import { SparseLinear } from './sparse-linear.js';
import { inLayer } from './summary.js';

/** In what form the matrices come. */
export interface LinearizeOptions {
  /**
   * SparseLinear layers, whose `weight` is a CsrMatrix, where the dense matrix would not fit or is not wanted: they learn
   * nothing. Default false.
   */
  readonly sparse?: boolean;
}

/**
 * Replaces every Conv and ConvTranspose, in nested Sequentials and Residuals too, by the Linear that equals it at
 * `inputShape`; all other layers are copied (fold a BatchNorm before). Outputs are equal to rounding; the matrix is dense,
 * (outputs × inputs) of each layer.
 *
 * The replacement takes and gives the convolution's own shapes, and stays at its index, so that '0.weight' is now the
 * matrix of the convolution, [oc·∏out, ic·∏in], and '0.bias' the bias of each output.
 *
 * @param net         A network whose layers can be copied: `copy` of a layer of your own must be implemented.
 * @param inputShape  Of one sample: [c, spatial…].
 * @returns a network with parameters of its own; of each sample it takes exactly that shape.
 * @throws {ShapeError} where a layer cannot take what the one before it gives; {MemoryError} for a matrix too large.
 * @example nn.linearize(net, [1, 4, 4]).stateDict()['0.weight'].shape   // [24, 16]
 */
export function linearize(net: Sequential, inputShape: Shape, options?: LinearizeOptions): Sequential {
  if (!isInstance(net, Sequential)) throw mistake(ArgumentError, 'net', 'a Sequential', net);
  const { sparse } = checkOptions(options, ['sparse']);
  const shape = checkShape(inputShape, 'inputShape');
  return linearizedSequence(net, shape, checkBoolean(sparse ?? false, 'options.sparse'));
}

function linearizedSequence(net: Sequential, inputShape: Shape, sparse: boolean): Sequential {
  let shape = inputShape;
  const modules = net.modules.map((module, i) => {
    const from = shape;
    shape = inLayer(module, i, () => module.outputShape([1, ...from])).slice(1);
    // A refusal of another module's own, such as one to be copied, already says whose it is.
    return isConvolution(module)
      ? inLayer(module, i, () => linearized(module, from, sparse))
      : linearized(module, from, sparse);
  });
  return new Sequential(...modules);
}

function linearized(module: Module, inputShape: Shape, sparse: boolean): Module {
  if (module instanceof Sequential) return linearizedSequence(module, inputShape, sparse);
  if (module instanceof Residual) {
    const { body, shortcut } = module;
    return new Residual(
      linearized(body, inputShape, sparse),
      shortcut === null ? null : linearized(shortcut, inputShape, sparse),
    );
  }
  if (isConvolution(module))
    return sparse ? sparseLinear(module, inputShape) : new LinearizedConv(module, inputShape);
  return module.copy();
}

type Convolution = Conv1d | ConvTranspose1d;

function isConvolution(module: Module): module is Convolution {
  return module instanceof Conv1d || module instanceof ConvTranspose1d;
}

/** The matrix of a layer over one sample; of a transposed convolution that of the convolution back, transposed. */
function matrixOf(layer: Convolution, inputShape: Shape): ConvMatrix | TransposedConvMatrix {
  const { weight, geometry } = layer;
  if (layer instanceof Conv1d) return convMatrix(weight.data, { ...geometry, inputShape });
  const back = convMatrix(weight.data, { ...geometry, inputShape: sampleShape(layer, inputShape) });
  if (sameShape(back.outputShape, inputShape)) return back.T;
  const reason = 'output padding that its stride explains';
  throw mismatch(UnsupportedError, 'linearize', reason, describe(layer.outputPadding));
}

/** Of the layer's result for one sample. */
function sampleShape(layer: Convolution, inputShape: Shape): Shape {
  return layer.outputShape([1, ...inputShape]).slice(1);
}

/** The bias of every output; null when the layer has none. */
function biasOf(layer: Convolution, outputShape: Shape): FloatTensor | null {
  if (layer.bias === null) return null;
  const { data } = layer.bias.data;
  const places = product(outputShape.slice(1));
  const repeated = uninitialisedLike(data, data.length * places);
  for (let o = 0; o < data.length; o++) repeated.fill(data[o], o * places, (o + 1) * places);
  return new Tensor(repeated, [repeated.length]);
}

function sparseLinear(layer: Convolution, inputShape: Shape): SparseLinear {
  const outputShape = sampleShape(layer, inputShape);
  const bias = biasOf(layer, outputShape);
  const label = layer.describe();
  return new SparseLinear(matrixOf(layer, inputShape).toCSR(), { bias, inputShape, outputShape, label });
}

/** A Linear between the shapes of a convolution: [n, ic, spatial…] → [n, oc, spatial…]. */
class LinearizedConv extends Linear {
  readonly #conv: Convolution;
  readonly #from: Shape;
  readonly #to: Shape;
  #kept: { inputShape: Shape; output: Output } | undefined;

  constructor(conv: Convolution, inputShape: Shape) {
    const outputShape = sampleShape(conv, inputShape);
    checkDense(count(outputShape), count(inputShape), conv.weight.data.dtype);
    super(count(inputShape), count(outputShape), { seed: 0 });
    this.#conv = conv;
    this.#from = inputShape;
    this.#to = outputShape;
    const weight = matrixOf(conv, inputShape).toDense();
    const bias =
      biasOf(conv, outputShape) ??
      new Tensor(zerosLike(weight.data, count(outputShape)), [count(outputShape)]);
    this.loadStateDict({ weight, bias });
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
    return this.inMode(twin);
  }

  override describe(): string {
    return `Linear(${this.inFeatures} → ${this.outFeatures}) for ${this.#conv.describe()}`;
  }
}

function count(shape: Shape): number {
  return elementCount(shape, 'inputShape');
}

const MOST_BYTES = 2 ** 30;

function checkDense(rows: number, cols: number, dtype: FloatDType): void {
  if (rows * cols * BYTES[dtype] <= MOST_BYTES) return;
  const expected = 'a dense matrix of at most 1 GiB (options.sparse takes larger ones)';
  throw mismatch(MemoryError, 'linearize', expected, `${rows} × ${cols} of ${dtype}`);
}
