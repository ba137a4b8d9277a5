import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

interface Program {
  readonly title: string;
  readonly code: string;
  readonly output: string;
}

/** Every ```js block of a page, with the ```text block that must follow it, under the last heading. */
function programs(page: string): Program[] {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  const found: Program[] = [];
  let title = page;
  for (const [, heading, code, output] of text.matchAll(
    /^#+ (.+)$|^```js\n([\s\S]*?)^```$(?:\n+^```text\n([\s\S]*?)^```$)?/gm,
  )) {
    if (heading === undefined) found.push({ title, code, output });
    else title = heading;
  }
  return found;
}

// As a reader runs them: a module of its own, importing the package by name.
function run(code: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    encoding: 'utf8',
  });
}

describe.each(['cookbook.md', 'networks.md'])('%s', (page) => {
  const found = programs(page);

  test('every program shows its output', () => {
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(({ output }) => output === undefined).map(({ title }) => title)).toEqual([]);
  });

  test.each(found)('$title', ({ code, output }) => {
    expect(run(code)).toBe(output);
  });
});
