/**
 * clang-tidy, with the checks of .clang-tidy, over all of native/ that is compiled for the baseline: what CMake compiles
 * there, the addon included, but for native/isa.
 *
 *   npm run lint:cpp [-- FILE…]      only files whose paths hold one of these
 */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { need } from './needs.mjs';
import { nodeHeaders } from './node-headers.mjs';

const root = join(import.meta.dirname, '..');
const build = join(root, 'build-lint');
const wanted = process.argv.slice(2);

need('cmake', 'compiler', 'clang-tidy');
// What is compiled how: nothing is built.
const options = ['-DCONVMAT_TESTS=OFF', '-DCONVMAT_BENCHES=OFF', `-DCONVMAT_NODE_INCLUDE=${nodeHeaders()}`];
execFileSync('cmake', ['-S', root, '-B', build, ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
const commands = JSON.parse(readFileSync(join(build, 'compile_commands.json'), 'utf8'));
const files = commands
  .map(({ file }) => relative(root, file))
  .filter((file) => file.startsWith('native/') && !file.startsWith('native/isa/'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));

const run = promisify(execFile);
const rest = files.values();
let failed = 0;

async function worker() {
  for (const file of rest) {
    try {
      await run('clang-tidy', ['-p', build, '--quiet', file], { cwd: root, maxBuffer: 1 << 26 });
    } catch (error) {
      failed += 1;
      console.error(`${error.stdout}${error.stderr}`);
    }
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, worker));
console.log(`clang-tidy: ${files.length} files, ${failed} with findings`);
process.exitCode = failed === 0 && files.length > 0 ? 0 : 1;
