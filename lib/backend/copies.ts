/**
 * The operands of a call off the event loop, copied: other threads read them, and a buffer that JavaScript can reach may
 * be transferred or shrunk at any time, which would pull the memory from under those threads.
 */
import { nextTurn } from '#host';
import { describe, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';
import { copyOf, type FloatArray, uninitialisedLike, viewOf } from '../tensor/dtype.js';
import type { AbortSignalLike } from './abort.js';

/** Stands for the bias of a call that has none. */
export const NO_BIAS = new Float32Array(0);

/** What is copied without letting the event loop turn, in bytes: some tenths of a millisecond, new memory included. */
export const COPIED_AT_ONCE = 2 ** 20;

/**
 * Copies by name: at once when they are small, otherwise a slice at each turn of the event loop. Then a buffer that is
 * transferred or resized before its last slice is an ArgumentError, and a write to it may or may not be in the copy.
 */
export function copiesOf<Name extends string>(
  arrays: Readonly<Record<Name, FloatArray>>,
  signal: AbortSignalLike | undefined,
): Record<Name, FloatArray> | Promise<Record<Name, FloatArray>> {
  const named = Object.entries(arrays) as [Name, FloatArray][];
  const bytes = named.reduce((sum, [, array]) => sum + array.byteLength, 0);
  if (bytes > COPIED_AT_ONCE) return copyInSlices(named, signal);
  return Object.fromEntries(named.map(([name, array]) => [name, copyOf(array)])) as Record<Name, FloatArray>;
}

async function copyInSlices<Name extends string>(
  named: readonly (readonly [Name, FloatArray])[],
  signal: AbortSignalLike | undefined,
): Promise<Record<Name, FloatArray>> {
  const whole = named.map(([name, from]) => {
    return { name, from, to: uninitialisedLike(from) };
  });
  let room = COPIED_AT_ONCE;
  for (const { name, from, to } of whole) {
    for (let at = 0; at < to.length; ) {
      if (room < to.BYTES_PER_ELEMENT) {
        await nextTurn();
        signal?.throwIfAborted();
        room = COPIED_AT_ONCE;
      }
      if (from.length !== to.length) {
        const lasting = `${to.length} elements until the call has copied them`;
        throw mismatch(ArgumentError, name, lasting, describe(from));
      }
      const end = Math.min(to.length, at + Math.floor(room / to.BYTES_PER_ELEMENT));
      to.set(viewOf(from, at, end - at), at);
      room -= (end - at) * to.BYTES_PER_ELEMENT;
      at = end;
    }
  }
  return Object.fromEntries(whole.map(({ name, to }) => [name, to])) as Record<Name, FloatArray>;
}
