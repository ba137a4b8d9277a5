/** Reads what matters of a 64-bit Mach-O file: a dynamic library or an object. */
import { createHash } from 'node:crypto';

const MAGIC = 0xfeedfacf;
const MACHINES = { 16777223: 'x64', 16777228: 'arm64' };
const SYMTAB = 0x2;
const DYSYMTAB = 0xb;
const LOAD_DYLIB = 0xc;
const SEGMENT = 0x19;
const CODE_SIGNATURE = 0x1d;
const FUNCTION_STARTS = 0x26;
const DATA_IN_CODE = 0x29;
const DYLD_INFO = 0x80000022;
const EXPORTS_TRIE = 0x80000033;
// More that may point into the last segment: split info, signing requirements, optimisation hints, tries and fixups.
const LINKEDIT_OTHERS = [0x1e, 0x2b, 0x2e, EXPORTS_TRIE, 0x80000034];
const VERSION_MIN = 0x24;
const BUILD_VERSION = 0x32;

export function isMachO(bytes) {
  return bytes.readUInt32LE(0) === MAGIC;
}

/**
 * @returns arch; minimumSystem, e.g. '11.0'; libraries; exports and imports, names as C has them; hasSymbolTable, whether
 *   it names more than those; signature, undefined when there is none: { adHoc, sound }, where sound says that it fits
 *   every page of the file.
 */
