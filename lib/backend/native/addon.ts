/** The addon's surface as native/addon/module.cc exports it. It re-checks memory safety only: callers pass checked plans. */
import type { SimdIsa } from '../../plan/isa.js';
import type { Tuning } from '../../plan/model/tuning.js';
import type { ByteArray, FloatArray, TypedArray } from '../../tensor/dtype.js';

/** Wrong arguments throw `ArgumentError`, failing allocations `MemoryError`: classes handed over by `configure`. */
/** A matrix in compressed sparse rows, as it crosses. */
export type CsrArguments = [
  rows: number,
  cols: number,
  indptr: Int32Array,
  indices: Int32Array,
  data: FloatArray,
];

/** Channels, the one of opacity or −1, full intensity, five numbers for each plane: native/door/pixels.cc. */
export type FromPixelsArguments = [channels: number, alpha: number, largest: number, planes: Float64Array];
export type ToPixelsArguments = [
  channels: number,
  alpha: number,
  largest: number,
  scale: number,
  offset: number,
];

export type ChannelArguments = [batch: number, channels: number, places: number];

export interface NativeAddon {
  /** What this machine can run, the fastest first. */
  readonly isas: readonly SimdIsa[];
  readonly cpuFeatures: readonly string[];
  /** Field names of the plans that it reads, in order. */
  readonly convPlanFields: readonly string[];
  readonly integerPlanFields: readonly string[];
  readonly poolPlanFields: readonly string[];
  readonly fixedPlanFields: readonly string[];
  /** The values of each enumeration in a plan, in order: a value crosses as its place. */
  readonly enumerations: Readonly<Record<string, readonly string[]>>;

  /** Sizes of the loops of each of `isas`, which the model of their time follows. */
  readonly tuning: Readonly<Record<string, Tuning>>;

  /** To be called first. `threads` counts for the whole process, and only the first environment's. */
  configure(options: {
    readonly ArgumentError: ErrorClass;
    readonly MemoryError: ErrorClass;
    readonly isa: SimdIsa;
    readonly threads?: number;
  }): void;
  numThreads(): number;
  setNumThreads(n: number): void;
  /** The most scratch memory that any one thread has held so far. */
  workspacePeakBytes(): number;
  /** Memory that V8 counts as held by this environment's objects outside its heap. */
  externalBytes(): number;

  /** Whether the plan's algorithm computes it; the functions that take such plans refuse others. */
  serves(plan: Int32Array): boolean;

  /** `similar`: a run function with the same weight, bias and bounds, whose packed weights are shared if they fit. */
  prepare(
    plan: Int32Array,
    weight: FloatArray,
    bias: FloatArray | null,
    min: number,
    max: number,
    similar: RunFunction | null,
  ): RunFunction;
  /** As prepare, on another thread: nobody writes to the operands meanwhile. */
  prepareAsync(
    plan: Int32Array,
    weight: FloatArray,
    bias: FloatArray | null,
    min: number,
    max: number,
    similar: RunFunction | null,
    callback: AsyncCallback<RunFunction>,
  ): number;
  /** Frees the packed weights once nothing runs with them; `run` is refused from now on. */
  release(run: RunFunction): void;
  conv(
    plan: Int32Array,
    weight: FloatArray,
    bias: FloatArray | null,
    min: number,
    max: number,
    input: FloatArray,
    output: FloatArray,
  ): void;

  /**
   * Both return the number by which `cancel` knows the call. Other threads read the operands and write `output`: nobody
   * else may have seen these arrays, so that nobody can transfer or shrink them meanwhile, and the operands' contents are
   * lost.
   */
  runAsync(
    run: RunFunction,
    input: FloatArray,
    output: FloatArray,
    callback: AsyncCallback<FloatArray>,
  ): number;
  convAsync(
    plan: Int32Array,
    weight: FloatArray,
    bias: FloatArray | null,
    min: number,
    max: number,
    input: FloatArray,
    output: FloatArray,
    callback: AsyncCallback<FloatArray>,
  ): number;
  cancel(number: number): void;

