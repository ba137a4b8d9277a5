// Tries the packed package where services run it: installed by each package manager, bundled, traced, in threads and
// processes, without the right to write, and under each TypeScript.
//
//   npm run test:hosts [-- WORD…]      only the checks whose name contains one of the words
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { managerNames, tryManager } from './managers.mjs';
import { install, pack, root, run } from './packed.mjs';
import { installTools } from './tools.mjs';

const tools = join(root, 'scripts/hosts');
installTools(tools);
const require = createRequire(join(tools, 'package.json'));

const scratch = mkdtempSync(join(tmpdir(), 'convmat-hosts-'));
const tarball = pack(scratch);
const app = install(tarball, join(scratch, 'app'));
for (const name of readdirSync(join(root, 'test/hosts')))
  cpSync(join(root, 'test/hosts', name), join(app, name));
const entry = join(app, 'service.mjs');

/** Runs a service from where nothing else can help it, and checks its answer. */
function expectServes(file, options = {}) {
  const { smoothed, twice, backend, isa } = JSON.parse(
    run(process.execPath, [file], { cwd: dirname(file), ...options }),
  );
  if (JSON.stringify(smoothed) !== '[[4,8,12,11]]') throw new Error(`answered ${JSON.stringify(smoothed)}`);
  if (JSON.stringify(twice) !== '[[1,3,5,7,4]]') throw new Error(`answered ${JSON.stringify(twice)}`);
  if (backend !== 'native') throw new Error(`runs on ${backend}`);
  return `answers, on ${isa}`;
}

