/**
 * The choice of an algorithm: one ordered list, read from the top. Each candidate can say why it declines a geometry;
 * 'auto' takes the first that does not, and naming one that declines is an error that carries its reason.
 */
import { UnsupportedError } from '../errors.js';
import { BYTES } from '../tensor/dtype.js';
import { overGradOutput } from './adjoint.js';
import { extent, isUnit } from './axes.js';
import {
  type AlgorithmName,
  type Candidate,
  type Choice,
  type Request,
  SEPARABLE,
  type Weights,
} from './candidate.js';
import { declinesFft, fftVariant, fftWork } from './fft.js';
import { JS_CANDIDATES } from './js-algorithms.js';
import { jsFftVariant } from './js-fft.js';
import { jsWinogradTile } from './js-winograd.js';
import type { Machine } from './machine.js';
import type { ConvGeometry } from './problem.js';
import { reasonFor } from './reasons.js';
import { TIMES, type Times, timeOf } from './time.js';
import { declinesWinograd, type WinogradTile, winogradSaving, winogradTile } from './winograd.js';

/** Floats in a vector. */
const LANES = { avx512: 16, avx2: 8, neon: 4, generic: 4, js: 1 } as const satisfies Record<
  Machine['isa'],
  number
>;

/** Below this share of useful lanes, im2col's pixels fill vectors better than output channels. Zen 4: 0.7–0.8. */
const DIRECT_LANES_IN_USE = 0.75;
/** Likewise of the weight gradient, where im2col transposes the patches too. */
const WEIGHT_GRAD_LANES_IN_USE = 0.3;
/** Taps of one channel whose sums, by four vectors of output channels, exceed the workspace. */
const MOST_SUMMED_TAPS = 4096;
/** Outputs from which the product reads a 1×1 kernel's image in place faster than direct does. Zen 4: 196–784. */
const LARGE_MAP = 512;
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
/** Output channels of a group up to which GEMM's tiles run nearly empty. Zen 4: 1.2 times (8) to 14 times (1). */
const FEW_OUT_CHANNELS = 8;

function lanesInUse(g: ConvGeometry, machine: Machine): number {
  const lanes = (LANES[machine.isa] * BYTES.float32) / BYTES[g.dtype];
  const channels = g.outChannels / g.groups;
  return channels / (Math.ceil(channels / lanes) * lanes);
}

function readsLargeMapInPlace({ axes }: ConvGeometry): boolean {
  const pointwise = axes.every((a) => a.kernel === 1 && a.stride === 1 && a.padBefore + a.padAfter === 0);
  return pointwise && axes.reduce((outputs, a) => outputs * a.out, 1) >= LARGE_MAP;
}

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

/** Elements of the rows that are written, as a share of the lanes that they take. */
function rowsInUse({ axes: [, , width], dtype }: ConvGeometry, machine: Machine): number {
  const lanes = (LANES[machine.isa] * BYTES.float32) / BYTES[dtype];
  return width.out / (Math.ceil(width.out / lanes) * lanes);
}

/** Why Winograd is worth its transforms; null when it is not. */
function suitsWinograd(g: ConvGeometry, { accuracy }: Request): string | null {
  if (g.inChannels / g.groups < WINOGRAD_IN_CHANNELS) return null;
  if (g.outChannels / g.groups < WINOGRAD_OUT_CHANNELS) return null;
  const tile = winogradTile(g, accuracy);
  const saving = winogradSaving(g, tile);
  if (saving < WINOGRAD_SAVING) return null;
  return `F(${tile}×${tile}, 3×3) takes ${saving.toFixed(1)} times fewer multiplications`;
}

/** The share of nonzero weights up to which no other algorithm is faster. */
function sparseLimit(g: ConvGeometry, request: Request): number {
  if (declinesWinograd(g) === null && suitsWinograd(g, request) !== null)
    return SPARSE_BESIDE_WINOGRAD[winogradTile(g, request.accuracy)];
  return g.axes.some((axis) => axis.stride > 1) ? SPARSE_STRIDED : SPARSE;
}