  /**
   * `similar`: a network of the same constants, whose packed weights are shared if they fit. `isAlone`: nobody reads the arena
   * after a run, nor writes to it before one. `constantsLast`: nobody writes to the constants nor hands their memory on.
   */
  prepareNetwork(
    words: Float64Array,
    arenaBytes: number,
    inputBytes: readonly number[],
    outputBytes: readonly number[],
    constants: readonly TypedArray[],
    similar: RunNetwork | null,
    isAlone: boolean,
    constantsLast: boolean,
  ): RunNetwork;
  /** As prepareNetwork, on another thread, of constants that last; those of the numbers in `spent` hold zeros once
   * they are packed. Returns a number as runAsync does. */
  prepareNetworkAsync(
    words: Float64Array,
    arenaBytes: number,
    inputBytes: readonly number[],
    outputBytes: readonly number[],
    constants: readonly TypedArray[],
    similar: RunNetwork | null,
    isAlone: boolean,
    spent: readonly number[],
    callback: AsyncCallback<RunNetwork>,
  ): number;
  /** Where the first line of the caches begins in memory for arenas that nobody has written to. */
  arenaStart(array: Uint8Array): number;
  releaseNetwork(run: RunNetwork): void;
  /** As runAsync: nobody else may have seen these arrays. The lists are kept as they are when it is called. */
  runNetworkAsync(
    run: RunNetwork,
    arena: Uint8Array,
    inputs: readonly TypedArray[],
    outputs: readonly TypedArray[],
    callback: AsyncCallback<readonly TypedArray[]>,
  ): number;

  convWeightGrad(plan: Int32Array, input: FloatArray, gradOutput: FloatArray, gradWeight: FloatArray): void;
  convBiasGrad(
    batch: number,
    channels: number,
    places: number,
    gradOutput: FloatArray,
    gradBias: FloatArray,
  ): void;
  /** Multipliers are there exactly when the output has 8 bits. */
  prepareInteger(
    plan: Int32Array,
    weight: ByteArray,
    weightZeroPoints: Int32Array,
    bias: Int32Array | null,
    multipliers: Float64Array | null,
  ): RunInteger;
  releaseInteger(run: RunInteger): void;
  convInteger(
    plan: Int32Array,
    weight: ByteArray,
    weightZeroPoints: Int32Array,
    bias: Int32Array | null,
    multipliers: Float64Array | null,
    input: ByteArray,
    output: Int32Array | ByteArray,
  ): void;
  unfold(plan: Int32Array, input: TypedArray, columns: TypedArray): void;
  fold(plan: Int32Array, columns: TypedArray, output: TypedArray): void;
  matmul(m: number, n: number, k: number, a: TypedArray, b: TypedArray, c: TypedArray): void;
  /** Indices that lead outside their plane are refused. */
  maxPoolGrad(
    planes: number,
    outputs: number,
    inputs: number,
    gradOutput: FloatArray,
    indices: Int32Array,
    gradInput: FloatArray,
  ): void;
  maxPool(plan: Int32Array, input: TypedArray, output: TypedArray, indices: Int32Array | null): void;
  avgPool(plan: Int32Array, input: FloatArray, output: FloatArray): void;

  batchMoments(
    ...args: [...ChannelArguments, x: FloatArray, mean: Float64Array, squares: Float64Array]
  ): void;
  channelAffine(
    ...args: [
      ...ChannelArguments,
      x: FloatArray,
      factor: Float64Array,
      offset: Float64Array,
      rectified: boolean,
      y: FloatArray,
    ]
  ): void;
  batchNormGrad(
    ...args: [
      ...ChannelArguments,
      gradOutput: FloatArray,
      x: FloatArray,
      mean: Float64Array,
      scale: Float64Array,
      factor: Float64Array,
      offset: Float64Array,
      rectified: boolean,
      ofBatch: boolean,
      gradInput: FloatArray,
      sums: Float64Array,
      products: Float64Array,
    ]
  ): void;
  rectify(x: FloatArray, y: FloatArray): void;
  rectifyGrad(gradOutput: FloatArray, y: FloatArray, gradInput: FloatArray): void;
  sumElements(a: FloatArray, b: FloatArray, rectified: boolean, y: FloatArray): void;

