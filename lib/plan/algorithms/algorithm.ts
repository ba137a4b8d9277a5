/** What an algorithm is to the choice among them: the words that the candidates' files and the list share. */

import type { ConvGeometry } from '../geometry.js';
import type { Machine } from '../isa.js';

export type AlgorithmName = 'im2col' | 'direct' | 'depthwise' | 'winograd' | 'fft' | 'toeplitz';
/** 'auto' picks by shape, density and CPU. */
export type Algorithm = 'auto' | AlgorithmName;
/** 'strict' keeps 'auto' to algorithms whose error is no larger than im2col's. */
export type Accuracy = 'fast' | 'strict';

/** In the order of the native side's enumeration. */
export const ALGORITHMS = [
  'im2col',
  'direct',
  'depthwise',
  'winograd',
  'fft',
  'toeplitz',
] as const satisfies readonly AlgorithmName[];
export const ALGORITHM_OPTIONS = ['auto', ...ALGORITHMS] as const satisfies readonly Algorithm[];
export const ACCURACIES = ['fast', 'strict'] as const satisfies readonly Accuracy[];

/** The variant of 'depthwise' by which kernels of rank one go, in two passes: native/plan/plan.h. */
export const SEPARABLE = 1;

/** What the choice knows of the weights' values. */
export interface Weights {
  /** The share of them that are not zero: see density.ts. */
  readonly density: number;
  /** Whether they are kernels of rank one: see separable.ts. */
  readonly separable: boolean;
}

/** What the caller asked for, and the weights that came with it. */
export interface Request extends Weights {
  readonly algorithm: Algorithm;
  readonly accuracy: Accuracy;
}

export interface Choice {
  readonly algorithm: AlgorithmName;
  /** A choice within the algorithm, such as Winograd's output tile; 0 where there is none. */
  readonly variant: number;
  readonly reason: string;
}

export interface Candidate {
  readonly algorithm: AlgorithmName;
  /** Why it cannot serve this geometry and these weights on this machine; null when it can. */
  declines(geometry: ConvGeometry, machine: Machine, weights: Weights): string | null;
  /** The choice within the algorithm; 0 when absent. */
  variant?(geometry: ConvGeometry, request: Request): number;
}

/** One of a list that is read from the top. */
export interface OrderedCandidate extends Candidate {
  /** Why it is worth taking when it can serve; null when a later candidate is expected to be faster. */
  suits(geometry: ConvGeometry, request: Request): string | null;
}
