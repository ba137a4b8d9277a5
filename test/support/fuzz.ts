/**
 * Properties over random cases: a few of each in the suite, as many as wanted by `npm run test:fuzz`, which sets how many
 * times as many, from which seed and for how long at most, and wants to know how many there were.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { report, variables } from './host';

const { CONVMAT_FUZZ_FACTOR, CONVMAT_FUZZ_SECONDS, CONVMAT_FUZZ_SEED, CONVMAT_FUZZ_REPORT } = variables;
const factor = Number(CONVMAT_FUZZ_FACTOR ?? 1);
const mostMs = Number(CONVMAT_FUZZ_SECONDS ?? 0) * 1000;

interface Few {
  /** Cases in the suite; 100 unless given. */
  readonly numRuns?: number;
  /** Where the suite's cases start, the same ones each time; 1 unless given. */
  readonly seed?: number;
}

function parameters<Ts>({ numRuns = 100, seed = 1 }: Few): fc.Parameters<Ts> {
  return {
    numRuns: Math.max(1, Math.round(numRuns * factor)),
    seed: seed + 1000 * Number(CONVMAT_FUZZ_SEED ?? 0),
    ...(mostMs > 0 && { interruptAfterTimeLimit: mostMs, markInterruptAsFailure: false }),
  };
}

function settle<Ts>(details: fc.RunDetails<Ts>, start: number): void {
  const { currentTestName, testPath } = expect.getState();
  if (CONVMAT_FUZZ_REPORT !== undefined) {
    const { numRuns: cases, failed } = details;
    const line = { file: testPath, name: currentTestName, cases, failed, ms: performance.now() - start };
    report(CONVMAT_FUZZ_REPORT, JSON.stringify(line));
  }
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
}

/** Fails with the smallest counterexample that was found, its seed and its path. */
export function check<Ts>(property: fc.IProperty<Ts>, few: Few = {}): void {
  const start = performance.now();
  settle(fc.check(property, parameters<Ts>(few)) as fc.RunDetails<Ts>, start);
}

/** The same of an asynchronous property. */
export async function checkAsync<Ts>(property: fc.IAsyncProperty<Ts>, few: Few = {}): Promise<void> {
  const start = performance.now();
  settle((await fc.check(property, parameters<Ts>(few))) as fc.RunDetails<Ts>, start);
}
