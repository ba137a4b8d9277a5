/**
 * Puts the file of WebAssembly into dist/wasm, where Node.js reads it, and what it holds into a module beside it, for bundles
 * that cannot read files when they start. The module is there without a file, too: it has none then.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, deflateRawSync } from 'node:zlib';

export const FILE = 'convmat.wasm';

const dist = join(import.meta.dirname, '../../dist/wasm');
const delivered = join(dist, FILE);

/** @param file  Path of what was built. */
export function deliver(file) {
  mkdirSync(dist, { recursive: true });
  copyFileSync(file, delivered);
  const kilobytes = (count) => `${(count / 1000).toFixed(0)} kB`;
  const bytes = readFileSync(file);
  console.log(`${FILE} ${kilobytes(bytes.length)}, ${kilobytes(brotliCompressSync(bytes).length)} by brotli`);
  writeInlined();
}

/** Of the file that is there. */
export function writeInlined() {
  mkdirSync(dist, { recursive: true });
  writeFileSync(
    join(dist, 'inlined.js'),
    existsSync(delivered) ? withFile(readFileSync(delivered)) : WITHOUT,
  );
}

const WITHOUT = 'export function inlined() {\n  return null;\n}\n';

function withFile(bytes) {
  const text = deflateRawSync(bytes, { level: 9 }).toString('base64');
  return [
    "import { inflate } from '../backend/wasm/inflate.js';",
    `const text = '${text}';`,
    'export function inlined() {',
    '  const characters = atob(text);',
    '  const bytes = new Uint8Array(characters.length);',
    '  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);',
    `  return inflate(bytes, ${bytes.length});`,
    '}',
    '',
  ].join('\n');
}
