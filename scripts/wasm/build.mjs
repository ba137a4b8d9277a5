/**
 * Builds the kernels and core for WebAssembly, one file for all its instruction sets (plain.mjs), and delivers it in
 * dist/wasm/inlined.js.
 *
 * What was built is kept in build/wasm, by a hash of all that it is made of.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isasOf } from '../isas/list.mjs';
import { canCompile, compiler, parallel, root, sizeOrSpeed, sources } from '../prebuild/zig.mjs';
import { deliver } from './deliver.mjs';
import { plain } from './plain.mjs';

const TARGET = ['-target', 'wasm32-wasi', '-std=c++17', '-g0', '-Inative'];
const PLAIN = ['-fno-sanitize=undefined', '-ffunction-sections', '-fdata-sections', '-fvisibility=hidden'];
const KERNELS = [...sources.isa_flags, ...PLAIN, '-Wno-pass-failed'];
// An allocation that fails, and a plan that is refused, are thrown up to the door: native/wasm/exceptions.cc.
const CORE = [
  ...['-ffp-contract=off', '-fvisibility-inlines-hidden', '-msimd128', '-mbulk-memory'],
  ...['-fwasm-exceptions', '-mexception-handling', '-Xclang', '-fmerge-functions'],
];
const ASSEMBLY = ['-mexception-handling', '-Wno-unused-command-line-argument'];

const LINK = [
  ...['-target', 'wasm32-wasi', '-mexec-model=reactor', '-s', '-Os', '-Wl,--gc-sections'],
  // 64 KiB of stack would not hold what the kernels' tiles take.
  ...['-Wl,-z,stack-size=1048576', '-Wl,--export=__stack_pointer'],
];

const objectOf = (source) => join('build/wasm/objects', source.replace(/\.(cc|s)$/, '.o'));

function hashOfSources() {
  const hash = createHash('sha256');
  const paths = ['native', 'lists', 'scripts/wasm', 'scripts/prebuild'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)),
  );
  const sourcesOfIt = paths.filter(
    (path) => /\.(h|cc|s|inc|json|mjs)$/.test(path) && !/node_modules|addon/.test(path),
  );
  for (const path of sourcesOfIt.sort()) hash.update(`${path}\n`).update(readFileSync(join(root, path)));
  return hash.digest('hex').slice(0, 32);
}

function flagsOf(source) {
  if (source.endsWith('.s')) return ASSEMBLY;
  return [...PLAIN, ...CORE, ...(sizeOrSpeed(source) ?? ['-Os'])];
}

/** object → the compiler's arguments. */
function objects() {
  const [kernels] = isasOf('wasm').filter(({ over }) => over === undefined);
  const core = sources.core.filter((source) => !sources.threads.includes(source));
  return new Map(
    [
      [kernels.source, [...KERNELS, ...kernels.flags]],
      ...[...core, ...sources.door, ...sources.wasm].map((source) => [source, flagsOf(source)]),
    ].map(([source, flags]) => [
      objectOf(source),
      [...TARGET, ...flags, '-c', source, '-o', objectOf(source)],
    ]),
  );
}

async function build(file) {
  const compiled = objects();
  for (const object of compiled.keys()) mkdirSync(join(root, dirname(object)), { recursive: true });
  await parallel([...compiled.values()].map((args) => () => compiler(args)));
  const linked = 'build/wasm/objects/linked.wasm';
  await compiler([...LINK, ...compiled.keys(), '-o', linked]);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, plain(readFileSync(join(root, linked))));
}

const folder = join(root, 'build/wasm', hashOfSources());
const built = join(folder, 'convmat.wasm');
if (!existsSync(built)) {
  if (!canCompile()) {
    console.error('No compiler for WebAssembly, which runs on Linux x64 only: going on without it.');
    process.exit(0);
  }
  rmSync(folder, { recursive: true, force: true });
  await build(built);
}
deliver(built);
