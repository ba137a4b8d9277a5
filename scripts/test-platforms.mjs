// Runs the packed package wherever this machine can run it, and prints what was done: npm run test:platforms.
//
//   npm run test:platforms [-- OPTION… WORD…]     only the rows whose name contains one of the words
//     --without-suite     leaves out the full test suite on each Node, which takes most of the time
//
// Binaries come from prebuilds/ (npm run prebuild); emulators from Debian: qemu-user, wine64, musl,
// libc6-arm64-cross, libstdc++6-arm64-cross. What is missing is reported as skipped, never passed over.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { withoutLibraries } from './binary/elf.mjs';
import { install, pack, root } from './packed.mjs';
import { judge } from './prebuild/rules.mjs';
import { targets } from './prebuild/targets.mjs';
import { zig } from './prebuild/zig.mjs';
import { installTools } from './tools.mjs';

const programs = join(root, 'scripts/platforms/node_modules');
const conformance = join(root, 'test/platforms/conformance.cjs');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-platforms-'));
const MINUTES = 60_000;

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const withoutSuite = process.argv.includes('--without-suite');

class Skip extends Error {}

function need(path, remedy) {
  if (!existsSync(path)) throw new Skip(`${path} is missing: ${remedy}`);
  return path;
}
const needBinary = (file) => need(join(root, 'prebuilds', file), 'npm run prebuild');
const needProgram = (file, debian) => need(file, `apt-get install ${debian}`);

/** Runs a command to its end. Throws, with its last lines, when it fails. */
function run(command, args, { env = {}, minutes = 10, cwd = scratch } = {}) {
  const clean = Object.entries(process.env).filter(([name]) => !/^(CONVMAT_|npm_)/.test(name));
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...Object.fromEntries(clean), ...env },
    encoding: 'utf8',
    timeout: minutes * MINUTES,
    maxBuffer: 1 << 28,
  });
  if (status === 0) return stdout;
  const output = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-15).join('\n');
  throw new Error(`${command} ended with ${error?.message ?? signal ?? status}:\n${output}`);
}

function node(version, platform = 'linux-x64') {
  const file = platform.startsWith('win32') ? 'node.exe' : 'node';
  return join(programs, `node${version}-${platform}/bin/${file}`);
}

/** Runs Zig. */
function compile(args) {
  const cache = join(root, 'build-prebuild/cache');
  run(need(zig, 'npm run prebuild'), args, {
    env: { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache },
  });
}

// --- the package, as its users get it ---

let tarball;
const installed = new Map();

/** The folder of the package, installed in an empty folder by a Node of this version. */
function installedBy(version) {
  if (!installed.has(version)) {
    const npm = process.env.npm_execpath;
    if (npm === undefined) throw new Error('run this by npm run test:platforms');
    tarball ??= pack(scratch);
    const folder = install(tarball, join(scratch, `node${version}`), [node(version), npm]);
    installed.set(version, join(folder, 'node_modules/convmat'));
  }
  return installed.get(version);
}

/**
 * Runs the golden data by a command, once for each instruction set, and checks that it ran there.
 *
 * @param isas  Each forced, except the first: that must be what the machine takes by itself.
 */
function conform(command, args, isas, { folder = installedBy(24), env = {}, place = (path) => path } = {}) {
  const counts = isas.map((isa, i) => {
    const report = join(scratch, 'report.json');
    rmSync(report, { force: true });
    const forced = i === 0 ? {} : isa === 'js' ? { CONVMAT_BACKEND: 'js' } : { CONVMAT_ISA: isa };
    const given = [...args, ...[conformance, folder, report].map(place)];
    let failure;
    try {
      run(command, given, { env: { ...env, ...forced }, minutes: 30 });
    } catch (error) {
      failure = error;
    }
    if (!existsSync(report)) throw failure ?? new Error('no report was written');
    const { info, passed, failed } = JSON.parse(readFileSync(report, 'utf8'));
    if (isa !== undefined && info.isa !== isa) {
      throw new Error(`ran on ${info.isa}, expected ${isa}: ${info.fallbackReason ?? ''}`);
    }
    if (isa === undefined && info.backend !== 'native') throw new Error(info.fallbackReason);
    if (failed.length > 0) throw new Error(`${failed.length} failed, the first: ${failed[0]}`);
    if (passed === 0) throw new Error('nothing was tested');
    return `${info.isa} ${passed}`;
  });
  return `golden data: ${counts.join(', ')}`;
}

