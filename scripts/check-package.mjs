// Packs the package as a release would, and checks the tarball: publint and are-the-types-wrong, then installs it in an
// empty folder and uses it by require, by import and from TypeScript, with its binary and without. The binary is the
// one in prebuilds/ where there is one (npm run prebuild), else the one that was built here.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install, pack, root, run } from './packed.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'convmat-package-'));

function expect(condition, message) {
  if (!condition) throw new Error(message);
  console.log(`ok  ${message}`);
}

const USE = `
const info = convmat.backendInfo();
const y = convmat.conv2d([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]], [[[[1, 0], [0, 1]]]]);
if (JSON.stringify(y.toNested()) !== '[[[[6,8],[12,14]]]]') throw new Error('wrong result');
console.log(JSON.stringify(info));
`;

const TYPES = `
import * as convmat from 'convmat';
const y: convmat.Tensor = convmat.conv2d([[[[1, 2], [3, 4]]]], [[[[1]]]], { padding: 'same', activation: { clip: [0, 6] } });
const info: convmat.BackendInfo = convmat.backendInfo();
const isa: 'avx512' | 'avx2' | 'neon' | 'generic' | 'js' = info.isa;
// @ts-expect-error an option that does not exist
convmat.conv2d(y, y, { strid: 2 });
export { isa };
`;

try {
  const tarball = pack(scratch);
  run('npx', ['publint', 'run', tarball, '--strict'], { cwd: root });
  expect(true, 'publint finds nothing');
  run('npx', ['attw', tarball], { cwd: root });
  expect(true, 'are-the-types-wrong finds nothing');

  const app = install(tarball, join(scratch, 'app'));
  writeFileSync(join(app, 'use.cjs'), `const convmat = require('convmat');${USE}`);
  writeFileSync(join(app, 'use.mjs'), `import * as convmat from 'convmat';${USE}`);
  const installed = join(app, 'node_modules/convmat');
  const { scripts = {} } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => name in scripts);
  expect(hooks.length === 0, 'nothing runs on install');

  // The second installation is from a lock file, which keeps no `gypfile: false`: what a root binding.gyp would start
  // starts here, with scripts allowed as they are by default.
  expect(!existsSync(join(installed, 'binding.gyp')), 'no binding.gyp at the root of the package');
  rmSync(join(app, 'node_modules'), { recursive: true });
  run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: app });
  expect(!existsSync(join(installed, 'build')), 'npm ci from a lock file builds nothing');

  for (const file of ['use.cjs', 'use.mjs']) {
    const info = JSON.parse(run(process.execPath, [file], { cwd: app }));
    expect(info.backend === 'native', `${file} runs on ${info.isa}, ${info.threads} thread(s)`);
  }
  for (const [kind, extension] of [
    ['require', 'cts'],
    ['import', 'mts'],
  ]) {
    writeFileSync(join(app, `types.${extension}`), TYPES);
    const flags = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'node16',
      '--target',
      'es2022',
      '--types',
      '',
    ];
    run(join(root, 'node_modules/.bin/tsc'), [...flags, `types.${extension}`], { cwd: app });
    expect(true, `types hold by ${kind}`);
  }
  rmSync(join(installed, 'prebuilds'), { recursive: true });
  const info = JSON.parse(run(process.execPath, ['use.cjs'], { cwd: app }));
  expect(
    info.backend === 'js' && info.fallbackReason,
    `without its binary it runs on js: ${info.fallbackReason}`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}
