/** A model as its file has it: for looking at, running, changing into matrices, and writing again. */

import { isInstance, mistake } from '../check.js';
import { ArgumentError } from '../errors.js';
import { fileType } from '../onnx-file/element-types.js';
import {
  encodeModel,
  type FileAttribute,
  type FileModel,
  type FileNode,
  type FileValue,
  join,
} from '../onnx-file/file.js';
import type { FileTensor } from '../onnx-file/file-tensor.js';
import { orderNodes } from '../onnx-file/structure.js';
import type { Shape, Tensor } from '../tensor/tensor.js';
import { type Summary, summarize } from './summary.js';

/** A dimension that the file names instead of fixing ("N", "height") is that string; an unknown one is null. */
export interface ValueInfo {
  /** As in the file. */
  readonly name: string;
  /** ONNX's: 'float', 'int64', 'uint8' … */
  readonly dtype: string;
  /** Sizes; the name of one that is left open, null for one that is unknown. */
  readonly shape: readonly (number | string | null)[];
}

/** An operator of the graph, as in the file. */
export interface Node {
  /** '' where the file gives none. */
  readonly name: string;
  /** The operator. */
  readonly opType: string;
  /** '' is ONNX's own. */
  readonly domain: string;
  /** '' is an optional input that is absent. */
  readonly inputs: readonly string[];
  /** Names of what it gives. */
  readonly outputs: readonly string[];
  /**
   * Numbers, strings, lists of them and Tensors (made when they are read); an integer past 2^53 is a bigint; a graph is
   * its bytes.
   */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** What a model keeps of its file. */
export interface ModelFile {
  readonly model: FileModel;
  /** What errors call the file. */
  readonly file: string;
}

let fileOf: (model: Model) => ModelFile;

/**
 * A graph as it stands in the file: nothing folded, nothing renamed. Unknown operators are kept.
 *
 * @example const { inputs, nodes } = await readModel('model.onnx');
 */
export class Model {
  /** The version of ONNX's own operators. */
  readonly opset: number;
  /** The program that wrote the file. */
  readonly producer: string;
  /** Without initializers. */
  readonly inputs: readonly ValueInfo[];
  /** What the graph gives. */
  readonly outputs: readonly ValueInfo[];
  /** In an order in which each follows those that it reads. */
  readonly nodes: readonly Node[];
  /**
   * Weights by name, made into Tensors when they are read: int64 as int32, float16 and bfloat16 as float32, bool as uint8.
   * @throws {DTypeError} from get() and iteration for an integer that int32 does not hold; {UnsupportedError} for strings and the like.
   */
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly #file: ModelFile;

  static {
    fileOf = (model) => model.#file;
  }

  /** Models come from readModel. @throws {FormatError} for a graph that is none. */
  constructor(model: FileModel, file: string) {
    const { graph } = model;
    orderNodes(graph, file);
    this.#file = { model, file };
    this.opset = model.opsets.get('') ?? 1;
    this.producer = model.producer;
    const initialized = new Set(graph.initializers.map(({ name }) => name));
    this.inputs = graph.inputs.filter(({ name }) => !initialized.has(name)).map(toValueInfo);
    this.outputs = graph.outputs.map(toValueInfo);
    this.nodes = graph.nodes.map(toNode);
    this.initializers = new Initializers(graph.initializers);
  }

  /**
   * Per node: operator, output shapes (null where they are not known), parameters, multiplications; toString() is an
   * aligned table with totals.
   *
   * @param inputShapes  For inputs whose shapes the file leaves open.
   */
  summary(inputShapes?: Readonly<Record<string, Shape>>): Summary {
    return summarize(this.#file, inputShapes);
  }

  /** ONNX bytes; weights that lie beside the file are written into them. @throws {MemoryError} past 2 GiB. */
  encode(): Uint8Array {
    return join(encodeModel(this.#file.model));
  }
}

/** The file behind a model. */
export function modelFile(model: Model): ModelFile {
  if (!isInstance(model, Model)) throw mistake(ArgumentError, 'model', 'a Model', model);
  return fileOf(model);
}

function toValueInfo({ name, kind, typeNumber, shape }: FileValue): ValueInfo {
  const dtype = kind === 'tensor' ? fileType(typeNumber).name : kind;
  return Object.freeze({ name, dtype, shape: Object.freeze([...(shape ?? [])]) });
}

function toNode({ name, opType, domain, inputs, outputs, attributes }: FileNode): Node {
  const shown: Record<string, unknown> = {};
  for (const [key, attribute] of attributes) {
    Object.defineProperty(shown, key, { enumerable: true, get: () => toPublic(attribute) });
  }
  return Object.freeze({ name, opType, domain, inputs, outputs, attributes: Object.freeze(shown) });
}

function toPublic(attribute: FileAttribute): unknown {
  if (attribute.kind === 'tensor') return attribute.value.toTensor();
  if (attribute.kind === 'tensors') return attribute.value.map((tensor) => tensor.toTensor());
  return attribute.value;
}

/** Tensors by name that are made when somebody wants them. */
class Initializers implements ReadonlyMap<string, Tensor> {
  readonly #tensors: ReadonlyMap<string, FileTensor>;

  constructor(tensors: readonly FileTensor[]) {
    this.#tensors = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  }

  get size(): number {
    return this.#tensors.size;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  get(name: string): Tensor | undefined {
    return this.#tensors.get(name)?.toTensor();
  }

  forEach(
    callback: (tensor: Tensor, name: string, map: ReadonlyMap<string, Tensor>) => void,
    self?: unknown,
  ): void {
    for (const [name, tensor] of this) callback.call(self, tensor, name, this);
  }

  keys(): MapIterator<string> {
    return this.#tensors.keys();
  }

  *values(): MapIterator<Tensor> {
    for (const tensor of this.#tensors.values()) yield tensor.toTensor();
  }

  *entries(): MapIterator<[string, Tensor]> {
    for (const [name, tensor] of this.#tensors) yield [name, tensor.toTensor()];
  }

  [Symbol.iterator](): MapIterator<[string, Tensor]> {
    return this.entries();
  }
}
