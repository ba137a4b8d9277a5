/**
 * Which values have their channels in blocks of a vector's lanes, [n][block][row][column][lane], instead of plane by plane:
 * convolutions and pools of such values neither pack nor transpose. What cannot read blocks gets a copy, so blocks are for
 * chains that save more than their copies cost.
 */
import type { Exactness } from '../../plan/algorithms/algorithm.js';
import type { Elements, Graph, GraphNode, NodeOf, Value } from '../graph.js';
import { inputOf, outputOf } from '../operands.js';
import { sizeOf } from '../shapes.js';
import { convolutionOf, isConvolution, knownOf, weightOf } from './convolution.js';
import { type Elementwise, type Group, resultOf } from './groups.js';
import { compileProgram, isFlat, type Program } from './program.js';
import { isServed, poolAxes } from './rows.js';

/** What a node, with what finishes it, would do with blocks. */
interface Form {
  /** Values that it reads in blocks. */
  readonly reads: readonly number[];
  readonly writes: number;
  /** What it saves, in nanoseconds. */
  readonly saves: number;
  /** Whether lanes beyond the last channel are zeros where those of these values are; null when they may be anything. */
  readonly zerosOf: readonly number[] | null;
}

// Nanoseconds for each byte, measured on Sapphire Rapids: what blocks save a step that reads or writes them, and what a
// copy to or from blocks costs.
const SAVED = { direct: 0.03, winograd: 0.05, depthwise: 0.02, pool: 0.05 } as const;
const COPIED = 0.1;
/** Of a copy, however small: small maps lie in L1 either way, and PP-OCR's classifier gains by few copies. */
const COPY = 3000;
/** Of lanes that hold no channel. */
const WASTED = 0.05;
/** Images of so few channels are read plane by plane. */
export const FEW_CHANNELS = 4;
/** Weights with many zeros have algorithms of their own. */
const LEAST_DENSITY = 0.9;
const PASSES = 4;

/** Elements of a value in memory. */
export function blockedSize(shape: readonly number[], lanes: number): number {
  const [batch, channels, ...places] = shape;
  return batch * Math.ceil(channels / lanes) * lanes * sizeOf(places);
}

/** The nodes that write their result in blocks; pauses between nodes. */
export function* planningLayout(
  units: readonly { readonly node: GraphNode; readonly group: Group | null }[],
  { values, outputs }: Pick<Graph, 'values' | 'outputs'>,
  exactness: Exactness,
  lanes: number,
): Generator<undefined, ReadonlySet<GraphNode>, void> {
  const forms = new Map<GraphNode, Form>();
  const writer = new Map<number, GraphNode>();
  const readers = new Map<number, GraphNode[]>();
  const readsOf = new Map<GraphNode, number[]>();
  for (const { node, group } of units) {
    yield;
    const members: readonly GraphNode[] = [node, ...(group?.nodes ?? [])];
    const written = new Set(members.flatMap((member) => member.outputs));
    const reads = new Set<number>();
    for (const member of members)
      for (const id of member.inputs)
        if (id !== null && !written.has(id) && values[id].known === null) reads.add(id);
    readsOf.set(node, [...reads]);
    for (const id of reads) readers.set(id, [...(readers.get(id) ?? []), node]);
    const form = formOf(node, group, values, exactness, lanes, (id) => hasZeros(id));
    for (const id of written) if (id !== null) writer.set(id, node);
    if (form !== null) {
      forms.set(node, form);
      writer.set(form.writes, node);
    }
  }
  const blocked = new Set(forms.keys());
  function hasZeros(id: number): boolean {
    const before = writer.get(id);
    const form = before === undefined ? undefined : forms.get(before);
    return form === undefined || (form.zerosOf?.every(hasZeros) ?? false);
  }

  const given = new Set(outputs.map(({ value }) => value));
  const isWritten = (id: number) => {
    const before = writer.get(id);
    return before !== undefined && blocked.has(before);
  };
  /** Whether a value is copied, for readers that want it otherwise than it is written. */
  const copyCost = (id: number) => {
    const inBlocks = isWritten(id);
    const wants = (node: GraphNode) => blocked.has(node) && (forms.get(node)?.reads.includes(id) ?? false);
    const takesEither = (node: GraphNode) => blocked.has(node) && !wants(node);
    const { shape } = values[id];
    if (sizeOf(shape.slice(2)) === 1) return 0;
    const differs =
      (inBlocks && given.has(id)) ||
      (readers.get(id) ?? []).some((node) => !takesEither(node) && wants(node) !== inBlocks);
    return differs ? COPY + COPIED * 4 * sizeOf(shape) : 0;
  };
  const costAround = (node: GraphNode, form: Form) => {
    const around = new Set([...(readsOf.get(node) ?? []), form.writes]);
    let cost = blocked.has(node) ? -form.saves : 0;
    for (const id of around) cost += copyCost(id);
    return cost;
  };
  for (let pass = 0, changed = true; pass < PASSES && changed; pass++) {
    changed = false;
    for (const [node, form] of pass % 2 === 0 ? forms : [...forms].reverse()) {
      yield;
      const before = costAround(node, form);
      if (!blocked.delete(node)) blocked.add(node);
      if (costAround(node, form) < before) changed = true;
      else if (!blocked.delete(node)) blocked.add(node);
    }
  }
  let total = 0;
  for (const node of blocked) total -= forms.get(node)?.saves ?? 0;
  for (const id of new Set([...readers.keys(), ...given])) total += copyCost(id);
  return total < 0 ? blocked : new Set();
}

