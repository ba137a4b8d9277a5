/** Which operations are affine in what a run is given, y = Σ Mᵢ·xᵢ + b on flattened values, and their matrices. */

import { ConvMatrix, type TransposedConvMatrix } from '../matrix/conv-matrix.js';
import { type CsrMatrix, csrOf } from '../matrix/csr.js';
import { checkEntryCount } from '../matrix/operator.js';
import { extent } from '../plan/options/axes.js';
import { type FloatArray, uninitialised } from '../tensor/dtype.js';
import type { Shape } from '../tensor/tensor.js';
import { allocate, floatsOf, floatTypeOf, isFloat } from './elements.js';
import type { View } from './evaluate.js';
import type { Elements, Graph, GraphNode, NodeOf, ResizeAxis, Value } from './graph.js';
import { requestOf } from './operators/convolution.js';
import { evaluateNode } from './operators/index.js';
import { productLoops } from './operators/products.js';
import { offsetsAlong } from './operators/reductions.js';
import { broadcastStrides, copyStrided, sizeOf, stridesOf } from './shapes.js';

export type AffineMatrix = CsrMatrix | ConvMatrix | TransposedConvMatrix;

/** One summand: made when it is asked for, since it may be large. */
export interface AffineTerm {
  /** Id of the value that it multiplies. */
  readonly input: number;
  /** Entries of the matrix as a sparse format stores it, at most. */
  readonly entries: () => number;
  readonly matrix: () => AffineMatrix;
  /** The matrix is the identity. */
  readonly identity: boolean;
  /** It is stored as the kernel of a convolution, and has entries only when somebody asks for them. */
  readonly implicit: boolean;
}

export interface AffineMap {
  readonly terms: readonly AffineTerm[];
  /** What the operation gives for zeros. */
  readonly bias: () => FloatArray;
}

/** Entries of a sparse matrix, row by row, columns ascending. */
type Fill = (entry: (column: number, value: number) => void, row: number) => void;

class Reading {
  readonly inputs: readonly (Value | null)[];
  readonly output: Value;

  constructor(
    readonly node: GraphNode,
    graph: Pick<Graph, 'values'>,
    output: number,
  ) {
    this.inputs = node.inputs.map((id) => (id === null ? null : graph.values[id]));
    this.output = graph.values[output];
  }

  /** Values that are not known before a run. */
  get given(): Value[] {
    return this.inputs.filter((value): value is Value => value !== null && value.constant === null);
  }

  get rows(): number {
    return sizeOf(this.output.shape);
  }

  /** Whether all inputs but these are constants or absent. */
  onlyGiven(...indices: readonly number[]): boolean {
    return this.inputs.every((value, i) => value === null || value.constant !== null || indices.includes(i));
  }
}

/** The operation as an affine map; null when it is none. */
export function affineMapOf(node: GraphNode, graph: Pick<Graph, 'values'>): AffineMap | null {
  const [output, ...others] = node.outputs;
  if (output === null || output === undefined || others.some((id) => id !== null)) return null;
  const reading = new Reading(node, graph, output);
  if (!isFloat(reading.output.type) || !reading.given.every(({ type }) => type === reading.output.type))
    return null;
  const terms = termsOf(node, reading);
  if (terms === null) return null;
  return { terms, bias: () => valueAtZero(node, reading) };
}

function termsOf(node: GraphNode, reading: Reading): AffineTerm[] | null {
  switch (node.op) {
    case 'Conv':
    case 'ConvTranspose':
      return reading.onlyGiven(0) ? convolutionTerms(node, reading) : null;
    case 'Gemm':
      return gemmTerms(node, reading);
    case 'MatMul':
      return matMulTerms(reading);
    case 'BatchNormalization':
      return reading.onlyGiven(0) ? normalizationTerms(node, reading) : null;
    case 'AveragePool':
      return [averageTerm(node, reading)];
    case 'Reduce':
      return node.attributes.fn === 'Sum' || node.attributes.fn === 'Mean'
        ? [reduceTerm(node, reading)]
        : null;
    case 'Resize':
      return [resizeTerm(node, reading)];
    case 'Binary':
      return binaryTerms(node, reading);
    case 'Unary':
      return node.attributes.fn === 'Neg' ? [diagonalTerm(reading, 0, () => -1)] : null;
    case 'Where':
      return reading.onlyGiven(1, 2) ? whereTerms(reading) : null;
    case 'CumSum':
      return [cumulativeTerm(node, reading)];
    case 'Cast':
      return node.attributes.round === null ? [identityTerm(reading.given[0])] : null;
    case 'Reshape':
      return [identityTerm(reading.given[0])];
    case 'Transpose':
    case 'Slice':
    case 'Expand':
    case 'Tile':
    case 'Pad':
      return reading.onlyGiven(0) ? movedTerms(node, reading) : null;
    case 'Concat':
      return movedTerms(node, reading);
    case 'Gather':
    case 'GatherElements':
    case 'GatherND':
      return reading.onlyGiven(0) ? movedTerms(node, reading) : null;
    default:
      return null;
  }
}

