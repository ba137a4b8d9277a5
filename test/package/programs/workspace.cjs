// The most scratch memory that a thread has held, after each of some convolutions: of growing images (16 times as many
// pixels each), then of many channels.
const { join } = require('node:path');
const dist = join(__dirname, '../../../dist');
const { conv2d, convInputGrad, convWeightGrad, Tensor } = require(dist);
const { addon } = require(join(dist, 'backend/native/loader.js')).loadAddon();

const peaks = [];
for (const size of [64, 256, 1024]) {
  const x = new Tensor(new Float32Array(16 * size * size), [1, 16, size, size]);
  const w = new Tensor(new Float32Array(32 * 16 * 9), [32, 16, 3, 3]);
  const y = conv2d(x, w, { padding: 1 });
  convInputGrad(x.shape, w, y, { padding: 1 });
  convWeightGrad(x, w.shape, y, { padding: 1 });
  peaks.push(addon.workspacePeakBytes());
}
// Many channels: long sums and wide panels.
const x = new Tensor(new Float32Array(2048 * 14 * 14), [1, 2048, 14, 14]);
const w = new Tensor(new Float32Array(512 * 2048 * 9), [512, 2048, 3, 3]);
conv2d(x, w, { padding: 1 });
peaks.push(addon.workspacePeakBytes());
console.log(JSON.stringify(peaks));
