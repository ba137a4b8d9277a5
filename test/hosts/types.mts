// Compiled, not run: the public types in use, as each version of TypeScript reads them.
import * as convmat from 'convmat';
import { DataLoader, type Dataset } from 'convmat/data';
import { fi } from 'convmat/fixed';
import { readNpy } from 'convmat/io';
import { Sequential } from 'convmat/nn';
import { Adam } from 'convmat/optim';
import { conv2 } from 'convmat/signal';

/** Compiles when A and B are the same type. */
function expectType<A>() {
  return <B,>(
    _value: B,
    ..._same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]
  ) => {};
}

const y: convmat.Tensor = convmat.conv2d(
  [
    [
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ],
  [[[[1]]]],
  {
    padding: 'same',
    activation: { clip: [0, 6] },
  },
);
const info: convmat.BackendInfo = convmat.backendInfo();
export const isa: convmat.Isa = info.isa;
// @ts-expect-error an option that does not exist
convmat.conv2d(y, y, { strid: 2 });
// @ts-expect-error a shape of signal.conv2 that does not exist
conv2(y, y, 'half');

export type { Dataset };
export const entries = [DataLoader, fi, readNpy, Sequential, Adam];

// Results have the operands' type.
declare const singles: convmat.Tensor<Float32Array>;
declare const doubles: convmat.Tensor<Float64Array>;
declare const bytes: convmat.Tensor<Uint8Array>;
declare const anything: convmat.TensorLike;
declare const signal: convmat.AsyncOptions['signal'];

expectType<'float32'>()(singles.dtype);
expectType<'uint8'>()(bytes.dtype);
expectType<convmat.Tensor<Float32Array>>()(convmat.conv2d(singles, singles));
expectType<convmat.Tensor<Float64Array>>()(convmat.conv2d(doubles, [[[[1]]]]));
expectType<convmat.Tensor<Float64Array>>()(convmat.conv3d([[[[[1]]]]], doubles, { out: doubles }));
expectType<convmat.Tensor<Float32Array>>()(convmat.conv1d([[[1]]], [[[1]]]));
expectType<convmat.Tensor<Float32Array | Float64Array>>()(convmat.conv2d(anything, anything));
expectType<convmat.Tensor<Float32Array>>()(convmat.conv2d(anything, singles));
expectType<convmat.Tensor<Float32Array>>()(
  convmat.conv2d(
    { data: new Float32Array(1), shape: [1, 1, 1, 1] },
    { data: singles.data, dims: [1, 1, 1, 1] },
  ),
);
expectType<Promise<convmat.Tensor<Float64Array>>>()(convmat.conv2dAsync(doubles, doubles, { signal }));
expectType<convmat.Tensor<Float32Array>>()(convmat.convTranspose2d(singles, singles));
expectType<convmat.Tensor<Float64Array>>()(convmat.convInputGrad([1, 1, 4, 4], doubles, doubles));
expectType<convmat.Tensor<Float32Array>>()(convmat.convWeightGrad(singles, [1, 1, 3, 3], singles));
expectType<convmat.Tensor<Float32Array>>()(convmat.convBiasGrad(singles));
expectType<convmat.Tensor<Uint8Array>>()(convmat.unfold(bytes, 3));
expectType<convmat.Tensor<Uint8Array>>()(convmat.fold(bytes, [4, 4], 3));
expectType<convmat.Tensor<Uint8Array>>()(convmat.maxPool2d(bytes, 2));
expectType<convmat.Tensor<Int32Array>>()(convmat.maxPool2dWithIndices(bytes, 2).indices);
expectType<convmat.Tensor<Float64Array>>()(convmat.avgPool2d(doubles, 2));
expectType<convmat.Tensor<Float64Array>>()(convmat.matmul(doubles, [[1]]));
expectType<convmat.Tensor<Int32Array>>()(convmat.matmul(bytes, bytes));
expectType<convmat.Tensor<Float32Array>>()(convmat.matmul([[1]], [[1]]));

const prepared = convmat.prepareConv(singles, { padding: 1 });
expectType<convmat.Tensor<Float32Array>>()(prepared.run(anything));
expectType<Promise<convmat.Tensor<Float32Array>>>()(prepared.runAsync(singles, { out: singles }));
const network: convmat.PreparedConv = prepared;
network.dispose();

const matrix = convmat.convMatrix(singles, { inputShape: [1, 8, 8] });
expectType<Float32Array>()(matrix.matvec([1, 2]));
expectType<Float32Array>()(matrix.T.rmatvec(doubles));
expectType<convmat.Tensor<Float32Array>>()(matrix.toDense());
expectType<Float32Array>()(matrix.toCSR().T.data);
expectType<Float32Array>()(matrix.toCOO().data);
expectType<Float64Array>()(convmat.toeplitz(new Float64Array(3)).solve([1, 2, 3]));
expectType<Float32Array>()(convmat.hankel([1, 2]).matvec([1, 2]));
expectType<convmat.Tensor<Float64Array>>()(
  convmat.convToLinear(doubles, { inputShape: [1, 4, 4], bias: [0] }).weight,
);
const anyMatrix: convmat.ConvMatrix | convmat.CsrMatrix = matrix;

// Operators of one's own.
const twice: convmat.LinearOperator = {
  shape: [2, 2],
  matvec: (x) => x.map((value) => 2 * value),
  rmatvec: (y) => y.map((value) => 2 * value),
};
class Halves implements convmat.LinearOperator {
  readonly shape = [2, 2] as const;
  matvec(x: Float32Array | Float64Array) {
    return Float64Array.from(x, (value) => value / 2);
  }
  rmatvec(y: Float32Array | Float64Array) {
    return this.matvec(y);
  }
}
expectType<Float64Array>()(convmat.lsqr(twice, [1, 2]).x);
export const solved = [convmat.cg(new Halves(), [1, 2]), convmat.lsqr(anyMatrix, [1, 2])];

// Complex in, complex out.
declare const singleParts: convmat.PartsOf<convmat.Tensor<Float32Array>>;
declare const doubleParts: convmat.PartsOf<Float64Array>;
expectType<convmat.PartsOf<Float64Array>>()(convmat.toeplitz(doubleParts).solve([1, 2, 3]));
expectType<convmat.PartsOf<Float64Array>>()(convmat.toeplitz(new Float64Array(2), doubleParts).matvec([1]));
expectType<convmat.PartsOf<Float32Array>>()(convmat.circulant(singleParts).rmatvec(doubleParts));
expectType<Float64Array>()(convmat.hankel(doubleParts).toDense().im.data);
expectType<convmat.PartsOf<convmat.Tensor<Float64Array>>>()(convmat.convolutionMatrix(doubleParts, 3));
const complexMatrix = convmat.convMatrix(singleParts, { inputShape: [1, 8, 8] });
expectType<convmat.PartsOf<Float32Array>>()(complexMatrix.H.matvec(doubleParts));
expectType<convmat.PartsOf<Float32Array>>()(complexMatrix.toCSR().data);
expectType<convmat.ComplexCsrMatrix<Float32Array>>()(convmat.CsrMatrix.fromDense(singleParts));
expectType<convmat.PartsOf<Float64Array>>()(convmat.lsqr(complexMatrix, [1, 2]).x);
expectType<convmat.PartsOf<Float64Array>>()(convmat.cg(new Halves(), doubleParts, { damp: 1 }).x);
expectType<convmat.ComplexOperator>()(convmat.operators.add(complexMatrix, twice));
expectType<convmat.Operator>()(convmat.operators.add(matrix, twice));
expectType<convmat.ComplexOperator>()(convmat.operators.scale({ re: 0, im: 1 }, matrix));
const turned: convmat.ComplexLinearOperator = {
  shape: [2, 2],
  isComplex: true,
  matvec: ({ re, im }) => ({ re: im.map((value) => -value), im: re }),
  rmatvec: ({ re, im }) => ({ re: im, im: re.map((value) => -value) }),
};
export const complexSolved = [convmat.lsqr(turned, doubleParts).x.re, convmat.dotTest(turned)];
