/**
 * Fuzzes the C++ core with libFuzzer, under AddressSanitizer and UBSan: test/native/fuzz has the targets.
 *
 *   npm run test:fuzz:native                          # the kept corpus, then a minute for each target
 *   npm run test:fuzz:native -- --seconds 600 csr     # ten minutes for one
 *   npm run test:fuzz:native -- --seconds 0           # the kept corpus alone: what it reaches, in seconds
 *   npm run test:fuzz:native -- --keep                # and keeps the inputs that reach something new
 *   npm run test:fuzz:native -- --input file csr      # one input, such as a crash that was written
 *
 * Needs Clang with its run-time libraries, on Linux. Kernels of AVX-512 take Clang minutes to instrument, and are run as they
 * are unless --whole is given. A failure is printed with its stack, and its input is written to build-fuzz/.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { need } from './needs.mjs';

need('cmake', 'clang');
const root = join(import.meta.dirname, '..');
const build = join(root, 'build-fuzz');
const kept = join(root, 'test/native/fuzz/corpus');
const { fuzz: sources } = JSON.parse(readFileSync(join(root, 'native/sources.json'), 'utf8'));
const targets = sources.map((path) => basename(path, '_fuzz.cc'));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    input: { type: 'string' },
    keep: { type: 'boolean', default: false },
    whole: { type: 'boolean', default: false },
  },
});
const unknown = positionals.find((name) => !targets.includes(name));
if (unknown !== undefined) throw new Error(`no target ${unknown}: there are ${targets.join(', ')}`);

/** Longer inputs say nothing that these cannot. */
const MOST_BYTES = 128;
/** An input that takes so long has met a loop. */
const MOST_SECONDS = 30;
/** The shortest: enough to reach most of what was reached. */
const MOST_KEPT = 120;

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) throw error;
  return status;
}

function mustRun(command, args, options) {
  const status = run(command, args, options);
  if (status !== 0) throw new Error(`${command} ${args[0]} ended with ${status}`);
}

/** CXX if that is Clang, or the newest Clang that there is, behind ccache where CXX is. */
function clang() {
  const words = (process.env.CXX ?? '').split(' ').filter(Boolean);
  const compiler = words.at(-1) ?? '';
  if (/clang/.test(compiler)) return words;
  const names = ['clang++', ...Array.from({ length: 20 }, (_, i) => `clang++-${30 - i}`)];
  const found = names.find((name) => spawnSync(name, ['--version']).status === 0);
  if (found === undefined) throw new Error('needs Clang: apt-get install clang, or set CXX');
  return words[0] === 'ccache' ? ['ccache', found] : [found];
}

function buildTargets(chosen) {
  const [compiler, ...rest] = clang().reverse();
  const options = [
    `-DCMAKE_CXX_COMPILER=${compiler}`,
    ...rest.map((launcher) => `-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}`),
    '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
    '-DCONVMAT_TESTS=OFF',
    '-DCONVMAT_BENCHES=OFF',
    '-DCONVMAT_FUZZ=ON',
    `-DCONVMAT_SANITIZE_ISAS=${values.whole ? 'all' : 'generic;avx2;neon'}`,
  ];
  const { CC, CXX, ...env } = process.env;
  mustRun('cmake', ['-S', '.', '-B', build, ...options], { env });
  mustRun('cmake', ['--build', build, '-j', '2', '--target', ...chosen.map((name) => `${name}_fuzz`)], {
    env,
  });
}

/** Adds the corpus as it is kept, a line of base64 for each input, to what earlier runs have found. */
function unpack(target, folder) {
  mkdirSync(folder, { recursive: true });
  const path = join(kept, `${target}.txt`);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  lines.forEach((line, i) => {
    writeFileSync(join(folder, `kept-${i}`), Buffer.from(line, 'base64'));
  });
  return lines.length;
}

/** Keeps the fewest inputs that reach as much as all of them. */
function keep(target, program, folder, options, env) {
  const merged = join(build, 'corpus', `${target}-merged`);
  rmSync(merged, { recursive: true, force: true });
  mkdirSync(merged, { recursive: true });
  mustRun(program, ['-merge=1', ...options, merged, folder], { env });
  const inputs = readdirSync(merged).map((name) => readFileSync(join(merged, name)));
  const lines = inputs
    .map((input) => input.toString('base64'))
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  writeFileSync(join(kept, `${target}.txt`), `${lines.slice(0, MOST_KEPT).join('\n')}\n`);
}

const chosen = positionals.length > 0 ? positionals : targets;
buildTargets(chosen);
const failed = [];
for (const target of chosen) {
  const program = join(build, `${target}_fuzz`);
  const env = {
    ...process.env,
    // What a target reaches is to depend on its input alone.
    ASAN_OPTIONS: 'allocator_may_return_null=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  const options = [
    `-max_len=${MOST_BYTES}`,
    `-timeout=${MOST_SECONDS}`,
    `-artifact_prefix=${build}/${target}-`,
    '-verbosity=0',
  ];
  if (values.input !== undefined) {
    if (run(program, [...options, values.input], { env }) !== 0) failed.push(target);
    continue;
  }
  const folder = join(build, 'corpus', target);
  const inputs = unpack(target, folder);
  const limit = values.seconds === '0' ? ['-runs=0'] : [`-max_total_time=${values.seconds}`];
  const start = Date.now();
  const status = run(program, [...options, ...limit, '-print_final_stats=1', folder], { env });
  const seconds = Math.round((Date.now() - start) / 1000);
  console.log(`${target}: ${status === 0 ? 'no findings' : 'FAILED'}, ${inputs} inputs kept, ${seconds} s\n`);
  if (status !== 0) failed.push(target);
  else if (values.keep) keep(target, program, folder, options, env);
}
console.log(failed.length === 0 ? 'no findings' : `FAILED: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
