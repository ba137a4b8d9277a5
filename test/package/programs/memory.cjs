// How much memory outside V8's heap prepared convolutions hold, after each step, in weights. Run with --expose-gc.
const { join } = require('node:path');
const dist = join(__dirname, '../../../dist');
const { prepareConv, Tensor } = require(dist);
const { addon } = require(join(dist, 'backend/native/loader.js')).loadAddon();

const weight = new Tensor(new Float32Array(64 * 64 * 9), [64, 64, 3, 3]);
const inputShape = [1, 64, 14, 14];
const x = new Tensor(new Float32Array(64 * 14 * 14), inputShape);
const external = async () => {
  for (let i = 0; i < 3; i++) {
    global.gc();
    await new Promise((resolve) => setImmediate(resolve)); // finalizers run later than the collection
  }
  // What V8 counts: array buffers, and what the addon reports.
  return addon.externalBytes() / weight.data.byteLength - before;
};
const make = (count) =>
  Array.from({ length: count }, () => prepareConv(weight, { inputShape, algorithm: 'im2col' }));
let before = 0;

async function main() {
  make(1)[0].dispose(); // whatever the first one needs for good
  before = await external();
  const steps = {};

  let some = make(10);
  steps.ten = await external();
  for (const conv of some) conv.dispose();
  steps.disposed = await external();
  steps.kept = some.length;

  some = make(10);
  some = null;
  steps.collected = await external();

  const shapes = make(1)[0];
  for (const size of [8, 9, 10, 11])
    shapes.run(new Tensor(new Float32Array(64 * size * size), [1, 64, size, size]));
  steps.fiveShapes = await external();
  shapes.dispose();
  steps.end = await external();

  let busy = make(10);
  const results = busy.map((conv) => conv.runAsync(x));
  for (const conv of busy) conv.dispose();
  busy = null;
  await Promise.all(results);
  results.length = 0;
  steps.async = await external();
  console.log(JSON.stringify(steps));
}
main();
