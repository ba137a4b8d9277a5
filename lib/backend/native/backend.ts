/** The backend in C++: passes plans and arrays on to the addon, or to WebAssembly, which has its surface. */
import type { SimdIsa } from '../../plan/isa.js';
import type { Backend } from '../backend.js';
import type { NativeAddon } from './addon.js';
import { convolutionsBy } from './conv.js';
import { integersBy } from './integer.js';
import { matricesBy } from './matrix.js';
import { networksBy } from './network.js';
import { pixelsBy } from './pixels.js';
import { trainingBy } from './training.js';

export function createNativeBackend(
  addon: NativeAddon,
  isa: SimdIsa,
  name: 'native' | 'wasm' = 'native',
): Backend {
  const tuning = addon.tuning[isa];
  const convolutions = convolutionsBy(addon);
  return {
    name,
    machine: {
      isa,
      tuning,
      // Of the process, not of this environment: another thread may have set it.
      get threads() {
        return addon.numThreads();
      },
    },
    setNumThreads: addon.setNumThreads,
    ...convolutions,
    ...integersBy(addon, { isa, tuning, threads: 1 }, convolutions),
    ...matricesBy(addon),
    ...networksBy(addon),
    ...pixelsBy(addon),
    ...trainingBy(addon),
    unfold: (plan, input, columns) => addon.unfold(plan.wire, input, columns),
    fold: (plan, columns, output) => addon.fold(plan.wire, columns, output),
    matmul: addon.matmul,
    maxPool: (plan, input, output, indices) => addon.maxPool(plan.wire, input, output, indices),
    maxPoolGrad: addon.maxPoolGrad,
    avgPool: (plan, input, output) => addon.avgPool(plan.wire, input, output),
    fft: addon.fft,
    fftConvolve: addon.fftConvolve,
    fftConvolveComplex: (signal, kernel, block, start, out) =>
      addon.fftConvolveComplex(signal.re, signal.im, kernel.re, kernel.im, block, start, out.re, out.im),
    fixedWords: {
      split: addon.splitWords,
      store({ parts: [low, above = null, beside = null, high = null], places, addends, ...given }, out) {
        const range = [given.low, given.high] as const;
        addon.storeFixed(low, above, beside, high, places, addends, given.factor, ...range, out);
      },
    },
    fixedConv2: (plan, image, kernel, out) => addon.fixedConv2(plan.wire, image, kernel, out),
  };
}
