/** Linear convolution over any number of axes: the plan carried out, by direct sums or by transforms. */

import { NO_CLAMP } from '../backend/backend.js';
import { convolveAny, type Line, signOfPlain, wholeLine } from '../backend/by-transforms.js';
import { runAll } from '../backend/js/work.js';
import { backend } from '../backend/select.js';
import { elementCount } from '../check.js';
import { convolveLines } from '../conv/lines.js';
import { product } from '../numbers.js';
import type { Accuracy } from '../plan/algorithms/algorithm.js';
import type { Axis, Rank } from '../plan/options/axes.js';
import { convRequest, planConv } from '../plan/plans/conv.js';
import { type FlatLinear, flatten, type LinearAxis, planLinear } from '../plan/plans/linear.js';
import { isParts, multiplyParts, type PartsOf } from '../tensor/complex.js';
import { uninitialised, zeros } from '../tensor/dtype.js';

/**
 * out[i] = Σ_j a[j]·b[i − j] for the window that the axes give. Operands have ∏ axis.a and ∏ axis.b elements.
 *
 * @param accuracy  'strict' sums directly.
 */
export function convolveLinear(
  a: Float64Array,
  b: Float64Array,
  axes: readonly LinearAxis[],
  accuracy: Accuracy,
): Float64Array {
  const count = elementCount(
    axes.map(({ out }) => out),
    'output',
  );
  if (count === 0) return zeros('float64', 0);
  const plan = planLinear(axes, accuracy, backend().machine);
  if (plan.algorithm === 'direct') return sumDirectly(a, b, axes, count);
  const out = convolveFlat(a, b, axes, count, (signal, kernel, start, stretch) =>
    convolveLines(signal, kernel, plan.block, start, stretch),
  );
  // Whole numbers convolve to whole numbers: when the error is known to be below a half, rounding removes it.
  if (isWhole(a) && isWhole(b) && errorOf(plan.block, norm(a), norm(b)) < 0.25) roundEach(out);
  return out;
}

function errorOf(block: number, normA: number, normB: number): number {
  return Number.EPSILON * 4 * Math.log2(2 * block) * normA * normB;
}

function roundEach(values: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i] = Math.round(values[i]) + 0;
}

/** The same of operands that may be complex. */
export function convolveParts(
  a: Float64Array | PartsOf<Float64Array>,
  b: Float64Array | PartsOf<Float64Array>,
  axes: readonly LinearAxis[],
  accuracy: Accuracy,
): Float64Array | PartsOf<Float64Array> {
  if (!isParts(a) && !isParts(b)) return convolveLinear(a, b, axes, accuracy);
  const both = isParts(a) && isParts(b) ? convolveComplex(a, b, axes, accuracy) : null;
  return (
    both ?? multiplyParts(a, b, (p: Float64Array, q: Float64Array) => convolveLinear(p, q, axes, accuracy))
  );
}

/**
 * By complex transforms, half as many as four real convolutions take. Null where sums are direct, and where the values need
 * more than transforms: what is not finite, or near an end of the range.
 */
function convolveComplex(
  a: PartsOf<Float64Array>,
  b: PartsOf<Float64Array>,
  axes: readonly LinearAxis[],
  accuracy: Accuracy,
): PartsOf<Float64Array> | null {
  const count = elementCount(
    axes.map(({ out }) => out),
    'output',
  );
  if (count === 0) return null;
  const plan = planLinear(axes, accuracy, backend().machine, 'backend', 'complex');
  if (plan.algorithm === 'direct') return null;
  const signs = [a.re, a.im, b.re, b.im].map(signOfPlain);
  if (signs.includes(null)) return null;
  const [aRe, aIm, bRe, bIm] = signs.map(Number);
  const flat = flatten(axes);
  const layOut = (part: Float64Array, of: (axis: LinearAxis) => number) =>
    lay(part, axes.map(of), flat.strides).values;
  const lines = [
    { re: layOut(a.re, (axis) => axis.a), im: layOut(a.im, (axis) => axis.a) },
    { re: layOut(b.re, (axis) => axis.b), im: layOut(b.im, (axis) => axis.b) },
  ];
  const [signal, kernel] = lines[0].re.length >= lines[1].re.length ? lines : lines.reverse();
  const size = elementCount([flat.out], 'workspace');
  const stretch = { re: uninitialised('float64', size), im: uninitialised('float64', size) };
  backend().fftConvolveComplex(signal, kernel, plan.block, flat.start, stretch);
  const out = { re: pick(stretch.re, axes, flat, count), im: pick(stretch.im, axes, flat, count) };
  // Terms of one sign give sums of that sign.
  keepSign(out.re, aRe * bRe, -aIm * bIm);
  keepSign(out.im, aRe * bIm, aIm * bRe);
  const normOf = ({ re, im }: PartsOf<Float64Array>): number => Math.hypot(norm(re), norm(im));
  const areWhole = [a.re, a.im, b.re, b.im].every(isWhole);
  if (areWhole && errorOf(plan.block, normOf(a), normOf(b)) < 0.25) {
    roundEach(out.re);
    roundEach(out.im);
  }
  return out;
}

