/**
 * Performs the recipes of HACKING that add a kernel, an instruction set, an algorithm and a function of the addon, in a copy
 * of the repository: with all steps everything holds; without any one of them it does not, or that step is superfluous; and
 * the files touched are as many as HACKING says. Then counts how many files outside an algorithm's own name it.
 *
 *   npm run check:recipes
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { nodeHeaders } from './node-headers.mjs';

const root = join(import.meta.dirname, '..');
const copy = mkdtempSync(join(tmpdir(), 'convmat-recipes-'));
const read = (path, folder = copy) => readFileSync(join(folder, path), 'utf8');

const PARTS = ['lib', 'native', 'lists', 'scripts/isas', 'test/native', 'test/package/programs'];
const FILES = ['docs/accuracy.md', 'tsconfig.json', 'package.json'];
const listed = ['ls-files', '-co', '--exclude-standard', ...PARTS, ...FILES];
const tracked = execFileSync('git', listed, { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));

// --- what must hold of the copy: null, or what does not ---

const cxx = (process.env.CXX ?? 'g++').split(' ').at(-1);

function ends(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: copy, encoding: 'utf8' });
  return status === 0 ? null : `${command} ${args.join(' ')}\n${stdout}${stderr}`.slice(0, 4000);
}

const compiles = (path, ...flags) =>
  ends(cxx, ['-std=c++17', '-fsyntax-only', '-Inative', '-Itest/native', ...flags, path]);

function compilesForAddon(path) {
  const { addon_defines: defines } = JSON.parse(read('native/sources.json'));
  const headers = ['node_modules/node-addon-api', nodeHeaders()].flatMap((folder) => ['-isystem', folder]);
  return compiles(path, ...headers, ...defines.map((name) => `-D${name}`));
}

const typeScriptCompiles = () => ends('npx', ['tsc', '-p', 'tsconfig.json', '--noEmit']);

/** Whether one of the sources that are built, of a list, says so. */
function isDefined(list, text) {
  const paths = JSON.parse(read('native/sources.json'))[list].filter((path) => existsSync(join(copy, path)));
  return paths.some((path) => read(path).includes(text)) ? null : `no source of ${list} has ${text}`;
}

/** What the pattern captures in a file. */
const captured = (path, pattern) => Array.from(read(path).matchAll(pattern), ([, name]) => name);

/** Whether each of the names is among the others. */
function among(names, others, what) {
  const missing = names.filter((name) => !others.includes(name));
  return missing.length === 0 ? null : `${what} ${missing.join(', ')}`;
}

function unitsHaveEntries() {
  // WebAssembly is one unit: the build writes the plain instructions from the relaxed ones.
  const isas = JSON.parse(read('lists/isas.json')).filter((isa) => isa.backend === 'native' || !isa.over);
  const names = isas.map(({ name }) => `${name.replaceAll('-', '_')}.cc`);
  const units = readdirSync(join(copy, 'native/isa')).filter((name) => name.endsWith('.cc'));
  return among(units, names, 'lists/isas.json lacks') ?? among(names, units, 'native/isa lacks');
}

