/** QLinearConv with its weights packed once, to run many times. */
import type { BoundInteger, IntegerOperands } from '../backend/backend.js';
import { type Binding, BindingCache } from '../backend/bindings.js';
import { backend } from '../backend/select.js';
import { checkOneOf, checkOptions, checkShape, mismatch } from '../check.js';
import { refuseCloning } from '../cloning.js';
import { Disposing, type SelfDisposing } from '../dispose.js';
import { ArgumentError, DTypeError } from '../errors.js';
import { type ByteArray, type ByteDType, copyOf } from '../tensor/dtype.js';
import { resultTensor } from '../tensor/out.js';
import { type TensorLike, takeTensor } from '../tensor/take.js';
import { hasDType, type Shape, type Tensor } from '../tensor/tensor.js';
import {
  type Filter,
  planFilter,
  QLINEAR_OPTIONS,
  type QLinearConvOptions,
  readFilter,
  readScaling,
  type Scaling,
} from './conv.js';

/** As of qlinearConv, fixed once for all runs. */
export interface PrepareQLinearConvOptions extends QLinearConvOptions {
  /** Of the inputs to come. Default uint8. */
  readonly inputDType?: ByteDType;
  /** Packs for this input shape at once; otherwise the first run of each shape does. */
  readonly inputShape?: Shape;
}

/** A quantised convolution whose weights are packed once. */
export interface PreparedQLinearConv extends SelfDisposing {
  /** Shape of the weight, OIHW or as the rank has it. */
  readonly weightShape: Shape;
  /** The shape of the result for an input of this shape. @throws as qlinearConv. */
  outputShape(inputShape: Shape): Shape;
  /** As qlinearConv with the options given at preparation. With `out` no result is allocated. */
  run(input: TensorLike, out?: Tensor): Tensor<ByteArray>;
  /** Frees the packed weights. Later runs are refused, a second dispose does nothing. */
  dispose(): void;
}

const PREPARE_OPTIONS = [...QLINEAR_OPTIONS, 'inputDType', 'inputShape'];

/**
 * Prepares qlinearConv for one weight. The weight and the bias are copied.
 *
 * @throws as qlinearConv, for what can be known before an input comes.
 * @example
 *   const scales = { inputScale: 0.02, inputZeroPoint: 128, weightScale: 0.01, outputScale: 0.05, outputZeroPoint: 128 };
 *   using layer = prepareQLinearConv(weight, { padding: 1, ...scales });
 *   const result = layer.run(image);
 */
export function prepareQLinearConv(
  weight: TensorLike,
  options: PrepareQLinearConvOptions,
): PreparedQLinearConv {
  const given = checkOptions(options, PREPARE_OPTIONS);
  const inputDType = checkOneOf(given.inputDType ?? 'uint8', 'options.inputDType', ['int8', 'uint8']);
  const filter = readFilter(weight, given, inputDType);
  const scaling = readScaling(given, filter);
  const operands = {
    ...filter.operands,
    weight: copyOf(filter.operands.weight),
    bias: scaling.bias === null ? null : copyOf(scaling.bias),
    multipliers: scaling.multipliers,
  };
  const prepared = new Prepared({ ...filter, operands }, { ...scaling, bias: operands.bias }, operands);
  if (given.inputShape !== undefined) prepared.warm(given.inputShape);
  return prepared;
}

interface ShapeBinding extends Binding {
  readonly outputShape: Shape;
  readonly conv: BoundInteger;
}

class Prepared extends Disposing implements PreparedQLinearConv {
  readonly weightShape: Shape;
  readonly #filter: Filter;
  readonly #scaling: Scaling;
  #operands: IntegerOperands | null;
  readonly #bindings = new BindingCache<ShapeBinding>();

  constructor(filter: Filter, scaling: Scaling, operands: IntegerOperands) {
    super();
    this.weightShape = filter.weightShape;
    this.#filter = filter;
    this.#scaling = scaling;
    this.#operands = operands;
    refuseCloning(this);
  }

  outputShape(inputShape: Shape): Shape {
    return planFilter(this.#filter, checkShape(inputShape, 'inputShape'), this.#scaling).shape;
  }

  warm(inputShape: Shape): void {
    this.#bind(checkShape(inputShape, 'options.inputShape'));
  }

  run(input: TensorLike, out?: Tensor): Tensor<ByteArray> {
    const { inputDType } = this.#filter;
    const x = takeTensor(input, 'input', inputDType);
    if (!hasDType(x, inputDType)) throw mismatch(DTypeError, 'input', inputDType, x.dtype);
    const { conv, outputShape } = this.#bindings.find(x.shape) ?? this.#bind(x.shape);
    const output = resultTensor(out, outputShape, this.#scaling.dtype, { input: x });
    conv.run(x.data, output.data);
    return output;
  }

  override dispose(): void {
    this.#bindings.release();
    this.#operands = null;
  }

  #bind(inputShape: Shape): ShapeBinding {
    if (this.#operands === null)
      throw new ArgumentError('PreparedQLinearConv: expected one in use, got a disposed one');
    const { plan, shape } = planFilter(this.#filter, inputShape, this.#scaling);
    const conv = backend().bindInteger(plan, this.#operands);
    return this.#bindings.add({ inputShape, outputShape: shape, conv });
  }
}