export function readMachO(bytes) {
  const commands = readCommands(bytes);
  const find = (...types) => commands.find(({ type }) => types.includes(type));
  const symbols = readSymbols(bytes, find(SYMTAB));
  const minimum = find(BUILD_VERSION, VERSION_MIN);
  const version = bytes.readUInt32LE(minimum.at + (minimum.type === BUILD_VERSION ? 12 : 8));
  const signature = find(CODE_SIGNATURE);
  return {
    hasSymbolTable: symbols.some(({ defined, external, hidden }) => defined && (!external || hidden)),
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

function endOfCommands(bytes) {
  return 32 + bytes.readUInt32LE(20);
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
      // 0xe0: an entry for debuggers. 0x10: for other objects of the same library, though not for other libraries.
      external: (type & 0xe0) === 0 && (type & 1) !== 0,
      hidden: (type & 0x10) !== 0,
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
 * The same library with no other exports than these, with no symbols but them and what it imports, and signed anew if it
 * was signed. (Zig 0.11 exports hidden symbols too, the C++ library's among them, and leaves the name of every function
 * in, asked to strip or not.)
 */
export function stripped(bytes, names) {
  const head = Buffer.from(bytes.subarray(0, endOfCommands(bytes)));
  const commands = readCommands(head);
  const segment = commands.find(({ type, at }) => type === SEGMENT && text(head, at + 8) === '__LINKEDIT');
  const start = Number(head.readBigUInt64LE(segment.at + 40));
  const signature = commands.find(({ type }) => type === CODE_SIGNATURE);

  // What the last segment holds, each laid down anew behind the one before, where its command is told.
  const pieces = [];
  let end = start;
  const lay = (content, at, count = content.length) => {
    pieces.push({ content, place: end });
    // What was nowhere is nowhere; what is empty has a place in the order none the less.
    if (bytes.readUInt32LE(at) !== 0) head.writeUInt32LE(end, at);
    head.writeUInt32LE(count, at + 4);
    end += (content.length + 7) & ~7;
  };
  const move = (at) => {
    const offset = bytes.readUInt32LE(at);
    lay(bytes.subarray(offset, offset + bytes.readUInt32LE(at + 4)), at);
  };
  for (const { type, at } of commands) {
    if (type === DYLD_INFO) {
      for (const field of [8, 16, 24, 32]) move(at + field);
      lay(onlyExports(trieOf(bytes, commands), names), at + 40);
    } else if (type === FUNCTION_STARTS || type === DATA_IN_CODE) {
      move(at + 8);
    } else if (LINKEDIT_OTHERS.includes(type)) {
      throw new Error(`no way is known to move what load command 0x${type.toString(16)} points to`);
    }
  }
  const table = commands.find(({ type }) => type === SYMTAB).at;
  const dynamic = commands.find(({ type }) => type === DYSYMTAB).at;
  const { entries, strings, indirect, exported } = onlySymbols(bytes, table, dynamic, names);
  lay(Buffer.concat(entries), table + 8, entries.length);
  lay(indirect, dynamic + 56, indirect.length / 4);
  lay(strings, table + 16);
  // Local symbols, exports, imports: the first of each kind, and how many.
  for (const [i, value] of [0, 0, 0, exported, exported, entries.length - exported].entries()) {
    head.writeUInt32LE(value, dynamic + 8 + 4 * i);
  }

  end = signature === undefined ? end : (end + 15) & ~15;
  const seal = signature && bytes.readUInt32LE(signature.at + 8);
  const size = signature === undefined ? 0 : signatureSize(bytes, seal, end);
  if (signature !== undefined) {
    head.writeUInt32LE(end, signature.at + 8);
    head.writeUInt32LE(size, signature.at + 12);
  }
  const page = MACHINES[head.readUInt32LE(4)] === 'arm64' ? 0x4000 : 0x1000;
  head.writeBigUInt64LE(BigInt(Math.ceil((end + size - start) / page) * page), segment.at + 32);
  head.writeBigUInt64LE(BigInt(end + size - start), segment.at + 48);

  const result = Buffer.alloc(end + size);
  bytes.copy(result, 0, 0, start);
  head.copy(result);
  for (const { content, place } of pieces) content.copy(result, place);
  if (signature !== undefined) sign(result, end, bytes, seal);
  return result;
}

function onlyExports(trie, names) {
  const kept = readExports(trie).filter(({ name }) => names.includes(plain(name)));
  return writeExports(kept.sort((a, b) => (a.name < b.name ? -1 : 1)));
}

/** Symbols without the local ones and the exports that are none of `names`, and what refers to them by number. */
function onlySymbols(bytes, table, dynamic, names) {
  const LOCAL = 0x80000000;
  const entries = [];
  const texts = [Buffer.of(0)];
  const numbers = new Map();
  let [used, exported] = [1, 0];
  for (const [i, { name, external, hidden, defined }] of readSymbols(bytes, { at: table }).entries()) {
    if (!external || hidden || (defined && !names.includes(plain(name)))) continue;
    const at = bytes.readUInt32LE(table + 8) + 16 * i;
    const entry = Buffer.from(bytes.subarray(at, at + 16));
    entry.writeUInt32LE(used, 0);
    numbers.set(i, entries.length);
    entries.push(entry);
    texts.push(Buffer.from(`${name}\0`, 'latin1'));
    used += name.length + 1;
    if (defined) exported += 1;
  }
  const [from, count] = [56, 60].map((field) => bytes.readUInt32LE(dynamic + field));
  const indirect = Buffer.from(bytes.subarray(from, from + 4 * count));
  for (let at = 0; at < indirect.length; at += 4) {
    const number = indirect.readUInt32LE(at);
    // The two highest bits: no symbol at all.
    if (number < 0x40000000) indirect.writeUInt32LE(numbers.get(number) ?? LOCAL, at);
  }
  return { entries, strings: Buffer.concat(texts), indirect, exported };
}

function uleb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at += 1) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

function readSignature(bytes, at) {
  const directory = codeDirectory(bytes, at);
  if (directory === undefined) return { adHoc: false, sound: false };
  const AD_HOC = 2;
  const pages = pagesOf(bytes, directory.limit, directory.pageSize);
  const fits = (content, i) => hash(content).equals(directory.hashes.subarray(32 * i, 32 * i + 32));
  return {
    adHoc: (directory.flags & AD_HOC) !== 0,
    sound: directory.limit === at && directory.slots === pages.length && pages.every(fits),
  };
}

/** Of a signature with one blob, as linkers write it: magic, size, 1, its type, its place, and the code directory. */
const BLOB = 20;

/** The part of a signature that holds the hash of each page; all of its numbers are big-endian. */
function codeDirectory(bytes, signature) {
  const EMBEDDED = 0xfade0cc0;
  const DIRECTORY = 0xfade0c02;
  if (bytes.readUInt32BE(signature) !== EMBEDDED || bytes.readUInt32BE(signature + 8) !== 1) return undefined;
  const at = signature + bytes.readUInt32BE(signature + 16);
  if (at !== signature + BLOB || bytes.readUInt32BE(at) !== DIRECTORY || bytes[at + 36] !== 32)
    return undefined;
  const [size, flags, hashOffset, slots, limit] = [4, 12, 16, 28, 32].map((field) =>
    bytes.readUInt32BE(at + field),
  );
  const hashes = bytes.subarray(at + hashOffset, at + size);
  return {
    fields: bytes.subarray(at, at + hashOffset),
    flags,
    slots,
    limit,
    pageSize: 2 ** bytes[at + 39],
    hashes,
  };
}

function pagesOf(bytes, limit, pageSize) {
  return Array.from({ length: Math.ceil(limit / pageSize) }, (_, page) =>
    bytes.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit)),
  );
}

function hash(content) {
  return createHash('sha256').update(content).digest();
}

/** The size of a signature of `limit` bytes made like that one. */
function signatureSize(bytes, like, limit) {
  const { fields, pageSize } = codeDirectory(bytes, like);
  return BLOB + fields.length + 32 * Math.ceil(limit / pageSize);
}

/** Signs what stands before `at`, as that one was signed. */
function sign(bytes, at, from, like) {
  const { fields, pageSize } = codeDirectory(from, like);
  from.copy(bytes, at, like, like + BLOB);
  fields.copy(bytes, at + BLOB);
  const pages = pagesOf(bytes, at, pageSize);
  const directory = fields.length + 32 * pages.length;
  bytes.writeUInt32BE(BLOB + directory, at + 4);
  bytes.writeUInt32BE(directory, at + BLOB + 4);
  bytes.writeUInt32BE(pages.length, at + BLOB + 28);
  bytes.writeUInt32BE(at, at + BLOB + 32);
  for (const [i, page] of pages.entries()) hash(page).copy(bytes, at + BLOB + fields.length + 32 * i);
}

function text(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
