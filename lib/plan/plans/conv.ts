/** A convolution with every number derived: frozen, the same for every backend, made once per geometry. */
import { elementCount } from '../../check.js';
import type { DType } from '../../tensor/dtype.js';
import type { Shape } from '../../tensor/tensor.js';
import type { Precision, Request } from '../algorithms/algorithm.js';
import { type Choice, choose } from '../choice.js';
import type { ConvGeometry, ConvOp } from '../geometry.js';
import type { Machine } from '../isa.js';
import { type Axis, toTriple } from '../options/axes.js';
import { UNKNOWN_WEIGHTS } from '../weights.js';
import { encodeConvPlan } from './wire.js';

export interface ConvPlan extends ConvGeometry, Choice {
  /** What operands are rounded to: the backend does it, as it reads them. */
  readonly precision: Precision;
  /** [batch, inChannels, spatial…] of x, [outChannels, inChannels/groups, kernel…] of w, [batch, outChannels, spatial…] of y. */
  readonly inputShape: Shape;
  readonly weightShape: Shape;
  readonly outputShape: Shape;
  /** The plan as it crosses to native code: see wire.ts. */
  readonly wire: Int32Array;
}

export interface ConvRequest extends Omit<ConvGeometry, 'axes'>, Request {
  readonly axes: readonly Axis[];
}

/** Batch, channels and axes of the forward convolution. */
export type ConvSizes = Pick<ConvRequest, 'batch' | 'inChannels' | 'outChannels' | 'axes'>;

/** @param manner  What is left out of the weights is unknown, the accuracy 'fast' and the precision 'float32'. */
export function convRequest<D extends DType>(
  op: ConvOp,
  dtype: D,
  { rank, groups, paddingMode }: Pick<ConvGeometry, 'rank' | 'groups' | 'paddingMode'>,
  { batch, inChannels, outChannels, axes }: ConvSizes,
  {
    algorithm,
    accuracy = 'fast',
    precision = 'float32',
    density,
    separable,
  }: Pick<Request, 'algorithm'> & Partial<Request>,
): ConvRequest & { readonly dtype: D } {
  return {
    op,
    dtype,
    rank,
    batch,
    groups,
    inChannels,
    outChannels,
    axes,
    paddingMode,
    algorithm,
    accuracy,
    precision,
    density: density ?? UNKNOWN_WEIGHTS.density,
    separable: separable ?? UNKNOWN_WEIGHTS.separable,
  };
}

/** What goes one way, whatever its sizes: convolutions of integers, and lowering itself. */
export function loweredRequest<D extends DType>(
  dtype: D,
  window: Pick<ConvGeometry, 'rank' | 'groups' | 'paddingMode'>,
  sizes: ConvSizes,
): ConvRequest & { readonly dtype: D } {
  return convRequest('forward', dtype, window, sizes, { algorithm: 'im2col' });
}

const CACHE_SIZE = 512;
const cache = new Map<string, ConvPlan>();

/** The plan of a checked geometry. Plans are cached (the oldest is dropped), so repeats cost a look-up. */
export function planConv(request: ConvRequest, machine: Machine): ConvPlan {
  const key = cacheKey(request, machine);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const plan = makePlan(request, machine);
  const [oldest] = cache.keys();
  if (oldest !== undefined && cache.size >= CACHE_SIZE) cache.delete(oldest);
  cache.set(key, plan);
  return plan;
}

function makePlan(
  { axes, algorithm, accuracy, precision, density, separable, ...rest }: ConvRequest,
  machine: Machine,
): ConvPlan {
  const geometry: ConvGeometry = { ...rest, axes: toTriple(axes) };
  const inputShape = [rest.batch, rest.inChannels, ...axes.map((a) => a.in)];
  const weightShape = [rest.outChannels, rest.inChannels / rest.groups, ...axes.map((a) => a.kernel)];
  const outputShape = [rest.batch, rest.outChannels, ...axes.map((a) => a.out)];
  elementCount(inputShape, 'input');
  elementCount(weightShape, 'weight');
  elementCount(outputShape, 'output');
  const request = { algorithm, accuracy, precision, density, separable };
  const { variant, reason } = choose(geometry, request, machine);
  return Object.freeze({
    ...geometry,
    precision,
    variant,
    reason,
    inputShape: Object.freeze(inputShape),
    weightShape: Object.freeze(weightShape),
    outputShape: Object.freeze(outputShape),
    wire: encodeConvPlan(geometry, precision, variant),
  });
}

function cacheKey(r: ConvRequest, machine: Machine): string {
  let key = `${machine.isa} ${r.op} ${r.dtype} ${r.algorithm} ${r.accuracy} ${r.precision} ${r.density} ${r.separable} ${r.paddingMode} ${r.rank} ${r.batch} ${r.groups} ${r.inChannels} ${r.outChannels}`;
  for (const a of r.axes) {
    key += ` ${a.in} ${a.kernel} ${a.stride} ${a.dilation} ${a.padBefore} ${a.padAfter} ${a.out}`;
  }
  return key;
}
