/** The backend in C++: passes plans and arrays on to the addon, and turns its callbacks into promises. */
import { elementCount } from '../../check.js';
import type { NativeIsa } from '../../plan/isa.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import { type FloatArray, type FloatDType, uninitialised } from '../../tensor/dtype.js';
import { type AbortSignalLike, onAbort } from '../abort.js';
import type { Backend, BoundConv, CsrParts } from '../backend.js';
import { bindIntegerInFloat64, convIntegerInFloat64 } from '../integer-conv.js';
import type { AsyncCallback, CsrArguments, NativeAddon, RunFunction } from './addon.js';

export function createNativeBackend(addon: NativeAddon, isa: NativeIsa): Backend {
  const tuning = addon.tuning[isa];

  /** What the addon calls back, as a promise. */
  function settled<Result>(
    start: (callback: AsyncCallback<Result>) => number,
    signal?: AbortSignalLike,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      let ignore: (() => void) | undefined;
      const number = start((error, result) => {
        ignore?.();
        if (error !== undefined) reject(error);
        else if (result !== undefined) resolve(result);
      });
      if (signal === undefined) return;
      ignore = onAbort(signal, () => {
        addon.cancel(number);
        reject(signal.reason);
      });
    });
  }

  class NativeConv implements BoundConv {
    // The addon's own function: nothing stands between a prepared convolution and its kernel.
    readonly run: RunFunction;
    readonly #plan: ConvPlan;
    #released = false;

    constructor(run: RunFunction, plan: ConvPlan) {
      this.run = run;
      this.#plan = plan;
    }
    get packedBytes(): number {
      return this.run.packedBytes;
    }
    runAsync(input: FloatArray, signal?: AbortSignalLike): Promise<FloatArray> {
      const output = resultOf(this.#plan);
      return settled((callback) => addon.runAsync(this.run, input, output, callback), signal);
    }
    release(): void {
      if (!this.#released) addon.release(this.run);
      this.#released = true;
    }
    /** The run function while it has weights to lend. */
    static lender(conv: BoundConv | undefined): RunFunction | null {
      return conv instanceof NativeConv && !conv.#released ? conv.run : null;
    }
  }

  const conv: Backend['conv'] = (plan, { weight, bias, clamp }, input, output) =>
    addon.conv(plan.wire, weight, bias, clamp.min, clamp.max, input, output);
  const bindConv: Backend['bindConv'] = (plan, { weight, bias, clamp }, similar) => {
    const lender = NativeConv.lender(similar);
    return new NativeConv(addon.prepare(plan.wire, weight, bias, clamp.min, clamp.max, lender), plan);
  };
  // For sums that 32 bits may not hold.
  const wideInteger = convIntegerInFloat64(conv, { isa, tuning, threads: 1 }, 'im2col');
  const bindWideInteger = bindIntegerInFloat64(bindConv, { isa, tuning, threads: 1 }, 'im2col');

  return {
    name: 'native',
    machine: {
      isa,
      tuning,
      // Of the process, not of this environment: another thread may have set it.
      get threads() {
        return addon.numThreads();
      },
    },
    setNumThreads: addon.setNumThreads,
    conv,
    async convAsync(plan, { weight, bias, clamp: { min, max } }, input, signal) {
      const output = resultOf(plan);
      return settled(
        (callback) => addon.convAsync(plan.wire, weight, bias, min, max, input, output, callback),
        signal,
      );
    },
    async bindConvAsync(plan, operands, similar) {
      const { weight, bias, clamp } = operands;
      const lender = NativeConv.lender(similar);
      const run = await settled<RunFunction>((callback) =>
        addon.prepareAsync(plan.wire, weight, bias, clamp.min, clamp.max, lender, callback),
      );
      return new NativeConv(run, plan);
    },
    bindConv,
    convInteger(plan, operands, input, output) {
      if (!plan.narrow) return wideInteger(plan, operands, input, output);
      const { weight, weightZeroPoints, bias, multipliers } = operands;
      addon.convInteger(plan.wire, weight, weightZeroPoints, bias, multipliers, input, output);
    },
    bindInteger(plan, operands) {
      if (!plan.narrow) return bindWideInteger(plan, operands);
      const { weight, weightZeroPoints, bias, multipliers } = operands;
      const run = addon.prepareInteger(plan.wire, weight, weightZeroPoints, bias, multipliers);
      return { packedBytes: run.packedBytes, run, release: () => addon.releaseInteger(run) };
    },
    convWeightGrad: (plan, input, gradOutput, gradWeight) =>
      addon.convWeightGrad(plan.wire, input, gradOutput, gradWeight),
    convBiasGrad: addon.convBiasGrad,
    unfold: (plan, input, columns) => addon.unfold(plan.wire, input, columns),
    fold: (plan, columns, output) => addon.fold(plan.wire, columns, output),
    matmul: addon.matmul,
    maxPoolGrad: addon.maxPoolGrad,
    maxPool: (plan, input, output, indices) => addon.maxPool(plan.wire, input, output, indices),
    avgPool: (plan, input, output) => addon.avgPool(plan.wire, input, output),
    fft: addon.fft,
    fftConvolve: addon.fftConvolve,
    fixedConv2: (plan, image, kernel, out) => addon.fixedConv2(plan.wire, image, kernel, out),
    convEntries: (plan, weight, { indptr, indices, data }) =>
      addon.convEntries(plan.wire, weight, indptr, indices, data),
    csrMatvec: (matrix, x, y) => addon.csrMatvec(...csrArguments(matrix), x, y),
    csrRmatvec: (matrix, y, x) => addon.csrRmatvec(...csrArguments(matrix), y, x),
    csrMatmat: (matrix, columns, x, y) => addon.csrMatmat(...csrArguments(matrix), columns, x, y),
    vectorCombine: (a, x, b, y) => addon.vectorCombine(a, x, b, y),
    vectorDot: (x, y) => addon.vectorDot(x, y),
    csrCombinedSizes: (operation, a, b, indptr) =>
      addon.csrCombinedSizes(operation === 'product', ...csrArguments(a), ...csrArguments(b), indptr),
    csrCombine: (operation, a, b, { indptr, indices, data }) =>
      addon.csrCombine(
        operation === 'product',
        ...csrArguments(a),
        ...csrArguments(b),
        indptr,
        indices,
        data,
      ),
  };
}

/** An array for the tensor that the plan writes. */
function resultOf({ op, dtype, inputShape, outputShape }: ConvPlan): FloatArray {
  return uninitialised(
    dtype as FloatDType,
    elementCount(op === 'forward' ? outputShape : inputShape, 'output'),
  );
}

function csrArguments({ rows, cols, indptr, indices, data }: CsrParts): CsrArguments {
  return [rows, cols, indptr, indices, data];
}
