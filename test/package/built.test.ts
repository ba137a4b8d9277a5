/** What `npm run` commands take for built: scripts/built.mjs, in a tree of its own. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';

interface Built {
  isThere(part: string): boolean;
  isBuilt(part: string): boolean;
  markBuilt(part: string): void;
}

const tree = mkdtempSync(join(tmpdir(), 'convmat-built-'));
afterAll(() => rmSync(tree, { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(join(tree, path, '..'), { recursive: true });
  writeFileSync(join(tree, path), content);
}

test('an addon is built until a source of it changes, comes or goes', async () => {
  mkdirSync(join(tree, 'scripts'));
  copyFileSync(join(import.meta.dirname, '../../scripts/built.mjs'), join(tree, 'scripts/built.mjs'));
  const { isThere, isBuilt, markBuilt }: Built = await import(
    pathToFileURL(join(tree, 'scripts/built.mjs')).href
  );
  write('binding.gyp', '{}');
  write('native/runtime/a.cc', 'int a;');
  expect(isThere('native')).toBe(false);
  expect(() => markBuilt('native')).toThrow('not there');

  write('build/Release/convmat.node', 'built');
  expect([isThere('native'), isBuilt('native')]).toEqual([true, false]); // by whom, nobody knows
  markBuilt('native');
  expect(isBuilt('native')).toBe(true);

  // A checkout renews times alone.
  utimesSync(join(tree, 'native/runtime/a.cc'), new Date(), new Date(Date.now() + 60_000));
  expect(isBuilt('native')).toBe(true);
  const changes = [
    () => write('native/runtime/a.cc', 'int b;'),
    () => write('native/runtime/new.h', ''),
    () => rmSync(join(tree, 'native/runtime/new.h')),
    () => write('binding.gyp', '{"targets": []}'),
    () => rmSync(join(tree, 'build/Release/convmat.node')),
  ];
  for (const change of changes) {
    change();
    expect(isBuilt('native')).toBe(false);
    if (isThere('native')) markBuilt('native');
  }
});
