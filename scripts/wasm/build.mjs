/**
 * Builds the kernels and core for WebAssembly: dist/wasm/convmat.wasm, and convmat-relaxed.wasm for machines that have the
 * relaxed instructions, which a file without them could not hold.
 *
 * What was built is kept in build/wasm, by a hash of all that it is made of.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isasOf } from '../isas/list.mjs';
import { canCompile, compiler, parallel, root, sizeOrSpeed, sources } from '../prebuild/zig.mjs';
import { deliver, nameOf } from './deliver.mjs';

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

const objectOf = (source, kind) => join('build/wasm/objects', kind, source.replace(/\.(cc|s)$/, '.o'));

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
function objects(isas) {
  const compiled = new Map();
  const compile = (source, kind, flags) => {
    const object = objectOf(source, kind);
    compiled.set(object, [...TARGET, ...flags, '-c', source, '-o', object]);
    return object;
  };
  const core = sources.core.filter((source) => !sources.threads.includes(source));
  const shared = [...core, ...sources.door, ...sources.wasm.filter((source) => !ofOneIsa(source))];
  for (const isa of isas) compile(isa.source, isa.name, [...KERNELS, ...isa.flags]);
  for (const source of shared) compile(source, 'core', flagsOf(source));
  const inputs = isas.map((isa) => [
    objectOf(isa.source, isa.name),
    ...shared.map((source) => objectOf(source, 'core')),
    ...sources.wasm
      .filter(ofOneIsa)
      .map((source) => compile(source, isa.name, [...flagsOf(source), `-DCONVMAT_ISA=${isa.identifier}`])),
  ]);
  return { compiled, inputs };
}

/** Names its kernel table. */
function ofOneIsa(source) {
  return source.endsWith('/values.cc');
}

async function build(isas, folder) {
  const { compiled, inputs } = objects(isas);
  for (const object of compiled.keys()) mkdirSync(join(root, dirname(object)), { recursive: true });
  await parallel([...compiled.values()].map((args) => () => compiler(args)));
  mkdirSync(folder, { recursive: true });
  for (const [i, isa] of isas.entries())
    await compiler([...LINK, ...inputs[i], '-o', join(folder, nameOf(isa))]);
}

const isas = isasOf('wasm');
const folder = join(root, 'build/wasm', hashOfSources());
const built = isas.map((isa) => join(folder, nameOf(isa)));
if (!built.every((file) => existsSync(file))) {
  if (!canCompile()) {
    console.error('No compiler for WebAssembly, which runs on Linux x64 only: going on without it.');
    process.exit(0);
  }
  rmSync(folder, { recursive: true, force: true });
  await build(isas, folder);
}
deliver(built);
