/** onnxruntime-common's InferenceSession over convmat's networks. */
import { checkInteger, describe, isRecord, mismatch, mistake } from '../check.js';
import { readExactness } from '../conv/options.js';
import { ArgumentError, DTypeError } from '../errors.js';
import type { View } from '../graph/evaluate.js';
import { type Model, type ModelSource, readModel, type ValueInfo } from '../onnx/index.js';
import { PreparedNetwork } from '../onnx/network.js';
import { isPath } from '../onnx/read.js';
import { isArrayBuffer } from '../tensor/dtype.js';
import type { Shape } from '../tensor/tensor.js';
import { fromView, Tensor, type TensorParts, type TensorType, toView, typeOf } from './tensor.js';

/** What of onnxruntime's options means something here; the others tune what is tuned otherwise, and are passed over. */
export interface SessionOptions {
  /** Sizes for dimensions that the file names. */
  readonly freeDimensionOverrides?: Readonly<Record<string, number>>;
  /** Files of weights: their bytes, under the location that the model gives. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
  readonly [option: string]: unknown;
}

export interface ValueMetadata {
  readonly name: string;
  readonly isTensor: true;
  readonly type: TensorType;
  /** Named dimensions are strings; unknown ones are ''. */
  readonly shape: readonly (number | string)[];
}

export type Feeds = Readonly<Record<string, TensorParts>>;
export type Fetches = readonly string[] | Readonly<Record<string, Tensor | null>>;
export type Results = Record<string, Tensor>;

/**
 * A prepared network behind onnxruntime-common's InferenceSession.
 *
 * @example
 *   const session = await InferenceSession.create('model.onnx');
 *   const { logits } = await session.run({ image: new Tensor(new Float32Array(3072), [1, 3, 32, 32]) });
 */
export class InferenceSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly ValueMetadata[];
  readonly outputMetadata: readonly ValueMetadata[];
  readonly #network: PreparedNetwork;

  /** Sessions come from create(). */
  private constructor(network: PreparedNetwork) {
    this.#network = network;
    this.inputMetadata = network.inputs.map(toMetadata);
    this.outputMetadata = network.outputs.map(toMetadata);
    this.inputNames = network.inputs.map(({ name }) => name);
    this.outputNames = network.outputs.map(({ name }) => name);
  }

  /**
   * A session of a model: create(path, options), create(bytes, options), or create(buffer, byteOffset, byteLength, options).
   * @throws as prepareNetwork.
   */
  static create(source: ModelSource, options?: SessionOptions): Promise<InferenceSession>;
  static create(
    buffer: ArrayBuffer,
    byteOffset: number,
    byteLength?: number,
    options?: SessionOptions,
  ): Promise<InferenceSession>;
  static async create(
    source: ModelSource,
    second?: SessionOptions | number,
    third?: SessionOptions | number,
    fourth?: SessionOptions,
  ): Promise<InferenceSession> {
    const bytes = typeof second === 'number' ? stretchOf(source, second, third) : source;
    const options = [second, third, fourth].find((argument) => typeof argument === 'object') ?? {};
    if (!isRecord(options)) throw mistake(ArgumentError, 'options', 'an object', options);
    const { externalData = [], freeDimensionOverrides = {} } = options;
    const files = Object.fromEntries(externalData.map(({ path, data }) => [path, data]));
    const model = await readModel(bytes, { externalData: files });
    const shapes = shapesOf(model, freeDimensionOverrides);
    const isOwn = isPath(bytes) && externalData.length === 0;
    return new InferenceSession(await PreparedNetwork.prepare(model, readExactness({}), shapes, isOwn));
  }

  /**
   * Runs the model off the event loop: run(feeds, options) or run(feeds, fetches, options).
   *
   * @param feeds    A tensor for each input, onnxruntime-common's own among them.
   * @param fetches  Names of the outputs that are wanted, or an object with them as keys: a Tensor there receives the
   *   result. All outputs by default.
   */
  async run(feeds: Feeds, fetches?: Fetches | RunOptions, _options?: RunOptions): Promise<Results> {
    if (!isRecord(feeds)) throw mistake(ArgumentError, 'feeds', 'tensors by name', feeds);
    const wanted = this.#wanted(fetches);
    const views = new Map<string, View>();
    for (const [name, tensor] of Object.entries(feeds)) views.set(name, this.#feed(name, tensor));
    const outputs = await this.#network.runViews(views);
    const results: Results = {};
    for (const { name, type } of this.outputMetadata) {
      const view = outputs.get(name);
      if (view === undefined || !wanted.has(name)) continue;
      const result = fromView(view, type);
      const target = wanted.get(name) ?? null;
      results[name] = target === null ? result : fill(target, result, name);
    }
    return results;
  }

  /** Frees what is packed. */
  async release(): Promise<void> {
    this.#network.dispose();
  }

  /** Profiles come from prepareNetwork(…).profile: these two do nothing. */
  startProfiling(): void {}

  endProfiling(): void {}

  #feed(name: string, tensor: TensorParts): View {
    const argument = `feeds[${describe(name)}]`;
    if (!isRecord(tensor) || typeof tensor.type !== 'string' || !('dims' in tensor))
      throw mistake(ArgumentError, argument, 'a Tensor', tensor);
    const info = this.inputMetadata.find((input) => input.name === name);
    if (info === undefined)
      throw mismatch(
        ArgumentError,
        'feeds',
        `the names ${this.inputNames.map(describe).join(', ')}`,
        describe(name),
      );
    if (tensor.type !== info.type) throw mismatch(DTypeError, argument, info.type, tensor.type);
    return toView(tensor, argument);
  }

  #wanted(fetches: Fetches | RunOptions | undefined): Map<string, Tensor | null> {
    const all = new Map<string, Tensor | null>(this.outputNames.map((name) => [name, null]));
    if (fetches === undefined) return all;
    if (Array.isArray(fetches)) return new Map(fetches.map((name) => [this.#checkOutput(name), null]));
    // An object without a name of an output is what comes third otherwise.
    const named = Object.entries(fetches).filter(([name]) => all.has(name));
    if (named.length === 0) return all;
    return new Map(named.map(([name, target]) => [name, target instanceof Tensor ? target : null]));
  }

  #checkOutput(name: unknown): string {
    if (typeof name !== 'string' || !this.outputNames.includes(name))
      throw mistake(ArgumentError, 'fetches', `names of ${this.outputNames.map(describe).join(', ')}`, name);
    return name;
  }
}

