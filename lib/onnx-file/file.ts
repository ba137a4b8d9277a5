/**
 * A model as its file has it: messages of onnx.proto read into plain objects, and written again. What is not understood
 * here (subgraphs, metadata, functions) is kept as bytes, so that nothing in a file can nest deeper than this grammar.
 * Source: onnx.proto, version 1.18.
 */
import { describe } from '../check.js';
import { FormatError, MemoryError } from '../errors.js';
import { fileType } from './element-types.js';
import { type ExternalData, FileTensor, type TensorSource } from './file-tensor.js';
import { Reader, Writer } from './wire.js';

/** A field that is passed on as it came. */
export interface RawField {
  readonly field: number;
  readonly kind: number;
  readonly payload: Uint8Array;
}

export interface FileModel {
  readonly irVersion: number;
  readonly producer: string;
  readonly producerVersion: string;
  /** Version of each domain's operators; '' is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: FileGraph;
  readonly rest: readonly RawField[];
}

export interface FileGraph {
  readonly name: string;
  readonly nodes: readonly FileNode[];
  readonly initializers: readonly FileTensor[];
  readonly inputs: readonly FileValue[];
  readonly outputs: readonly FileValue[];
  /** Names of sparse initializers, which are kept in `rest`. */
  readonly sparse: readonly string[];
  readonly rest: readonly RawField[];
}

export interface FileValue {
  readonly name: string;
  /** TensorProto.DataType; 0 where the file tells none. */
  readonly typeNumber: number;
  /** 'tensor', or what ONNX calls it. */
  readonly kind: string;
  /** The message of a type that is no tensor. */
  readonly message: Uint8Array | null;
  /** null: of unknown rank. */
  readonly shape: readonly (number | string | null)[] | null;
}

export interface FileNode {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** '' is an optional input that is absent. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, FileAttribute>;
}

export type FileAttribute =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: number | bigint }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: FileTensor }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly (number | bigint)[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensors'; readonly value: readonly FileTensor[] }
  /** A graph, a sparse tensor, a type: kept as its message. */
  | { readonly kind: 'other'; readonly value: Uint8Array };

// ───────────────────────────── reading ─────────────────────────────

/** @param file  What an error calls the file. */
export function decodeModel(bytes: Uint8Array, file: string): FileModel {
  const reader = new Reader(bytes, file);
  let irVersion = 0;
  let producer = '';
  let producerVersion = '';
  let graph: FileGraph | null = null;
  const opsets = new Map<string, number>();
  const rest: RawField[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) irVersion = reader.int();
    else if (field === 2) producer = reader.string();
    else if (field === 3) producerVersion = reader.string();
    else if (field === 7 && graph === null) graph = decodeGraph(reader.message(), file);
    else if (field === 8) decodeOpset(reader.message(), opsets);
    else if (field === 7) throw reader.failure('one graph', 'a second one');
    else rest.push({ field, ...reader.skip() });
  }
  if (graph === null) {
    const got = bytes.length === 0 ? 'no bytes' : 'a message without a graph';
    throw new FormatError(`${file}: expected an ONNX model, got ${got}`);
  }
  // Files of the first version had no list of operator sets.
  if (opsets.size === 0) opsets.set('', 1);
  return { irVersion, producer, producerVersion, opsets, graph, rest };
}

function decodeOpset(reader: Reader, opsets: Map<string, number>): void {
  let domain = '';
  let version = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) domain = reader.string();
    else if (field === 2) version = reader.int();
    else reader.skip();
  }
  opsets.set(domain === 'ai.onnx' ? '' : domain, version);
}

function decodeGraph(reader: Reader, file: string): FileGraph {
  let name = '';
  const nodes: FileNode[] = [];
  const initializers: FileTensor[] = [];
  const inputs: FileValue[] = [];
  const outputs: FileValue[] = [];
  const sparse: string[] = [];
  const rest: RawField[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) nodes.push(decodeNode(reader.message(), file));
    else if (field === 2) name = reader.string();
    else if (field === 5) initializers.push(decodeTensor(reader.message(), file));
    else if (field === 11) inputs.push(decodeValue(reader.message()));
    else if (field === 12) outputs.push(decodeValue(reader.message()));
    else {
      const raw = reader.skip();
      if (field === 15) sparse.push(sparseName(raw.payload, file));
      rest.push({ field, ...raw });
    }
  }
  return { name, nodes, initializers, inputs, outputs, sparse, rest };
}

