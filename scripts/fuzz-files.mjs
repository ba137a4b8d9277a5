/**
 * Reads files that grammars made (test/fuzz/grammars.mjs): whatever is in them, a reader gives an answer or an error of the
 * library's own, in time and memory in proportion to the file, and leaves no descriptor open.
 *
 *   npm run test:fuzz:files                                   # 100,000 files
 *   npm run test:fuzz:files -- --files 1000000 --seed 7       # other ones
 *   npm run test:fuzz:files -- --format mtx --seed 12 --files 1 --keep   # one of them, written to build-fuzz/
 *
 * A file that is misread is told by its format and seed, and written to build-fuzz/: it belongs into test/fuzz/found.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import convmat from '../dist/node/index.cjs';
import { GRAMMARS, generate } from '../test/fuzz/grammars.mjs';
import { misread, readersOf } from '../test/fuzz/reading.mjs';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Date.now() / 1000) % 1e6) },
    format: { type: 'string', multiple: true, default: Object.keys(GRAMMARS) },
    slack: { type: 'string', default: '4' },
    keep: { type: 'boolean', default: false },
  },
});
const [files, seed, slack] = [values.files, values.seed, values.slack].map(Number);
const readers = readersOf(convmat.io);
const scratch = mkdtempSync(join(tmpdir(), 'convmat-fuzz-files-'));
const kept = join(import.meta.dirname, '../build-fuzz/files');

function keep(format, number, bytes) {
  mkdirSync(kept, { recursive: true });
  const path = join(kept, `${format}-${number}`);
  writeFileSync(path, bytes);
  return path;
}

const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

process.on('uncaughtException', (error) => {
  console.error('UNCAUGHT', error);
  process.exit(1);
});

let failures = 0;
let bytesRead = 0;
const start = performance.now();
// The process opens some of its own with its first file.
writeFileSync(join(scratch, 'first'), '');
await convmat.io.readNpy(join(scratch, 'first')).catch(() => {});
const openBefore = descriptors();
for (let i = 0; i < files; i++) {
  const format = values.format[i % values.format.length];
  const number = seed + i;
  const file = generate(format, number);
  bytesRead += file.bytes.length;
  if (values.keep) console.log(keep(format, number, file.bytes));
  let source;
  if (i % 16 === 0) {
    source = join(scratch, 'file');
    writeFileSync(source, file.bytes);
  }
  const wrong = await misread(convmat, readers[format], file, source, slack);
  if (wrong !== null) {
    failures++;
    console.error(`${format} ${number}: ${wrong}\n  ${keep(format, number, file.bytes)}`);
  }
}
const leaked = descriptors() - openBefore;
rmSync(scratch, { recursive: true });
const seconds = Math.round((performance.now() - start) / 1000);
const { maxRSS } = process.resourceUsage();
console.log(
  `${files} files, ${Math.round(bytesRead / 2 ** 20)} MiB, seed ${seed}, ${seconds} s: ${failures} misread, ` +
    `${leaked} descriptors left, at most ${Math.round(maxRSS / 1024)} MiB resident`,
);
process.exitCode = failures > 0 || leaked > 0 ? 1 : 0;
