/**
 * What a backend runs: finished plans on typed arrays. Implementations with one conformance suite. Callers have
 * checked everything; a backend allocates no result and reads no option.
 */

import type { Machine } from '../plan/isa.js';
import type { ConvPlan } from '../plan/plans/conv.js';
import type { FixedConvPlan } from '../plan/plans/fixed.js';
import type { IntegerConvPlan } from '../plan/plans/integer.js';
import type { FromPixelsPlan, ToPixelsPlan } from '../plan/plans/pixels.js';
import type { PoolPlan } from '../plan/plans/pool.js';
import type { PartsOf } from '../tensor/complex.js';
import type { ByteArray, FloatArray, TypedArray } from '../tensor/dtype.js';
import type { AbortSignalLike } from './abort.js';

/** Results are clamped to [min, max]; NaN passes through. (-∞, ∞) is no clamp. */
export interface Clamp {
  readonly min: number;
  readonly max: number;
}

export const NO_CLAMP: Clamp = Object.freeze({ min: -Infinity, max: Infinity });

/** Weight as OIHW of the forward convolution; bias has one entry per channel of the written tensor. */
export interface ConvOperands {
  readonly weight: FloatArray;
  readonly bias: FloatArray | null;
  readonly clamp: Clamp;
}

/** Weights packed for one plan ('forward' or 'inputGrad'), ready to run any number of times, also concurrently. */
export interface BoundConv {
  /** Memory that the packed weights hold outside V8's heap or in it, in bytes. */
  readonly packedBytes: number;
  run(input: FloatArray, output: FloatArray): void;
  /**
   * As run, off the event loop, on an input of its own (own-operands.ts), which it may overwrite. The result is in an
   * array that nobody sees until it is complete: threads write to it, so nobody must be able to transfer or shrink it
   * meanwhile.
   */
  runAsync(input: FloatArray, signal?: AbortSignalLike): Promise<FloatArray>;
  /**
   * fromPixels, run and toPixels as one, with memory of the backend's own in between; on arrays that nobody else has
   * seen. Undefined where it would be no faster than one after the other.
   */
  readonly convolvePixelsAsync?:
    | (<P extends TypedArray>(
        from: FromPixelsPlan,
        to: ToPixelsPlan,
        pixels: TypedArray,
        result: P,
        signal?: AbortSignalLike,
      ) => Promise<P>)
    | undefined;
  /** Frees the packed weights once runs in flight have ended. */
  release(): void;
}

/** A matrix in compressed sparse rows: columns of a row in any order, none out of range. */
export interface CsrParts {
  readonly rows: number;
  readonly cols: number;
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly data: FloatArray;
}

/** C = A·B, or C = A + B. */
export type CsrCombination = 'product' | 'sum';

/** Weight as OIHW; one zero point for each output channel. */
export interface IntegerOperands {
  readonly weight: ByteArray;
  readonly weightZeroPoints: Int32Array;
  /** One per output channel. */
  readonly bias: Int32Array | null;
  /** For an output of 8 bits, one per output channel, finite: saturate(round((sum + bias)·multiplier) + zero point). */
  readonly multipliers: Float64Array | null;
}

/**
 * What stored integers are made of: the integer next to (p0 + (p1 + p2)·2^8 + p3·2^16)·factor + addend, clamped to
 * [low, high]. Exact in float64, and no half between two integers: callers have seen to it.
 */
export interface FixedSums {
  /** p0 …, as sums of products of bytes: one, two or four. */
  readonly parts: readonly [Int32Array, ...Int32Array[]];
  /** Elements of a plane: its channel is the plane's number modulo that of addends. */
  readonly places: number;
  /** One for each channel. */
  readonly addends: Float64Array;
  readonly factor: number;
  /** Integers of 32 bits, as those up to high are. */
  readonly low: number;
  readonly high: number;
}

