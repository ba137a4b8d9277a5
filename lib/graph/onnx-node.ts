/** One node of a file while it is being understood: its attributes as its opset spells them, its operands as values. */
import { describe, describeShape } from '../check.js';
import { type ConvmatError, FormatError, ShapeError, UnsupportedError } from '../errors.js';
import type { FileAttribute, FileNode } from '../onnx-file/file.js';
import type { FileTensor } from '../onnx-file/file-tensor.js';
import type { Shape } from '../tensor/tensor.js';
import type { GraphBuilder, Result } from './builder.js';
import type { View } from './evaluate.js';
import type { Attributes, Elements, ElementType, Known, Operation, Value } from './graph.js';
import { broadcastShapes } from './shapes.js';

/** The kinds that an attribute may have, or the strings that it may be. */
export type AttributeForm = FileAttribute['kind'] | readonly string[];

type AttributeOf<Kind> = Extract<FileAttribute, { kind: Kind }>;

/** How an operator of ONNX is understood. */
export interface OnnxOperator {
  /** Every attribute that is understood, in any opset. */
  readonly attributes: Readonly<Record<string, AttributeForm>>;
  /** Adds to the graph what the node means. */
  read(node: OnnxNode): void;
}

/** A float of 16 bits, which float32 holds here; null for all other types. */
export type Narrow = 'float16' | 'bfloat16' | null;

/** Computes what has a shape that only the elements of its operands tell. */
export type Interlude = (operands: readonly View[]) => View;

/** Thrown when a graph cannot go on before operands are known, since shapes depend on their elements. */
export class Pause extends Error {
  /** @param interlude  The node itself, to be run on the operands; null when it needs them to be understood. */
  constructor(
    readonly operands: readonly Value[],
    readonly interlude: Interlude | null,
  ) {
    super(`expected constants, got ${operands.map((operand) => operand.name).join(', ')}`);
  }
}

/** A node of the file, by what messages and reports call it. */
interface NamedNode {
  readonly node: FileNode;
  readonly title: string;
  readonly id: string;
}

export class OnnxNode {
  readonly opset: number;
  readonly #source: NamedNode;
  readonly #node: FileNode;
  readonly #inputs: readonly (Value | null)[];
  readonly #builder: GraphBuilder;
  readonly #outputs: (Value | null)[];
  readonly #narrowOf: (name: string) => Narrow;

  /** @param narrowOf  The 16-bit float that the file keeps a value in. */
  constructor(
    source: NamedNode,
    opset: number,
    inputs: readonly (Value | null)[],
    builder: GraphBuilder,
    narrowOf: (name: string) => Narrow,
  ) {
    this.#source = source;
    this.#node = source.node;
    this.opset = opset;
    this.#inputs = inputs;
    this.#builder = builder;
    this.#narrowOf = narrowOf;
    this.#outputs = source.node.outputs.map(() => null);
  }

  /** What messages call it. */
  get title(): string {
    return this.#source.title;
  }

  get opType(): string {
    return this.#node.opType;
  }

  // ── attributes ──

  has(name: string): boolean {
    return this.#node.attributes.has(name);
  }

  int(name: string, fallback?: number): number {
    return Number(this.#find(name, 'int')?.value ?? this.#orElse(name, fallback));
  }

  float(name: string, fallback?: number): number {
    return this.#find(name, 'float')?.value ?? this.#orElse(name, fallback);
  }

  string(name: string, fallback?: string): string {
    return this.#find(name, 'string')?.value ?? this.#orElse(name, fallback);
  }

  ints(name: string, fallback?: readonly number[]): number[] {
    const ints: readonly (number | bigint)[] =
      this.#find(name, 'ints')?.value ?? this.#orElse(name, fallback);
    return ints.map(Number);
  }

  floats(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#find(name, 'floats')?.value ?? this.#orElse(name, fallback);
  }

  tensor(name: string): FileTensor {
    return this.#find(name, 'tensor')?.value ?? this.#orElse<FileTensor>(name, undefined);
  }

  #find<Kind extends FileAttribute['kind']>(name: string, kind: Kind): AttributeOf<Kind> | undefined {
    const attribute = this.#node.attributes.get(name);
    if (attribute !== undefined && attribute.kind !== kind)
      throw this.refuse(FormatError, `${name} of kind ${kind}`, attribute.kind);
    return attribute as AttributeOf<Kind> | undefined;
  }

