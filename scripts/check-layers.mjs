/**
 * Includes of native/ and imports of lib/ go downwards only: a file may use what stands in its own room or in one on a
 * lower floor. Prints how many rooms there are, on how many floors, and with how many arrows between them.
 *
 *   npm run check:layers
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

const root = join(import.meta.dirname, '..');

/** The rooms of each tree, from the top floor down; rooms on one floor do not see each other. */
const TREES = [
  {
    folder: 'native',
    files: /\.(cc|h|inc)$/,
    uses: /^#include "([^"]+)"/gm,
    target: (_, name) => name,
    floors: [
      ['addon', 'wasm'],
      ['door'],
      ['network'],
      ['conv', 'integer'],
      ['ops'],
      ['product'],
      ['geometry'],
      ['runtime', 'isa'],
      ['plan', 'kernels'],
      ['table', 'simd'],
    ],
  },
  {
    folder: 'lib',
    files: /\.ts$/,
    uses: /\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g,
    target: (path, name) => posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts'),
    floors: [
      ['index.ts', 'cli'],
      ['ort'],
      ['onnx'],
      ['optim', 'io'],
      ['graph'],
      ['nn', 'data', 'signal', 'fixed', 'quantized', 'image', 'machine.ts'],
      ['operators'],
      ['matrix'],
      ['conv', 'pool'],
      ['backend'],
      ['plan', 'onnx-file'],
      ['tensor', 'random.ts'],
      ['check.ts'],
      ['errors.ts'],
      ['host', 'text.ts', 'bytes.ts', 'numbers.ts', 'dispose.ts', 'cloning.ts', 'version.ts'],
    ],
  },
];

/** The room of a file: the first folder of its path inside the tree, or its own name. */
function roomOf(path) {
  return path.split('/')[0];
}

function check({ folder, files, uses, target, floors }) {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  const floorOf = new Map(floors.flatMap((rooms, floor) => rooms.map((room) => [room, floor])));
  const arrows = new Set();
  const faults = [];
  const rooms = new Set();
  for (const file of listed.split('\n').filter((name) => files.test(name))) {
    const path = file.slice(folder.length + 1);
    const from = roomOf(path);
    rooms.add(from);
    if (!floorOf.has(from)) faults.push(`${file}: ${from} stands on no floor`);
    let text;
    try {
      text = readFileSync(join(root, file), 'utf8');
    } catch (error) {
      if (error.code === 'ENOENT') continue; // removed, and not yet committed
      throw error;
    }
    for (const [, name] of text.matchAll(uses)) {
      const used = target(path, name);
      const to = roomOf(used);
      if (to === from) continue;
      arrows.add(`${from} → ${to}`);
      if (!floorOf.has(to)) faults.push(`${file}: uses ${used}, which stands on no floor`);
      else if (floorOf.get(to) <= floorOf.get(from)) {
        faults.push(`${file}: uses ${used}, which is not on a lower floor`);
      }
    }
  }
  for (const room of floorOf.keys()) if (!rooms.has(room)) faults.push(`${folder}: there is no ${room}`);
  console.log(
    `${folder}: ${rooms.size} rooms on ${floors.length} floors, ${arrows.size} arrows, ${faults.length} faults`,
  );
  for (const fault of faults) console.error(`  ${fault}`);
  return faults.length === 0;
}

process.exitCode = TREES.map(check).every(Boolean) ? 0 : 1;
