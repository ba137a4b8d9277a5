/** A pooling window over every channel plane, with every number derived. */
import { checkBoolean, elementCount, mismatch } from '../../check.js';
import { ArgumentError, type ConvmatError, ShapeError } from '../../errors.js';
import type { DType } from '../../tensor/dtype.js';
import type { Shape } from '../../tensor/tensor.js';
import type { PoolGeometry } from '../geometry.js';
import {
  type Axes,
  type Axis,
  explicitPadding,
  extent,
  perAxis,
  type Rank,
  toTriple,
} from '../options/axes.js';
import { encodePoolPlan } from './wire.js';

/** `stride` defaults to the kernel size, as in PyTorch. */
export interface PoolOptions {
  /** Distance between windows. Default: the size of the window. */
  readonly stride?: Axes;
  /** On each side of each axis, or before and after. Default 0. */
  readonly padding?: Axes | readonly (readonly [before: number, after: number])[];
  /** Distance between the elements of a window. Default 1, side by side. */
  readonly dilation?: Axes;
  /** Count windows that start inside the input but end past its padding. Default false. */
  readonly ceilMode?: boolean;
}
/** As of maximum pooling, and what the sum is divided by. */
export interface AvgPoolOptions extends Omit<PoolOptions, 'dilation'> {
  /** Padding counts in the divisor. Default true. */
  readonly countIncludePad?: boolean;
  /** Divides every sum, whatever the window covers. Not 0. Default: as many elements as are counted. */
  readonly divisorOverride?: number;
}

export interface PoolPlan extends PoolGeometry {
  readonly outputShape: Shape;
  /** The plan as it crosses to native code: see wire.ts. */
  readonly wire: Int32Array;
}

export function planPool(
  shape: Shape,
  dtype: DType,
  rank: Rank,
  kernelSize: Axes,
  options: PoolOptions & AvgPoolOptions,
): PoolPlan {
  const spatial = shape.slice(-rank);
  const kernel = perAxis(kernelSize, rank, 'kernelSize', 1);
  const stride = perAxis(options.stride ?? kernel, rank, 'options.stride', 1);
  const dilation = perAxis(options.dilation ?? 1, rank, 'options.dilation', 1);
  const padding = explicitPadding(options.padding ?? 0, rank, 'options.padding');
  const ceilMode = checkBoolean(options.ceilMode ?? false, 'options.ceilMode');
  const countIncludePad = checkBoolean(options.countIncludePad ?? true, 'options.countIncludePad');
  const axes = spatial.map((size, axis) => {
    const [padBefore, padAfter] = padding[axis];
    const window = {
      kernel: kernel[axis],
      stride: stride[axis],
      dilation: dilation[axis],
      padBefore,
      padAfter,
    };
    return poolAxis(size, window, ceilMode, axis);
  });
  const leading = shape.slice(0, -rank);
  const planes = elementCount(leading, 'input');
  const outputShape = Object.freeze([...leading, ...axes.map((axis) => axis.out)]);
  elementCount(outputShape, 'output');
  const triple = toTriple(axes);
  const window = { dtype, planes, axes: triple, countIncludePad };
  return Object.freeze({ ...window, outputShape, wire: encodePoolPlan(window) });
}

function poolAxis(size: number, window: Omit<Axis, 'in' | 'out'>, ceilMode: boolean, axis: number): Axis {
  const reach = extent(window.kernel, window.dilation);
  const largest = Math.max(window.padBefore, window.padAfter);
  if (largest >= reach) {
    const expected = `less than the dilated kernel (${reach}) on spatial axis ${axis}`;
    throw mismatch(ArgumentError, 'options.padding', expected, `${largest}`);
  }
  const room = size + window.padBefore + window.padAfter - reach;
  let out = (ceilMode ? Math.ceil : Math.floor)(room / window.stride) + 1;
  // In ceil mode a last window counts only when it starts inside the input or its leading padding.
  if (ceilMode && (out - 1) * window.stride >= size + window.padBefore) out--;
  if (out < 1) {
    const expected = `a dilated kernel within the padded input (${room + reach} on spatial axis ${axis})`;
    throw mismatch(ShapeError, 'kernelSize', expected, `${reach}`);
  }
  const result = { in: size, ...window, out };
  checkWindowsMeetInput(result, axis);
  return result;
}

/** Dilation can step over a small input: a window of padding alone has no maximum and no mean. */
function checkWindowsMeetInput(axis: Axis, index: number): void {
  const meets = (o: number): boolean => {
    const start = o * axis.stride - axis.padBefore;
    const tap = start < 0 ? Math.ceil(-start / axis.dilation) : 0;
    return tap < axis.kernel && start + tap * axis.dilation < axis.in;
  };
  // Only windows that begin in the padding can miss: the others' first tap is inside.
  for (let o = 0; o < axis.out && o * axis.stride < axis.padBefore; o++) {
    if (!meets(o)) throw emptyWindow(o, index);
  }
  if (!meets(axis.out - 1)) throw emptyWindow(axis.out - 1, index);
}

function emptyWindow(o: number, axis: number): ConvmatError {
  const expected = `windows that each hold an element of the input on spatial axis ${axis}`;
  return mismatch(ShapeError, 'kernelSize', expected, `window ${o} with padding alone`);
}
