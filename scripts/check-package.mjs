// Packs the package as a release would, and checks the tarball: publint and are-the-types-wrong, then installs it in an
// empty folder and uses it by require, by import and from TypeScript, with its binary and without. The binary is the
// one in prebuilds/ where there is one (npm run prebuild), else the one that was built here.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { familySync } from 'detect-libc';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-package-'));

function run(command, args, cwd = scratch) {
  const options = {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  };
  try {
    return execFileSync(command, args, options);
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}${error.stderr}`);
  }
}

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

/** What is published, beside the repository, so that no binary of this machine's gets among those of a release. */
function stage() {
  const staged = join(scratch, 'staged');
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of [...files, 'package.json', 'README.md', 'LICENSE']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(staged, name), { recursive: true });
  }
  const { platform, arch } = process;
  const libc = platform === 'linux' ? `.${familySync()}` : '';
  const binary = join(staged, `prebuilds/${platform}-${arch}/convmat${libc}.node`);
  if (!existsSync(binary)) {
    const local = join(root, 'build/Release/convmat.node');
    if (!existsSync(local)) run('npm', ['run', 'build:native'], root);
    mkdirSync(dirname(binary), { recursive: true });
    copyFileSync(local, binary);
  }
  return staged;
}

try {
  run('npm', ['run', 'build:ts'], root);
  const staged = stage();
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch], staged);
  const tarball = join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz')),
  );
  run('npx', ['publint', 'run', tarball, '--strict'], root);
  expect(true, 'publint finds nothing');
  run('npx', ['attw', tarball], root);
  expect(true, 'are-the-types-wrong finds nothing');

  const app = join(scratch, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "private": true }');
  run('npm', ['install', '--silent', '--ignore-scripts', '--no-audit', '--no-fund', tarball], app);
  writeFileSync(join(app, 'use.cjs'), `const convmat = require('convmat');${USE}`);
  writeFileSync(join(app, 'use.mjs'), `import * as convmat from 'convmat';${USE}`);
  const installed = join(app, 'node_modules/convmat');
  const { scripts = {} } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => name in scripts);
  expect(hooks.length === 0, 'nothing runs on install');

  for (const file of ['use.cjs', 'use.mjs']) {
    const info = JSON.parse(run(process.execPath, [file], app));
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
    run(join(root, 'node_modules/.bin/tsc'), [...flags, `types.${extension}`], app);
    expect(true, `types hold by ${kind}`);
  }
  rmSync(join(installed, 'prebuilds'), { recursive: true });
  const info = JSON.parse(run(process.execPath, ['use.cjs'], app));
  expect(
    info.backend === 'js' && info.fallbackReason,
    `without its binary it runs on js: ${info.fallbackReason}`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}