// ───────────────────────────── terms ─────────────────────────────

function identityTerm(input: Value): AffineTerm {
  const size = sizeOf(input.shape);
  const matrix = () => sparse(input, size, size, size, (entry, row) => entry(row, 1));
  return { input: input.id, entries: () => size, matrix, identity: true, implicit: false };
}

function sparseTerm(input: Value, rows: number, entries: number, fill: Fill): AffineTerm {
  const columns = sizeOf(input.shape);
  const matrix = () => sparse(input, rows, columns, entries, fill);
  return { input: input.id, entries: () => entries, matrix, identity: false, implicit: false };
}

/** A matrix of the precision of `input`; entries of 0 are left out. */
function sparse({ type, name }: Value, rows: number, columns: number, most: number, fill: Fill): CsrMatrix {
  checkEntryCount(most, name);
  const indptr = new Int32Array(rows + 1);
  const indices = uninitialised('int32', most);
  const data: FloatArray = uninitialised(floatTypeOf(type), most);
  let at = 0;
  const entry = (column: number, value: number) => {
    if (value === 0) return;
    indices[at] = column;
    data[at++] = value;
  };
  for (let row = 0; row < rows; row++) {
    fill(entry, row);
    indptr[row + 1] = at;
  }
  return csrOf([rows, columns], indptr, indices.slice(0, at), data.slice(0, at));
}

/** Each output reads one element, times a factor; −1 reads none. */
function selectionTerm(
  input: Value,
  sources: ArrayLike<number>,
  factor: (row: number) => number,
): AffineTerm {
  return sparseTerm(input, sources.length, sources.length, (entry, row) => {
    if (sources[row] >= 0) entry(sources[row], factor(row));
  });
}

function diagonalTerm(
  { inputs, output }: Reading,
  index: number,
  factor: (row: number) => number,
): AffineTerm {
  const input = inputs[index] ?? output;
  return selectionTerm(input, broadcastSources(input.shape, output.shape), factor);
}

/** For each element of a shape the element of an operand that broadcasts to it. */
function broadcastSources(shape: Shape, to: Shape): Float64Array {
  return spread(
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => i),
    shape,
    to,
  );
}

function spread(data: Elements, shape: Shape, to: Shape): Float64Array {
  const all = new Float64Array(sizeOf(to));
  copyStrided(
    to,
    { data, offset: 0, strides: broadcastStrides(shape, to) },
    { data: all, offset: 0, strides: stridesOf(to) },
  );
  return all;
}

function convolutionTerms(
  node: NodeOf<'Conv'> | NodeOf<'ConvTranspose'>,
  { inputs, output }: Reading,
): AffineTerm[] | null {
  const [x, w] = inputs;
  if (x == null || w == null || w.constant === null) return null;
  const sample = (shape: Shape) => [1, ...shape.slice(1)];
  const from = { type: x.type, shape: sample(x.shape) };
  const manner = { accuracy: 'strict', precision: 'float32' } as const;
  const request = requestOf(node.op, 'forward', node.attributes, from, sample(output.shape), manner);
  const matrix = new ConvMatrix(request, floatsOf(w.constant));
  const one = node.op === 'Conv' ? matrix : matrix.T;
  if (x.shape[0] === 1)
    return [{ input: x.id, entries: () => one.nnz, matrix: () => one, identity: false, implicit: true }];
  // A batch: the same matrix for each sample.
  const batches = x.shape[0];
  const repeated = (): CsrMatrix => repeat(one.toCSR(), batches);
  return [
    { input: x.id, entries: () => one.nnz * batches, matrix: repeated, identity: false, implicit: false },
  ];
}

