import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// What the page computes is held against the built package, as Node.js runs it.
const dist = join(import.meta.dirname, '../../dist');

export default defineConfig({
  resolve: { alias: { convmat: join(dist, 'index.js') } },
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    fileParallelism: false,
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
