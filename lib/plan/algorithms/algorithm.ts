/** What an algorithm is: its name, the choices within it, and what the choice among algorithms asks of each. */
import type { ConvGeometry } from '../geometry.js';
import type { NativeMachine } from '../isa.js';
import type { Workload } from '../model/workload.js';
import type { Counts } from './cost.js';

/** In the order of the native side's enumeration. */
export const ALGORITHMS = ['im2col', 'direct', 'depthwise', 'winograd', 'fft', 'toeplitz'] as const;
/** The ways in which a convolution is computed. */
export type AlgorithmName = (typeof ALGORITHMS)[number];
/** 'auto' picks by shape, density and CPU. */
export type Algorithm = 'auto' | AlgorithmName;
export const ALGORITHM_OPTIONS = ['auto', ...ALGORITHMS] as const satisfies readonly Algorithm[];

/** 'strict' keeps 'auto' to algorithms whose error is no larger than im2col's. */
export type Accuracy = 'fast' | 'strict';
export const ACCURACIES = ['fast', 'strict'] as const satisfies readonly Accuracy[];

/**
 * What a float32 convolution's operands are rounded to before they are multiplied; sums are float32 in either case. 'bf16':
 * bfloat16, 8 bits of significand, what is below the least normal one becoming 0. 'float32': nothing, and float64 stays what it is.
 */
export type Precision = 'float32' | 'bf16';
/** In the order of the native side's enumeration. */
export const PRECISIONS = ['float32', 'bf16'] as const satisfies readonly Precision[];

/** An algorithm with the choices within it: what a backend runs. */
export type Variant =
  | { readonly algorithm: 'direct' | 'toeplitz' }
  /** Whether a unit of tiles multiplies bfloat16 for it, where the system grants it. */
  | { readonly algorithm: 'im2col'; readonly onTiles?: boolean }
  /** 'separable' goes in two passes, a column and a row of taps: for kernels of rank one. */
  | { readonly algorithm: 'depthwise'; readonly kernels: 'any' | 'separable' }
  /** Outputs along one side of a tile. */
  | { readonly algorithm: 'winograd'; readonly tile: number }
  /** Points along the axes of a tile: one row makes it a line, one column a bundle of lines side by side. */
  | { readonly algorithm: 'fft'; readonly rows: number; readonly columns: number };

/** The choice within an algorithm as native/plan/plan.h has it. */
export function variantNumber(variant: Variant): number {
  switch (variant.algorithm) {
    case 'im2col':
    case 'direct':
    case 'toeplitz':
      return 0;
    case 'depthwise':
      return variant.kernels === 'separable' ? 1 : 0;
    case 'winograd':
      return variant.tile;
    case 'fft':
      return variant.rows * 2 ** 16 + variant.columns;
  }
}

/** What the choice knows of the weights' values. */
export interface Weights {
  /** The share of them that are not zero: see density.ts. */
  readonly density: number;
  /** Whether they are kernels of rank one: see separable.ts. */
  readonly separable: boolean;
}

/** How exact a result is to be. */
export interface Exactness {
  readonly accuracy: Accuracy;
  readonly precision: Precision;
}

/** What the caller asked for, and the weights that came with it. */
export interface Request extends Weights, Exactness {
  readonly algorithm: Algorithm;
}

/** What every algorithm tells, of either backend. */
export interface AnyAlgorithm {
  readonly name: AlgorithmName;
  /** Why it cannot serve this geometry and these weights; null when it can. */
  declines(g: ConvGeometry, weights: Weights): string | null;
  /** How it goes about a geometry that it serves. */
  variant(g: ConvGeometry, request: Request): Variant;
  /** What it takes, counted from the geometry; sizes are of the forward convolution. */
  cost(g: ConvGeometry, request: Request): Counts;
  /** The share of nonzero weights up to which visiting them alone is faster; null where the choice compares times. */
  readonly sparseLimit: ((g: ConvGeometry, request: Request) => number) | null;
}

/**
 * An algorithm of the native backend. Its functions see the forward convolution that it computes: over the input, or over
 * the gradient of the output (adjoint.ts).
 */
export interface NativeAlgorithm extends AnyAlgorithm {
  /**
   * Which input gradients it serves: a stride's sub-lattices have kernels that differ in size. 'as they are': it takes no
   * sub-lattices apart, and its functions see the gradient's own geometry.
   */
  readonly gradients: 'every stride' | 'stride 1' | 'as they are' | 'none';
  /** Whether it errs by no more than 'auto' may at the accuracy that was asked for, as the page on accuracy has it. */
  isAccurate(g: ConvGeometry, request: Request): boolean;
  /**
   * Nanoseconds on one core, by a model of its loops.
   *
   * @param density  The share of weights that are visited by an algorithm that visits those alone which are not zero.
   */
  time(work: Workload, request: Request, density: number): number;
  /** No more than time() would say, for a fraction of its effort: it is not asked where others take no longer than this. */
  atLeast?(work: Workload): number;
  /**
   * Why 'auto' takes it, in words: what it saves over the others.
   *
   * @param isSparse  Whether so few weights are nonzero that it decides.
   */
  reason(g: ConvGeometry, request: Request, isSparse: boolean): string;
  /** How it goes about operands rounded to bfloat16 on a unit of tiles; null where vectors take no longer. */
  onTiles?(g: ConvGeometry, machine: NativeMachine): Variant | null;
  /** How it computes gradients of the weight; null where it does not. */
  readonly weightGrad: WeightGradAlgorithm | null;
}

export interface WeightGradAlgorithm {
  declines(g: ConvGeometry): string | null;
  /** As of an algorithm. */
  isAccurate(request: Request): boolean;
  time(work: Workload): number;
  reason(g: ConvGeometry): string;
}

/** An algorithm of the JavaScript backend, one of a list that is read from the top. Its functions see the geometry as it is. */
export interface JsAlgorithm extends AnyAlgorithm {
  /** Why it is worth taking when it can serve; null when a later one is expected to be faster. */
  suits(g: ConvGeometry, request: Request, isSparse: boolean): string | null;
}
