/** Bundles programs for browsers, with the library as browsers get it: its modules in dist/, by the condition `browser`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';

export const root = join(import.meta.dirname, '../../..');

const resolve = {
  conditionNames: ['browser', 'import'],
  alias: { convmat: join(root, 'dist/index.js') },
};

/** @param to  The file that is written; assets of the library go beside it. */
export async function bundle(input: string, to: string, plugins: readonly Plugin[] = []): Promise<void> {
  const folder = join(to, '..');
  const build = await rolldown({
    input,
    cwd: root,
    platform: 'browser',
    tsconfig: false,
    resolve,
    plugins: [...plugins],
    // The package promises that its modules do nothing but export: programs of tests do.
    treeshake: { moduleSideEffects: [{ test: /[\\/]test[\\/]/, sideEffects: true }] },
    // Packages of tests look at where they are by names that only Node.js has.
    logLevel: 'silent',
  });
  await build.write({
    dir: folder,
    format: 'es',
    entryFileNames: relative(folder, to),
    codeSplitting: false,
  });
  await build.close();
}

/** Of Node.js alone: files, processes, decoders, and what of a test's is made of them. */
const NEEDS_NODE =
  /from '(node:|pngjs|\.\.\/support\/(program|addon|networks)|\.\.\/\.\.\/scripts)|process\.(env|argv|execPath)/;

/** Whose paths lead nowhere in a browser, where every function that takes one refuses it. */
const OF_PATHS = 'test/fuzz/hostile.test.ts';

/** The suites of what the library computes that need nothing of Node.js: paths in the repository. */
export function portableSuites(): string[] {
  const ops = ['test/ops', 'test/network'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => `${folder}/${name}`)
      .filter((path) => !NEEDS_NODE.test(readFileSync(join(root, path), 'utf8'))),
  );
  return [...ops, OF_PATHS];
}

/** What stands in tests' place of vitest, of the golden files, and of Node.js. */
function suitesPlugin(paths: readonly string[]): Plugin {
  const here = join(root, 'test/browser/suites');
  const replaced = new Map([
    ['vitest', join(here, 'vitest.ts')],
    ['node:fs', join(here, 'nowhere.ts')],
    ['node:os', join(here, 'nowhere.ts')],
    ['node:path', join(here, 'nowhere.ts')],
    [join(root, 'test/support/host.ts'), join(here, 'host.ts')],
  ]);
  const goldenFiles = join(root, 'test/support/golden-files.ts');
  return {
    name: 'suites',
    async resolveId(id, importer) {
      if (id === 'the-suites') return id;
      const direct = replaced.get(id);
      if (direct !== undefined) return direct;
      const resolved = await this.resolve(id, importer, { skipSelf: true });
      return (resolved && replaced.get(resolved.id)) ?? resolved;
    },
    load(id) {
      if (id === 'the-suites') {
        const entries = paths.map(
          (path) => `${JSON.stringify(path)}: () => import(${JSON.stringify(join(root, path))})`,
        );
        return `export const suites = { ${entries.join(',\n')} };\nexport const goldenIds = ${JSON.stringify(goldenIds())};`;
      }
      if (id === goldenFiles) return goldenModule();
      return null;
    },
  };
}

/** Every golden file as text, so that a family is decoded when its suite asks for it. */
function goldenModule(): string {
  const folder = join(root, 'test/golden');
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const entries = names.map(
    (name) =>
      `${JSON.stringify(name.slice(0, -5))}: ${JSON.stringify(readFileSync(join(folder, name), 'utf8'))}`,
  );
  return `const files = { ${entries.join(',\n')} };\nexport const readGolden = (family) => files[family];`;
}

/** The names of all golden cases. */
function goldenIds(): string[] {
  const folder = join(root, 'test/golden');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')).cases)
    .map(({ id }) => id);
}

/** One file, in which comments tell the module of each part: moduleAt. */
export async function bundleSuites(to: string): Promise<void> {
  await bundle(join(root, 'test/browser/suites/run.ts'), to, [suitesPlugin(portableSuites())]);
}

/** The module, by its path in the repository, that a line of a bundle comes from: the bundler writes it where one begins. */
export function moduleAt(bundled: string, line: number): string {
  const before = bundled.split('\n').slice(0, line).reverse();
  for (const text of before) {
    const [, path] = /^\/\/ (\S+\.[cm]?[jt]s)$/.exec(text) ?? [];
    if (path !== undefined) return path;
  }
  throw new Error(`no module begins above line ${line}`);
}
