/**
 * The plan as one Int32Array: what crosses to native code. The order is written down here and in
 * native/plan/plan.h; the lists are compared when the addon loads.
 */
import { DTYPES } from '../../tensor/dtype.js';
import {
  ALGORITHMS,
  PRECISIONS,
  type Precision,
  type Variant,
  variantNumber,
} from '../algorithms/algorithm.js';
import type { ConvGeometry, ConvOp, PoolGeometry } from '../geometry.js';
import { type AxisTriple, PADDING_MODES } from '../options/axes.js';
import { ROUNDINGS } from '../options/numeric-type.js';

const OPS = ['forward', 'inputGrad', 'weightGrad'] as const satisfies readonly ConvOp[];

/** Each crosses as the place of its value in the list: these are compared too. */
export const ENUMERATIONS: Readonly<Record<string, readonly string[]>> = {
  op: OPS,
  dtype: DTYPES,
  algorithm: ALGORITHMS,
  paddingMode: PADDING_MODES,
  rounding: ROUNDINGS,
  precision: PRECISIONS,
};

const HEADER_FIELDS = [
  'op',
  'dtype',
  'algorithm',
  'variant',
  'paddingMode',
  'precision',
  'batch',
  'groups',
  'inChannels',
  'outChannels',
] as const;
const AXIS_NAMES = ['depth', 'height', 'width'] as const;
const AXIS_FIELDS = ['in', 'kernel', 'stride', 'dilation', 'padBefore', 'padAfter', 'out'] as const;

const AXES_FIELDS = AXIS_NAMES.flatMap((axis) => AXIS_FIELDS.map((field) => `${axis}.${field}`));

export const CONV_PLAN_FIELDS: readonly string[] = [...HEADER_FIELDS, ...AXES_FIELDS];
export const INTEGER_PLAN_FIELDS: readonly string[] = [
  ...CONV_PLAN_FIELDS,
  'weightDType',
  'outputDType',
  'inputZeroPoint',
  'outputZeroPoint',
];
export const POOL_PLAN_FIELDS: readonly string[] = ['dtype', 'planes', 'countIncludePad', ...AXES_FIELDS];

export const FIXED_PLAN_FIELDS = [
  'rows',
  'columns',
  'planes',
  'kernelRows',
  'kernelColumns',
  'padTop',
  'padLeft',
  'outRows',
  'outColumns',
  'bits',
  'shift',
  'rounding',
  'everyStep',
  'wrap',
  'signed',
  'wordLength',
] as const;

export function encodeConvPlan(geometry: ConvGeometry, precision: Precision, variant: Variant): Int32Array {
  const header: Record<(typeof HEADER_FIELDS)[number], number> = {
    op: OPS.indexOf(geometry.op),
    dtype: DTYPES.indexOf(geometry.dtype),
    algorithm: ALGORITHMS.indexOf(variant.algorithm),
    variant: variantNumber(variant),
    paddingMode: PADDING_MODES.indexOf(geometry.paddingMode),
    precision: PRECISIONS.indexOf(precision),
    batch: geometry.batch,
    groups: geometry.groups,
    inChannels: geometry.inChannels,
    outChannels: geometry.outChannels,
  };
  return Int32Array.from([...HEADER_FIELDS.map((field) => header[field]), ...encodeAxes(geometry.axes)]);
}

export function encodePoolPlan({ dtype, planes, countIncludePad, axes }: PoolGeometry): Int32Array {
  return Int32Array.from([DTYPES.indexOf(dtype), planes, Number(countIncludePad), ...encodeAxes(axes)]);
}

function encodeAxes(axes: AxisTriple): number[] {
  return axes.flatMap((axis) => AXIS_FIELDS.map((field) => axis[field]));
}

export function encodeFixedPlan(
  fields: Readonly<Record<(typeof FIXED_PLAN_FIELDS)[number], number>>,
): Int32Array {
  return Int32Array.from(FIXED_PLAN_FIELDS, (field) => fields[field]);
}
