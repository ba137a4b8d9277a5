/** Gemm, MatMul and Einsum: everything that is a matrix product. */
import { backend } from '../../backend/select.js';
import { describe, describeShape } from '../../check.js';
import { FormatError, ShapeError, UnsupportedError } from '../../errors.js';
import type { Shape } from '../../tensor/tensor.js';
import { allocate } from '../elements.js';
import type { Evaluations, View } from '../evaluate.js';
import type { Elements, ElementType, Value } from '../graph.js';
import type { OnnxNode, OnnxOperator } from '../onnx-node.js';
import { broadcastShapes, broadcastStrides, copyStrided, sizeOf, stridesOf } from '../shapes.js';

const NUMBERS: readonly ElementType[] = ['float32', 'float64', 'int32', 'uint32', 'int64', 'uint64'];

export const PRODUCTS: Readonly<Record<string, OnnxOperator>> = {
  Gemm: {
    attributes: { alpha: 'float', beta: 'float', transA: 'int', transB: 'int', broadcast: 'int' },
    read: readGemm,
  },
  MatMul: { attributes: {}, read: readMatMul },
  Einsum: { attributes: { equation: 'string' }, read: readEinsum },
};

function readGemm(node: OnnxNode): void {
  const [a, b, c] = [node.input(0), node.input(1), node.optional(2)];
  node.checkType(a, NUMBERS);
  node.checkRank(a, 2);
  node.checkRank(b, 2);
  const [transA, transB] = [node.int('transA', 0) !== 0, node.int('transB', 0) !== 0];
  const [m, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [rows, n] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  if (rows !== k) throw node.refuse(ShapeError, `${k} rows in the second factor`, describeShape(b.shape));
  const shape = [m, n];
  if (c !== null && describe(broadcastShapes([shape, c.shape])) !== describe(shape))
    throw node.refuse(ShapeError, `a summand that broadcasts to [${m}, ${n}]`, describeShape(c.shape));
  const attributes = { alpha: node.float('alpha', 1), beta: node.float('beta', 1), transA, transB };
  node.become('Gemm', attributes, [a, b, c], a.type, shape);
}

function readMatMul(node: OnnxNode): void {
  const [a, b] = [node.input(0), node.input(1)];
  node.checkType(a, NUMBERS);
  node.become('MatMul', {}, [a, b], a.type, productShape(node, a, b));
}

/** NumPy's matmul: vectors gain an axis that the result loses again, and leading axes broadcast. */
export function productShape(node: OnnxNode, a: Value, b: Value): number[] {
  const [left, right] = [factorShape(a.shape, 'left'), factorShape(b.shape, 'right')];
  const lead = broadcastShapes([left.slice(0, -2), right.slice(0, -2)]);
  if (a.shape.length === 0 || b.shape.length === 0 || lead === null || left.at(-1) !== right.at(-2))
    throw node.refuse(
      ShapeError,
      'shapes that multiply as matrices',
      `${describeShape(a.shape)} and ${describeShape(b.shape)}`,
    );
  if (a.shape.length > 1) lead.push(left[left.length - 2]);
  if (b.shape.length > 1) lead.push(right[right.length - 1]);
  return lead;
}

function factorShape(shape: Shape, side: 'left' | 'right'): Shape {
  if (shape.length !== 1) return shape;
  return side === 'left' ? [1, shape[0]] : [shape[0], 1];
}

/** Sizes of a product of stacks of matrices, and where each product of two of them reads. */
export interface ProductLoops {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly count: number;
  /** The index of the matrix of a and of b for each product. */
  readonly left: Int32Array;
  readonly right: Int32Array;
}

export function productLoops(aShape: Shape, bShape: Shape): ProductLoops {
  const [a, b] = [factorShape(aShape, 'left'), factorShape(bShape, 'right')];
  const [aLead, bLead] = [a.slice(0, -2), b.slice(0, -2)];
  const lead = broadcastShapes([aLead, bLead]) ?? [];
  const count = sizeOf(lead);
  const indices = (own: Shape): Int32Array => {
    const list = new Int32Array(count);
    if (count > 0) {
      const source = Int32Array.from({ length: sizeOf(own) }, (_, i) => i);
      const from = { data: source, offset: 0, strides: broadcastStrides(own, lead) };
      copyStrided(lead, from, { data: list, offset: 0, strides: stridesOf(lead) });
    }
    return list;
  };
  return {
    m: a[a.length - 2],
    k: a[a.length - 1],
    n: b[b.length - 1],
    count,
    left: indices(aLead),
    right: indices(bLead),
  };
}

export const EVALUATE_PRODUCTS: Evaluations<'Gemm' | 'MatMul'> = {
  Gemm: ({ attributes: { alpha, beta, transA, transB }, inputs: [a, b, c], outputs: [y] }) => {
    if (a === null || b === null || y === null) return;
    const [m, n] = y.shape;
    const k = transA ? a.shape[0] : a.shape[1];
    const left = transA ? transposed(a) : a.data;
    // A transposed copy of a large weight costs more than a product with few rows.
    if (transB && m <= FEW_ROWS && y.data instanceof Float32Array)
      multiplyByRows(m, n, k, left, b.data, y.data);
    else multiply(m, n, k, left, transB ? transposed(b) : b.data, y.data);
    const summand = c === null || beta === 0 ? null : c;
    if (alpha === 1 && summand === null) return;
    const [rowStride, columnStride] = summand === null ? [0, 0] : broadcastStrides(summand.shape, y.shape);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const added = summand === null ? 0 : beta * summand.data[i * rowStride + j * columnStride];
        y.data[i * n + j] = alpha * y.data[i * n + j] + added;
      }
    }
  },
  MatMul: ({ inputs: [a, b], outputs: [y] }) => {
    if (a === null || b === null || y === null) return;
    const { m, n, k, count, left, right } = productLoops(a.shape, b.shape);
    for (let i = 0; i < count; i++) {
      const from = left[i] * m * k;
      const by = right[i] * k * n;
      multiply(
        m,
        n,
        k,
        a.data.subarray(from, from + m * k),
        b.data.subarray(by, by + k * n),
        y.data.subarray(i * m * n, (i + 1) * m * n),
      );
    }
  },
};

