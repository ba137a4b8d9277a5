/** What a prebuilt binary may need and must have, by its headers and symbol tables: docs/release.md says why. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { readLibrary } from '../binary/read.mjs';
import { EXPORTS, GLIBC_FLOOR, MACOS_FLOOR, NODE_API } from './targets.mjs';
import { zig } from './zig.mjs';

const FORMATS = { linux: 'elf', darwin: 'mach-o', win32: 'pe' };

// The system's own libraries alone: nobody's libstdc++ or libgomp, and no runtime to install.
const LIBRARIES = {
  // None by name: glibc's and musl's differ, and the program that loads the addon has either.
  linux: /^$/,
  darwin: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  win32: /^(kernel32|ntdll|advapi32|msvcrt|ucrtbase|api-ms-win-[\w-]+)\.dll$/i,
};

/** What musl offers, by the compiler's list. */
function symbolsOfMusl() {
  const list = readFileSync(join(dirname(zig), 'lib/libc/musl/libc.S'), 'utf8');
  return new Set([...list.matchAll(/^(?:\.globl|\.weak|WEAK64) (\w+)$/gm)].map(([, name]) => name));
}

function newer(version, floor) {
  const [a, b] = [version, floor].map((text) => text.split('.').map(Number));
  return a[0] !== b[0] ? a[0] > b[0] : a[1] > b[1];
}

function nodeApiFunctions() {
  const { symbols } = createRequire(import.meta.url)('node-api-headers');
  const { js_native_api_symbols: language, node_api_symbols: node } = symbols[`v${NODE_API}`];
  return new Set([...language, ...node]);
}

const isNodeApi = (name) => /^(napi|node_api)_/.test(name);

/** @returns { failures, facts }: what is wrong, and what was found, both as texts. */
export function judge(target, bytes) {
  const { platform, arch } = target;
  const failures = [];
  const facts = [];
  const require = (condition, message) => condition || failures.push(message);

  const library = readLibrary(bytes);
  const { imports, exports } = library;
  require(library.format === FORMATS[platform], `is ${library.format}`);
  require(library.arch === arch, `is for ${library.arch}`);
  if (failures.length > 0) return { failures, facts };

  const surplus = exports.filter((name) => !EXPORTS.includes(name));
  const missing = EXPORTS.filter((name) => !exports.includes(name));
  require(surplus.length === 0, `exports ${surplus.join(', ')}`);
  require(missing.length === 0, `does not export ${missing.join(', ')}`);

  const libraries = library.libraries ?? [...new Set(imports.map((symbol) => symbol.library))];
  const foreign = libraries.filter((name) => !LIBRARIES[platform].test(name));
  require(foreign.length === 0, `needs ${foreign.join(', ')}`);

  const known = nodeApiFunctions();
  const names = imports.map((symbol) => symbol.name ?? symbol);
  const tooNew = names.filter((name) => isNodeApi(name) && !known.has(name));
  require(tooNew.length === 0, `needs a Node-API above ${NODE_API}: ${tooNew.join(', ')}`);
  if (platform === 'win32') {
    // Looked up by name in the host (host_imports.cc), whatever it is called.
    require(!names.some(isNodeApi), 'imports Node-API from a file of a fixed name');
    require(bytes.includes('napi_create_function\0'), 'does not look up Node-API in its host');
    require(library.timestamp === 0, 'carries the time of linking');
  } else {
    require(names.includes('napi_create_function'), 'imports no Node-API');
  }

  if (platform === 'linux') {
    require(!library.executableStack, 'asks for an executable stack');
    require(!library.hasSymbolTable, 'is not stripped');
    const versions = imports
      .map(({ version }) => /^GLIBC_(\d+\.\d+)/.exec(version ?? '')?.[1])
      .filter(Boolean);
    const highest = versions.reduce((high, version) => (newer(version, high) ? version : high), '2.0');
    require(!newer(highest, GLIBC_FLOOR), `needs glibc ${highest}`);
    facts.push(`glibc ${highest}`);
    const others = imports.filter(({ library }) => library !== undefined && library !== 'libc.so.6');
    require(others.length ===
      0, `asks versions of ${[...new Set(others.map(({ library }) => library))].join(', ')}`);
    const offered = symbolsOfMusl();
    // Weak ones may stay without a definition: linkers' hooks, and what either_libc.cc asks for.
    const absent = imports.filter(({ name, weak }) => !weak && !isNodeApi(name) && !offered.has(name));
    require(absent.length === 0, `needs of musl ${absent.map(({ name }) => name).join(', ')}`);
    facts.push('musl');
  }
  if (platform === 'darwin') {
    const { minimumSystem, signature } = library;
    require(!library.hasSymbolTable, 'is not stripped');
    require(!newer(minimumSystem, MACOS_FLOOR), `needs macOS ${minimumSystem}`);
    facts.push(`macOS ${minimumSystem}`);
    // Arm Macs refuse to load code without one; Intel Macs do not ask.
    if (arch === 'arm64') require(signature !== undefined, 'has no signature');
    if (signature !== undefined) {
      require(signature.adHoc && signature.sound, 'has a signature that does not fit');
      facts.push('signed ad hoc');
    }
  }
  if (libraries.length > 0) facts.push(`needs ${libraries.map((name) => name.split('/').at(-1)).join(', ')}`);
  return { failures, facts };
}