/** A matrix over and over along the diagonal. */
function repeat(matrix: CsrMatrix, count: number): CsrMatrix {
  const [rows, columns] = matrix.shape;
  const indptr = new Int32Array(rows * count + 1);
  const indices = uninitialised('int32', matrix.nnz * count);
  const data: FloatArray = uninitialised(matrix.dtype, matrix.nnz * count);
  for (let block = 0; block < count; block++) {
    const start = block * matrix.nnz;
    for (let row = 0; row < rows; row++) indptr[block * rows + row + 1] = start + matrix.indptr[row + 1];
    for (let p = 0; p < matrix.nnz; p++) indices[start + p] = matrix.indices[p] + block * columns;
    data.set(matrix.data, start);
  }
  return csrOf([rows * count, columns * count], indptr, indices, data);
}

function gemmTerms(
  { attributes: { alpha, beta, transA, transB } }: NodeOf<'Gemm'>,
  reading: Reading,
): AffineTerm[] | null {
  const { inputs, output } = reading;
  const [a, b, c] = inputs;
  if (a == null || b == null) return null;
  const [m, n] = output.shape;
  const k = transA ? a.shape[0] : a.shape[1];
  const terms: AffineTerm[] = [];
  if (a.constant === null && b.constant !== null) {
    const weight = b.constant;
    terms.push(
      sparseTerm(a, m * n, m * n * k, (entry, row) => {
        const [i, j] = [Math.floor(row / n), row % n];
        for (let p = 0; p < k; p++)
          entry(transA ? p * m + i : i * k + p, alpha * weight[transB ? j * k + p : p * n + j]);
      }),
    );
  } else if (b.constant === null && a.constant !== null) {
    const weight = a.constant;
    terms.push(
      sparseTerm(b, m * n, m * n * k, (entry, row) => {
        const [i, j] = [Math.floor(row / n), row % n];
        for (let p = 0; p < k; p++)
          entry(transB ? j * k + p : p * n + j, alpha * weight[transA ? p * m + i : i * k + p]);
      }),
    );
  } else if (a.constant === null) return null;
  if (c != null && c.constant === null) terms.push(diagonalTerm(reading, 2, () => beta));
  return terms;
}

function matMulTerms({ inputs, rows }: Reading): AffineTerm[] | null {
  const [a, b] = inputs;
  if (a == null || b == null || (a.constant === null && b.constant === null)) return null;
  const { m, n, k, left, right } = productLoops(a.shape, b.shape);
  const place = (row: number) => {
    const [i, j] = [Math.floor((row % (m * n)) / n), row % n];
    const which = Math.floor(row / (m * n));
    return { i, j, from: left[which] * m * k, by: right[which] * k * n };
  };
  if (b.constant !== null) {
    const weight = b.constant;
    const fill: Fill = (entry, row) => {
      const { i, j, from, by } = place(row);
      for (let p = 0; p < k; p++) entry(from + i * k + p, weight[by + p * n + j]);
    };
    return [sparseTerm(a, rows, rows * k, fill)];
  }
  const weight = a.constant ?? [];
  const fill: Fill = (entry, row) => {
    const { i, j, from, by } = place(row);
    for (let p = 0; p < k; p++) entry(by + p * n + j, weight[from + i * k + p]);
  };
  return [sparseTerm(b, rows, rows * k, fill)];
}

function normalizationTerms(
  { attributes: { epsilon } }: NodeOf<'BatchNormalization'>,
  reading: Reading,
): AffineTerm[] | null {
  const [x, scale, , , variance] = reading.inputs;
  if (x == null || scale?.constant == null || variance?.constant == null) return null;
  const places = sizeOf(x.shape.slice(2));
  const channels = x.shape.length === 1 ? 1 : x.shape[1];
  const [factors, squares] = [scale.constant, variance.constant];
  return [
    diagonalTerm(reading, 0, (row) => {
      const c = Math.floor(row / places) % channels;
      return factors[c] / Math.sqrt(squares[c] + epsilon);
    }),
  ];
}

