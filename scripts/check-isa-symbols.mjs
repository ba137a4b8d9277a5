// Checks that each instruction set's object exports its kernel table and nothing else.
//
// Those objects are compiled with instructions that the user's CPU may lack. Were one to emit a weak symbol (an inline
// or template function of the standard library, say), the linker might pick that copy for everybody, and the addon
// would die on older CPUs.
//
//   node scripts/check-isa-symbols.mjs [build folder, default build]
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readObjectSymbols } from './binary/read.mjs';
import { isasOf } from './isas/list.mjs';

const buildFolder = process.argv[2] ?? 'build';
const isas = isasOf('native');

const files = readdirSync(buildFolder, { recursive: true }).map(String);
let found = 0;
let bad = 0;
for (const { identifier, source } of isas) {
  const stem = source.replace(/\.cc$/, '');
  const objects = files.filter((file) => [`${stem}.o`, `${stem}.cc.o`].some((end) => file.endsWith(end)));
  for (const object of objects) {
    found += 1;
    const symbols = readObjectSymbols(readFileSync(path.join(buildFolder, object)));
    // Itanium's mangling of convmat::<identifier>::kernels, as GCC and Clang have it on every platform.
    const table = `_ZN7convmat${identifier.length}${identifier}7kernelsE`;
    const surplus = symbols.filter((symbol) => symbol.name !== table).map((symbol) => symbol.name);
    const hasTable = symbols.some((symbol) => symbol.name === table && !symbol.weak);
    if (surplus.length > 0 || !hasTable) {
      bad += 1;
      console.error(
        `${object}: ${hasTable ? '' : 'no kernel table; '}defines ${surplus.join(', ') || 'nothing else'}`,
      );
    }
  }
}
if (found === 0) {
  console.error(`no objects of ${isas.map(({ name }) => name).join(', ')} under ${buildFolder}: build first`);
  process.exit(1);
}
console.log(`${found} objects, ${bad} with surplus symbols`);
process.exit(bad === 0 ? 0 : 1);
