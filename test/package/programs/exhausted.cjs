// Convolutions in a process that may not have the memory they need; prints what each attempt came to.
const { execFileSync } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { conv1d, conv2d, conv2dAsync, prepareConv, Tensor } = require(join(__dirname, '../../../dist'));

const MiB = 2 ** 20;
const x = new Tensor(new Float32Array(4096).fill(1), [1, 4096, 1, 1]);
const w = new Tensor(new Float32Array(16 * MiB).fill(1), [4096, 4096, 1, 1]); // 64 MiB
const small = () => conv1d([[1, 2, 3]], [[[1, 10]]]).data.join();

async function attempt(call) {
  try {
    await call();
    return 'done';
  } catch ({ name, code }) {
    return `${name} ${code}`;
  }
}

async function main() {
  small(); // whatever the first call needs for good
  await conv2dAsync([[[[1]]]], [[[[1]]]]);
  const kilobytes = Number(/^VmSize:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  execFileSync('prlimit', ['--pid', String(process.pid), `--as=${1024 * kilobytes + 48 * MiB}:`]);
  const outcomes = {
    once: await attempt(() => conv2d(x, w)),
    prepared: await attempt(() => prepareConv(w, { inputShape: x.shape })),
    async: await attempt(() => conv2dAsync(x, w)),
    after: small(),
  };
  execFileSync('prlimit', ['--pid', String(process.pid), '--as=unlimited:']);
  outcomes.again = await attempt(() => conv2dAsync(x, w));
  console.log(JSON.stringify(outcomes));
}
main();
