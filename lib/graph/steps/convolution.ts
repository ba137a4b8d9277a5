/** Convolutions by their plans, with what follows them in the last write. */
import type { BoundConv, Clamp } from '../../backend/backend.js';
import { backend } from '../../backend/select.js';
import type { Accuracy } from '../../plan/algorithms/algorithm.js';
import { type Axis, UNIT_AXIS } from '../../plan/options/axes.js';
import { type ConvPlan, planConv } from '../../plan/plans/conv.js';
import { UNKNOWN_WEIGHTS, weightsOf } from '../../plan/weights.js';
import type { GraphNode, NodeOf, Value } from '../graph.js';
import { float32Of, inputOf, outputOf } from '../operands.js';
import { sizeOf } from '../shapes.js';
import { type Elementwise, resultOf } from './groups.js';
import { encodeProgram, type Program } from './program.js';
import { runProgram } from './run-program.js';
import type { KernelStep, Lowering, ScriptStep, Step } from './step.js';

/** A convolution, whichever operation of the graph it is. */
export interface Convolution {
  readonly plan: ConvPlan;
  readonly input: number;
  readonly output: number;
  readonly weight: Float32Array;
  readonly bias: Float32Array | null;
}

const NO_CLAMP: Clamp = { min: -Infinity, max: Infinity };

/** Whether a node is a convolution by constants, which a plan can serve. */
export function isConvolution(node: GraphNode, values: readonly Value[]): boolean {
  if (node.op !== 'Conv' && node.op !== 'ConvTranspose') return false;
  const [x, w] = [values[inputOf(node, 0)], values[inputOf(node, 1)]];
  const bias = node.inputs[2] == null ? null : values[node.inputs[2]];
  const hasBias = bias === null || bias.constant !== null;
  return x.type === 'float32' && w.constant !== null && hasBias && x.shape.length <= 5 && sizeOf(x.shape) > 0;
}

export function convolutionOf(
  node: NodeOf<'Conv'> | NodeOf<'ConvTranspose'>,
  values: readonly Value[],
  accuracy: Accuracy,
): Convolution {
  const [input, output] = [inputOf(node, 0), outputOf(node)];
  const [x, w, y] = [values[input], values[inputOf(node, 1)], values[output]];
  const bias = node.inputs[2] == null ? null : float32Of(values[node.inputs[2]].constant);
  const weight = float32Of(w.constant);
  const isForward = node.op === 'Conv';
  const { kernel, strides, dilations, pads, groups } = node.attributes;
  // What the transposed convolution is the adjoint of reads its result.
  const [from, to] = isForward ? [x, y] : [y, x];
  const axes = kernel.map(
    (size, axis): Axis => ({
      in: from.shape[axis + 2],
      kernel: size,
      stride: strides[axis],
      dilation: dilations[axis],
      padBefore: pads[axis][0],
      padAfter: pads[axis][1],
      out: to.shape[axis + 2],
    }),
  );
  const known = isForward ? weightsOf(weight, w.shape, 'auto') : UNKNOWN_WEIGHTS;
  const plan = planConv(
    {
      op: isForward ? 'forward' : 'inputGrad',
      dtype: 'float32',
      rank: kernel.length === 1 ? 1 : kernel.length === 2 ? 2 : 3,
      batch: x.shape[0],
      groups,
      inChannels: from.shape[1],
      outChannels: to.shape[1],
      axes,
      paddingMode: 'zeros',
      algorithm: 'auto',
      accuracy,
      ...known,
    },
    backend().machine,
  );
  return { plan, input, output, weight, bias };
}

export function multiplicationsOf({ plan }: Convolution): number {
  const perOutput = sizeOf(plan.weightShape.slice(1));
  return sizeOf(plan.outputShape) * perOutput;
}

/** What finishes a convolution's result, and the nodes that it does the work of; the last of them writes. */
export interface Finish {
  readonly program: Program;
  readonly nodes: readonly Elementwise[];
}

/** @param result  Where it is written, when that is not what the nodes write. */
export function convolutionStep(
  node: GraphNode,
  conv: Convolution,
  finish: Finish | null,
  result = finish === null ? conv.output : resultOf(finish.nodes),
): Step {
  const program = finish === null ? null : finish.program;
  const clamp = program === null ? NO_CLAMP : clampOf(program);
  const rest = clamp === null ? program : null;
  const nodes: readonly GraphNode[] = [node, ...(finish?.nodes ?? [])];
  const others = program === null ? [] : program.operands.slice(1).map((operand) => operand.value);
  const base = {
    label: labelOf(nodes),
    algorithm: `${conv.plan.variant.algorithm}: ${conv.plan.reason}`,
    sources: nodes.flatMap((n) => n.sources),
    reads: [conv.input, ...others],
    writes: [result],
    multiplications: multiplicationsOf(conv),
  };
  return backend().name === 'js'
    ? scriptStep(base, conv, clamp ?? NO_CLAMP, rest, result)
    : kernelStep(base, conv, clamp ?? NO_CLAMP, rest, result);
}

