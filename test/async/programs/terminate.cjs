// Ends worker threads in the middle of their calls, over and over; then convolves on the main thread.
const { join } = require('node:path');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');

const load = () => require(join(__dirname, '../../../dist'));

function call() {
  const { conv2dAsync, prepareConv, Tensor } = load();
  const x = new Tensor(new Float32Array(8 * 16 * 64 * 64).fill(1), [8, 16, 64, 64]);
  const w = new Tensor(new Float32Array(16 * 16 * 9).fill(1), [16, 16, 3, 3]);
  const prepared = prepareConv(w, { padding: 1 });
  return [prepared.runAsync(x), conv2dAsync(x, w, { padding: 1 }), prepared.runAsync(x)];
}

if (isMainThread) {
  main();
} else {
  const again = () => Promise.all(call()).then(again);
  again();
  parentPort.postMessage('busy');
}

async function main() {
  for (let round = 0; round < 8; round++) {
    const workers = [1, 2, 3].map(() => new Worker(__filename));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
    await new Promise((resolve) => setTimeout(resolve, round * 2));
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  // The addon was in no environment but those that have ended: it has to work again in this one.
  const results = await Promise.all(call());
  const { backendInfo } = load();
  const right = results.every(({ data }) => data[64 * 64 + 65] === 144 && data[0] === 64);
  console.log(JSON.stringify({ right, backend: backendInfo().backend }));
}
