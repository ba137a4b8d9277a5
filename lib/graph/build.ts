/**
 * From a file to graphs whose shapes are all known.
 *
 * Mostly one graph is the whole network. Where a shape depends on elements that only a run computes (a Reshape to a
 * shape that is an input, NonMaxSuppression), the network is a chain of segments: each graph ends where the elements are
 * needed, and the next is built when they are there.
 */
import { ConvmatError, MemoryError, UnsupportedError } from '../errors.js';
import { atOnce } from '../host/pace.js';
import { fileType } from '../onnx-file/element-types.js';
import type { FileModel, FileNode } from '../onnx-file/file.js';
import type { FileTensor } from '../onnx-file/file-tensor.js';
import { nodeTitle, orderNodes } from '../onnx-file/structure.js';
import type { Shape } from '../tensor/tensor.js';
import { GraphBuilder } from './builder.js';
import type { View } from './evaluate.js';
import type { ElementType, Graph, GraphNode, GraphOutput, Value } from './graph.js';
import { type Interlude, type Narrow, OnnxNode, Pause } from './onnx-node.js';
import { narrowFloat } from './operators/creation.js';
import { operatorOf } from './operators/index.js';
import { Complaints } from './support.js';

/** A model ready to be built, for any shapes. */
export interface Source {
  readonly file: string;
  readonly model: FileModel;
  readonly opset: number;
  /** In an order in which they can run. */
  readonly nodes: readonly SourceNode[];
  readonly initializers: ReadonlyMap<string, FileTensor>;
}

export class SourceNode {
  readonly #index: number;

  constructor(
    readonly node: FileNode,
    /** In the file. */
    index: number,
    /** Its name, or one made for it: no other node has it. */
    readonly id: string,
  ) {
    this.#index = index;
  }

  /** What messages call it. */
  get title(): string {
    return nodeTitle(this.node, this.#index);
  }
}

export function sourceOf(model: FileModel, file: string): Source {
  const { graph } = model;
  const ids = new Set<string>();
  const named = new Map(
    graph.nodes.map((node, index): [FileNode, SourceNode] => {
      const own = node.name !== '' && !ids.has(node.name);
      const id = own ? node.name : `${node.name || node.opType}#${index}`;
      ids.add(id);
      return [node, new SourceNode(node, index, id)];
    }),
  );
  return {
    file,
    model,
    opset: model.opsets.get('') ?? 1,
    nodes: orderNodes(graph, file).flatMap((node) => named.get(node) ?? []),
    initializers: new Map(graph.initializers.map((tensor) => [tensor.name, tensor])),
  };
}

/** What is known of a value by its name in the file: all of it, or its type and shape. */
export type Given = View | { readonly type: ElementType; readonly shape: Shape; readonly data: null };

/** Where a segment begins. */
export interface Entry {
  /** Of the first node, in Source.nodes. */
  readonly position: number;
  readonly given: ReadonlyMap<string, Given>;
}

export interface Segment {
  readonly graph: Graph;
  /** Names in the file of the graph's inputs. */
  readonly inputNames: readonly string[];
  /** Where the network goes on; null at its end, when the graph's outputs are the network's. */
  readonly rest: Rest | null;
  /** Every value of the file that this segment came to know, by name. */
  readonly known: ReadonlyMap<string, Value>;
}

/** The outputs of a segment's graph are what is carried, then the operands. */
export interface Rest {
  readonly position: number;
  /** Values that the rest reads and that are constants. */
  readonly constants: ReadonlyMap<string, View>;
  /** Names of values that the rest reads, besides. */
  readonly carried: readonly string[];
  /** Values whose elements the rest has to know: for each the names that it goes by. */
  readonly operands: readonly (readonly string[])[];
  /** A node that runs on the operands between the two graphs, and the name of what it gives. */
  readonly interlude: { readonly run: Interlude; readonly output: string } | null;
}

/** The most bytes that constants of one graph may take, computed from what a few bytes can ask for. */
const MOST_CONSTANT_BYTES = 2 ** 32;

/** As buildingSegment, in one go. */
export function buildSegment(source: Source, entry: Entry, lenient = false): Segment {
  return atOnce(buildingSegment(source, entry, lenient));
}

/**
 * Builds from an entry to the network's end, or to where elements are needed; pauses between nodes.
 *
 * @param lenient  Leaves out what is not supported or does not fit, instead of throwing: for summaries.
 * @throws {UnsupportedError} for everything that is not supported; {ShapeError} and {FormatError} for nodes whose
 *   operands do not fit; {MemoryError} when constants become too large.
 */
export function buildingSegment(
  source: Source,
  entry: Entry,
  lenient = false,
): Generator<undefined, Segment, void> {
  return new SegmentBuilder(source, entry, lenient).build();
}

class SegmentBuilder {
  readonly #source: Source;
  readonly #entry: Entry;
  readonly #lenient: boolean;
  readonly #builder: GraphBuilder;
  readonly #known = new Map<string, Value>();
  readonly #inputs: { name: string; value: Value }[] = [];
  /** Names that nodes would define which could not be read. */
  readonly #missing = new Set<string>();
  readonly #complaints = new Complaints();