/** @param g  As the convolution that is computed; `strided`: neighbouring places are read, or written, apart. */
function suitsToeplitz(g: ConvGeometry, strided: boolean, request: Request, machine: Machine): string | null {
  const taps = g.axes.reduce((count, axis) => count * axis.kernel, 1);
  const read = g.inChannels / g.groups;
  if (request.accuracy === 'strict' && taps * read * request.density > SEQUENTIAL_PRODUCTS) return null;
  if (request.density <= sparseLimit(g, request))
    return 'so few weights are nonzero that visiting them alone is faster';
  const isPointwise = taps === 1;
  if (g.outChannels / g.groups <= FEW_OUT_CHANNELS && (read === 1 || !isPointwise)) {
    return 'so few output channels a group that each tap as a shifted row beats a product of matrices';
  }
  if (isPointwise || strided || rowsInUse(g, machine) < DIRECT_LANES_IN_USE) return null;
  if (lanesInUse(g, machine) >= DIRECT_LANES_IN_USE) return null;
  return 'rows fill the vectors, and are read where they lie: nothing is packed';
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

/** Time of an operation in a transform, and in a product of spectra, over that of one in the direct sum. */
const FFT_PASS = 2;
const FFT_PRODUCT = 2;
/** How many times faster than the direct sum Winograd's tiles are at best. */
const WINOGRAD_SPEED = 4;

function suitsFft(g: ConvGeometry, request: Request): string | null {
  if (request.accuracy === 'strict') return null; // an element errs by its tile's size, not by its own
  const work = fftWork(g);
  if (work === null) return null;
  const positions = g.axes.reduce((count, axis) => count * axis.out * axis.kernel, 1);
  const direct = 2 * g.batch * g.outChannels * (g.inChannels / g.groups) * positions;
  const time = 8.5 * FFT_PASS * work.passes + 8 * FFT_PRODUCT * work.products;
  const dense = declinesWinograd(g) === null ? direct / WINOGRAD_SPEED : direct;
  // Visiting nonzero weights alone takes their share of the direct sum, at SPARSE of its speed.
  if (time > Math.min(dense, (direct * request.density) / SPARSE)) return null;
  const saving = direct / (work.multiplications + work.additions);
  const { rows, columns } = work.tile;
  return `Fourier tiles of ${rows}×${columns} take ${saving.toFixed(0)} times less arithmetic`;
}

/** Taps of a kernel from which two passes beat one. */
const SEPARABLE_TAPS = 49;

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
function eitherWay({ algorithm, declines, suits, variant }: Candidate): Candidate {
  return {
    algorithm,
    declines: (g, machine, weights) =>
      g.op === 'weightGrad' ? PRODUCTS_WITH_WEIGHT : declines(computed(g), machine, weights),
    suits: (g, request, machine) => suits(computed(g), request, machine),
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
    suits({ axes: [, height, width] }) {
      const taps = height.kernel * width.kernel;
      if (taps < SEPARABLE_TAPS) return null;
      const passes = `separable: a column times a row of taps takes ${height.kernel} + ${width.kernel}`;
      return `${passes} multiplications an output instead of ${taps}`;
    },
    variant: () => SEPARABLE,
  },
  unstrided(
    eitherWay({
      algorithm: 'depthwise',
      declines: notDepthwise,
      suits: (g) =>
        g.outChannels / g.groups <= FEW_OUT_CHANNELS
          ? 'one channel per group: each plane goes straight from image to output'
          : null,
    }),
  ),
  unstrided(
    eitherWay({
      algorithm: 'fft',
      declines: declinesFft,
      suits: suitsFft,
      variant: fftVariant,
    }),
  ),
  {
    algorithm: 'toeplitz',
    declines: (g) => (g.op === 'weightGrad' ? PRODUCTS_WITH_WEIGHT : null),
    suits: (g, request, machine) => suitsToeplitz(computed(g), g.axes[2].stride > 1, request, machine),
  },
  unstrided(
    eitherWay({
      algorithm: 'winograd',
      declines: declinesWinograd,
      suits: suitsWinograd,
      variant: (g, request) => winogradTile(g, request.accuracy),
    }),
  ),
  {
    algorithm: 'direct',
    declines: (g) => (g.op === 'weightGrad' ? sumsTooLarge(g) : directFrameTooLarge(computed(g))),
    suits(geometry, request, machine) {
      const g = computed(geometry);
      const taps = g.axes.reduce((count, axis) => count * axis.kernel, 1);
      const lanes = lanesInUse(g, machine);
      if (g.op === 'weightGrad') {
        if (lanes < WEIGHT_GRAD_LANES_IN_USE) return null;
        return 'output channels fill the vectors, and the image is read where it lies';
      }
      if (request.accuracy === 'strict' && taps > SEQUENTIAL_PRODUCTS) return null;
      if (lanes < DIRECT_LANES_IN_USE || readsLargeMapInPlace(g)) return null;
      return 'output channels fill the vectors, and pixels are read where they lie: nothing is packed';
    },
  },
  {
    algorithm: 'im2col',
    declines: () => null,
    suits: () => 'serves every geometry: patches packed straight into GEMM panels',
  },
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
  if (geometry.op === 'forward' && machine.isa !== 'js')
    return fastestForward(geometry, request, machine, TIMES[machine.isa]);
  for (const candidate of candidates(machine)) {
    if (candidate.declines(geometry, machine, request) !== null) continue;
    const reason = candidate.suits(geometry, request, machine);
    if (reason !== null)
      return { algorithm: candidate.algorithm, variant: variantOf(candidate, geometry, request), reason };
  }
  throw new UnsupportedError('options.algorithm: no algorithm serves this geometry');
}

/** What visiting nonzero weights alone is compared with by sparseLimit. */
const SLOWER_THAN_SPARSE: readonly AlgorithmName[] = ['winograd', 'direct', 'im2col'];

/** Of the candidates that serve and are accurate enough, the one that the model expects to be the fastest. */
function fastestForward(g: ConvGeometry, request: Request, machine: Machine, times: Times): Choice {
  let best: Candidate | null = null;
  let least = Number.POSITIVE_INFINITY;
  // The model knows dense weights; where zeros pay is measured for itself.
  const isSparse = isAccurate('toeplitz', g, request) && request.density <= sparseLimit(g, request);
  const density = isSparse ? request.density : 1;
  for (const candidate of candidates(machine)) {
    const { algorithm } = candidate;
    if (isSparse && SLOWER_THAN_SPARSE.includes(algorithm)) continue;
    if (candidate.declines(g, machine, request) !== null || !isAccurate(algorithm, g, request)) continue;
    const time = timeOf(algorithm, variantOf(candidate, g, request), g, density, times);
    if (best !== null && !(time < least)) continue;
    best = candidate;
    least = time;
  }
  if (best === null) throw new UnsupportedError('options.algorithm: no algorithm serves this geometry');
  const variant = variantOf(best, g, request);
  return {
    algorithm: best.algorithm,
    variant,
    reason: reasonFor(best.algorithm, variant, g, isSparse),
  };
}

/** Whether an algorithm errs by no more than 'auto' may at the accuracy that was asked for: docs/accuracy.md. */
function isAccurate(algorithm: AlgorithmName, g: ConvGeometry, { accuracy, density }: Request): boolean {
  const perGroup = g.inChannels / g.groups;
  const taps = g.axes.reduce((count, axis) => count * axis.kernel, 1);
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
