import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { withoutAddon } from '../support/addon';
import { runProgram } from '../support/program';

const native = { CONVMAT_BACKEND: 'native' };

test.skipIf(withoutAddon)('memory outside the heap comes and goes with prepared convolutions', () => {
  const url = new URL('./programs/memory.cjs', import.meta.url);
  const steps = runProgram(url, { node: ['--expose-gc'], env: native }) as Record<string, number>;
  // In units of the weight: each prepared convolution has a copy and packs it.
  expect(steps.ten).toBeCloseTo(20, 0);
  expect(steps.fiveShapes).toBeCloseTo(2, 0);
  for (const step of ['disposed', 'collected', 'end', 'async']) expect(steps[step]).toBeCloseTo(0, 1);
});

test.skipIf(withoutAddon)(
  'scratch memory hardly grows with the image, and stays within 4 MiB per thread',
  () => {
    const peaks = runProgram(new URL('./programs/workspace.cjs', import.meta.url), {
      env: native,
    }) as number[];
    expect(Math.min(...peaks)).toBeGreaterThan(0);
    expect(Math.max(...peaks)).toBeLessThanOrEqual(4 * 2 ** 20);
  },
);

const canLimit = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0;

test.skipIf(withoutAddon || !canLimit)('memory that runs out is an error, and the process goes on', () => {
  const refused = 'MemoryError ERR_CONVMAT_MEMORY';
  expect(runProgram(new URL('./programs/exhausted.cjs', import.meta.url), { env: native })).toEqual({
    once: refused,
    prepared: refused,
    async: refused,
    after: '21,32',
    again: 'done',
  });
});