type Base = Omit<KernelStep, 'kind' | 'encode'>;

function kernelStep(
  base: Base,
  conv: Convolution,
  clamp: Clamp,
  program: Program | null,
  result: number,
): KernelStep {
  return {
    ...base,
    kind: 'conv',
    encode(words) {
      words
        .push(...conv.plan.wire)
        .constant(conv.weight)
        .constant(conv.bias);
      words.push(clamp.min, clamp.max).operand(conv.input).operand(result);
      words.flag(program !== null);
      if (program !== null) encodeProgram(words, program, true);
    },
  };
}

function scriptStep(
  base: Base,
  { plan, weight, bias, input }: Convolution,
  clamp: Clamp,
  program: Program | null,
  result: number,
): ScriptStep {
  let bound: BoundConv | null = null;
  return {
    ...base,
    kind: 'script',
    run(viewOf) {
      bound ??= backend().bindConv(plan, { weight, bias, clamp });
      const y = float32Of(viewOf(result).data);
      bound.run(float32Of(viewOf(input).data), y);
      if (program === null) return;
      const others = program.operands.slice(1).map(({ value }) => float32Of(viewOf(value).data));
      runProgram(program, [y, ...others], y);
    },
    release() {
      bound?.release();
      bound = null;
    },
  };
}

/** The bounds, when they are all that a program is. */
function clampOf(program: Program): Clamp | null {
  const [only] = program.code;
  const isClamp = program.code.length === 1 && only.op === 'clamp' && only.x === 0;
  return isClamp ? { min: only.alpha, max: only.beta } : null;
}

export function labelOf(nodes: readonly GraphNode[]): string {
  return nodes
    .map((node) => (node.op === 'Unary' || node.op === 'Binary' ? node.attributes.fn : node.op))
    .join(' + ');
}

/**
 * A transposed convolution whose windows do not overlap: each element of the input makes one window of the result, so it is
 * a 1×1 convolution to a channel for every tap, whose results are put in their places afterwards.
 */
export function isTiling(node: GraphNode, values: readonly Value[]): node is NodeOf<'ConvTranspose'> {
  if (node.op !== 'ConvTranspose' || !isConvolution(node, values)) return false;
  const { kernel, strides, dilations, pads, outputPads, groups } = node.attributes;
  return (
    groups === 1 &&
    kernel.length === 2 &&
    kernel.every((size, axis) => size === strides[axis] && dilations[axis] === 1 && outputPads[axis] === 0) &&
    pads.every(([before, after]) => before === 0 && after === 0)
  );
}

/** The 1×1 convolution, from the input to `output`: [n, oc·kh·kw, h, w]. */
export function tilingConvolution(
  node: NodeOf<'ConvTranspose'>,
  to: Lowering,
  accuracy: Accuracy,
  output: number,
): Convolution {
  const input = inputOf(node, 0);
  const [batch, inChannels, ...sizes] = to.values[input].shape;
  const w = to.values[inputOf(node, 1)];
  const [outChannels, taps] = [w.shape[1], sizeOf(w.shape.slice(2))];
  const from = float32Of(w.constant);
  const weight = to.derive(`taps of ${w.shape.join('×')}`, [from], () => {
    const channels = outChannels * taps;
    const rows = new Float32Array(from.length);
    for (let c = 0; c < inChannels; c++)
      for (let o = 0; o < channels; o++) rows[o * inChannels + c] = from[c * channels + o];
    return rows;
  });
  const given = node.inputs[2] == null ? null : float32Of(to.values[node.inputs[2]].constant);
  const bias =
    given === null
      ? null
      : to.derive(`bias of ${taps} taps`, [given], () =>
          Float32Array.from({ length: outChannels * taps }, (_, i) => given[Math.floor(i / taps)]),
        );
  const axes = sizes.map((size): Axis => ({ ...UNIT_AXIS, in: size, out: size }));
  const plan = planConv(
    {
      op: 'forward',
      dtype: 'float32',
      rank: 2,
      batch,
      groups: 1,
      inChannels,
      outChannels: outChannels * taps,
      axes,
      paddingMode: 'zeros',
      algorithm: 'auto',
      accuracy,
      density: 1,
      separable: false,
    },
    backend().machine,
  );
  return { plan, input, output, weight, bias };
}
