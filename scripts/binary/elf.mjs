/** Reads what matters of an ELF file for 64-bit little-endian machines: a shared library or an object. */

const MACHINES = { 62: 'x64', 183: 'arm64' };
const SYMTAB = 2;
const DYNAMIC = 6;
const NEEDED = 1n;
const DYNSYM = 11;
const VERNEED = 0x6ffffffe;
const VERSYM = 0x6fffffff;
const GNU_STACK = 0x6474e551;
const LIBC = 'libc.so.6';

export function isElf(bytes) {
  return bytes.readUInt32BE(0) === 0x7f454c46;
}

/**
 * @returns arch; libraries, the shared libraries it needs; exports, names; imports, { name, weak, version, library } with
 *   the last two undefined for symbols without a version; executableStack; hasSymbolTable, whether it is unstripped.
 */
export function readElf(bytes) {
  const sections = readSections(bytes);
  const dynamicSymbols = sections.find(({ type }) => type === DYNSYM);
  const symbols = dynamicSymbols ? readSymbols(bytes, sections, dynamicSymbols) : [];
  const versions = readVersions(bytes, sections);
  const versionOf = sections.find(({ type }) => type === VERSYM);
  const imports = [];
  const exports = [];
  for (const [index, { name, defined, global, weak }] of symbols.entries()) {
    if (name === '' || !global) continue;
    if (defined) exports.push(name);
    else {
      const id = versionOf ? bytes.readUInt16LE(versionOf.offset + 2 * index) & 0x7fff : 0;
      imports.push({ name, weak, ...versions.get(id) });
    }
  }
  return {
    arch: MACHINES[bytes.readUInt16LE(18)],
    libraries: readNeeded(bytes, sections),
    exports,
    imports,
    executableStack: hasExecutableStack(bytes),
    hasSymbolTable: sections.some(({ type }) => type === SYMTAB),
  };
}

/**
 * The same library without the names of those that it needs, as both C libraries load it: what it wants of them, the program
 * has that loads it. glibc still gives each symbol in the version that it was linked with; every version is asked of the C
 * library, which has had each of them first, since the others may not be there under their names.
 */
export function withoutLibraries(bytes) {
  const copy = Buffer.from(bytes);
  const sections = readSections(copy);
  const { offset, size } = sections.find(({ type }) => type === DYNAMIC);
  const end = offset + size;
  for (let at = offset; at < end; ) {
    if (copy.readBigUInt64LE(at) === NEEDED) copy.copyWithin(at, at + 16, end).fill(0, end - 16, end);
    else at += 16;
  }
  const files = versionFiles(copy, sections);
  const libc = files.find(({ library }) => library === LIBC);
  for (const { at } of files) copy.copyWithin(at + 4, libc.at + 4, libc.at + 8);
  return copy;
}

/** Every symbol that an object defines for others: { name, weak }. */
export function readElfObject(bytes) {
  const sections = readSections(bytes);
  const table = sections.find(({ type }) => type === SYMTAB);
  return readSymbols(bytes, sections, table)
    .filter(({ defined, global }) => defined && global)
    .map(({ name, weak }) => ({ name, weak }));
}

function readSections(bytes) {
  const start = Number(bytes.readBigUInt64LE(40));
  const size = bytes.readUInt16LE(58);
  const count = bytes.readUInt16LE(60);
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
    };
  });
}

function readSymbols(bytes, sections, { offset, size, link }) {
  const strings = sections[link].offset;
  return Array.from({ length: size / 24 }, (_, i) => {
    const at = offset + 24 * i;
    const binding = bytes[at + 4] >> 4;
    return {
      name: text(bytes, strings + bytes.readUInt32LE(at)),
      defined: bytes.readUInt16LE(at + 6) !== 0,
      global: binding !== 0,
      weak: binding === 2,
    };
  });
}

/** Version index → { version, library }, e.g. GLIBC_2.17 of libc.so.6. */
function readVersions(bytes, sections) {
  const versions = new Map();
  for (const { at, library, strings } of versionFiles(bytes, sections)) {
    let auxiliary = at + bytes.readUInt32LE(at + 8);
    for (let i = bytes.readUInt16LE(at + 2); i > 0; i -= 1) {
      const version = text(bytes, strings + bytes.readUInt32LE(auxiliary + 8));
      versions.set(bytes.readUInt16LE(auxiliary + 6), { version, library });
      auxiliary += bytes.readUInt32LE(auxiliary + 12);
    }
  }
  return versions;
}

/** The libraries of which versions are asked: where each entry is, and where the names in it are. */
function versionFiles(bytes, sections) {
  const section = sections.find(({ type }) => type === VERNEED);
  if (section === undefined) return [];
  const strings = sections[section.link].offset;
  const files = [];
  let at = section.offset;
  for (let left = section.info; left > 0; left -= 1) {
    files.push({ at, strings, library: text(bytes, strings + bytes.readUInt32LE(at + 4)) });
    at += bytes.readUInt32LE(at + 12);
  }
  return files;
}

function readNeeded(bytes, sections) {
  const section = sections.find(({ type }) => type === DYNAMIC);
  if (section === undefined) return [];
  const strings = sections[section.link].offset;
  const needed = [];
  for (let at = section.offset; at < section.offset + section.size; at += 16) {
    if (bytes.readBigUInt64LE(at) === NEEDED) {
      needed.push(text(bytes, strings + Number(bytes.readBigUInt64LE(at + 8))));
    }
  }
  return needed;
}

/** As the loader decides it: by the GNU_STACK segment, whose absence asks for one. */
function hasExecutableStack(bytes) {
  const start = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  for (let i = 0; i < bytes.readUInt16LE(56); i += 1) {
    const at = start + i * size;
    if (bytes.readUInt32LE(at) === GNU_STACK) return (bytes.readUInt32LE(at + 4) & 1) !== 0;
  }
  return true;
}

function text(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
