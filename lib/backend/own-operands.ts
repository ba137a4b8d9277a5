/**
 * The operands of calls off the event loop: copies, or buffers that were handed over. Other threads read them, and a buffer
 * that JavaScript can reach may be transferred or shrunk at any time, which would pull the memory from under those threads.
 *
 * However many calls there are at once, they wait in one line: those under way take so much memory, and copy so much in a
 * turn of the event loop, all of them together.
 */
import { describe, mismatch } from '../check.js';
import { ArgumentError } from '../errors.js';
import { copyOf, isShared, type TypedArray, uninitialisedLike, viewOn } from '../tensor/dtype.js';
import { copyInTurns, fitsThisTurn } from '../tensor/paced-copy.js';
import type { AbortSignalLike } from './abort.js';

/** Bytes of operands and results up to which calls start at once. */
const MOST_BYTES = 2 ** 27;
/** Calls that start whatever their size: enough to keep threads busy. */
const LEAST_CALLS = 4;

interface Waiting {
  readonly bytes: number;
  readonly start: () => void;
}

const underWay = { calls: 0, bytes: 0 };
const waiting: Waiting[] = [];

function hasRoom(bytes: number): boolean {
  return underWay.calls < LEAST_CALLS || underWay.bytes + bytes <= MOST_BYTES;
}

function admit(bytes: number): void {
  underWay.calls++;
  underWay.bytes += bytes;
}

/** Undefined when the call may start at once. */
function enter(bytes: number): Promise<void> | undefined {
  if (waiting.length === 0 && hasRoom(bytes)) {
    admit(bytes);
    return undefined;
  }
  return new Promise((start) => {
    waiting.push({ bytes, start });
  });
}

function leave(bytes: number): void {
  underWay.calls--;
  underWay.bytes -= bytes;
  for (let next = waiting[0]; next !== undefined && hasRoom(next.bytes); next = waiting[0]) {
    waiting.shift();
    admit(next.bytes);
    next.start();
  }
}

export interface OwnOptions {
  readonly signal?: AbortSignalLike | undefined;
  /** The operand whose buffer is taken over instead of copied. */
  readonly transfer?: string | undefined;
}

interface Operand {
  readonly name: string;
  readonly from: TypedArray;
  /** At the call: a buffer may be transferred or resized before it is copied. */
  readonly length: number;
}

/**
 * Runs `run` on operands of its own. Small ones are copied when the call is made; for others that is some turns of the
 * event loop away. Then a buffer that is transferred or resized meanwhile is an ArgumentError, and a write to it may or may
 * not be in the copy.
 *
 * @param operands     By the names that errors give them.
 * @param resultBytes  What the call takes besides.
 */
export async function withOwnOperands<Operands extends Readonly<Record<string, TypedArray>>, Result>(
  operands: Operands,
  resultBytes: number,
  { signal, transfer }: OwnOptions,
  run: (own: Operands) => Result | Promise<Result>,
): Promise<Result> {
  const own: Record<string, TypedArray> = {};
  const toCopy: Operand[] = [];
  let bytes = resultBytes;
  let copied = 0;
  for (const [name, from] of Object.entries(operands)) {
    bytes += from.byteLength;
    if (name === transfer) {
      refuseSharing(from, name, operands);
      own[name] = takenOver(from, name);
    } else {
      copied += from.byteLength;
      toCopy.push({ name, from, length: from.length });
    }
  }
  const admission = enter(bytes);
  if (admission !== undefined) await admission;
  try {
    if (fitsThisTurn(copied)) {
      for (const operand of toCopy) {
        checkLength(operand);
        own[operand.name] = copyOf(operand.from);
      }
    } else {
      const jobs = toCopy.map((operand) => {
        const to = uninitialisedLike(operand.from, operand.length);
        own[operand.name] = to;
        return { from: operand.from, to, check: () => checkLength(operand) };
      });
      await copyInTurns(jobs, signal);
    }
    // Each name has an array of the type that it came with.
    return await run(own as Operands);
  } finally {
    leave(bytes);
  }
}

function checkLength({ name, from, length }: Operand): void {
  if (from.length === length) return;
  throw mismatch(ArgumentError, name, `${length} elements until the call has copied them`, describe(from));
}

/** Whoever hands a buffer over loses all that is in it. */
function refuseSharing(
  taken: TypedArray,
  name: string,
  operands: Readonly<Record<string, TypedArray>>,
): void {
  for (const [other, { buffer }] of Object.entries(operands)) {
    if (other === name || buffer !== taken.buffer) continue;
    const expected = 'a buffer of its own, for options.transfer';
    throw mismatch(ArgumentError, name, expected, `one that ${other} shares`);
  }
}

/** The same elements in a buffer that nobody else has. */
function takenOver<A extends TypedArray>(from: A, name: string): A {
  const { buffer, byteOffset, length } = from;
  const moved = isShared(buffer) ? buffer : transferred(buffer);
  if (buffer.byteLength > 0) {
    const expected = 'a buffer that can be transferred, for options.transfer';
    throw mismatch(ArgumentError, name, expected, 'one that cannot');
  }
  return viewOn(from, moved, byteOffset, length);
}

/** The memory in a new buffer; the old one keeps it where its owner does not let it go. */
function transferred(buffer: ArrayBuffer): ArrayBuffer {
  try {
    return structuredClone(buffer, { transfer: [buffer] });
  } catch {
    return buffer;
  }
}
