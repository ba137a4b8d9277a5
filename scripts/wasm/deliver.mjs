/**
 * Puts files of WebAssembly into dist/wasm, where Node.js reads them, and what they hold into a module beside them, for
 * bundles that cannot read files when they start. The module is there without files, too: it has none then.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, deflateRawSync } from 'node:zlib';
import { isasOf } from '../isas/list.mjs';

const dist = join(import.meta.dirname, '../../dist/wasm');

/** What a file of an instruction set is called. */
export function nameOf(isa) {
  return `convmat${isa.name.slice('wasm'.length)}.wasm`;
}

/** @param files  Paths of what was built. */
export function deliver(files) {
  mkdirSync(dist, { recursive: true });
  for (const file of files) {
    copyFileSync(file, join(dist, basename(file)));
    const kilobytes = (count) => `${(count / 1000).toFixed(0)} kB`;
    const bytes = readFileSync(file);
    console.log(
      `${basename(file)} ${kilobytes(bytes.length)}, ${kilobytes(brotliCompressSync(bytes).length)} by brotli`,
    );
  }
  writeInlined();
}

/** Of the files that are there. */
export function writeInlined() {
  mkdirSync(dist, { recursive: true });
  const texts = isasOf('wasm').flatMap((isa) => {
    const file = join(dist, nameOf(isa));
    if (!existsSync(file)) return [];
    const bytes = readFileSync(file);
    const text = deflateRawSync(bytes, { level: 9 }).toString('base64');
    return [`  '${isa.name}': [${bytes.length}, '${text}'],`];
  });
  const lines = [
    "import { inflate } from '../backend/wasm/inflate.js';",
    'const files = {',
    ...texts,
    '};',
    'export function inlined(isa) {',
    '  if (files[isa] === undefined) return null;',
    '  const [size, text] = files[isa];',
    '  return inflate(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)), size);',
    '}',
    '',
  ];
  writeFileSync(join(dist, 'inlined.js'), lines.join('\n'));
}
