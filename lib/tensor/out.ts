/** Where a result goes: a new tensor, or the caller's `out` after checking that it may receive it. */
import { describe, describeShape, elementCount, mismatch, mistake, sameShape } from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import { type ArrayOf, type DType, type TypedArray, uninitialised } from './dtype.js';
import { copyInTurns, fitsThisTurn } from './paced-copy.js';
import { checkData, hasDType, isTensor, type Shape, Tensor } from './tensor.js';

/**
 * @param out     The caller's option: a Tensor of exactly this shape and dtype that shares no memory with `inputs`.
 * @param inputs  The operands that the call reads, by argument name.
 */
export function resultTensor<D extends DType>(
  out: unknown,
  shape: Shape,
  dtype: D,
  inputs: Readonly<Record<string, Tensor | null>>,
): Tensor<ArrayOf<D>> {
  if (out === undefined) return new Tensor(uninitialised(dtype, elementCount(shape, 'output')), shape);
  return checkOut(out, shape, dtype, inputs);
}

/** The caller's `out`, which may receive a result of this shape and dtype, or an error. */
export function checkOut<D extends DType>(
  out: unknown,
  shape: Shape,
  dtype: D,
  inputs: Readonly<Record<string, Tensor | null>>,
): Tensor<ArrayOf<D>> {
  if (!isTensor(out)) throw mistake(ArgumentError, 'out', 'a Tensor', out);
  checkData(out.data, 'out');
  if (!hasDType(out, dtype)) throw mismatch(DTypeError, 'out', dtype, out.dtype);
  if (!sameShape(out.shape, shape)) {
    throw new ShapeError(`out: expected ${describeShape(shape)}, got ${describeShape(out.shape)}`);
  }
  if (out.data.length !== elementCount(shape, 'out'))
    throw mismatch(ArgumentError, 'out', 'all of its data', describe(out.data));
  for (const [name, input] of Object.entries(inputs)) {
    if (input !== null && overlaps(out.data, input.data)) {
      throw mismatch(ArgumentError, 'out', 'memory of its own', `memory shared with ${name}`);
    }
  }
  return out;
}

/**
 * A result that was computed elsewhere, as a tensor: in `out` when the caller gave one that still has its memory. A large
 * one is written there a slice at each turn of the event loop.
 */
export async function deliver<A extends TypedArray>(
  result: A,
  shape: Shape,
  out: Tensor<A> | undefined,
): Promise<Tensor<A>> {
  if (out === undefined) return new Tensor(result, shape);
  const check = (): void => {
    checkData(out.data, 'out');
    if (out.data.length !== result.length)
      throw mismatch(ArgumentError, 'out', `${result.length} elements`, describe(out.data));
  };
  check();
  if (fitsThisTurn(result.byteLength)) out.data.set(result);
  else await copyInTurns([{ from: result, to: out.data, check }]);
  return out;
}

/** Whether two arrays have memory in common. */
export function overlaps(a: TypedArray, b: TypedArray): boolean {
  if (a.buffer !== b.buffer || a.length === 0 || b.length === 0) return false;
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}
