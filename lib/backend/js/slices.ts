/** Long work without blocking the event loop: many small units, some milliseconds of them at a time. */

/** Work in units that may run in any order, each short: a few milliseconds at the most. */
export interface Job {
  readonly units: number;
  run(unit: number): void;
}

/** How long the event loop may be held at a stretch. */
const SLICE_MS = 3;

export function runAll(job: Job): void {
  for (let unit = 0; unit < job.units; unit++) job.run(unit);
}

/** Rejects with the signal's reason as soon as a slice ends after it fired. */
export async function runInSlices(job: Job, signal: AbortSignal | undefined): Promise<void> {
  let unit = 0;
  while (true) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    const end = performance.now() + SLICE_MS;
    do {
      if (unit === job.units) return;
      job.run(unit++);
    } while (performance.now() < end);
  }
}
