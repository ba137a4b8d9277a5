/**
 * Runs every property test (those that call test/support/fuzz.ts) over many random cases, on every backend and instruction
 * set, and tells how many cases there were.
 *
 *   npm run test:fuzz                                  # 100,000 cases
 *   npm run test:fuzz -- --cases 1000000 --seed 7      # other ones
 *   npm run test:fuzz -- --seconds 600                 # at most so long for each property
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
  },
});
const scratch = mkdtempSync(join(tmpdir(), 'convmat-fuzz-'));

/** The names of the tests in a file that check properties: others need not run once more. */
function propertiesOf(source) {
  const names = [];
  let name;
  for (const [, title, checked] of source.matchAll(
    /\b(?:test|it)(?:\.each\(.*?\))?\(\s*'([^']+)'|\b(check|checkAsync)\(/g,
  )) {
    if (title !== undefined) name = title.replace(/%.*/, '');
    else if (checked !== undefined && name !== undefined) names.push(name);
  }
  return names;
}

/** Runs the properties this many times as often as the suite does; the cases of each test, and whether all held. */
function runProperties(files, names, factor) {
  const report = join(scratch, `${factor}.jsonl`);
  const pattern = names.map((name) => name.replace(/[^\w ]/g, '.')).join('|');
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '-t', pattern, ...files];
  const { status } = spawnSync(process.execPath, vitest, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      CONVMAT_FUZZ_FACTOR: String(factor),
      CONVMAT_FUZZ_SEED: values.seed,
      CONVMAT_FUZZ_REPORT: report,
      ...(values.seconds && { CONVMAT_FUZZ_SECONDS: values.seconds }),
    },
  });
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
  const names = files.flatMap((name) => propertiesOf(readFileSync(join(root, name), 'utf8')));
  // A small run first, since how many there are depends on the machine's instruction sets.
  const small = runProperties(files, names, 0.05);
  if (!small.held) return false;
  const factor = (0.05 * Number(values.cases)) / total(small.counts);
  const { counts, held } = runProperties(files, names, factor);
  for (const [name, count] of [...counts].sort()) console.log(`${String(count).padStart(8)}  ${name}`);
  console.log(
    `${String(total(counts)).padStart(8)}  cases in all, seed ${values.seed}: ${held ? 'all held' : 'FAILED'}`,
  );
  return held;
}

const start = Date.now();
const held = properties();
rmSync(scratch, { recursive: true });
console.log(`fuzzing took ${Math.round((Date.now() - start) / 1000)} s`);
process.exitCode = held ? 0 : 1;
