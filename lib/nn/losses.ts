/** What training makes small: each loss returns its value and the gradient that `backward` takes. */
import {
  checkInteger,
  checkNumber,
  checkOptions,
  describeShape,
  isObject,
  listOf,
  mismatch,
  sameShape,
} from '../check.js';
import { ShapeError } from '../errors.js';
import { isTypedArray, uninitialisedLike } from '../tensor/dtype.js';
import { type TensorLike, takeFloat, takeFloats, takeTensor } from '../tensor/take.js';
import { type FloatTensor, Tensor } from '../tensor/tensor.js';
import { checkParameter, type Parameter } from './module.js';

/** What a loss gives. */
export interface Loss {
  /** The loss itself, a mean over the batch. */
  readonly value: number;
  /** ∂value/∂prediction, of the prediction's shape. */
  readonly grad: FloatTensor;
}

/**
 * Mean squared error over all elements: Σ (p − t)² / size, gradient 2·(p − t) / size.
 *
 * @param prediction  p, of any shape.
 * @param target      t, of the same shape: nothing is broadcast.
 * @throws {ShapeError} for different shapes, or no element at all; {DTypeError} for integers or mixed dtypes.
 * @example nn.mseLoss([1, 2], [1, 4]).value   // 2
 */
export function mseLoss(prediction: TensorLike, target: TensorLike): Loss {
  const [p, t] = takeFloats(['prediction', 'target'], [prediction, target]);
  if (!sameShape(p.shape, t.shape)) {
    throw mismatch(ShapeError, 'target', `${describeShape(p.shape)}, as prediction`, describeShape(t.shape));
  }
  if (p.size === 0) throw mismatch(ShapeError, 'prediction', 'at least one element', describeShape(p.shape));
  const grad = uninitialisedLike(p.data);
  const scale = 2 / p.size;
  let sum = 0;
  for (let i = 0; i < grad.length; i++) {
    const difference = p.data[i] - t.data[i];
    sum += difference * difference;
    grad[i] = scale * difference;
  }
  return { value: sum / p.size, grad: new Tensor(grad, p.shape) };
}

/** Integers, of 64 bits too. */
export type Labels = ArrayLike<number> | ArrayLike<bigint> | TensorLike;

/** Which samples count. */
export interface CrossEntropyOptions {
  /** Rows with this label count for nothing. Default -100, as in PyTorch. */
  readonly ignoreIndex?: number;
}

/**
 * Cross-entropy of softmax, mean over the batch: −Σ_n log softmax(z_n)[label_n] / N. The gradient is
 * (softmax(z_n) − onehot(label_n)) / N. Each row's maximum is subtracted first, so no logit is too large. N counts the rows
 * that are not ignored; when all are, the loss is NaN and the gradient 0.
 *
 * @param logits  z, [N, classes]: unnormalised, before any softmax.
 * @param labels  An integer from 0 to classes − 1, or options.ignoreIndex, for each row: an array, a typed array
 *   (BigInt64Array too) or a tensor.
 * @throws {ShapeError} for a wrong rank, an empty batch or another number of labels; {ArgumentError} for a label out of
 *   range; {DTypeError} for integer logits.
 * @example nn.crossEntropyLoss([[1000, 0]], [0]).value   // 0
 */
export function crossEntropyLoss(logits: TensorLike, labels: Labels, options?: CrossEntropyOptions): Loss {
  const given = checkOptions(options, ['ignoreIndex']);
  const ignored = checkInteger(
    given.ignoreIndex ?? -100,
    'options.ignoreIndex',
    Number.MIN_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
  );
  const { data: z, shape } = takeFloat(logits, 'logits');
  if (shape.length !== 2 || z.length === 0) {
    throw mismatch(ShapeError, 'logits', '2 axes [N, classes], neither of them empty', describeShape(shape));
  }
  const [batch, classes] = shape;
  const chosen = takeLabels(labels, batch, classes, ignored);
  const count = chosen.filter((label) => label !== ignored).length;
  const grad = uninitialisedLike(z);
  let sum = 0;
  for (let n = 0; n < batch; n++) {
    const start = n * classes;
    if (chosen[n] === ignored) {
      grad.fill(0, start, start + classes);
      continue;
    }
    let max = z[start];
    for (let c = 1; c < classes; c++) if (z[start + c] > max) max = z[start + c];
    let total = 0;
    for (let c = 0; c < classes; c++) total += Math.exp(z[start + c] - max);
    for (let c = 0; c < classes; c++) {
      const probability = Math.exp(z[start + c] - max) / total;
      grad[start + c] = (probability - Number(c === chosen[n])) / count;
    }
    sum += Math.log(total) - (z[start + chosen[n]] - max);
  }
  return { value: sum / count, grad: new Tensor(grad, shape) };
}

/**
 * λ·‖p‖₁ = λ·Σ|p|: returns its value and adds λ·sign(p) (0 at 0) to `parameter.grad`.
 *
 * A large λ with a large step overshoots zero and grows; `optim.SGD`'s `l1` option takes the penalty by its proximal
 * step instead, which stops at zero exactly.
 *
 * @throws {ArgumentError} for a parameter that is none, or λ negative, infinite or NaN.
 * @example const penalty = nn.l1Penalty(parameters[0], 1e-4);
 */
export function l1Penalty(parameter: Parameter, lambda: number): number {
  checkNumber(lambda, 'lambda', 0, Number.MAX_VALUE);
  checkParameter(parameter, 'parameter');
  const { data, grad } = parameter;
  const values = data.data;
  const gradient = grad.data;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += Math.abs(values[i]);
    gradient[i] += lambda * Math.sign(values[i]);
  }
  return lambda * sum;
}

function takeLabels(labels: Labels, batch: number, classes: number, ignored: number): number[] {
  const list =
    listOf(labels, batch) ??
    wideData(labels, batch) ??
    Array.from(takeTensor(labels as TensorLike, 'labels').data);
  if (list.length !== batch)
    throw mismatch(ShapeError, 'labels', `${batch}, one per row of logits`, `${list.length}`);
  return list.map((given, n) => {
    const label = typeof given === 'bigint' ? Number(given) : given;
    return label === ignored ? ignored : checkInteger(label, `labels[${n}]`, 0, classes - 1);
  });
}

/** The elements of a `{data}` of 64-bit integers, which no Tensor holds; null for anything else. */
function wideData(labels: unknown, batch: number): unknown[] | null {
  if (!isObject(labels) || !('data' in labels)) return null;
  const list = isTypedArray(labels.data) ? null : listOf(labels.data, batch);
  return list?.every((label) => typeof label === 'bigint') ? list : null;
}
