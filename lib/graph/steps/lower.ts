/** A graph as a list of steps. */
import { backend } from '../../backend/select.js';
import type { Exactness } from '../../plan/algorithms/algorithm.js';
import type { Machine } from '../../plan/isa.js';
import type { Elements, ElementType, Graph, GraphNode, Known, NodeOf } from '../graph.js';
import { float32Of, inputOf, outputOf } from '../operands.js';
import type { Derivations } from '../rewrite/derivations.js';
import { sizeOf, stridesOf } from '../shapes.js';
import { Value } from '../value.js';
import {
  type Convolution,
  convolutionOf,
  convolutionStep,
  isConvolution,
  isTiling,
  labelOf,
  tilingConvolution,
} from './convolution.js';
import { type Group, Groups, resultOf } from './groups.js';
import { blockedSize, FEW_CHANNELS, planningLayout } from './layout.js';
import {
  copyStep,
  lowerBlockedConcat,
  lowerConcat,
  lowerExpand,
  lowerGather,
  lowerPad,
  lowerSlice,
  lowerTile,
  lowerTranspose,
  lowerZeroPadding,
} from './moves.js';
import { isRowProduct, lowerMatMul, rowProductConvolution, rowProductStep } from './products.js';
import { compileProgram, encodeProgram, overElements } from './program.js';
import {
  lowerQLinearAdd,
  lowerQLinearConv,
  lowerQLinearMatMul,
  lowerQLinearMean,
  lowerQuantize,
} from './quantized.js';
import {
  lowerBlockedPool,
  lowerInstanceNormalization,
  lowerLayerNormalization,
  lowerLrn,
  lowerPool,
  lowerReduce,
  lowerResize,
  lowerSoftmax,
} from './rows.js';
import { runProgram } from './run-program.js';
import type { Lowering, Step } from './step.js';

/** Where a value lies that has no memory of its own. */
export interface Alias {
  readonly within: number;
  /** In elements, which both have of one size. */
  readonly offset: number;
}

export interface Lowered {
  readonly values: readonly Value[];
  readonly steps: readonly Step[];
  readonly aliases: ReadonlyMap<number, Alias>;
  readonly inputs: readonly number[];
  /** Elements of a value in memory: lanes without a channel are among them where channels lie in blocks. */
  sizeOf(value: number): number;
  /** Values that steps write, one for each output of the graph: the same elements, maybe of another shape. */
  readonly outputs: readonly number[];
  /** The outputs of the graph themselves. */
  readonly results: readonly number[];
}

/** Channels of a block; 1 where there are none. */
function lanesOf(machine: Machine): number {
  return machine.isa === 'js' ? 1 : machine.tuning.lanes;
}

/** Pauses between nodes. */
export function lowering(
  graph: Graph,
  exactness: Exactness,
  derivations: Derivations,
): Generator<undefined, Lowered, void> {
  return new Lowerer(graph, exactness, derivations).lower();
}

class Lowerer implements Lowering {
  readonly values: Value[];
  readonly #graph: Graph;
  readonly #exactness: Exactness;
  readonly #derivations: Derivations;
  readonly #steps: Step[] = [];
  readonly #aliases = new Map<number, Alias>();
  /** Values that lie in memory of the caller's. */
  readonly #inputs: ReadonlySet<number>;
  readonly #outputs: ReadonlySet<number>;
  /** Values whose channels lie in blocks; and for those that steps want otherwise, the value that they read. */
  readonly #inBlocks = new Set<number>();
  readonly #copies = new Map<number, number>();
  readonly #isNative = backend().name !== 'js';
  readonly #lanes = lanesOf(backend().machine);

  constructor(graph: Graph, exactness: Exactness, derivations: Derivations) {
    this.#graph = graph;
    this.#exactness = exactness;
    this.#derivations = derivations;
    this.values = [...graph.values];
    this.#inputs = new Set(graph.inputs);
    this.#outputs = new Set(graph.outputs.map(({ value }) => value));
  }

