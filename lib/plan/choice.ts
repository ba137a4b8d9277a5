/**
 * The choice of an algorithm. Each can say why it declines a geometry; naming one that declines is an error that carries its
 * reason. Of the others 'auto' takes, natively, the one that the model expects to be the fastest of those that are accurate
 * enough; in JavaScript the first that suits.
 */
import { UnsupportedError } from '../errors.js';
import { foldsPadding, overGradOutput } from './adjoint.js';
import type {
  AlgorithmName,
  AnyAlgorithm,
  NativeAlgorithm,
  Request,
  Variant,
  Weights,
} from './algorithms/algorithm.js';
import { JS_ALGORITHMS, NATIVE_ALGORITHMS } from './algorithms/index.js';
import { sparseLimit } from './algorithms/sparse.js';
import { toeplitz } from './algorithms/toeplitz.js';
import type { ConvGeometry } from './geometry.js';
import type { Machine, NativeMachine } from './isa.js';
import { timesOf } from './model/times.js';
import { Workload } from './model/workload.js';

export interface Choice {
  readonly variant: Variant;
  readonly reason: string;
}

/** A choice with the algorithm that was taken. */
export interface Taken extends Choice {
  readonly algorithm: AnyAlgorithm;
}

export function choose(geometry: ConvGeometry, asked: Request, machine: Machine): Taken {
  if (asked.precision === 'float32') return chooseFor(geometry, asked, machine);
  const request = ofRoundedOperands(asked);
  const tiled = onTiles(geometry, request, machine);
  if (tiled !== null) return tiled;
  const taken = chooseFor(geometry, request, machine);
  return { ...taken, reason: `${taken.reason}; operands rounded to bfloat16` };
}

/** The algorithm that goes by tiles of bfloat16, if it is not another that was named. */
function onTiles(geometry: ConvGeometry, request: Request, machine: Machine): Taken | null {
  if (machine.isa === 'js') return null;
  for (const algorithm of ALL_NATIVE) {
    const variant = algorithm.onTiles?.(geometry, machine) ?? null;
    const isWanted = request.algorithm === 'auto' || request.algorithm === algorithm.name;
    if (variant !== null && isWanted) return { algorithm, variant, reason: ON_TILES };
  }
  return null;
}
const ON_TILES = 'a unit of tiles multiplies bfloat16, to which operands are rounded as they are packed';

/**
 * As few bits as they have, their products are summed as they are: transforms would join what rounding keeps apart. Weights that
 * were a column times a row are none when they are rounded.
 */
function ofRoundedOperands(asked: Request): Request {
  return { ...asked, accuracy: 'strict', separable: false };
}

function chooseFor(geometry: ConvGeometry, request: Request, machine: Machine): Taken {
  if (request.algorithm !== 'auto') return named(request.algorithm, geometry, request, machine);
  return machine.isa === 'js' ? firstThatSuits(geometry, request) : fastest(geometry, request, machine);
}

/** The algorithms that serve, in order. */
export function servingAlgorithms(
  geometry: ConvGeometry,
  weights: Weights,
  { isa }: Machine,
): AnyAlgorithm[] {
  if (isa === 'js') return Object.values(JS_ALGORITHMS).filter((a) => a.declines(geometry, weights) === null);
  const g = computed(geometry);
  return ALL_NATIVE.filter((a) => declinesNative(a, geometry, g, weights) === null);
}

const NAMED_BY_CALLER = 'named by the caller';

function named(name: AlgorithmName, geometry: ConvGeometry, request: Request, machine: Machine): Taken {
  if (machine.isa === 'js') {
    const algorithm = JS_ALGORITHMS[name];
    const declined = algorithm.declines(geometry, request);
    if (declined !== null) throw cannotServe(name, declined);
    return { algorithm, variant: algorithm.variant(geometry, request), reason: NAMED_BY_CALLER };
  }
  const g = computed(geometry);
  let declined = '';
  const serving = NATIVE_ALGORITHMS[name].filter((algorithm) => {
    const why = declinesNative(algorithm, geometry, g, request);
    declined = why ?? declined;
    return why === null;
  });
  if (serving.length === 0) throw cannotServe(name, declined);
  const { timeOf } = modelOf(geometry, g, request, machine);
  const algorithm = serving.length === 1 ? serving[0] : leastOf(serving, (a) => timeOf(a, 1));
  return {
    algorithm,
    variant: algorithm.variant(seenBy(algorithm, geometry, g), request),
    reason: NAMED_BY_CALLER,
  };
}

function cannotServe(name: AlgorithmName, declined: string): UnsupportedError {
  return new UnsupportedError(`options.algorithm: '${name}' cannot serve this call: ${declined}`);
}

function firstThatSuits(geometry: ConvGeometry, request: Request): Taken {
  const algorithms = Object.values(JS_ALGORITHMS);
  const isSparse = request.density <= sparseLimit(algorithms, geometry, request);
  for (const algorithm of algorithms) {
    if (algorithm.declines(geometry, request) !== null) continue;
    const reason = algorithm.suits(geometry, request, isSparse);
    if (reason !== null) return { algorithm, variant: algorithm.variant(geometry, request), reason };
  }
  throw new UnsupportedError(NONE_SERVES);
}