function sparseName(payload: Uint8Array, file: string): string {
  const reader = new Reader(payload, file);
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) return decodeTensor(reader.message(), file, true).name;
    reader.skip();
  }
  return '';
}

function decodeNode(reader: Reader, file: string): FileNode {
  let name = '';
  let opType = '';
  let domain = '';
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, FileAttribute>();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) inputs.push(reader.string());
    else if (field === 2) outputs.push(reader.string());
    else if (field === 3) name = reader.string();
    else if (field === 4) opType = reader.string();
    else if (field === 7) domain = reader.string();
    else if (field === 5) {
      const [attributeName, attribute] = decodeAttribute(reader.message(), file);
      if (attributes.has(attributeName))
        throw reader.failure('attributes with names of their own', `${describe(attributeName)} twice`);
      attributes.set(attributeName, attribute);
    } else reader.skip();
  }
  return { name, opType, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes };
}

/** AttributeProto.AttributeType. */
const ATTRIBUTE_KINDS = [
  'undefined',
  'float',
  'int',
  'string',
  'tensor',
  'graph',
  'floats',
  'ints',
  'strings',
  'tensors',
] as const;

function decodeAttribute(reader: Reader, file: string): [name: string, attribute: FileAttribute] {
  let name = '';
  let typeNumber = 0;
  let float = 0;
  let int: number | bigint = 0;
  let string = '';
  let tensor: FileTensor | null = null;
  const floats: number[] = [];
  const ints: (number | bigint)[] = [];
  const strings: string[] = [];
  const tensors: FileTensor[] = [];
  const other = new Writer();
  // The kind of the first value, for files of a time when the type was not told.
  let seen = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.string();
    else if (field === 20) typeNumber = reader.int();
    else if (field === 13) reader.skip();
    else {
      if (field === 2) float = reader.float();
      else if (field === 3) int = reader.exactInt();
      else if (field === 4) string = reader.string();
      else if (field === 5) tensor = decodeTensor(reader.message(), file);
      else if (field === 7) reader.floats(floats);
      else if (field === 8) reader.exactInts(ints);
      else if (field === 9) strings.push(reader.string());
      else if (field === 10) tensors.push(decodeTensor(reader.message(), file));
      else other.again(field, reader.skip());
      if (seen === 0) seen = field;
    }
  }
  // Field numbers of values are one more than the numbers of their types, as far as both are plain.
  const kind = ATTRIBUTE_KINDS[typeNumber === 0 ? seen - 1 : typeNumber];
  if (kind === 'float') return [name, { kind, value: float }];
  if (kind === 'int') return [name, { kind, value: int }];
  if (kind === 'string') return [name, { kind, value: string }];
  if (kind === 'floats') return [name, { kind, value: floats }];
  if (kind === 'ints') return [name, { kind, value: ints }];
  if (kind === 'strings') return [name, { kind, value: strings }];
  if (kind === 'tensors') return [name, { kind, value: tensors }];
  if (kind === 'tensor') {
    if (tensor === null) throw reader.failure(`a tensor in attribute ${describe(name)}`, 'none');
    return [name, { kind, value: tensor }];
  }
  if (typeNumber !== 0) other.int(20, typeNumber);
  return [name, { kind: 'other', value: join(other) }];
}

/** A TensorProto on its own, as test data come. */
export function decodeTensorFile(bytes: Uint8Array, file: string): FileTensor {
  return decodeTensor(new Reader(bytes, file), file);
}

