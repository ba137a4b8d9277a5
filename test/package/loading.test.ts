/** What loading the package costs and shares, in processes of their own: from the built package, as Node.js resolves it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { VERSION } from '../../dist/version.js';

const root = join(import.meta.dirname, '../..');

function run(program: string): unknown {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

const PRELUDE = `
  import { createRequire } from 'node:module';
  const require = createRequire(process.cwd() + '/');
`;

test('require opens few files, and nothing of the packages that only some calls need', () => {
  const files = run(`${PRELUDE}
    require('convmat');
    console.log(JSON.stringify(Object.keys(require.cache)));
  `) as string[];
  expect(files.length).toBeLessThanOrEqual(25);
  expect(files.filter((path) => path.includes('node_modules'))).toEqual([]);
});

test('files are loaded when they are used, and are the same by subpath', () => {
  const seen = run(`${PRELUDE}
    const files = () => Object.keys(require.cache).filter((path) => /files.cjs$/.test(path)).length;
    const { io } = require('convmat');
    const before = files();
    const same = Object.keys(require('convmat/io')).filter((name) => io[name] === require('convmat/io')[name]);
    console.log(JSON.stringify([before, files(), same.length === Object.keys(io).length && same.length > 0]));
  `);
  expect(seen).toEqual([0, 1, true]);
});

test('import and require give the same functions and classes, by the index and by subpath', () => {
  const differing = run(`${PRELUDE}
    import * as imported from 'convmat';
    import * as signal from 'convmat/signal';
    import * as nn from 'convmat/nn';
    const required = require('convmat');
    const pairs = [
      [imported, required],
      [signal, required.signal],
      [signal, require('convmat/signal')],
      [nn, required.nn],
      [nn, require('convmat/nn')],
    ];
    console.log(JSON.stringify(pairs.flatMap(([a, b]) => Object.keys(b).filter((name) => a[name] !== b[name]))));
  `);
  expect(differing).toEqual([]);
});

test('the version is that of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(VERSION).toBe(version);
});

test('errors are called by their names where nothing catches them', () => {
  const program = "import { conv1d } from 'convmat'; conv1d([[[1]]], [[[[1]]]]);";
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/^ShapeError: weight: /m);
});
