/**
 * Runs every property test (those that call test/support/fuzz.ts) over many random cases, on every backend and instruction
 * set, then the fuzz targets in C++, and tells how many cases there were.
 *
 *   npm run test:fuzz                                  # 100,000 cases of properties, one minute of each target in C++
 *   npm run test:fuzz -- --cases 1000000 --seed 7      # other ones
 *   npm run test:fuzz -- --seconds 600                 # at most so long for each property, and for each target in C++
 *   npm run test:fuzz -- --only native                 # or properties
 *   CONVMAT_ISA=avx2 npm run test:fuzz                 # on one instruction set
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Math.floor(Date.now() / 1000) % 1e6) },
    only: { type: 'string' },
  },
});
const scratch = mkdtempSync(join(tmpdir(), 'convmat-fuzz-'));

/** Runs the properties this many times as often as the suite does; the cases of each test, and whether all held. */
function runProperties(files, factor) {
  const report = join(scratch, `${factor}.jsonl`);
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...files],
    {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        CONVMAT_FUZZ_FACTOR: String(factor),
        CONVMAT_FUZZ_SEED: values.seed,
        CONVMAT_FUZZ_REPORT: report,
        ...(values.seconds && { CONVMAT_FUZZ_SECONDS: values.seconds }),
      },
    },
  );
  const counts = new Map();
  for (const line of readFileSync(report, 'utf8').trim().split('\n')) {
    const { file, name, cases } = JSON.parse(line);
    const key = `${relative(root, file)}: ${name}`;
    counts.set(key, (counts.get(key) ?? 0) + cases);
  }
  return { counts, held: status === 0 };
}

function total(counts) {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function properties() {
  const tests = readdirSync(join(root, 'test'), { recursive: true }).filter((name) =>
    name.endsWith('.test.ts'),
  );
  const files = tests
    .map((name) => join('test', name))
    .filter((name) => /from '..\/support\/fuzz'/.test(readFileSync(join(root, name), 'utf8')));
  // A small run first, since how many there are depends on the machine's instruction sets.
  const small = runProperties(files, 0.05);
  if (!small.held) return false;
  const factor = (0.05 * Number(values.cases)) / total(small.counts);
  const { counts, held } = runProperties(files, factor);
  for (const [name, count] of [...counts].sort()) console.log(`${String(count).padStart(8)}  ${name}`);
  console.log(
    `${String(total(counts)).padStart(8)}  cases in all, seed ${values.seed}: ${held ? 'all held' : 'FAILED'}`,
  );
  return held;
}

const start = Date.now();
const parts = { properties };
const chosen = values.only === undefined ? Object.keys(parts) : [values.only];
const failed = chosen.filter((name) => !parts[name]());
rmSync(scratch, { recursive: true });
console.log(`fuzzing took ${Math.round((Date.now() - start) / 1000)} s`);
if (failed.length > 0) {
  console.log(`FAILED: ${failed.join(', ')}`);
  process.exitCode = 1;
}
