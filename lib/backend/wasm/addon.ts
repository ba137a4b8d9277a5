/** The addon's surface over an instance of WebAssembly, so that all that is made of the addon is made of this, too. */
import { nextTurn } from '#host';
import { ArgumentError } from '../../errors.js';
import type { WasmIsa } from '../../plan/isa.js';
import type { TypedArray } from '../../tensor/dtype.js';
import type { AsyncCallback, NativeAddon, RunFunction, RunInteger, RunNetwork } from '../native/addon.js';
import type { Argument, Directions, Instance } from './instance.js';

/** What is written, by the function and the place of the argument. */
const DIRECTIONS: Readonly<Record<string, Directions>> = {
  conv: { out: [6] },
  run: { out: [2] },
  convWeightGrad: { out: [3] },
  convBiasGrad: { out: [4] },
  convInteger: { out: [6] },
  runInteger: { out: [2] },
  unfold: { out: [2] },
  fold: { out: [2] },
  matmul: { out: [5] },
  maxPool: { out: [2, 3] },
  maxPoolGrad: { out: [5] },
  avgPool: { out: [2] },
  convEntries: { out: [2, 3, 4] },
  csrMatvec: { out: [6] },
  csrRmatvec: { out: [6] },
  csrMatmat: { out: [7] },
  csrCombinedSizes: { out: [11] },
  csrCombine: { out: [11, 12, 13] },
  fromPixels: { out: [5] },
  toPixels: { out: [6] },
  vectorCombine: { both: [3] },
  singularValues: { out: [4] },
  fft: { out: [2, 3] },
  fftConvolve: { out: [4] },
  fixedConv2: { out: [3] },
};

/** What a prepared function runs with, until it is released. */
interface Held {
  handle: number;
  readonly release: string;
}

