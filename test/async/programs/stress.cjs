// Worker threads that each keep many calls in flight, and abort, dispose, transfer and terminate at random.
// argv: how many workers, calls for each, seed.
const { join } = require('node:path');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');

const load = () => require(join(__dirname, '../../../dist'));
const IN_FLIGHT = 24;

/** Numbers in [0, 1): mulberry32. */
function stream(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

async function work({ calls, seed }) {
  const { conv2d, conv2dAsync, prepareConv, setNumThreads, Tensor } = load();
  const random = stream(seed);
  const below = (n) => Math.floor(random() * n);
  const make = (shape) => {
    const size = shape.reduce((a, b) => a * b);
    return new Tensor(
      Float32Array.from({ length: size }, () => random() - 0.5),
      shape,
    );
  };
  const problems = [5, 24, 48].map((size) => {
    const [input, weight] = [make([1 + below(3), 8, size, size]), make([8, 8, 3, 3])];
    return { input, weight, expected: conv2d(input, weight).data };
  });
  const counts = { right: 0, wrong: 0, aborted: 0 };

  async function one() {
    const { input, weight, expected } = problems[below(problems.length)];
    const x = new Tensor(input.data.slice(), input.shape);
    const controller = new AbortController();
    const { signal } = controller;
    const prepared = random() < 0.5 ? prepareConv(weight) : null;
    const result = prepared ? prepared.runAsync(x, { signal }) : conv2dAsync(x, weight, { signal });
    if (random() < 0.3) structuredClone(x.data.buffer, { transfer: [x.data.buffer] });
    if (random() < 0.2) setTimeout(() => controller.abort(), below(3));
    if (random() < 0.2) controller.abort();
    if (random() < 0.02) setNumThreads(1 + below(4));
    if (random() < 0.5) prepared?.dispose(); // otherwise the garbage collector's
    try {
      const { data } = await result;
      const same = data.length === expected.length && data.every((value, i) => value === expected[i]);
      counts[same ? 'right' : 'wrong']++;
    } catch (error) {
      if (error.name !== 'AbortError') throw error;
      counts.aborted++;
    }
  }

  let left = calls;
  const lane = async () => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return counts;
}

async function main([workers, calls, seed]) {
  const totals = { right: 0, wrong: 0, aborted: 0 };
  const start = (at) => new Worker(__filename, { workerData: { calls, seed: seed + at } });
  const finished = Array.from({ length: workers }, async (_, at) => {
    const worker = start(at);
    const counts = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    for (const key in counts) totals[key] += counts[key];
    await worker.terminate();
  });
  const doomed = Array.from({ length: workers }, async (_, at) => {
    const worker = start(100 + at);
    await new Promise((resolve) => worker.once('online', resolve));
    await new Promise((resolve) => setTimeout(resolve, 60 + 40 * at));
    await worker.terminate();
  });
  await Promise.all([...finished, ...doomed]);
  console.log(JSON.stringify(totals));
}

if (isMainThread) main(process.argv.slice(2).map(Number));
else work(workerData).then((counts) => parentPort.postMessage(counts));