function averageTerm({ attributes }: NodeOf<'AveragePool'>, { given, output, rows }: Reading): AffineTerm {
  const [x] = given;
  const { kernel, strides, dilations, pads, countIncludePad } = attributes;
  const [sizes, outputs] = [x.shape.slice(2), output.shape.slice(2)];
  const [inputs, each] = [sizeOf(sizes), sizeOf(outputs)];
  const [own, outer] = [stridesOf(sizes), stridesOf(outputs)];
  const taps = kernel.reduce((product, size) => product * size, 1);
  return sparseTerm(x, rows, rows * taps, (entry, row) => {
    const plane = Math.floor(row / each) * inputs;
    const columns: number[] = [];
    let divisor = 1;
    const walk = (axis: number, base: number): void => {
      if (axis === sizes.length) {
        columns.push(plane + base);
        return;
      }
      const start = startOf(row, axis);
      for (let t = 0; t < kernel[axis]; t++) {
        const place = start + t * dilations[axis];
        if (place >= 0 && place < sizes[axis]) walk(axis + 1, base + place * own[axis]);
      }
    };
    const startOf = (index: number, axis: number): number =>
      (Math.floor((index % each) / outer[axis]) % outputs[axis]) * strides[axis] - pads[axis][0];
    walk(0, 0);
    if (countIncludePad) {
      // The window clipped to the padded input.
      for (let axis = 0; axis < sizes.length; axis++) {
        const room = sizes[axis] + pads[axis][1] - startOf(row, axis);
        const reach = extent(kernel[axis], dilations[axis]);
        divisor *= room >= reach ? kernel[axis] : Math.ceil(room / dilations[axis]);
      }
    } else divisor = columns.length;
    for (const column of columns) entry(column, 1 / divisor);
  });
}

function reduceTerm(
  { attributes: { fn, axes } }: NodeOf<'Reduce'>,
  { given: [x], rows }: Reading,
): AffineTerm {
  const rest = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const offsets = offsetsAlong(x.shape, axes);
  const bases = offsetsAlong(x.shape, rest);
  const factor = fn === 'Mean' ? 1 / offsets.length : 1;
  return sparseTerm(x, rows, rows * offsets.length, (entry, row) => {
    for (const offset of offsets) entry(bases[row] + offset, factor);
  });
}

/** Every axis on its own: an output reads the product of what each of its axes reads. */
function resizeTerm(
  { attributes: { axes } }: NodeOf<'Resize'>,
  { given: [x], output, rows }: Reading,
): AffineTerm {
  const [own, outer] = [stridesOf(x.shape), stridesOf(output.shape)];
  const readings = output.shape.map((size, axis) => {
    const resized = axes.find((candidate) => candidate.axis === axis);
    return Array.from({ length: size }, (_, i) =>
      resized === undefined ? [[i, 1] as const] : tapsOf(resized, i),
    );
  });
  const most = axes.reduce((product, { taps }) => product * taps, rows);
  return sparseTerm(x, rows, most, (entry, row) => {
    const walk = (axis: number, base: number, weight: number): void => {
      if (axis === readings.length) {
        entry(base, weight);
        return;
      }
      const place = Math.floor(row / outer[axis]) % output.shape[axis];
      for (const [index, factor] of readings[axis][place])
        walk(axis + 1, base + index * own[axis], weight * factor);
    };
    walk(0, 0, 1);
  });
}

/** What output i of an axis reads: each element once, ascending; nothing outside of what is cropped. */
function tapsOf({ taps, indices, weights, outside }: ResizeAxis, i: number): (readonly [number, number])[] {
  if (outside?.[i] === 1) return [];
  const sums = new Map<number, number>();
  for (let t = i * taps; t < (i + 1) * taps; t++)
    sums.set(indices[t], (sums.get(indices[t]) ?? 0) + weights[t]);
  return [...sums].sort(([a], [b]) => a - b);
}

function binaryTerms({ attributes: { fn } }: NodeOf<'Binary'>, reading: Reading): AffineTerm[] | null {
  const { inputs, output } = reading;
  const [a, b] = inputs;
  if (a == null || b == null) return null;
  if (fn === 'Add' || fn === 'Sub') {
    const terms: AffineTerm[] = [];
    if (a.constant === null) terms.push(summandTerm(reading, 0));
    if (b.constant === null)
      terms.push(fn === 'Add' ? summandTerm(reading, 1) : diagonalTerm(reading, 1, () => -1));
    return terms;
  }
  const factorOf = (value: Value) =>
    value.constant === null ? null : spread(value.constant, value.shape, output.shape);
  if (fn === 'Mul') {
    const [left, right] = [factorOf(a), factorOf(b)];
    const factors = left ?? right;
    if (factors === null || !factors.every(Number.isFinite)) return null;
    return [diagonalTerm(reading, left === null ? 0 : 1, (row) => factors[row])];
  }
  if (fn !== 'Div') return null;
  const divisors = factorOf(b);
  if (divisors === null || !divisors.every((value) => value !== 0 && !Number.isNaN(value))) return null;
  return [diagonalTerm(reading, 0, (row) => 1 / divisors[row])];
}