  constructor(source: Source, entry: Entry, lenient: boolean) {
    this.#source = source;
    this.#entry = entry;
    this.#lenient = lenient;
    let bytes = 0;
    this.#builder = new GraphBuilder((more) => {
      bytes += more;
      if (bytes > MOST_CONSTANT_BYTES)
        throw new MemoryError(
          `${source.file}: expected constants of at most ${MOST_CONSTANT_BYTES} bytes, got ${bytes}`,
        );
    });
    for (const [name, { type, shape, data }] of entry.given) {
      if (data === null) {
        const value = this.#builder.value(name, type, shape);
        this.#inputs.push({ name, value });
        this.#known.set(name, value);
      } else this.#known.set(name, this.#builder.constant(name, type, shape, data));
    }
  }

  *build(): Generator<undefined, Segment, void> {
    const { nodes, file } = this.#source;
    for (let position = this.#entry.position; position < nodes.length; position++) {
      yield;
      const { node } = nodes[position];
      const operands = node.inputs.map((name) => (name === '' ? null : this.#lookUp(name)));
      const present = operands.filter((operand) => operand !== undefined);
      if (present.length < operands.length) {
        this.#skip(node);
        continue;
      }
      try {
        this.#read(nodes[position], present);
      } catch (error) {
        if (error instanceof Pause && !this.#lenient) {
          this.#complaints.throw(file);
          return this.#paused(position, error);
        }
        if (!(this.#lenient && (error instanceof ConvmatError || error instanceof Pause))) {
          if (!(error instanceof UnsupportedError)) throw located(error, file);
          const { title } = nodes[position];
          const own = `${title}: `;
          const { message } = error;
          this.#complaints.add(message.startsWith(own) ? message.slice(own.length) : message, title);
        }
        this.#skip(node);
      }
    }
    this.#complaints.throw(file);
    const outputs = this.#source.model.graph.outputs.flatMap(({ name }): GraphOutput[] => {
      const value = this.#lookUp(name);
      return value == null ? [] : [{ name, value: value.id }];
    });
    return this.#segment(outputs, null);
  }

  #read(source: SourceNode, operands: readonly (Value | null)[]): void {
    const { node } = source;
    const operator = operatorOf(node);
    if (operator === undefined) throw new UnsupportedError(`operator ${node.opType}`);
    const reader = new OnnxNode(source, this.#source.opset, operands, this.#builder, (name) =>
      this.#narrow(name),
    );
    operator.read(reader);
    reader.results().forEach((value, i) => {
      const name = node.outputs[i];
      if (name === '') return;
      if (value === null) throw new UnsupportedError(`${source.title}: output ${i}`);
      this.#known.set(name, value);
    });
  }

  #narrow(name: string): Narrow {
    const { initializers, model } = this.#source;
    const input = model.graph.inputs.find((candidate) => candidate.name === name);
    return narrowFloat(initializers.get(name)?.fileType.name ?? fileType(input?.typeNumber ?? 0).name);
  }

  #skip(node: FileNode): void {
    for (const name of node.outputs) this.#missing.add(name);
  }

  /** The value of a name; undefined when the node that would define it could not be read. */
  #lookUp(name: string): Value | undefined {
    const known = this.#known.get(name);
    if (known !== undefined || this.#missing.has(name)) return known;
    const tensor = this.#source.initializers.get(name);
    const type = tensor?.fileType.type ?? null;
    if (tensor === undefined || type === null) {
      this.#missing.add(name);
      return undefined;
    }
    const value = this.#builder.constant(name, type, tensor.dims, tensor.known());
    this.#known.set(name, value);
    return value;
  }

  #paused(position: number, { operands, interlude }: Pause): Segment {
    const { nodes, model } = this.#source;
    const start = interlude === null ? position : position + 1;
    const read = new Set(nodes.slice(start).flatMap(({ node }) => node.inputs));
    for (const { name } of model.graph.outputs) read.add(name);
    const constants = new Map<string, View>();
    const carried: { name: string; value: number }[] = [];
    const names = operands.map((): string[] => []);
    for (const name of read) {
      const value = this.#known.get(name);
      if (value === undefined) continue;
      const { id, type, shape, constant } = value;
      const operand = interlude === null ? operands.indexOf(value) : -1;
      if (constant !== null) constants.set(name, { type, shape, data: constant });
      else if (operand >= 0) names[operand].push(name);
      else carried.push({ name, value: id });
    }
    const outputs = [...carried, ...operands.map(({ name, id }) => ({ name, value: id }))];
    const output = nodes[position].node.outputs[0];
    return this.#segment(outputs, {
      position: start,
      constants,
      carried: carried.map(({ name }) => name),
      operands: names,
      interlude: interlude === null ? null : { run: interlude, output },
    });
  }

  #segment(outputs: readonly GraphOutput[], rest: Rest | null): Segment {
    const { values } = this.#builder;
    const graph: Graph = {
      values,
      nodes: liveNodes(this.#builder.nodes, outputs),
      inputs: this.#inputs.map(({ value }) => value.id),
      outputs,
    };
    return { graph, inputNames: this.#inputs.map(({ name }) => name), rest, known: this.#known };
  }
}

/** The nodes whose outputs somebody reads. */
function liveNodes(nodes: readonly GraphNode[], outputs: readonly GraphOutput[]): GraphNode[] {
  const wanted = new Set<number | null>(outputs.map(({ value }) => value));
  wanted.delete(null);
  const live: GraphNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((output) => output !== null && wanted.has(output))) continue;
    live.push(node);
    for (const input of node.inputs) if (input !== null) wanted.add(input);
  }
  return live.reverse();
}

/** The error with the file's name before it. */
function located(error: unknown, file: string): unknown {
  if (!(error instanceof ConvmatError)) return error;
  const Class = error.constructor as new (message: string, options?: ErrorOptions) => ConvmatError;
  return new Class(`${file}: ${error.message}`, { cause: error });
}