/** Fixed-point words as bytes, and their products' sums as words. */
export interface FixedWords {
  /** low[i] + high[i]·2^8 ← words[i], of 16 bits; high bytes are signed where words are. */
  split(words: Int16Array | Uint16Array, low: Uint8Array, high: Int8Array | Uint8Array): void;
  /** `out` has elements. */
  store(sums: FixedSums, out: TypedArray): void;
}

/** Weights of an integer convolution packed for one plan. */
export interface BoundInteger {
  readonly packedBytes: number;
  run(input: ByteArray, output: Int32Array | ByteArray): void;
  release(): void;
}

/** Steps of a network as lib/graph/steps/words.ts writes them, and the memory that their operands lie in. */
export interface NetworkProgram {
  readonly words: Float64Array;
  readonly arenaBytes: number;
  readonly inputBytes: readonly number[];
  readonly outputBytes: readonly number[];
  /** By number; nothing refers to them afterwards, unless they last. */
  readonly constants: readonly TypedArray[];
  /** Whether nobody writes to the constants nor hands their memory on, so that weights may be read where they are. */
  readonly constantsLast: boolean;
  /** Numbers of those that nobody reads once their weights are packed: bindNetworkAsync gives their memory back. */
  readonly spent: readonly number[];
  /** Whether nobody else reads or writes the arena between runs. */
  readonly isAlone: boolean;
}

/** A network with its weights packed. An arena serves one run at a time. */
export interface BoundNetwork {
  readonly packedBytes: number;
  /** `times` receives nanoseconds for each step. */
  run(
    arena: Uint8Array,
    inputs: readonly TypedArray[],
    outputs: readonly TypedArray[],
    times: Float64Array | null,
  ): void;
  /** On the library's own threads; nobody else may have seen these arrays. */
  runAsync(
    arena: Uint8Array,
    inputs: readonly TypedArray[],
    outputs: readonly TypedArray[],
    signal?: AbortSignalLike,
  ): Promise<void>;
  /** Frees the packed weights once runs in flight have ended. */
  release(): void;
}

/** C++, the same in WebAssembly, and JavaScript. */
export type BackendName = 'native' | 'wasm' | 'js';

/** Of [batch, channels, places]. */
export interface ChannelShape {
  readonly batch: number;
  readonly channels: number;
  readonly places: number;
}

/** What normalised each channel: y = x·factor + offset, factor being scale·weight. */
export interface Normalisation {
  readonly mean: Float64Array;
  /** 1/√(variance + eps). */
  readonly scale: Float64Array;
  readonly factor: Float64Array;
  readonly offset: Float64Array;
  /** Whether mean and scale are x's own, so that gradients flow through them. */
  readonly ofBatch: boolean;
}

export interface Backend {
  readonly name: BackendName;
  readonly machine: Machine;
  /** Why the native backend is not in use, when it is not. */
  readonly fallbackReason?: string;
  /** Why a faster instruction set of this backend is not in use, where nobody asked for this one. */
  readonly isaReason?: string;
  setNumThreads(n: number): void;

  /** 'forward': input is x, output is y. 'inputGrad': input is dy, output is dx. */
  conv(plan: ConvPlan, operands: ConvOperands, input: FloatArray, output: FloatArray): void;
  /** As conv, and as runAsync, on operands of its own; weights are packed off the event loop too. */
  convAsync(
    plan: ConvPlan,
    operands: ConvOperands,
    input: FloatArray,
    signal?: AbortSignalLike,
  ): Promise<FloatArray>;
  /** `similar` may lend its packed weights when they are packed alike. */
  bindConv(plan: ConvPlan, operands: ConvOperands, similar?: BoundConv): BoundConv;
  /** As bindConv, with nothing packed on the calling thread; nobody writes to the operands meanwhile. */
  bindConvAsync(plan: ConvPlan, operands: ConvOperands, similar?: BoundConv): Promise<BoundConv>;
  /** Absent where steps are run one by one. `similar` lends packed weights of the same constants. */
  bindNetwork?(program: NetworkProgram, similar: BoundNetwork | null): BoundNetwork;
  /** As bindNetwork, with nothing packed on the calling thread; nobody else may have seen the constants. */
  bindNetworkAsync?(program: NetworkProgram, similar: BoundNetwork | null): Promise<BoundNetwork>;
  /** Memory for the runs of networks, where it matters how that lies: not initialised. */
  arena?(bytes: number): Uint8Array;
  convWeightGrad(plan: ConvPlan, input: FloatArray, gradOutput: FloatArray, gradWeight: FloatArray): void;
  /** gradBias[o] = Σ over the batch and all places of gradOutput[n][o][places], summed in float64. */
  convBiasGrad(
    batch: number,
    channels: number,
    places: number,
    gradOutput: FloatArray,
    gradBias: FloatArray,
  ): void;

