/** Reads what matters of a 64-bit Mach-O file: a dynamic library or an object. */
import { createHash } from 'node:crypto';

const MAGIC = 0xfeedfacf;
const MACHINES = { 16777223: 'x64', 16777228: 'arm64' };
const SYMTAB = 0x2;
const LOAD_DYLIB = 0xc;
const CODE_SIGNATURE = 0x1d;
const DYLD_INFO = 0x80000022;
const EXPORTS_TRIE = 0x80000033;
const VERSION_MIN = 0x24;
const BUILD_VERSION = 0x32;

export function isMachO(bytes) {
  return bytes.readUInt32LE(0) === MAGIC;
}

/**
 * @returns arch; minimumSystem, e.g. '11.0'; libraries; exports and imports, names as C has them; signature, undefined
 *   when there is none: { adHoc, sound }, where sound says that it fits every page of the file.
 */
export function readMachO(bytes) {
  const commands = readCommands(bytes);
  const find = (...types) => commands.find(({ type }) => types.includes(type));
  const symbols = readSymbols(bytes, find(SYMTAB));
  const trie = find(EXPORTS_TRIE);
  const info = find(DYLD_INFO);
  const [exportsAt, exportsSize] = trie
    ? [bytes.readUInt32LE(trie.at + 8), bytes.readUInt32LE(trie.at + 12)]
    : [bytes.readUInt32LE(info.at + 40), bytes.readUInt32LE(info.at + 44)];
  const minimum = find(BUILD_VERSION, VERSION_MIN);
  const version = bytes.readUInt32LE(minimum.at + (minimum.type === BUILD_VERSION ? 12 : 8));
  const signature = find(CODE_SIGNATURE);
  return {
    arch: MACHINES[bytes.readUInt32LE(4)],
    minimumSystem: `${version >> 16}.${(version >> 8) & 0xff}`,
    libraries: commands
      .filter(({ type }) => type === LOAD_DYLIB)
      .map(({ at }) => text(bytes, at + bytes.readUInt32LE(at + 8))),
    exports: readExports(bytes.subarray(exportsAt, exportsAt + exportsSize)).map(plain),
    imports: symbols.filter(({ defined, external }) => external && !defined).map(({ name }) => plain(name)),
    signature: signature && readSignature(bytes, bytes.readUInt32LE(signature.at + 8)),
  };
}

/** Every symbol that an object defines for others: { name, weak }. */
export function readMachOObject(bytes) {
  return readSymbols(
    bytes,
    readCommands(bytes).find(({ type }) => type === SYMTAB),
  )
    .filter(({ defined, external }) => defined && external)
    .map(({ name, weak }) => ({ name: plain(name), weak }));
}

// The C compiler puts an underscore before each name.
function plain(name) {
  return name.replace(/^_/, '');
}

function readCommands(bytes) {
  const commands = [];
  let at = 32;
  for (let left = bytes.readUInt32LE(16); left > 0; left -= 1) {
    commands.push({ type: bytes.readUInt32LE(at), at });
    at += bytes.readUInt32LE(at + 4);
  }
  return commands;
}

function readSymbols(bytes, { at }) {
  const [offset, count, strings] = [8, 12, 16].map((field) => bytes.readUInt32LE(at + field));
  return Array.from({ length: count }, (_, i) => {
    const entry = offset + 16 * i;
    const type = bytes[entry + 4];
    return {
      name: text(bytes, strings + bytes.readUInt32LE(entry)),
      // 0xe0: an entry for debuggers. 0x10: private to the library, though not to the object.
      external: (type & 0xe0) === 0 && (type & 0x10) === 0 && (type & 1) !== 0,
      defined: (type & 0x0e) !== 0,
      weak: (bytes.readUInt16LE(entry + 6) & 0x80) !== 0,
    };
  });
}

/** Names at the leaves of the exports' trie: node = size, what it is, number of edges, edges (text, offset). */
function readExports(trie) {
  const names = [];
  const walk = (at, prefix) => {
    const [size, body] = uleb(trie, at);
    if (size > 0) names.push(prefix);
    let edge = body + size + 1;
    for (let left = trie[body + size]; left > 0; left -= 1) {
      const label = text(trie, edge);
      const [child, next] = uleb(trie, edge + label.length + 1);
      walk(child, prefix + label);
      edge = next;
    }
  };
  if (trie.length > 0) walk(0, '');
  return names;
}

function uleb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

/** A signature is a list of blobs, big-endian; the code directory among them has the hash of each page. */
function readSignature(bytes, at) {
  const EMBEDDED = 0xfade0cc0;
  const DIRECTORY = 0xfade0c02;
  if (bytes.readUInt32BE(at) !== EMBEDDED) return { adHoc: false, sound: false };
  for (let i = 0; i < bytes.readUInt32BE(at + 8); i += 1) {
    const blob = at + bytes.readUInt32BE(at + 12 + 8 * i + 4);
    if (bytes.readUInt32BE(blob) !== DIRECTORY) continue;
    const hashes = blob + bytes.readUInt32BE(blob + 16);
    const pages = bytes.readUInt32BE(blob + 28);
    const limit = bytes.readUInt32BE(blob + 32);
    const hashSize = bytes[blob + 36];
    const pageSize = 2 ** bytes[blob + 39];
    const sound = Array.from({ length: pages }, (_, page) => {
      const content = bytes.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit));
      const hash = createHash('sha256').update(content).digest();
      return hash.equals(bytes.subarray(hashes + page * hashSize, hashes + (page + 1) * hashSize));
    }).every(Boolean);
    return { adHoc: (bytes.readUInt32BE(blob + 12) & 2) !== 0, sound: sound && limit === at };
  }
  return { adHoc: false, sound: false };
}

function text(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
