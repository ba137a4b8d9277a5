/**
 * Copying beside the event loop: all asynchronous calls together copy so many bytes in one turn of it, one call after the
 * other, so that a hundred calls at once hold it no longer than one.
 */
import { nextTurn } from '#host';
import { type TypedArray, viewOf } from './dtype.js';

/** Some tenths of a millisecond, the pages of new memory included. */
const BYTES_IN_A_TURN = 2 ** 20;
/** What takes less time than the call around it is copied whatever else was. */
const BYTES_AT_ONCE = 2 ** 14;

let room = BYTES_IN_A_TURN;
let nextRoom: Promise<void> | undefined;

function take(bytes: number): void {
  room -= bytes;
  nextRoom ??= nextTurn().then(() => {
    room = BYTES_IN_A_TURN;
    nextRoom = undefined;
  });
}

/** The last of the calls that wait for one another. */
let line: Promise<unknown> = Promise.resolve();
let inLine = 0;

/**
 * Whether so many bytes may be copied here and now; if so, they count as copied. As much again as a turn's worth may be:
 * what a slice has left of its turn must not decide when a call of its own is copied.
 */
export function fitsThisTurn(bytes: number): boolean {
  const fits = inLine === 0 && bytes <= BYTES_IN_A_TURN && bytes <= room + BYTES_IN_A_TURN;
  if (bytes > BYTES_AT_ONCE && !fits) return false;
  take(bytes);
  return true;
}

/** What is asked of an AbortSignal. */
interface Abortable {
  throwIfAborted(): void;
}

export interface CopyJob {
  readonly from: TypedArray;
  readonly to: TypedArray;
  /** Throws when an array is not what it was: asked before each slice. */
  check(): void;
}

/**
 * Copies when those before have, a slice at each turn of the event loop.
 *
 * @throws what `check` throws, or the signal's reason.
 */
export async function copyInTurns(jobs: readonly CopyJob[], signal?: Abortable): Promise<void> {
  const before = line;
  inLine++;
  const mine = before.then(() => copySlices(jobs, signal));
  line = mine.catch(() => {});
  try {
    await mine;
  } finally {
    inLine--;
  }
}

async function copySlices(jobs: readonly CopyJob[], signal: Abortable | undefined): Promise<void> {
  for (const { from, to, check } of jobs) {
    const size = to.BYTES_PER_ELEMENT;
    for (let at = 0; at < to.length; ) {
      if (room < size) await (nextRoom ?? nextTurn());
      signal?.throwIfAborted();
      check();
      const end = Math.min(to.length, at + Math.max(1, Math.floor(room / size)));
      to.set(viewOf(from, at, end - at), at);
      take((end - at) * size);
      at = end;
    }
  }
}