/** c[m][n] = a[m][k]·b[k][n] for elements of one type. */
export function multiply(m: number, n: number, k: number, a: Elements, b: Elements, c: Elements): void {
  // float64 holds long integers too, whose products and sums are exact below 2^53 either way.
  if (c instanceof Float32Array || c instanceof Float64Array) {
    backend().matmul(m, n, k, a, b, c);
    return;
  }
  c.fill(0);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const factor = a[i * k + p];
      // Math.imul and the stores wrap as integers of 32 bits do.
      for (let j = 0; j < n; j++) c[i * n + j] += Math.imul(factor, b[p * n + j]);
    }
  }
}

const FEW_ROWS = 4;

/** c[m][n] = Σ_p a[m][p]·b[n][p]: rows by rows. */
function multiplyByRows(m: number, n: number, k: number, a: Elements, b: Elements, c: Elements): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      // Four sums, so that additions need not wait for one another.
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      const [left, right] = [i * k, j * k];
      let p = 0;
      for (; p + 4 <= k; p += 4) {
        s0 += a[left + p] * b[right + p];
        s1 += a[left + p + 1] * b[right + p + 1];
        s2 += a[left + p + 2] * b[right + p + 2];
        s3 += a[left + p + 3] * b[right + p + 3];
      }
      for (; p < k; p++) s0 += a[left + p] * b[right + p];
      c[i * n + j] = s0 + s1 + (s2 + s3);
    }
  }
}

function transposed({ type, shape: [rows, columns], data }: View): Elements {
  const result = allocate(type, rows * columns);
  const from = { data, offset: 0, strides: [1, columns] };
  copyStrided([columns, rows], from, { data: result, offset: 0, strides: [rows, 1] });
  return result;
}

// ───────────────────────────── Einsum ─────────────────────────────

/** An operand with a label for each of its axes. */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly string[];
}

function readEinsum(node: OnnxNode): void {
  const operands = node.inputs();
  if (operands.length > 2) throw node.refuse(UnsupportedError, 'at most two operands', `${operands.length}`);
  for (const operand of operands) node.checkType(operand, NUMBERS);
  const { inputs, output } = parseEquation(node, operands);
  const sizes = labelSizes(node, operands, inputs);
  const alone = operands.map((value, i) => diagonal(node, { value, labels: inputs[i] }, sizes));
  const result =
    alone.length === 1
      ? sumAway(node, alone[0], (label) => output.includes(label))
      : product(node, alone[0], alone[1], output, sizes);
  node.result(0, arrange(node, result, output, sizes));
}

/** Whether a term is letters, with at most one ellipsis among them. One pattern for all would take exponential time. */
function isTerm(term: string): boolean {
  const parts = term.split('...');
  return parts.length <= 2 && parts.every((letters) => /^[a-zA-Z]*$/.test(letters));
}

/** Labels of each operand and of the result. An ellipsis becomes labels of digits, the last axis first. */
function parseEquation(node: OnnxNode, operands: readonly Value[]): { inputs: string[][]; output: string[] } {
  const equation = node.string('equation').replace(/\s+/g, '');
  const [left, right, ...more] = equation.split('->');
  const terms = left.split(',');
  const isSound = more.length === 0 && [...terms, right ?? ''].every(isTerm);
  if (!isSound || terms.length !== operands.length)
    throw node.refuse(FormatError, `an equation of ${operands.length} operands`, describe(equation));
  let widest = 0;
  const expand = (term: string, covered: number): string[] => {
    const [before, after] = term.split('...');
    if (after === undefined) return [...before];
    const ellipsis = Array.from({ length: covered }, (_, i) => `${covered - 1 - i}`);
    return [...before, ...ellipsis, ...after];
  };
  const inputs = terms.map((term, i) => {
    const letters = term.replace('...', '').length;
    const covered = operands[i].shape.length - letters;
    if (covered < 0 || (covered > 0 && !term.includes('...')))
      throw node.refuse(ShapeError, `${letters} axes for ${term}`, describeShape(operands[i].shape));
    if (term.includes('...')) widest = Math.max(widest, covered);
    return expand(term, covered);
  });
  if (right !== undefined) return { inputs, output: expand(right, widest) };
  // Without an arrow: what stands in one operand only, in alphabetical order, behind the ellipsis.
  const all = inputs.flat();
  const once = [...new Set(all)].filter((label) => /[a-zA-Z]/.test(label));
  const letters = once.filter((label) => all.indexOf(label) === all.lastIndexOf(label)).sort();
  return { inputs, output: [...expand('...', widest), ...letters] };
}