  #orElse<T>(name: string, fallback: T | undefined): T {
    if (fallback === undefined) throw this.refuse(FormatError, `the attribute ${name}`, 'none');
    return fallback;
  }

  // ── operands ──

  get inputCount(): number {
    return this.#inputs.length;
  }

  get outputCount(): number {
    return this.#node.outputs.length;
  }

  /** Whether somebody may read output i. */
  wants(index: number): boolean {
    return index < this.#node.outputs.length && this.#node.outputs[index] !== '';
  }

  input(index: number): Value {
    const value = this.#inputs[index] ?? null;
    if (value === null) throw this.refuse(FormatError, `input ${index}`, 'none');
    return value;
  }

  optional(index: number): Value | null {
    return this.#inputs[index] ?? null;
  }

  inputs(): Value[] {
    return this.#inputs.map((_, index) => this.input(index));
  }

  /** The 16-bit float in which the file keeps an operand. */
  narrow(index: number): Narrow {
    return this.#narrowOf(this.#node.inputs[index] ?? '');
  }

  /** An operand that must be known to go on. @throws {Pause} when it is not. */
  known(value: Value): number[] {
    if (value.constant === null) throw new Pause([value], null);
    return Array.from(value.constant);
  }

  /** A single number that must be known. */
  knownNumber(value: Value): number {
    const numbers = this.known(value);
    if (numbers.length !== 1)
      throw this.refuse(ShapeError, `one number in ${value.name}`, describeShape(value.shape));
    return numbers[0];
  }

  /** Refuses the element types that the operator does not serve. */
  checkType(value: Value, types: readonly ElementType[]): void {
    if (!types.includes(value.type)) {
      const input = `input ${this.#inputs.indexOf(value)}`;
      throw this.refuse(UnsupportedError, `${input} of ${types.join(' or ')}`, value.type);
    }
  }

  checkRank(value: Value, least: number, most = least): void {
    const rank = value.shape.length;
    if (rank < least || rank > most) {
      const range =
        least === most ? `${least}` : most === Infinity ? `at least ${least}` : `${least} to ${most}`;
      throw this.refuse(ShapeError, `${value.name} of ${range} axes`, describeShape(value.shape));
    }
  }

  /** An axis of a shape of this rank, where negative ones count from the end. */
  axis(axis: number, rank: number): number {
    const positive = axis < 0 ? axis + rank : axis;
    if (!(positive >= 0 && positive < rank)) throw this.refuse(ShapeError, `an axis of ${rank}`, `${axis}`);
    return positive;
  }

  /** Axes without repeats, in the order given. */
  axes(axes: readonly number[], rank: number): number[] {
    const positive = axes.map((axis) => this.axis(axis, rank));
    if (new Set(positive).size !== positive.length)
      throw this.refuse(ShapeError, 'each axis once', describe(axes));
    return positive;
  }

  broadcast(...values: readonly Value[]): number[] {
    const shape = broadcastShapes(values.map((value) => value.shape));
    if (shape === null) {
      const shapes = values.map((value) => describeShape(value.shape)).join(' and ');
      throw this.refuse(ShapeError, 'shapes that broadcast', shapes);
    }
    return shape;
  }

  refuse(Class: new (message: string) => ConvmatError, expected: string, actual: string): ConvmatError {
    return new Class(`${this.title}: expected ${expected}, got ${actual}`);
  }

  // ── results ──

  /** An operation with one result. */
  apply<K extends Operation>(
    op: K,
    attributes: Attributes[K],
    inputs: readonly (Value | null)[],
    type: ElementType,
    shape: Shape,
  ): Value {
    const [value] = this.applyMany(op, attributes, inputs, [{ type, shape }]);
    if (value === null) throw new Error(`${this.title}: a result that was asked for is absent`);
    return value;
  }

  applyMany<K extends Operation>(
    op: K,
    attributes: Attributes[K],
    inputs: readonly (Value | null)[],
    results: readonly (Result | null)[],
  ): (Value | null)[] {
    const names = results.map((_, i) => this.#node.outputs[i] || `${this.title}:${i}`);
    return this.#builder.add(op, attributes, inputs, results, names, [this.#source.id]);
  }

  /** An array for a constant of the node's own. */
  allocate(type: ElementType, shape: Shape): Elements {
    return this.#builder.allocate(type, shape, this.title);
  }

  /** A value that this node brings along. */
  constant(type: ElementType, shape: Shape, known: Known): Value {
    return this.#builder.constant(`${this.title}:constant`, type, shape, known);
  }

  /** The same elements in another shape: the value itself where the shape is the same. */
  reshape(value: Value, shape: Shape): Value {
    const same = shape.length === value.shape.length && shape.every((size, i) => size === value.shape[i]);
    return same ? value : this.apply('Reshape', {}, [value], value.type, shape);
  }

  /** What output i of the node is. */
  result(index: number, value: Value | null): void {
    if (index < this.#outputs.length) this.#outputs[index] = value;
  }

  /** The node is this one operation. */
  become<K extends Operation>(
    op: K,
    attributes: Attributes[K],
    inputs: readonly (Value | null)[],
    type: ElementType,
    shape: Shape,
  ): void {
    this.result(0, this.apply(op, attributes, inputs, type, shape));
  }

  /**
   * The node's one result is what the interlude makes of the operands' elements, shape and all.
   * @throws {Pause} when they are not known.
   */
  becomeWhat(interlude: Interlude, operands: readonly Value[]): void {
    const views = operands.map(({ type, shape, constant }) => {
      if (constant === null) throw new Pause(operands, interlude);
      return { type, shape, data: constant };
    });
    const { type, shape, data } = interlude(views);
    this.result(0, this.constant(type, shape, data));
  }

  /** The results, once the operator has been read. */
  results(): readonly (Value | null)[] {
    return this.#outputs;
  }
}
