/**
 * The tests where every wrong access, undefined step and race is an error: the C++ tests and the conformance suite with an
 * instrumented addon, and the C++ tests in valgrind.
 *
 *   npm run test:sanitize                        # address (with undefined), thread, valgrind: the tests that reach the most
 *   npm run test:sanitize -- thread              # one of address, thread, valgrind
 *   npm run test:sanitize -- --whole             # every test of an operation, on every instruction set: hours
 *   npm run test:sanitize -- address test/ops/conv.test.ts     # these files only, and no C++ tests
 *
 * Needs GCC's run-time libraries (libasan, libubsan, libtsan), GoogleTest and valgrind, on Linux. A finding ends the process
 * that made it and is printed at the end. What is not looked at, and why, is said in docs/reliability.md.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { nodeHeaders } from './node-headers.mjs';

const root = join(import.meta.dirname, '..');
const TOOLS = ['address', 'thread', 'valgrind'];
const args = process.argv.slice(2);
const whole = args.includes('--whole');
const files = args.filter((arg) => arg.startsWith('test/'));
const wanted = TOOLS.filter((name) => args.includes(name));
const unknown = args.find((arg) => arg !== '--whole' && !files.includes(arg) && !TOOLS.includes(arg));
if (unknown !== undefined)
  throw new Error(`unknown argument ${unknown}; see the head of scripts/sanitize.mjs`);

// What reaches the addon's C++ and is quick enough. The JavaScript above it needs no second run.
const SUBSET = [
  ...['conv', 'convTranspose', 'grads', 'lowering', 'pool', 'csr', 'conv-matrix', 'toeplitz', 'structured'],
  ...['fft', 'fixed', 'quantized', 'signal', 'linear'],
]
  .map((name) => `test/ops/${name}.test.ts`)
  .concat(
    'test/plan/separable.test.ts',
    'test/async',
    'test/backends/agree.test.ts',
    'test/fuzz',
    'test/package/door.test.ts',
  );
const WHOLE = [
  'test/ops',
  'test/plan',
  'test/async',
  'test/backends',
  'test/fuzz',
  'test/package/door.test.ts',
];

// The rest of the C++ tests takes valgrind hours: it runs one thread at a time, twenty to fifty times as slowly.
const VALGRIND = ['Arena', 'Executor', 'ThreadPool.', 'Unfold', 'Csr', 'GemmTile', 'ConvEntries']
  .map((name) => `*${name}*`)
  .join(':');

// GCC makes instrumented kernels of one instruction set in a minute.
const ISA = process.arch === 'x64' ? 'avx2' : 'neon';

// How much longer than otherwise a program may take.
const SLOWED = '20';

const SANITIZERS = {
  address: {
    flags: 'address,undefined',
    libraries: ['libasan.so', 'libubsan.so'],
    cpp: '*',
    // An array that is too large is refused by the engine, as without a sanitizer. Node and V8 keep what they have until the
    // process ends, and are in the stack of everything that the addon allocates, so that no suppression could tell the two
    // apart: leaks are looked for in the C++ tests.
    env: (log, inNode) => ({
      ASAN_OPTIONS: `log_path=${log}:exitcode=99:allocator_may_return_null=1:detect_leaks=${inNode ? 0 : 1}`,
      UBSAN_OPTIONS: `log_path=${log}:exitcode=99:print_stacktrace=1`,
    }),
  },
  thread: {
    flags: 'thread',
    libraries: ['libtsan.so'],
    // The other C++ tests share their work in the same way, and take much longer.
    cpp: '*ThreadPool*:*Executor*',
    // Node is not instrumented: of its synchronisation only what goes through pthreads is seen, so that its own accesses would
    // look like races.
    env: (log, inNode) => ({
      TSAN_OPTIONS: `log_path=${log}:exitcode=99:halt_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=${inNode ? 1 : 0}`,
    }),
  },
};

function run(command, commandArgs, { env = {}, cwd = root } = {}) {
  console.log(`\n$ ${command} ${commandArgs.join(' ')}`);
  const { status, signal, error } = spawnSync(command, commandArgs, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (error) throw error;
  return status ?? signal;
}

function mustRun(command, commandArgs) {
  const status = run(command, commandArgs);
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
}

/** The compiler's run-time libraries, to be loaded before all others: Node knows nothing of them. */
function runtimes(names) {
  const compiler = (process.env.CXX ?? 'g++').split(' ').at(-1);
  return names
    .map((name) => execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim())
    .join(':');
}

