/** A network as matrices: every affine operation is y = M·x + b on flattened values, and what is not stays by name. */
import { nextTurn } from '#host';
import { backend } from '../backend/select.js';
import { checkBoolean, checkNumber, checkOptions, describeShape, isInstance, mistake } from '../check.js';
import { ArgumentError, MemoryError, UnsupportedError } from '../errors.js';
import { type AffineMatrix, type AffineTerm, affineMapOf } from '../graph/affine.js';
import { buildSegment, sourceOf } from '../graph/build.js';
import type { Graph, GraphNode } from '../graph/graph.js';
import { sizeOf } from '../graph/shapes.js';
import { complaintsAbout } from '../graph/support.js';
import { ConvMatrix } from '../matrix/conv-matrix.js';
import { CsrMatrix } from '../matrix/csr.js';
import type { FloatArray } from '../tensor/dtype.js';
import type { Shape } from '../tensor/tensor.js';
import { givenShapes, inputsOf } from './inputs.js';
import { LinearizedNetwork, type Stage, type StageTerm } from './linearized.js';
import { Model, modelFile, type Node } from './model.js';
import { type ModelSource, readModel } from './read.js';

/** Shapes, and whether affine maps become one. */
export interface LinearizeOptions {
  /** Shapes for inputs that the file leaves open. The batch is 1. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
  /** Chains and sums of affine maps become one matrix each. Default true; otherwise each affine node is a stage. */
  readonly merge?: boolean;
  /** The most that all sparse matrices together may take. Default 4 GiB. */
  readonly maxBytes?: number;
  /** Told the share of nodes that are done, from 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/**
 * The network as matrices, batch 1: Conv, ConvTranspose, Gemm and MatMul by a constant, BatchNormalization, AveragePool,
 * GlobalAveragePool, ReduceMean and ReduceSum, Pad, Resize, Add and Sub of affine maps, Mul and Div by a constant, Concat,
 * Split, Slice, Gather, Reshape, Transpose and what else only moves elements. The kernels are not flipped.
 *
 * A value is a stage of its own where something that is not affine reads it, or nobody does. A Conv that merges with
 * nothing stays a ConvMatrix, which stores its kernel; everything else is a CsrMatrix.
 *
 * @throws {UnsupportedError} as prepareNetwork, and for networks whose shapes depend on elements; {ArgumentError} for
 *   inputs without a shape; {MemoryError} before a matrix passes maxBytes, with its name and size.
 * @example
 *   const network = await linearize('model.onnx');
 *   console.log(`${network}`);
 *   await network.write('matrices');
 */
export async function linearize(
  model: Model | ModelSource,
  options?: LinearizeOptions,
): Promise<LinearizedNetwork> {
  const given = checkOptions(options, ['inputShapes', 'merge', 'maxBytes', 'onProgress']);
  const merge = checkBoolean(given.merge ?? true, 'options.merge');
  const maxBytes = checkNumber(given.maxBytes ?? DEFAULT_MAX_BYTES, 'options.maxBytes', 0);
  const { onProgress = () => {} } = given;
  if (typeof onProgress !== 'function')
    throw mistake(ArgumentError, 'options.onProgress', 'a function', onProgress);
  const read = isInstance(model, Model) ? model : await readModel(model);
  const { graph, nodes } = graphOf(read, given.inputShapes);
  const linear = new Linearizer(graph, nodes, merge, maxBytes);
  let latest = performance.now();
  for (const [index, node] of graph.nodes.entries()) {
    linear.take(node);
    if (performance.now() - latest < TURN_MS) continue;
    onProgress((index + 1) / graph.nodes.length);
    await nextTurn();
    latest = performance.now();
  }
  return linear.finish();
}

const DEFAULT_MAX_BYTES = 2 ** 32;
/** How long the event loop is held at a stretch, but for the matrix that ends it. */
const TURN_MS = 20;

function graphOf(
  model: Model,
  inputShapes: LinearizeOptions['inputShapes'],
): { graph: Graph; nodes: ReadonlyMap<string, Node> } {
  const file = modelFile(model);
  complaintsAbout(file.model.graph, model.opset).throw(file.file);
  const shapes = givenShapes(file, inputShapes);
  if (shapes === null) {
    const names = inputsOf(file).map(({ name }) => name);
    throw new ArgumentError(`options.inputShapes: expected shapes for what the file leaves open of ${names}`);
  }
  const source = sourceOf(file.model, file.file);
  const { graph, rest } = buildSegment(source, { position: 0, given: shapes });
  if (rest !== null) {
    const { title } = source.nodes[Math.min(rest.position, source.nodes.length - 1)];
    throw new UnsupportedError(
      `${file.file}: expected shapes that follow from those of the inputs, got some at ${title} that depend on elements`,
    );
  }
  const nodes = new Map(file.model.graph.nodes.map((node, index) => [node, model.nodes[index]]));
  const byId = source.nodes.flatMap(({ node, id }): [string, Node][] => {
    const shown = nodes.get(node);
    return shown === undefined ? [] : [[id, shown]];
  });
  return { graph, nodes: new Map(byId) };
}

/** What a summand multiplies: nothing (the identity), or a matrix. */
type Factor = AffineMatrix | null;

/** A value as a sum over values that are stages or inputs. */
interface Form {
  readonly terms: Map<number, Factor>;
  readonly bias: FloatArray | null;
}

class Linearizer {
  readonly #graph: Graph;
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #merge: boolean;
  readonly #maxBytes: number;
  readonly #names: readonly string[];
  /** Values that are stages wherever they come from: outputs, and what something that is not affine reads. */
  readonly #whole: ReadonlySet<number>;
  readonly #forms = new Map<number, Form>();
  /** How many nodes are still to read a value. */
  readonly #readers = new Map<number, number>();
  readonly #stages: Stage[] = [];
  /** Of the sparse matrices of all stages so far. */
  #bytes = 0;

