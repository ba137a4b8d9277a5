/** Networks: models prepared to run. */

import type { AbortSignalLike } from '../backend/abort.js';
import { checkOptions, isInstance } from '../check.js';
import { type AsyncOptions, readExactness, readSignal } from '../conv/options.js';
import { Disposing, type SelfDisposing } from '../dispose.js';
import { ArgumentError } from '../errors.js';
import { sourceOf } from '../graph/build.js';
import { isLong } from '../graph/elements.js';
import type { View } from '../graph/evaluate.js';
import type { Preparation, StepReport, StepTime } from '../graph/executable.js';
import { SegmentedNetwork } from '../graph/network.js';
import { complaintsAbout } from '../graph/support.js';
import { breathe } from '../host/pace.js';
import type { FileModel } from '../onnx-file/file.js';
import { toInt32Tensor } from '../onnx-file/file-tensor.js';
import type { Accuracy, Exactness, Precision } from '../plan/algorithms/algorithm.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { checkFeeds, type Feeds, givenShapes, inputsOf, type NetworkInput, readFeeds } from './inputs.js';
import { Model, type ModelFile, modelFile, type ValueInfo } from './model.js';
import { isPath, type ModelSource, readModel, tensorsOf } from './read.js';

/** Shapes and exactness that a network is prepared for. */
export interface PrepareNetworkOptions {
  /** Shapes for inputs that the file leaves open. Without them the first run of each shape prepares it. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
  /** As conv2d's: 'strict' keeps convolutions to algorithms whose error is no larger than im2col's. Default 'fast'. */
  readonly accuracy?: Accuracy;
  /**
   * As conv2d's, of Conv and ConvTranspose by weights that the file holds: 'bf16' rounds what they read to bfloat16. Products of
   * matrices stay float32, as do convolutions of float64. Default 'float32'.
   */
  readonly precision?: Precision;
}

/** The steps after fusion, and what one run holds in memory at most. */
export interface NetworkExplanation {
  /** In the order in which they run. */
  readonly steps: readonly StepReport[];
  /** Most memory of intermediate results at one time. */
  readonly peakBytes: number;
  /** An aligned table. */
  toString(): string;
}

/** One run, step by step. */
export interface NetworkProfile {
  /** In the order in which they run. */
  readonly steps: readonly StepTime[];
  /** Milliseconds. */
  readonly total: number;
  /** An aligned table. */
  toString(): string;
}

/**
 * A network planned and packed once, run many times. Safe to run concurrently.
 *
 * int64 values cross as int32 tensors (a BigInt64Array is taken too; what does not fit is a DTypeError), bool as uint8 0
 * and 1, float16 as float32. `convmat/ort` has BigInt64Array and bool.
 */
export interface Network extends SelfDisposing {
  /** What a run takes. */
  readonly inputs: readonly ValueInfo[];
  /** What a run gives. */
  readonly outputs: readonly ValueInfo[];
  /**
   * A tensor for each input by name; a single input may be given bare. Results are new Tensors.
   * @throws {ArgumentError} for inputs that are missing or unknown; {ShapeError}, {DTypeError} for those that do not fit.
   */
  run(inputs: Feeds): Record<string, Tensor>;
  /** As run, off the event loop, on copies of the inputs; aborts at the next step with the signal's reason. */
  runAsync(inputs: Feeds, options?: AsyncOptions): Promise<Record<string, Tensor>>;
  /**
   * The steps: what each does, by which algorithm, its shape, multiplications and bytes.
   * @param inputShapes  For inputs whose shapes the file leaves open; those given at preparation otherwise.
   */
  explain(inputShapes?: Readonly<Record<string, Shape>>): NetworkExplanation;
  /** One run, timed step by step. */
  profile(inputs: Feeds): NetworkProfile;
  /** Frees what is packed. Later runs are refused; a second dispose does nothing. */
  dispose(): void;
}

/**
 * Prepares a model to run: in short turns of the event loop, with the weights packed by the library's threads. From a path they
 * are packed where they were read; those of bytes and of a Model, which others may write to, are copied before.
 *
 * @throws {UnsupportedError} that names every operator, attribute and type that is not supported, all at once;
 *   {FormatError} for a damaged file; {ShapeError} when shapes within it do not fit.
 * @example
 *   using network = await prepareNetwork('model.onnx');
 *   const { logits } = network.run({ image });
 */
export async function prepareNetwork(
  model: Model | ModelSource,
  options?: PrepareNetworkOptions,
): Promise<Network> {
  const given = checkOptions(options, ['inputShapes', 'accuracy', 'precision']);
  const exactness = readExactness(given);
  if (isInstance(model, Model)) return PreparedNetwork.prepare(model, exactness, given.inputShapes);
  // Nobody else sees what is read from a file.
  const isOwn = isPath(model);
  return PreparedNetwork.prepare(await readModel(model), exactness, given.inputShapes, isOwn);
}

/** A network with what `convmat/ort` needs besides: values of the graph's own types. */
export class PreparedNetwork extends Disposing implements Network {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly #file: ModelFile;
  readonly #taken: readonly NetworkInput[];
  readonly #network: SegmentedNetwork;
  readonly #inputShapes: Readonly<Record<string, Shape>> | undefined;

