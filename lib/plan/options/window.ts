/** The geometry options of a convolution: read once, checked against the shapes, and turned into axes. */
import { checkInteger, checkOneOf, describe, describeShape, mismatch, sameShape } from '../../check.js';
import { ArgumentError, ShapeError, UnsupportedError } from '../../errors.js';
import type { Shape } from '../../tensor/tensor.js';
import {
  type Axes,
  type Axis,
  checkedOutputSize,
  explicitPadding,
  extent,
  isRank,
  PADDING_MODES,
  type Padding,
  type PaddingMode,
  perAxis,
  type Rank,
} from './axes.js';

/** Where the kernel lies on the input, of every convolution here. */
export interface Geometry {
  /** Distance between outputs, in input elements. Default 1. */
  readonly stride?: Axes;
  /** Elements added before and after each axis. Default 0. */
  readonly padding?: Padding;
  /** What the added elements hold. Default 'zeros'. */
  readonly paddingMode?: PaddingMode;
  /** Distance between taps; 1 (the default) means none. */
  readonly dilation?: Axes;
  /** Channels are split into this many groups that do not see one another. Default 1. */
  readonly groups?: number;
}

export const GEOMETRY_OPTIONS = ['stride', 'padding', 'paddingMode', 'dilation', 'groups'] as const;

/** Geometry with nothing optional; what depends on no input size. */
export interface Window {
  readonly rank: Rank;
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly paddingMode: PaddingMode;
  readonly groups: number;
}

export function readWindow(options: Geometry, kernel: readonly number[], rank: Rank): Window {
  kernel.forEach((size, axis) => {
    if (size < 1) throw mismatch(ShapeError, 'weight', `kernel sizes ≥ 1`, `${size} on spatial axis ${axis}`);
  });
  const stride = perAxis(options.stride ?? 1, rank, 'options.stride', 1);
  const dilation = perAxis(options.dilation ?? 1, rank, 'options.dilation', 1);
  return {
    rank,
    kernel,
    stride,
    dilation,
    padding: readPadding(options.padding ?? 0, kernel, stride, dilation),
    paddingMode: checkOneOf(options.paddingMode ?? 'zeros', 'options.paddingMode', PADDING_MODES),
    groups: checkInteger(options.groups ?? 1, 'options.groups', 1),
  };
}

function readPadding(
  padding: unknown,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): [number, number][] {
  if (padding === 'valid') return kernel.map(() => [0, 0]);
  if (padding === 'same') {
    if (stride.some((s) => s !== 1)) {
      const expected = "stride 1 with padding 'same', as in PyTorch (name the padding for other strides)";
      throw mismatch(UnsupportedError, 'options.padding', expected, `stride ${describe(stride)}`);
    }
    return kernel.map((size, axis) => {
      const total = extent(size, dilation[axis]) - 1;
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    });
  }
  if (typeof padding === 'string') {
    throw mismatch(ArgumentError, 'options.padding', "numbers, 'valid' or 'same'", describe(padding));
  }
  return explicitPadding(padding, kernel.length, 'options.padding');
}

/** The axes of a forward convolution over inputs of these sizes. */
export function forwardAxes(window: Window, input: readonly number[]): Axis[] {
  return input.map((size, axis) => {
    const partial = axisOptions(window, axis);
    checkPaddingMode(window.paddingMode, size, partial, axis);
    return { in: size, ...partial, out: checkedOutputSize(size, partial, axis) };
  });
}

/** One axis of the window, without its input and output sizes. */
export function axisOptions(window: Window, axis: number): Omit<Axis, 'in' | 'out'> {
  const [padBefore, padAfter] = window.padding[axis];
  return {
    kernel: window.kernel[axis],
    stride: window.stride[axis],
    dilation: window.dilation[axis],
    padBefore,
    padAfter,
  };
}

