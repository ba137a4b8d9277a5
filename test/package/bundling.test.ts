/** What bundlers make of the package, with options that say nothing about it. */
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const PROGRAM = 'program.mjs';

async function bundled(program: string): Promise<{ code: string; modules: string[]; imports: string[] }> {
  const build = await rolldown({
    input: PROGRAM,
    cwd: root,
    platform: 'browser',
    plugins: [
      {
        name: 'program',
        resolveId: (id) => (id === PROGRAM ? join(root, PROGRAM) : null),
        load: (id) => (id === join(root, PROGRAM) ? program : null),
      },
    ],
    // What cannot be found is left for the browser to find, and so among the imports.
    onLog: () => {},
  });
  const { output } = await build.generate({ format: 'es', minify: true });
  await build.close();
  const [{ code, modules, imports, dynamicImports }] = output;
  const used = Object.entries(modules).filter(([, { renderedLength }]) => renderedLength > 0);
  return { code, modules: used.map(([id]) => id), imports: [...imports, ...dynamicImports] };
}

test('what is not used is left out', async () => {
  const { code, modules } = await bundled("import { tensor } from 'convmat'; console.log(tensor([1]));");
  expect(code.length).toBeLessThan(40_000);
  expect(modules.filter((id) => /node_modules|backend|plan/.test(id))).toEqual([]);
});

test('nothing of Node.js is reached from a browser', async () => {
  const { code, imports } = await bundled("import * as convmat from 'convmat'; console.log(convmat);");
  expect(imports).toEqual([]);
  expect(code.match(/.{40}\b(process|Buffer|setImmediate|require)\s*[.(].{20}/g) ?? []).toEqual([]);
});

test('minified code refuses by the same names, a revoked proxy too', async () => {
  const { code } = await bundled(`
    import { conv1d } from 'convmat';
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    const nameOf = (call) => { try { call(); return 'none'; } catch (error) { return error.name; } };
    export const names = [nameOf(() => conv1d([[[1]]], [[[1]]], proxy)), nameOf(() => conv1d([[[1]]], [[[[1]]]]))];
  `);
  const { names } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  expect(names).toEqual(['ArgumentError', 'ShapeError']);
});

test('subpaths are parts of the whole', async () => {
  const names = ['data', 'fixed', 'io', 'nn', 'operators', 'optim', 'signal'];
  const imports = names.map((name) => `import * as ${name} from 'convmat/${name}';`).join('');
  const used = names.map((name) => `convmat.${name} === ${name}`).join();
  const parts = await bundled(`${imports} import * as convmat from 'convmat'; console.log(${used});`);
  const whole = await bundled("import * as convmat from 'convmat'; console.log(convmat);");
  expect(parts.modules.filter((id) => !whole.modules.includes(id))).toEqual([]);
});