function labelSizes(
  node: OnnxNode,
  operands: readonly Value[],
  inputs: readonly (readonly string[])[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  inputs.forEach((labels, i) => {
    labels.forEach((label, axis) => {
      const size = operands[i].shape[axis];
      const known = sizes.get(label) ?? 1;
      if (known !== 1 && size !== 1 && known !== size)
        throw node.refuse(ShapeError, `${known} for ${label}`, describeShape(operands[i].shape));
      if (size !== 1 || !sizes.has(label)) sizes.set(label, size);
    });
  });
  return sizes;
}

/** A label that an operand has twice stands for its diagonal. */
function diagonal(node: OnnxNode, { value, labels }: Labelled, sizes: ReadonlyMap<string, number>): Labelled {
  const distinct = [...new Set(labels)];
  if (distinct.length === labels.length) return { value, labels };
  const shape = distinct.map((label) => sizes.get(label) ?? 1);
  const own = stridesOf(value.shape);
  const strides = distinct.map((label) =>
    labels.reduce((sum, other, axis) => (other === label ? sum + own[axis] : sum), 0),
  );
  const places = Float64Array.from({ length: sizeOf(value.shape) }, (_, i) => i);
  const indices = new Float64Array(sizeOf(shape));
  const from = { data: places, offset: 0, strides };
  copyStrided(shape, from, { data: indices, offset: 0, strides: stridesOf(shape) });
  const flat = node.reshape(value, [places.length]);
  const picked = node.constant('int64', shape, indices);
  return { value: node.apply('Gather', { axis: 0 }, [flat, picked], value.type, shape), labels: distinct };
}

function sumAway(node: OnnxNode, { value, labels }: Labelled, keeps: (label: string) => boolean): Labelled {
  const axes = labels.flatMap((label, axis) => (keeps(label) ? [] : [axis]));
  if (axes.length === 0) return { value, labels };
  const shape = value.shape.filter((_, axis) => !axes.includes(axis));
  const summed = node.apply('Reduce', { fn: 'Sum', axes, keepDims: false }, [value], value.type, shape);
  return { value: summed, labels: labels.filter(keeps) };
}

/** Labels that both have and the result keeps are a batch; those that it loses are what a matrix product sums over. */
function product(
  node: OnnxNode,
  a: Labelled,
  b: Labelled,
  output: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Labelled {
  const left = sumAway(node, a, (label) => output.includes(label) || b.labels.includes(label));
  const right = sumAway(node, b, (label) => output.includes(label) || a.labels.includes(label));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => output.includes(label));
  const summed = shared.filter((label) => !output.includes(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const size = (labels: readonly string[]) => sizeOf(labels.map((label) => sizes.get(label) ?? 1));
  const [p, m, k, n] = [batch, rows, summed, columns].map(size);
  const first = node.reshape(arrange(node, left, [...batch, ...rows, ...summed], sizes), [p, m, k]);
  const second = node.reshape(arrange(node, right, [...batch, ...summed, ...columns], sizes), [p, k, n]);
  const multiplied = node.apply('MatMul', {}, [first, second], a.value.type, [p, m, n]);
  const labels = [...batch, ...rows, ...columns];
  return {
    value: node.reshape(
      multiplied,
      labels.map((label) => sizes.get(label) ?? 1),
    ),
    labels,
  };
}

/** The operand with its axes in this order, each of its full size; axes that it lacks repeat it. */
function arrange(
  node: OnnxNode,
  { value, labels }: Labelled,
  order: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Value {
  const present = order.filter((label) => labels.includes(label));
  const perm = present.map((label) => labels.indexOf(label));
  const moved = perm.every((from, to) => from === to)
    ? value
    : node.apply(
        'Transpose',
        { perm },
        [value],
        value.type,
        perm.map((axis) => value.shape[axis]),
      );
  const spread = node.reshape(
    moved,
    order.map((label) => (labels.includes(label) ? moved.shape[present.indexOf(label)] : 1)),
  );
  const shape = order.map((label) => sizes.get(label) ?? 1);
  const fits = shape.every((extent, axis) => extent === spread.shape[axis]);
  return fits ? spread : node.apply('Expand', {}, [spread], value.type, shape);
}
