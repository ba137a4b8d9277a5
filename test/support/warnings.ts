/**
 * What Node.js warns of is a failure: files that the garbage collector had to close, deprecated uses of its interfaces. It warns
 * once of most, so that whoever hears of it may be a later file of the same process.
 */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect } from 'vitest';

const KEY = Symbol.for('convmat.tests.warnings');
const shared = globalThis as { [KEY]?: string[] };

// Files share their process, which listens once.
if (shared[KEY] === undefined) {
  const warnings: string[] = [];
  shared[KEY] = warnings;
  process.on('warning', ({ name, message }) => {
    if (name === 'DeprecationWarning' || message.includes('garbage collection')) warnings.push(message);
  });
}

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

afterAll(async () => {
  collect();
  // Finalisers run in a turn of the event loop, warnings in the next.
  for (let turn = 0; turn < 3; turn++) await setImmediate();
  expect(shared[KEY]?.splice(0)).toEqual([]);
});
