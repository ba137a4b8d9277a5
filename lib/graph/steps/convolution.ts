/** Convolutions by their plans, with what follows them in the last write. */
import type { BoundConv, Clamp } from '../../backend/backend.js';
import { backend } from '../../backend/select.js';
import { StoredFloats } from '../../onnx-file/stored-floats.js';
import type { Algorithm, Exactness, Weights } from '../../plan/algorithms/algorithm.js';
import { type Axis, UNIT_AXIS } from '../../plan/options/axes.js';
import { type ConvPlan, convRequest, planConv } from '../../plan/plans/conv.js';
import { UNKNOWN_WEIGHTS, weightsOf, weightsOfSample } from '../../plan/weights.js';
import type { GraphNode, NodeOf, Value } from '../graph.js';
import { float32Of, inputOf, outputOf } from '../operands.js';
import { requestOf } from '../operators/convolution.js';
import { sizeOf } from '../shapes.js';
import { type Elementwise, resultOf } from './groups.js';
import { encodeProgram, type Program } from './program.js';
import { BLOCKS } from './rows.js';
import { runProgram } from './run-program.js';
import type { KernelStep, Lowering, ScriptStep, Step } from './step.js';

/** A convolution, whichever operation of the graph it is. */
export interface Convolution {
  readonly plan: ConvPlan;
  readonly input: number;
  readonly output: number;
  readonly weight: Float32Array | StoredFloats;
  readonly bias: Float32Array | null;
  /** Whether channels of its input and of its output lie in blocks. */
  readonly blocks?: { readonly input: boolean; readonly output: boolean };
}

export const NO_CLAMP: Clamp = { min: -Infinity, max: Infinity };

/** Whether a node is a convolution by constants, which a plan can serve. */
export function isConvolution(node: GraphNode, values: readonly Value[]): boolean {
  if (node.op !== 'Conv' && node.op !== 'ConvTranspose') return false;
  const [x, w] = [values[inputOf(node, 0)], values[inputOf(node, 1)]];
  const bias = node.inputs[2] == null ? null : values[node.inputs[2]];
  const hasBias = bias === null || bias.known !== null;
  return x.type === 'float32' && w.known !== null && hasBias && x.shape.length <= 5 && sizeOf(x.shape) > 0;
}

export function convolutionOf(
  node: NodeOf<'Conv'> | NodeOf<'ConvTranspose'>,
  values: readonly Value[],
  exactness: Exactness,
  algorithm: Algorithm = 'auto',
): Convolution {
  const [input, output] = [inputOf(node, 0), outputOf(node)];
  const [x, w, y] = [values[input], values[inputOf(node, 1)], values[output]];
  const bias = node.inputs[2] == null ? null : float32Of(values[node.inputs[2]].constant);
  const weight = weightOf(w);
  const isForward = node.op === 'Conv';
  const weights = isForward ? knownOf(weight, w.shape) : UNKNOWN_WEIGHTS;
  const request = requestOf(node.op, isForward ? 'forward' : 'inputGrad', node.attributes, x, y.shape, {
    ...exactness,
    ...weights,
  });
  const plan = planConv({ ...request, algorithm }, backend().machine);
  return { plan, input, output, weight, bias };
}

/** A constant as kernels take it. */
export function weightOf(value: Value): Float32Array | StoredFloats {
  return value.known instanceof StoredFloats ? value.known : float32Of(value.constant);
}

const known = new WeakMap<Float32Array | StoredFloats, Weights>();