/** Where the first and the second of two kinds of terms have one sign. */
function keepSign(sums: Float64Array, first: number, second: number): void {
  if (first === 0 || first !== second) return;
  for (let i = 0; i < sums.length; i++) sums[i] = first > 0 ? Math.max(sums[i], 0) : Math.min(sums[i], 0);
}

/**
 * Of the two operands the shorter is the kernel, unless it alone is not finite: the kernel meets the zeros around the signal
 * as well, which are no terms of the sum.
 */
function sumDirectly(
  a: Float64Array,
  b: Float64Array,
  axes: readonly LinearAxis[],
  count: number,
): Float64Array {
  const swapped = axes.map(exchanged);
  const [finiteA, finiteB] = [areFinite(a), areFinite(b)];
  if (finiteB && (a.length >= b.length || !finiteA || swapped.some(crops))) {
    return convolveDirect(a, b, axes, count);
  }
  if (finiteA && !swapped.some(crops)) return convolveDirect(b, a, swapped, count);
  return convolveFlat(a, b, axes, count, (signal, kernel, start, stretch) => {
    runAll(
      // biome-ignore lint/correctness/useYield: one convolution is one unit of work.
      convolveAny(signal, kernel, start, stretch, function* (x, y, to) {
        to.set(sumStretch(Float64Array.from(x), Float64Array.from(y), start, to.length));
      }),
    );
  });
}

function exchanged({ a, b, start, out }: LinearAxis): LinearAxis {
  return { a: b, b: a, start, out };
}

/** Whether the window leaves out elements of a that reach no output. */
function crops(axis: LinearAxis): boolean {
  const { padBefore, padAfter } = correlationAxis(axis);
  return padBefore < 0 || padAfter < 0;
}

/** A stretch of the convolution of finite numbers along one axis. */
function sumStretch(x: Float64Array, y: Float64Array, start: number, out: number): Float64Array {
  const first = Math.min(Math.max(start - y.length + 1, 0), x.length - 1);
  const read = x.subarray(first, Math.max(Math.min(x.length, start + out), first + 1));
  const axis = { a: read.length, b: y.length, start: start - first, out };
  return convolveDirect(read, y, [axis], out);
}

function areFinite(values: Float64Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * 0;
  return sum === 0;
}

/** The Euclidean norm: Infinity or NaN when a value is, or when the sum of squares overflows. */
function norm(values: Float64Array): number {
  let even = 0;
  let odd = 0;
  const last = values.length - 1;
  for (let i = 0; i < last; i += 2) {
    even += values[i] * values[i];
    odd += values[i + 1] * values[i + 1];
  }
  if (last % 2 === 0) even += values[last] * values[last];
  return Math.sqrt(even + odd);
}

function isWhole(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isInteger(values[i])) return false;
  return true;
}

const MAX_RANK = 3;

/**
 * Correlation with the flipped kernel. Axes beyond three become the batch (of a) and the output channels (of b);
 * the results of each pair are summed where they meet.
 */
function convolveDirect(
  a: Float64Array,
  b: Float64Array,
  axes: readonly LinearAxis[],
  count: number,
): Float64Array {
  const outer = axes.slice(0, Math.max(axes.length - MAX_RANK, 0));
  const inner = axes.slice(outer.length);
  const batch = product(outer.map((axis) => axis.a));
  const outChannels = product(outer.map((axis) => axis.b));
  const window = { rank: inner.length as Rank, groups: 1, paddingMode: 'zeros' } as const;
  const sizes = { batch, inChannels: 1, outChannels, axes: inner.map(correlationAxis) };
  // Rows of taps pass zeros of the kernel by, which what is not finite must meet.
  const algorithm = areFinite(a) ? 'auto' : 'im2col';
  const manner = { algorithm, accuracy: 'strict' } as const;
  const plan = planConv(convRequest('forward', 'float64', window, sizes, manner), backend().machine);
  const weight = flipEach(b, b.length / outChannels);
  const pairs = uninitialised('float64', elementCount(plan.outputShape, 'output'));
  const operands = { weight, bias: null, clamp: NO_CLAMP };
  backend().conv(plan, operands, a, pairs);
  return outer.length === 0 ? pairs : sumPairs(pairs, outer, count);
}

