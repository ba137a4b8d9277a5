// Looks at each prebuilt binary without running it: format, exports, libraries, versions of symbols, signature.
//
//   npm run check:prebuilds [-- TARGET…]      all of scripts/prebuild/targets.mjs by default
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { judge } from './prebuild/rules.mjs';
import { targets } from './prebuild/targets.mjs';
import { installTools } from './tools.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
installTools(join(root, 'scripts/prebuild'));

const wanted = process.argv.slice(2);
let bad = 0;
for (const target of targets.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const path = join(root, 'prebuilds', target.file);
  const { failures, facts } = existsSync(path)
    ? judge(target, readFileSync(path))
    : { failures: ['is missing: npm run prebuild'], facts: [] };
  if (failures.length > 0) bad += 1;
  const verdict = failures.length > 0 ? `FAILED: ${failures.join('; ')}` : `ok: ${facts.join('; ')}`;
  console.log(`${target.name.padEnd(18)} ${verdict}`);
}
process.exit(bad === 0 ? 0 : 1);