  constructor(graph: Graph, nodes: ReadonlyMap<string, Node>, merge: boolean, maxBytes: number) {
    this.#graph = graph;
    this.#nodes = nodes;
    this.#merge = merge;
    this.#maxBytes = maxBytes;
    this.#names = namesOf(graph);
    const whole = new Set(graph.outputs.map(({ value }) => value));
    for (const node of graph.nodes) {
      for (const input of new Set(node.inputs))
        if (input !== null) this.#readers.set(input, (this.#readers.get(input) ?? 0) + 1);
      if (affineMapOf(node, graph) !== null) continue;
      for (const input of node.inputs) if (input !== null) whole.add(input);
    }
    this.#whole = whole;
    for (const id of graph.inputs) this.#forms.set(id, itself(id));
  }

  take(node: GraphNode): void {
    const map = affineMapOf(node, this.#graph);
    const [output] = node.outputs;
    if (map === null || output === null) {
      this.#keep(node);
      this.#spend(node);
      return;
    }
    let terms = new Map<number, Factor>();
    let bias = nonZero(map.bias());
    for (const term of map.terms) {
      const input = (this.#merge ? this.#forms.get(term.input) : undefined) ?? itself(term.input);
      const summand = this.#apply(term, input, output);
      // A long sum grows in the terms of its first part when nobody else wants them.
      const isSpent = summand !== input || this.#readers.get(term.input) === 1;
      if (terms.size === 0 && isSpent) terms = summand.terms;
      else this.#addTerms(terms, summand, output);
      bias = bias === null || summand.bias === null ? (bias ?? summand.bias) : sum(bias, summand.bias);
    }
    this.#spend(node);
    const form: Form = { terms, bias };
    if (!this.#merge || this.#whole.has(output)) {
      this.#emit(output, form);
      this.#forms.set(output, itself(output));
    } else this.#forms.set(output, form);
  }

  /** Forms that nobody is going to read any more are forgotten. */
  #spend(node: GraphNode): void {
    for (const input of new Set(node.inputs)) {
      if (input === null) continue;
      const left = (this.#readers.get(input) ?? 1) - 1;
      this.#readers.set(input, left);
      if (left === 0) this.#forms.delete(input);
    }
  }

  finish(): LinearizedNetwork {
    const { values, inputs, outputs } = this.#graph;
    const info = (id: number, name = this.#names[id]) => ({
      name,
      shape: values[id].shape,
      type: values[id].type,
    });
    // An output that nothing computes is an input or a constant: a stage that copies it.
    for (const { value } of outputs) {
      if (values[value].constant !== null || inputs.includes(value)) this.#emitCopy(value);
    }
    return new LinearizedNetwork(
      inputs.map((id) => info(id)),
      outputs.map(({ name, value }) => ({
        ...info(value, name),
        from: this.#copies.get(value) ?? this.#names[value],
      })),
      this.#stages,
    );
  }

  readonly #copies = new Map<number, string>();

  #emitCopy(value: number): void {
    if (this.#copies.has(value)) return;
    const { shape, constant } = this.#graph.values[value];
    const name = `${this.#names[value]}:copy`;
    const terms = constant === null ? [{ input: this.#names[value], matrix: identity(sizeOf(shape)) }] : [];
    const bias = constant === null ? new Float32Array(sizeOf(shape)) : Float32Array.from(constant);
    this.#stages.push({ kind: 'affine', output: name, outputShape: shape, terms, bias });
    this.#copies.set(value, name);
  }

  /** What is not affine: an operator by name, over values that are stages. */
  #keep(node: GraphNode): void {
    const [first] = node.outputs.filter((id) => id !== null);
    const shown = this.#nodes.get(node.sources[0]);
    if (first === undefined || shown === undefined) return;
    this.#stages.push({
      kind: 'operator',
      opType: shown.opType,
      node: shown,
      output: this.#names[first],
      outputShape: this.#graph.values[first].shape,
      inputs: node.inputs.flatMap((id) => (id === null || this.#isConstant(id) ? [] : [this.#names[id]])),
      graphNode: node,
      operands: node.inputs.map((id) => (id === null ? null : this.#operand(id))),
      results: node.outputs.map((id) =>
        id === null ? null : { ...this.#graph.values[id], name: this.#names[id] },
      ),
    });
    for (const id of node.outputs) if (id !== null) this.#forms.set(id, itself(id));
  }

  #isConstant(id: number): boolean {
    return this.#graph.values[id].constant !== null;
  }

  #operand(id: number) {
    const { type, shape, constant } = this.#graph.values[id];
    return { type, shape, constant, name: this.#names[id] };
  }

  #emit(output: number, { terms, bias }: Form): void {
    const { shape, type } = this.#graph.values[output];
    const size = sizeOf(shape);
    for (const factor of terms.values())
      if (factor instanceof CsrMatrix) this.#bytes += bytesOf(factor.shape[0], factor.nnz);
    const empty = type === 'float64' ? new Float64Array(size) : new Float32Array(size);
    this.#stages.push({
      kind: 'affine',
      output: this.#names[output],
      outputShape: shape,
      terms: [...terms].map(
        ([id, factor]): StageTerm => ({ input: this.#names[id], matrix: factor ?? identity(size) }),
      ),
      bias: bias ?? empty,
    });
  }

  /** M·form. */
  #apply(term: AffineTerm, form: Form, output: number): Form {
    if (term.identity && this.#merge) return form;
    if (!term.implicit) this.#admit(term.entries(), output);
    const matrix = term.matrix();
    const terms = new Map<number, Factor>();
    for (const [root, factor] of form.terms) terms.set(root, this.#product(matrix, factor, output));
    const bias = form.bias === null ? null : nonZero(matrix.matvec(form.bias));
    return { terms, bias };
  }

  #product(matrix: AffineMatrix, factor: Factor, output: number): AffineMatrix {
    if (factor === null) return matrix;
    if (factor instanceof ConvMatrix && matrix instanceof CsrMatrix) {
      const scaled = scaledChannels(matrix, factor);
      if (scaled !== null) return scaled;
    }
    const [left, right] = [this.#csr(matrix, output), this.#csr(factor, output)];
    this.#admit(combinedEntries('product', left, right), output);
    return left.multiply(right);
  }

  #addTerms(terms: Map<number, Factor>, summand: Form, output: number): void {
    const size = sizeOf(this.#graph.values[output].shape);
    for (const [root, factor] of summand.terms) {
      const other = terms.get(root);
      if (other === undefined) {
        terms.set(root, factor);
        continue;
      }
      const [left, right] = [other, factor].map((one) =>
        one === null ? identity(size) : this.#csr(one, output),
      );
      this.#admit(combinedEntries('sum', left, right), output);
      terms.set(root, left.add(right));
    }
  }

  #csr(matrix: AffineMatrix, output: number): CsrMatrix {
    if (!(matrix instanceof CsrMatrix)) this.#admit(matrix.nnz, output);
    return matrix.toCSR();
  }

  /** Before entries are allocated: they must fit into what the stages so far leave of the budget. */
  #admit(entries: number, output: number): void {
    const { name, shape } = this.#graph.values[output];
    const bytes = bytesOf(sizeOf(shape), entries);
    if (this.#bytes + bytes > this.#maxBytes) {
      throw new MemoryError(
        `linearize: the matrix of ${name}, ${describeShape(shape)}, has ${entries} entries: expected all to take at most ${this.#maxBytes} bytes (options.maxBytes), got ${this.#bytes + bytes}`,
      );
    }
  }
}

/** A column and a value for each entry; where each row begins. */
function bytesOf(rows: number, entries: number): number {
  return 8 * entries + 4 * (rows + 1);
}

function itself(id: number): Form {
  return { terms: new Map([[id, null]]), bias: null };
}

function identity(size: number): CsrMatrix {
  const places = Int32Array.from({ length: size + 1 }, (_, i) => i);
  return new CsrMatrix([size, size], places, places.slice(0, size), new Float32Array(size).fill(1));
}

function nonZero(bias: FloatArray): FloatArray | null {
  return bias.some((value) => value !== 0) ? bias : null;
}

function sum(a: FloatArray, b: FloatArray): FloatArray {
  const total = a.slice();
  for (let i = 0; i < total.length; i++) total[i] += b[i];
  return total;
}

/** A diagonal that has one factor for each channel goes into the kernels of the convolution before it. */
function scaledChannels(diagonal: CsrMatrix, conv: ConvMatrix): ConvMatrix | null {
  const { shape, nnz, indices, data } = diagonal;
  const [channels] = conv.outputShape;
  const places = shape[0] / channels;
  if (shape[0] !== shape[1] || nnz !== shape[0]) return null;
  for (let i = 0; i < nnz; i++) {
    if (indices[i] !== i || data[i] !== data[i - (i % places)]) return null;
  }
  return conv.scaleChannels(Float64Array.from({ length: channels }, (_, c) => data[c * places]));
}

/** Entries of A·B or A + B, counted without making them. */
function combinedEntries(operation: 'product' | 'sum', a: CsrMatrix, b: CsrMatrix): number {
  const [left, right] = [a, b].map(({ shape, indptr, indices, data }) => ({
    rows: shape[0],
    cols: shape[1],
    indptr,
    indices,
    data,
  }));
  return backend().csrCombinedSizes(operation, left, right, new Int32Array(a.shape[0] + 1));
}

/** A name for each value, each once: those of the graph's inputs and outputs are the file's. */
function namesOf({ values, inputs, outputs }: Graph): string[] {
  const taken = new Set<string>();
  const names = values.map(() => '');
  const give = (id: number, name: string): void => {
    if (names[id] !== '') return;
    names[id] = taken.has(name) ? `${name}#${id}` : name;
    taken.add(names[id]);
  };
  for (const id of inputs) give(id, values[id].name);
  for (const { name, value } of outputs) give(value, name);
  for (const { id, name } of values) give(id, name);
  return names;
}
