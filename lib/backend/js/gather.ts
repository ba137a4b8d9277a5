/**
 * Where a convolution reads, one axis at a time. Forward and adjoint are the same loop over different gathers:
 *   written[start + j·step] = Σ_t source[line[j·jump + offsets[t]]] · kernel[taps[t]]
 */
import type { Axis, PaddingMode } from '../../plan/options/axes.js';

export interface AxisGather {
  /** Positions written: start, start + step, … of the written axis. */
  readonly count: number;
  readonly start: number;
  readonly step: number;
  /** The kernel's taps that can contribute, and where on the line position 0 meets them: an arithmetic progression. */
  readonly taps: Int32Array;
  readonly offsets: Int32Array;
  /** Distance on the line from one position to the next. */
  readonly jump: number;
  /** The source elements in the order that they are met, or -1 for a zero. */
  readonly line: Int32Array;
  /** line[u] = line[inside[0]] + u − inside[0] for inside[0] ≤ u < inside[1]: there only the first is looked up. */
  readonly inside: readonly [number, number];
}

/** The positions that one choice of gathers writes, depth, height, width. */
export type Lattice = readonly [AxisGather, AxisGather, AxisGather];

/** The element that position j meets at tap t (an index into the gather's taps), or -1. */
export function sourceAt({ line, jump, offsets }: AxisGather, j: number, t: number): number {
  return line[j * jump + offsets[t]];
}

/** The input element that each position of the padded axis holds; -1 for a zero. */
export function paddedSources(axis: Axis, mode: PaddingMode): Int32Array {
  const { in: size, padBefore, padAfter } = axis;
  const line = new Int32Array(padBefore + size + padAfter);
  for (let padded = 0; padded < line.length; padded++) {
    const at = padded - padBefore;
    if (at >= 0 && at < size) line[padded] = at;
    else if (mode === 'circular') line[padded] = at < 0 ? at + size : at - size;
    else if (mode === 'reflect') line[padded] = at < 0 ? -at : 2 * (size - 1) - at;
    else if (mode === 'replicate') line[padded] = at < 0 ? 0 : size - 1;
    else line[padded] = -1;
  }
  return line;
}

/** Every output of the forward convolution, in order. */
export function forwardGather(axis: Axis, mode: PaddingMode): AxisGather {
  const { in: size, kernel, stride, dilation, padBefore, out } = axis;
  return {
    count: out,
    start: 0,
    step: 1,
    taps: progression(kernel, 0, 1),
    offsets: progression(kernel, 0, dilation),
    jump: stride,
    line: paddedSources(axis, mode),
    inside: [padBefore, padBefore + size],
  };
}

export function forwardLattice(axes: readonly Axis[], mode: PaddingMode): Lattice {
  const [depth, height, width] = axes;
  return [forwardGather(depth, mode), forwardGather(height, mode), forwardGather(width, mode)];
}

/**
 * The adjoint with zero padding: input i is reached from output (i + padBefore − t·dilation)/stride where that is one.
 * Inputs of one residue modulo the stride share their taps, so each residue that meets any is a dense gather of its own,
 * and no zero is multiplied for the stride's sake.
 */
export function adjointGathers(axis: Axis): AxisGather[] {
  const { in: size, kernel, stride, dilation, padBefore, out } = axis;
  const tapsOf = new Map<number, number[]>();
  for (let t = 0; t < kernel; t++) {
    const start = (((t * dilation - padBefore) % stride) + stride) % stride;
    if (start >= size) continue;
    const taps = tapsOf.get(start);
    if (taps === undefined) tapsOf.set(start, [t]);
    else taps.push(t);
  }
  return [...tapsOf].map(([start, taps]) => {
    const outputs = taps.map((t) => (start + padBefore - t * dilation) / stride);
    // Later taps meet earlier outputs.
    const lowest = outputs[outputs.length - 1];
    const count = Math.ceil((size - start) / stride);
    const line = progression(count + outputs[0] - lowest, lowest, 1);
    for (let u = 0; u < line.length; u++) if (line[u] < 0 || line[u] >= out) line[u] = -1;
    return {
      count,
      start,
      step: stride,
      taps: Int32Array.from(taps),
      offsets: Int32Array.from(outputs, (o) => o - lowest),
      jump: 1,
      line,
      inside: [Math.max(0, -lowest), Math.min(line.length, out - lowest)],
    };
  });
}

/** Lattices that do not meet: an input on none of them is reached from no output. */
export function adjointLattices(axes: readonly Axis[]): Lattice[] {
  const [depth, height, width] = axes.map(adjointGathers);
  return depth.flatMap((d) => height.flatMap((h) => width.map((w): Lattice => [d, h, w])));
}

function progression(length: number, first: number, step: number): Int32Array {
  const values = new Int32Array(length);
  for (let i = 0; i < length; i++) values[i] = first + i * step;
  return values;
}
