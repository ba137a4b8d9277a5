/** Arithmetic of fixed-point numbers, exact until the result is brought into its type. */
import { describeShape, mismatch, sameShape } from '../check.js';
import { ShapeError } from '../errors.js';
import { type NumericType, readNumericType, wordDType } from '../plan/options/numeric-type.js';
import { uninitialised } from '../tensor/dtype.js';
import { type Shape, Tensor } from '../tensor/tensor.js';
import { FixedTensor, takeFixed } from './fixed-tensor.js';
import { alignedSum, bigStorerOf, storerOf } from './stored.js';

// Words have 32 bits: a sum of two, the places of one moved by so many, is a safe integer.
const SMALL_SHIFT = 20;
/** Bits of two words whose product is one. */
const SMALL_WORDS = 53;

/**
 * a + b, element by element, in `type`: the exact sum is rounded and limited once.
 *
 * @param a  Of the shape of b, or a single number (shape []).
 * @param b  Of the shape of a, or a single number.
 * @throws {ShapeError} for other shapes; {ArgumentError} for operands that are no FixedTensor, or a type that is none.
 * @example fixed.add(x, y, { signed: true, wordLength: 16, fractionLength: 12 })
 */
export function add(a: FixedTensor, b: FixedTensor, type: NumericType): FixedTensor {
  const full = readNumericType(type, 'type');
  const [placesA, placesB] = [a, b].map((t, i) => takeFixed(t, 'ab'[i]).type.fractionLength);
  const apart = placesA - placesB;
  if (Math.abs(apart) <= SMALL_SHIFT) {
    const store = storerOf(full, Math.max(placesA, placesB));
    const [unitA, unitB] = [2 ** Math.max(0, -apart), 2 ** Math.max(0, apart)];
    return combine(a, b, full, (x, y) => store(x * unitA + y * unitB));
  }
  return combine(a, b, full, (x, y) => {
    const sum = alignedSum(BigInt(x), placesA, BigInt(y), placesB, full.fractionLength);
    return bigStorerOf(full, sum.places)(sum.value);
  });
}

/**
 * a·b, element by element, in `type`: the exact product is rounded and limited once. Operands as add's.
 *
 * @example fixed.multiply(x, y, { signed: true, wordLength: 16, fractionLength: 8 }).toFloat().toNested()   // [3, 8]
 */
export function multiply(a: FixedTensor, b: FixedTensor, type: NumericType): FixedTensor {
  const full = readNumericType(type, 'type');
  const types = [a, b].map((t, i) => takeFixed(t, 'ab'[i]).type);
  const places = types[0].fractionLength + types[1].fractionLength;
  if (types[0].wordLength + types[1].wordLength <= SMALL_WORDS) {
    const store = storerOf(full, places);
    return combine(a, b, full, (x, y) => store(x * y));
  }
  const store = bigStorerOf(full, places);
  return combine(a, b, full, (x, y) => store(BigInt(x) * BigInt(y)));
}

/**
 * The same numbers in another type, rounded and limited as it says.
 *
 * @throws {ArgumentError} when a is no FixedTensor, or for a type that is none.
 * @example fixed.cast(fixed.fi([0.75, 9], x.type), { signed: true, wordLength: 4, fractionLength: 1 }).raw   // Int8Array [2, 7]
 */
export function cast(a: FixedTensor, type: NumericType): FixedTensor {
  const full = readNumericType(type, 'type');
  const { raw, type: own } = takeFixed(a, 'a');
  const store = storerOf(full, own.fractionLength);
  const result = uninitialised(wordDType(full), raw.size);
  for (let i = 0; i < result.length; i++) result[i] = store(raw.data[i]);
  return new FixedTensor(new Tensor(result, raw.shape), full);
}

/**
 * max(a, 0), element by element, of a's type.
 *
 * @throws {ArgumentError} when a is no FixedTensor.
 * @example fixed.relu(fixed.fi([-1, 2], { signed: true, wordLength: 8, fractionLength: 4 })).raw   // Int8Array [0, 32]
 */
export function relu(a: FixedTensor): FixedTensor {
  const { raw, type } = takeFixed(a, 'a');
  const result = uninitialised(raw.dtype, raw.size);
  for (let i = 0; i < result.length; i++) result[i] = Math.max(raw.data[i], 0);
  return new FixedTensor(new Tensor(result, raw.shape), type);
}

function combine(
  a: FixedTensor,
  b: FixedTensor,
  type: Required<NumericType>,
  run: (x: number, y: number) => number,
): FixedTensor {
  const shape = sharedShape(a.raw.shape, b.raw.shape);
  const [x, y] = [a.raw.data, b.raw.data];
  const result = uninitialised(wordDType(type), Math.max(x.length, y.length) * Number(!shape.includes(0)));
  const [stepX, stepY] = [Number(a.raw.shape.length > 0), Number(b.raw.shape.length > 0)];
  for (let i = 0; i < result.length; i++) result[i] = run(x[i * stepX], y[i * stepY]);
  return new FixedTensor(new Tensor(result, shape), type);
}

function sharedShape(a: Shape, b: Shape): Shape {
  if (b.length === 0 || sameShape(a, b)) return a;
  if (a.length === 0) return b;
  throw mismatch(ShapeError, 'b', `${describeShape(a)}, as a, or a single number`, describeShape(b));
}
