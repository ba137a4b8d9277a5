/** Any problem on this backend and on every other that the machine has, side by side in one process. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as convmat from 'convmat';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { loadAddon } from '../../dist/backend/native/loader.js';
import { wasmIsas } from '../../dist/backend/select.js';
import { product } from '../oracle/window';
import { checkAsync } from '../support/fuzz';
import { anyProblem, LARGE } from '../support/problems';
import { transformed } from '../support/tolerance';

interface Result {
  readonly exact?: 'bits' | 'values' | null;
  readonly data?: convmat.TypedArray;
  readonly refused?: string;
}
type Found = Record<string, Result>;
interface Answer {
  readonly isa: string;
  readonly found: Found;
}

const program = fileURLToPath(new URL('./programs/differential.cjs', import.meta.url));
const { results } = createRequire(import.meta.url)(program) as {
  results(library: typeof convmat, problem: object): Found;
};
const own = convmat.backendInfo().isa;
const natives: readonly string[] = loadAddon().addon?.isas ?? [];
const others = ['js', ...wasmIsas(), ...natives].filter((isa) => isa !== own);

const workers = others.map((isa) => {
  const backend = natives.includes(isa) ? 'native' : 'wasm';
  const env = isa === 'js' ? { CONVMAT_BACKEND: 'js' } : { CONVMAT_BACKEND: backend, CONVMAT_ISA: isa };
  const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
  const { CONVMAT_ISA: _, ...rest } = process.env;
  return new Worker(program, { workerData: { dist }, env: { ...rest, ...env } });
});
afterAll(() => Promise.all(workers.map((worker) => worker.terminate())));

function ask(worker: Worker, problem: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (answer: Answer) => {
      worker.off('error', reject);
      resolve(answer);
    });
    worker.postMessage(problem);
  });
}

/** Why two results differ by more than they may, or null. */
function difference(a: Result, b: Result, allowed: number): string | null {
  const [mine, theirs] = [a.data, b.data];
  if (mine === undefined || theirs === undefined) return null; // algorithms may decline on one and not on the other
  if (mine.constructor !== theirs.constructor || mine.length !== theirs.length)
    return 'another kind of array';
  for (let i = 0; i < mine.length; i++) {
    if (Object.is(mine[i], theirs[i]) || (mine[i] === theirs[i] && a.exact !== 'bits')) continue;
    if (a.exact || !(Math.abs(mine[i] - theirs[i]) <= allowed))
      return `element ${i}: ${mine[i]} and ${theirs[i]}`;
  }
  return null;
}

function largest(data: ArrayLike<number> = []): number {
  return Array.from(data).reduce((a, b) => Math.max(a, b), 0);
}

test('any problem: the same bits where nothing rounds, else within both roundings', async () => {
  const kind = fc.constantFrom('any', 'whole', 'wild');
  await checkAsync(
    fc.asyncProperty(anyProblem(LARGE), kind, fc.nat(1e6), async ({ id: _, ...problem }, kind, seed) => {
      const { input, weight, dtype } = problem;
      const job = { ...problem, kind, seed };
      const mine = results(convmat, job);
      const answers = await Promise.all(workers.map((worker) => ask(worker, job)));
      expect(answers.map(({ isa }) => isa)).toEqual(others);
      // Every sum is over part of a weight, or over the batch and all places (of which padding adds few).
      const places = input.slice(-(weight.length - 2)).map((size) => size + 8);
      const length = Math.max(product(weight) * 2 ** places.length, product(places) * Math.max(1, input[0]));
      const { factor } = transformed(length, dtype);
      const magnitudes = results(convmat, {
        ...job,
        dtype: 'float64',
        kind: kind === 'whole' ? '|whole|' : '|any|',
      });
      for (const { isa, found } of answers) {
        expect(Object.keys(found)).toEqual(Object.keys(mine));
        for (const [name, result] of Object.entries(mine)) {
          const allowed = 2 * factor * largest(magnitudes[name]?.data ?? magnitudes.im2col.data);
          const reason = difference(result, found[name], allowed);
          if (reason !== null) expect.fail(`${name} on ${own} and ${isa}: ${reason}`);
        }
      }
    }),
    { numRuns: 40 },
  );
});
