// What one core can multiply, in GFLOP/s: the best that a large matrix product reached here.
import { createRequire } from 'node:module';

const { matmul, setNumThreads, tensor } = createRequire(import.meta.url)('../dist/index.js');

export function measurePeak() {
  const n = 768;
  const a = tensor(new Float32Array(n * n).fill(0.5), [n, n]);
  setNumThreads(1);
  let best = Infinity;
  for (let i = 0; i < 12; i++) {
    const start = performance.now();
    matmul(a, a);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * n ** 3) / best / 1e6;
}
