/**
 * Load and faults: what a service does to the library in a year, in some minutes.
 *
 *   npm run test:stress                      # all of it
 *   npm run test:stress -- --calls 200000    # a shorter soak (1,000,000 calls otherwise)
 *   npm run test:stress -- --only soak       # or concurrency, one-thread, refused-threads, memory, turns, workers
 *   npm run test:stress -- --only workers --seconds 60    # ten minutes otherwise
 *   npm run test:stress -- --seed 7
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { memoryChart } from './memory-chart.mjs';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Math.floor(Date.now() / 1000) % 1e6) },
    only: { type: 'string' },
    seconds: { type: 'string', default: '600' },
  },
});
const scratch = mkdtempSync(join(tmpdir(), 'convmat-stress-'));
const WORKERS = 8;
const CALLS_OF_WORKER = 1250;
// A program that takes this long has met a deadlock.
const MOST_MS = 4 * 3600_000;

/** What a program printed last, as JSON. */
function program(path, args = [], { node = [], env = {}, mostMs = MOST_MS } = {}) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...node, join(root, path), ...args.map(String)],
    {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: mostMs,
      maxBuffer: 1 << 26,
    },
  );
  if (status !== 0) throw new Error(`ended with ${signal ?? status}: ${stderr.slice(-2000)}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

function demand(condition, message) {
  if (!condition) throw new Error(message);
}

/** Overlapping calls from worker threads, as many more workers terminated amid theirs. */
function concurrency(env = {}) {
  const mostMs = 3600_000;
  const totals = program('test/async/programs/stress.cjs', [WORKERS, CALLS_OF_WORKER, values.seed], {
    env,
    mostMs,
  });
  const { right, wrong, aborted, withdrawn } = totals;
  demand(wrong === 0, `${wrong} wrong results`);
  demand(
    right + aborted + withdrawn === WORKERS * CALLS_OF_WORKER,
    `calls were lost: ${JSON.stringify(totals)}`,
  );
  for (let round = 0; round < 5; round++) {
    const { right: afterwards } = program('test/async/programs/terminate.cjs', [], { env });
    demand(afterwards, 'wrong results after workers were terminated');
  }
  return totals;
}

function refusedThreads() {
  const shim = join(scratch, 'refuse_threads.so');
  const compiler = (process.env.CC ?? 'gcc').split(' ').at(-1);
  const source = join(root, 'test/stress/refuse_threads.c');
  const { status } = spawnSync(compiler, ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl'], {
    stdio: 'inherit',
  });
  demand(status === 0, 'the shim does not compile');
  return [0, 1, 2].map((granted) => {
    const env = { LD_PRELOAD: shim, CONVMAT_THREADS_GRANTED: String(granted), CONVMAT_BACKEND: 'native' };
    const found = program('test/stress/refused_threads.cjs', [], { env, mostMs: 300_000 });
    demand(found.right === found.of, `${granted} threads granted: ${JSON.stringify(found)}`);
    return { granted, ...found };
  });
}

/** Address space that runs out, at several distances from the end. */
function memory() {
  const found = program('test/package/programs/exhausted.cjs', [], { env: { CONVMAT_BACKEND: 'native' } });
  for (const outcome of ['once', 'prepared', 'async']) {
    demand(found[outcome] === 'MemoryError ERR_CONVMAT_MEMORY', `${outcome}: ${found[outcome]}`);
  }
  demand(found.after === '21,32' && found.again === 'done', 'the process did not go on');
  return found;
}

const LONGEST_TURN_MS = 5;
/** What making a call may take of its caller's turn besides. */
const CALL_MS = 0.1;

/**
 * The longest turn of the event loop during calls of every asynchronous function, in a table: one row for each function and
 * size; a column for how many calls there are at once, of an object that has not run yet and of one that has. A turn that
 * makes calls may take a little more for each.
 */
function turns() {
  const path = 'test/stress/turns.cjs';
  const env = { CONVMAT_BACKEND: 'native' };
  const table = {};
  const tooLong = [];
  let longest = 0;
  for (const name of program(path, [], { env })) {
    for (const { function: called, size, state, atOnce, ms, launchMs } of program(path, [name], { env })) {
      const row = `${called}, ${size}`;
      table[row] ??= {};
      table[row][`${state} ${atOnce}`] = `${ms}; ${launchMs}`;
      longest = Math.max(longest, ms);
      if (ms > LONGEST_TURN_MS || launchMs > LONGEST_TURN_MS + CALL_MS * atOnce) {
        tooLong.push(`${row}, ${state}, ${atOnce} at once: ${ms} ms, and ${launchMs} ms to make the calls`);
      }
    }
  }
  console.log('ms of the longest turn; of the turn that makes the calls');
  console.table(table);
  demand(tooLong.length === 0, `turns of the event loop:\n${tooLong.join('\n')}`);
  return { longest };
}

// Memory that a leak of some bytes in every call would pass many times over.
const LEAST_LEAK_BYTES = 1000 * 16;

function soak() {
  const found = program('test/stress/soak.cjs', [values.calls, values.seed], { node: ['--expose-gc'] });
  const { slopeBytes, slopeError, external, handles } = found;
  demand(
    slopeBytes < Math.max(3 * slopeError, LEAST_LEAK_BYTES),
    `memory grows by ${slopeBytes} ± ${slopeError} bytes in a thousand calls`,
  );
  demand(external < 1 << 16, `${external} bytes of external memory are left`);
  demand(handles <= 0, `${handles} handles are left`);
  return found;
}

/** Of the last half of its time, a process that settles has grown by less: a leak of some bytes a call would pass it many times. */
const SETTLED = 0.02;

/** Mixed calls from many workers for minutes: resident memory over time, with its owners, as a chart. */
function workers() {
  const seconds = Number(values.seconds);
  const { calls, samples } = program('test/stress/workers.cjs', [WORKERS, seconds, values.seed]);
  const chart = join(root, 'build', 'stress-memory.svg');
  mkdirSync(join(root, 'build'), { recursive: true });
  const title = `${WORKERS} workers, ${calls.toLocaleString('en')} mixed calls`;
  writeFileSync(chart, memoryChart(samples, title));
  // Of the samples while all workers run.
  const steady = samples.filter((sample) => sample.seconds > seconds / 2 && sample.seconds < seconds - 2);
  const mean = (part, name) => part.reduce((sum, sample) => sum + sample[name], 0) / part.length;
  const [earlier, later] = [steady.slice(0, steady.length / 2), steady.slice(steady.length / 2)];
  const growth = Object.fromEntries(
    ['rss', 'heap', 'buffers', 'packed'].map((name) => [
      name,
      Math.round(mean(later, name) - mean(earlier, name)),
    ]),
  );
  const found = { calls, resident: Math.round(mean(later, 'rss')), growth, chart };
  demand(growth.rss < SETTLED * found.resident, `memory has not settled: ${JSON.stringify(found)}`);
  return found;
}

const parts = {
  concurrency: () => concurrency(),
  'one-thread': () => concurrency({ CONVMAT_NUM_THREADS: '1' }),
  'refused-threads': refusedThreads,
  memory,
  turns,
  soak,
  workers,
};
const linuxOnly = ['refused-threads', 'memory'];
const failed = [];
for (const [name, part] of Object.entries(parts)) {
  if (values.only !== undefined && values.only !== name) continue;
  if (process.platform !== 'linux' && linuxOnly.includes(name)) {
    console.log(`${name}: skipped, it needs Linux`);
    continue;
  }
  const start = Date.now();
  const seconds = () => `${Math.round((Date.now() - start) / 1000)} s`;
  try {
    const found = part();
    console.log(`${name}: passed in ${seconds()}: ${JSON.stringify(found)}`);
  } catch (error) {
    failed.push(name);
    console.log(`${name}: FAILED in ${seconds()}: ${error.message}`);
  }
}
rmSync(scratch, { recursive: true });
console.log(
  failed.length === 0
    ? `all passed, seed ${values.seed}`
    : `FAILED: ${failed.join(', ')}, seed ${values.seed}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
