/** Commands that need more than Node.js say in a line what is missing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const empty = mkdtempSync(join(tmpdir(), 'convmat-needs-'));
afterAll(() => rmSync(empty, { recursive: true }));

/** On a machine that has no program but Node.js. */
function bare(script: string, ...args: string[]) {
  return spawnSync(process.execPath, [join(root, script), ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PATH: empty },
  });
}

it.each([
  ['scripts/lint-cpp.mjs', ['CMake', 'compiler', 'clang-tidy']],
  ['scripts/fuzz-native.mjs', ['CMake', 'Clang']],
  ['bench/native.bench.mjs', ['CMake', 'compiler']],
])('%s', (script, names) => {
  const { status, stdout, stderr } = bare(script);
  expect(status).toBe(1);
  expect(stdout).toBe('');
  const lines = stderr.trim().split('\n');
  expect(lines).toHaveLength(names.length);
  for (const name of names)
    expect(stderr).toMatch(new RegExp(`^missing: .*${name}.* \\(Debian: apt-get install `, 'm'));
});

it('what is there is not asked for', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/needs.mjs', 'compiler'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(bare('scripts/needs.mjs', 'compiler').status).toBe(1);
});
