/** Reads what matters of a 64-bit Windows DLL, or of a COFF object. */

const MACHINES = { 34404: 'x64', 43620: 'arm64' };
const EXTERNAL = 2;
const WEAK_EXTERNAL = 105;

export function isPe(bytes) {
  return bytes.readUInt16LE(0) === 0x5a4d;
}

export function isCoffObject(bytes) {
  return bytes.readUInt16LE(0) in MACHINES;
}

/** @returns arch; exports, names; imports, { library, name }, of which the delayed ones too; timestamp. */
export function readPe(bytes) {
  const { header, optional, at } = layout(bytes);
  const directory = (index) => bytes.readUInt32LE(optional + 112 + 8 * index);
  return {
    arch: MACHINES[bytes.readUInt16LE(header)],
    timestamp: bytes.readUInt32LE(header + 4),
    exports: readExports(bytes, at, directory(0)),
    imports: [
      ...readImports(bytes, at, directory(1), { size: 20, names: 0, library: 12 }),
      ...readImports(bytes, at, directory(13), { size: 32, names: 16, library: 4 }),
    ],
  };
}

/** Every symbol that an object defines for others: { name, weak }. */
export function readCoffObject(bytes) {
  const table = bytes.readUInt32LE(8);
  const count = bytes.readUInt32LE(12);
  const strings = table + 18 * count;
  const symbols = [];
  for (let i = 0; i < count; i += 1 + bytes[table + 18 * i + 17]) {
    const at = table + 18 * i;
    const long = bytes.readUInt32LE(at) === 0;
    const name = long
      ? text(bytes, strings + bytes.readUInt32LE(at + 4))
      : bytes.toString('latin1', at, at + 8).replace(/\0.*$/s, '');
    const storage = bytes[at + 16];
    // A weak symbol names another definition; a shared one (COMDAT) is external as any other.
    if (storage === WEAK_EXTERNAL) symbols.push({ name, weak: true });
    else if (storage === EXTERNAL && bytes.readInt16LE(at + 12) !== 0) symbols.push({ name, weak: false });
  }
  return symbols;
}

/** The same DLL with the time of linking set to zero: equal sources give equal files. */
export function withoutTimestamp(bytes) {
  const copy = Buffer.from(bytes);
  const { header, optional, at } = layout(copy);
  copy.writeUInt32LE(0, header + 4);
  const exported = copy.readUInt32LE(optional + 112);
  if (exported !== 0) copy.writeUInt32LE(0, at(exported) + 4);
  copy.writeUInt32LE(0, optional + 64); // the checksum, which only drivers need
  return copy;
}

/** The same DLL with no other exports than these: those of libunwind are written into its objects, for no one here. */
export function withOnlyExports(bytes, kept) {
  const copy = Buffer.from(bytes);
  const { optional, at } = layout(copy);
  const table = at(copy.readUInt32LE(optional + 112));
  const [functions, names, ordinals] = [28, 32, 36].map((field) => at(copy.readUInt32LE(table + field)));
  let count = 0;
  for (const [i, name] of readExports(copy, at, copy.readUInt32LE(optional + 112)).entries()) {
    const ordinal = copy.readUInt16LE(ordinals + 2 * i);
    if (kept.includes(name)) {
      // Names stay in order, which is what the loader searches them by.
      copy.copyWithin(names + 4 * count, names + 4 * i, names + 4 * i + 4);
      copy.writeUInt16LE(ordinal, ordinals + 2 * count);
      count += 1;
    } else {
      copy.writeUInt32LE(0, functions + 4 * ordinal);
    }
  }
  copy.writeUInt32LE(count, table + 24);
  return copy;
}

function layout(bytes) {
  const header = bytes.readUInt32LE(0x3c) + 4;
  const optional = header + 20;
  const sections = optional + bytes.readUInt16LE(header + 16);
  const count = bytes.readUInt16LE(header + 2);
  /** Address in memory → offset in the file. */
  const at = (address) => {
    for (let i = 0; i < count; i += 1) {
      const section = sections + 40 * i;
      const start = bytes.readUInt32LE(section + 12);
      if (address >= start && address < start + bytes.readUInt32LE(section + 16)) {
        return address - start + bytes.readUInt32LE(section + 20);
      }
    }
    throw new Error(`no section holds address ${address.toString(16)}`);
  };
  return { header, optional, at };
}

function readExports(bytes, at, address) {
  if (address === 0) return [];
  const table = at(address);
  const names = at(bytes.readUInt32LE(table + 32));
  return Array.from({ length: bytes.readUInt32LE(table + 24) }, (_, i) =>
    text(bytes, at(bytes.readUInt32LE(names + 4 * i))),
  );
}

function readImports(bytes, at, address, { size, names, library }) {
  const imports = [];
  if (address === 0) return imports;
  for (let entry = at(address); bytes.readUInt32LE(entry + library) !== 0; entry += size) {
    const from = text(bytes, at(bytes.readUInt32LE(entry + library)));
    for (let thunk = at(bytes.readUInt32LE(entry + names)); ; thunk += 8) {
      const value = bytes.readBigUInt64LE(thunk);
      if (value === 0n) break;
      const byOrdinal = value >> 63n === 1n;
      const name = byOrdinal ? `#${value & 0xffffn}` : text(bytes, at(Number(value)) + 2);
      imports.push({ library: from, name });
    }
  }
  return imports;
}

function text(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
