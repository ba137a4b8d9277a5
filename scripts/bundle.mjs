/**
 * Finishes dist/ after the compiler: the modules in it are what bundlers take; Node.js gets them bundled, in dist/node, since
 * opening a file for each module takes several times as long. `import` and `require` share that one bundle, and with it the
 * backend, the caches and the classes.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { deliverNothing } from './wasm/deliver.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { exports: conditions, dependencies, peerDependencies } = require('../package.json');
const dist = join(root, 'dist');
const types = join(dist, 'types');
const target = join(dist, 'node');
const wasm = join(dist, 'wasm');
/** Seen from a bundle in dist/node. */
const BINARIES = '../backend/native/binaries.cjs';

const entries = Object.values(conditions).filter((entry) => typeof entry !== 'string');
const nameOf = (path) => path.match(/([^/]+)\.[cm]js$/)[1];

function files(folder) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  return names.filter((name) => statSync(name).isFile());
}

/** What was compiled from a source that is gone would be published still. */
function removeOrphans() {
  for (const path of files(dist)) {
    const place = relative(path.startsWith(types) ? types : dist, path);
    const source = place.replace(/(\.d)?\.([cm]?)[jt]s$/, '.$2ts');
    const isCompiled = source !== place && ![target, wasm].some((folder) => path.startsWith(folder));
    if (isCompiled && !existsSync(join(root, 'lib', source))) rmSync(path);
  }
}

/** Rooms that many programs do not use: each is loaded when something of it is first looked at. */
const LATER = ['data', 'fixed', 'io', 'nn', 'onnx', 'operators', 'optim', 'signal'];

/** What chunks load where they use it, not when they are loaded themselves: most programs use none of it. */
const PARTS_LATER = {
  index: ['./matrix.cjs'],
  convmat: ['./javascript.cjs', './webassembly.cjs', 'node:worker_threads'],
  networks: ['./io.cjs', 'node:fs/promises'],
  onnx: ['./linearization.cjs'],
};

/** The text of a chunk that loads a module as it begins, changed to load it where it is used. */
function loadsLater(code, chunk, module) {
  const begin = new RegExp(`^(?:const|let) (\\w+) = require\\("${module}"\\);\\n`, 'm').exec(code);
  if (begin === null) throw new Error(`${chunk}: expected it to load ${module}`);
  const [line, name] = begin;
  // In parentheses, without which `new` would take require for its class.
  const use = `(require("${module}"))`;
  const exported = new RegExp(`^exports\\.(\\w+) = ${name}\\.(.+);$`, 'gm');
  const later = code
    .replace(line, '')
    .replaceAll(exported, `Object.defineProperty(exports, "$1", { enumerable: true, get: () => ${use}.$2 });`)
    .replaceAll(new RegExp(`\\b${name}\\.`, 'g'), `${use}.`);
  if (new RegExp(`\\b${name}\\b`).test(later))
    throw new Error(`${chunk}: expected uses of ${module} by its members`);
  return later;
}

/**
 * The text of a chunk that says what it gives before all else: where it chooses the backend as it is loaded, a part that is
 * loaded then finds what has been defined so far.
 */
