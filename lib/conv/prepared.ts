/** PreparedConv: weights packed once, run many times. The fast path of a service. */

import type { ConvOperands } from '../backend/backend.js';
import { type Binding, BindingCache, sameSizes } from '../backend/bindings.js';
import { withOwnOperands } from '../backend/own-operands.js';
import { backend } from '../backend/select.js';
import { checkOptions, checkShape, elementCount, isObject, mismatch, mistake } from '../check.js';
import { refuseCloning } from '../cloning.js';
import { Disposing, type SelfDisposing } from '../dispose.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import { isRank } from '../plan/options/axes.js';
import { checkNotEmpty, likeInput, readBatchShape, readWindow, type Window } from '../plan/options/window.js';
import type { ConvPlan } from '../plan/plans/conv.js';
import { UNKNOWN_WEIGHTS, weightsOf } from '../plan/weights.js';
import { BYTES, copyOf, type FloatArray, type FloatDType } from '../tensor/dtype.js';
import { checkOut, deliver, resultTensor } from '../tensor/out.js';
import { type FloatOf, type TensorLike, takeFloat } from '../tensor/take.js';
import { type FloatTensor, isTensor, type Shape, type Tensor } from '../tensor/tensor.js';
import { type Explanation, explainPlan } from './explain.js';
import { checkBias, type PlannedManner, planWindow, takeConvTensors, wrongWeightRank } from './operands.js';
import {
  type AsyncOptions,
  type ConvOptions,
  checkPrecision,
  PREPARE_OPTIONS,
  readManner,
  readSignal,
  readTransfer,
} from './options.js';
import { Packing } from './packing.js';

/** As of a convolution, fixed once for all runs. */
export interface PrepareOptions extends Omit<ConvOptions, 'out'> {
  /** Packs for this input shape at once; otherwise the first run of each shape does. */
  readonly inputShape?: Shape;
}

/** Weights packed once, run many times. Safe to run concurrently. */
export interface PreparedConv<A extends FloatArray = FloatArray> extends SelfDisposing {
  /** Shape of the weight, OIHW or as the rank has it. */
  readonly weightShape: Shape;
  /** The shape of the result for an input of this shape. @throws as conv2d. */
  outputShape(inputShape: Shape): Shape;
  /** As conv2d with the options given at preparation. With `out` nothing is allocated. */
  run(input: TensorLike, out?: Tensor): Tensor<A>;
  /**
   * As conv2dAsync: the input is copied first, or taken over, and `out` written when the work is done. Weights that are
   * not packed for an input's shape yet are packed off the event loop, too.
   */
  runAsync(input: TensorLike, options?: AsyncOptions & { readonly out?: Tensor }): Promise<Tensor<A>>;
  /** How a run on such an input goes, and why so. */
  explain(inputShape: Shape): Explanation;
  /** Frees the packed weights; runs in flight end first. Later runs are refused, a second dispose does nothing. */
  dispose(): void;
}

/**
 * Prepares convNd for one weight: the rank is the weight's. The weight and bias are copied.
 *
 * @param weight  [oc, ic/groups, kernel…]: three axes for conv1d, four for conv2d, five for conv3d.
 * @throws as convNd, for what can be known before an input comes.
 * @example
 *   using layer = prepareConv(weight, { padding: 1, activation: 'relu' });
 *   layer.run(image, out);
 */
export function prepareConv<W extends TensorLike>(
  weight: W,
  options?: PrepareOptions,
): PreparedConv<FloatOf<W>>;
export function prepareConv(weight: TensorLike, options?: PrepareOptions): PreparedConv {
  const given = checkOptions(options, PREPARE_OPTIONS);
  const manner = readManner(given);
  const w = takeFloat(weight, 'weight');
  const { dtype } = w;
  checkPrecision(manner.precision, dtype, 'weight');
  const rank = w.shape.length - 2;
  if (!isRank(rank)) throw wrongWeightRank(w.shape, 2);
  checkNotEmpty(w.shape);
  const window = readWindow(given, w.shape.slice(2), rank);
  if (w.shape[0] % window.groups !== 0) {
    throw mismatch(
      ShapeError,
      'weight',
      `output channels divisible by groups (${window.groups})`,
      `${w.shape[0]}`,
    );
  }
  const { bias } = given.bias == null ? { bias: null } : takeConvTensors(w, w, given.bias);
  checkBias(bias, w.shape[0]);
  const operands: ConvOperands = {
    weight: copyOf(w.data),
    bias: bias === null ? null : copyOf(bias.data),
    clamp: manner.clamp,
  };
  const planned = { ...manner, ...weightsOf(operands.weight, w.shape, manner.algorithm) };
  const prepared = new Prepared(dtype, w.shape, window, planned, operands);
  if (given.inputShape !== undefined) prepared.warm(given.inputShape);
  return prepared;
}

/** The weights bound to one input shape. */
export interface ShapeBinding extends Binding {
  readonly inputSize: number;
  readonly outputShape: Shape;
  readonly outputSize: number;
  readonly conv: Packing;
}

class Prepared extends Disposing implements PreparedConv {
  readonly weightShape: Shape;
  readonly #dtype: FloatDType;
  readonly #window: Window;
  readonly #manner: PlannedManner;
  #operands: ConvOperands | null;
  readonly #bindings = new BindingCache<ShapeBinding>();

