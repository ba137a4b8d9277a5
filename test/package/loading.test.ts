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

/** Names of the package's own files that a program has loaded after each of its steps. */
const LOADED = `
  const loaded = () => Object.keys(require.cache).flatMap((path) => /dist.node.(\\w+).cjs$/.exec(path)?.[1] ?? []);
`;

test('files are loaded when they are used, and are the same by subpath', () => {
  const seen = run(`${PRELUDE}${LOADED}
    const { io } = require('convmat');
    const before = loaded().includes('io');
    const same = Object.keys(require('convmat/io')).filter((name) => io[name] === require('convmat/io')[name]);
    const isSame = same.length === Object.keys(io).length && same.length > 0;
    console.log(JSON.stringify([before, loaded().includes('io'), isSame]));
  `);
  expect(seen).toEqual([false, true, true]);
});

test('a convolution and a network on the addon load nothing of what other calls use', () => {
  const later = ['linearization', 'matrix', 'rooms', 'training'];
  const [before, after, kinds] = run(`${PRELUDE}${LOADED}
    const convmat = require('convmat');
    convmat.conv1d([[[1, 2, 3]]], [[[1, 1]]]);
    const { prepareNetwork } = convmat.onnx;
    const before = loaded();
    const kinds = [prepareNetwork, convmat.convMatrix, convmat.nn.Linear, convmat.signal.conv, convmat.onnx.linearize];
    console.log(JSON.stringify([before, loaded(), kinds.map((kind) => typeof kind)]));
  `) as [string[], string[], string[]];
  const unused = [...later, 'io', 'javascript', 'webassembly'];
  expect(before.filter((name) => unused.includes(name))).toEqual([]);
  expect(after).toEqual(expect.arrayContaining(later));
  expect(new Set(kinds)).toEqual(new Set(['function']));
});

test('asynchronous calls of WebAssembly run in a worker thread', () => {
  const [backend, workers] = run(`${PRELUDE}
    process.env.CONVMAT_BACKEND = 'wasm';
    const threads = require('node:worker_threads');
    let workers = 0;
    threads.Worker = class extends threads.Worker {
      constructor(...args) {
        super(...args);
        workers++;
      }
    };
    const { backendInfo, conv2dAsync, tensor } = require('convmat');
    const numbers = (shape, length) => tensor(new Float32Array(length).fill(1), shape);
    await conv2dAsync(numbers([1, 16, 128, 128], 2 ** 18), numbers([16, 16, 3, 3], 2304));
    console.log(JSON.stringify([backendInfo().backend, workers]));
  `) as [string, number];
  expect(backend).toBe('wasm');
  expect(workers).toBeGreaterThan(0);
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
