import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadAddon } from '../../dist/backend/native/loader.js';
import { wasmIsas } from '../../dist/backend/select.js';
import { libcAmong } from '../../dist/cli/libc.js';
import { ISAS } from '../../dist/plan/isa-list.js';
import { binary, withoutAddon } from '../support/addon';

const root = fileURLToPath(new URL('../..', import.meta.url));
const linux = process.platform === 'linux';
const target = `${process.platform}-${process.arch}`;
const LOCAL = 'build/Release/convmat.node';
const PREBUILT = `prebuilds/${target}/convmat.node`;

const { dependencies, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// The package as installed, without binaries. A copy, since the loader looks for them from where it really is.
const folder = mkdtempSync(join(tmpdir(), 'convmat-'));
// What tests write to is copied anew for each.
const WRITTEN = ['dist/node/convmat.cjs', 'dist/wasm'];
// What runs where the addon does not.
const [wasm] = wasmIsas();
const second = wasm === undefined ? 'js' : 'wasm';

beforeAll(() => {
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of Object.keys(dependencies)) {
    const place = `node_modules/${name}`;
    symlinkSync(join(root, place), join(folder, place), 'junction');
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Puts these binaries in: the one that was built here, or a file that is none. */
function install(binaries: Readonly<Record<string, 'sound' | 'broken'>>): void {
  for (const place of WRITTEN)
    cpSync(join(root, place), join(folder, place), { recursive: true, force: true });
  for (const place of ['build', 'prebuilds']) rmSync(join(folder, place), { recursive: true, force: true });
  for (const [path, state] of Object.entries(binaries)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (state === 'sound') copyFileSync(binary, join(folder, path));
    else writeFileSync(join(folder, path), 'not a library');
  }
}

function breakWasm(): void {
  mkdirSync(join(folder, 'dist/wasm'), { recursive: true });
  const text = deflateRawSync('not WebAssembly').toString('base64');
  writeFileSync(join(folder, 'dist/wasm/inlined.js'), `const text = '${text}';\n`);
}

function rewriteBundle(what: string | RegExp, by: string): void {
  const [path] = WRITTEN;
  const code = readFileSync(join(folder, path), 'utf8');
  const changed = code.replace(what, by);
  expect(changed).not.toBe(code);
  writeFileSync(join(folder, path), changed);
}

interface Outcome {
  readonly info?: { backend: string; isa: string; threads: number; fallbackReason?: string };
  readonly error?: { name: string; code: string; message: string; cause?: string };
}

/** The same for what must load: what ran. */
function running(env?: Readonly<Record<string, string>>): NonNullable<Outcome['info']> {
  const { info, error } = load(env);
  if (info === undefined) throw new Error(error?.message);
  return info;
}

/** Loads the package in a process of its own, convolves, and tells what ran or what was thrown. */
function load(env: Readonly<Record<string, string>> = {}): Outcome {
  const script = `
    try {
      const { backendInfo, conv1d } = require(${JSON.stringify(folder)});
      const { data } = conv1d([[1, 2, 3]], [[[1, 10]]]);
      if (data.join() !== '21,32') throw new Error('wrong result ' + data);
      console.log(JSON.stringify({ info: backendInfo() }));
    } catch ({ name, code, message, cause }) {
      console.log(JSON.stringify({ error: { name, code, message, cause: cause && String(cause) } }));
    }`;
  const clean = Object.entries(process.env).filter(([key]) => !key.startsWith('CONVMAT_'));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { ...Object.fromEntries(clean), ...env },
  });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

describe('no binary', () => {
  const noBinary = `there is no binary for ${target}, neither built here nor prebuilt`;

  test.skipIf(wasm === undefined)('falls back to WebAssembly and says why', () => {
    install({});
    const lack =
      'this WebAssembly lacks the instructions of wasm-relaxed, which Node.js has from version 22 on, and version 20 with --experimental-wasm-relaxed-simd';
    const info = { backend: 'wasm', isa: wasm, threads: 1, fallbackReason: noBinary, version };
    expect(running()).toEqual(wasm === 'wasm' ? { ...info, isaReason: lack } : info);
    expect(running({ CONVMAT_ISA: 'wasm' })).not.toHaveProperty('isaReason');
  });

  test.each([
    [
      'no file of WebAssembly',
      () => rmSync(join(folder, 'dist/wasm'), { recursive: true }),
      'there is no file of WebAssembly',
    ],
    ['a file that is none', () => breakWasm(), 'WebAssembly does not compile: '],
  ])('and %s: falls back to JavaScript and says why', (_, spoil, reason) => {
    install({});
    spoil();
    const { fallbackReason, ...info } = running();
    expect(info).toEqual({ backend: 'js', isa: 'js', threads: 1, version });
    expect(fallbackReason).toMatch(`${noBinary}, and ${reason}`);
    const { error } = load({ CONVMAT_BACKEND: 'wasm' });
    expect(error).toMatchObject({ name: 'UnsupportedError', code: 'ERR_CONVMAT_UNSUPPORTED' });
    expect(error?.message).toMatch(`CONVMAT_BACKEND: expected the wasm backend to load, but ${reason}`);
  });

  test('and CONVMAT_BACKEND=native: an error that names the remedy', () => {
    install({});
    const { error } = load({ CONVMAT_BACKEND: 'native' });
    expect(error).toMatchObject({ name: 'UnsupportedError', code: 'ERR_CONVMAT_UNSUPPORTED' });
    expect(error?.message).toMatch(`there is no binary for ${target}`);
    expect(error?.message).toMatch('reinstall convmat');
  });

  test('and CONVMAT_ISA: an error, since the instruction set is absent', () => {
    install({});
    const { error } = load({ CONVMAT_ISA: 'generic' });
    expect(error).toMatchObject({ name: 'UnsupportedError', code: 'ERR_CONVMAT_UNSUPPORTED' });
    expect(error?.message).toMatch("got 'generic'; there is none, since there is no binary");
  });
});

describe('a binary that does not load', () => {
  test.each([LOCAL, PREBUILT])('%s: falls back and keeps the cause', (path) => {
    install({ [path]: 'broken' });
    const info = running();
    expect(info.backend).toBe(second);
    const place = path === LOCAL ? 'build/Release' : target;
    expect(info.fallbackReason).toMatch(`the binary in ${place} does not load: `);
    expect(info.fallbackReason).toMatch('convmat');
  });

  test('is not passed over for the next one', () => {
    install({ [LOCAL]: 'broken', [PREBUILT]: 'sound' });
    const info = running();
    expect(info.fallbackReason).toMatch('the binary in build/Release does not load: ');
  });

  test('and CONVMAT_BACKEND=native: its error is the cause', () => {
    install({ [PREBUILT]: 'broken' });
    const { error } = load({ CONVMAT_BACKEND: 'native' });
    expect(error).toMatchObject({ name: 'UnsupportedError', code: 'ERR_CONVMAT_UNSUPPORTED' });
    expect(error?.message).toMatch(`the binary in ${target} does not load: `);
    expect(error?.cause).toMatch('Error');
  });
});

// The loader of Linux maps a file as its headers say; the process that touches what is not there dies of SIGBUS.
describe.skipIf(withoutAddon || !linux)('a binary that was cut short', () => {
  const whole = withoutAddon ? Buffer.alloc(0) : readFileSync(binary);
  test.each([0, 63, 0.1, 0.9, whole.length - 1])('to %d: falls back', (length) => {
    install({ [LOCAL]: 'sound' });
    const kept = length > 0 && length < 1 ? Math.floor(length * whole.length) : length;
    // A new file: what is mapped by other processes stays whole.
    rmSync(join(folder, LOCAL));
    writeFileSync(join(folder, LOCAL), whole.subarray(0, kept));
    const info = running();
    expect(info.backend).toBe(second);
    expect(info.fallbackReason).toMatch('the binary in build/Release does not load: ');
  });
});

describe.skipIf(withoutAddon)('a sound binary', () => {
  test.each([
    ['built here', { [LOCAL]: 'sound' }],
    ['prebuilt', { [PREBUILT]: 'sound' }],
    ['built here, before a prebuilt one', { [LOCAL]: 'sound', [PREBUILT]: 'broken' }],
  ] as const)('%s: runs', (_, binaries) => {
    install(binaries);
    const info = running();
    expect(info.backend).toBe('native');
    expect(info).not.toHaveProperty('fallbackReason');
  });

  test.each([
    ['CONV_PLAN_FIELDS', 'convolution plans'],
    ['POOL_PLAN_FIELDS', 'pooling plans'],
  ])('of another version (%s) is refused', (fields, what) => {
    install({ [LOCAL]: 'sound' });
    rewriteBundle(`const ${fields} = [`, `$&'new', `);
    const info = running();
    expect(info.backend).toBe('js');
    expect(info.fallbackReason).toMatch(
      `the binary in build/Release is of another version of convmat (its ${what} differ): rebuild it`,
    );
    if (wasm !== undefined)
      expect(info.fallbackReason).toMatch(
        `, and the file of WebAssembly is of another version of convmat (its ${what} differ)`,
      );
  });
});

describe.skipIf(withoutAddon)('an enumeration in another order', () => {
  test.each(['op', 'dtype', 'algorithm', 'paddingMode', 'rounding'])('%s: the binary is refused', (name) => {
    install({ [LOCAL]: 'sound' });
    rewriteBundle(
      /const ENUMERATIONS = (\{.*?\n\});/s,
      `const ENUMERATIONS = ((all) => ({ ...all, ${name}: [...all.${name}].reverse() }))($1);`,
    );
    const info = running();
    expect(info.backend).toBe('js');
    expect(info.fallbackReason).toMatch(`of another version of convmat (its values of ${name} differ)`);
  });
});

describe('the C library, by the files mapped into a process', () => {
  test.each([
    [
      'glibc',
      '7f12 r-xp /usr/lib/x86_64-linux-gnu/libc.so.6\n7f13 r-xp /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    ],
    ['glibc', '7f12 r-xp /lib64/libc-2.28.so'],
    ['glibc', '7f12 r-xp /lib/ld-linux-aarch64.so.1'],
    ['musl', '7f12 r-xp /lib/ld-musl-x86_64.so.1'],
    ['musl', '7f12 r-xp /lib/libc.musl-aarch64.so.1'],
    ['musl', '7f12 r-xp /usr/lib/x86_64-linux-musl/libc.so\n7f13 r-xp /tmp/of-debian/ld-linux-x86-64.so.2'],
    [undefined, '0040 r-xp /usr/bin/node\n7ffd rw-p [stack]'],
  ])('%s: %s', (expected, maps) => expect(libcAmong(maps)).toBe(expected));
});

describe('the environment', () => {
  beforeEach(() => install(withoutAddon ? {} : { [LOCAL]: 'sound' }));

  test('CONVMAT_BACKEND=js: JavaScript, and that is the reason', () => {
    expect(running({ CONVMAT_BACKEND: 'js' })).toMatchObject({
      backend: 'js',
      fallbackReason: 'CONVMAT_BACKEND=js asks for JavaScript',
    });
  });

  test.each([
    ['CONVMAT_BACKEND', 'gpu', 'CONVMAT_BACKEND: expected one of native, wasm, js, got "gpu"'],
    [
      'CONVMAT_ISA',
      'sse9',
      `CONVMAT_ISA: expected one of ${[...ISAS.native, ...ISAS.wasm].join(', ')}, got "sse9"`,
    ],
    ['CONVMAT_NUM_THREADS', '0', 'CONVMAT_NUM_THREADS: expected an integer from 1 to 1024, got "0"'],
    ['CONVMAT_NUM_THREADS', '2.5', 'CONVMAT_NUM_THREADS: expected an integer from 1 to 1024, got "2.5"'],
    ['CONVMAT_NUM_THREADS', 'all', 'CONVMAT_NUM_THREADS: expected an integer from 1 to 1024, got "all"'],
  ])('%s=%s is an error', (variable, value, message) => {
    const { error } = load({ [variable]: value });
    expect(error).toEqual({ name: 'ArgumentError', code: 'ERR_CONVMAT_ARGUMENT', message });
  });

  test('a variable that is empty counts as unset', () => {
    const env = { CONVMAT_BACKEND: '', CONVMAT_ISA: '', CONVMAT_NUM_THREADS: '' };
    expect(running(env).backend).toBe(withoutAddon ? second : 'native');
  });

  test('CONVMAT_ISA with CONVMAT_BACKEND=js contradicts itself', () => {
    const { error } = load({ CONVMAT_BACKEND: 'js', CONVMAT_ISA: 'generic' });
    expect(error).toMatchObject({ name: 'UnsupportedError' });
  });

  test.skipIf(wasm === undefined).each(wasmIsas())(
    'CONVMAT_ISA=%s: WebAssembly, since that has it',
    (isa) => {
      const asked = { isa, backend: 'wasm', fallbackReason: `CONVMAT_ISA=${isa} asks for WebAssembly` };
      expect(running({ CONVMAT_ISA: isa })).toMatchObject(asked);
      expect(running({ CONVMAT_BACKEND: 'wasm', CONVMAT_ISA: isa })).toMatchObject({ isa, backend: 'wasm' });
    },
  );

  test.each([
    ['native', 'wasm'],
    ['wasm', 'avx2'],
    ['js', 'wasm'],
  ])('CONVMAT_BACKEND=%s with CONVMAT_ISA=%s contradicts itself', (backend, isa) => {
    const { error } = load({ CONVMAT_BACKEND: backend, CONVMAT_ISA: isa });
    expect(error).toMatchObject({ name: 'UnsupportedError', code: 'ERR_CONVMAT_UNSUPPORTED' });
  });

  // Asked of the addon itself: this process may be the one that is forced to JavaScript.
  const isas: readonly string[] = loadAddon().addon?.isas ?? [];

  test.skipIf(withoutAddon).each(ISAS.native)('CONVMAT_ISA=%s: that, or an error', (isa) => {
    const { info, error } = load({ CONVMAT_ISA: isa });
    if (isas.includes(isa)) {
      expect(info).toMatchObject({ backend: 'native', isa });
    } else {
      expect(error).toMatchObject({ name: 'UnsupportedError', code: 'ERR_CONVMAT_UNSUPPORTED' });
      expect(error?.message).toMatch(`got '${isa}'; this machine has ${isas.join(', ')}`);
    }
  });

  test.skipIf(withoutAddon)('CONVMAT_NUM_THREADS sets the threads', () => {
    expect(running({ CONVMAT_NUM_THREADS: '3' }).threads).toBe(3);
  });
});