/** An empty folder without a node_modules above it. */
function folder(name) {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

const SIDE_BY_SIDE = 'the binaries beside the bundle';

async function esbuild() {
  const outdir = folder('esbuild');
  await require('esbuild').build({
    entryPoints: [entry],
    outdir,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    loader: { '.node': 'copy' },
    logLevel: 'error',
  });
  return `${expectServes(join(outdir, 'service.cjs'))}; ${SIDE_BY_SIDE}`;
}

async function runWebpack(options) {
  const compiler = require('webpack')({ ...options, stats: 'errors-only' });
  const stats = await new Promise((done, failed) => {
    compiler.run((error, result) => (error ? failed(error) : done(result)));
  });
  if (stats.hasErrors()) throw new Error(stats.toString('errors-only'));
}

async function webpack() {
  const path = folder('webpack');
  await runWebpack({
    mode: 'production',
    target: 'node',
    context: app,
    entry,
    output: { path, filename: 'service.cjs' },
    module: {
      rules: [
        { test: /\.node$/, loader: require.resolve('node-loader'), options: { name: '[contenthash].[ext]' } },
      ],
    },
  });
  return `${expectServes(join(path, 'service.cjs'))}; ${SIDE_BY_SIDE}`;
}

/** As docs/install.md has it: the commonjs plugin is told to leave these requires alone, and so their paths. */
function addons(dir) {
  return {
    name: 'addons',
    renderChunk: (code) => code.replaceAll('../../../prebuilds/', './prebuilds/'),
    writeBundle: () =>
      cpSync(join(app, 'node_modules/convmat/prebuilds'), join(dir, 'prebuilds'), { recursive: true }),
  };
}

async function rollup() {
  const dir = folder('rollup');
  const plugin = (name) => require(`@rollup/plugin-${name}`).default;
  const bundle = await require('rollup').rollup({
    input: entry,
    plugins: [
      plugin('node-resolve')(),
      plugin('commonjs')({ ignore: (id) => id.endsWith('.node') }),
      plugin('json')(),
      addons(dir),
    ],
    onwarn: () => {},
  });
  await bundle.write({ file: join(dir, 'service.cjs'), format: 'cjs' });
  return `${expectServes(join(dir, 'service.cjs'))}; ${SIDE_BY_SIDE}`;
}

async function external() {
  const outdir = folder('external');
  await require('esbuild').build({
    entryPoints: [entry],
    outfile: join(outdir, 'service.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['convmat'],
    logLevel: 'error',
  });
  cpSync(join(app, 'node_modules'), join(outdir, 'node_modules'), { recursive: true });
  return expectServes(join(outdir, 'service.mjs'));
}

/** What esbuild, webpack, Rollup, Rolldown and Vite make of test/hosts/page.mjs for browsers, with no word about convmat in their options. */
const PAGES = {
  async esbuild(outfile) {
    const options = {
      entryPoints: [join(app, 'page.mjs')],
      outfile,
      bundle: true,
      minify: true,
      logLevel: 'error',
    };
    await require('esbuild').build({ ...options, platform: 'browser', format: 'esm' });
  },
  async webpack(file) {
    const output = { path: dirname(file), filename: basename(file) };
    await runWebpack({
      mode: 'production',
      target: 'web',
      context: app,
      entry: join(app, 'page.mjs'),
      output,
    });
  },
  async rollup(file) {
    const resolve = require('@rollup/plugin-node-resolve').default({ browser: true });
    const bundle = await require('rollup').rollup({ input: join(app, 'page.mjs'), plugins: [resolve] });
    await bundle.write({ file, format: 'es' });
  },
  async rolldown(file) {
    const { rolldown } = createRequire(join(root, 'package.json'))('rolldown');
    const bundle = await rolldown({ input: join(app, 'page.mjs'), platform: 'browser' });
    await bundle.write({ file, format: 'es', minify: true });
  },
  async vite(file) {
    const { build } = await import(pathToFileURL(require.resolve('vite')).href);
    const lib = { entry: join(app, 'page.mjs'), formats: ['es'], fileName: () => basename(file) };
    await build({ root: app, configFile: false, logLevel: 'error', build: { lib, outDir: dirname(file) } });
  },
};

/** Bundles the page and opens it in a browser: Debian's Chromium, or the one that CHROMIUM names. */
function browser(bundler) {
  return async () => {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    if (!existsSync(executablePath))
      return 'skipped: no Chromium (apt-get install chromium, or set CHROMIUM)';
    const file = join(folder(`${bundler}-page`), 'page.js');
    await PAGES[bundler](file);
    const chromium = await require('playwright-core').chromium.launch({
      executablePath,
      args: ['--no-sandbox'],
    });
    try {
      const page = await chromium.newPage();
      const errors = [];
      page.on('pageerror', (error) => errors.push(error.message));
      // An ordinary page: not isolated from other origins, so that there is no SharedArrayBuffer.
      await page.route('http://page.test/**', (route) =>
        route.request().url().endsWith('.js')
          ? route.fulfill({ path: file, contentType: 'text/javascript' })
          : route.fulfill({
              body: '<script type="module" src="page.js"></script>',
              contentType: 'text/html',
            }),
      );
      await page.goto('http://page.test/');
      const answers = await page.evaluate(() => globalThis.answers);
      if (errors.length > 0) throw new Error(errors.join('; '));
      const { first, residual, ...rest } = answers;
      const expected = {
        backend: 'wasm',
        asynchronous: true,
        prepared: true,
        convolved: [1, 3, 5, 3],
        learned: true,
        refusal: 'ShapeError',
        files: 'UnsupportedError',
      };
      for (const [name, value] of Object.entries(expected)) {
        if (JSON.stringify(rest[name]) !== JSON.stringify(value))
          throw new Error(`${name}: expected ${JSON.stringify(value)}, got ${JSON.stringify(rest[name])}`);
      }
      if (!(residual < 1e-6) || !Number.isFinite(first)) throw new Error(JSON.stringify(answers));
      if (rest.picture.some((side) => !(side > 16))) throw new Error(`picture ${rest.picture}`);
      return `answers in Chromium ${chromium.version()}, ${Math.round(statSync(file).size / 1000)} kB`;
    } finally {
      await chromium.close();
    }
  };
}

/** Next.js and serverless packagers copy what @vercel/nft finds, and nothing else. */
async function trace() {
  const { fileList, warnings } = await require('@vercel/nft').nodeFileTrace([entry], { base: app });
  const traced = folder('traced');
  for (const file of fileList) cpSync(join(app, file), join(traced, file), { recursive: true });
  const binaries = [...fileList].filter((file) => file.endsWith('.node'));
  if (binaries.length === 0) throw new Error(`no binary was found: ${[...warnings].join('; ')}`);
  return `${expectServes(join(traced, 'service.mjs'))}; ${fileList.size} files, ${binaries.length} of them binaries`;
}

/** As on AWS Lambda: another user's files, no home, nothing to write to. */
function readOnly() {
  const place = folder('read-only');
  cpSync(app, place, { recursive: true });
  for (const name of ['.', ...readdirSync(place, { recursive: true })]) {
    chmodSync(join(place, String(name)), 0o555);
  }
  chmodSync(scratch, 0o755);
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  return expectServes(join(place, 'service.mjs'), {
    ...nobody,
    env: { HOME: '/nonexistent', PATH: process.env.PATH },
  });
}

function processes() {
  const found = JSON.parse(run(process.execPath, ['processes.cjs'], { cwd: app }));
  const backends = Object.values(found).flat();
  if (backends.length !== 7 || backends.some((backend) => backend !== 'native')) {
    throw new Error(JSON.stringify(found));
  }
  return 'native in 3 worker threads, a forked process and 2 of a cluster';
}

function typescript(version) {
  return () => {
    const tsc = join(tools, `node_modules/typescript-${version}/bin/tsc`);
    const resolutions = [
      ['--module', 'node16', '--moduleResolution', 'node16'],
      ['--module', 'esnext', '--moduleResolution', 'bundler'],
    ];
    for (const flags of resolutions) {
      const common = ['--noEmit', '--strict', '--target', 'es2022'];
      run(process.execPath, [tsc, ...common, ...flags, 'types.mts'], { cwd: app });
    }
    return 'types hold, as node16 and bundler resolve them';
  };
}

const checks = {
  ...Object.fromEntries(
    managerNames.map((name) => [
      name,
      () => tryManager(name, tarball, join(scratch, name.replaceAll(/\W+/g, '-'))),
    ]),
  ),
  'esbuild, bundled': esbuild,
  'webpack, bundled': webpack,
  'rollup, bundled': rollup,
  'bundled without convmat': external,
  ...Object.fromEntries(Object.keys(PAGES).map((name) => [`${name}, for browsers`, browser(name)])),
  'file tracing (@vercel/nft)': trace,
  'read-only, as nobody': readOnly,
  'threads and processes': processes,
  'TypeScript 5.0': typescript('5.0'),
  'TypeScript 5.9': typescript('5.9'),
  'TypeScript 6': typescript('6'),
  'TypeScript 7': typescript('7'),
};

const words = process.argv.slice(2);
const chosen = Object.entries(checks).filter(
  ([name]) => words.length === 0 || words.some((word) => name.includes(word)),
);
let failed = 0;
try {
  for (const [name, check] of chosen) {
    try {
      console.log(`${name.padEnd(28)} ok      ${await check()}`);
    } catch (error) {
      failed += 1;
      console.log(`${name.padEnd(28)} FAILED  ${error.stack}`);
    }
  }
} finally {
  chmodSync(scratch, 0o755);
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`\n${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 && chosen.length > 0 ? 0 : 1);
