/** Convolutions of floats by the addon. */
import { elementCount } from '../../check.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import { type FloatArray, type FloatDType, uninitialised } from '../../tensor/dtype.js';
import type { AbortSignalLike } from '../abort.js';
import type { Backend, BoundConv } from '../backend.js';
import type { NativeAddon, RunFunction } from './addon.js';
import { fromArguments, toArguments } from './pixels.js';
import { settled } from './settled.js';

type Convolutions = Pick<
  Backend,
  'conv' | 'convAsync' | 'bindConv' | 'bindConvAsync' | 'convWeightGrad' | 'convBiasGrad'
>;

export function convolutionsBy(addon: NativeAddon): Convolutions {
  return {
    conv: (plan, { weight, bias, clamp }, input, output) =>
      addon.conv(plan.wire, weight, bias, clamp.min, clamp.max, input, output),
    async convAsync(plan, { weight, bias, clamp: { min, max } }, input, signal) {
      const output = resultOf(plan);
      return settled(
        addon,
        (callback) => addon.convAsync(plan.wire, weight, bias, min, max, input, output, callback),
        signal,
      );
    },
    bindConv(plan, { weight, bias, clamp }, similar) {
      const lender = NativeConv.lender(similar);
      const run = addon.prepare(plan.wire, weight, bias, clamp.min, clamp.max, lender);
      return new NativeConv(addon, run, plan);
    },
    async bindConvAsync(plan, { weight, bias, clamp }, similar) {
      const lender = NativeConv.lender(similar);
      const run = await settled<RunFunction>(addon, (callback) =>
        addon.prepareAsync(plan.wire, weight, bias, clamp.min, clamp.max, lender, callback),
      );
      return new NativeConv(addon, run, plan);
    },
    convWeightGrad: (plan, input, gradOutput, gradWeight) =>
      addon.convWeightGrad(plan.wire, input, gradOutput, gradWeight),
    convBiasGrad: addon.convBiasGrad,
  };
}

class NativeConv implements BoundConv {
  // The addon's own function: nothing stands between a prepared convolution and its kernel.
  readonly run: RunFunction;
  readonly #addon: NativeAddon;
  readonly #plan: ConvPlan;
  #released = false;

  constructor(addon: NativeAddon, run: RunFunction, plan: ConvPlan) {
    this.run = run;
    this.#addon = addon;
    this.#plan = plan;
  }

  get packedBytes(): number {
    return this.run.packedBytes;
  }

  runAsync(input: FloatArray, signal?: AbortSignalLike): Promise<FloatArray> {
    const output = resultOf(this.#plan);
    return settled(
      this.#addon,
      (callback) => this.#addon.runAsync(this.run, input, output, callback),
      signal,
    );
  }

  get convolvePixelsAsync(): BoundConv['convolvePixelsAsync'] {
    const addon = this.#addon;
    if (addon.convolvePixelsAsync === undefined) return undefined;
    const start = addon.convolvePixelsAsync;
    return (from, to, pixels, result, signal) =>
      settled(
        addon,
        (callback) => start(this.run, ...fromArguments(from), ...toArguments(to), pixels, result, callback),
        signal,
      );
  }

  release(): void {
    if (!this.#released) this.#addon.release(this.run);
    this.#released = true;
  }

  /** The run function while it has weights to lend. */
  static lender(conv: BoundConv | undefined): RunFunction | null {
    return conv instanceof NativeConv && !conv.#released ? conv.run : null;
  }
}

/** An array for the tensor that the plan writes. */
function resultOf({ op, dtype, inputShape, outputShape }: ConvPlan): FloatArray {
  return uninitialised(
    dtype as FloatDType,
    elementCount(op === 'forward' ? outputShape : inputShape, 'output'),
  );
}
