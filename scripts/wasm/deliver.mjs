/**
 * Puts WebAssembly into dist/wasm, inside a module: bundles for browsers cannot read files when they start, and Node.js reads
 * the text of the same one (readWasm in lib/backend/native/binaries.cts). The module is there without WebAssembly, too.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, deflateRawSync } from 'node:zlib';

const module = join(import.meta.dirname, '../../dist/wasm/inlined.js');

/** @param file  Path of what was built. */
export function deliver(file) {
  const bytes = readFileSync(file);
  const kilobytes = (count) => `${(count / 1000).toFixed(0)} kB`;
  console.log(
    `WebAssembly: ${kilobytes(bytes.length)}, ${kilobytes(brotliCompressSync(bytes).length)} by brotli`,
  );
  write(inlined(bytes));
}

/** So that what imports the module finds it. */
export function deliverNothing() {
  if (!existsSync(module)) write(WITHOUT);
}

function write(text) {
  mkdirSync(dirname(module), { recursive: true });
  writeFileSync(module, text);
}

const WITHOUT = 'export function inlined() {\n  return null;\n}\n';

/** Node.js looks for the line of the text. */
function inlined(bytes) {
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
