// One backend's part of the demo, in a process of its own: reads the photograph as raw float32, writes each stage's
// result beside it, and prints what ran and how long each stage took.
//   node measure.mjs <folder> <height> <width>
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as convmat from 'convmat';
import { layerWeight, stages } from './pipeline.mjs';

const [folder, height, width] = process.argv.slice(2);
const bytes = readFileSync(join(folder, 'photo.f32'));
const pixels = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const photo = convmat.tensor(pixels, [1, 3, Number(height), Number(width)]);

const REPEATS = 7;
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const results = {};
const times = {};
for (const [name, stage] of Object.entries(stages)) {
  results[name] = stage(photo);
  times[name] = median(
    Array.from({ length: REPEATS }, () => {
      const start = performance.now();
      stage(photo, results[name]);
      return performance.now() - start;
    }),
  );
}

// The same layer the long way: patches as columns, one matrix product, and PyTorch's shape again.
const columns = convmat.unfold(photo.reshape([3, Number(height), Number(width)]), [3, 3], { padding: 1 });
const product = convmat.matmul(layerWeight.reshape([32, 27]), columns);
const layer = results['layer 3→32, 3×3'];
const unfoldDifference = layer.data.reduce(
  (worst, y, i) => Math.max(worst, Math.abs(y - Math.max(product.data[i], 0))),
  0,
);

const { backend, isa, threads } = convmat.backendInfo();
Object.values(results).forEach((result, i) => {
  writeFileSync(join(folder, `${isa}-${i}.f32`), result.data);
});
console.log(
  JSON.stringify({
    backend,
    isa,
    threads,
    times,
    unfoldDifference,
    shapes: Object.values(results).map((r) => r.shape),
  }),
);
