/**
 * Multiply-adds that round once where the machine under WebAssembly does: in the file, which every WebAssembly with vectors can
 * run, each is a product and a sum, written by scripts/wasm/plain.mjs in a form that nothing else in the file has. Where the
 * relaxed instruction is known, it takes their place.
 */

const NOP = 0x01;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
/** Before the opcodes of vectors. */
const VECTOR = 0xfd;

/** An opcode of two bytes behind the prefix: the first byte has the lowest bits. */
const F32X4 = { mul: 0xe6, neg: 0xe1, add: 0xe4, madd: 0x85, nmadd: 0x86 };
const F64X2 = { mul: 0xf2, neg: 0xed, add: 0xf0, madd: 0x87, nmadd: 0x88 };

interface Fused {
  /** Its opcode's first byte. */
  readonly opcode: number;
  /** Of the instructions in its place. */
  readonly bytes: number;
}

/** The relaxed instruction that those from this place on stand for: local.set t, mul, neg or nothing, local.get t, add. */
function fusedAt(file: Uint8Array, at: number): Fused | undefined {
  if (file[at] !== LOCAL_SET) return undefined;
  const place = file[at + 1] < 128 ? 1 : 2;
  let next = at + 1 + place;
  const lanes = file[next + 1] === F32X4.mul ? F32X4 : F64X2;
  const isVector = (opcode: number): boolean =>
    file[next] === VECTOR && file[next + 1] === opcode && file[next + 2] === 1;
  if (!isVector(lanes.mul)) return undefined;
  next += 3;
  const isNegated = isVector(lanes.neg);
  if (isNegated) next += 3;
  if (file[next] !== LOCAL_GET || file[next + 1] !== file[at + 1]) return undefined;
  if (place === 2 && file[next + 2] !== file[at + 2]) return undefined;
  next += 1 + place;
  if (!isVector(lanes.add)) return undefined;
  return { opcode: isNegated ? lanes.nmadd : lanes.madd, bytes: next + 3 - at };
}

/** The file with its relaxed instructions: a copy. */
export function relaxed(file: Uint8Array): Uint8Array {
  const result = file.slice();
  for (let at = result.indexOf(LOCAL_SET); at >= 0; at = result.indexOf(LOCAL_SET, at + 1)) {
    // Most of those that set a local are told by one byte.
    const next = result[at + 1] < 128 ? at + 2 : at + 3;
    const fused = result[next] === VECTOR ? fusedAt(result, at) : undefined;
    if (fused === undefined) continue;
    result.fill(NOP, at, at + fused.bytes);
    result.set([VECTOR, fused.opcode, 2], at);
  }
  return result;
}
