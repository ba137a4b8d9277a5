/**
 * Hashes the results of a few thousand seeded problems, of every operation, algorithm and precision, on every
 * instruction set of the machine and in JavaScript: what a refactoring must not change.
 *
 *   npm run check:bits                          # the hashes
 *   npm run check:bits -- --against FOLDER      # compared with those of another built checkout
 *   npm run check:bits -- --only avx2,js        # some instruction sets
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { against: { type: 'string' }, only: { type: 'string' } } });

const isasIn = (checkout) => {
  const { loadAddon } = createRequire(import.meta.url)(join(checkout, 'dist/backend/native/loader.js'));
  return [...(loadAddon().addon?.isas ?? []), 'js'];
};
const all = isasIn(root);
const common = values.against === undefined ? all : isasIn(values.against);
const isas = values.only === undefined ? all.filter((isa) => common.includes(isa)) : values.only.split(',');
const without = all.filter((isa) => !common.includes(isa));
if (without.length > 0) console.log(`the other has no ${without.join(', ')}`);
for (const isa of isas) {
  if (!all.includes(isa)) throw new Error(`--only: expected some of ${all.join()}, got ${isa}`);
}

/** What hashes.cjs prints of the build in a checkout. */
function hashes(checkout, isa) {
  const chosen = isa === 'js' ? { CONVMAT_BACKEND: 'js' } : { CONVMAT_BACKEND: 'native', CONVMAT_ISA: isa };
  const { CONVMAT_ISA: _, ...env } = process.env;
  const program = join(root, 'scripts/bits/hashes.cjs');
  const child = spawn(process.execPath, [program, join(checkout, 'dist')], {
    env: { ...env, ...chosen },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text));
      else reject(new Error(`${checkout} on ${isa}: exit code ${code}`));
    });
  });
}

let [results, problems, differing] = [0, 0, 0];
for (const isa of isas) {
  const checkouts = values.against === undefined ? [root] : [root, values.against];
  const [own, other] = await Promise.all(checkouts.map((checkout) => hashes(checkout, isa)));
  for (const name of new Set([...Object.keys(own), ...Object.keys(other ?? {})])) {
    const mine = own[name];
    const theirs = other?.[name];
    results++;
    problems += mine?.problems ?? 0;
    if (other !== undefined && mine?.hash === theirs?.hash) continue;
    const text = (found) =>
      found === undefined ? 'nothing' : `${found.hash}, ${found.problems} problems, ${found.refused} refused`;
    if (other !== undefined) differing++;
    console.log(`${isa.padEnd(8)} ${name}: ${text(mine)}${other ? `; the other: ${text(theirs)}` : ''}`);
  }
}
console.log(
  `${problems} problems in ${results} hashes${values.against ? `, ${differing} of which differ from ${values.against}` : ''}`,
);
process.exitCode = differing === 0 ? 0 : 1;
