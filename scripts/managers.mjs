/**
 * Package managers as users run them: convmat from a tarball, with scripts allowed, then again from the lock file, as a
 * deployment does. Whatever tries to compile is an error, and so is a backend that is not native.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root, run } from './packed.mjs';
import { installTools } from './tools.mjs';

/** The programs that users have. */
export const users = join(root, 'scripts/users');
const node = process.execPath;
const program = (path) => [node, join(users, 'node_modules', path)];

/**
 * `install` makes the lock file, `ci` installs what is in it and nothing else; `env` keeps its cache to the test's folder.
 * `pnp`: there is no node_modules.
 */
const npm = (major) => ({
  command: program(`npm-${major}/bin/npm-cli.js`),
  install: ['install', '--no-audit', '--no-fund'],
  ci: ['ci', '--no-audit', '--no-fund'],
  lock: 'package-lock.json',
});
const pnpm = (major) => ({
  command: program(`pnpm-${major}/bin/pnpm.cjs`),
  install: ['install'],
  ci: ['install', '--frozen-lockfile'],
  lock: 'pnpm-lock.yaml',
  // Version 10 runs no scripts but of packages that are named.
  manifest: { pnpm: { onlyBuiltDependencies: ['convmat'] } },
  env: (cache) => ({ npm_config_store_dir: join(cache, 'store') }),
});
const berry = (linker) => ({
  command: program('@yarnpkg/cli-dist/bin/yarn.js'),
  install: ['install', '--no-immutable'],
  ci: ['install', '--immutable'],
  lock: 'yarn.lock',
  files: { '.yarnrc.yml': `nodeLinker: ${linker}\nenableScripts: true\nenableTelemetry: false\n` },
  env: (cache) => ({
    YARN_GLOBAL_FOLDER: cache,
    YARN_NPM_REGISTRY_SERVER: run('npm', ['config', 'get', 'registry']).trim(),
  }),
  ...(linker === 'pnp' && { pnp: true }),
});

const MANAGERS = {
  'npm 10': npm(10),
  'npm 11': npm(11),
  'pnpm 9': pnpm(9),
  'pnpm 10': pnpm(10),
  'yarn 1': {
    command: program('yarn-1/bin/yarn.js'),
    install: ['install', '--non-interactive'],
    ci: ['install', '--non-interactive', '--frozen-lockfile'],
    lock: 'yarn.lock',
    env: (cache) => ({ YARN_CACHE_FOLDER: cache }),
  },
  'yarn 4': berry('node-modules'),
  "yarn 4, Plug'n'Play": berry('pnp'),
  bun: {
    command: [join(users, 'node_modules/@oven/bun-linux-x64/bin/bun')],
    install: ['install'],
    ci: ['install', '--frozen-lockfile'],
    lock: 'bun.lock',
    manifest: { trustedDependencies: ['convmat'] },
    env: (cache) => ({ BUN_INSTALL_CACHE_DIR: cache }),
    missing: process.platform !== 'linux' || process.arch !== 'x64' ? 'its program is that of Linux x64' : '',
  },
};

const COMPILERS = ['cc', 'c++', 'gcc', 'g++', 'clang', 'clang++', 'make', 'cmake', 'node-gyp', 'cmake-js'];

/** A folder of compilers that note that they were called, and fail. */
function trap(folder) {
  const calls = join(folder, 'compiled');
  mkdirSync(folder, { recursive: true });
  for (const name of COMPILERS) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> '${calls}'\nexit 1\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return {
    env: {
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      // npm and pnpm bring a node-gyp of their own, and take this one instead.
      npm_config_node_gyp: join(folder, 'node-gyp'),
    },
    expectUnused() {
      if (existsSync(calls)) throw new Error('something was compiled');
    },
  };
}

const USE = `
const convmat = require('convmat');
const { backend, isa, fallbackReason } = convmat.backendInfo();
if (backend !== 'native') throw new Error('runs on ' + backend + ': ' + fallbackReason);
const y = convmat.conv2d([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]], [[[[1, 0], [0, 1]]]]);
if (JSON.stringify(y.toNested()) !== '[[[[6,8],[12,14]]]]') throw new Error('wrong result');
import('convmat').then((imported) => {
  if (imported.Tensor !== convmat.Tensor) throw new Error('two copies');
  console.log(isa);
});
`;

export const managerNames = Object.keys(MANAGERS);

/**
 * Goes through what a user of the manager does.
 *
 * @param folder  To be made; @returns what came of it. Throws when something fails.
 */
export function tryManager(name, tarball, folder) {
  installTools(users);
  const manager = MANAGERS[name];
  if (manager.missing) return `skipped: ${manager.missing}`;
  const { command, install, ci, lock, manifest = {}, files = {}, env = () => ({}), pnp = false } = manager;
  const app = join(folder, 'app');
  mkdirSync(app, { recursive: true });
  const dependencies = { convmat: `file:${tarball}` };
  const written = { name: 'app', version: '1.0.0', private: true, dependencies, ...manifest };
  writeFileSync(join(app, 'package.json'), JSON.stringify(written));
  writeFileSync(join(app, 'use.cjs'), USE);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(app, name), content);

  const compilers = trap(join(folder, 'compilers'));
  const options = {
    cwd: app,
    env: {
      ...process.env,
      npm_config_ignore_scripts: 'false',
      ...compilers.env,
      ...env(join(folder, 'cache')),
    },
  };
  const [executable, ...prefix] = command;
  const steps = [
    ['installed', install],
    ['installed again', install],
    ['from the lock file', ci],
  ];
  let isa = '';
  for (const [step, args] of steps) {
    if (args === ci) {
      if (!existsSync(join(app, lock))) throw new Error(`there is no ${lock}`);
      for (const name of ['node_modules', '.pnp.cjs', '.yarn'])
        rmSync(join(app, name), { recursive: true, force: true });
    }
    try {
      const printed = run(executable, [...prefix, ...args], options);
      compilers.expectUnused();
      const complaint = printed.match(/.*(node-gyp|gyp ERR|ignored build scripts|binding\.gyp).*/i);
      if (complaint !== null) throw new Error(complaint[0]);
      // Without node_modules, the manager starts Node.js with a resolver of its own.
      const used = pnp ? [executable, [...prefix, 'node', 'use.cjs']] : [node, ['use.cjs']];
      isa = run(...used, options).trim();
    } catch (error) {
      throw new Error(`${step}: ${error.message}`);
    }
  }
  const installed = join(app, 'node_modules/convmat');
  if (!pnp && readdirSync(installed).includes('build')) throw new Error('a build folder appeared');
  return `installed, again, and from the lock file: native on ${isa}`;
}
