// What one core can multiply, in GFLOP/s: the best that matrix products of several sizes reached here.
import { createRequire } from 'node:module';

const { matmul, setNumThreads, tensor } = createRequire(import.meta.url)('../dist/index.js');

const SIZES = [192, 256, 384, 512, 768];
const RUNS = 20;

export function measurePeak() {
  setNumThreads(1);
  const reached = SIZES.map((n) => {
    const a = tensor(new Float32Array(n * n).fill(0.5), [n, n]);
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < RUNS; i++) {
      const start = performance.now();
      matmul(a, a);
      best = Math.min(best, performance.now() - start);
    }
    return (2 * n ** 3) / best / 1e6;
  });
  return Math.max(...reached);
}
