/**
 * What was built of which sources: a hash of them is kept beside the build. Contents, not times, which say nothing after a
 * checkout.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

const PARTS = {
  native: { sources: ['binding.gyp', 'native'], product: 'build/Release/convmat.node' },
  wasm: {
    sources: ['lists', 'native', 'scripts/wasm', 'scripts/prebuild/zig.mjs'],
    product: 'dist/wasm/inlined.js',
  },
  typescript: {
    sources: ['package.json', 'tsconfig.json', 'tsconfig.types.json', 'scripts/bundle.mjs', 'lib'],
    product: 'dist/node/index.cjs',
  },
  docs: {
    sources: ['README.md', 'CHANGELOG.md', 'docs', 'lib', 'scripts/docs.mjs'],
    product: 'build-docs/site/index.html',
  },
};

/** In docs: the tools of its site. */
const INSTALLED = join('site', 'node_modules');

/** The file, or every file in the folder; relative to the root. */
function filesIn(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  const names = readdirSync(join(root, path), { recursive: true })
    .filter((name) => !name.startsWith(INSTALLED))
    .map((name) => join(path, name));
  return names.filter((name) => statSync(join(root, name)).isFile());
}

function hashOf(part) {
  const hash = createHash('sha256');
  for (const path of PARTS[part].sources.flatMap(filesIn).sort()) {
    const content = readFileSync(join(root, path));
    hash.update(`${path} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

function markOf(part) {
  return join(root, 'build', `.${part}-sources`);
}

/** Whether the part is there, whatever it was built of. */
export function isThere(part) {
  return existsSync(join(root, PARTS[part].product));
}

/** Whether the part was built of what its sources are now. */
export function isBuilt(part) {
  const mark = markOf(part);
  return isThere(part) && existsSync(mark) && readFileSync(mark, 'utf8') === hashOf(part);
}

/** Notes that the part, as it is, was built of its sources as they are. */
export function markBuilt(part) {
  if (!isThere(part)) throw new Error(`${PARTS[part].product} is not there`);
  mkdirSync(join(root, 'build'), { recursive: true });
  writeFileSync(markOf(part), hashOf(part));
}
