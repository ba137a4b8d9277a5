// What one core can multiply, in GFLOP/s: the best that convolutions and matrix products of several sizes reached here.
import { createRequire } from 'node:module';

const { matmul, prepareConv, setNumThreads, tensor } = createRequire(import.meta.url)('../dist/index.js');

const PRODUCTS = [256, 512, 768];
// Channels and map of 3×3 layers; direct sums come closest to what the core can do.
const LAYERS = [
  [64, 56],
  [128, 28],
  [256, 14],
];
const RUNS = 20;

function best(flops, run) {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  }
  return flops / least / 1e6;
}

function filled(shape) {
  return tensor(new Float32Array(shape.reduce((count, size) => count * size, 1)).fill(0.5), shape);
}

export function measurePeak() {
  setNumThreads(1);
  const products = PRODUCTS.map((n) => {
    const a = filled([n, n]);
    return best(2 * n ** 3, () => matmul(a, a));
  });
  const layers = LAYERS.map(([channels, size]) => {
    const input = filled([1, channels, size, size]);
    const output = filled([1, channels, size, size]);
    const layer = prepareConv(filled([channels, channels, 3, 3]), { padding: 1, algorithm: 'direct' });
    const flops = 18 * channels ** 2 * size ** 2;
    return best(flops, () => layer.run(input, output));
  });
  return Math.max(...products, ...layers);
}
