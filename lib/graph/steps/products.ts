/** Matrix products. One row by a constant matrix has a step of its own, which reads each weight once. */

import { backend } from '../../backend/select.js';
import type { Accuracy } from '../../plan/algorithms/algorithm.js';
import { UNIT_AXIS } from '../../plan/options/axes.js';
import { convRequest, planConv } from '../../plan/plans/conv.js';
import type { Elements, GraphNode, NodeOf, Value } from '../graph.js';
import { float32Of, inputOf, outputOf } from '../operands.js';
import { sizeOf } from '../shapes.js';
import { type Convolution, clampOf, type Finish, labelOf, NO_CLAMP, weightOf } from './convolution.js';
import { resultOf } from './groups.js';
import { encodeProgram } from './program.js';
import type { KernelStep, Lowering } from './step.js';
import type { Words } from './words.js';

/** A product of one row by a constant matrix, [k] by [k][n] or its transpose. */
interface RowProduct {
  readonly input: number;
  readonly output: number;
  readonly matrix: Value;
  readonly isTransposed: boolean;
  readonly k: number;
  readonly n: number;
  readonly bias: Value | null;
  readonly alpha: number;
  readonly beta: number;
}

function rowProductOf(node: GraphNode, values: readonly Value[]): RowProduct | null {
  if (node.op !== 'Gemm' && node.op !== 'MatMul') return null;
  const [a, b] = [values[inputOf(node, 0)], values[inputOf(node, 1)]];
  if (a.type !== 'float32' || b.known === null || b.shape.length !== 2) return null;
  const isGemm = node.op === 'Gemm';
  const isTransposed = isGemm && node.attributes.transB;
  const [k, n] = isTransposed ? [b.shape[1], b.shape[0]] : b.shape;
  if (sizeOf(a.shape) !== k || k === 0 || n === 0) return null;
  const bias = node.inputs[2] == null ? null : values[node.inputs[2]];
  if (bias !== null && (bias.known === null || (bias.known.length !== n && bias.known.length !== 1)))
    return null;
  const [alpha, beta] = isGemm ? [node.attributes.alpha, node.attributes.beta] : [1, 1];
  const ids = { input: a.id, output: outputOf(node) };
  return { ...ids, matrix: b, isTransposed, k, n, bias, alpha, beta };
}

export function isRowProduct(node: GraphNode, values: readonly Value[]): boolean {
  return rowProductOf(node, values) !== null;
}

/** In JavaScript: a convolution of one pixel. */
export function rowProductConvolution(node: GraphNode, to: Lowering, accuracy: Accuracy): Convolution | null {
  const p = rowProductOf(node, to.values);
  if (p === null) return null;
  const matrix = weightOf(p.matrix);
  const weight = p.isTransposed && p.alpha === 1 ? matrix : derivedRows(p, to);
  const plan = planConv(
    convRequest(
      'forward',
      'float32',
      { rank: 1, groups: 1, paddingMode: 'zeros' },
      { batch: 1, inChannels: p.k, outChannels: p.n, axes: [UNIT_AXIS] },
      { algorithm: 'auto', accuracy },
    ),
    backend().machine,
  );
  return { plan, input: p.input, output: p.output, weight, bias: biasOf(p, to) };
}

/**
 * Natively: a product for each row of the matrix, which is read as it is stored. `finish` finishes the result; null when
 * the node is no product of a row.
 */
