/** Convolves in this thread, in worker threads, in a forked process and in a cluster; prints the backend of each. */
const cluster = require('node:cluster');
const { fork } = require('node:child_process');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');
const { backendInfo, conv1d, conv1dAsync } = require('convmat');

async function convolve() {
  const direct = conv1d([[1, 2, 3]], [[[1, 10]]]);
  const later = await conv1dAsync([[1, 2, 3]], [[[1, 10]]]);
  if (direct.data.join() !== '21,32' || later.data.join() !== '21,32') throw new Error('wrong result');
  return backendInfo().backend;
}

/** The one message of a worker or process, once it has also ended well. */
function outcome(emitter) {
  return new Promise((resolve, reject) => {
    let message;
    emitter.on('message', (value) => {
      message = value;
    });
    emitter.on('error', reject);
    emitter.on('exit', (code) => (code === 0 ? resolve(message) : reject(new Error(`ended with ${code}`))));
  });
}

async function main() {
  const backends = { here: await convolve() };
  const threads = Array.from({ length: 3 }, () => outcome(new Worker(__filename)));
  backends.threads = await Promise.all(threads);
  backends.fork = await outcome(fork(__filename, ['child']));
  const members = [0, 1].map(() => outcome(cluster.fork().process));
  backends.cluster = await Promise.all(members);
  console.log(JSON.stringify(backends));
}

if (!isMainThread) convolve().then((backend) => parentPort.postMessage(backend));
else if (cluster.isWorker || process.argv[2] === 'child') {
  convolve().then((backend) => process.send(backend, () => process.exit()));
} else main();
