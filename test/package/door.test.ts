import { expect, test } from 'vitest';
import { withoutAddon } from '../support/addon';
import { runProgram } from '../support/program';

interface Counts {
  readonly refused: number;
  readonly worked: number;
  /** Functions of the addon that the program does not know. */
  readonly untried: readonly string[];
  /** Plans that no kernel serves, and that were not refused for it. */
  readonly accepted: readonly string[];
  readonly right: boolean;
}

test.skipIf(withoutAddon)('nothing that the addon is called with ends the process', () => {
  const url = new URL('./programs/hostile.cjs', import.meta.url);
  const { refused, worked, ...rest } = runProgram(url, { env: { CONVMAT_BACKEND: 'native' } }) as Counts;
  expect(rest).toEqual({ untried: [], accepted: [], right: true });
  expect(refused).toBeGreaterThan(2000);
  expect(worked).toBeGreaterThan(200);
});