function correlationAxis({ a, b, start, out }: LinearAxis): Axis {
  const padBefore = b - 1 - start;
  return { in: a, kernel: b, stride: 1, dilation: 1, padBefore, padAfter: out - a + start, out };
}

/** Every run of `length` elements, backwards. */
function flipEach(values: Float64Array, length: number): Float64Array {
  const flipped = values.slice();
  for (let from = 0; from < flipped.length; from += length) flipped.subarray(from, from + length).reverse();
  return flipped;
}

/** out[i + j − start][…] ← Σ pairs[i][j][…] over the outer axes' positions i of a and j of b. */
function sumPairs(pairs: Float64Array, outer: readonly LinearAxis[], count: number): Float64Array {
  const out = zeros('float64', count);
  const slices = product(outer.map((axis) => axis.out));
  const size = count / slices;
  const ofA = positions(outer.map((axis) => axis.a));
  const ofB = positions(outer.map((axis) => axis.b));
  let from = 0;
  for (const i of ofA) {
    for (const j of ofB) {
      let slice = 0;
      const inside = outer.every((axis, d) => {
        const at = i[d] + j[d] - axis.start;
        slice = slice * axis.out + at;
        return at >= 0 && at < axis.out;
      });
      if (inside) for (let k = 0; k < size; k++) out[slice * size + k] += pairs[from + k];
      from += size;
    }
  }
  return out;
}

/** Every position of a grid, row-major. */
function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

/** All axes as one: rows laid out so far apart that they cannot reach into one another. */
function convolveFlat(
  a: Float64Array,
  b: Float64Array,
  axes: readonly LinearAxis[],
  count: number,
  convolve: (signal: Line, kernel: Line, start: number, stretch: Float64Array) => void,
): Float64Array {
  const flat = flatten(axes);
  const sizes = (of: (axis: LinearAxis) => number): number[] => axes.map(of);
  const lines = [
    lay(
      a,
      sizes((axis) => axis.a),
      flat.strides,
    ),
    lay(
      b,
      sizes((axis) => axis.b),
      flat.strides,
    ),
  ];
  const [signal, kernel] = lines[0].values.length >= lines[1].values.length ? lines : lines.reverse();
  const stretch = uninitialised('float64', elementCount([flat.out], 'workspace'));
  convolve(signal, kernel, flat.start, stretch);
  return pick(stretch, axes, flat, count);
}

/** The outputs of a stretch, without what lies between its rows. */
function pick(
  stretch: Float64Array,
  axes: readonly LinearAxis[],
  { strides }: FlatLinear,
  count: number,
): Float64Array {
  if (axes.length === 1) return stretch;
  const out = uninitialised('float64', count);
  eachRow(
    axes.map((axis) => axis.out),
    strides,
    (row, length, at) => out.set(stretch.subarray(at, at + length), row),
  );
  return out;
}

/** Rows laid out by these strides, zeros between them. */
function lay(values: Float64Array, sizes: readonly number[], strides: readonly number[]): Line {
  if (sizes.length === 1) return wholeLine(values);
  const padded = zeros(
    'float64',
    elementCount([1 + sizes.reduce((last, size, i) => last + (size - 1) * strides[i], 0)], 'workspace'),
  );
  eachRow(sizes, strides, (row, length, at) => padded.set(values.subarray(row, row + length), at));
  return {
    values: padded,
    places() {
      const places = new Int32Array(values.length);
      eachRow(sizes, strides, (row, length, at) => {
        for (let i = 0; i < length; i++) places[row + i] = at + i;
      });
      return places;
    },
  };
}

/** Visits the rows along the last axis: where each begins in a dense array, its length, and where by the strides. */
function eachRow(
  sizes: readonly number[],
  strides: readonly number[],
  visit: (row: number, length: number, at: number) => void,
): void {
  const length = sizes[sizes.length - 1];
  let row = 0;
  const walk = (axis: number, at: number): void => {
    if (axis === sizes.length - 1) {
      visit(row, length, at);
      row += length;
      return;
    }
    for (let i = 0; i < sizes[axis]; i++) walk(axis + 1, at + i * strides[axis]);
  };
  walk(0, 0);
}