function formOf(
  node: GraphNode,
  group: Group | null,
  values: readonly Value[],
  exactness: Exactness,
  lanes: number,
  hasZeros: (id: number) => boolean,
): Form | null {
  switch (node.op) {
    case 'Conv':
      return convolutionForm(node, group, values, exactness, lanes);
    case 'MaxPool':
    case 'AveragePool':
      return poolForm(node, values, lanes);
    case 'Reduce':
      return isGlobalMean(node, values)
        ? form([inputOf(node, 0)], outputOf(node), SAVED.pool, values, lanes)
        : null;
    case 'Concat':
      return concatForm(node, values, lanes, hasZeros);
    case 'Unary':
    case 'Binary':
      return group === null ? null : programForm(group.nodes, values, lanes);
    default:
      return null;
  }
}

function isImage(value: Value): boolean {
  return value.type === 'float32' && value.shape.length === 4 && sizeOf(value.shape) > 0;
}

function form(
  reads: readonly number[],
  writes: number,
  saved: number,
  values: readonly Value[],
  lanes: number,
  zerosOf: readonly number[] | null = reads,
): Form {
  const all = [...reads, writes];
  const bytes = all.reduce((sum, id) => sum + 4 * sizeOf(values[id].shape), 0);
  const stored = all.reduce((sum, id) => sum + 4 * blockedSize(values[id].shape, lanes), 0);
  return { reads, writes, saves: saved * bytes - WASTED * (stored - bytes), zerosOf };
}

function convolutionForm(
  node: NodeOf<'Conv'>,
  group: Group | null,
  values: readonly Value[],
  exactness: Exactness,
  lanes: number,
): Form | null {
  const [x, y] = [values[inputOf(node, 0)], values[outputOf(node)]];
  if (!isConvolution(node, values) || !isImage(x) || !isImage(y)) return null;
  const { groups, strides, pads } = node.attributes;
  if (pads.flat().some((pad) => pad < 0)) return null;
  const [channels, outChannels] = [x.shape[1], y.shape[1]];
  if (strides[1] > 2 && y.shape[3] > 1) return null;
  const program = group === null ? null : compileProgram(group.nodes, values, y.id);
  if (group !== null && (program === null || !isFlat(program))) return null;
  const others = program === null ? [] : wholeOperands(program).slice(1);
  if (others.some((id) => values[id].known !== null)) return null;
  const result = group === null ? y.id : resultOf(group.nodes);
  const zerosOf = program === null || keepsZeros(program) ? others : null;
  const { variant } = convolutionOf(node, values, exactness).plan;
  if (groups > 1) {
    if (groups !== channels || groups !== outChannels) return null;
    if (variant.algorithm !== 'depthwise' || variant.kernels !== 'any') return null;
    return form([x.id, ...others], result, SAVED.depthwise, values, lanes, zerosOf);
  }
  // Tiles are packed plane by plane.
  if ('onTiles' in variant && variant.onTiles) return null;
  const w = values[inputOf(node, 1)];
  const { density } = knownOf(weightOf(w), w.shape);
  if (variant.algorithm === 'fft' || density < LEAST_DENSITY) return null;
  const isWinograd = variant.algorithm === 'winograd';
  const reads = isWinograd || channels <= FEW_CHANNELS ? others : [x.id, ...others];
  return form(reads, result, isWinograd ? SAVED.winograd : SAVED.direct, values, lanes, zerosOf);
}

