/**
 * The backend in JavaScript alone: complete, so that everything works where the addon does not load. Its inner loops
 * see float64 only (other dtypes are converted at the edge), so float32 results are sums in float64, rounded once.
 */

import { checkOffsets } from '../../check.js';
import { product } from '../../numbers.js';
import type { Machine } from '../../plan/isa.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import { copyOf, type FloatArray, type FloatDType, zeros } from '../../tensor/dtype.js';
import type { AbortSignalLike } from '../abort.js';
import type { Backend, BoundConv, ConvOperands, CsrParts } from '../backend.js';
import { bindIntegerInFloat64, convIntegerInFloat64 } from '../integer-conv.js';
import { batchMoments, batchNormGrad, channelAffine } from './batch-norm.js';
import { convBiasGrad } from './bias-grad.js';
import { type Convolution, makeConvolution } from './conv.js';
import { convEntries, csrMatmat, csrMatvec, csrRmatvec } from './csr.js';
import { csrCombine, csrCombinedSizes } from './csr-combine.js';
import { rectify, rectifyGrad, sumElements } from './elements.js';
import { fft, fftConvolve, fftConvolveComplex } from './fft.js';
import { fixedConv2 } from './fixed.js';
import { matmul } from './matmul.js';
import { fromPixels, toPixels } from './pixels.js';
import { avgPool, maxPool, maxPoolGrad } from './pool.js';
import { singularValues } from './singular-values.js';
import { fold, unfold } from './unfold.js';
import { vectorCombine, vectorDot } from './vectors.js';
import { convWeightGrad } from './weight-grad.js';
import { runAll, runInSlices, SLICED_UNIT } from './work.js';

const MACHINE: Machine = { isa: 'js', threads: 1 };

export function createJsBackend(): Backend {
  return {
    name: 'js',
    machine: MACHINE,
    // One thread, whatever is asked: JavaScript has no other.
    setNumThreads: () => {},
    conv,
    convAsync: (plan, operands, input, signal) =>
      runOwn(plan, makeConvolution(plan, operands, false), input, signal),
    bindConv,
    bindConvAsync: async (plan, operands) => bindConv(plan, operands),
    convWeightGrad,
    convBiasGrad,
    convInteger: convIntegerInFloat64(conv, MACHINE, 'auto'),
    bindInteger: bindIntegerInFloat64(bindConv, MACHINE, 'auto'),
    unfold,
    fold,
    matmul,
    maxPool,
    maxPoolGrad,
    avgPool,
    batchMoments,
    channelAffine,
    batchNormGrad,
    rectify,
    rectifyGrad,
    sumElements,
    fft,
    fftConvolve,
    fftConvolveComplex,
    fixedConv2,
    convEntries,
    csrMatvec: (parts, x, y) => csrMatvec(sound(parts), x, y),
    csrRmatvec: (parts, y, x, adds) => csrRmatvec(sound(parts), y, x, adds),
    csrMatmat: (parts, columns, x, y) => csrMatmat(sound(parts), columns, x, y),
    csrCombinedSizes: (operation, a, b, indptr) => csrCombinedSizes(operation, sound(a), sound(b), indptr),
    csrCombine: (operation, a, b, result) => csrCombine(operation, sound(a), sound(b), result),
    fromPixels: (plan, pixels, planes) => runAll(fromPixels(plan, pixels, planes)),
    toPixels: (plan, planes, pixels) => runAll(toPixels(plan, planes, pixels)),
    async fromPixelsAsync(plan, pixels, planes, signal) {
      await runInSlices(fromPixels(plan, pixels, planes), signal);
      return planes;
    },
    async toPixelsAsync(plan, planes, pixels, signal) {
      await runInSlices(toPixels(plan, planes, pixels), signal);
      return pixels;
    },
    vectorCombine,
    vectorDot,
    singularValues,
  };
}

/** A matrix whose rows can be walked by: loops must end whatever has been written to its arrays. */
function sound(parts: CsrParts): CsrParts {
  checkOffsets(parts.indptr, parts.rows, parts.data.length);
  return parts;
}

function conv(plan: ConvPlan, operands: ConvOperands, input: FloatArray, output: FloatArray): void {
  runAll(makeConvolution(plan, operands, false)(input, output, Number.POSITIVE_INFINITY));
}

function bindConv(plan: ConvPlan, operands: ConvOperands): BoundConv {
  const own = copyOperands(operands);
  const convolve = makeConvolution(plan, own, true);
  return {
    packedBytes: own.weight.byteLength + (own.bias?.byteLength ?? 0),
    run: (input, output) => runAll(convolve(input, output, Number.POSITIVE_INFINITY)),
    runAsync: (input, signal) => runOwn(plan, convolve, input, signal),
    // The garbage collector frees what nobody refers to any more.
    release: () => {},
  };
}

function copyOperands({ weight, bias, clamp }: ConvOperands): ConvOperands {
  return { weight: copyOf(weight), bias: bias === null ? null : copyOf(bias), clamp };
}

/** Works on an input that nobody else writes to, into a result of its own. */
async function runOwn(
  plan: ConvPlan,
  convolve: Convolution,
  input: FloatArray,
  signal: AbortSignalLike | undefined,
): Promise<FloatArray> {
  const result = zeros(
    plan.dtype as FloatDType,
    product(plan.op === 'forward' ? plan.outputShape : plan.inputShape),
  );
  await runInSlices(convolve(input, result, SLICED_UNIT), signal);
  return result;
}