export function rowProductStep(node: GraphNode, to: Lowering, finish: Finish | null): KernelStep | null {
  const p = rowProductOf(node, to.values);
  if (p === null) return null;
  const isReady = p.alpha === 1;
  const weight = isReady ? weightOf(p.matrix) : derivedRows(p, to);
  const bias = biasOf(p, to);
  const clamp = finish === null ? NO_CLAMP : clampOf(finish.program);
  const nodes: readonly GraphNode[] = [node, ...(finish?.nodes ?? [])];
  const others = finish === null ? [] : finish.program.operands.slice(1).map(({ value }) => value);
  const result = finish === null ? p.output : resultOf(finish.nodes);
  return {
    kind: 'rowProducts',
    label: labelOf(nodes),
    algorithm: 'rows of the matrix, as they are stored',
    sources: nodes.flatMap(({ sources }) => sources),
    reads: [p.input, ...others],
    writes: [result],
    multiplications: p.k * p.n,
    encode(words) {
      words
        .push(p.n, p.k)
        .flag(isReady && !p.isTransposed)
        .weight(weight)
        .constant(bias)
        .push(clamp?.min ?? -Infinity, clamp?.max ?? Infinity)
        .operand(p.input)
        .operand(result)
        .flag(clamp === null);
      if (finish !== null && clamp === null) encodeProgram(words, finish.program, true);
    },
  };
}

function derivedRows(p: RowProduct, to: Lowering): Float32Array {
  return to.derive(`rows ${p.k}×${p.n} ${p.isTransposed} ${p.alpha}`, [weightOf(p.matrix)], () =>
    rowsOf(float32Of(p.matrix.constant), p.k, p.n, p.isTransposed, p.alpha),
  );
}

function biasOf({ bias, beta, n }: RowProduct, to: Lowering): Float32Array | null {
  if (bias === null) return null;
  const constant = float32Of(bias.constant);
  if (beta === 1 && constant.length === n) return constant;
  return to.derive(`bias ${n} ${beta}`, [constant], () =>
    Float32Array.from({ length: n }, (_, i) => beta * constant[constant.length === 1 ? 0 : i]),
  );
}

/** [n][k], times alpha. */
function rowsOf(from: Elements, k: number, n: number, isTransposed: boolean, alpha: number): Float32Array {
  const to = new Float32Array(n * k);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) to[row * k + i] = alpha * from[isTransposed ? row * k + i : i * n + row];
  }
  return to;
}

/** Products of more rows, or of two values. */
export function lowerMatMul(node: NodeOf<'MatMul'>, to: Lowering): boolean {
  const [a, b, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)].map((id) => to.values[id]);
  if (a.type !== 'float32' || a.shape.length < 2 || b.shape.length < 2) return false;
  const [m, k] = a.shape.slice(-2);
  const n = b.shape[b.shape.length - 1];
  const [batchA, batchB] = [sizeOf(a.shape.slice(0, -2)), sizeOf(b.shape.slice(0, -2))];
  const batch = sizeOf(y.shape.slice(0, -2));
  if (k === 0 || (batchA !== batch && batchA !== 1) || (batchB !== batch && batchB !== 1)) return false;
  // A matrix that all share meets the rows of all at once.
  if (batchB === 1 && batchA === batch) push(1, batch * m, n, k, false, false);
  else push(batch, m, n, k, batchA === 1 && batch > 1, batchB === 1 && batch > 1);
  return true;

  function push(
    count: number,
    rows: number,
    columns: number,
    depth: number,
    sharesA: boolean,
    sharesB: boolean,
  ): void {
    const isPacked = b.known !== null && (count === 1 || sharesB) && !sharesA;
    const constant = isPacked ? float32Of(b.constant) : null;
    to.push(matmulStep(node, [a.id, b.id, y.id], [count, rows, columns, depth], sharesA, sharesB, constant));
  }
}

function matmulStep(
  node: { readonly op: string; readonly sources: readonly string[] },
  [a, b, y]: readonly [number, number, number],
  [count, m, n, k]: readonly [number, number, number, number],
  sharesA: boolean,
  sharesB: boolean,
  constant: Float32Array | null,
): KernelStep {
  return {
    kind: 'matmul',
    label: node.op,
    algorithm: constant === null ? 'blocked product' : 'blocked product, packed once',
    sources: node.sources,
    reads: constant === null ? [a, b] : [a],
    writes: [y],
    multiplications: count * m * n * k,
    encode(words: Words) {
      words
        .push(count, m, n, k)
        .flag(sharesA)
        .flag(sharesB)
        .operand(a)
        .flag(constant !== null);
      if (constant === null) words.operand(b);
      else words.constant(constant);
      words.operand(y);
    },
  };
}
