/**
 * The choice of an algorithm. Each candidate can say why it declines a geometry; naming one that declines is an error that
 * carries its reason. Of the others 'auto' takes, natively, the one that the model of time.ts expects to be the fastest of
 * those that are accurate enough; in JavaScript the first of algorithms/js that suits.
 */
import { UnsupportedError } from '../errors.js';
import { BYTES } from '../tensor/dtype.js';
import { overGradOutput } from './adjoint.js';
import {
  type AlgorithmName,
  type Candidate,
  type Choice,
  type Request,
  SEPARABLE,
  type Weights,
} from './algorithms/algorithm.js';
import { declinesFft, fftVariant } from './algorithms/fft.js';
import { jsFftVariant } from './algorithms/js/fft.js';
import { JS_CANDIDATES } from './algorithms/js/index.js';
import { jsWinogradTile } from './algorithms/js/winograd.js';
import { reasonFor } from './algorithms/reasons.js';
import { declinesWinograd, type WinogradTile, winogradSaving, winogradTile } from './algorithms/winograd.js';
import type { ConvGeometry } from './geometry.js';
import type { Machine } from './isa.js';
import { timeOf } from './model/time.js';
import { TIMES, type Times } from './model/times.js';
import { extent, isUnit } from './options/axes.js';

/** Taps of one channel whose sums, by four vectors of output channels, exceed the workspace. */
const MOST_SUMMED_TAPS = 4096;
/** Bytes that one row of outputs may copy of its input: the workspace of a thread is 4 MiB. */
const FRAME_BYTES = 3 * 2 ** 20;

/** Channels per group from which the products outweigh Winograd's transforms, in and out. Zen 4: 2.4 times direct. */
const WINOGRAD_IN_CHANNELS = 16;
const WINOGRAD_OUT_CHANNELS = 32;
/** Saved multiplications, as a factor, below which the transforms eat the gain. */
const WINOGRAD_SAVING = 1.5;

/**
 * Shares of nonzero weights up to which visiting them alone is the fastest. Beside direct and im2col, 1×1 to 5×5 kernels:
 * 0.28–0.38, and 0.16 where a stride spreads what is read (Sapphire Rapids). Beside Winograd by its output tile, 32 to
 * 256 channels over 56×56 to 14×14: F(2×2, 3×3) 0.09–0.15, F(4×4, 3×3) 0.07–0.09.
 */
const SPARSE = 0.3;
const SPARSE_STRIDED = 0.16;
const SPARSE_BESIDE_WINOGRAD: Readonly<Record<WinogradTile, number>> = { 2: 0.11, 4: 0.08 };
/** Products of one sum in turn: im2col adds blocks of this many (kc), so a longer run errs more. */
const SEQUENTIAL_PRODUCTS = 384;
function directFrameTooLarge({ axes: [depth, height, width], ...g }: ConvGeometry): string | null {
  const rows = depth.kernel * extent(height.kernel, height.dilation);
  const columns = extent(width.kernel, width.dilation) + width.stride * 16;
  const bytes = (g.inChannels / g.groups) * rows * columns * BYTES[g.dtype];
  return bytes <= FRAME_BYTES ? null : 'the input of a few outputs exceeds a thread’s workspace';
}

function sumsTooLarge({ axes }: ConvGeometry): string | null {
  const taps = axes.reduce((count, axis) => count * axis.kernel, 1);
  return taps <= MOST_SUMMED_TAPS ? null : 'the sums of one channel exceed a thread’s workspace';
}

/** Whether Winograd is worth its transforms. */
function paysWinograd(g: ConvGeometry, { accuracy }: Request): boolean {
  return (
    g.inChannels / g.groups >= WINOGRAD_IN_CHANNELS &&
    g.outChannels / g.groups >= WINOGRAD_OUT_CHANNELS &&
    winogradSaving(g, winogradTile(g, accuracy)) >= WINOGRAD_SAVING
  );
}

/** The share of nonzero weights up to which no other algorithm is faster. */
function sparseLimit(g: ConvGeometry, request: Request): number {
  if (declinesWinograd(g) === null && paysWinograd(g, request))
    return SPARSE_BESIDE_WINOGRAD[winogradTile(g, request.accuracy)];
  return g.axes.some((axis) => axis.stride > 1) ? SPARSE_STRIDED : SPARSE;
}