/** @param sparse  Dimensions are those of the entries alone, and are not compared with the elements. */
function decodeTensor(reader: Reader, file: string, sparse = false): FileTensor {
  let name = '';
  let typeNumber = 0;
  let raw: Uint8Array | null = null;
  let external = false;
  const dims: number[] = [];
  const list: (number | bigint)[] = [];
  const places = new Map<string, string>();
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) reader.ints(dims);
    else if (field === 2) typeNumber = reader.int();
    else if (field === 4) reader.floats(list);
    else if (field === 5) reader.ints(list);
    else if (field === 7 || field === 11) reader.exactInts(list);
    else if (field === 8) name = reader.string();
    else if (field === 9) raw = reader.bytes();
    else if (field === 10) reader.doubles(list);
    else if (field === 13) decodeEntry(reader.message(), places);
    else if (field === 14) external = reader.int() === 1;
    else {
      if (field === 3) throw reader.failure('a tensor in one piece', 'a segment of one');
      reader.skip();
    }
  }
  let source: TensorSource;
  // Strings, and elements of less than a byte.
  if (sparse || fileType(typeNumber).bytes === 0) source = { kind: 'kept', message: reader.whole() };
  else if (external) source = { kind: 'external', at: externalData(places, name, file) };
  else if (raw !== null) source = { kind: 'raw', bytes: raw };
  else source = { kind: 'list', values: list };
  return new FileTensor(file, name, dims, typeNumber, source);
}

function decodeEntry(reader: Reader, into: Map<string, string>): void {
  let key = '';
  let value = '';
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.string();
    else if (field === 2) value = reader.string();
    else reader.skip();
  }
  into.set(key, value);
}

function externalData(places: ReadonlyMap<string, string>, name: string, file: string): ExternalData {
  const count = (key: string): number | null => {
    const text = places.get(key);
    if (text === undefined) return null;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value < 0)
      throw new FormatError(
        `${file}: tensor ${describe(name)}: expected ${key} to be a count of bytes, got ${describe(text)}`,
      );
    return value;
  };
  const location = places.get('location');
  if (location === undefined || location === '')
    throw new FormatError(`${file}: tensor ${describe(name)}: expected the location of a file, got none`);
  return { location, offset: count('offset') ?? 0, length: count('length') };
}

function decodeValue(reader: Reader): FileValue {
  let name = '';
  let value: Omit<FileValue, 'name'> = { typeNumber: 0, kind: 'tensor', message: null, shape: null };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.string();
    else if (field === 2) value = decodeType(reader.message());
    else reader.skip();
  }
  return { name, ...value };
}

const TYPE_KINDS: Readonly<Record<number, string>> = {
  4: 'sequence',
  5: 'map',
  7: 'opaque',
  8: 'sparse tensor',
  9: 'optional',
};

function decodeType(reader: Reader): Omit<FileValue, 'name'> {
  let typeNumber = 0;
  let kind = 'tensor';
  let shape: (number | string | null)[] | null = null;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) {
      kind = TYPE_KINDS[field] ?? kind;
      reader.skip();
      continue;
    }
    const tensor = reader.message();
    for (let inner = tensor.next(); inner !== 0; inner = tensor.next()) {
      if (inner === 1) typeNumber = tensor.int();
      else if (inner === 2) shape = decodeShape(tensor.message());
      else tensor.skip();
    }
  }
  return { typeNumber, kind, message: kind === 'tensor' ? null : reader.whole(), shape };
}

function decodeShape(reader: Reader): (number | string | null)[] {
  const shape: (number | string | null)[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const dim = reader.message();
    let size: number | string | null = null;
    for (let inner = dim.next(); inner !== 0; inner = dim.next()) {
      if (inner === 1) size = dim.int();
      else if (inner === 2) size = dim.string() || null;
      else dim.skip();
    }
    // Exporters write −1 for what they do not know.
    shape.push(typeof size === 'number' && size < 0 ? null : size);
  }
  return shape;
}

// ───────────────────────────── writing ─────────────────────────────

/** Where a tensor's bytes go when they do not go into the message. */
export type Placement = (tensor: FileTensor) => ExternalData | null;

const NOWHERE_ELSE: Placement = () => null;

