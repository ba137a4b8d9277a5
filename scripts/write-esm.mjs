// Writes the ES module face of the built package: one .mjs and .d.mts per entry, re-exporting the CommonJS build by
// name. One copy of the code serves both, so that `instanceof` and prepared handles hold across import and require.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const { exports: entries } = require('../package.json');

for (const entry of Object.values(entries)) {
  if (typeof entry === 'string') continue;
  const target = join(root, entry.import.default);
  const source = `./${entry.require.default.split('/').at(-1)}`;
  const names = Object.keys(require(join(root, entry.require.default))).filter(
    (name) => name !== '__esModule',
  );
  const lines = [
    `import cjs from '${source}';`,
    `export const {\n${names
      .sort()
      .map((name) => `  ${name},`)
      .join('\n')}\n} = cjs;`,
    '',
  ];
  writeFileSync(target, lines.join('\n'));
  writeFileSync(join(root, entry.import.types), `export * from '${source}';\n`);
}
