/**
 * The same program reads the same photograph with onnxruntime-node and with convmat in its place. Prints the text, times and
 * memory of both; fails when the texts differ.
 *
 *   npm install && npm start
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const path = process.argv[2] ?? 'sign.jpg';

function read(...flags) {
  const args = [...flags, join(import.meta.dirname, 'read.mjs'), path];
  return JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
}

const runtimes = {
  'onnxruntime-node': read(),
  convmat: read('--import', new URL('replace.mjs', import.meta.url).href),
};
const [theirs, ours] = Object.values(runtimes);
console.log(ours.lines.join('\n'));
for (const [name, { firstMs, readMs, peakBytes }] of Object.entries(runtimes)) {
  const memory = `${(peakBytes / 2 ** 20).toFixed(0)} MiB`;
  console.log(
    `${name.padEnd(18)} first ${firstMs.toFixed(0)} ms, then ${readMs.toFixed(0)} ms, peak memory ${memory}`,
  );
}
const isSame = ours.lines.join('\n') === theirs.lines.join('\n') && ours.lines.length > 0;
console.log(isSame ? 'the same text' : `onnxruntime-node reads\n${theirs.lines.join('\n')}`);
process.exitCode = isSame ? 0 : 1;
