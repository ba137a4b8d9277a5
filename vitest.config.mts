import { createRequire } from 'node:module';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Tests run against the built package, as its users do: `npm run build` first.
const dist = join(import.meta.dirname, 'dist');

/** The backends of this machine: every instruction set that the addon and WebAssembly have and it can run, and JavaScript. */
function targets(): Record<string, string>[] {
  const { CONVMAT_BACKEND, CONVMAT_ISA } = process.env;
  if (CONVMAT_BACKEND || CONVMAT_ISA)
    return [{ ...(CONVMAT_BACKEND && { CONVMAT_BACKEND }), ...(CONVMAT_ISA && { CONVMAT_ISA }) }];
  const { nativeIsas, wasmIsas } = createRequire(import.meta.url)('./dist/backend/select.js') as {
    nativeIsas(): string[];
    wasmIsas(): string[];
  };
  return [
    ...nativeIsas().map((isa) => ({ CONVMAT_BACKEND: 'native', CONVMAT_ISA: isa })),
    ...wasmIsas().map((isa) => ({ CONVMAT_BACKEND: 'wasm', CONVMAT_ISA: isa })),
    { CONVMAT_BACKEND: 'js' },
  ];
}

/** What AMX adds to another instruction set, the integers, and what chooses between them; the rest is the other's. */
const WITH_TILES = [
  'test/{plan,backends,async,network}/**/*.test.ts',
  'test/ops/{bfloat16,quantized,conv,linear,machine,onnx,onnx-testdata}.test.ts',
];
const EVERYTHING = ['test/{ops,plan,backends,async,network,fuzz}/**/*.test.ts'];

const setupFiles = [join(import.meta.dirname, 'test/support/warnings.ts')];
const shared = {
  resolve: { alias: { convmat: join(dist, 'index.js') } },
};
// Runs of `npm run test:fuzz` end by the number of their cases.
const patience = process.env.CONVMAT_FUZZ_FACTOR === undefined ? 1 : 1000;
const server = { deps: { external: [/\/dist\//] } };

export default defineConfig({
  test: {
    globalSetup: './scripts/bundle.mjs',
    // By itself it leaves one processor idle: half of a machine that has two.
    maxWorkers: '100%',
    projects: [
      // What the library computes: once per backend and instruction set.
      ...targets().map((env) => ({
        ...shared,
        test: {
          name: env.CONVMAT_ISA ?? env.CONVMAT_BACKEND,
          include: env.CONVMAT_ISA === 'amx' ? WITH_TILES : EVERYTHING,
          env,
          server,
          setupFiles,
          testTimeout: 60_000 * patience,
          isolate: false,
        },
      })),
      // What the package is: once.
      {
        ...shared,
        test: {
          name: 'package',
          include: ['test/{oracle,package,docs}/**/*.test.ts'],
          server,
          setupFiles,
          testTimeout: 120_000 * patience,
        },
      },
    ],
  },
});