/** onnxruntime's options of one run: none of them changes what is computed. */
export interface RunOptions {
  readonly [option: string]: unknown;
}

function toMetadata({ name, dtype, shape }: ValueInfo): ValueMetadata {
  return { name, isTensor: true, type: typeOf(dtype), shape: shape.map((size) => size ?? '') };
}

function stretchOf(source: unknown, byteOffset: number, byteLength: unknown): Uint8Array {
  if (!isArrayBuffer(source)) throw mistake(ArgumentError, 'buffer', 'an ArrayBuffer', source);
  const start = checkInteger(byteOffset, 'byteOffset', 0, source.byteLength);
  const rest = source.byteLength - start;
  const length = typeof byteLength === 'number' ? checkInteger(byteLength, 'byteLength', 0, rest) : rest;
  return new Uint8Array(source, start, length);
}

/** Shapes of the inputs whose named dimensions are all given sizes. */
function shapesOf(
  { inputs }: Model,
  sizes: Readonly<Record<string, number>>,
): Record<string, Shape> | undefined {
  const shapes = inputs.map(({ name, shape }): [string, (number | undefined)[]] => [
    name,
    shape.map((size) => (typeof size === 'number' ? size : size === null ? undefined : sizes[size])),
  ]);
  const whole = shapes.flatMap(([name, shape]): [string, number[]][] => {
    const known = shape.filter((size) => size !== undefined);
    return known.length === shape.length ? [[name, known]] : [];
  });
  return Object.keys(sizes).length === 0 ? undefined : Object.fromEntries(whole);
}

function fill(target: Tensor, result: Tensor, name: string): Tensor {
  if (target.type !== result.type || target.dims.join() !== result.dims.join())
    throw mismatch(
      ArgumentError,
      `fetches[${describe(name)}]`,
      `${result.type} of [${result.dims.join(', ')}]`,
      `${target.type} of [${target.dims.join(', ')}]`,
    );
  for (let i = 0; i < result.data.length; i++) target.data[i] = result.data[i];
  return target;
}
