// Builds what is missing or older than its sources: the TypeScript, the addon and WebAssembly. A machine without a C++
// compiler goes on with the others.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuilt, isThere } from './built.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function run(script) {
  console.log(`npm run ${script} …`);
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', script], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0) console.error(`${stdout}${stderr}`.split('\n').slice(-20).join('\n'));
  return status === 0;
}

if (!isBuilt('typescript') && !run('build:ts')) process.exit(1);
if (!isBuilt('native') && !run('build:native')) {
  if (isThere('native')) {
    console.error('The addon is not what its sources say, and could not be built (see above).');
    process.exit(1);
  }
  console.error('The addon could not be built (see above): going on without it.\n');
}
if (!isBuilt('wasm') && !run('build:wasm')) {
  console.error('WebAssembly could not be built (see above): going on without it.\n');
}
