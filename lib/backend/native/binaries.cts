/**
 * The addon's binaries, by name. A CommonJS module in every build of the package: bundlers and file tracers follow `require`
 * of a binary there, while in ES modules some of them do not know it.
 */
import { readFileSync } from 'node:fs';
import type { NativeAddon } from './addon.js' with { 'resolution-mode': 'import' };

/** Built here. */
export const LOCAL = 'build/Release';

/** Where `requireBinary` finds it, unless a bundler has put it elsewhere. */
export function pathOf(name: string): string {
  return `${__dirname}/../../../${name === LOCAL ? LOCAL : `prebuilds/${name}`}/convmat.node`;
}

/** Null when there is no such binary; throws when it does not load. */
export function requireBinary(name: string): NativeAddon | null {
  // Bundlers and file tracers follow a require only when its path is written out, and forgive one that leads
  // nowhere only inside a try.
  try {
    switch (name) {
      case LOCAL:
        return require('../../../build/Release/convmat.node');
      case 'linux-x64':
        return require('../../../prebuilds/linux-x64/convmat.node');
      case 'linux-arm64':
        return require('../../../prebuilds/linux-arm64/convmat.node');
      case 'darwin-x64':
        return require('../../../prebuilds/darwin-x64/convmat.node');
      case 'darwin-arm64':
        return require('../../../prebuilds/darwin-arm64/convmat.node');
      case 'win32-x64':
        return require('../../../prebuilds/win32-x64/convmat.node');
      case 'win32-arm64':
        return require('../../../prebuilds/win32-arm64/convmat.node');
      default:
        return null;
    }
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** What stands before WebAssembly in dist/wasm/inlined.js, which scripts/wasm/deliver.mjs writes. */
const TEXT = "const text = '";

/** WebAssembly, from the text of the module that browsers import; null when there is none. */
export function readWasm(): Uint8Array | null {
  // File tracers follow paths that are written out.
  try {
    const text = readFileSync(`${__dirname}/../../wasm/inlined.js`, 'latin1');
    const line = text.indexOf(TEXT);
    if (line < 0) return null;
    const start = line + TEXT.length;
    // Loaded here, since whoever has an addon never comes here.
    const { inflateRawSync }: typeof import('node:zlib') = require('node:zlib');
    return inflateRawSync(Buffer.from(text.slice(start, text.indexOf("'", start)), 'base64'));
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code === 'ENOENT') return null;
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
}
