/** The addon's surface over an instance of WebAssembly, so that all that is made of the addon is made of this, too. */
import { nextTurn } from '#host';
import { ArgumentError } from '../../errors.js';
import type { WasmIsa } from '../../plan/isa.js';
import { CONV_PLAN_FIELDS } from '../../plan/plans/wire.js';
import { type FloatArray, type TypedArray, viewOf } from '../../tensor/dtype.js';
import type { AsyncCallback, NativeAddon, RunFunction, RunInteger, RunNetwork } from '../native/addon.js';
import type { Argument, Directions, Instance, WasmModule } from './instance.js';
import { blankOf } from './messages.js';
import { Remote, type RemoteResult } from './remote.js';

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
  batchMoments: { out: [4, 5] },
  channelAffine: { out: [7] },
  batchNormGrad: { out: [11, 12, 13] },
  rectify: { out: [1] },
  rectifyGrad: { out: [2] },
  sumElements: { out: [3] },
  convEntries: { out: [2, 3, 4] },
  csrMatvec: { out: [6] },
  csrRmatvec: { out: [6] },
  csrMatmat: { out: [7] },
  csrCombinedSizes: { out: [11] },
  csrCombine: { both: [11], out: [12, 13] },
  fromPixels: { out: [5] },
  toPixels: { out: [6] },
  vectorCombine: { both: [3] },
  singularValues: { out: [4] },
  fft: { out: [2, 3] },
  fftConvolve: { out: [4] },
  fftConvolveComplex: { out: [6, 7] },
  fixedConv2: { out: [3] },
  storeFixed: { out: [9] },
  splitWords: { out: [1, 2] },
};

/** What a prepared function runs with. */
interface Held {
  /** What makes and what frees it, here and in the other thread. */
  readonly prepare: string;
  readonly release: string;
  /** Nobody writes to these arrays while it is held. */
  readonly args: readonly Argument[];
  /** Here, once it has run here. */
  handle: number | null;
  /** In the other thread, once it has run there. */
  remote: Promise<number> | null;
  isReleased: boolean;
  /** Calls under way, which go on when it is released. */
  users: number;
}

/** Multiplications from which a convolution leaves the event loop: some two milliseconds of them. */
const MANY = 5e6;
/** Pixels likewise. */
const MANY_PIXELS = 5e5;

