// A convolution of integers that is worth tiles, on threads and in processes of all kinds; prints whether each result was
// right. A wrong permission or a missing configuration would end the process.
const { fork } = require('node:child_process');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const { qlinearConv, tensor } = require('../../../dist/index.js');

const [channels, outChannels, size] = [96, 48, 40];
/** Ones by ones: every sum is that of the channels. */
function isRight() {
  const input = tensor(new Uint8Array(channels * size * size).fill(1), [1, channels, size, size]);
  const weight = tensor(new Int8Array(outChannels * channels).fill(1), [outChannels, channels, 1, 1]);
  const options = {
    inputScale: 1,
    inputZeroPoint: 0,
    weightScale: 1,
    weightZeroPoint: 0,
    outputScale: 1,
    outputZeroPoint: 0,
  };
  return qlinearConv(input, weight, options).data.every((value) => value === channels);
}

const answerOf = (source, event) =>
  new Promise((resolve, reject) => source.once(event, resolve).once('error', reject));

/** (func (export "f") unreachable) */
const TRAP = Uint8Array.of(
  ...[
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 5, 1, 3, 0,
    0, 0x0b,
  ],
);

async function main() {
  // Threads that exist before anybody asks for tiles.
  const early = [new Worker(__filename), new Worker(__filename)];
  const ready = early.map((worker) => answerOf(worker, 'message'));
  await Promise.all(ready);
  const report = { main: isRight() };
  early.push(new Worker(__filename));
  await answerOf(early[2], 'message');
  report.workers = await Promise.all(
    early.map((worker) => {
      const answer = answerOf(worker, 'message');
      worker.postMessage('go');
      return answer;
    }),
  );
  await Promise.all(early.map((worker) => worker.terminate()));
  report.child = await answerOf(fork(__filename, ['child']), 'message');
  try {
    new WebAssembly.Instance(new WebAssembly.Module(TRAP)).exports.f();
  } catch (error) {
    report.trapped = error instanceof WebAssembly.RuntimeError;
  }
  report.again = isRight();
  console.log(JSON.stringify(report));
}

if (!isMainThread) {
  parentPort.on('message', () => parentPort.postMessage(isRight()));
  parentPort.postMessage('ready');
} else if (process.argv[2] === 'child') process.send(isRight());
else main();
