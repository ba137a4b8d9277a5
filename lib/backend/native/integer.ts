/** Convolutions of 8-bit integers by the addon: in 32 bits, or in float64 where these may not hold the sums. */
import type { Machine } from '../../plan/isa.js';
import type { Backend } from '../backend.js';
import { bindIntegerInFloat64, convIntegerInFloat64 } from '../integer-conv.js';
import type { NativeAddon } from './addon.js';

export function integersBy(
  addon: NativeAddon,
  machine: Machine,
  { conv, bindConv }: Pick<Backend, 'conv' | 'bindConv'>,
): Pick<Backend, 'convInteger' | 'bindInteger'> {
  const wide = convIntegerInFloat64(conv, machine, 'im2col');
  const bindWide = bindIntegerInFloat64(bindConv, machine, 'im2col');
  return {
    convInteger(plan, operands, input, output) {
      if (!plan.narrow) return wide(plan, operands, input, output);
      const { weight, weightZeroPoints, bias, multipliers } = operands;
      addon.convInteger(plan.wire, weight, weightZeroPoints, bias, multipliers, input, output);
    },
    bindInteger(plan, operands) {
      if (!plan.narrow) return bindWide(plan, operands);
      const { weight, weightZeroPoints, bias, multipliers } = operands;
      const run = addon.prepareInteger(plan.wire, weight, weightZeroPoints, bias, multipliers);
      return { packedBytes: run.packedBytes, run, release: () => addon.releaseInteger(run) };
    },
  };
}