// --- the rows ---

const rows = [];
function row(target, how, action) {
  rows.push({ target, how, action });
}

/** What this machine's CPU takes by itself comes first; the others are forced. */
function ownIsas() {
  const { isas } = JSON.parse(
    run(node(24), [
      '-p',
      `JSON.stringify(require(${JSON.stringify(join(installedBy(24), 'dist/backend/select.js'))}).addonReport())`,
    ]),
  );
  return [...isas, 'js'];
}

for (const version of [20, 22, 24, 26]) {
  row('linux-x64', `Node ${version}, installed`, () => {
    needBinary('linux-x64/convmat.node');
    const folder = installedBy(version);
    for (const [kind, flags] of [
      ['require', ['-p', "require('convmat').backendInfo().backend"]],
      [
        'import',
        ['--input-type=module', '-e', "import * as c from 'convmat'; console.log(c.backendInfo().backend)"],
      ],
    ]) {
      const backend = run(node(version), flags, { cwd: dirname(dirname(folder)) }).trim();
      if (backend !== 'native') throw new Error(`${kind} gives the backend ${backend}`);
    }
    return `require, import; ${conform(node(version), [], version === 24 ? ownIsas() : [undefined], { folder })}`;
  });
  row('linux-x64', `Node ${version}, full suite`, () => {
    if (withoutSuite) throw new Skip('--without-suite');
    need(join(root, 'build/Release/convmat.node'), 'npm run build');
    const report = join(scratch, 'vitest.json');
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const reporters = ['--reporter=json', `--outputFile=${report}`];
    run(node(version), [vitest, 'run', ...reporters], { cwd: root, minutes: 60 });
    const { numPassedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
    return `suite: ${numPassedTests}, ${numPendingTests} skipped`;
  });
}

row('linux-x64', 'Bun', () => {
  needBinary('linux-x64/convmat.node');
  return conform(join(programs, '@oven/bun-linux-x64/bin/bun'), [], [undefined, 'js']);
});
row('linux-x64', 'Deno', () => {
  needBinary('linux-x64/convmat.node');
  return conform(join(programs, '@deno/linux-x64-glibc/deno'), ['run', '-A'], [undefined, 'js']);
});

for (const [name, cpu, isas] of [
  ['with AVX2, without AVX-512', 'Haswell', ['avx2', 'generic']],
  ['without AVX', 'Nehalem', ['generic']],
  ['with SSE2 only', 'qemu64,-pni,-cx16', ['generic']],
]) {
  row('linux-x64', `Node 24, CPU ${name} (qemu ${cpu})`, () => {
    needBinary('linux-x64/convmat.node');
    const qemu = needProgram('/usr/bin/qemu-x86_64', 'qemu-user');
    return conform(qemu, ['-cpu', cpu, node(24)], isas);
  });
}

const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1';

row('linux-x64', 'what glibc and musl do not share', () => {
  const loader = needProgram(MUSL_LOADER, 'musl');
  const folder = join(scratch, 'libc');
  mkdirSync(folder);
  const [program, linked, library] = ['load', 'linked.so', 'library.so'].map((name) => join(folder, name));
  const target = ['-target', targets.find(({ name }) => name === 'linux-x64').triple, '-s'];
  compile(['cc', ...target, join(root, 'test/platforms/load.c'), '-o', program]);
  const prebuild = join(root, 'scripts/prebuild');
  const sources = [join(root, 'test/platforms/libc_gaps.cc'), join(prebuild, 'either_libc.cc')];
  const exported = `-Wl,--version-script=${join(prebuild, 'exports.map')}`;
  compile(['c++', ...target, '-std=c++17', '-fPIC', '-shared', exported, ...sources, '-o', linked]);
  writeFileSync(library, withoutLibraries(readFileSync(linked)));
  run(program, [library]);
  run(loader, [program, library]);
  return "threads' ends, forks, texts of errors, exceptions: on either";
});

row('linux-x64', "Bun for musl, by musl's loader", () => {
  needBinary('linux-x64/convmat.node');
  const loader = needProgram(MUSL_LOADER, 'musl');
  // Bun wants a libstdc++; Debian's, with what musl lacks of glibc put under the name of glibc's loader.
  const libraries = join(scratch, 'musl');
  const gaps = join(libraries, 'ld-linux-x86-64.so.2');
  mkdirSync(libraries);
  const source = join(root, 'scripts/platforms/musl_gaps.c');
  compile(['cc', '-target', 'x86_64-linux-musl', '-O2', '-s', '-shared', source, '-o', gaps]);
  for (const path of ['/usr/lib/x86_64-linux-gnu/libstdc++.so.6', '/lib/x86_64-linux-gnu/libgcc_s.so.1']) {
    copyFileSync(path, join(libraries, path.split('/').at(-1)));
  }
  const bun = join(programs, '@oven/bun-linux-x64-musl/bin/bun');
  const args = ['--library-path', libraries, '--preload', gaps, bun];
  return conform(loader, args, [undefined, 'generic']);
});

for (const [name, cpu] of [
  ['with dot products', 'max'],
  ['without', 'cortex-a53'],
]) {
  row('linux-arm64', `Node 24, CPU ${name} (qemu ${cpu})`, () => {
    needBinary('linux-arm64/convmat.node');
    const qemu = needProgram('/usr/bin/qemu-aarch64', 'qemu-user');
    needProgram('/usr/aarch64-linux-gnu/lib/libc.so.6', 'libc6-arm64-cross');
    needProgram('/usr/aarch64-linux-gnu/lib/libstdc++.so.6', 'libstdc++6-arm64-cross');
    const args = ['-cpu', cpu, '-L', '/usr/aarch64-linux-gnu', node(24, 'linux-arm64')];
    return conform(qemu, args, ['neon']);
  });
}

// Node 24 asks for more address space than Wine 8 gives, and any Node for a newer Windows than Wine says it is.
row('win32-x64', 'Node 20 (Wine)', () => {
  needBinary('win32-x64/convmat.node');
  const wine = ['/usr/lib/wine/wine64', '/usr/bin/wine64', '/usr/bin/wine'].find(existsSync);
  if (wine === undefined) throw new Skip('Wine is missing: apt-get install wine64');
  const env = {
    WINEPREFIX: join(scratch, 'wine'),
    WINEDEBUG: '-all',
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    NODE_SKIP_PLATFORM_CHECK: '1',
  };
  // Wine shows the root of this machine as drive Z.
  const place = (path) => `Z:${path.replaceAll('/', '\\')}`;
  // Also by another name than node.exe, as Electron and other hosts have it.
  const renamed = join(scratch, 'host.exe');
  copyFileSync(node(20, 'win32-x64'), renamed);
  const results = [node(20, 'win32-x64'), renamed].map((program) =>
    conform(wine, [program], [undefined, 'generic'], { env, place }),
  );
  return `${results[0]}; the same as host.exe`;
});

for (const target of targets) {
  row(target.name, 'structure of the binary', () => {
    const { failures, facts } = judge(target, readFileSync(needBinary(target.file)));
    if (failures.length > 0) throw new Error(failures.join('; '));
    return facts.join('; ');
  });
}

// --- running them ---

installTools(join(root, 'scripts/platforms'));
installTools(join(root, 'scripts/prebuild'));
if (!existsSync(join(root, 'dist/index.js'))) execFileSync('npm', ['run', 'build:ts'], { cwd: root });

const counts = { ok: 0, FAILED: 0, skipped: 0 };
const failures = [];
try {
  for (const { target, how, action } of rows) {
    const name = `${target}: ${how}`;
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const started = Date.now();
    let outcome = 'ok';
    let what;
    try {
      what = action();
    } catch (error) {
      outcome = error instanceof Skip ? 'skipped' : 'FAILED';
      what = error.message.split('\n')[0];
      if (outcome === 'FAILED') failures.push(`${name}\n${error.message}`);
    }
    counts[outcome] += 1;
    const seconds = `${((Date.now() - started) / 1000).toFixed(0)} s`;
    console.log(
      `${target.padEnd(18)} ${how.padEnd(44)} ${outcome.padEnd(8)} ${seconds.padStart(6)}  ${what}`,
    );
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
for (const failure of failures) console.log(`\n${failure}`);
console.log(`\n${counts.ok} passed, ${counts.FAILED} failed, ${counts.skipped} skipped`);
process.exit(counts.FAILED === 0 && counts.ok > 0 ? 0 : 1);
