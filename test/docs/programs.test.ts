import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

/** Every ```js program of README.md and docs/ that a block of output follows prints just that. */

const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-docs-'));
afterAll(() => rmSync(scratch, { recursive: true }));

interface Program {
  readonly line: number;
  readonly code: string;
  readonly output: string;
}

/** A program is a js block; its output the next block, of no language, with at most blank lines between. */
function programsOf(markdown: string): Program[] {
  const found = markdown.matchAll(/^```js\n([\s\S]*?)^```\n+```(?:text)?\n([\s\S]*?)^```$/gm);
  return [...found].map(({ index, 1: code, 2: output }) => ({
    line: markdown.slice(0, index).split('\n').length,
    code,
    output,
  }));
}

/** Runs beside package.json, where `convmat` means this package; what it writes goes elsewhere. */
function run(code: string): string {
  const isModule = /^import /m.test(code);
  const file = join(root, `.docs-program-${process.pid}.${isModule ? 'mjs' : 'cjs'}`);
  writeFileSync(file, code);
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
      encoding: 'utf8',
      cwd: scratch,
    });
    if (status !== 0) throw new Error(stderr);
    return stdout;
  } finally {
    rmSync(file);
  }
}

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
for (const page of pages.filter((name) => name.endsWith('.md'))) {
  const programs = programsOf(readFileSync(join(root, page), 'utf8'));
  if (programs.length === 0) continue;
  describe(page, () => {
    for (const { line, code, output } of programs) {
      it(`line ${line}`, () => {
        expect(run(code).trimEnd()).toBe(output.trimEnd());
      });
    }
  });
}