  /** Writes the matrix of a forward plan, whose batch is 1; `indices` and `data` have one element per entry of it. */
  convEntries(
    plan: Int32Array,
    weight: FloatArray,
    indptr: Int32Array,
    indices: Int32Array,
    data: FloatArray,
  ): void;
  /** Columns that lead outside the matrix, written there since it was checked, are refused. */
  csrMatvec(...args: [...CsrArguments, x: FloatArray, y: FloatArray]): void;
  csrRmatvec(...args: [...CsrArguments, y: FloatArray, x: FloatArray, adds: boolean]): void;
  csrMatmat(...args: [...CsrArguments, columns: number, x: FloatArray, y: FloatArray]): void;
  /** Whether it is a product, the two matrices, offsets to write; returns the number of entries. */
  csrCombinedSizes(
    ...args: [isProduct: boolean, ...CsrArguments, ...CsrArguments, indptr: Int32Array]
  ): number;
  csrCombine(
    ...args: [
      isProduct: boolean,
      ...CsrArguments,
      ...CsrArguments,
      indptr: Int32Array,
      indices: Int32Array,
      data: FloatArray,
    ]
  ): void;
  fromPixels(...args: [...FromPixelsArguments, pixels: TypedArray, planes: Float32Array]): void;
  toPixels(...args: [...ToPixelsArguments, planes: FloatArray, pixels: TypedArray]): void;
  /** As runAsync: nobody else has seen the arrays. */
  fromPixelsAsync(
    ...args: [
      ...FromPixelsArguments,
      pixels: TypedArray,
      planes: Float32Array,
      callback: AsyncCallback<Float32Array>,
    ]
  ): number;
  toPixelsAsync<P extends TypedArray>(
    ...args: [...ToPixelsArguments, planes: FloatArray, pixels: P, callback: AsyncCallback<P>]
  ): number;
  /** Pixels to planes, those by a prepared convolution, and to pixels again. */
  convolvePixelsAsync?<P extends TypedArray>(
    ...args: [
      run: RunFunction,
      ...FromPixelsArguments,
      ...ToPixelsArguments,
      pixels: TypedArray,
      result: P,
      callback: AsyncCallback<P>,
    ]
  ): number;
  /** y ← a·x + b·y; returns Σ y². */
  vectorCombine(a: number, x: FloatArray, b: number, y: FloatArray): number;
  vectorDot(x: FloatArray, y: FloatArray): number;
  singularValues(rows: number, cols: number, re: Float64Array, im: Float64Array, values: Float64Array): void;

  fft(re: FloatArray, im: FloatArray | null, outRe: FloatArray, outIm: FloatArray, scale: number): void;
  fftConvolve(signal: FloatArray, kernel: FloatArray, block: number, start: number, out: FloatArray): void;
  fftConvolveComplex(
    signalRe: FloatArray,
    signalIm: FloatArray,
    kernelRe: FloatArray,
    kernelIm: FloatArray,
    block: number,
    start: number,
    outRe: FloatArray,
    outIm: FloatArray,
  ): void;
  fixedConv2(plan: Int32Array, image: TypedArray, kernel: TypedArray, out: TypedArray): void;
  /** Parts of sums, one, two or four of them; places of a plane; what is added in each channel. */
  storeFixed(
    ...args: [
      low: Int32Array,
      above: Int32Array | null,
      beside: Int32Array | null,
      high: Int32Array | null,
      places: number,
      addends: Float64Array,
      factor: number,
      least: number,
      most: number,
      out: TypedArray,
    ]
  ): void;
  splitWords(words: TypedArray, low: Uint8Array, high: TypedArray): void;
}

type ErrorClass = new (message: string) => Error;

/** A prepared convolution: the call itself, bound to its weights. */
export interface RunFunction {
  (input: FloatArray, output: FloatArray): void;
  readonly packedBytes: number;
}

/** A prepared integer convolution. */
export interface RunInteger {
  (input: ByteArray, output: Int32Array | ByteArray): void;
  readonly packedBytes: number;
}

/** Once, later: an error, the result, or neither when the call was cancelled. */
export type AsyncCallback<Result> = (error: Error | undefined, result: Result | undefined) => void;

/** A network that is ready to run. */
export interface RunNetwork {
  (
    arena: Uint8Array,
    inputs: readonly TypedArray[],
    outputs: readonly TypedArray[],
    times: Float64Array | null,
  ): void;
  readonly packedBytes: number;
  readonly steps: number;
}