export function createWasmAddon(instance: Instance, isa: WasmIsa, module: WasmModule): NativeAddon {
  const { description } = instance;
  const held = new WeakMap<object, Held>();
  let remote: Promise<Remote | null> | null = null;
  // Those that nobody released: collected with the functions that run them.
  const abandoned = new FinalizationRegistry<Held>((of) => {
    of.isReleased = true;
    free(of);
  });

  const call = (name: string, ...args: Argument[]): number => instance.call(name, args, DIRECTIONS[name]);

  const handleOf = (of: Held): number => {
    of.handle ??= call(of.prepare, ...of.args);
    return of.handle;
  };
  const remoteHandleOf = (of: Held, other: Remote): Promise<number> => {
    of.remote ??= other.call(of.prepare, of.args, {}, false).then(({ number }) => number);
    return of.remote;
  };
  const free = (of: Held): void => {
    if (of.users > 0) return;
    if (of.handle !== null) call(of.release, of.handle);
    of.handle = null;
    if (of.remote !== null) {
      // What failed to be made there has nothing to free.
      Promise.all([of.remote, remote]).then(
        ([number, other]) => other?.call(of.release, [number], {}, false).catch(() => {}),
        () => {},
      );
    }
    of.remote = null;
  };
  const heldBy = (run: object, what: string): Held => {
    const of = held.get(run);
    if (of === undefined || of.isReleased)
      throw new ArgumentError(`prepared: expected ${what} that is not released`);
    return of;
  };
  const release = (what: string) => (run: object) => {
    const of = heldBy(run, what);
    of.isReleased = true;
    free(of);
  };
  /** `similar` lends what it has packed here. */
  const lent = (similar: object | null, what: string): number | null =>
    similar === null ? null : handleOf(heldBy(similar, what));
  const hold = <Run extends object>(run: Run, of: Held): Run => {
    held.set(run, of);
    abandoned.register(run, of);
    return run;
  };
  const unheld = (prepare: string, release: string, args: readonly Argument[]): Held => ({
    ...{ prepare, release, args },
    ...{ handle: null, remote: null, isReleased: false, users: 0 },
  });

  const CONVOLUTION = 'a convolution';
  const NETWORK = 'a network';

  const boundConv = (of: Held, packedBytes: number): RunFunction => {
    const run = (input: TypedArray, output: TypedArray): void => {
      call('run', handleOf(heldBy(bound, CONVOLUTION)), input, output);
    };
    const bound: RunFunction = Object.assign(run, { packedBytes });
    return hold(bound, of);
  };

  const wholeNetworks = new WeakSet<RunNetwork>();
  const boundNetwork = (
    of: Held,
    isAlone: boolean,
    about: Pick<RunNetwork, 'packedBytes' | 'steps'>,
  ): RunNetwork => {
    // What other segments of the network see: nothing where it is the whole.
    const directions = isAlone ? WHOLE_NETWORK : { both: [1, 3], out: [4] };
    const run: (...args: Parameters<RunNetwork>) => void = (arena, inputs, outputs, times) => {
      const own = handleOf(heldBy(bound, NETWORK));
      instance.call('runNetwork', [own, arena, inputs, outputs, times], directions);
    };
    const bound: RunNetwork = Object.assign(run, about);
    if (isAlone) wholeNetworks.add(bound);
    return hold(bound, of);
  };
  const networkHere = (of: Held, isAlone: boolean): RunNetwork => {
    const handle = handleOf(of);
    return boundNetwork(of, isAlone, {
      packedBytes: call('packedBytesOfNetwork', handle),
      steps: call('stepsOfNetwork', handle),
    });
  };
  const underWay = new Set<number>();
  let lastCall = 0;
  /**
   * In another thread where that pays and there can be one, else in a turn of the event loop of its own.
   *
   * @returns the number by which `cancel` knows the call.
   */
  const later = <Result>(
    isLarge: boolean,
    here: () => Result,
    there: (other: Remote) => Promise<Result>,
    callback: AsyncCallback<Result>,
  ): number => {
    const number = ++lastCall;
    underWay.add(number);
    const work = async (): Promise<Result | undefined> => {
      if (isLarge) remote ??= Remote.start(module);
      const other = isLarge ? await remote : null;
      const isHere = other === null || other.hasEnded;
      if (isHere) await nextTurn();
      if (!underWay.has(number)) return undefined;
      return isHere ? here() : there(other);
    };
    work().then(
      (result) => callback(undefined, underWay.delete(number) ? result : undefined),
      (error) => {
        underWay.delete(number);
        callback(error instanceof Error ? error : new Error(String(error)), undefined);
      },
    );
    return number;
  };
  /** The same with what is held, which lasts until the call has ended. */
  const laterWith = <Result>(
    of: Held,
    isLarge: boolean,
    here: () => Result,
    there: (other: Remote) => Promise<Result>,
    callback: AsyncCallback<Result>,
  ): number => {
    of.users++;
    return later(isLarge, here, there, (error, result) => {
      of.users--;
      if (of.isReleased) free(of);
      callback(error, result);
    });
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
    prepare(plan, weight, bias, min, max, similar) {
      const of = unheld('prepare', 'release', [plan, weight, bias, min, max, null]);
      of.handle = call('prepare', plan, weight, bias, min, max, lent(similar, CONVOLUTION));
      return boundConv(of, call('packedBytes', of.handle));
    },
    prepareAsync(plan, weight, bias, min, max, _similar, callback) {
      const of = unheld('prepare', 'release', [plan, weight, bias, min, max, null]);
      const there = async (other: Remote): Promise<RunFunction> => {
        const bytes = await other.call('packedBytes', [await remoteHandleOf(of, other)], {}, false);
        return boundConv(of, bytes.number);
      };
      const here = () => boundConv(of, call('packedBytes', handleOf(of)));
      return later(multiplications(plan) > MANY, here, there, callback);
    },
    release: release(CONVOLUTION),
    conv: (...args) => void call('conv', ...args),
    runAsync(run, input, output, callback) {
      const of = heldBy(run, CONVOLUTION);
      const here = () => {
        call('run', handleOf(of), input, output);
        return output;
      };
      const there = async (other: Remote): Promise<FloatArray> => {
        const handle = await remoteHandleOf(of, other);
        return first(await other.call('run', [handle, input, blankOf(output)], { out: [2] }, true), output);
      };
      return laterWith(of, multiplications(of.args[0]) > MANY, here, there, callback);
    },
    convAsync(plan, weight, bias, min, max, input, output, callback) {
      const operands = [plan, weight, bias, min, max, input] as const;
      const here = () => {
        call('conv', ...operands, output);
        return output;
      };
      const there = async (other: Remote): Promise<FloatArray> =>
        first(
          await other.call('conv', [plan.slice(), ...operands.slice(1), blankOf(output)], { out: [6] }, true),
          output,
        );
      return later(multiplications(plan) > MANY, here, there, callback);
    },
    cancel: (number) => void underWay.delete(number),

    prepareNetwork(words, arenaBytes, inputBytes, outputBytes, constants, similar, isAlone) {
      const args = [words, arenaBytes, inputBytes, outputBytes, constants] as const;
      const of = unheld('prepareNetwork', 'releaseNetwork', [...args, null]);
      of.handle = call('prepareNetwork', ...args, lent(similar, NETWORK));
      return networkHere(of, isAlone);
    },
    prepareNetworkAsync(
      words,
      arenaBytes,
      inputBytes,
      outputBytes,
      constants,
      _similar,
      isAlone,
      _spent,
      callback,
    ) {
      const args = [words, arenaBytes, inputBytes, outputBytes, constants] as const;
      const of = unheld('prepareNetwork', 'releaseNetwork', [...args, null]);
      const here = () => networkHere(of, isAlone);
      const there = async (other: Remote): Promise<RunNetwork> => {
        const handle = await remoteHandleOf(of, other);
        const ask = async (name: string) => (await other.call(name, [handle], {}, false)).number;
        const packedBytes = await ask('packedBytesOfNetwork');
        return boundNetwork(of, isAlone, { packedBytes, steps: await ask('stepsOfNetwork') });
      };
      // What has several segments runs here.
      return later(isAlone, here, there, callback);
    },
    // Arenas are copied, or only their size counts.
    arenaStart: () => 0,
    releaseNetwork: release(NETWORK),
    runNetworkAsync(run, arena, inputs, outputs, callback) {
      const of = heldBy(run, NETWORK);
      const isWhole = wholeNetworks.has(run);
      const here = () => {
        const directions = isWhole ? WHOLE_NETWORK : { both: [1, 3], out: [4] };
        instance.call('runNetwork', [handleOf(of), arena, inputs, outputs, null], directions);
        return outputs;
      };
      const there = async (other: Remote): Promise<readonly TypedArray[]> => {
        const handle = await remoteHandleOf(of, other);
        const args = [handle, blankOf(arena), inputs, outputs.map(blankOf), null];
        const { arrays } = await other.call('runNetwork', args, { out: [3], scratch: [1] }, true);
        for (const [i, output] of outputs.entries()) output.set(arrays[i]);
        return outputs;
      };
      return laterWith<readonly TypedArray[]>(of, isWhole, here, there, callback);
    },

    convWeightGrad: (...args) => void call('convWeightGrad', ...args),
    convBiasGrad: (...args) => void call('convBiasGrad', ...args),
    prepareInteger(...args) {
      const of = unheld('prepareInteger', 'releaseInteger', args);
      const run = (input: TypedArray, output: TypedArray): void => {
        call('runInteger', handleOf(heldBy(bound, CONVOLUTION)), input, output);
      };
      const packedBytes = call('packedBytesOfInteger', handleOf(of));
      const bound: RunInteger = Object.assign(run, { packedBytes });
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
    batchMoments: (...args) => void call('batchMoments', ...args),
    channelAffine: (...args) => void call('channelAffine', ...args),
    batchNormGrad: (...args) => void call('batchNormGrad', ...args),
    rectify: (...args) => void call('rectify', ...args),
    rectifyGrad: (...args) => void call('rectifyGrad', ...args),
    sumElements: (...args) => void call('sumElements', ...args),
    convEntries: (...args) => void call('convEntries', ...args),
    csrMatvec: (...args) => void call('csrMatvec', ...args),
    csrRmatvec: (...args) => void call('csrRmatvec', ...args),
    csrMatmat: (...args) => void call('csrMatmat', ...args),
    csrCombinedSizes: (...args) => call('csrCombinedSizes', ...args),
    csrCombine: (...args) => void call('csrCombine', ...args),
    fromPixels: (...args) => void call('fromPixels', ...args),
    toPixels: (...args) => void call('toPixels', ...args),
    fromPixelsAsync(channels, alpha, largest, numbers, pixels, planes, callback) {
      const args = [channels, alpha, largest, numbers, pixels] as const;
      const here = () => {
        call('fromPixels', ...args, planes);
        return planes;
      };
      const there = async (other: Remote): Promise<Float32Array> =>
        first(await other.call('fromPixels', [...args, blankOf(planes)], { out: [5] }, true), planes);
      return later(pixels.length > MANY_PIXELS, here, there, callback);
    },
    toPixelsAsync(channels, alpha, largest, scale, offset, planes, pixels, callback) {
      const args = [channels, alpha, largest, scale, offset, planes] as const;
      const here = () => {
        call('toPixels', ...args, pixels);
        return pixels;
      };
      const there = async (other: Remote): Promise<typeof pixels> =>
        first(await other.call('toPixels', [...args, blankOf(pixels)], { out: [6] }, true), pixels);
      return later(pixels.length > MANY_PIXELS, here, there, callback);
    },
    vectorCombine: (...args) => call('vectorCombine', ...args),
    vectorDot: (...args) => call('vectorDot', ...args),
    singularValues: (...args) => void call('singularValues', ...args),
    fft: (...args) => void call('fft', ...args),
    fftConvolve: (...args) => void call('fftConvolve', ...args),
    fftConvolveComplex: (...args) => void call('fftConvolveComplex', ...args),
    fixedConv2: (...args) => void call('fixedConv2', ...args),
    storeFixed: (...args) => void call('storeFixed', ...args),
    splitWords: (...args) => void call('splitWords', ...args),
  };
}

const WHOLE_NETWORK: Directions = { out: [3, 4], scratch: [1] };

const FIELDS = ['batch', 'inChannels', 'outChannels'].map((name) => CONV_PLAN_FIELDS.indexOf(name));
const WINDOW_FIELDS = [...CONV_PLAN_FIELDS.entries()].filter(([, name]) => /\.(kernel|out)$/.test(name));
const GROUPS = CONV_PLAN_FIELDS.indexOf('groups');

/** Of a plan's convolution, summed directly. */
function multiplications(plan: Argument): number {
  if (!(plan instanceof Int32Array)) return 0;
  const places = [...FIELDS, ...WINDOW_FIELDS.map(([place]) => place)];
  return places.reduce((count, place) => count * plan[place], 1 / plan[GROUPS]);
}

/** The one array that a call gives, which is of the type of what it stands for. */
function first<A extends TypedArray>({ arrays: [array] }: RemoteResult, like: A): A {
  return viewOf(array as A, 0, like.length);
}