/** Circular padding wraps at most once, reflection needs the element past the edge, replication any element. */
export function checkPaddingMode(
  mode: PaddingMode,
  size: number,
  { padBefore, padAfter }: { padBefore: number; padAfter: number },
  axis: number,
): void {
  const largest = Math.max(padBefore, padAfter);
  if (mode === 'zeros' || largest === 0) return;
  const limit = mode === 'circular' ? size : size - 1;
  const fits = mode === 'replicate' ? size > 0 : largest <= limit;
  if (!fits) {
    const expected =
      mode === 'replicate'
        ? `an input with elements to replicate on spatial axis ${axis}`
        : `at most ${Math.max(limit, 0)} for ${mode} padding of an input of size ${size} on spatial axis ${axis}`;
    throw mismatch(ArgumentError, 'options.padding', expected, `${largest}`);
  }
}

/** A shape with or without its batch axis. */
export interface BatchShape {
  readonly batched: boolean;
  readonly batch: number;
  readonly channels: number;
  readonly spatial: readonly number[];
}

/** A result's shape, without the batch axis when the input came without. */
export function likeInput(shape: Shape, { batched }: BatchShape): Shape {
  return batched ? shape : shape.slice(1);
}

const LAYOUTS = { 1: 'N, C, L', 2: 'N, C, H, W', 3: 'N, C, D, H, W' } as const;

/** Reads [N, C, spatial…] or [C, spatial…]. */
export function readBatchShape(shape: readonly number[], rank: Rank, argument: string): BatchShape {
  if (shape.length !== rank + 2 && shape.length !== rank + 1) {
    const expected = `${rank + 2} axes [${LAYOUTS[rank]}], or ${rank + 1} without the batch`;
    throw mismatch(ShapeError, argument, expected, describeShape(shape));
  }
  const batched = shape.length === rank + 2;
  const [batch, channels, ...spatial] = batched ? shape : [1, ...shape];
  return { batched, batch, channels, spatial };
}

/** The spatial rank of a weight, [outChannels, inChannels/groups, kernel…]. */
export function rankOfWeight(shape: Shape, argument = 'weight'): Rank {
  const rank = shape.length - 2;
  if (isRank(rank)) return rank;
  const expected = '3 to 5 axes [outChannels, inChannels/groups, kernel…]';
  throw mismatch(ShapeError, argument, expected, describeShape(shape));
}

/** A weight of no channels convolves nothing: refused, as PyTorch refuses it, so that kernels divide by none. */
export function checkNotEmpty(weightShape: readonly number[]): void {
  if (weightShape[0] === 0 || weightShape[1] === 0) {
    throw mismatch(ShapeError, 'weight', 'at least one channel in and out', describeShape(weightShape));
  }
}

/** Channels against the weight's: [outChannels, inChannels/groups, kernel…] of the forward convolution. */
export function checkChannels(
  inChannels: number,
  weightShape: readonly number[],
  groups: number,
  argument: string,
  input?: Pick<BatchShape, 'batched' | 'spatial'>,
): void {
  const [outChannels, perGroup] = weightShape;
  checkNotEmpty(weightShape);
  if (inChannels % groups !== 0) {
    throw mismatch(
      ShapeError,
      argument,
      `channels divisible by groups (${groups})`,
      `${inChannels} channels`,
    );
  }
  if (outChannels % groups !== 0) {
    throw mismatch(
      ShapeError,
      'weight',
      `output channels divisible by groups (${groups})`,
      describeShape(weightShape),
    );
  }
  if (inChannels !== perGroup * groups) {
    const expected = `${perGroup * groups} channels (weight ${describeShape(weightShape)}, groups ${groups})`;
    const hint = input?.spatial.at(-1) === perGroup * groups ? layoutHint(input, argument) : '';
    throw mismatch(ShapeError, argument, expected, `${inChannels} channels${hint}`);
  }
}

/** What to do with an input whose last axis has as many elements as there should be channels. */
function layoutHint({ batched, spatial }: Pick<BatchShape, 'batched' | 'spatial'>, argument: string): string {
  const first = batched ? 1 : 0;
  const axes = spatial.map((_, axis) => first + axis);
  const order = [...(batched ? [0] : []), first + spatial.length, ...axes].join(', ');
  const remedy = argument === 'input' ? `; ${argument}.permute(${order}) makes it of channels-last` : '';
  return `: the layout is channels-first${remedy}`;
}

export function checkSameShape(
  shape: readonly number[],
  expected: readonly number[],
  argument: string,
): void {
  if (!sameShape(shape, expected)) {
    throw mismatch(ShapeError, argument, describeShape(expected), describeShape(shape));
  }
}
