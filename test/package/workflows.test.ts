import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../../.github/workflows/', import.meta.url));

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