/** Runs a program where no address is random: older runtimes of ThreadSanitizer do not know every layout of recent kernels. */
function fixedAddresses(command, commandArgs) {
  const machine = process.arch === 'x64' ? 'x86_64' : 'aarch64';
  return ['setarch', [machine, '-R', command, ...commandArgs]];
}

function build(folder, options, target) {
  const fixed = ['-S', '.', '-B', folder, '-DCONVMAT_BENCHES=OFF'];
  mustRun('cmake', [...fixed, ...options]);
  mustRun('cmake', ['--build', folder, '-j', '2', '--target', target]);
}

/** A copy of the package with the instrumented addon: the loader knows one place only, as it should. */
function makeTree(folder) {
  const tree = join(folder, 'package');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, 'build/Release'), { recursive: true });
  for (const name of ['dist', 'test', 'package.json', 'vitest.config.mts', 'tsconfig.json'])
    cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  cpSync(join(folder, 'convmat.node'), join(tree, 'build/Release/convmat.node'));
  return tree;
}

const failed = [];

/** Notes what a step came to: it fails by its status, or by a report of any process in it. */
function check(title, reports, step) {
  const start = Date.now();
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const status = step();
  const found = readdirSync(reports);
  for (const name of found) console.log(readFileSync(join(reports, name), 'utf8'));
  const seconds = Math.round((Date.now() - start) / 1000);
  const held = status === 0 && found.length === 0;
  console.log(
    `\n${title}: ${held ? 'no findings' : `FAILED (${status}), ${found.length} reports`}, ${seconds} s`,
  );
  if (!held) failed.push(title);
}

function sanitize(name) {
  const { flags, libraries, env, cpp } = SANITIZERS[name];
  const folder = join(root, 'build-sanitize', name);
  const options = [
    '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
    `-DCONVMAT_NODE_INCLUDE=${nodeHeaders()}`,
    `-DCONVMAT_SANITIZE=${flags}`,
    `-DCONVMAT_SANITIZE_ISAS=${whole ? 'all' : ISA}`,
  ];
  build(folder, options, files.length > 0 ? 'convmat' : 'all');
  const reports = join(folder, 'reports');
  const log = join(reports, 'report');
  if (files.length === 0) {
    check(`${name}: C++ tests`, reports, () =>
      run(
        ...fixedAddresses(join(folder, 'convmat_tests'), [
          '--gtest_brief=1',
          `--gtest_filter=${whole ? '*' : cpp}`,
        ]),
        {
          env: env(log, false),
        },
      ),
    );
  }
  const tree = makeTree(folder);
  const chosen = files.length > 0 ? files : whole ? WHOLE : SUBSET;
  const preloaded = `LD_PRELOAD=${runtimes(libraries)}`;
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const vitestOptions = ['run', '--maxWorkers=2', '--testTimeout=1200000'];
  check(`${name}: tests`, reports, () =>
    run(...fixedAddresses('env', [preloaded, process.execPath, vitest, ...vitestOptions, ...chosen]), {
      cwd: tree,
      env: {
        ...env(log, true),
        ...(!whole && { CONVMAT_BACKEND: 'native', CONVMAT_ISA: ISA }),
        CONVMAT_SLOWED: SLOWED,
        CI: 'true',
      },
    }),
  );
}

/** What sanitizers do not see: values that nothing wrote. valgrind has no AVX-512, so that the tests run on what is left. */
function valgrind() {
  const folder = join(root, 'build-cmake');
  build(folder, ['-DCMAKE_BUILD_TYPE=Release'], 'convmat_tests');
  const options = [
    ...['--quiet', '--error-exitcode=99', '--leak-check=full'],
    ...['--errors-for-leak-kinds=definite', '--show-leak-kinds=definite'],
    // One of the tests replaces operator new by one over aligned_alloc: valgrind is to look at what is below.
    '--soname-synonyms=somalloc=nouserintercepts',
  ];
  // A forked child has lost what its parent's threads held, which it should.
  const chosen = `${whole ? '*' : VALGRIND}:-*AForkedChild*`;
  check('valgrind: C++ tests', join(root, 'build-sanitize/valgrind'), () =>
    run('valgrind', [
      ...[...options, '--fair-sched=yes', join(folder, 'convmat_tests')],
      ...['--gtest_brief=1', `--gtest_filter=${chosen}`],
    ]),
  );
}

const chosenTools = wanted.length > 0 ? wanted : TOOLS;
for (const name of chosenTools) {
  if (name === 'valgrind') valgrind();
  else sanitize(name);
}
console.log(failed.length === 0 ? '\nno findings' : `\nFAILED: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
