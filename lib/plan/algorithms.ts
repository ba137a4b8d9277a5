/**
 * The choice of an algorithm: one ordered list, read from the top. Each candidate can say why it declines a geometry;
 * 'auto' takes the first that does not, and naming one that declines is an error that carries its reason.
 */
import { UnsupportedError } from '../errors.js';
import type { ConvGeometry } from './conv-plan.js';
import type { Machine } from './machine.js';

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

/** What the caller asked for. */
export interface Request {
  readonly algorithm: Algorithm;
  readonly accuracy: Accuracy;
  readonly density: number;
}

export interface Choice {
  readonly algorithm: AlgorithmName;
  /** A choice within the algorithm, such as Winograd's output tile; 0 where there is none. */
  readonly variant: number;
  readonly reason: string;
}

interface Candidate {
  readonly algorithm: AlgorithmName;
  /** Why it cannot serve this geometry on this machine; null when it can. */
  declines(geometry: ConvGeometry, machine: Machine): string | null;
  /** Why it is worth taking when it can; null when a later candidate is expected to be faster. */
  suits(geometry: ConvGeometry, request: Request, machine: Machine): string | null;
}

const CANDIDATES: readonly Candidate[] = [
  {
    algorithm: 'im2col',
    declines: () => null,
    suits: () => 'serves every geometry: patches packed straight into GEMM panels',
  },
];

/** Every candidate with its reason to decline, in order: what `explain` shows. */
export function eligibleAlgorithms(geometry: ConvGeometry, machine: Machine): AlgorithmName[] {
  return CANDIDATES.filter((c) => c.declines(geometry, machine) === null).map((c) => c.algorithm);
}

export function chooseAlgorithm(geometry: ConvGeometry, request: Request, machine: Machine): Choice {
  if (request.algorithm !== 'auto') return namedAlgorithm(request.algorithm, geometry, machine);
  for (const candidate of CANDIDATES) {
    if (candidate.declines(geometry, machine) !== null) continue;
    const reason = candidate.suits(geometry, request, machine);
    if (reason !== null) return { algorithm: candidate.algorithm, variant: 0, reason };
  }
  throw new UnsupportedError('options.algorithm: no algorithm serves this geometry');
}

function namedAlgorithm(name: AlgorithmName, geometry: ConvGeometry, machine: Machine): Choice {
  const candidate = CANDIDATES.find((c) => c.algorithm === name);
  const declined =
    candidate === undefined ? `not built for ${machine.isa}` : candidate.declines(geometry, machine);
  if (declined !== null)
    throw new UnsupportedError(`options.algorithm: '${name}' cannot serve this call: ${declined}`);
  return { algorithm: name, variant: 0, reason: 'named by the caller' };
}