  /**
   * sum[n,o,i] = Σ (x − inputZeroPoint)·(w − weightZeroPoints[o]), exact; padding adds nothing. The output is int32
   * (modulo 2^32), or 8 bits of (sum + bias[o])·multipliers[o], rounded in float64 with halves to even.
   */
  convInteger(
    plan: IntegerConvPlan,
    operands: IntegerOperands,
    input: ByteArray,
    output: Int32Array | ByteArray,
  ): void;
  bindInteger(plan: IntegerConvPlan, operands: IntegerOperands): BoundInteger;

  /** columns[n][c·taps][outputs] ← input[n][c][in]; the plan has one group, and outChannels is not read. */
  unfold(plan: ConvPlan, input: TypedArray, columns: TypedArray): void;
  fold(plan: ConvPlan, columns: TypedArray, output: TypedArray): void;
  /** c[m][n] = a[m][k]·b[k][n]: one floating dtype, or int8/uint8 in any mix into int32. */
  matmul(m: number, n: number, k: number, a: TypedArray, b: TypedArray, c: TypedArray): void;

  /** `indices` receives each maximum's flat spatial index in the unpadded input, when given. */
  maxPool(plan: PoolPlan, input: TypedArray, output: TypedArray, indices: Int32Array | null): void;
  /** gradInput[plane][indices[plane][o]] += gradOutput[plane][o], and 0 elsewhere. */
  maxPoolGrad(
    planes: number,
    outputs: number,
    inputs: number,
    gradOutput: FloatArray,
    indices: Int32Array,
    gradInput: FloatArray,
  ): void;
  avgPool(plan: PoolPlan, input: FloatArray, output: FloatArray): void;

  /** Of each channel, which must not be empty, the mean and Σ (x − mean)², in float64. */
  batchMoments(shape: ChannelShape, x: FloatArray, mean: Float64Array, squares: Float64Array): void;
  /** y ← x·factor + offset of its channel, computed in float64, and max(y, 0) when it is rectified; y may be x. */
  channelAffine(
    shape: ChannelShape,
    x: FloatArray,
    factor: Float64Array,
    offset: Float64Array,
    rectified: boolean,
    y: FloatArray,
  ): void;
  /**
   * The adjoint of y = (x − mean)·scale·weight + bias by channels: sums ← Σ g, products ← Σ g·(x − mean)·scale, and
   *
   *   dx ← factor·(g − sums/n − (x − mean)·scale·products/n)   with statistics of the batch, of n elements a channel
   *   dx ← factor·g                                            with others
   *
   * Where y was rectified, g counts where x·factor + offset, rounded to the dtype, is above 0 or NaN. dx may be g.
   */
  batchNormGrad(
    shape: ChannelShape,
    g: FloatArray,
    x: FloatArray,
    by: Normalisation,
    rectified: boolean,
    dx: FloatArray,
    sums: Float64Array,
    products: Float64Array,
  ): void;

  // Arrays of one floating dtype and one length; results may be operands.

  /** y ← max(x, 0); NaN stays NaN, and of zeros the positive one. */
  rectify(x: FloatArray, y: FloatArray): void;
  /** dx ← g where the rectified y is not 0, else 0. */
  rectifyGrad(g: FloatArray, y: FloatArray, dx: FloatArray): void;
  /** y ← a + b, and max(y, 0) when it is rectified. */
  sumElements(a: FloatArray, b: FloatArray, rectified: boolean, y: FloatArray): void;

