/** The folder on a pool of threads in one process: how throughput grows from one to two. */
import { join } from 'node:path';
import { Piscina } from 'piscina';
import { photographs } from './photographs.mjs';

const paths = await photographs(Number(process.argv[2] ?? 200));
const rates = [];
for (const maxThreads of [1, 2]) {
  const pool = new Piscina({
    filename: join(import.meta.dirname, 'detect.mjs'),
    minThreads: maxThreads,
    maxThreads,
  });
  await Promise.all(paths.slice(0, maxThreads).map((path) => pool.run(path)));
  const start = performance.now();
  let done = 0;
  const faces = await Promise.all(
    paths.map(async (path) => {
      const found = await pool.run(path);
      done++;
      if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${paths.length}`);
      return found;
    }),
  );
  rates.push((1000 * paths.length) / (performance.now() - start));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const count = faces.reduce((sum, found) => sum + found.length, 0);
  console.log(
    `${maxThreads} thread${maxThreads > 1 ? 's' : ''}: ${rates.at(-1).toFixed(1)} photographs/s, ${count} faces`,
  );
  await pool.destroy();
}
console.log(`two are ${(rates[1] / rates[0]).toFixed(2)} times as fast as one`);
