/** Sequences of calls over shared memory, some here and as many as wanted by `npm run test:fuzz:calls`. */
import { expect, test } from 'vitest';
import { runProgram } from '../support/program';

test('calls on shared, overlapping, resized and detached memory are refused, or right', () => {
  const found = runProgram(new URL('./programs/calls.cjs', import.meta.url), { args: ['1', '150'] });
  expect(found).toMatchObject({ sequences: 150, wrong: [] });
});
