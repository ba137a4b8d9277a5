/**
 * Mixed calls in many worker threads for some time: what does the process hold, and whose is it? argv: how many workers, for how
 * many seconds, seed. Prints {calls, samples}: each sample tells, in bytes, what is resident (`rss`), what the heaps of V8 have taken
 * (`heap`), what array buffers hold beside them (`buffers`), and what else objects keep outside of the heaps, packed weights above
 * all (`packed`); `calls` are those so far.
 */
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');

const SAMPLE_MS = 1000;

/** Calls until the time is over; tells of itself now and then. */
async function work({ seconds, seed }) {
  const { makeMix } = require('./mix.cjs');
  const mix = makeMix(seed);
  const end = Date.now() + 1000 * seconds;
  let calls = 0;
  let told = 0;
  while (Date.now() < end) {
    const underWay = [];
    for (let i = 0; i < 200; i++, calls++) underWay.push(mix.any());
    await Promise.all(underWay);
    if (Date.now() - told < SAMPLE_MS) continue;
    told = Date.now();
    const { heapTotal: heap, arrayBuffers: buffers, external } = process.memoryUsage();
    parentPort.postMessage({ calls, heap, buffers, packed: external - buffers });
  }
}

function main([workers, seconds, seed]) {
  const latest = new Map();
  const samples = [];
  const start = Date.now();
  const sampling = setInterval(() => {
    const own = process.memoryUsage();
    const sample = { seconds: (Date.now() - start) / 1000, rss: own.rss, calls: 0, buffers: 0, packed: 0 };
    sample.heap = own.heapTotal;
    for (const told of latest.values()) for (const name in told) sample[name] += told[name];
    samples.push(sample);
  }, SAMPLE_MS);
  for (let at = 0; at < workers; at++) {
    const worker = new Worker(__filename, { workerData: { seconds, seed: seed + at } });
    worker.on('message', (told) => latest.set(at, told));
    worker.on('error', (error) => {
      throw error;
    });
    worker.on('exit', () => {
      if (--running === 0) clearInterval(sampling);
    });
  }
  let running = workers;
  process.on('exit', () => console.log(JSON.stringify({ calls: samples.at(-1).calls, samples })));
}

if (isMainThread) main(process.argv.slice(2).map(Number));
else work(workerData);
