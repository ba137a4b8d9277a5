/** Spatial axes: how options that take one number or one per axis are read, and the arithmetic of one axis. */
import {
  checkInteger,
  describe,
  isArray,
  isInteger,
  listOf,
  MAX_AXES,
  mismatch,
  mistake,
} from '../../check.js';
import { ArgumentError, ShapeError } from '../../errors.js';

/** One number for all spatial axes, or one per axis. */
export type Axes = number | readonly number[];
/** `'same'` is for stride 1, as in PyTorch; an odd remainder goes to the end. */
export type Padding = Axes | readonly (readonly [before: number, after: number])[] | 'valid' | 'same';
/** What is read beyond the edge: zeros, the other end, the image mirrored at its last pixel, or that pixel. */
export type PaddingMode = 'zeros' | 'circular' | 'reflect' | 'replicate';
export const PADDING_MODES = [
  'zeros',
  'circular',
  'reflect',
  'replicate',
] as const satisfies readonly PaddingMode[];

export type Rank = 1 | 2 | 3;

export function isRank(axes: number | undefined): axes is Rank {
  return axes === 1 || axes === 2 || axes === 3;
}

/**
 * One spatial axis of a convolution, in elements. Output i, tap t reads
 *   input i·stride + t·dilation − padBefore
 */
export interface Axis {
  readonly in: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBefore: number;
  readonly padAfter: number;
  readonly out: number;
}

/** Depth, height, width: lower ranks have leading axes of size 1, so that there is one code path. */
export type AxisTriple = readonly [Axis, Axis, Axis];

export const UNIT_AXIS: Axis = Object.freeze({
  in: 1,
  kernel: 1,
  stride: 1,
  dilation: 1,
  padBefore: 0,
  padAfter: 0,
  out: 1,
});

/** Whether a convolution is one over the other axes: this one's only output reads its only element, and no padding. */
export function isUnit(axis: Axis): boolean {
  return axis.in === 1 && axis.kernel === 1 && axis.out === 1 && axis.padBefore === 0;
}

/** The rank's axes as a triple. */
export function toTriple(axes: readonly Axis[]): AxisTriple {
  const [depth = UNIT_AXIS, height = UNIT_AXIS, width = UNIT_AXIS] = [
    ...Array<Axis>(3 - axes.length).fill(UNIT_AXIS),
    ...axes,
  ];
  return [depth, height, width];
}

/** An option that takes one integer for all axes or one per axis, each ≥ min. */
export function perAxis(value: unknown, rank: number, argument: string, min: number): number[] {
  if (typeof value === 'number') return Array<number>(rank).fill(checkInteger(value, argument, min));
  const list = listOf(value, rank);
  if (list?.length !== rank) {
    throw mistake(ArgumentError, argument, `an integer, or ${rank} of them`, value);
  }
  return list.map((entry, axis) => checkInteger(entry, `${argument}[${axis}]`, min));
}

/** Padding in its numeric forms: one number, one per axis, or [before, after] per axis. */
export function explicitPadding(value: unknown, rank: number, argument: string): [number, number][] {
  // Lists that are too long are perAxis's to refuse: to look through their holes takes as long as they are.
  if (isArray(value) && value.length <= MAX_AXES && value.some(isArray)) {
    if (value.length !== rank) throw mistake(ArgumentError, argument, `${rank} pairs [before, after]`, value);
    return Array.from(value, (pair: unknown, axis) => {
      if (!isArray(pair) || pair.length !== 2) {
        throw mistake(ArgumentError, `${argument}[${axis}]`, 'a pair [before, after]', pair);
      }
      return [
        checkInteger(pair[0], `${argument}[${axis}][0]`, 0),
        checkInteger(pair[1], `${argument}[${axis}][1]`, 0),
      ];
    });
  }
  return perAxis(value, rank, argument, 0).map((size) => [size, size]);
}

/** The extent of a dilated kernel: dilation·(kernel − 1) + 1. */
export function extent(kernel: number, dilation: number): number {
  return dilation * (kernel - 1) + 1;
}

/** ⌊(in + before + after − extent)/stride⌋ + 1: how often the dilated kernel fits; below 1 when it does not. */
export function outputSize(input: number, window: Omit<Axis, 'in' | 'out'>): number {
  const room = input + window.padBefore + window.padAfter - extent(window.kernel, window.dilation);
  return Math.floor(room / window.stride) + 1;
}

/** As outputSize, refusing a kernel that does not fit, and counts past what arithmetic on doubles keeps exact. */
export function checkedOutputSize(input: number, window: Omit<Axis, 'in' | 'out'>, axis: number): number {
  const padded = input + window.padBefore + window.padAfter;
  const reach = extent(window.kernel, window.dilation);
  if (!isInteger(padded) || !isInteger(reach)) {
    throw mismatch(ArgumentError, 'options.dilation', 'an extent below 2^53', describe(reach));
  }
  if (padded < reach) {
    throw mismatch(
      ShapeError,
      'weight',
      `a dilated kernel within the padded input (${padded} on spatial axis ${axis})`,
      `${reach}`,
    );
  }
  return outputSize(input, window);
}