/** The algorithms of plan.h: the enumeration's value, and the name in JavaScript. */
function nativeAlgorithms() {
  const [list] = captured('native/plan/plan.h', /#define CONVMAT_ALGORITHMS\(V\)((?:.*\\\n)*.*)/g);
  return Array.from(list.matchAll(/V\((\w+), "(.*?)"\)/g), ([, value, name]) => ({ value, name }));
}

function algorithmsAreDefined() {
  const [list] = captured('lib/plan/algorithms/algorithm.ts', /\bALGORITHMS = \[(.*?)\]/g);
  const inTypeScript = Array.from(list.matchAll(/'(.*?)'/g), ([, name]) => name);
  const names = nativeAlgorithms().map(({ name }) => name);
  for (const { value } of nativeAlgorithms()) {
    const missing = isDefined('core', `const ConvAlgorithm ${value}_algorithm =`);
    if (missing !== null) return missing;
  }
  return among(names, inTypeScript, 'algorithm.ts lacks') ?? among(inTypeScript, names, 'plan.h lacks');
}

function errorsAreDocumented() {
  const words = read('docs/accuracy.md').toLowerCase().split(/\W+/);
  const names = nativeAlgorithms().map(({ name }) => name);
  return among(names, words, 'docs/accuracy.md lacks');
}

function functionsAreTypedAndAttacked() {
  const exported = [
    ...captured('native/addon/module.cc', /\{"(\w+)", entry</g),
    ...captured('native/door/functions.inc', /^CONVMAT_FUNCTION\((\w+), /gm),
  ];
  const typed = captured('lib/backend/native/addon.ts', /^ {2}(\w+)\??(?:<.*?>)?\(/gm);
  const attacked = captured('test/package/programs/hostile.cjs', /^ {2,4}(\w+): \(\) =>/gm);
  return (
    among(exported, typed, 'addon.ts lacks') ??
    among(typed, exported, 'module.cc lacks') ??
    among(exported, attacked, 'hostile.cjs lacks')
  );
}

// --- the recipes ---

/** A new file. */
const added = (file, text) => ({ file, edit: () => text });
/** Text before what `pattern` finds. */
const inserted = (file, pattern, text) => ({
  file,
  edit: (before) => before.replace(pattern, (found) => `${text}${found}`),
});
/** A new file like another, but for the name. */
const like = (file, model, from, to) => ({ file, edit: () => read(model, root).replaceAll(from, to) });
/** Several edits of one file. */
const edits = (...steps) => ({
  file: steps[0].file,
  edit: (text) => steps.reduce((edited, { edit }) => edit(edited), text),
});

const DUMMY_ALGORITHM = `#include "conv/algorithm.h"
namespace convmat {
const ConvAlgorithm dummy_algorithm = {[](const ConvPlan&) { return true; }, "any geometry",
                                       pack_either<pack_im2col_forward>};
}  // namespace convmat
`;
const OWN_NAME = /(?<=const |')im2col(?=:|')/g;

const RECIPES = [
  {
    name: 'A kernel',
    steps: [
      inserted(
        'native/table/transpose.h',
        '}  // namespace convmat\n',
        'template <typename T>\nusing DummyFn = void(T* to);\n',
      ),
      inserted(
        'native/kernels/transpose-inl.h',
        '}  // namespace\n',
        'template <typename T>\nvoid dummy_kernel(T* to) {\n  store(to, zero<T>());\n}\n',
      ),
      inserted(
        'native/table/kernels.inc',
        '// fft-inl.h\n',
        'CONVMAT_FLOAT_KERNEL(dummy, dummy_kernel, DummyFn)\n',
      ),
      inserted(
        'test/native/gemm_tile_test.cc',
        'CONVMAT_ON_EACH_ISA(',
        'TEST_P(GemmTileTest, Dummy) { kernels().f32.dummy(nullptr); }\n',
      ),
    ],
    holds: [
      () => compiles('native/isa/generic.cc'),
      () => compiles('test/native/gemm_tile_test.cc'),
      kernelsAreTested,
    ],
  },
  {
    name: 'An instruction set',
    steps: [
      inserted(
        'lists/isas.json',
        '  {\n    "name": "generic"',
        '  { "name": "dummy", "backend": "native", "features": ["dummy"], "times": "generic" },\n',
      ),
      like('native/simd/vec_dummy.h', 'native/simd/vec_generic.h', 'convmat::generic', 'convmat::dummy'),
      like('native/isa/dummy.cc', 'native/isa/generic.cc', 'generic', 'dummy'),
      inserted(
        'native/runtime/cpu.cc',
        /(?<=#define CONVMAT_FEATURES\(FEATURE\))/g,
        ' FEATURE(dummy, false)',
      ),
    ],
    holds: [
      () => ends('node', ['scripts/isas/write.mjs']),
      unitsHaveEntries,
      () => compiles('native/isa/dummy.cc'),
      () => compiles('native/runtime/cpu.cc'),
      typeScriptCompiles,
    ],
  },
  {
    name: 'An algorithm',
    steps: [
      inserted('native/plan/plan.h', '  V(im2col, "im2col")', '  V(dummy, "dummy") \\\n'),
      added('native/conv/dummy.cc', DUMMY_ALGORITHM),
      inserted('native/sources.json', '    "native/conv/fft/fft.cc"', '    "native/conv/dummy.cc",\n'),
      edits(
        inserted('lib/plan/algorithms/algorithm.ts', "    case 'im2col':", "    case 'dummy':\n"),
        inserted('lib/plan/algorithms/algorithm.ts', /(?<=\bALGORITHMS = \[)/, "'dummy', "),
        inserted('lib/plan/algorithms/algorithm.ts', /(?<=readonly algorithm: )'im2col'/, "'dummy' | "),
      ),
      like('lib/plan/algorithms/dummy.ts', 'lib/plan/algorithms/im2col.ts', OWN_NAME, 'dummy'),
      edits(
        inserted('lib/plan/algorithms/index.ts', /^import/m, "import { dummy } from './dummy.js';\n"),
        inserted('lib/plan/algorithms/index.ts', '  im2col: [', '  dummy: [dummy],\n'),
        inserted(
          'lib/plan/algorithms/index.ts',
          /^import/m,
          "import { jsIm2col as jsDummy } from './js/dummy.js';\n",
        ),
        inserted('lib/plan/algorithms/index.ts', '  im2col: js', '  dummy: jsDummy,\n'),
      ),
      like('lib/plan/algorithms/js/dummy.ts', 'lib/plan/algorithms/js/im2col.ts', /im2col(?=')/g, 'dummy'),
      inserted('lib/backend/js/conv.ts', "    case 'im2col':", "    case 'dummy':\n"),
      inserted('docs/accuracy.md', '| im2col ', '| dummy | 1.05 | 1.05 | 0.45 |\n'),
    ],
    holds: [
      () => compiles('native/conv/conv.cc'),
      algorithmsAreDefined,
      typeScriptCompiles,
      errorsAreDocumented,
    ],
  },
  {
    name: 'A function of the addon',
    steps: [
      inserted('native/door/pool.h', '}  // namespace convmat::door', 'void dummy(const Call& call);\n'),
      inserted('native/door/pool.cc', '}  // namespace convmat::door', 'void dummy(const Call&) {}\n'),
      inserted('native/door/functions.inc', 'CONVMAT_FUNCTION(maxPool,', 'CONVMAT_FUNCTION(dummy, dummy)\n'),
      inserted('lib/backend/native/addon.ts', '  maxPool(', '  dummy(): void;\n'),
      inserted('lib/backend/wasm/addon.ts', '    maxPool: (', '    dummy: () => {},\n'),
      inserted('test/package/programs/hostile.cjs', '  maxPool: ', '  dummy: () => [],\n'),
    ],
    holds: [
      () => compilesForAddon('native/addon/module.cc'),
      () => isDefined('door', 'void dummy(const Call&) {'),
      functionsAreTypedAndAttacked,
      typeScriptCompiles,
    ],
  },
];

/** Whether each kernel of floats is called by a test, or by a driver: by its field. */
function kernelsAreTested() {
  const fields = captured('native/table/kernels.inc', /^CONVMAT_\w+_KERNEL\((\w+), /gm);
  const callers = tracked.filter((path) => /^(test\/native|native)\/.*\.(cc|h)$/.test(path));
  const text = callers.map((path) => read(path)).join('\n');
  return among(
    fields,
    fields.filter((field) => new RegExp(`(\\.|->)${field}\\b`).test(text)),
    'no test or driver calls',
  );
}

const WRITTEN = ['native/isa/targets.gypi', 'native/isa/targets.cmake', 'native/runtime/isas.inc'];
const edited = new Set([...RECIPES.flatMap(({ steps }) => steps.map(({ file }) => file)), ...WRITTEN]);
edited.add('lib/plan/isa-list.ts');

/** Puts the files as they are in the repository, with the steps taken in them. */
function lay(steps) {
  for (const file of edited) {
    if (existsSync(join(root, file))) cpSync(join(root, file), join(copy, file));
    else rmSync(join(copy, file), { force: true });
  }
  for (const { file, edit } of steps) {
    const before = existsSync(join(copy, file)) ? read(file) : '';
    const after = edit(before);
    if (after === before) throw new Error(`${file} is not as a step expects: mend scripts/check-recipes.mjs`);
    writeFileSync(join(copy, file), after);
  }
}

function failure({ holds }) {
  for (const hold of holds) {
    const wrong = hold();
    if (wrong !== null) return wrong;
  }
  return null;
}

const hacking = readFileSync(join(root, 'HACKING.md'), 'utf8');
const faults = [];

function perform(recipe) {
  const { name, steps } = recipe;
  const [, promised] = hacking.match(new RegExp(`^- \\*\\*${name}\\*\\* \\((\\d+) files\\)`, 'm')) ?? [];
  if (Number(promised) !== steps.length)
    faults.push(`${name}: touches ${steps.length} files; HACKING says ${promised ?? 'nothing'}`);
  lay(steps);
  const wrong = failure(recipe);
  if (wrong !== null) {
    faults.push(`${name}: a step is missing:\n${wrong}`);
    return;
  }
  for (const step of steps) {
    lay(steps.filter((other) => other !== step));
    if (failure(recipe) === null) faults.push(`${name}: the step in ${step.file} is superfluous`);
  }
  console.log(`${name}: ${steps.length} files`);
}

// --- how far an algorithm's name goes ---

function countNames() {
  const [, most] = hacking.match(/at most\s+(\d+) files outside its own name an algorithm/) ?? [];
  const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '');
  const sources = tracked.filter((path) => /^(lib|native)\/.*\.(ts|cc|h)$/.test(path));
  const code = sources.map((path) => ({ path, text: withoutComments(read(path, root)) }));
  for (const { value, name } of nativeAlgorithms()) {
    // The addon has a function of transforms.
    const pattern = new RegExp(`(?<!call\\()'${name}'|\\bAlgorithm::${value}\\b|\\b${value}_algorithm\\b`);
    const isOwn = new RegExp(`\\b${value}\\b`);
    const outside = code.filter(({ path, text }) => !isOwn.test(path) && pattern.test(text));
    const paths = outside.map(({ path }) => path);
    console.log(`${name}: named in ${paths.length} files outside its own: ${paths.join(', ')}`);
    if (!(paths.length <= Number(most))) faults.push(`${name}: HACKING says ${most} files at most`);
  }
}

for (const path of tracked) {
  mkdirSync(dirname(join(copy, path)), { recursive: true });
  cpSync(join(root, path), join(copy, path));
}
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
try {
  RECIPES.forEach(perform);
  lay([]);
  countNames();
} finally {
  rmSync(copy, { recursive: true, force: true });
}
for (const fault of faults) console.error(fault);
console.log(`${RECIPES.length} recipes, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