function givesFirst(code) {
  const getters =
    /^Object\.defineProperty\(exports, ['"]\w+['"], \{\s*enumerable: true,\s*get: function ?\(\) \{\s*return \w+;\s*\}\s*\}\);\n/gm;
  return [...(code.match(getters) ?? []), code.replaceAll(getters, '')].join('');
}

/** The same text in ASCII, which V8 reads faster: what is beyond it stands in strings and regular expressions alone. */
function inAscii(code) {
  return code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Loads such a room when a function of it is first looked at. */
async function roomsWhenUsed() {
  const replacements = [];
  for (const room of LATER) {
    const names = Object.keys(await import(pathToFileURL(join(dist, room, 'index.js')).href));
    const properties = names.map(
      (name) => `${name}: { enumerable: true, get: () => require('./${room}.cjs').${name} }`,
    );
    replacements.push([
      `export * as ${room} from './${room}/index.js';`,
      `export const ${room} = Object.defineProperties({}, { ${properties.join(', ')} });`,
    ]);
  }
  const external = LATER.map((room) => `./${room}.cjs`);
  return {
    name: 'rooms when used',
    resolveId: (id) => (external.includes(id) ? { id, external: 'relative' } : null),
    transform(code, id) {
      if (id !== join(dist, 'index.js')) return null;
      return replacements.reduce((text, [statement, property]) => {
        if (!text.includes(statement)) throw new Error(`${id}: expected ${statement}`);
        return text.replace(statement, property);
      }, code);
    },
  };
}

async function bundle() {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const input = Object.fromEntries(
    entries.map(({ import: { module }, require: { default: file } }) => [nameOf(file), join(root, module)]),
  );
  const packages = Object.keys({ ...dependencies, ...peerDependencies });
  const build = await rolldown({
    input: { ...input, cli: join(dist, 'cli/main.js') },
    cwd: root,
    platform: 'node',
    preserveEntrySignatures: 'allow-extension',
    external: (id) => id.startsWith('node:') || packages.includes(id),
    plugins: [
      {
        name: 'binaries stay where they are found from, by file tracers too',
        resolveId: (id) => (id.endsWith('/binaries.cjs') ? { id: BINARIES, external: 'relative' } : null),
      },
      await roomsWhenUsed(),
      {
        name: 'parts when used',
        renderChunk(code, { name }) {
          const parts = PARTS_LATER[name] ?? [];
          return inAscii(givesFirst(parts.reduce((text, part) => loadsLater(text, name, part), code)));
        },
      },
    ],
  });
  await build.write({
    dir: target,
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        {
          name: 'linearization',
          test: /dist[\\/](graph[\\/]affine|onnx[\\/](dense-model|linearized?))\.js/,
        },
        { name: 'networks', test: /dist[\\/](ort|onnx|onnx-file|graph)[\\/]/ },
        { name: 'files', test: /dist[\\/]io[\\/]/ },
        { name: 'matrix', test: /dist[\\/]matrix[\\/]/ },
        { name: 'training', test: /dist[\\/](data|nn|optim)[\\/]/ },
        { name: 'rooms', test: /dist[\\/](fixed|operators|signal)[\\/]/ },
        { name: 'javascript', test: /dist[\\/]backend[\\/]js[\\/](?!(fixed|work)\.js)/ },
        { name: 'webassembly', test: /dist[\\/]backend[\\/]wasm[\\/]/ },
        { name: 'convmat', test: /dist[\\/](?!cli[\\/])/ },
      ],
    },
  });
  await build.close();
}

/** The ES modules of Node.js hand on what the bundle exports: there is one copy, however it is asked for. */
function writeFaces() {
  for (const { import: imported, require: required } of entries) {
    const file = join(root, required.default);
    const names = Object.keys(require(file)).filter((name) => name !== '__esModule');
    const lines = [
      `import cjs from './${nameOf(file)}.cjs';`,
      `export const {\n${names
        .sort()
        .map((name) => `  ${name},`)
        .join('\n')}\n} = cjs;`,
      '',
    ];
    writeFileSync(join(root, imported.default), lines.join('\n'));
    const declaration = join(root, imported.types);
    if (existsSync(dirname(declaration))) writeFileSync(declaration, "export * from './index.js';\n");
  }
}

/** Declarations that none of those which `exports` names leads to are of no use to anybody. */
function removePrivateTypes() {
  const reached = new Set();
  const reach = (path) => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const [, specifier] of readFileSync(path, 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)'/g))
      reach(join(dirname(path), specifier.replace(/\.([cm]?)js$/, '.d.$1ts')));
  };
  for (const { import: imported, require: required } of entries)
    for (const face of [imported, required]) reach(join(root, face.types));
  for (const path of files(types)) if (path.endsWith('ts') && !reached.has(path)) rmSync(path);
}

/** What `browser` of package.json puts in the place of files: the same names, which say why they are of no use. */
function writeAbsentFiles() {
  const { io } = require(join(target, 'index.cjs'));
  const lines = [
    "import { UnsupportedError } from '../errors.js';",
    'const absent = (name) => () => {',
    "  throw new UnsupportedError(name + ' needs files of Node.js, and this is a build for browsers');",
    '};',
    ...Object.keys(io).map((name) => `export const ${name} = /* @__PURE__ */ absent('io.${name}');`),
    '',
  ];
  writeFileSync(join(dist, 'io/browser.js'), lines.join('\n'));
}

/** The worker of WebAssembly as the text of one script, which starts the same way everywhere. */
async function writeWorker() {
  const build = await rolldown({
    input: join(dist, 'backend/wasm/worker.js'),
    cwd: root,
    platform: 'browser',
    resolve: { conditionNames: ['browser', 'import'] },
  });
  const { output } = await build.generate({ format: 'iife', minify: true });
  await build.close();
  const [{ code }] = output;
  mkdirSync(wasm, { recursive: true });
  writeFileSync(join(wasm, 'worker-text.js'), `export const workerText = ${JSON.stringify(code)};\n`);
}

async function finish() {
  removeOrphans();
  await writeWorker();
  await bundle();
  writeAbsentFiles();
  deliverNothing();
  // One set of declarations serves import and require, so that a class is one class. ES modules may import declarations of
  // CommonJS, not the other way round.
  if (existsSync(types)) writeFileSync(join(types, 'package.json'), '{ "type": "commonjs" }\n');
  writeFaces();
  if (existsSync(types)) removePrivateTypes();
}

function isFresh() {
  const result = join(target, 'index.mjs');
  if (!existsSync(result)) return false;
  const modules = files(dist).filter((path) => path.endsWith('.js'));
  const inputs = [...modules, fileURLToPath(import.meta.url), join(root, 'package.json')];
  return inputs.every((path) => statSync(path).mtimeMs <= statSync(result).mtimeMs);
}

/** For vitest, so that programs which tests start run what was compiled last. */
export async function setup() {
  if (!isFresh()) await finish();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await finish();
