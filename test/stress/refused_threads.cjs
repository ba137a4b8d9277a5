// Synchronous and asynchronous calls where the system grants fewer threads than are asked for; prints how many were right.
const { join } = require('node:path');
const { backendInfo, conv2d, conv2dAsync, prepareConv, setNumThreads, Tensor } = require(
  join(__dirname, '../../dist'),
);

const x = new Tensor(
  Float32Array.from({ length: 16 * 64 * 64 }, (_, i) => (i % 13) - 6),
  [1, 16, 64, 64],
);
const w = new Tensor(
  Float32Array.from({ length: 16 * 16 * 9 }, (_, i) => (i % 7) - 3),
  [16, 16, 3, 3],
);

async function main() {
  setNumThreads(1);
  const expected = conv2d(x, w).data;
  setNumThreads(4);
  const results = [conv2d(x, w)];
  const prepared = prepareConv(w);
  for (let i = 0; i < 20; i++) results.push(conv2dAsync(x, w), prepared.runAsync(x));
  const all = await Promise.all(results);
  setNumThreads(3);
  all.push(conv2d(x, w), await conv2dAsync(x, w));
  const right = all.filter(({ data }) => data.every((value, i) => value === expected[i])).length;
  console.log(JSON.stringify({ right, of: all.length, threads: backendInfo().threads }));
}
main();
