// Packs the package as a release would, and does with the tarball what users do: installs it by npm (`npm run test:hosts`:
// by the other package managers too), and uses it by require, by import and from TypeScript, with its binary and without.
// The binary is the one in prebuilds/ where there is one (npm run prebuild), else the one that was built here.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { managerNames, tryManager, users } from './managers.mjs';
import { install, pack, root, run } from './packed.mjs';
import { installTools } from './tools.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'convmat-package-'));

function expect(condition, message) {
  if (!condition) throw new Error(message);
  console.log(`ok  ${message}`);
}

const TYPES = `
import * as convmat from 'convmat';
const y: convmat.Tensor = convmat.conv2d([[[[1, 2], [3, 4]]]], [[[[1]]]], { padding: 'same', activation: { clip: [0, 6] } });
const info: convmat.BackendInfo = convmat.backendInfo();
const isa: convmat.Isa = info.isa;
// @ts-expect-error an option that does not exist
convmat.conv2d(y, y, { strid: 2 });
export { isa };
`;

/** With the declarations of the language, and no others: not Node's, not a browser's. Those of the package are checked too. */
const STRICT = {
  strict: true,
  noEmit: true,
  module: 'nodenext',
  target: 'es2022',
  lib: ['es2022'],
  types: [],
};

/** Type-checks a program of each kind by the newest TypeScript, and by the oldest that is promised. */
function checkDeclarations(app, { exports }) {
  installTools(users);
  const compilers = {
    7: join(root, 'node_modules/typescript/bin/tsc'),
    '5.0': join(users, 'node_modules/typescript-5.0/bin/tsc'),
  };
  const files = ['types.cts', 'types.mts'];
  const subpaths = Object.keys(exports).filter((path) => path.startsWith('./') && !path.endsWith('.json'));
  const imports = subpaths.map((path, i) => `export * as part${i} from 'convmat/${path.slice(2)}';\n`);
  for (const name of files) writeFileSync(join(app, name), imports.join('') + TYPES);
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions: STRICT, files }));
  for (const [version, tsc] of Object.entries(compilers)) {
    run(process.execPath, [tsc, '-p', '.'], { cwd: app });
    expect(true, `declarations stand alone in TypeScript ${version}, by require and import`);
  }
}

/**
 * What README links to and neither the repository nor the web has; and pages that declarations name as if the package had
 * them, which it has not.
 */
function danglingReferences(installed, { repository }) {
  const home = repository.url.replace(/^git\+|\.git$/g, '');
  const readme = readFileSync(join(installed, 'README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\((?!#)([^)\s]+)\)/g)].map(([, link]) => link);
  const dangling = links.filter((link) => {
    if (!link.startsWith(`${home}/`)) return !link.startsWith('https://');
    const [, path] = link.split(/\/(?:blob|tree)\/main\//);
    return path === undefined || !existsSync(join(root, path));
  });
  const types = join(installed, 'dist/types');
  for (const name of readdirSync(types, { recursive: true }).filter((path) => /\.d\.c?ts$/.test(path))) {
    const text = readFileSync(join(types, name), 'utf8');
    for (const [reference] of text.matchAll(/\S*\bdocs\/\S+\.md/g)) {
      if (!reference.startsWith(home)) dangling.push(`${reference} (${name})`);
    }
  }
  return dangling;
}

try {
  const tarball = pack(scratch);
  run('npx', ['publint', 'run', tarball, '--strict'], { cwd: root });
  expect(true, 'publint finds nothing');
  run('npx', ['attw', tarball], { cwd: root });
  expect(true, 'are-the-types-wrong finds nothing');

  const app = install(tarball, join(scratch, 'app'));
  const installed = join(app, 'node_modules/convmat');
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare'];
  expect(!hooks.some((name) => name in (manifest.scripts ?? {})), 'nothing runs on install');
  expect(!existsSync(join(installed, 'binding.gyp')), 'no binding.gyp, which would be an install script');
  checkDeclarations(app, manifest);
  const dangling = danglingReferences(installed, manifest);
  if (dangling.length > 0) throw new Error(`README or hover texts name ${dangling.join(', ')}`);
  expect(true, 'README and hover texts name what is there');

  const program = "console.log(JSON.stringify(require('convmat').backendInfo()))";
  for (const [gone, next] of [
    ['prebuilds', 'wasm'],
    ['dist/wasm', 'js'],
  ]) {
    rmSync(join(installed, gone), { recursive: true });
    const { backend, fallbackReason } = JSON.parse(run(process.execPath, ['-e', program], { cwd: app }));
    expect(backend === next && fallbackReason, `without ${gone} it runs on ${next}: ${fallbackReason}`);
  }

  for (const name of managerNames.filter((name) => name.startsWith('npm')))
    expect(true, `${name}: ${tryManager(name, tarball, join(scratch, name))}`);
} finally {
  rmSync(scratch, { recursive: true });
}
