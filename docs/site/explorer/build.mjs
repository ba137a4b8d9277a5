/**
 * Bundles the page into a folder that can be hosted, or opened from a disk, where modules do not load, as it is. The
 * library comes from dist/, by the modules that browsers get.
 */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../../..');

/** A small network as PyTorch exports it, from the golden files. */
function sampleNetwork() {
  const { cases } = JSON.parse(readFileSync(join(root, 'test/golden/torch_onnx.json'), 'utf8'));
  const { tensors } = cases.find(({ id }) => id === 'residual at opset 17');
  return tensors.model.data;
}

/** @param target  The folder; made when it is not there. */
export async function buildExplorer(target) {
  mkdirSync(target, { recursive: true });
  const build = await rolldown({
    input: join(here, 'main.ts'),
    cwd: root,
    platform: 'browser',
    // Its paths lead to declarations.
    tsconfig: false,
    resolve: { conditionNames: ['browser', 'import'], alias: { convmat: join(root, 'dist/index.js') } },
    plugins: [
      {
        name: 'the sample network',
        resolveId: (id) => (id === 'sample-network' ? id : null),
        load: (id) => (id === 'sample-network' ? `export default ${JSON.stringify(sampleNetwork())};` : null),
      },
    ],
  });
  await build.write({ dir: target, entryFileNames: 'explorer.js', format: 'iife', minify: true });
  await build.close();
  for (const name of ['index.html', 'explorer.css']) copyFileSync(join(here, name), join(target, name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildExplorer(process.argv[2] ?? join(root, 'build-docs/site/explorer'));
}
