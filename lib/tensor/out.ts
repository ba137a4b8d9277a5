/** Where a result goes: a new tensor, or the caller's `out` after checking that it may receive it. */
import { describe, describeShape, elementCount, mismatch, mistake, sameShape } from '../check.js';
import { ArgumentError, DTypeError, ShapeError } from '../errors.js';
import { type DType, type TypedArray, uninitialised } from './dtype.js';
import { checkData, type Shape, Tensor } from './tensor.js';

/**
 * @param out     The caller's option: a Tensor of exactly this shape and dtype that shares no memory with `inputs`.
 * @param inputs  The operands that the call reads, by argument name.
 */
export function resultTensor(
  out: unknown,
  shape: Shape,
  dtype: DType,
  inputs: Readonly<Record<string, Tensor | null>>,
): Tensor {
  if (out === undefined) return new Tensor(uninitialised(dtype, elementCount(shape, 'output')), shape);
  return checkOut(out, shape, dtype, inputs);
}

/** The caller's `out`, which may receive a result of this shape and dtype, or an error. */
export function checkOut(
  out: unknown,
  shape: Shape,
  dtype: DType,
  inputs: Readonly<Record<string, Tensor | null>>,
  argument = 'out',
): Tensor {
  if (!(out instanceof Tensor)) throw mistake(ArgumentError, argument, 'a Tensor', out);
  checkData(out.data, argument);
  if (out.dtype !== dtype) throw mismatch(DTypeError, argument, dtype, out.dtype);
  if (!sameShape(out.shape, shape)) {
    throw new ShapeError(`${argument}: expected ${describeShape(shape)}, got ${describeShape(out.shape)}`);
  }
  if (out.data.length !== elementCount(shape, argument))
    throw mismatch(ArgumentError, argument, 'all of its data', describe(out.data));
  for (const [name, input] of Object.entries(inputs)) {
    if (input !== null && overlaps(out, input)) {
      throw mismatch(ArgumentError, argument, 'memory of its own', `memory shared with ${name}`);
    }
  }
  return out;
}

/** A result that was computed elsewhere, as a tensor: in `out` when the caller gave one that still has its memory. */
export function deliver(result: TypedArray, shape: Shape, out: Tensor | undefined): Tensor {
  if (out === undefined) return new Tensor(result, shape);
  checkData(out.data, 'out');
  if (out.data.length !== result.length)
    throw mismatch(ArgumentError, 'out', `${result.length} elements`, describe(out.data));
  out.data.set(result);
  return out;
}

function overlaps(a: Tensor, b: Tensor): boolean {
  if (a.data.buffer !== b.data.buffer || a.size === 0 || b.size === 0) return false;
  const aEnd = a.data.byteOffset + a.data.byteLength;
  const bEnd = b.data.byteOffset + b.data.byteLength;
  return a.data.byteOffset < bEnd && b.data.byteOffset < aEnd;
}
