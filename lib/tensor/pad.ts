/** Elements around a tensor. */
import {
  checkNumber,
  checkOneOf,
  checkOptions,
  describeShape,
  elementCount,
  listOf,
  mismatch,
  mistake,
} from '../check.js';
import { ArgumentError, ShapeError } from '../errors.js';
import { convertLike, uninitialisedLike } from './dtype.js';
import { type ArrayIn, type TensorLike, takeTensor } from './take.js';
import { Tensor } from './tensor.js';

/** What stands in the padding. */
export interface PadOptions {
  /** What the added elements hold. Default 'constant'. */
  readonly mode?: 'constant' | 'circular' | 'reflect' | 'replicate';
  /** With 'constant'. Default 0. */
  readonly value?: number;
}

const MODES = ['constant', 'circular', 'reflect', 'replicate'] as const;

/**
 * A copy with elements added around its last axes, as torch.nn.functional.pad. A convolution whose padding holds another
 * number than 0 is one without padding of this.
 *
 * @param padding  [before, after] of each of the last axes, the last of them last.
 * @throws {ShapeError} for more pairs than axes, or a mode that needs more elements than an axis has; {ArgumentError} for
 *   bad options, or a value that the dtype does not hold.
 * @example conv2d(pad(image, [[1, 1], [1, 1]], { value: 0.5 }), weight)
 */
export function pad<T extends TensorLike>(
  input: T,
  padding: readonly (readonly [before: number, after: number])[],
  options?: PadOptions,
): Tensor<ArrayIn<T>>;
export function pad(
  input: TensorLike,
  padding: readonly (readonly [before: number, after: number])[],
  options?: PadOptions,
): Tensor {
  const x = takeTensor(input, 'input');
  const given = checkOptions(options, ['mode', 'value']);
  const mode = checkOneOf(given.mode ?? 'constant', 'options.mode', MODES);
  const [value] = convertLike(x.data, [checkConstant(given.value, x)]);
  const pairs = readPairs(padding, x);
  const places = pairs.map(([before, after], axis) => placesOf(x.shape[axis], before, after, mode, axis));
  const shape = places.map(({ length }) => length);
  const padded = uninitialisedLike(x.data, elementCount(shape, 'output'));
  let at = 0;
  // `from` is where the line starts in x; negative outside of it.
  const walk = (axis: number, from: number): void => {
    if (axis === shape.length) {
      padded[at++] = from < 0 ? value : x.data[from];
      return;
    }
    for (const place of places[axis])
      walk(axis + 1, from < 0 || place < 0 ? -1 : from * x.shape[axis] + place);
  };
  if (padded.length > 0) walk(0, 0);
  return new Tensor(padded, shape);
}

function checkConstant(value: unknown, { dtype, data }: Tensor): number {
  if (value === undefined) return 0;
  if (typeof value !== 'number') throw mistake(ArgumentError, 'options.value', 'a number', value);
  const isFloat = dtype === 'float32' || dtype === 'float64';
  if (!isFloat && convertLike(data, [value])[0] !== checkNumber(value, 'options.value'))
    throw mistake(ArgumentError, 'options.value', `a value of ${dtype}`, value);
  return value;
}

/** One pair for each axis: none is added around the first. */
function readPairs(padding: unknown, { shape }: Tensor): [number, number][] {
  const list = listOf(padding, shape.length);
  if (list === null) throw mistake(ArgumentError, 'padding', 'pairs [before, after]', padding);
  if (list.length > shape.length)
    throw mismatch(ShapeError, 'padding', `at most ${shape.length} pairs`, describeShape(shape));
  const first = shape.length - list.length;
  return shape.map((_, axis): [number, number] => {
    if (axis < first) return [0, 0];
    const pair = listOf(list[axis - first], 2);
    if (pair?.length !== 2)
      throw mistake(ArgumentError, `padding[${axis - first}]`, 'a pair [before, after]', list[axis - first]);
    const [before, after] = pair.map((count, side) => checkCount(count, `padding[${axis - first}][${side}]`));
    return [before, after];
  });
}

function checkCount(count: unknown, argument: string): number {
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    throw mistake(ArgumentError, argument, 'an integer ≥ 0', count);
  return count;
}

/** Which element of the axis each place of the padded one holds; -1 for the constant. */
function placesOf(
  size: number,
  before: number,
  after: number,
  mode: (typeof MODES)[number],
  axis: number,
): number[] {
  const most = { constant: Infinity, circular: size, reflect: size - 1, replicate: size > 0 ? Infinity : 0 }[
    mode
  ];
  if (Math.max(before, after) > Math.max(0, most)) {
    const expected = `at most ${Math.max(0, most)} elements of mode '${mode}' on axis ${axis}`;
    throw mismatch(ShapeError, 'padding', expected, `${Math.max(before, after)}`);
  }
  return Array.from({ length: before + size + after }, (_, i) => {
    const place = i - before;
    if (place >= 0 && place < size) return place;
    if (mode === 'constant') return -1;
    if (mode === 'circular') return (place + size) % size;
    if (mode === 'replicate') return place < 0 ? 0 : size - 1;
    return place < 0 ? -place : 2 * (size - 1) - place;
  });
}