export function createWasmAddon(instance: Instance, isa: WasmIsa): NativeAddon {
  const { description } = instance;
  const held = new WeakMap<object, Held>();
  // Those that nobody released: collected with the functions that run them.
  const abandoned = new FinalizationRegistry<Held>((of) => releaseOf(of));

  const releaseOf = (of: Held): void => {
    if (of.handle === 0) return;
    instance.call(of.release, [of.handle]);
    of.handle = 0;
  };
  const call = (name: string, ...args: Argument[]): number => instance.call(name, args, DIRECTIONS[name]);
  const hold = <Run extends object>(run: Run, of: Held): Run => {
    held.set(run, of);
    abandoned.register(run, of);
    return run;
  };
  const heldBy = (run: object, what: string): Held => {
    const of = held.get(run);
    if (of === undefined || of.handle === 0)
      throw new ArgumentError(`prepared: expected ${what} that is not released`);
    return of;
  };
  const release = (what: string) => (run: object) => releaseOf(heldBy(run, what));
  const lent = (similar: object | null, what: string): number | null =>
    similar === null ? null : heldBy(similar, what).handle;

  const CONVOLUTION = 'a convolution';
  const NETWORK = 'a network';

  const prepare: NativeAddon['prepare'] = (plan, weight, bias, min, max, similar) => {
    const handle = call('prepare', plan, weight, bias, min, max, lent(similar, CONVOLUTION));
    const of: Held = { handle, release: 'release' };
    const run = (input: TypedArray, output: TypedArray): void => {
      call('run', heldBy(bound, CONVOLUTION).handle, input, output);
    };
    const bound: RunFunction = Object.assign(run, { packedBytes: call('packedBytes', handle) });
    return hold(bound, of);
  };

  const calls = new Map<number, true>();
  let lastCall = 0;
  /** In a turn of its own. */
  const later = <Result>(work: () => Result, callback: AsyncCallback<Result>): number => {
    const number = ++lastCall;
    calls.set(number, true);
    nextTurn().then(() => {
      if (!calls.delete(number)) return callback(undefined, undefined);
      let result: Result;
      try {
        result = work();
      } catch (error) {
        return callback(error instanceof Error ? error : new Error(String(error)), undefined);
      }
      callback(undefined, result);
    });
    return number;
  };

  return {
    isas: [isa],
    cpuFeatures: isa === 'wasm' ? ['simd128'] : ['simd128', 'relaxed-simd'],
    convPlanFields: description.convPlanFields,
    integerPlanFields: description.integerPlanFields,
    poolPlanFields: description.poolPlanFields,
    fixedPlanFields: description.fixedPlanFields,
    enumerations: description.enumerations,
    tuning: { [isa]: description.tuning },

    configure: () => {},
    numThreads: () => 1,
    setNumThreads: () => {},
    workspacePeakBytes: () => call('workspacePeakBytes'),
    externalBytes: () => instance.memoryBytes,

    serves: (plan) => call('serves', plan) === 1,
    prepare,
    prepareAsync: (plan, weight, bias, min, max, similar, callback) =>
      later(() => prepare(plan, weight, bias, min, max, similar), callback),
    release: release(CONVOLUTION),
    conv: (...args) => void call('conv', ...args),
    runAsync: (run, input, output, callback) =>
      later(() => {
        run(input, output);
        return output;
      }, callback),
    convAsync: (plan, weight, bias, min, max, input, output, callback) =>
      later(() => {
        call('conv', plan, weight, bias, min, max, input, output);
        return output;
      }, callback),
    cancel: (number) => void calls.delete(number),

    prepareNetwork(words, arenaBytes, inputBytes, outputBytes, constants, similar, isAlone = false) {
      const lender = lent(similar, NETWORK);
      const handle = call('prepareNetwork', words, arenaBytes, inputBytes, outputBytes, constants, lender);
      const of: Held = { handle, release: 'releaseNetwork' };
      // What other segments of the network see: nothing where it is the whole.
      const directions = isAlone ? { out: [3, 4], scratch: [1] } : { both: [1, 3], out: [4] };
      const run: (...args: Parameters<RunNetwork>) => void = (arena, inputs, outputs, times) => {
        instance.call('runNetwork', [heldBy(bound, NETWORK).handle, arena, inputs, outputs, times], directions);
      };
      const bound: RunNetwork = Object.assign(run, {
        packedBytes: call('packedBytesOfNetwork', handle),
        steps: call('stepsOfNetwork', handle),
      });
      return hold(bound, of);
    },
    releaseNetwork: release(NETWORK),
    runNetworkAsync: (run, arena, inputs, outputs, callback) =>
      later<readonly TypedArray[]>(() => {
        run(arena, inputs, outputs, null);
        return outputs;
      }, callback),

    convWeightGrad: (...args) => void call('convWeightGrad', ...args),
    convBiasGrad: (...args) => void call('convBiasGrad', ...args),
    prepareInteger(...args) {
      const handle = call('prepareInteger', ...args);
      const of: Held = { handle, release: 'releaseInteger' };
      const run = (input: TypedArray, output: TypedArray): void => {
        call('runInteger', heldBy(bound, CONVOLUTION).handle, input, output);
      };
      const bound: RunInteger = Object.assign(run, { packedBytes: call('packedBytesOfInteger', handle) });
      return hold(bound, of);
    },
    releaseInteger: release(CONVOLUTION),
    convInteger: (...args) => void call('convInteger', ...args),
    unfold: (...args) => void call('unfold', ...args),
    fold: (...args) => void call('fold', ...args),
    matmul: (...args) => void call('matmul', ...args),
    maxPoolGrad: (...args) => void call('maxPoolGrad', ...args),
    maxPool: (...args) => void call('maxPool', ...args),
    avgPool: (...args) => void call('avgPool', ...args),
    convEntries: (...args) => void call('convEntries', ...args),
    csrMatvec: (...args) => void call('csrMatvec', ...args),
    csrRmatvec: (...args) => void call('csrRmatvec', ...args),
    csrMatmat: (...args) => void call('csrMatmat', ...args),
    csrCombinedSizes: (...args) => call('csrCombinedSizes', ...args),
    csrCombine: (...args) => void call('csrCombine', ...args),
    fromPixels: (...args) => void call('fromPixels', ...args),
    toPixels: (...args) => void call('toPixels', ...args),
    fromPixelsAsync: (channels, alpha, largest, numbers, pixels, planes, callback) =>
      later(() => {
        call('fromPixels', channels, alpha, largest, numbers, pixels, planes);
        return planes;
      }, callback),
    toPixelsAsync: (channels, alpha, largest, scale, offset, planes, pixels, callback) =>
      later(() => {
        call('toPixels', channels, alpha, largest, scale, offset, planes, pixels);
        return pixels;
      }, callback),
    vectorCombine: (...args) => call('vectorCombine', ...args),
    vectorDot: (...args) => call('vectorDot', ...args),
    singularValues: (...args) => void call('singularValues', ...args),
    fft: (...args) => void call('fft', ...args),
    fftConvolve: (...args) => void call('fftConvolve', ...args),
    fixedConv2: (...args) => void call('fixedConv2', ...args),
  };
}
