// Counts type assertions in lib/: what tells the compiler to look away. The budget only ever falls. Where one is
// unavoidable, lib/tensor/dtype.ts is the place that says why. (Non-null assertions are the linter's to refuse.)
//
//   node scripts/check-casts.mjs [--list]
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BUDGET = 60;
const lib = join(dirname(fileURLToPath(import.meta.url)), '../lib');

/** The lines without comments and without what stands between single quotes: words in either may look like code. */
function codeOf(source) {
  const blank = (text) => text.replace(/[^\n]/g, ' ');
  return source
    .replace(/'(?:[^'\\\n]|\\.)*'/g, (text) => `'${blank(text.slice(2))}'`)
    .replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, blank)
    .split('\n');
}

/** `import { a as b }`, on one line or on its own, and `export * as name`. */
function isRename(line) {
  return /^\s*(import|export) /.test(line) || /^\s*(type )?\w+ as \w+,$/.test(line);
}

const casts = [];
for (const name of readdirSync(lib, { recursive: true })) {
  if (!name.endsWith('.ts')) continue;
  codeOf(readFileSync(join(lib, name), 'utf8')).forEach((line, i) => {
    if (isRename(line)) return;
    for (const _ of line.matchAll(/[\w)\]}'] as (?!const\b)[\w({['"]/g))
      casts.push(`lib/${name}:${i + 1}: ${line.trim()}`);
  });
}

const over = casts.length > BUDGET;
if (over || process.argv.includes('--list')) console.log(casts.join('\n'));
console.log(`lib/: ${casts.length} casts, at most ${BUDGET}`);
process.exit(over ? 1 : 0);
