/** What the caller gives a network: shapes for what the file leaves open, and tensors for its inputs. */
import {
  checkOptions,
  checkShape,
  describe,
  describeShape,
  isInstance,
  isObject,
  isRecord,
  mismatch,
  mistake,
} from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import type { Given } from '../graph/build.js';
import { isFloat, storageOf } from '../graph/elements.js';
import type { View } from '../graph/evaluate.js';
import type { ElementType } from '../graph/graph.js';
import { fileType } from '../onnx-file/element-types.js';
import type { FileValue } from '../onnx-file/file.js';
import { type DType, isBigIntArray } from '../tensor/dtype.js';
import { isNested, type TensorLike, takeTensor } from '../tensor/take.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import type { ModelFile } from './model.js';

/** An input of a network, with the type of its elements here. */
export interface NetworkInput {
  readonly name: string;
  readonly type: ElementType;
  /** null: of unknown rank. */
  readonly shape: FileValue['shape'];
}

/** The inputs that each run is given: those that no initializer gives. Types that are not served are left out. */
export function inputsOf({ model }: ModelFile): NetworkInput[] {
  const initialized = new Set(model.graph.initializers.map(({ name }) => name));
  return model.graph.inputs.flatMap(({ name, typeNumber, shape }) => {
    const { type } = fileType(typeNumber);
    return initialized.has(name) || type === null ? [] : [{ name, type, shape }];
  });
}

/**
 * Types and shapes of all inputs, where the file and the caller together give them; else null.
 * @throws {ArgumentError} for a name that is no input; {ShapeError} for a shape that the file does not admit.
 */
export function givenShapes(
  file: ModelFile,
  inputShapes: Readonly<Record<string, Shape>> | undefined,
): Map<string, Given> | null {
  const inputs = inputsOf(file);
  const told = checkOptions(
    inputShapes,
    inputs.map(({ name }) => name),
    'inputShapes',
  );
  const given = new Map<string, Given>();
  let open = false;
  for (const input of inputs) {
    const { name, type } = input;
    const own = told[name];
    const argument = `inputShapes[${describe(name)}]`;
    const shape = own === undefined ? fixedShape(input) : checkShape(own, argument);
    if (shape === null) open = true;
    else {
      checkAdmitted(input, shape, argument);
      given.set(name, { type, shape, data: null });
    }
  }
  return open ? null : given;
}

/** The shape of an input; null when the file leaves a part of it open. */
function fixedShape({ shape }: NetworkInput): Shape | null {
  const sizes = shape?.filter((size): size is number => typeof size === 'number');
  return sizes?.length === shape?.length ? (sizes ?? null) : null;
}

function checkAdmitted({ shape }: NetworkInput, actual: Shape, argument: string): void {
  if (shape === null) return;
  const fits =
    shape.length === actual.length &&
    shape.every((size, axis) => typeof size !== 'number' || size === actual[axis]);
  if (!fits)
    throw mismatch(
      ShapeError,
      argument,
      `shape [${shape.map((size) => size ?? '?').join(', ')}]`,
      describeShape(actual),
    );
}

/** What a run may be given: a tensor for each input, or the only input bare. */
export type Feeds = Readonly<Record<string, TensorLike>> | TensorLike;

/** The tensors of a run as the graph takes them, by name. @throws for inputs that are missing, unknown or do not fit. */
export function readFeeds(inputs: readonly NetworkInput[], feeds: Feeds): Map<string, View> {
  const named = isBare(inputs, feeds) ? { [inputs[0].name]: feeds } : feeds;
  if (!isNamed(named)) throw mistake(ArgumentError, 'inputs', `tensors by name: ${namesOf(inputs)}`, feeds);
  const given = new Map(Object.entries(named).filter(([, value]) => value !== undefined));
  checkNames(inputs, given);
  return new Map(
    inputs.flatMap((input): [string, View][] => {
      const value = given.get(input.name);
      return value === undefined ? [] : [[input.name, readFeed(input, value)]];
    }),
  );
}

