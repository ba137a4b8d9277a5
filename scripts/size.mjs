// The sizes of what is published, and their budgets: npm run size.
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { targets } from './prebuild/targets.mjs';

// Three instruction sets in two precisions, each with tiles unrolled into registers. Half a megabyte is the wish.
const BINARY_BUDGET = 1_750_000;
const TARBALL_BUDGET = 4_000_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
let over = 0;

function line(name, size, budget) {
  const fits = size <= budget;
  if (!fits) over += 1;
  const text = `${(size / 1000).toFixed(0).padStart(6)} KB of ${(budget / 1000).toFixed(0).padStart(4)}`;
  console.log(`${name.padEnd(20)} ${text}${fits ? '' : '   OVER'}`);
}

const built = targets.filter(({ file }) => existsSync(join(root, 'prebuilds', file)));
for (const { name, file } of built) line(name, statSync(join(root, 'prebuilds', file)).size, BINARY_BUDGET);
const absent = targets.filter((target) => !built.includes(target)).map(({ name }) => name);
if (absent.length > 0) console.log(`not built: ${absent.join(', ')} (npm run prebuild)`);

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
