// How long the event loop stands still for large convolutions that run on other threads: the most processor time that its
// thread takes between two turns, in ms, the least of some rounds. Processor time, since on a busy machine a thread may wait
// for as long as it likes to be given a processor. Prints {call: ms}.
const { openSync, readSync } = require('node:fs');
const { join } = require('node:path');
const { conv2dAsync, prepareConv, Tensor } = require(join(__dirname, '../../../dist'));

const ROUNDS = 8;
const ENOUGH_MS = 2.5;

const schedule = openSync(`/proc/self/task/${process.pid}/schedstat`);
const nobody = new Int32Array(new SharedArrayBuffer(4));
const bytes = Buffer.alloc(64);
/** Processor time of this thread so far, in ms: the kernel brings it up to date when the thread sleeps. */
function processorMs() {
  Atomics.wait(nobody, 0, 0, 0.02);
  return Number.parseInt(bytes.latin1Slice(0, readSync(schedule, bytes, 0, 64, 0)), 10) / 1e6;
}

const tensor = (shape) => {
  const data = new Float32Array(shape.reduce((a, b) => a * b));
  for (let i = 0; i < data.length; i++) data[i] = (i % 251) / 251 - 0.5;
  return new Tensor(data, shape);
};

async function longestTurn(call) {
  let running = true;
  let longest = 0;
  let last = processorMs();
  const tick = () => {
    const now = processorMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(tick);
  };
  const result = call();
  tick();
  await result;
  running = false;
  return longest;
}

async function main() {
  const w = tensor([16, 16, 3, 3]);
  const x = tensor([1, 16, 512, 1024]); // 32 MiB
  const options = { padding: 1 };
  const conv = prepareConv(w, { ...options, inputShape: x.shape });
  const out = conv.run(x);
  const calls = {
    runAsync: () => conv.runAsync(x),
    'runAsync into out': () => conv.runAsync(x, { out }),
    conv2dAsync: () => conv2dAsync(x, w, options),
  };
  const longest = {};
  for (const [name, call] of Object.entries(calls)) {
    longest[name] = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && longest[name] > ENOUGH_MS; round++) {
      longest[name] = Math.min(longest[name], await longestTurn(call));
    }
  }
  console.log(JSON.stringify(longest));
}
main();