/** As readFeeds, for values that are the graph's own already: in the order of the inputs, whatever theirs. */
export function checkFeeds(
  inputs: readonly NetworkInput[],
  feeds: ReadonlyMap<string, View>,
): Map<string, View> {
  checkNames(inputs, feeds);
  return new Map(
    inputs.flatMap((input): [string, View][] => {
      const view = feeds.get(input.name);
      if (view === undefined) return [];
      checkAdmitted(input, view.shape, `inputs[${describe(input.name)}]`);
      return [[input.name, view]];
    }),
  );
}

/** Each input is given, and nothing else. */
function checkNames(inputs: readonly NetworkInput[], given: ReadonlyMap<string, unknown>): void {
  for (const name of given.keys()) {
    if (!inputs.some((input) => input.name === name))
      throw mismatch(ArgumentError, 'inputs', `the names ${namesOf(inputs)}`, describe(name));
  }
  for (const { name } of inputs) {
    if (!given.has(name)) throw mismatch(ArgumentError, 'inputs', `a tensor for ${describe(name)}`, 'none');
  }
}

function isNamed(feeds: Feeds): feeds is Readonly<Record<string, TensorLike>> {
  return isRecord(feeds);
}

function namesOf(inputs: readonly NetworkInput[]): string {
  return inputs.map(({ name }) => describe(name)).join(', ');
}

function isBare(inputs: readonly NetworkInput[], feeds: Feeds): feeds is TensorLike {
  if (inputs.length !== 1) return false;
  if (isInstance(feeds, Tensor) || isNested(feeds) || ArrayBuffer.isView(feeds)) return true;
  return isObject(feeds) && 'data' in feeds && ('shape' in feeds || 'dims' in feeds);
}

function readFeed(input: NetworkInput, value: TensorLike): View {
  const { name, type } = input;
  const argument = `inputs[${describe(name)}]`;
  const view = readLongs(value, type, argument) ?? readTensor(value, type, argument);
  checkAdmitted(input, view.shape, argument);
  return view;
}

function readTensor(value: TensorLike, type: ElementType, argument: string): View {
  const wanted: DType = type === 'int64' || type === 'uint64' ? 'int32' : storageOf(type);
  const { data, dtype, shape } = takeTensor(value, argument, wanted);
  if (dtype === wanted) {
    const isLong = type === 'int64' || type === 'uint64';
    return { type, shape, data: isLong ? Float64Array.from(data) : data };
  }
  // Any integers go where 64-bit ones are asked for.
  if (!isFloat(type) && wanted === 'int32' && type !== 'int32' && dtype !== 'float32' && dtype !== 'float64')
    return { type, shape, data: Float64Array.from(data) };
  throw mismatch(DTypeError, argument, `${wanted} for ${type}`, dtype);
}

/** 64-bit integers in their own arrays, bare or with a shape; null for anything else. */
function readLongs(value: unknown, type: ElementType, argument: string): View | null {
  const { data, shape } = isBigIntArray(value) ? { data: value, shape: [value.length] } : partsOf(value);
  if (!isBigIntArray(data)) return null;
  if (type !== 'int64' && type !== 'uint64')
    throw mismatch(DTypeError, argument, storageOf(type), data.constructor.name);
  const sizes = checkShape(shape, `${argument}.shape`);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count !== data.length)
    throw mismatch(ShapeError, argument, `${count} elements for ${describeShape(sizes)}`, `${data.length}`);
  const numbers = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) {
    numbers[i] = Number(data[i]);
    if (!Number.isSafeInteger(numbers[i]))
      throw mismatch(DTypeError, argument, 'integers within 2^53', describe(data[i]));
  }
  return { type, shape: sizes, data: numbers };
}

function partsOf(value: unknown): { data: unknown; shape: unknown } {
  if (!isObject(value) || !('data' in value)) return { data: null, shape: null };
  const shape = 'shape' in value ? value.shape : 'dims' in value ? value.dims : null;
  return { data: value.data, shape };
}
