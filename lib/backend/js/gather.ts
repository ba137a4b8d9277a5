/**
 * Where a convolution reads, one axis at a time. Forward and adjoint are the same loop over different gathers:
 *   written[j] = Σ_t source[sources[j·taps + t]] · kernel[taps[t]]
 */
import type { Axis, PaddingMode } from '../../plan/axes.js';

export interface AxisGather {
  /** Positions written: start, start + step, … of the written axis. */
  readonly count: number;
  readonly start: number;
  readonly step: number;
  /** The kernel's taps that can contribute. */
  readonly taps: Int32Array;
  /** [count][taps]: the element to read, or -1 for a zero. */
  readonly sources: Int32Array;
  /** Whether a position's taps read inside the source, tapStep apart: then only the first need be looked up. */
  readonly regular: Uint8Array;
  readonly tapStep: number;
}

/** The positions that one choice of gathers writes, depth, height, width. */
export type Lattice = readonly [AxisGather, AxisGather, AxisGather];

/** The input element that each position of the padded axis holds; -1 for a zero. */
export function paddedSources(axis: Axis, mode: PaddingMode): Int32Array {
  const { in: size, padBefore, padAfter } = axis;
  return Int32Array.from({ length: padBefore + size + padAfter }, (_, padded) => {
    const at = padded - padBefore;
    if (at >= 0 && at < size) return at;
    if (mode === 'circular') return at < 0 ? at + size : at - size;
    if (mode === 'reflect') return at < 0 ? -at : 2 * (size - 1) - at;
    if (mode === 'replicate') return at < 0 ? 0 : size - 1;
    return -1;
  });
}

/** Every output of the forward convolution, in order. */
export function forwardGather(axis: Axis, mode: PaddingMode): AxisGather {
  const { kernel, stride, dilation, out } = axis;
  const padded = paddedSources(axis, mode);
  const sources = new Int32Array(out * kernel);
  for (let o = 0; o < out; o++) {
    for (let t = 0; t < kernel; t++) sources[o * kernel + t] = padded[o * stride + t * dilation];
  }
  return gather(out, 0, 1, allTaps(kernel), sources);
}

export function forwardLattice(axes: readonly Axis[], mode: PaddingMode): Lattice {
  const [depth, height, width] = axes;
  return [forwardGather(depth, mode), forwardGather(height, mode), forwardGather(width, mode)];
}

/**
 * The adjoint with zero padding: input i is reached from output (i + padBefore − t·dilation)/stride where that is one.
 * Inputs of one residue modulo the stride share their taps, so each residue is a dense gather of its own and no
 * zero is multiplied for the stride's sake.
 */
export function adjointGathers(axis: Axis): AxisGather[] {
  const { in: size, kernel, stride, dilation, padBefore, out } = axis;
  const gathers: AxisGather[] = [];
  for (let start = 0; start < Math.min(stride, size); start++) {
    const taps = allTaps(kernel).filter((t) => (start + padBefore - t * dilation) % stride === 0);
    const count = Math.ceil((size - start) / stride);
    const sources = new Int32Array(count * taps.length);
    for (let j = 0; j < count; j++) {
      for (let index = 0; index < taps.length; index++) {
        const o = (start + j * stride + padBefore - taps[index] * dilation) / stride;
        sources[j * taps.length + index] = o >= 0 && o < out ? o : -1;
      }
    }
    gathers.push(gather(count, start, stride, taps, sources));
  }
  return gathers;
}

export function adjointLattices(axes: readonly Axis[]): Lattice[] {
  const [depth, height, width] = axes.map(adjointGathers);
  return depth.flatMap((d) => height.flatMap((h) => width.map((w): Lattice => [d, h, w])));
}

function gather(
  count: number,
  start: number,
  step: number,
  taps: Int32Array,
  sources: Int32Array,
): AxisGather {
  const regular = new Uint8Array(count);
  // The step shows wherever two neighbouring taps both read inside; where a mode folds back, it differs.
  let tapStep = 0;
  for (let at = 0; at < sources.length && tapStep === 0; at++) {
    const isLast = (at + 1) % taps.length === 0;
    if (!isLast && sources[at] >= 0 && sources[at + 1] >= 0) tapStep = sources[at + 1] - sources[at];
  }
  for (let j = 0; j < count; j++) {
    const first = j * taps.length;
    let isRegular = taps.length > 0;
    for (let t = 0; t < taps.length && isRegular; t++) {
      isRegular = sources[first + t] >= 0 && sources[first + t] === sources[first] + t * tapStep;
    }
    regular[j] = Number(isRegular);
  }
  return { count, start, step, taps, sources, regular, tapStep };
}

function allTaps(kernel: number): Int32Array {
  return Int32Array.from({ length: kernel }, (_, t) => t);
}
