// Builds the addon for every platform, on Linux x64: prebuilds/<platform>-<arch>/convmat.node.
//
//   npm run prebuild [-- TARGET…]      TARGET as in targets.mjs, e.g. linux-arm64; all of them by default
//
// The compiler is Zig's Clang, which carries the headers and C libraries of all of them. It keeps what it has compiled
// by content (headers included) in build-prebuild/cache, so that building again takes seconds.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { withoutLibraries } from '../binary/elf.mjs';
import { stripped } from '../binary/macho.mjs';
import { withOnlyExports as peWithOnlyExports, withoutTimestamp } from '../binary/pe.mjs';
import { EXPORTS, NODE_API, targets } from './targets.mjs';
import { canCompile, compiler, parallel, root, sizeOrSpeed, sources, work } from './zig.mjs';

if (!canCompile()) {
  console.error(
    'No cross compiler, which runs on Linux x64 only. `npm run build:native` builds for this machine.',
  );
  process.exit(1);
}
const { symbols } = createRequire(import.meta.url)('node-api-headers');

const COMMON = ['-std=c++17', '-g0', '-Inative', '-Werror=switch'];
// As binding.gyp has them; Zig's undefined-behaviour traps are for debugging.
const BASELINE = [
  ...['-ffp-contract=off', '-fvisibility=hidden', '-fvisibility-inlines-hidden', '-fno-lto', '-fexceptions'],
  ...['-fno-rtti', '-fno-sanitize=undefined', '-ffunction-sections', '-fdata-sections'],
  // Tables for unwinding are shorter where frames have a pointer.
  '-fno-omit-frame-pointer',
  // What is the same for float and double, or for signed and unsigned, becomes one.
  ...['-Xclang', '-fmerge-functions'],
  // On Windows it has Node-API declared as imported, without which host_imports.cc is passed by.
  ...['BUILDING_NODE_EXTENSION', ...sources.addon_defines].map((name) => `-D${name}`),
  ...['-isystem', relative('node_modules/node-api-headers/include')],
  ...['-isystem', 'node_modules/node-addon-api'],
];
const optimisation = (source) => sizeOrSpeed(source) ?? ['-Os', '-Xclang', '-Oz'];
const KERNELS = [
  ...sources.isa_flags,
  ...['-fno-sanitize=undefined', '-ffunction-sections', '-fdata-sections'],
  // It says where it leaves a loop as it is, though asked to unroll: kernels are judged by their speed.
  '-Wno-pass-failed',
];
// Where vectors and unrolling are written out, the compiler's own find the loops for what is left over.
const WRITTEN_OUT = ['-fno-unroll-loops', '-fno-vectorize', '-fno-slp-vectorize'];
// Nothing is thrown through a kernel. Windows wants tables of every function.
const KERNEL_TABLES = { linux: ['-fno-unwind-tables'], darwin: ['-fno-unwind-tables'], win32: [] };

// What the binaries of one system have besides.
const OWN_SOURCES = { linux: ['either_libc.cc'], darwin: [], win32: ['host_imports.cc'] };

// Objects of a shared library; on the others there is nothing else.
const SHARED = { linux: ['-fPIC'], darwin: [], win32: [] };

const LINK = {
  linux: [
    ...['-Wl,--gc-sections', '-Wl,-z,noexecstack', '-Wl,-z,relro', '-Wl,-z,now'],
    `-Wl,--version-script=${relative('exports.map')}`,
  ],
  darwin: ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip'],
  win32: ['-Wl,--gc-sections'],
};

// What the linker leaves to do.
const FINISH = {
  linux: withoutLibraries,
  darwin: (binary) => stripped(binary, EXPORTS),
  win32: (binary) => peWithOnlyExports(withoutTimestamp(binary), EXPORTS),
};

function relative(file) {
  return join('scripts/prebuild', file);
}

/** What is to be compiled for a target: object → the compiler's arguments. */
function objects({ name, platform, triple, isas }) {
  const objectOf = (source) => join('build-prebuild', name, source.replace(/\.cc$/, '.o'));
  const compiled = new Map();
  for (const { name: isa, source, flags } of isas) {
    const object = objectOf(source);
    compiled.set(object, [
      '-target',
      triple,
      ...COMMON,
      ...KERNELS,
      ...KERNEL_TABLES[platform],
      ...SHARED[platform],
      ...flags,
      ...(isa === 'generic' ? [] : WRITTEN_OUT),
      '-c',
      source,
      '-o',
      object,
    ]);
  }
  const own = ['no_demangler.cc', ...OWN_SOURCES[platform]].map(relative);
  for (const source of [...sources.core, ...sources.door, ...sources.addon, ...own]) {
    const object = objectOf(source);
    const flags = [...COMMON, ...BASELINE, ...optimisation(source), ...SHARED[platform], '-Ibuild-prebuild'];
    compiled.set(object, ['-target', triple, ...flags, '-c', source, '-o', object]);
  }
  return compiled;
}

/** The functions that host_imports.cc looks up: a newer one than NODE_API would not link. */
function writeNodeApiFunctions() {
  const { js_native_api_symbols: language, node_api_symbols: node } = symbols[`v${NODE_API}`];
  const lines = [...language, ...node].sort().map((name) => `  F(${name})`);
  const text = `#define FOR_EACH_NODE_API_FUNCTION(F) \\\n${lines.join(' \\\n')}\n`;
  writeFileSync(join(work, 'node_api_functions.inc'), text);
}

async function link({ name, platform, triple, file }, inputs) {
  const output = join('build-prebuild', name, basename(file));
  // The flags of a compiler are for the C++ library, which is compiled here for the target: none of it is in a hot loop,
  // and the linker leaves out what is not used.
  const library = ['-Os', '-ffunction-sections', '-fdata-sections'];
  await compiler([
    '-target',
    triple,
    '-shared',
    ...library,
    '-s',
    ...LINK[platform],
    ...inputs,
    '-o',
    output,
  ]);
  const binary = readFileSync(join(root, output));
  const place = join(root, 'prebuilds', file);
  const finished = FINISH[platform](binary);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, finished);
  console.log(`${name.padEnd(20)} ${(finished.length / 1000).toFixed(0).padStart(5)} KB  prebuilds/${file}`);
}

const wanted = process.argv.slice(2);
const chosen = wanted.length === 0 ? targets : targets.filter(({ name }) => wanted.includes(name));
const unknown = wanted.filter((name) => !targets.some((target) => target.name === name));
if (unknown.length > 0) {
  console.error(
    `no such target: ${unknown.join(', ')}; there are ${targets.map(({ name }) => name).join(', ')}`,
  );
  process.exit(1);
}

mkdirSync(work, { recursive: true });
writeNodeApiFunctions();
console.log(`${chosen.length} targets …`);
let failed = 0;
for (const target of chosen) {
  const compiled = objects(target);
  for (const object of compiled.keys()) mkdirSync(join(root, dirname(object)), { recursive: true });
  try {
    await parallel([...compiled.values()].map((args) => () => compiler(args)));
    await link(target, [...compiled.keys()]);
  } catch (error) {
    // The others may be fine: say what is wrong with each in one run.
    failed += 1;
    rmSync(join(root, 'prebuilds', target.file), { force: true });
    console.error(`${target.name.padEnd(20)} FAILED: ${error.message}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
