// Worker threads that each keep many calls in flight, and abort, dispose, transfer, shrink and terminate at random.
// argv: how many workers, calls for each, seed. Prints how the calls ended.
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
  // The last is past what is copied at once.
  const problems = [5, 24, 48, 240].map((size) => {
    const [input, weight] = [make([size > 100 ? 1 : 1 + below(3), 8, size, size]), make([8, 8, 3, 3])];
    return { input, weight, expected: conv2d(input, weight).data };
  });
  const counts = { right: 0, wrong: 0, aborted: 0, withdrawn: 0 };

  /** A copy that may lie in a buffer that can shrink. */
  function copyOf({ data, shape }) {
    if (random() < 0.8) return new Tensor(data.slice(), shape);
    const buffer = new ArrayBuffer(data.byteLength, { maxByteLength: data.byteLength });
    new Float32Array(buffer).set(data);
    return new Tensor(new Float32Array(buffer), shape);
  }

  /** Takes a tensor's memory away. */
  function withdraw({ data: { buffer } }) {
    if (buffer.resizable && random() < 0.5) buffer.resize(below(buffer.byteLength));
    else structuredClone(buffer, { transfer: [buffer] });
  }

  async function one() {
    const { input, weight, expected } = problems[random() < 0.1 ? 3 : below(3)];
    const x = copyOf(input);
    const out =
      random() < 0.2
        ? copyOf({ data: expected, shape: [x.shape[0], 8, x.shape[2] - 2, x.shape[3] - 2] })
        : undefined;
    out?.data.fill(Number.NaN);
    const controller = new AbortController();
    const { signal } = controller;
    const prepared = random() < 0.5 ? prepareConv(weight) : null;
    const result = prepared ? prepared.runAsync(x, { signal, out }) : conv2dAsync(x, weight, { signal, out });
    if (random() < 0.3) withdraw(x);
    else if (random() < 0.1) setImmediate(() => withdraw(x));
    if (out !== undefined && random() < 0.1) withdraw(out);
    if (random() < 0.2) setTimeout(() => controller.abort(), below(3));
    if (random() < 0.2) controller.abort();
    if (random() < 0.02) setNumThreads(1 + below(4));
    if (random() < 0.5) prepared?.dispose(); // otherwise the garbage collector's
    try {
      const { data } = await result;
      const same = data.length === expected.length && data.every((value, i) => value === expected[i]);
      counts[same ? 'right' : 'wrong']++;
    } catch (error) {
      if (error.name === 'AbortError') counts.aborted++;
      // A large input that went away while it was copied, or out before it was written.
      else if (error.name === 'ArgumentError') counts.withdrawn++;
      else throw error;
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
  const totals = { right: 0, wrong: 0, aborted: 0, withdrawn: 0 };
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
