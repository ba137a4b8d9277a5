// Ends `npm run build:native` and `npm run build:ts`: scripts/ensure-built.mjs need not run them again.
import { isThere, markBuilt } from './built.mjs';

const part = process.argv[2];
// Elsewhere than on Linux x64 there is no WebAssembly to note.
if (part !== 'wasm' || isThere(part)) markBuilt(part);