function notDepthwise(g: ConvGeometry): string | null {
  const [depth, height, width] = g.axes;
  if ([height, width].some((axis) => Math.min(axis.padBefore, axis.padAfter) < 0)) return 'cannot crop';
  if (g.inChannels !== g.groups) return 'needs one input channel per group';
  if (!isUnit(depth)) return 'serves two spatial axes';
  if (height.kernel !== width.kernel || (width.kernel !== 3 && width.kernel !== 5))
    return 'needs a 3×3 or 5×5 kernel';
  if (height.stride !== width.stride || width.stride > 2) return 'needs stride 1 or 2';
  if (height.dilation !== 1 || width.dilation !== 1) return 'needs dilation 1';
  const padded = height.padBefore + height.padAfter + width.padBefore + width.padAfter > 0;
  return padded && g.paddingMode !== 'zeros' ? 'needs zeros padding' : null;
}

function notSeparable(g: ConvGeometry, { separable }: Weights): string | null {
  const [depth, ...axes] = g.axes;
  if (g.op !== 'forward') return 'serves the forward convolution only';
  if (!separable) return 'needs kernels that are a column times a row';
  if (g.inChannels !== g.groups) return 'needs one input channel per group';
  if (!isUnit(depth)) return 'serves two spatial axes';
  if (axes.some((axis) => axis.stride !== 1)) return 'needs stride 1';
  return axes.some((axis) => axis.dilation !== 1) ? 'needs dilation 1' : null;
}

const PRODUCTS_WITH_WEIGHT = 'serves products with the weight only';

/** The convolution that is computed: over the input, or over the gradient of the output. */
function computed(g: ConvGeometry): ConvGeometry {
  return g.op === 'inputGrad' ? overGradOutput(g) : g;
}

/** An algorithm of convolutions, which serves input gradients as convolutions over the output's gradient. */
function eitherWay({ algorithm, declines, variant }: Candidate): Candidate {
  return {
    algorithm,
    declines: (g, machine, weights) =>
      g.op === 'weightGrad' ? PRODUCTS_WITH_WEIGHT : declines(computed(g), machine, weights),
    ...(variant && { variant: (g, request) => variant(computed(g), request) }),
  };
}

/** One that does not take a stride's sub-lattices apart, whose kernels differ in size. */
function unstrided(candidate: Candidate): Candidate {
  const isInterleaved = (g: ConvGeometry) => g.op === 'inputGrad' && g.axes.some((axis) => axis.stride > 1);
  return {
    ...candidate,
    declines: (g, machine, weights) =>
      isInterleaved(g) ? 'serves gradients of stride 1 only' : candidate.declines(g, machine, weights),
  };
}

const NATIVE_CANDIDATES: readonly Candidate[] = [
  {
    algorithm: 'depthwise',
    declines: (g, _machine, weights) => notSeparable(g, weights),
    variant: () => SEPARABLE,
  },
  unstrided(eitherWay({ algorithm: 'depthwise', declines: notDepthwise })),
  unstrided(eitherWay({ algorithm: 'fft', declines: declinesFft, variant: fftVariant })),
  {
    algorithm: 'toeplitz',
    declines: (g) => (g.op === 'weightGrad' ? PRODUCTS_WITH_WEIGHT : null),
  },
  unstrided(
    eitherWay({
      algorithm: 'winograd',
      declines: declinesWinograd,
      variant: (g, request) => winogradTile(g, request.accuracy),
    }),
  ),
  {
    algorithm: 'direct',
    declines: (g) => (g.op === 'weightGrad' ? sumsTooLarge(g) : directFrameTooLarge(computed(g))),
  },
  { algorithm: 'im2col', declines: () => null },
];

function candidates(machine: Machine): readonly Candidate[] {
  return machine.isa === 'js' ? JS_CANDIDATES : NATIVE_CANDIDATES;
}

/** Every candidate with its reason to decline, in order: what `explain` shows. */
export function eligibleAlgorithms(
  geometry: ConvGeometry,
  weights: Weights,
  machine: Machine,
): AlgorithmName[] {
  return candidates(machine)
    .filter((c) => c.declines(geometry, machine, weights) === null)
    .map((c) => c.algorithm);
}

/** The choice within an algorithm that was not chosen itself; undefined for costOf's own. */
export function usualVariant(
  algorithm: AlgorithmName | 'dense-toeplitz',
  g: ConvGeometry,
  { isa }: Machine,
): number | undefined {
  if (isa !== 'js') return undefined;
  if (algorithm === 'fft') return jsFftVariant(g);
  return algorithm === 'winograd' ? jsWinogradTile(g) : undefined;
}

