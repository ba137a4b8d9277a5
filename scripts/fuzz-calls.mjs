/**
 * Sequences of calls over memory that operands, objects, results and other threads share (test/fuzz/programs/calls.cjs), in
 * child processes: one that dies, hangs, throws what is not the library's own or computes something else is a finding.
 *
 *   npm run test:fuzz:calls                                  # 20,000 sequences
 *   npm run test:fuzz:calls -- --sequences 1000000 --seed 7  # other ones
 *
 * CONVMAT_BACKEND and CONVMAT_ISA choose what is tried. A finding is told by its seed: `--seed N --sequences 1` repeats it.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import convmat from '../dist/node/index.cjs';

const { values } = parseArgs({
  options: {
    sequences: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Math.floor(Date.now() / 1000) % 1e6) },
  },
});
const [sequences, first] = [values.sequences, values.seed].map(Number);
const program = join(import.meta.dirname, '../test/fuzz/programs/calls.cjs');
/** Of one process. */
const BATCH = 1000;
const MOST_MS = 300_000;

const totals = { sequences: 0, calls: 0, refused: 0, findings: 0 };
for (let seed = first; seed < first + sequences; ) {
  const count = Math.min(BATCH, first + sequences - seed);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, seed, count].map(String), {
    encoding: 'utf8',
    timeout: MOST_MS,
    maxBuffer: 1 << 26,
  });
  if (status === 0) {
    const found = JSON.parse(stdout);
    for (const name of ['sequences', 'calls', 'refused']) totals[name] += found[name];
    totals.findings += found.wrong.length;
    for (const { seed: at, what } of found.wrong) console.error(`seed ${at}: ${what}`);
    seed += count;
    continue;
  }
  // Goes on behind the sequence that ended the process.
  const last = Number(stderr.match(/^\d+$/gm)?.at(-1) ?? seed);
  totals.findings++;
  totals.sequences += last + 1 - seed;
  console.error(
    `seed ${last}: the process ended by ${signal ?? status}: ${stderr.replace(/^\d+\n/gm, '').slice(-2000)}`,
  );
  seed = last + 1;
}
const { backend, isa } = convmat.backendInfo();
console.log(`${backend} ${isa}, seed ${first}: ${JSON.stringify(totals)}`);
process.exitCode = totals.findings > 0 ? 1 : 0;
