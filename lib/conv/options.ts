/** The options of convolutions: read once, copied, and never looked at again. */

import { type AbortSignalLike, isSignal } from '../backend/abort.js';
import { type Clamp, NO_CLAMP } from '../backend/backend.js';
import {
  checkBoolean,
  checkNumber,
  checkOneOf,
  checkOptions,
  describe,
  isArray,
  isObject,
  mismatch,
} from '../check.js';
import { ArgumentError, DTypeError } from '../errors.js';
import {
  ACCURACIES,
  type Accuracy,
  ALGORITHM_OPTIONS,
  type Algorithm,
  type Exactness,
  PRECISIONS,
  type Precision,
} from '../plan/algorithms/algorithm.js';
import type { Axes } from '../plan/options/axes.js';
import { GEOMETRY_OPTIONS, type Geometry } from '../plan/options/window.js';
import type { DType } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import type { Tensor } from '../tensor/tensor.js';

/** What is done to each result: nothing, max(0, y), min(max(0, y), 6), or a clip to given bounds. */
export type Activation = 'none' | 'relu' | 'relu6' | { readonly clip: readonly [min: number, max: number] };

/** Geometry, bias, activation and manner of a convolution. */
export interface ConvOptions extends Geometry {
  /** Added to each output channel: [outChannels]. Default none. */
  readonly bias?: TensorLike | null;
  /** Applied after the bias, fused into the last write. Default 'none'. */
  readonly activation?: Activation;
  /** Default 'auto'. Naming one that cannot serve the geometry throws UnsupportedError. */
  readonly algorithm?: Algorithm;
  /** 'strict' keeps 'auto' to algorithms whose error is no larger than im2col's. Default 'fast'. */
  readonly accuracy?: Accuracy;
  /**
   * 'bf16' rounds float32 input and weight to bfloat16, products are summed in float32: |error| up to about 2⁻⁷·Σ|x·w|. Some
   * times as fast on CPUs with AMX, slower on others. Default 'float32', which rounds nothing; float64 operands know no other.
   */
  readonly precision?: Precision;
  /** Receives the result and is returned. Must not share memory with an operand. Allocated when absent. */
  readonly out?: Tensor;
}

/** As of a convolution, and which of the sizes that fit the result has. */
export interface ConvTransposeOptions extends ConvOptions {
  /** Elements added at the end of each axis of the result, to undo a stride's rounding. Default 0. */
  readonly outputPadding?: Axes;
  /** Spatial sizes of the result, instead of outputPadding: those that the convolution takes to the input's sizes. */
  readonly outputSize?: Axes;
}

/** Of calls that leave the event loop free. */
export interface AsyncOptions {
  /**
   * Takes the input's buffer over instead of copying it: the call's own from then on, and detached for everybody else.
   * Default false.
   */
  readonly transfer?: boolean;
  /** Rejects with the signal's reason when it fires first: work not yet begun is dropped, begun work stops at the next tile. */
  readonly signal?: AbortSignalLike;
}

/** Geometry and manner of a gradient: the geometry is that of the convolution. */
export interface GradOptions extends Geometry {
  /** 'strict' keeps to algorithms that err no more than a direct sum in order. Default 'fast'. */
  readonly accuracy?: Accuracy;
  /** Receives the gradient: of its shape and dtype, in memory of its own. */
  readonly out?: Tensor;
}

export const CONV_OPTIONS = [
  ...GEOMETRY_OPTIONS,
  'bias',
  'activation',
  'algorithm',
  'accuracy',
  'precision',
  'out',
] as const;
export const PREPARE_OPTIONS = [...CONV_OPTIONS.filter((name) => name !== 'out'), 'inputShape'] as const;
export const TRANSPOSE_OPTIONS = [...CONV_OPTIONS, 'outputPadding', 'outputSize'] as const;
export const ASYNC_OPTIONS = [...CONV_OPTIONS, 'signal', 'transfer'] as const;
export const GRAD_OPTIONS = [...GEOMETRY_OPTIONS, 'accuracy', 'out'] as const;

/** How to compute, as opposed to what: the part of the options that is no geometry and no tensor. */
export interface Manner extends Exactness {
  readonly algorithm: Algorithm;
  readonly clamp: Clamp;
}

export function readManner(
  options: Pick<ConvOptions, 'algorithm' | 'accuracy' | 'precision' | 'activation'>,
): Manner {
  return {
    algorithm: checkOneOf(options.algorithm ?? 'auto', 'options.algorithm', ALGORITHM_OPTIONS),
    ...readExactness(options),
    clamp: readActivation(options.activation ?? 'none'),
  };
}

/** What networks and explanations take of a convolution's options, too. */
export function readExactness({ accuracy, precision }: Partial<Exactness>): Exactness {
  return {
    accuracy: checkOneOf(accuracy ?? 'fast', 'options.accuracy', ACCURACIES),
    precision: checkOneOf(precision ?? 'float32', 'options.precision', PRECISIONS),
  };
}

/** bfloat16 is what float32 operands are rounded to. */
export function checkPrecision(precision: Precision, dtype: DType, argument: string): void {
  if (precision === 'bf16' && dtype !== 'float32')
    throw mismatch(DTypeError, argument, "float32, which precision 'bf16' rounds", dtype);
}

const RELU: Clamp = Object.freeze({ min: 0, max: Infinity });
const RELU6: Clamp = Object.freeze({ min: 0, max: 6 });

/** Every activation is a clamp: relu is [0, ∞), relu6 [0, 6]. NaN passes through. */
function readActivation(activation: unknown): Clamp {
  if (activation === 'none') return NO_CLAMP;
  if (activation === 'relu') return RELU;
  if (activation === 'relu6') return RELU6;
  if (isObject(activation) && !isArray(activation)) {
    const { clip } = checkOptions<{ clip?: unknown }>(activation, ['clip'], 'options.activation');
    if (isArray(clip) && clip.length === 2) {
      const min = checkNumber(clip[0], 'options.activation.clip[0]');
      const max = checkNumber(clip[1], 'options.activation.clip[1]');
      if (min <= max) return { min, max };
    }
    throw mismatch(ArgumentError, 'options.activation.clip', '[min, max] with min ≤ max', describe(clip));
  }
  throw mismatch(
    ArgumentError,
    'options.activation',
    "'none', 'relu', 'relu6' or {clip: [min, max]}",
    describe(activation),
  );
}

/** The operand that is handed over: see AsyncOptions. */
export function readTransfer(transfer: unknown, operand = 'input'): string | undefined {
  return checkBoolean(transfer ?? false, 'options.transfer') ? operand : undefined;
}

export function readSignal(signal: unknown): AbortSignalLike | undefined {
  if (signal === undefined || isSignal(signal)) return signal;
  throw mismatch(ArgumentError, 'options.signal', 'an AbortSignal', describe(signal));
}