  /**
   * out[k] = scale·Σ_j x[j]·e^(−2πi·jk/n), n = re.length ≥ 1; `im` null means real data. One floating dtype, one length,
   * and no output overlaps an input. The inverse is fft(im, re, outIm, outRe, 1/n).
   */
  fft(re: FloatArray, im: FloatArray | null, outRe: FloatArray, outIm: FloatArray, scale: number): void;
  /**
   * out[i] = Σ_j signal[j]·kernel[start + i − j]: a stretch of the linear convolution, by transforms of `block` points,
   * block ≥ kernel.length.
   */
  fftConvolve(signal: FloatArray, kernel: FloatArray, block: number, start: number, out: FloatArray): void;
  /** The same of complex operands; both parts of each have one length. */
  fftConvolveComplex(
    signal: PartsOf<FloatArray>,
    kernel: PartsOf<FloatArray>,
    block: number,
    start: number,
    out: PartsOf<FloatArray>,
  ): void;
  /** The matrix of a forward plan whose batch is 1, into arrays that have its size (plan/entries.ts counts them). */
  convEntries(plan: ConvPlan, weight: FloatArray, parts: Omit<CsrParts, 'rows' | 'cols'>): void;
  /**
   * y = A·x, x = Aᵀ·y (or x += Aᵀ·y, when it adds), Y[rows][columns] = A·X[cols][columns]; vectors have the dtype of the
   * matrix.
   */
  csrMatvec(matrix: CsrParts, x: FloatArray, y: FloatArray): void;
  csrRmatvec(matrix: CsrParts, y: FloatArray, x: FloatArray, adds?: boolean): void;
  csrMatmat(matrix: CsrParts, columns: number, x: FloatArray, y: FloatArray): void;
  /**
   * Offsets of the rows of A·B or A + B, in which every place that a term reaches counts, cancelled or not; returns how
   * many entries there are. Past 2³¹ − 1 of them the offsets mean nothing.
   */
  csrCombinedSizes(operation: CsrCombination, a: CsrParts, b: CsrParts, indptr: Int32Array): number;
  /** The entries, columns ascending, into arrays of csrCombinedSizes' size; all data of one dtype. */
  csrCombine(operation: CsrCombination, a: CsrParts, b: CsrParts, result: CsrParts): void;

  /** y ← a·x + b·y, the old y being nothing where b is 0; returns the sum of the new y's squares. One floating dtype. */
  vectorCombine(a: number, x: FloatArray, b: number, y: FloatArray): number;
  /** Σ x[i]·y[i], in float64. */
  vectorDot(x: FloatArray, y: FloatArray): number;
  /**
   * values[count][min(rows, cols)] ← the singular values of re + i·im, each [count][rows][cols], rows and cols at least 1; of one
   * matrix in any order. Entries are near 1; a matrix with one that is not finite gives NaN.
   */
  singularValues(rows: number, cols: number, re: Float64Array, im: Float64Array, values: Float64Array): void;

  fromPixels(plan: FromPixelsPlan, pixels: TypedArray, planes: Float32Array): void;
  toPixels<P extends TypedArray>(plan: ToPixelsPlan, planes: FloatArray, pixels: P): void;
  /** Off the event loop, on operands of its own, into a result that nobody has seen, which it gives. */
  fromPixelsAsync(
    plan: FromPixelsPlan,
    pixels: TypedArray,
    planes: Float32Array,
    signal?: AbortSignalLike,
  ): Promise<Float32Array>;
  toPixelsAsync<P extends TypedArray>(
    plan: ToPixelsPlan,
    planes: FloatArray,
    pixels: P,
    signal?: AbortSignalLike,
  ): Promise<P>;

  /** Stored integers in, stored integers out: see FixedConvPlan. A backend serves every width but 'big'. */
  fixedConv2(plan: FixedConvPlan, image: TypedArray, kernel: TypedArray, out: TypedArray): void;
  /** Absent where products of words are no faster by their bytes. */
  readonly fixedWords?: FixedWords;
}