/** The message in pieces: weights are not copied. */
export function encodeModel(model: FileModel, place = NOWHERE_ELSE): Writer {
  const writer = new Writer().int(1, model.irVersion).string(2, model.producer);
  if (model.producerVersion !== '') writer.string(3, model.producerVersion);
  writer.message(7, encodeGraph(model.graph, place));
  for (const [domain, version] of model.opsets) {
    const opset = new Writer();
    if (domain !== '') opset.string(1, domain);
    writer.message(8, opset.int(2, version));
  }
  for (const field of model.rest) writer.again(field.field, field);
  return writer;
}

function encodeGraph(graph: FileGraph, place: Placement): Writer {
  const writer = new Writer();
  for (const node of graph.nodes) writer.message(1, encodeNode(node));
  // A graph without a name is refused by onnx.checker.
  writer.string(2, graph.name || 'graph');
  for (const tensor of graph.initializers) writer.message(5, encodeTensor(tensor, place));
  for (const value of graph.inputs) writer.message(11, encodeValue(value));
  for (const value of graph.outputs) writer.message(12, encodeValue(value));
  for (const field of graph.rest) writer.again(field.field, field);
  return writer;
}

function encodeNode(node: FileNode): Writer {
  const writer = new Writer();
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  if (node.name !== '') writer.string(3, node.name);
  writer.string(4, node.opType);
  for (const [name, attribute] of node.attributes) writer.message(5, encodeAttribute(name, attribute));
  if (node.domain !== '') writer.string(7, node.domain);
  return writer;
}

function encodeAttribute(name: string, attribute: FileAttribute): Writer {
  const writer = new Writer().string(1, name);
  if (attribute.kind === 'other') return writer.fields(attribute.value);
  const { kind, value } = attribute;
  if (kind === 'float') writer.float(2, value);
  else if (kind === 'int') writer.int(3, value);
  else if (kind === 'string') writer.string(4, value);
  else if (kind === 'tensor') writer.message(5, encodeTensor(value));
  else if (kind === 'floats') writer.floats(7, value);
  else if (kind === 'ints') writer.ints(8, value);
  else if (kind === 'strings') for (const entry of value) writer.string(9, entry);
  else for (const entry of value) writer.message(10, encodeTensor(entry));
  return writer.int(20, ATTRIBUTE_KINDS.indexOf(kind));
}

function encodeTensor(tensor: FileTensor, place = NOWHERE_ELSE): Writer {
  if (tensor.source.kind === 'kept') return new Writer().fields(tensor.source.message);
  const writer = new Writer().ints(1, tensor.dims).int(2, tensor.typeNumber);
  if (tensor.name !== '') writer.string(8, tensor.name);
  const elsewhere = place(tensor);
  if (elsewhere !== null) {
    const { location, offset, length } = elsewhere;
    for (const [key, value] of Object.entries({ location, offset, length }))
      writer.message(13, new Writer().string(1, key).string(2, `${value}`));
    return writer.int(14, 1);
  }
  const raw = tensor.rawBytes();
  if (raw === null)
    throw new FormatError(
      `tensor ${describe(tensor.name)}: expected numbers to write, got ${tensor.fileType.name}`,
    );
  return writer.bytes(9, raw);
}

function encodeValue(value: FileValue): Writer {
  const writer = new Writer().string(1, value.name);
  if (value.message !== null) return writer.bytes(2, value.message);
  const tensor = new Writer().int(1, value.typeNumber);
  if (value.shape !== null) {
    const shape = new Writer();
    for (const size of value.shape) {
      const dim = new Writer();
      if (typeof size === 'number') dim.int(1, size);
      else if (size !== null) dim.string(2, size);
      shape.message(1, dim);
    }
    tensor.message(2, shape);
  }
  return writer.message(2, new Writer().message(1, tensor));
}

/** The most that a message may be long. */
export const LONGEST_MESSAGE = 2 ** 31 - 1;

/** The pieces as one array. @throws {MemoryError} past what a message may be long. */
export function join(writer: Writer): Uint8Array {
  if (writer.length > LONGEST_MESSAGE)
    throw new MemoryError(`model: expected at most 2^31 - 1 bytes, got ${writer.length} (writeModel can)`);
  const bytes = new Uint8Array(writer.length);
  let at = 0;
  for (const part of writer.parts()) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
