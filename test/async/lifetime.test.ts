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