/** Operands that have an element for each of the result's. */
function wholeOperands(program: Program): number[] {
  return program.operands.filter(({ strides }) => strides[0] !== 0).map(({ value }) => value);
}

/** Whether zeros come out where all operands are zeros. */
function keepsZeros({ code, constants }: Program): boolean {
  return (
    constants.length === 0 &&
    code.every(
      ({ op, alpha, beta }) =>
        op === 'add' ||
        ((op === 'clamp' || op === 'addClamp') && alpha <= 0 && beta >= 0) ||
        op === 'leakyRelu' ||
        op === 'hardSwish',
    )
  );
}

function poolForm(
  node: NodeOf<'MaxPool'> | NodeOf<'AveragePool'>,
  values: readonly Value[],
  lanes: number,
): Form | null {
  const [x, y] = [values[inputOf(node, 0)], values[outputOf(node)]];
  if (!isImage(x) || !isImage(y) || (node.op === 'MaxPool' && node.outputs[1] != null)) return null;
  const { strides, dilations, pads } = node.attributes;
  if (pads.flat().some((pad) => pad < 0)) return null;
  if (!poolAxes(node, x, y).every(isServed) || dilations.some((d) => d !== 1)) return null;
  if (strides[1] > 2 && y.shape[3] > 1) return null;
  return form([x.id], y.id, SAVED.pool, values, lanes);
}

/** Of all rows and columns of each channel. */
export function isGlobalMean(node: NodeOf<'Reduce'>, values: readonly Value[]): boolean {
  const { fn, axes, keepDims } = node.attributes;
  return (
    fn === 'Mean' &&
    keepDims &&
    axes.length === 2 &&
    axes[0] === 2 &&
    axes[1] === 3 &&
    isImage(values[inputOf(node, 0)])
  );
}

/** Whole blocks, or one image's channels with zeros behind them. */
function concatForm(
  node: NodeOf<'Concat'>,
  values: readonly Value[],
  lanes: number,
  hasZeros: (id: number) => boolean,
): Form | null {
  const parts = node.inputs.filter((id): id is number => id !== null);
  const y = outputOf(node);
  if (node.attributes.axis !== 1 || ![...parts, y].every((id) => isImage(values[id]))) return null;
  const whole = parts.every((id) => values[id].known === null && values[id].shape[1] % lanes === 0);
  if (whole) return form(parts, y, 0, values, lanes);
  const [first] = parts;
  if (!isZeroPadding(node, values) || !hasZeros(first)) return null;
  return form([first], y, 0, values, lanes);
}

/** Channels of one image, with zeros behind them. */
export function isZeroPadding(node: NodeOf<'Concat'>, values: readonly Value[]): boolean {
  const [first, ...rest] = node.inputs.filter((id): id is number => id !== null);
  return (
    values[first].shape[0] === 1 &&
    values[first].known === null &&
    rest.every((id) => areZeros(values[id].constant))
  );
}

function areZeros(elements: Elements | null): boolean {
  if (elements === null) return false;
  for (let i = 0; i < elements.length; i++) if (elements[i] !== 0) return false;
  return true;
}

function programForm(nodes: readonly Elementwise[], values: readonly Value[], lanes: number): Form | null {
  const program = compileProgram(nodes, values, null);
  const result = resultOf(nodes);
  if (program === null || !isFlat(program) || !isImage(values[result])) return null;
  const reads = wholeOperands(program);
  if (reads.some((id) => values[id].known !== null)) return null;
  return form(reads, result, 0, values, lanes, keepsZeros(program) ? reads : null);
}