  *lower(): Generator<undefined, Lowered, void> {
    const { nodes, inputs } = this.#graph;
    const groups = new Groups(this.#graph, (node) => this.#isConvolutional(node));
    const units = nodes
      .filter((node) => !groups.absorbed.has(node))
      .map((node) => ({ node, group: groups.bySink.get(node) ?? groups.byConvolution.get(node) ?? null }));
    const inBlocks =
      this.#lanes > 1
        ? yield* planningLayout(units, this.#graph, this.#exactness, this.#lanes)
        : new Set<GraphNode>();
    for (const unit of units) {
      yield;
      if (inBlocks.has(unit.node)) this.#lowerInBlocks(unit.node, unit.group);
      else this.#lowerPlain(unit.node, unit.group);
    }
    const results = this.#graph.outputs.map(({ value }) => value);
    const plain = results.map((value) => this.#plain(value));
    const written = new Set(
      this.#steps.flatMap((step) => step.writes.flatMap((value) => [value, this.#rootOf(value).root])),
    );
    const outputs = this.#graph.outputs.map(({ name }, i) => this.#output(name, plain[i], written));
    const aliases = this.#aliases;
    const stored = (id: number) => this.#sizeOf(id);
    return { values: this.values, steps: this.#steps, aliases, sizeOf: stored, inputs, outputs, results };
  }

  #lowerPlain(given: GraphNode, ofGroup: Group | null): void {
    const node = this.#reading(given, (id) => this.#plain(id));
    const group =
      ofGroup === null
        ? null
        : {
            ...ofGroup,
            nodes: ofGroup.nodes.map((member) => this.#reading(member, (id) => this.#plain(id))),
          };
    if (this.#isConvolutional(node)) this.#lowerConvolution(node, group);
    else if (group !== null) this.#lowerGroup(group);
    else this.#lowerNode(node);
  }

  #lowerInBlocks(node: GraphNode, group: Group | null): void {
    const result = this.values[group === null ? outputOf(node) : resultOf(group.nodes)];
    this.#inBlocks.add(result.id);
    switch (node.op) {
      case 'Conv':
        this.#lowerBlockedConvolution(node, group);
        return;
      case 'MaxPool':
      case 'AveragePool':
      case 'Reduce':
        lowerBlockedPool(node, this.values[this.#blocked(inputOf(node, 0))], result, this);
        return;
      case 'Concat': {
        const canLieWithin = (value: number) => this.#canLieWithin(value);
        const [first, ...rest] = node.inputs.filter((id): id is number => id !== null);
        if (rest.some((id) => this.values[id].known !== null)) {
          lowerZeroPadding(node, this.#blocked(first), result, this, (id) => this.#sizeOf(id), canLieWithin);
        } else {
          const parts = [first, ...rest].map((id) => this.#blocked(id));
          lowerBlockedConcat(node, parts, result, this, canLieWithin);
        }
        return;
      }
      default:
        if (group === null) throw new Error(`${node.op} has no form in blocks`);
        this.#lowerGroup(this.#groupInBlocks(group, result));
    }
  }

  #lowerBlockedConvolution(node: NodeOf<'Conv'>, group: Group | null): void {
    const x = inputOf(node, 0);
    const auto = convolutionOf(node, this.values, this.#exactness);
    const { algorithm } = auto.plan.variant;
    const takesEither = algorithm === 'winograd' || this.values[x].shape[1] <= FEW_CHANNELS;
    // One channel by many kernels is depthwise too, plane by plane.
    const isDepthwise = algorithm === 'depthwise' && node.attributes.groups > 1;
    const conv =
      algorithm === 'winograd' || isDepthwise
        ? auto
        : convolutionOf(node, this.values, this.#exactness, 'direct');
    const input = takesEither ? x : this.#blocked(x);
    const blocks = { input: this.#inBlocks.has(input), output: true };
    const finishing = group === null ? null : this.#groupInBlocks(group, this.values[resultOf(group.nodes)]);
    const program = finishing === null ? null : compileProgram(finishing.nodes, this.values, conv.output);
    const size = this.#sizeOf(finishing === null ? conv.output : resultOf(finishing.nodes));
    const finish =
      finishing === null || program === null
        ? null
        : { program: overElements(program, size), nodes: finishing.nodes };
    this.push(convolutionStep(node, { ...conv, input, blocks }, finish));
  }

  /** Reads operands that have the shape of the result in blocks. */
  #groupInBlocks(group: Group, result: Value): Group {
    const isWhole = (id: number) => {
      const { shape, known } = this.values[id];
      return known === null && shape.length === 4 && sizeOf(shape) === sizeOf(result.shape);
    };
    const written = new Set(group.nodes.flatMap((member) => member.outputs));
    if (group.finishes !== null) for (const id of group.finishes.outputs) written.add(id);
    const nodes = group.nodes.map((member) =>
      this.#reading(member, (id) => (written.has(id) || !isWhole(id) ? id : this.#blocked(id))),
    );
    return { ...group, nodes };
  }

  /** The node with its operands as they are read here. */
  #reading<K extends GraphNode>(node: K, read: (value: number) => number): K {
    const inputs = node.inputs.map((id) => (id === null ? null : read(id)));
    return inputs.every((id, i) => id === node.inputs[i]) ? node : { ...node, inputs };
  }

  /** A value with its channels in blocks, or plane by plane: a copy of it where it lies otherwise. */
  #blocked(value: number): number {
    return this.#inBlocks.has(value) ? value : this.#copied(value, true);
  }
  #plain(value: number): number {
    return this.#inBlocks.has(value) ? this.#copied(value, false) : value;
  }
  #copied(value: number, toBlocks: boolean): number {
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    const { name, type, shape } = this.values[value];
    const copy = this.temporary(`${name} ${toBlocks ? 'in blocks' : 'by planes'}`, type, shape);
    this.#copies.set(value, copy);
    if (toBlocks) this.#inBlocks.add(copy);
    const [batch, channels, ...places] = shape;
    const pixels = sizeOf(places);
    // One pixel lies alike in both.
    if (pixels === 1 && (channels % this.#lanes === 0 || (batch === 1 && !toBlocks))) {
      this.alias(copy, value, 0);
      return copy;
    }
    this.push({
      kind: 'reblock',
      label: toBlocks ? 'Channels in blocks' : 'Channels by planes',
      algorithm: 'transposition',
      sources: [],
      reads: [value],
      writes: [copy],
      multiplications: 0,
      encode: (words) => words.flag(toBlocks).push(batch, channels, pixels).operand(value).operand(copy),
    });
    return copy;
  }
  #sizeOf(value: number): number {
    const { shape } = this.values[value];
    return this.#inBlocks.has(value) ? blockedSize(shape, this.#lanes) : sizeOf(shape);
  }

  temporary(name: string, type: ElementType, shape: readonly number[]): number {
    return this.#add(name, type, shape, null);
  }
  derive<E extends Elements>(what: string, sources: readonly Known[], make: () => E): E {
    // What is made under one name from the same is of one type.
    return this.#derivations.derive(what, sources, make) as E;
  }
  constant(what: string, shape: readonly number[], make: () => Float32Array): number {
    return this.#add(what, 'float32', shape, this.derive(what, [], make));
  }
  push(step: Step): void {
    this.#steps.push(step);
  }
  alias(value: number, within: number, offset: number): void {
    this.#aliases.set(value, { within, offset });
  }

  #add(name: string, type: ElementType, shape: readonly number[], known: Known | null): number {
    const id = this.values.length;
    this.values.push(new Value(id, name, type, shape, known));
    return id;
  }

  #isConvolutional(node: GraphNode): boolean {
    return isConvolution(node, this.values) || isRowProduct(node, this.values);
  }

  #lowerConvolution(node: GraphNode, group: Group | null): void {
    if (this.#isNative && isTiling(node, this.values)) {
      this.#lowerTiling(node, group);
      return;
    }
    if (this.#isNative && node.op !== 'Conv' && node.op !== 'ConvTranspose') {
      this.#lowerRowProduct(node, group);
      return;
    }
    const conv: Convolution | null =
      node.op === 'Conv' || node.op === 'ConvTranspose'
        ? convolutionOf(node, this.values, this.#exactness)
        : rowProductConvolution(node, this, this.#exactness.accuracy);
    if (conv === null) {
      this.#lowerOperation(node);
      return;
    }
    const program = group === null ? null : compileProgram(group.nodes, this.values, conv.output);
    const finish = group === null || program === null ? null : { program, nodes: group.nodes };
    this.push(convolutionStep(node, conv, finish));
    // More registers than there are: a step of its own.
    if (group !== null && program === null) this.#lowerGroup(group);
  }

  #lowerRowProduct(node: GraphNode, group: Group | null): void {
    const program = group === null ? null : compileProgram(group.nodes, this.values, outputOf(node));
    const finish = group === null || program === null ? null : { program, nodes: group.nodes };
    const step = rowProductStep(node, this, finish);
    if (step === null) throw new Error(`${node.op} is no product of a row`);
    this.push(step);
    if (group !== null && program === null) this.#lowerGroup(group);
  }

  /** What finishes the result finishes the convolution in front of the copy, when it reads nothing else. */
  #lowerTiling(node: NodeOf<'ConvTranspose'>, group: Group | null): void {
    const y = this.values[outputOf(node)];
    const [kh, kw] = node.attributes.kernel;
    const [batch, channels, height, width] = y.shape;
    const [h, w] = [height / kh, width / kw];
    const tiles = this.temporary(`${y.name} by taps`, 'float32', [batch, channels * kh * kw, h, w]);
    const conv = tilingConvolution(node, this, this.#exactness, tiles);
    const program = group === null ? null : compileProgram(group.nodes, this.values, y.id);
    const isAlone = program !== null && program.operands.length === 1;
    const finish = group !== null && isAlone ? { program, nodes: group.nodes } : null;
    this.push(convolutionStep(node, conv, finish, tiles));
    const result = finish === null ? y.id : resultOf(finish.nodes);
    const shape = [batch, channels, kh, kw, h, w];
    const own = stridesOf(shape);
    const [n, c, row] = stridesOf(y.shape);
    const order = [0, 1, 4, 2, 3, 5];
    const pick = (list: readonly number[]) => order.map((axis) => list[axis]);
    const into = [n, c, row, 1, kh * row, kw];
    const step = copyStep(
      { label: `${node.op} (the places)`, sources: node.sources },
      this.values,
      pick(shape),
      { value: tiles, first: 0, strides: pick(own) },
      { value: result, first: 0, strides: pick(into) },
    );
    if (step === null) throw new Error('six axes are copied in one step');
    this.push(step);
    if (group !== null && finish === null) this.#lowerGroup(group);
  }

  #lowerGroup(group: Group): void {
    const { nodes } = group;
    const made = compileProgram(nodes, this.values, null);
    const isBlocked = this.#inBlocks.has(resultOf(nodes));
    const program = made !== null && isBlocked ? overElements(made, this.#sizeOf(resultOf(nodes))) : made;
    // More registers than there are: one by one.
    if (program === null) {
      for (const node of nodes) this.#lowerGroup({ nodes: [node], finishes: null });
      return;
    }
    const result = resultOf(nodes);
    const base = {
      label: labelOf(nodes),
      algorithm: `program of ${program.code.length} instructions`,
      sources: nodes.flatMap((node) => node.sources),
      reads: program.operands.map((operand) => operand.value),
      writes: [result],
      multiplications: 0,
    };
    if (this.#isNative) {
      this.push({
        ...base,
        kind: 'program',
        encode: (words) => {
          encodeProgram(words, program, false);
          words.operand(result);
        },
      });
      return;
    }
    this.push({
      ...base,
      kind: 'script',
      run: (viewOf) => {
        const operands = program.operands.map(({ value }) => float32Of(viewOf(value).data));
        runProgram(program, operands, float32Of(viewOf(result).data));
      },
      release: () => {},
    });
  }

  #lowerNode(node: GraphNode): void {
    if (node.op === 'Reshape') {
      this.alias(outputOf(node), inputOf(node, 0), 0);
      return;
    }
    if (this.#isNative && node.outputs[0] != null) {
      // What a half-made attempt leaves behind is taken back.
      const [steps, values] = [this.#steps.length, this.values.length];
      const aliases = this.#aliases.size;
      if (this.#lowerNatively(node)) return;
      this.#steps.length = steps;
      this.values.length = values;
      const made = this.#aliases.size - aliases;
      if (made > 0) for (const value of [...this.#aliases.keys()].slice(-made)) this.#aliases.delete(value);
    }
    this.#lowerOperation(node);
  }

  #lowerNatively(node: GraphNode): boolean {
    switch (node.op) {
      case 'Transpose':
        return lowerTranspose(node, this);
      case 'Slice':
        return lowerSlice(node, this);
      case 'Concat':
        return lowerConcat(node, this, (value) => this.#canLieWithin(value));
      case 'Expand':
        return lowerExpand(node, this);
      case 'Tile':
        return lowerTile(node, this);
      case 'Pad':
        return lowerPad(node, this);
      case 'Gather':
        return lowerGather(node, this);
      case 'Reduce':
        return lowerReduce(node, this);
      case 'Softmax':
      case 'LogSoftmax':
        return lowerSoftmax(node, this);
      case 'LayerNormalization':
        return lowerLayerNormalization(node, this);
      case 'InstanceNormalization':
        return lowerInstanceNormalization(node, this);
      case 'LRN':
        return lowerLrn(node, this);
      case 'MaxPool':
      case 'AveragePool':
        return lowerPool(node, this);
      case 'Resize':
        return lowerResize(node, this);
      case 'MatMul':
        return lowerMatMul(node, this);
      case 'QuantizeLinear':
      case 'DequantizeLinear':
        return lowerQuantize(node, this);
      case 'QLinearConv':
        return lowerQLinearConv(node, this);
      case 'QLinearMatMul':
        return lowerQLinearMatMul(node, this);
      case 'QLinearAdd':
        return lowerQLinearAdd(node, this);
      case 'QLinearMean':
        return lowerQLinearMean(node, this);
      default:
        return false;
    }
  }

  #lowerOperation(node: GraphNode): void {
    const present = (id: number | null): id is number => id !== null;
    this.push({
      kind: 'operation',
      label: labelOf([node]),
      algorithm: 'JavaScript',
      sources: node.sources,
      reads: node.inputs.filter(present),
      writes: node.outputs.filter(present),
      multiplications: 0,
      node,
    });
  }

  /** Whether a step writes the value, and nothing says where. */
  #canLieWithin(value: number): boolean {
    const { constant } = this.values[value];
    const isWritten = constant === null && !this.#inputs.has(value);
    return isWritten && !this.#aliases.has(value) && !this.#outputs.has(value);
  }

  /**
   * A value with memory of its own that holds an output, copied there when the output lies elsewhere.
   *
   * @param written  What steps write and no output has taken so far: one memory holds one output.
   */
  #output(name: string, value: number, written: Set<number>): number {
    const { root, offset } = this.#rootOf(value);
    const { type, constant } = this.values[root];
    const [size, wanted] = [this.#sizeOf(root), sizeOf(this.values[value].shape)];
    const isOwn = constant === null && !this.#inputs.has(root) && offset === 0 && size === wanted;
    if (written.delete(root) && isOwn) return root;
    const copy = this.#add(name, type, this.values[value].shape, null);
    const own = this.values[value].shape;
    const sides = [value, copy].map((id) => ({ value: id, first: 0, strides: stridesOf(own) }));
    const step = this.#isNative
      ? copyStep({ label: 'Copy', sources: [] }, this.values, own, sides[0], sides[1])
      : null;
    this.push(step ?? this.#copyOperation(value, copy));
    return copy;
  }
  #rootOf(value: number): { root: number; offset: number } {
    let [root, offset] = [value, 0];
    for (let alias = this.#aliases.get(root); alias !== undefined; alias = this.#aliases.get(root)) {
      offset += alias.offset;
      root = alias.within;
    }
    return { root, offset };
  }
  #copyOperation(from: number, to: number): Step {
    const node: NodeOf<'Reshape'> = {
      op: 'Reshape',
      attributes: {},
      inputs: [from],
      outputs: [to],
      sources: [],
    };
    return {
      kind: 'operation',
      label: 'Copy',
      algorithm: 'JavaScript',
      sources: [],
      reads: [from],
      writes: [to],
      multiplications: 0,
      node,
    };
  }
}
