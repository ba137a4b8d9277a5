/**
 * The public surface: re-exports, nothing else.
 *
 * @module convmat
 */

export type { AbortSignalLike } from './backend/abort.js';
export type { BackendName } from './backend/backend.js';
export { conv1d, conv1dAsync, conv2d, conv2dAsync, conv3d, conv3dAsync } from './conv/conv.js';
export type { ExplainOptions, Explanation } from './conv/explain.js';
export { explainConv } from './conv/explain.js';
export { convBiasGrad, convInputGrad, convWeightGrad } from './conv/gradients.js';
export { type MatmulOptions, matmul } from './conv/matmul.js';
export type {
  Activation,
  AsyncOptions,
  ConvOptions,
  ConvTransposeOptions,
  GradOptions,
} from './conv/options.js';
export type { PreparedConv, PrepareOptions } from './conv/prepared.js';
export { prepareConv } from './conv/prepared.js';
export { convTranspose1d, convTranspose2d, convTranspose3d } from './conv/transpose.js';
export type { FoldOptions, UnfoldOptions } from './conv/unfold.js';
export { fold, unfold } from './conv/unfold.js';
export * as data from './data/index.js';
export {
  ArgumentError,
  ConvmatError,
  DTypeError,
  FormatError,
  MemoryError,
  ShapeError,
  SingularError,
  UnsupportedError,
} from './errors.js';
export * as fixed from './fixed/index.js';
export * as image from './image/index.js';
export * as io from './io/index.js';
export type { BackendInfo } from './machine.js';
export { backendInfo, setNumThreads } from './machine.js';
export type { ComplexTransposedConvMatrix } from './matrix/complex-conv-matrix.js';
export { ComplexConvMatrix } from './matrix/complex-conv-matrix.js';
export type { TransposedConvMatrix } from './matrix/conv-matrix.js';
export { ConvMatrix } from './matrix/conv-matrix.js';
export type { ComplexCoo, ComplexSparseFormats } from './matrix/csr.js';
export { ComplexCsrMatrix, CsrMatrix } from './matrix/csr.js';
export type { ConvMatrixOptions } from './matrix/from-weight.js';
export { convMatrix } from './matrix/from-weight.js';
export type { ComplexHankelMatrix, HankelMatrix } from './matrix/hankel.js';
export type { ConvToLinearOptions } from './matrix/linear.js';
export { convToLinear, linearToConv } from './matrix/linear.js';
export type {
  ComplexLinearOperator,
  ComplexTypedOperator,
  Coo,
  DenseOptions,
  LinearOperator,
  SparseFormats,
  TypedOperator,
} from './matrix/operator.js';
export type {
  AsyncComplexSolveOptions,
  AsyncSolveOptions,
  ComplexSolveOptions,
  Solution,
  SolveOptions,
} from './matrix/solvers.js';
export { cg, cgAsync, lsqr, lsqrAsync } from './matrix/solvers.js';
export type { DotTestOptions, SpectralNormOptions } from './matrix/spectra.js';
export { convSingularValues, dotTest, spectralNorm } from './matrix/spectra.js';
export type { SpyOptions } from './matrix/spy.js';
export { circulant, convolutionMatrix, hankel, toeplitz } from './matrix/structured.js';
export type { ComplexStructuredMatrix, StructuredMatrix, StructuredSolveOptions } from './matrix/toeplitz.js';
export * as nn from './nn/index.js';
export * as onnx from './onnx/index.js';
export type { ComplexOperator, Operator } from './operators/index.js';
export * as operators from './operators/index.js';
export * as optim from './optim/index.js';
export type { Accuracy, Algorithm, AlgorithmName, Precision } from './plan/algorithms/algorithm.js';
export type { Cost } from './plan/algorithms/cost.js';
export type { Isa, SimdIsa, WasmIsa } from './plan/isa.js';
export type { Axes, Padding, PaddingMode } from './plan/options/axes.js';
export type { Geometry } from './plan/options/window.js';
export type { AvgPoolOptions, PoolOptions } from './plan/plans/pool.js';
export {
  avgPool1d,
  avgPool2d,
  avgPool3d,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
} from './pool/pool.js';
export type {
  IntegerConvOptions,
  PreparedQLinearConv,
  PrepareQLinearConvOptions,
  QLinearConvOptions,
} from './quantized/index.js';
export { convInteger, prepareQLinearConv, qlinearConv } from './quantized/index.js';
export * as signal from './signal/index.js';
export type { ComplexTensor, ComplexVectorLike, PartIn, PartsOf } from './tensor/complex.js';
export { concat } from './tensor/concat.js';
export type {
  ArrayByDType,
  ArrayOf,
  ByteArray,
  ByteDType,
  DType,
  DTypeOf,
  FloatArray,
  FloatDType,
  TypedArray,
} from './tensor/dtype.js';
export type { PadOptions } from './tensor/pad.js';
export { pad } from './tensor/pad.js';
export type { Order } from './tensor/strided.js';
export type { ArrayIn, DTypeIn, FloatOf, TensorLike, VectorLike } from './tensor/take.js';
export type { FloatTensor, FromOptions, Nested, NestedByRank, Shape, SliceRange } from './tensor/tensor.js';
export { Tensor, tensor } from './tensor/tensor.js';
