/** What each way of computing a convolution costs, and which one 'auto' takes and why. */

import { backend } from '../backend/select.js';
import { checkOneOf, checkOptions, checkShape, isObject, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import type { Accuracy, AlgorithmName, Precision, Request, Weights } from '../plan/algorithms/algorithm.js';
import type { Cost } from '../plan/algorithms/cost.js';
import { costsOf } from '../plan/explain.js';
import type { Machine } from '../plan/isa.js';
import { GEOMETRY_OPTIONS, type Geometry, likeInput, rankOfWeight } from '../plan/options/window.js';
import type { ConvPlan } from '../plan/plans/conv.js';
import { UNKNOWN_WEIGHTS, weightsOf } from '../plan/weights.js';
import type { FloatDType } from '../tensor/dtype.js';
import { isNested, type TensorLike, takeFloat } from '../tensor/take.js';
import type { Nested, Shape } from '../tensor/tensor.js';
import { planForward } from './operands.js';
import { checkPrecision, readExactness } from './options.js';

/** How a convolution would run, and why so. */
export interface Explanation {
  /** The algorithm that runs. */
  readonly chosen: AlgorithmName;
  /** Why that one, in a sentence. */
  readonly reason: string;
  /** What operands are rounded to before they are multiplied: 'bf16', or 'float32' for nothing. */
  readonly precision: Precision;
  /** Shape of the result, batch included. */
  readonly outputShape: Shape;
  /**
   * What the chosen algorithm keeps: its weights, which Winograd and Fourier transforms enlarge (a PreparedConv holds
   * them until it is disposed), and the scratch memory of a thread, at most.
   */
  readonly workspace: { readonly weightBytes: number; readonly threadBytes: number };
  /** 'dense-toeplitz' is the convolution's matrix multiplied out in full. */
  readonly costs: readonly Cost[];
  /** An aligned table. */
  toString(): string;
}

/** The geometry that is asked about, and what else the choice depends on. */
export interface ExplainOptions extends Geometry {
  /** 'strict' keeps to algorithms that err no more than a direct sum in order. Default 'fast'. */
  readonly accuracy?: Accuracy;
  /** As conv2d's. Default 'float32'. */
  readonly precision?: Precision;
  /** Of a weight that is given by its shape alone. Default float32. */
  readonly dtype?: FloatDType;
}

/**
 * Counts the multiplications, additions and bytes of every algorithm that can serve a convolution, and of the dense
 * matrix that it stands for. Nothing is computed.
 *
 * @param inputShape  [n, ic, spatial…], or without n.
 * @param weight      [oc, ic/groups, kernel…], or only its shape.
 * @throws as convNd for the same shapes and options.
 * @example explainConv([1, 3, 32, 32], weight, { padding: 1 }).outputShape   // [1, 8, 32, 32]
 */
export function explainConv(
  inputShape: Shape,
  weight: TensorLike | { readonly shape: Shape },
  options?: ExplainOptions,
): Explanation {
  const given = checkOptions(options, [...GEOMETRY_OPTIONS, 'accuracy', 'precision', 'dtype']);
  const exactness = readExactness(given);
  const dtype = checkOneOf(given.dtype ?? 'float32', 'options.dtype', ['float32', 'float64']);
  const w = weightOf(weight, dtype);
  checkPrecision(exactness.precision, w.dtype, 'weight');
  const rank = rankOfWeight(w.shape);
  const shape = checkShape(inputShape, 'inputShape');
  const manner = { algorithm: 'auto', ...exactness, ...w.traits } as const;
  const { plan, input } = planForward('forward', w.dtype, rank, shape, w.shape, given, manner);
  return explainPlan(plan, manner, likeInput(plan.outputShape, input), backend().machine);
}

function isShapeAlone(
  weight: Exclude<TensorLike, Nested> | { readonly shape: Shape },
): weight is { readonly shape: Shape } {
  return !('data' in weight) && 'shape' in weight;
}

interface ExplainedWeight {
  readonly shape: Shape;
  readonly dtype: FloatDType;
  readonly traits: Weights;
}

function weightOf(weight: TensorLike | { readonly shape: Shape }, dtype: FloatDType): ExplainedWeight {
  if (isNested(weight)) {
    const { data, shape } = takeFloat(weight, 'weight', dtype);
    return { shape, dtype, traits: weightsOf(data, shape, 'auto') };
  }
  if (!isObject(weight)) throw mistake(ArgumentError, 'weight', 'a tensor or {shape}', weight);
  if (isShapeAlone(weight))
    return { shape: checkShape(weight.shape, 'weight.shape'), dtype, traits: UNKNOWN_WEIGHTS };
  const { data, shape, dtype: own } = takeFloat(weight, 'weight');
  return { shape, dtype: own, traits: weightsOf(data, shape, 'auto') };
}

export function explainPlan(
  plan: ConvPlan,
  request: Request,
  outputShape: Shape,
  machine: Machine,
): Explanation {
  const {
    reason,
    precision,
    variant: { algorithm: chosen },
  } = plan;
  const { all: costs, workspace } = costsOf(plan, request, machine);
  return {
    chosen,
    reason,
    precision,
    outputShape,
    workspace,
    costs,
    toString: () => table(costs, chosen, reason),
  };
}

const COLUMNS = ['multiplications', 'additions', 'bytes', 'extraBytes'] as const;

function table(costs: readonly Cost[], chosen: AlgorithmName, reason: string): string {
  const header = ['algorithm', 'multiplications', 'additions', 'bytes', 'extra bytes'];
  const rows = costs.map((cost) => [
    `${cost.algorithm}${cost.algorithm === chosen ? ' *' : ''}`,
    ...COLUMNS.map((column) => cost[column].toLocaleString('en-US')),
  ]);
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  const line = (cells: string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [line(header), ...rows.map(line), `* ${chosen}: ${reason}`].join('\n');
}
