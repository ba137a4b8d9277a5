/**
 * Which elements an output of a convolution reads along one spatial axis: the structure behind every entry of its
 * matrix. Taps that fall into the padding read nothing where it is zero; elsewhere they may coincide with others.
 */
import type { Axis, PaddingMode } from './options/axes.js';

/** What one output position reads along one axis. */
export interface Reads {
  /** The distinct elements read, ascending. */
  readonly sources: readonly number[];
  /** For each of them, the taps that read it. */
  readonly taps: readonly (readonly number[])[];
}

/** The element that position `at` of the padded axis stands for; -1 for a zero. */
export function sourceOf(at: number, size: number, mode: PaddingMode): number {
  if (at >= 0 && at < size) return at;
  if (mode === 'circular') return at < 0 ? at + size : at - size;
  if (mode === 'reflect') return at < 0 ? -at : 2 * (size - 1) - at;
  if (mode === 'replicate') return at < 0 ? 0 : size - 1;
  return -1;
}

export function readsAt(axis: Axis, mode: PaddingMode, output: number): Reads {
  const first = output * axis.stride - axis.padBefore;
  const bySource = new Map<number, number[]>();
  for (let tap = 0; tap < axis.kernel; tap++) {
    const source = sourceOf(first + tap * axis.dilation, axis.in, mode);
    if (source < 0) continue;
    const taps = bySource.get(source);
    if (taps === undefined) bySource.set(source, [tap]);
    else taps.push(tap);
  }
  const sources = [...bySource.keys()].sort((a, b) => a - b);
  return { sources, taps: sources.map((source) => bySource.get(source) as number[]) };
}

/** Outputs first … first + count − 1 read alike: each one's elements lie `stride` after its predecessor's. */
export interface Run {
  readonly first: number;
  readonly count: number;
  readonly reads: Reads;
}

/** The axis's outputs in order, as runs: the interior is one, however long; an output near an edge may be its own. */
export function runsOf(axis: Axis, mode: PaddingMode): Run[] {
  const inside = interiorOf(axis);
  const runs: { first: number; count: number; reads: Reads }[] = [];
  for (let output = 0; output < axis.out; ) {
    const count = output === inside.first ? inside.count : 1;
    const reads = readsAt(axis, mode, output);
    const last = runs.at(-1);
    if (last !== undefined && count === 1 && isShifted(last.reads, reads, last.count * axis.stride))
      last.count++;
    else runs.push({ first: output, count, reads });
    output += count;
  }
  return runs;
}

/** Outputs all of whose taps lie inside the input; count is 0 (and first -1) when there are none. */
function interiorOf({ in: size, kernel, stride, dilation, padBefore, out }: Axis): {
  first: number;
  count: number;
} {
  const first = Math.ceil(padBefore / stride);
  const lastStart = size - 1 - dilation * (kernel - 1) + padBefore;
  const last = Math.min(out - 1, Math.floor(lastStart / stride));
  return last >= first ? { first, count: last - first + 1 } : { first: -1, count: 0 };
}

function isShifted(a: Reads, b: Reads, by: number): boolean {
  return (
    a.sources.length === b.sources.length &&
    a.sources.every((source, i) => b.sources[i] === source + by) &&
    a.taps.every(
      (taps, i) => taps.length === b.taps[i].length && taps.every((tap, j) => tap === b.taps[i][j]),
    )
  );
}
