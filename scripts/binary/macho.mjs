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
  const minimum = find(BUILD_VERSION, VERSION_MIN);
  const version = bytes.readUInt32LE(minimum.at + (minimum.type === BUILD_VERSION ? 12 : 8));
  const signature = find(CODE_SIGNATURE);
  return {
    arch: MACHINES[bytes.readUInt32LE(4)],
    minimumSystem: `${version >> 16}.${(version >> 8) & 0xff}`,
    libraries: commands
      .filter(({ type }) => type === LOAD_DYLIB)
      .map(({ at }) => text(bytes, at + bytes.readUInt32LE(at + 8))),
    exports: readExports(trieOf(bytes, commands)).map(({ name }) => plain(name)),
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

function trieOf(bytes, commands) {
  const separate = commands.find(({ type }) => type === EXPORTS_TRIE);
  const info = commands.find(({ type }) => type === DYLD_INFO);
  const field = separate ? separate.at + 8 : info.at + 40;
  const offset = bytes.readUInt32LE(field);
  return bytes.subarray(offset, offset + bytes.readUInt32LE(field + 4));
}

/**
 * What the exports' trie holds: a node is size, payload (flags and address), number of edges, edges (text, offset).
 *
 * @returns { name, payload } of each export.
 */
function readExports(trie) {
  const found = [];
  const walk = (at, prefix) => {
    const [size, body] = uleb(trie, at);
    if (size > 0) found.push({ name: prefix, payload: trie.subarray(body, body + size) });
    let edge = body + size + 1;
    for (let left = trie[body + size]; left > 0; left -= 1) {
      const label = text(trie, edge);
      const [child, next] = uleb(trie, edge + label.length + 1);
      walk(child, prefix + label);
      edge = next;
    }
  };
  if (trie.length > 0) walk(0, '');
  return found;
}

/** The trie of these exports, sorted by name: one node for what the names share, and a leaf for each. */
function writeExports(exports) {
  const shared = commonPrefix(exports.map(({ name }) => name));
  const edge = (label, target) => Buffer.concat([Buffer.from(`${label}\0`, 'latin1'), Buffer.of(target)]);
  const rootSize = 2 + shared.length + 2;
  const labels = exports.map(({ name }) => name.slice(shared.length));
  let leaf = rootSize + 2 + labels.reduce((size, label) => size + label.length + 2, 0);
  const edges = [];
  const leaves = [];
  for (const [i, { payload }] of exports.entries()) {
    edges.push(edge(labels[i], leaf));
    leaves.push(Buffer.of(payload.length), payload, Buffer.of(0));
    leaf += payload.length + 2;
  }
  // Sizes and offsets below 128 are one byte each: enough for the few names of an addon.
  if (leaf > 127) throw new Error('too many exports for so simple a trie');
  return Buffer.concat([
    Buffer.of(0, 1),
    edge(shared, rootSize),
    Buffer.of(0, exports.length),
    ...edges,
    ...leaves,
  ]);
}

function commonPrefix([first, ...rest]) {
  let length = first.length;
  for (const name of rest) while (!name.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}

/**
 * The same library with no other exports than these, and its signature made to fit again. (Zig 0.11 exports hidden
 * symbols too, the C++ library's among them.)
 */
export function withOnlyExports(bytes, names) {
  const copy = Buffer.from(bytes);
  const commands = readCommands(copy);
  const trie = trieOf(copy, commands);
  const kept = readExports(trie)
    .filter(({ name }) => names.includes(plain(name)))
    .map(({ name, payload }) => ({ name, payload: Buffer.from(payload) }));
  const written = writeExports(kept.sort((a, b) => (a.name < b.name ? -1 : 1)));
  if (written.length > trie.length) throw new Error('the trie would grow');
  trie.fill(0);
  written.copy(trie);
  const signature = commands.find(({ type }) => type === CODE_SIGNATURE);
  if (signature !== undefined) {
    for (const { content, hash } of signedPages(copy, copy.readUInt32LE(signature.at + 8)).pages) {
      createHash('sha256').update(content).digest().copy(hash);
    }
  }
  return copy;
}

function uleb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

function readSignature(bytes, at) {
  const { adHoc, limit, pages } = signedPages(bytes, at);
  const fits = ({ content, hash }) => createHash('sha256').update(content).digest().equals(hash);
  return { adHoc, sound: limit === at && pages.length > 0 && pages.every(fits) };
}

/**
 * A signature is a list of blobs, big-endian; the code directory among them has the hash of each page.
 *
 * @returns adHoc; limit, where what is signed ends; pages, { content, hash }: views of the bytes.
 */
function signedPages(bytes, at) {
  const EMBEDDED = 0xfade0cc0;
  const DIRECTORY = 0xfade0c02;
  const AD_HOC = 2;
  const blobs = bytes.readUInt32BE(at) === EMBEDDED ? bytes.readUInt32BE(at + 8) : 0;
  for (let i = 0; i < blobs; i += 1) {
    const blob = at + bytes.readUInt32BE(at + 12 + 8 * i + 4);
    if (bytes.readUInt32BE(blob) !== DIRECTORY) continue;
    const hashes = blob + bytes.readUInt32BE(blob + 16);
    const limit = bytes.readUInt32BE(blob + 32);
    const hashSize = bytes[blob + 36];
    const pageSize = 2 ** bytes[blob + 39];
    const pages = Array.from({ length: bytes.readUInt32BE(blob + 28) }, (_, page) => ({
      content: bytes.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit)),
      hash: bytes.subarray(hashes + page * hashSize, hashes + (page + 1) * hashSize),
    }));
    return { adHoc: (bytes.readUInt32BE(blob + 12) & AD_HOC) !== 0, limit, pages };
  }
  return { adHoc: false, limit: -1, pages: [] };
}

function text(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