/** Broadcast to the result, where it is not of its size. */
function summandTerm(reading: Reading, index: number): AffineTerm {
  const value = reading.inputs[index];
  const isOfItsSize = value !== null && sizeOf(value.shape) === reading.rows;
  return isOfItsSize ? identityTerm(value) : diagonalTerm(reading, index, () => 1);
}

function whereTerms(reading: Reading): AffineTerm[] | null {
  const [condition, x, y] = reading.inputs;
  if (condition?.constant == null || x == null || y == null) return null;
  const chosen = spread(condition.constant, condition.shape, reading.output.shape);
  const terms: AffineTerm[] = [];
  if (x.constant === null) terms.push(diagonalTerm(reading, 1, (row) => chosen[row]));
  if (y.constant === null) terms.push(diagonalTerm(reading, 2, (row) => 1 - chosen[row]));
  return terms;
}

function cumulativeTerm(
  { attributes: { axis, exclusive, reverse } }: NodeOf<'CumSum'>,
  { given: [x], rows }: Reading,
): AffineTerm {
  const size = x.shape[axis];
  const step = stridesOf(x.shape)[axis];
  return sparseTerm(x, rows, rows * size, (entry, row) => {
    const place = Math.floor(row / step) % size;
    for (let i = 0; i < size; i++) {
      const before = reverse ? i > place : i < place;
      if (before || (!exclusive && i === place)) entry(row + (i - place) * step, 1);
    }
  });
}

/**
 * Operations that move elements, run on the elements' own places: what they give says which place each output reads. The places
 * of several operands are numbered one after another, those of one that comes several times once.
 */
function movedTerms(node: GraphNode, { inputs, output, rows }: Reading): AffineTerm[] {
  const moves = (index: number): boolean => node.op === 'Concat' || index === 0;
  const starts = new Map<number, number>();
  const moved: Value[] = [];
  let places = 0;
  for (const [index, value] of inputs.entries()) {
    if (value === null || value.constant !== null || !moves(index) || starts.has(value.id)) continue;
    starts.set(value.id, places);
    moved.push(value);
    places += sizeOf(value.shape);
  }
  let known: Float64Array | null = null;
  const sources = (): Float64Array => {
    const views = inputs.map((value, index): View | null => {
      if (value === null) return null;
      const { type, shape, constant, id } = value;
      if (!moves(index)) return { type, shape, data: constant ?? new Float64Array(0) };
      const start = starts.get(id);
      const data = new Float64Array(sizeOf(shape)).fill(-1);
      if (start !== undefined) for (let p = 0; p < data.length; p++) data[p] = start + p;
      return { type: 'float64', shape, data };
    });
    const result = new Float64Array(rows);
    const marked = node.op === 'Pad' ? { ...node, attributes: { ...node.attributes, value: -1 } } : node;
    evaluateNode(marked, views, [{ type: 'float64', shape: output.shape, data: result }]);
    return result;
  };
  return moved.map((value) => {
    const start = starts.get(value.id) ?? 0;
    const end = start + sizeOf(value.shape);
    return sparseTerm(value, rows, rows, (entry, row) => {
      known ??= sources();
      const place = known[row];
      if (place >= start && place < end) entry(place - start, 1);
    });
  });
}

// ───────────────────────────── bias ─────────────────────────────

/** The operation's value where everything that a run gives is 0. */
function valueAtZero(node: GraphNode, { inputs, output }: Reading): FloatArray {
  const result = {
    type: output.type,
    shape: output.shape,
    data: floatsOf(allocate(output.type, sizeOf(output.shape))),
  };
  const [first, , bias] = inputs;
  if ((node.op === 'Conv' || node.op === 'ConvTranspose') && first !== null) {
    // The bias of each channel, without a convolution of zeros.
    const places = sizeOf(output.shape.slice(2));
    for (let i = 0; i < result.data.length; i++)
      result.data[i] = bias?.constant == null ? 0 : bias.constant[Math.floor(i / places) % output.shape[1]];
    return result.data;
  }
  const views = inputs.map((input): View | null => {
    if (input === null) return null;
    const { type, shape, constant } = input;
    return { type, shape, data: constant ?? allocate(type, sizeOf(shape)).fill(0) };
  });
  evaluateNode(node, views, [result]);
  return result.data;
}
