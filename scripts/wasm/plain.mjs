/**
 * Writes relaxed multiply-adds as instructions that every WebAssembly with vectors knows, so that one file serves all: each
 * becomes
 *
 *     local.set t, mul, [neg,] local.get t, add
 *
 * of the three operands on the stack, with a local of its own in each function. lib/backend/wasm/relaxed.ts finds these bytes
 * and writes the one instruction over them.
 */
const V128 = 0x7b;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;

/** The relaxed instruction → those in its place. */
const UNFUSED = new Map([
  [0x105, { mul: 0xe6, neg: undefined, add: 0xe4 }],
  [0x106, { mul: 0xe6, neg: 0xe1, add: 0xe4 }],
  [0x107, { mul: 0xf2, neg: undefined, add: 0xf0 }],
  [0x108, { mul: 0xf2, neg: 0xed, add: 0xf0 }],
]);

/** The bytes of one, wherever they stand. */
const ANYWHERE =
  /21 ([0-7]\w|[89a-f]\w \w\w) (fd e6 01 (fd e1 01 )?20 \1 fd e4 01|fd f2 01 (fd ed 01 )?20 \1 fd f0 01)/g;

function lebOf(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...lebOf(Math.floor(value / 128))];
}

class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  byte() {
    return this.bytes[this.at++];
  }
  leb() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  skip(count) {
    this.at += count;
  }
  /** Of any width and sign. */
  skipLeb(count = 1) {
    for (let i = 0; i < count; i++) while (this.byte() >= 128);
  }
}

/** Passes one instruction with its immediates. @returns its opcode behind the prefix of vectors, if it has that. */
function vectorOpcode(code) {
  const opcode = code.byte();
  if (opcode === 0xfd) {
    const vector = code.leb();
    if (vector <= 11 || vector === 92 || vector === 93) code.skipLeb(2);
    else if (vector === 12 || vector === 13) code.skip(16);
    else if (vector >= 21 && vector <= 34) code.skip(1);
    else if (vector >= 84 && vector <= 91) {
      code.skipLeb(2);
      code.skip(1);
    }
    return vector;
  }
  if (opcode === 0xfc) {
    const more = code.leb();
    // memory.init, data.drop, memory.copy, memory.fill
    if (more >= 8) code.skipLeb({ 8: 2, 9: 1, 10: 2, 11: 1 }[more] ?? unknown(`0xfc ${more}`));
  } else if (opcode >= 0x28 && opcode <= 0x3e) code.skipLeb(2);
  else if (opcode === 0x43) code.skip(4);
  else if (opcode === 0x44) code.skip(8);
  else if (opcode === 0x0e) code.skipLeb(code.leb() + 1);
  else if (opcode === 0x11) code.skipLeb(2);
  else if (ONE_IMMEDIATE.has(opcode)) code.skipLeb();
  else if (!(NO_IMMEDIATE.has(opcode) || (opcode >= 0x45 && opcode <= 0xc4)))
    unknown(`0x${opcode.toString(16)}`);
  return undefined;
}

// Blocks, branches, calls, exceptions, locals and globals, memory's size, integers.
const ONE_IMMEDIATE = new Set([
  ...[0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0c, 0x0d, 0x10, 0x18],
  ...[0x20, 0x21, 0x22, 0x23, 0x24, 0x3f, 0x40, 0x41, 0x42],
]);
// unreachable, nop, else, end, return, catch_all, drop, select
const NO_IMMEDIATE = new Set([0x00, 0x01, 0x05, 0x0b, 0x0f, 0x19, 0x1a, 0x1b]);

function unknown(opcode) {
  throw new Error(`plain.mjs knows no instruction ${opcode}`);
}

/** @returns the body of a function without relaxed instructions, and how many it had. */
function plainBody(bytes, parameters) {
  const code = new Reader(bytes);
  const groups = code.leb();
  let locals = parameters;
  for (let i = 0; i < groups; i++) {
    locals += code.leb();
    code.skip(1);
  }
  const start = code.at;
  const parts = [];
  let copied = start;
  let count = 0;
  while (code.at < bytes.length) {
    const { at } = code;
    const instead = UNFUSED.get(vectorOpcode(code));
    if (instead === undefined) continue;
    const vector = (opcode) => (opcode === undefined ? [] : [0xfd, ...lebOf(opcode)]);
    const local = lebOf(locals);
    parts.push(bytes.subarray(copied, at));
    parts.push([LOCAL_SET, ...local, ...vector(instead.mul), ...vector(instead.neg)]);
    parts.push([LOCAL_GET, ...local, ...vector(instead.add)]);
    copied = code.at;
    count++;
  }
  if (count === 0) return { body: bytes, count };
  const declared = [
    lebOf(groups + 1),
    bytes.subarray(new Reader(bytes).leb() < 128 ? 1 : 2, start),
    [1, V128],
  ];
  return { body: Buffer.concat([...declared, ...parts, bytes.subarray(copied)].map(Buffer.from)), count };
}

/** How many parameters each function has, in order. */
function parametersOf(sections) {
  const types = new Reader(sections.get(1));
  const counts = Array.from({ length: types.leb() }, () => {
    types.skip(1);
    const count = types.leb();
    types.skip(count);
    types.skip(types.leb());
    return count;
  });
  const functions = new Reader(sections.get(3));
  return Array.from({ length: functions.leb() }, () => counts[functions.leb()]);
}

/** @param file  What the compiler linked, with relaxed multiply-adds. */
export function plain(file) {
  const all = [];
  const whole = new Reader(file, 8);
  while (whole.at < file.length) {
    const id = whole.byte();
    const size = whole.leb();
    all.push([id, file.subarray(whole.at, whole.at + size)]);
    whole.skip(size);
  }
  const sections = new Map(all);
  const parameters = parametersOf(sections);
  const code = new Reader(sections.get(10));
  let sites = 0;
  const bodies = Array.from({ length: code.leb() }, (_, i) => {
    const size = code.leb();
    const { body, count } = plainBody(code.bytes.subarray(code.at, code.at + size), parameters[i]);
    code.skip(size);
    sites += count;
    return Buffer.concat([Buffer.from(lebOf(body.length)), body]);
  });
  const written = all.map(([id, content]) => {
    const bytes = id === 10 ? Buffer.concat([Buffer.from(lebOf(bodies.length)), ...bodies]) : content;
    return Buffer.concat([Buffer.from([id, ...lebOf(bytes.length)]), bytes]);
  });
  const result = Buffer.concat([file.subarray(0, 8), ...written]);
  // Elsewhere in the file these bytes would be written over, too.
  const found = result.toString('hex').replace(/../g, '$& ').match(ANYWHERE)?.length;
  if (found !== sites) throw new Error(`of ${sites} multiply-adds ${found} would be found`);
  return result;
}
