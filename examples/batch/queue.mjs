/**
 * The folder on processes that share a queue in Redis, which this program starts (Debian's redis-server). One worker is
 * killed in the middle of a job: nothing is lost, and results come in the order of the photographs.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Queue, QueueEvents } from 'bullmq';
import { CONNECTION, QUEUE } from './connection.mjs';
import { photographs } from './photographs.mjs';

const paths = await photographs(Number(process.argv[2] ?? 200));
const redis = spawn('redis-server', ['--port', String(CONNECTION.port), '--save', '', '--appendonly', 'no'], {
  stdio: 'ignore',
});
process.on('exit', () => redis.kill());
redis.on('error', () => {
  console.error('redis-server is missing: apt install redis-server');
  process.exit(1);
});
await answers(CONNECTION);

const queue = new Queue(QUEUE, { connection: CONNECTION });
const events = new QueueEvents(QUEUE, { connection: CONNECTION });
await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);

const workers = new Set();
async function startWorker() {
  const worker = fork(join(import.meta.dirname, 'worker.mjs'));
  workers.add(worker);
  worker.on('exit', () => workers.delete(worker));
  // A worker that ends before it is ready has said why.
  const ready = await Promise.race([once(worker, 'message'), once(worker, 'exit').then(() => null)]);
  if (ready === null) process.exit(1);
}

// Each job that somebody waits for is a listener.
queue.setMaxListeners(0);
events.setMaxListeners(0);

const rates = [];
for (const count of [1, 2]) {
  while (workers.size < count) await startWorker();
  const faces = await work();
  console.log(
    `${count} process${count > 1 ? 'es' : ''}: ${rates.at(-1).toFixed(1)} photographs/s, ${faces} faces`,
  );
}
console.log(`two are ${(rates[1] / rates[0]).toFixed(2)} times as fast as one`);
console.log(`${await work(true)} faces, with a worker killed on the way`);
for (const worker of workers) worker.kill();
await Promise.all([queue.close(), events.close()]);
process.exit();

/** All photographs as jobs, whose results come in their order: how many faces there are. */
async function work(withAccident = false) {
  const start = performance.now();
  const jobs = await queue.addBulk(
    paths.map((path) => ({
      name: 'detect',
      data: { path },
      opts: { attempts: 3, backoff: { type: 'fixed', delay: 200 } },
    })),
  );
  let done = 0;
  const results = Promise.all(
    jobs.map(async (job) => {
      const faces = await job.waitUntilFinished(events);
      done++;
      if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${paths.length}`);
      return faces;
    }),
  );
  if (withAccident) {
    while (done < paths.length / 4) await wait(5);
    const [victim] = workers;
    victim.kill('SIGKILL');
    console.log(`a worker is killed after ${done} photographs`);
    await startWorker();
  }
  const all = await results;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  rates.push((1000 * paths.length) / (performance.now() - start));
  if (all.some((faces) => !Array.isArray(faces))) throw new Error('results are missing');
  return all.flat().length;
}

async function answers({ host, port }) {
  for (let i = 0; i < 100; i++) {
    const socket = createConnection(port, host);
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    await wait(50);
  }
  throw new Error('redis-server does not answer');
}
