import { backendInfo } from 'convmat';
import { expect, test } from 'vitest';
import { runProgram } from '../support/program';

const program = (name: string) => new URL(`./programs/${name}.cjs`, import.meta.url);

test('worker threads may be terminated in the middle of calls', () => {
  expect(runProgram(program('terminate'))).toEqual({ right: true, backend: backendInfo().backend });
});

test.each([
  ['', 6],
  ['exit', 0],
  ['throw', 0],
])('the process ends in the middle of calls: %s', (how, settled) => {
  expect(runProgram(program('exit'), { args: [how] })).toEqual({ settled });
});

test('workers that abort, dispose, transfer and end at random get right results or none', () => {
  const [workers, calls] = [3, 200];
  const totals = runProgram(program('stress'), { args: [workers, calls, 1].map(String) }) as Totals;
  expect(totals.wrong).toBe(0);
  expect(totals.right + totals.aborted + totals.withdrawn).toBe(workers * calls);
  expect(totals.right).toBeGreaterThan(workers * calls * 0.4);
});

interface Totals {
  readonly right: number;
  readonly wrong: number;
  readonly aborted: number;
  /** Their memory went away too early. */
  readonly withdrawn: number;
}