  /**
   * Prepares what follows from the shapes that are known: in short turns of the event loop, with weights packed by other
   * threads.
   *
   * @param isOwn  Whether nobody else has seen the model's bytes, so that these threads need no copies.
   */
  static async prepare(
    model: Model,
    exactness: Exactness,
    inputShapes?: Readonly<Record<string, Shape>>,
    isOwn = false,
  ): Promise<PreparedNetwork> {
    await breathe();
    const file = modelFile(model);
    const isFixed = isOwn && givenShapes(file, undefined) !== null && liesApart(file.model);
    const prepared = new PreparedNetwork(model, { exactness, isOwn, isFixed }, inputShapes);
    await breathe();
    const shapes = givenShapes(prepared.#file, inputShapes);
    if (shapes !== null) await prepared.#network.warm(shapes);
    return prepared;
  }

  private constructor(
    model: Model,
    preparation: Preparation,
    inputShapes: Readonly<Record<string, Shape>> | undefined,
  ) {
    super();
    this.#file = modelFile(model);
    const { model: file, file: name } = this.#file;
    complaintsAbout(file.graph, model.opset).throw(name);
    this.inputs = model.inputs;
    this.outputs = model.outputs;
    this.#taken = inputsOf(this.#file);
    this.#inputShapes = inputShapes;
    this.#network = new SegmentedNetwork(sourceOf(file, name), preparation);
  }

  run(inputs: Feeds): Record<string, Tensor> {
    return toTensors(this.#network.run(readFeeds(this.#taken, inputs)));
  }

  async runAsync(inputs: Feeds, options?: AsyncOptions): Promise<Record<string, Tensor>> {
    const { signal } = checkOptions(options, ['signal']);
    const feeds = readFeeds(this.#taken, inputs);
    return toTensors(await this.#network.runAsync(feeds, readSignal(signal)));
  }

  /** As runAsync, on values of the graph's own types. */
  async runViews(feeds: ReadonlyMap<string, View>, signal?: AbortSignalLike): Promise<Map<string, View>> {
    return this.#network.runAsync(checkFeeds(this.#taken, feeds), signal);
  }

  explain(inputShapes?: Readonly<Record<string, Shape>>): NetworkExplanation {
    const shapes = givenShapes(this.#file, inputShapes ?? this.#inputShapes);
    if (shapes === null) {
      const open = this.inputs.filter(({ shape }) => !shape.every((size) => typeof size === 'number'));
      const names = open.map(({ name }) => name).join(', ');
      throw new ArgumentError(
        `inputShapes: expected shapes for ${names}, which the file leaves open, got none`,
      );
    }
    const { steps, peakBytes, whole } = this.#network.explain(shapes);
    return { steps, peakBytes, toString: () => explanationText(steps, peakBytes, whole) };
  }

  profile(inputs: Feeds): NetworkProfile {
    const start = performance.now();
    const steps = this.#network.profile(readFeeds(this.#taken, inputs));
    const total = performance.now() - start;
    return { steps, total, toString: () => profileText(steps, total) };
  }

  override dispose(): void {
    this.#network.dispose();
  }
}

/** Whether no byte belongs to two tensors, as stretches of one file beside the model might. */
function liesApart(model: FileModel): boolean {
  const stretches = [...tensorsOf(model)].flatMap(({ source }) =>
    source.kind === 'raw' ? [source.bytes] : [],
  );
  const ends = new Map<ArrayBufferLike, number>();
  return stretches
    .sort((a, b) => a.byteOffset - b.byteOffset)
    .every(({ buffer, byteOffset, byteLength }) => {
      const isApart = byteOffset >= (ends.get(buffer) ?? 0);
      ends.set(buffer, byteOffset + byteLength);
      return isApart;
    });
}

function toTensors(views: ReadonlyMap<string, View>): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, { type, shape, data }] of views)
    tensors[name] = isLong(type) ? toInt32Tensor(data, shape, name) : new Tensor(data, shape);
  return tensors;
}

function explanationText(steps: readonly StepReport[], peakBytes: number, whole: boolean): string {
  const rows = steps.map(({ step, algorithm, outputShape, multiplications, bytes, nodes }) => [
    step,
    algorithm,
    `[${outputShape.join(', ')}]`,
    `${(multiplications / 1e6).toFixed(2)} M`,
    `${(bytes / 1e6).toFixed(2)} MB`,
    nodes.join(' + '),
  ]);
  const lines = aligned([['step', 'algorithm', 'output', 'multiplications', 'bytes', 'nodes'], ...rows]);
  if (!whole) lines.push('… and what depends on elements that only a run computes');
  lines.push(`peak memory ${(peakBytes / 1e6).toFixed(1)} MB`);
  return lines.join('\n');
}

function profileText(steps: readonly StepTime[], total: number): string {
  const rows = steps.map(({ step, ms }) => [step, `${ms.toFixed(3)} ms`]);
  return aligned([...rows, ['total', `${total.toFixed(3)} ms`]]).join('\n');
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}
