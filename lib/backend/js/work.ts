/** Long work without blocking the event loop: many small units, some milliseconds of them at a time. */

import { nextTurn, now } from '#host';
import type { AbortSignalLike } from '../abort.js';

/** Work that pauses between units: each step of the iterator runs one. */
export type Work = Iterable<void>;

/** How long the event loop may be held at a stretch, but for the unit that ends it. */
const SLICE_MS = 1;

/** The most multiplications in one unit of work that is done in slices: some 1 ms. */
export const SLICED_UNIT = 4e6;

export function runAll(work: Work): void {
  const units = work[Symbol.iterator]();
  while (!units.next().done);
}

/** Rejects with the signal's reason after the slice in which it fired. */
export async function runInSlices(work: Work, signal: AbortSignalLike | undefined): Promise<void> {
  const units = work[Symbol.iterator]();
  while (true) {
    await nextTurn();
    signal?.throwIfAborted();
    const end = now() + SLICE_MS;
    do {
      if (units.next().done) return;
    } while (now() < end);
  }
}