const NONE_SERVES = 'options.algorithm: no algorithm serves this geometry';

const ALL_NATIVE: readonly NativeAlgorithm[] = Object.values(NATIVE_ALGORITHMS).flat();

/** The convolution that is computed: over the input, or over the gradient of the output. */
function computed(g: ConvGeometry): ConvGeometry {
  return g.op === 'inputGrad' ? overGradOutput(g, foldsPadding(g)) : g;
}

/** What an algorithm's functions see of a geometry; `g` is what most of them compute for it. */
function seenBy({ gradients }: NativeAlgorithm, geometry: ConvGeometry, g: ConvGeometry): ConvGeometry {
  return gradients === 'as they are' ? geometry : g;
}

/** @param g  What is computed for the geometry. */
function declinesNative(
  algorithm: NativeAlgorithm,
  geometry: ConvGeometry,
  g: ConvGeometry,
  weights: Weights,
): string | null {
  switch (geometry.op) {
    case 'forward':
      return algorithm.declines(g, weights);
    case 'inputGrad':
      if (algorithm.gradients === 'none') return 'serves the forward convolution only';
      if (algorithm.gradients === 'stride 1' && geometry.axes.some((axis) => axis.stride > 1))
        return 'serves gradients of stride 1 only';
      return algorithm.declines(seenBy(algorithm, geometry, g), weights);
    case 'weightGrad':
      return algorithm.weightGrad === null
        ? 'serves products with the weight only'
        : algorithm.weightGrad.declines(g);
  }
}

/** Of the algorithms that serve and are accurate enough, the one that the model expects to be the fastest. */
function fastest(geometry: ConvGeometry, request: Request, machine: NativeMachine): Taken {
  const { isa, tuning } = machine;
  const g = computed(geometry);
  if (g.op === 'weightGrad') return fastestWeightGrad(new Workload(g, tuning, timesOf(isa)), request);
  const serving = ALL_NATIVE.filter(
    (a) => declinesNative(a, geometry, g, request) === null && a.isAccurate(g, request),
  );
  // The model knows dense weights; where zeros pay is measured for itself.
  const isSparse = serving.includes(toeplitz) && request.density <= sparseLimit(ALL_NATIVE, g, request);
  const candidates = isSparse ? serving.filter(({ sparseLimit }) => sparseLimit === null) : serving;
  const density = isSparse ? request.density : 1;
  const { timeOf, boundOf } = modelOf(geometry, g, request, machine);
  const algorithm = leastOf(candidates, (a) => timeOf(a, density), boundOf);
  const seen = seenBy(algorithm, geometry, g);
  return {
    algorithm,
    variant: algorithm.variant(seen, request),
    reason: algorithm.reason(seen, request, isSparse),
  };
}

/** How long the model expects an algorithm to take that serves, by the share of weights that it visits; and at least. */
function modelOf(
  geometry: ConvGeometry,
  g: ConvGeometry,
  request: Request,
  { isa, tuning }: NativeMachine,
): {
  timeOf(algorithm: NativeAlgorithm, density: number): number;
  boundOf(algorithm: NativeAlgorithm): number | undefined;
} {
  const work = new Workload(g, tuning, timesOf(isa));
  const whole = new Workload(geometry, tuning, timesOf(isa));
  const workOf = (a: NativeAlgorithm) => (seenBy(a, geometry, g) === g ? work : whole);
  return {
    timeOf: (a, density) =>
      g.op === 'weightGrad' && a.weightGrad !== null
        ? a.weightGrad.time(work)
        : a.time(workOf(a), request, density),
    boundOf: (a) => (g.op === 'weightGrad' ? undefined : a.atLeast?.(workOf(a))),
  };
}

function fastestWeightGrad(work: Workload, request: Request): Taken {
  const { g } = work;
  const candidates = ALL_NATIVE.flatMap((algorithm) => {
    const { weightGrad } = algorithm;
    const serves = weightGrad !== null && weightGrad.declines(g) === null && weightGrad.isAccurate(request);
    return serves ? [{ algorithm, weightGrad }] : [];
  });
  const { algorithm, weightGrad } = leastOf(candidates, (c) => c.weightGrad.time(work));
  return { algorithm, variant: algorithm.variant(g, request), reason: weightGrad.reason(g) };
}

/** The candidate of the least time. Those that have a bound come last, and are timed where it is less than the others' times. */
function leastOf<T extends object>(
  candidates: readonly T[],
  timeOf: (candidate: T) => number,
  boundOf: (candidate: T) => number | undefined = () => undefined,
): T {
  let best: T | undefined;
  let least = Number.POSITIVE_INFINITY;
  const consider = (candidate: T) => {
    const time = timeOf(candidate);
    if (best !== undefined && !(time < least)) return;
    best = candidate;
    least = time;
  };
  const bounded: { candidate: T; bound: number }[] = [];
  for (const candidate of candidates) {
    const bound = boundOf(candidate);
    if (bound === undefined) consider(candidate);
    else bounded.push({ candidate, bound });
  }
  for (const { candidate, bound } of bounded) if (best === undefined || bound < least) consider(candidate);
  if (best === undefined) throw new UnsupportedError(NONE_SERVES);
  return best;
}