export function chooseAlgorithm(geometry: ConvGeometry, request: Request, machine: Machine): Choice {
  if (request.algorithm !== 'auto') return namedAlgorithm(request.algorithm, geometry, request, machine);
  return machine.isa === 'js'
    ? firstThatSuits(geometry, request, machine)
    : fastest(geometry, request, machine, TIMES[machine.isa]);
}

function firstThatSuits(geometry: ConvGeometry, request: Request, machine: Machine): Choice {
  for (const candidate of JS_CANDIDATES) {
    if (candidate.declines(geometry, machine, request) !== null) continue;
    const reason = candidate.suits(geometry, request);
    if (reason !== null)
      return { algorithm: candidate.algorithm, variant: variantOf(candidate, geometry, request), reason };
  }
  throw new UnsupportedError(NONE_SERVES);
}

const NONE_SERVES = 'options.algorithm: no algorithm serves this geometry';

/** What visiting nonzero weights alone is compared with by sparseLimit. */
const SLOWER_THAN_SPARSE: readonly AlgorithmName[] = ['winograd', 'direct', 'im2col'];

/** Of the candidates that serve and are accurate enough, the one that the model expects to be the fastest. */
function fastest(geometry: ConvGeometry, request: Request, machine: Machine, times: Times): Choice {
  const g = computed(geometry);
  let best: Candidate | null = null;
  let least = Number.POSITIVE_INFINITY;
  // The model knows dense weights; where zeros pay is measured for itself.
  const isSparse =
    g.op === 'forward' && isAccurate('toeplitz', g, request) && request.density <= sparseLimit(g, request);
  const density = isSparse ? request.density : 1;
  for (const candidate of NATIVE_CANDIDATES) {
    const { algorithm } = candidate;
    if (isSparse && SLOWER_THAN_SPARSE.includes(algorithm)) continue;
    if (candidate.declines(geometry, machine, request) !== null) continue;
    if (!isAccurate(algorithm, g, request)) continue;
    const time = timeOf(algorithm, variantOf(candidate, geometry, request), g, density, times);
    if (best !== null && !(time < least)) continue;
    best = candidate;
    least = time;
  }
  if (best === null) throw new UnsupportedError(NONE_SERVES);
  const variant = variantOf(best, geometry, request);
  return { algorithm: best.algorithm, variant, reason: reasonFor(best.algorithm, variant, g, isSparse) };
}

/** Whether an algorithm errs by no more than 'auto' may at the accuracy that was asked for: docs/accuracy.md. */
function isAccurate(algorithm: AlgorithmName, g: ConvGeometry, { accuracy, density }: Request): boolean {
  const perGroup = g.inChannels / g.groups;
  const taps = g.axes.reduce((count, axis) => count * axis.kernel, 1);
  // Sums of weight gradients run over blocks of as many outputs, by either algorithm.
  if (g.op === 'weightGrad') return true;
  if (algorithm === 'winograd') return perGroup >= WINOGRAD_IN_CHANNELS;
  if (accuracy === 'fast') return true;
  // An element of a Fourier tile errs by its tile's size; sums in turn longer than im2col's blocks by their length.
  if (algorithm === 'fft') return false;
  if (algorithm === 'toeplitz') return taps * perGroup * density <= SEQUENTIAL_PRODUCTS;
  return algorithm !== 'direct' || taps <= SEQUENTIAL_PRODUCTS;
}

function variantOf(candidate: Candidate, geometry: ConvGeometry, request: Request): number {
  return candidate.variant?.(geometry, request) ?? 0;
}

function namedAlgorithm(
  name: AlgorithmName,
  geometry: ConvGeometry,
  request: Request,
  machine: Machine,
): Choice {
  const named = candidates(machine).filter((c) => c.algorithm === name);
  // Of several kinds of one algorithm the first that serves; when none does, the last tells why.
  let declined: string | null = `not built for ${machine.isa}`;
  const candidate = named.find((c) => {
    declined = c.declines(geometry, machine, request);
    return declined === null;
  });
  if (candidate === undefined)
    throw new UnsupportedError(`options.algorithm: '${name}' cannot serve this call: ${declined}`);
  return {
    algorithm: name,
    variant: variantOf(candidate, geometry, request),
    reason: 'named by the caller',
  };
}