/** What is known of a constant's values, found once: it is looked at for every shape and by every pass over a graph. */
export function knownOf(weight: Float32Array | StoredFloats, shape: readonly number[]): Weights {
  const before = known.get(weight);
  if (before !== undefined) return before;
  const found =
    weight instanceof StoredFloats
      ? (weightsOfSample(weight.length, weight.reader(), shape) ??
        weightsOf(weight.elements(), shape, 'auto'))
      : weightsOf(weight, shape, 'auto');
  known.set(weight, found);
  return found;
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
  const isDirect = conv.plan.variant.algorithm === 'direct' && conv.blocks?.input === true;
  const addend = isDirect && program !== null ? addendOf(program) : null;
  const clamp = addend?.clamp ?? (program === null ? NO_CLAMP : clampOf(program));
  const rest = clamp === null ? program : null;
  const nodes: readonly GraphNode[] = [node, ...(finish?.nodes ?? [])];
  const others = program === null ? [] : program.operands.slice(1).map((operand) => operand.value);
  const inBlocks = conv.blocks?.input === true || conv.blocks?.output === true;
  const base = {
    label: labelOf(nodes),
    algorithm: `${conv.plan.variant.algorithm}: ${conv.plan.reason}${inBlocks ? `, ${BLOCKS}` : ''}`,
    sources: nodes.flatMap((n) => n.sources),
    reads: [conv.input, ...others],
    writes: [result],
    multiplications: multiplicationsOf(conv),
  };
  const last: Last = { clamp: clamp ?? NO_CLAMP, addend: addend?.value ?? null, program: rest, result };
  return backend().name === 'js' ? scriptStep(base, conv, last) : kernelStep(base, conv, last);
}

/** What a convolution's last write does, and where. */
interface Last {
  readonly clamp: Clamp;
  /** Added before the clamp. */
  readonly addend: number | null;
  readonly program: Program | null;
  readonly result: number;
}

type Base = Omit<KernelStep, 'kind' | 'encode'>;

function kernelStep(base: Base, conv: Convolution, { clamp, addend, program, result }: Last): KernelStep {
  return {
    ...base,
    kind: 'conv',
    overwrites: addend,
    encode(words) {
      words
        .push(...conv.plan.wire)
        .flag(conv.blocks?.input ?? false)
        .flag(conv.blocks?.output ?? false)
        .weight(conv.weight)
        .constant(conv.bias);
      words.push(clamp.min, clamp.max).operand(conv.input).operand(result);
      words.flag(addend !== null);
      if (addend !== null) words.operand(addend);
      else words.flag(program !== null);
      if (program !== null) encodeProgram(words, program, true);
    },
  };
}

function scriptStep(
  base: Base,
  { plan, weight, bias, input }: Convolution,
  { clamp, program, result }: Last,
): ScriptStep {
  let bound: BoundConv | null = null;
  const bind = () => {
    const elements = weight instanceof StoredFloats ? weight.elements() : weight;
    return backend().bindConv(plan, { weight: elements, bias, clamp });
  };
  return {
    ...base,
    kind: 'script',
    run(viewOf) {
      bound ??= bind();
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
export function clampOf(program: Program): Clamp | null {
  const [only] = program.code;
  const isClamp = program.code.length === 1 && only.op === 'clamp' && only.x === 0;
  return isClamp ? { min: only.alpha, max: only.beta } : null;
}

/** The other operand and the bounds, when a program is a sum with an operand of the result's shape, maybe clamped. */
function addendOf({ code, operands, constants }: Program): { value: number; clamp: Clamp } | null {
  const [only] = code;
  const isSum = code.length === 1 && operands.length === 2 && constants.length === 0;
  if (!isSum || (only.op !== 'add' && only.op !== 'addClamp') || only.x === only.z) return null;
  const { value, strides } = operands[1];
  if (strides.length !== 1 || strides[0] !== 1) return null;
  return { value, clamp: only.op === 'add' ? NO_CLAMP : { min: only.alpha, max: only.beta } };
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
  exactness: Exactness,
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
    convRequest(
      'forward',
      'float32',
      { rank: 2, groups: 1, paddingMode: 'zeros' },
      { batch, inChannels, outChannels: outChannels * taps, axes },
      { algorithm: 'auto', ...exactness },
    ),
    backend().machine,
  );
  return { plan, input, output, weight, bias };
}
