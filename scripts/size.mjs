// The sizes of what is published, and their budgets: npm run size.
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { targets } from './prebuild/targets.mjs';

// 3 % above what was reached (docs/release.md says how). x64 has two or three instruction sets, Arm one; each has tiles
// unrolled into registers, in two precisions. Half a megabyte is the wish.
const BINARY_BUDGETS = {
  'linux-x64': 2_180_000,
  'linux-arm64': 1_320_000,
  'win32-x64': 2_280_000,
  'win32-arm64': 1_260_000,
  'darwin-x64': 1_590_000,
  'darwin-arm64': 1_370_000,
};
// By brotli.
const WASM_BUDGET = 260_000;
const TARBALL_BUDGET = 4_600_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
let over = 0;

function line(name, size, budget) {
  const fits = size <= budget;
  if (!fits) over += 1;
  const text = `${(size / 1000).toFixed(0).padStart(6)} KB of ${(budget / 1000).toFixed(0).padStart(4)}`;
  console.log(`${name.padEnd(20)} ${text}${fits ? '' : '   OVER'}`);
}

const built = targets.filter(({ file }) => existsSync(join(root, 'prebuilds', file)));
for (const { name, file } of built)
  line(name, statSync(join(root, 'prebuilds', file)).size, BINARY_BUDGETS[name]);
const absent = targets.filter((target) => !built.includes(target)).map(({ name }) => name);
if (absent.length > 0) console.log(`not built: ${absent.join(', ')} (npm run prebuild)`);

const binaries = join(root, 'dist/backend/native/binaries.cjs');
const wasm = existsSync(binaries) ? createRequire(import.meta.url)(binaries).readWasm() : null;
if (wasm !== null) line('WebAssembly, brotli', brotliCompressSync(wasm).length, WASM_BUDGET);
else console.log('not built: WebAssembly (npm run build:wasm)');

const [{ size, unpackedSize, entryCount }] = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: process.platform === 'win32',
    maxBuffer: 1 << 26,
  }),
);
line('tarball', size, TARBALL_BUDGET);
console.log(`${entryCount} files, ${(unpackedSize / 1000).toFixed(0)} KB unpacked`);
process.exit(over === 0 ? 0 : 1);