  constructor(
    dtype: FloatDType,
    weightShape: Shape,
    window: Window,
    manner: PlannedManner,
    operands: ConvOperands,
  ) {
    super();
    this.weightShape = weightShape;
    this.#dtype = dtype;
    this.#window = window;
    this.#manner = manner;
    this.#operands = operands;
    refuseCloning(this);
  }

  outputShape(inputShape: Shape): Shape {
    return this.#plan(checkShape(inputShape, 'inputShape')).outputShape;
  }

  warm(inputShape: Shape): void {
    this.#bind(checkShape(inputShape, 'options.inputShape')).conv.now();
  }

  run(input: TensorLike, out?: Tensor): FloatTensor {
    const { latest } = this.#bindings;
    if (
      latest?.conv.packed !== undefined &&
      isTensor(input) &&
      isTensor(out) &&
      this.#isOurs(input) &&
      this.#isOurs(out) &&
      fits(latest, input, out)
    ) {
      latest.conv.packed.run(input.data, out.data);
      return out;
    }
    const x = takeFloat(input, 'input', this.#dtype);
    const binding = this.#bindingOf(x);
    const output = resultTensor(out, binding.outputShape, this.#dtype, { input: x });
    binding.conv.now().run(x.data, output.data);
    return output;
  }

  async runAsync(
    input: TensorLike,
    options?: AsyncOptions & { readonly out?: Tensor },
  ): Promise<FloatTensor> {
    const given = checkOptions(options, ['signal', 'out', 'transfer']);
    const signal = readSignal(given.signal);
    const transfer = readTransfer(given.transfer);
    const x = takeFloat(input, 'input', this.#dtype);
    const { conv, outputShape, outputSize } = this.#bindingOf(x);
    const out =
      given.out === undefined ? undefined : checkOut(given.out, outputShape, this.#dtype, { input: x });
    signal?.throwIfAborted();
    const result = await conv.during(() => {
      const packed = conv.inTime();
      // Who waits for it may be gone before it fails.
      packed.catch(() => {});
      const resultBytes = outputSize * BYTES[this.#dtype];
      return withOwnOperands({ input: x.data }, resultBytes, { signal, transfer }, async (own) =>
        (await packed).runAsync(own.input, signal),
      );
    });
    return deliver(result, outputShape, out);
  }

  explain(inputShape: Shape): Explanation {
    const { plan, outputShape } = this.#plan(checkShape(inputShape, 'inputShape'));
    return explainPlan(
      plan,
      { ...UNKNOWN_WEIGHTS, precision: 'float32', ...this.#manner },
      outputShape,
      backend().machine,
    );
  }

  override dispose(): void {
    this.#bindings.release();
    this.#operands = null;
  }

  /** What runs on inputs of one shape, for whoever brings them in memory of its own. */
  static bindingOf(prepared: unknown, inputShape: Shape, dtype: FloatDType): ShapeBinding {
    // Not instanceof, which revoked proxies throw at.
    if (!isObject(prepared) || !(#dtype in prepared))
      throw mistake(ArgumentError, 'layer', 'what prepareConv returns', prepared);
    if (prepared.#dtype !== dtype) throw mismatch(DTypeError, 'weight', dtype, prepared.#dtype);
    return prepared.#bindings.find(inputShape) ?? prepared.#bind(inputShape);
  }

  #isOurs(t: Tensor): t is FloatTensor {
    return t.dtype === this.#dtype;
  }

  #bindingOf({ shape }: FloatTensor): ShapeBinding {
    return this.#bindings.find(shape) ?? this.#bind(shape);
  }

  #bind(inputShape: Shape): ShapeBinding {
    if (this.#operands === null)
      throw new ArgumentError('PreparedConv: expected one in use, got a disposed one');
    const { plan, outputShape } = this.#plan(inputShape);
    const conv = new Packing(plan, this.#operands, this.#bindings.latest?.conv.packed);
    const [inputSize, outputSize] = [elementCount(inputShape, 'input'), elementCount(outputShape, 'output')];
    return this.#bindings.add({ inputShape, inputSize, outputShape, outputSize, conv });
  }

  #plan(inputShape: Shape): { plan: ConvPlan; outputShape: Shape } {
    const input = readBatchShape(inputShape, this.#window.rank, 'input');
    const plan = planWindow('forward', this.#dtype, this.#window, input, this.weightShape, this.#manner);
    return { plan, outputShape: likeInput(plan.outputShape, input) };
  }
}

/**
 * The weights of a prepared convolution, bound to an input's shape.
 *
 * @throws {ArgumentError} when it is none, or disposed, {DTypeError} for weights of another type, and as conv2d.
 */
export function bindingOf(prepared: unknown, inputShape: Shape, dtype: FloatDType): ShapeBinding {
  return Prepared.bindingOf(prepared, inputShape, dtype);
}

/** Whether the general checks would find nothing wrong: a tiny convolution takes less time than they do. */
function fits(
  { inputShape, inputSize, outputShape, outputSize }: ShapeBinding,
  x: FloatTensor,
  out: FloatTensor,
): boolean {
  return (
    sameSizes(x.shape, inputShape) &&
    sameSizes(out.shape, outputShape) &&
    // A detached array has no elements, and a Tensor is never of shared memory.
    x.data.length === inputSize &&
    out.data.length === outputSize &&
    x.data.buffer !== out.data.buffer
  );
}
