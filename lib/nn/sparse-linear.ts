/** A fully-connected layer whose matrix is sparse, and stays as it is. */
import {
  checkOptions,
  checkShape,
  describeShape,
  isInstance,
  mismatch,
  mistake,
  sameShape,
} from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { CsrMatrix } from '../matrix/csr.js';
import { product } from '../numbers.js';
import { copyOf, type FloatArray, uninitialisedLike, viewOf } from '../tensor/dtype.js';
import { type TensorLike, takeFloat } from '../tensor/take.js';
import { type FloatTensor, type Shape, Tensor } from '../tensor/tensor.js';
import { keptBy, Module, type Output, takeGradient, takeInput } from './module.js';

/** Shapes on both sides, and the bias. */
export interface SparseLinearOptions {
  /** One per row of the matrix. Default zeros. */
  readonly bias?: TensorLike | null;
  /** Of one sample; as many elements as the matrix has columns. Default [columns]. */
  readonly inputShape?: Shape;
  /** Of one sample; as many elements as the matrix has rows. Default [rows]. */
  readonly outputShape?: Shape;
  /** What `describe` says that the matrix is. */
  readonly label?: string;
}

/**
 * y = weight·vec(x) + bias for each sample, [n, …inputShape] → [n, …outputShape] (n may be left out). Nothing of it is
 * learned: it has no parameters, and backward gives the gradient of the input alone.
 *
 * @throws {ArgumentError} when weight is no CsrMatrix; {ShapeError} when shapes do not have its sizes.
 * @example new nn.SparseLinear(A, { bias: [1, 0] }).forward([[1, 1]])   // [[3, 4]]
 */
export class SparseLinear extends Module {
  static override readonly name: string = 'SparseLinear';
  /** One row for each element of the result. */
  readonly weight: CsrMatrix;
  /** One for each element of the result; null when the layer has none. */
  readonly bias: FloatTensor | null;
  /** Of a sample that comes in. */
  readonly inputShape: Shape;
  /** Of a sample that comes out. */
  readonly resultShape: Shape;
  readonly #label: string | undefined;
  #kept: { inputShape: Shape; output: Output } | undefined;

  /** @param weight  One row for each element of the result. */
  constructor(weight: CsrMatrix, options?: SparseLinearOptions) {
    super();
    const given = checkOptions(options, ['bias', 'inputShape', 'outputShape', 'label']);
    if (!isInstance(weight, CsrMatrix)) throw mistake(ArgumentError, 'weight', 'a CsrMatrix', weight);
    const [rows, cols] = weight.shape;
    const { bias, inputShape = [cols], outputShape = [rows], label } = given;
    this.weight = weight;
    this.bias = bias == null ? null : takeFloat(bias, 'options.bias', weight.dtype);
    this.inputShape = sized(inputShape, cols, 'options.inputShape');
    this.resultShape = sized(outputShape, rows, 'options.outputShape');
    if (this.bias !== null && this.bias.size !== rows)
      throw mismatch(ShapeError, 'options.bias', `${rows} elements`, `${this.bias.size} elements`);
    this.#label = label;
  }

  /** The result for a batch; in training, what backward() needs is kept. */
  forward(x: TensorLike): FloatTensor {
    const input = takeInput(x, this.weight.dtype);
    const shape = this.#shapeOf(input.shape, 'x');
    const [rows, cols] = this.weight.shape;
    const y = uninitialisedLike(input.data, product(shape));
    eachSample(input.data, cols, y, rows, (from, to) => this.weight.matvec(from, to));
    if (this.bias !== null) {
      const { data } = this.bias;
      for (let i = 0; i < y.length; i++) y[i] += data[i % data.length];
    }
    const output = new Tensor(y, shape);
    this.#kept = { inputShape: input.shape, output: { shape, dtype: output.dtype } };
    return output;
  }

  backward(gradOutput: TensorLike): FloatTensor {
    const { inputShape, output } = keptBy(this, this.#kept);
    const { data: g } = takeGradient(gradOutput, output);
    const [rows, cols] = this.weight.shape;
    const dx = uninitialisedLike(g, product(inputShape));
    eachSample(g, rows, dx, cols, (from, to) => this.weight.rmatvec(from, to));
    return new Tensor(dx, inputShape);
  }

  outputShape(inputShape: Shape): Shape {
    return this.#shapeOf(checkShape(inputShape, 'inputShape'), 'inputShape');
  }

  #shapeOf(shape: Shape, argument: string): Shape {
    const batch = shape.length > this.inputShape.length ? shape.slice(0, 1) : [];
    if (!sameShape(shape, [...batch, ...this.inputShape])) {
      const expected = `${describeShape(this.inputShape)}, with or without a batch axis`;
      throw mismatch(ShapeError, argument, expected, describeShape(shape));
    }
    return [...batch, ...this.resultShape];
  }

  override forget(): void {
    this.#kept = undefined;
  }

  override copy(): SparseLinear {
    const { shape, indptr, indices, data } = this.weight;
    const weight = new CsrMatrix(shape, copyOf(indptr), copyOf(indices), copyOf(data));
    const { bias, inputShape, resultShape: outputShape } = this;
    return this.inMode(new SparseLinear(weight, { bias, inputShape, outputShape, label: this.#label }));
  }

  override describe(): string {
    const [rows, cols] = this.weight.shape;
    const of = this.#label === undefined ? '' : ` for ${this.#label}`;
    return `${this.constructor.name}(${cols} → ${rows}, ${this.weight.nnz} entries)${of}`;
  }

  override multiplications(inputShape: Shape): number {
    return (product(inputShape) / this.weight.shape[1]) * this.weight.nnz;
  }
}

function sized(shape: Shape, size: number, argument: string): Shape {
  const sizes = checkShape(shape, argument);
  if (product(sizes) !== size) throw mismatch(ShapeError, argument, `${size} elements`, describeShape(sizes));
  return Object.freeze(sizes);
}

/** Runs each sample's vector of `taken` elements into one of `given`. */
function eachSample(
  from: FloatArray,
  taken: number,
  to: FloatArray,
  given: number,
  run: (from: FloatArray, to: FloatArray) => void,
): void {
  for (let a = 0, b = 0; b < to.length; a += taken, b += given)
    run(viewOf(from, a, taken), viewOf(to, b, given));
}
