/** Deflate, backwards (RFC 1951): where nothing inflates synchronously, as in browsers. Of data that is known to be sound. */

/** What the next bits mean, the first of them lowest: a symbol, shifted by four, and how many bits it takes. */
interface Code {
  readonly entries: Uint16Array;
  /** Of the longest symbol. */
  readonly bits: number;
}

const MOST_BITS = 15;

/** The canonical code of symbols by the number of bits that each has, 0 for none. */
function codeOf(lengths: ArrayLike<number>): Code {
  const counts = new Uint16Array(MOST_BITS + 1);
  for (let i = 0; i < lengths.length; i++) counts[lengths[i]]++;
  counts[0] = 0;
  const next = new Uint16Array(MOST_BITS + 1);
  let bits = 1;
  for (let n = 1; n <= MOST_BITS; n++) {
    next[n] = (next[n - 1] + counts[n - 1]) << 1;
    if (counts[n] > 0) bits = n;
  }
  const entries = new Uint16Array(1 << bits);
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i];
    if (length === 0) continue;
    const code = reversed(next[length]++, length);
    for (let at = code; at < entries.length; at += 1 << length) entries[at] = (i << 4) | length;
  }
  return { entries, bits };
}

function reversed(code: number, bits: number): number {
  let result = 0;
  for (let i = 0; i < bits; i++) result |= ((code >> i) & 1) << (bits - 1 - i);
  return result;
}

/** In what order the lengths of the code for lengths come. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
// Lengths of copies from symbol 257 on, distances from symbol 0 on: the least of each, and how many bits are added to it.
const LENGTHS = bases(3, 28, 4);
const DISTANCES = bases(1, 30, 2);
const LONGEST = { least: 258, extra: 0 };

function bases(first: number, count: number, perBit: number): readonly { least: number; extra: number }[] {
  let least = first;
  return Array.from({ length: count }, (_, symbol) => {
    const extra = Math.max(0, Math.floor(symbol / perBit) - 1);
    const base = { least, extra };
    least += 2 ** extra;
    return base;
  });
}

/** @param size  Of the result, in bytes. */
export function inflate(data: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  let byte = 0;
  let held = 0;
  let heldBits = 0;

  const hold = (count: number): void => {
    while (heldBits < count) {
      held |= data[byte++] << heldBits;
      heldBits += 8;
    }
  };
  const take = (count: number): number => {
    hold(count);
    const value = held & ((1 << count) - 1);
    held >>>= count;
    heldBits -= count;
    return value;
  };
  const symbol = ({ entries, bits }: Code): number => {
    hold(bits);
    const entry = entries[held & ((1 << bits) - 1)];
    held >>>= entry & 15;
    heldBits -= entry & 15;
    return entry >> 4;
  };
  const stored = (): void => {
    // What is held beyond the byte that was begun comes next.
    byte -= heldBits >> 3;
    held = 0;
    heldBits = 0;
    const length = data[byte] | (data[byte + 1] << 8);
    byte += 4;
    out.set(data.subarray(byte, byte + length), at);
    byte += length;
    at += length;
  };
  const compressed = (literals: Code, distances: Code): void => {
    const literalMask = (1 << literals.bits) - 1;
    const distanceMask = (1 << distances.bits) - 1;
    const { entries: literalEntries } = literals;
    const { entries: distanceEntries } = distances;
    // Almost all time goes here, before anything is compiled: locals take less of it than what functions share.
    let bits = held;
    let count = heldBits;
    let from = byte;
    let to = at;
    for (;;) {
      // A symbol, and what is added to it: 15 and 5 bits at most, or 15 and then 13.
      for (; count < 24; count += 8) bits |= data[from++] << count;
      const literal = literalEntries[bits & literalMask];
      bits >>>= literal & 15;
      count -= literal & 15;
      const value = literal >> 4;
      if (value < 256) {
        out[to++] = value;
        continue;
      }
      if (value === 256) break;
      // The last one is of 258 alone.
      const length = value === 285 ? LONGEST : LENGTHS[value - 257];
      const end = to + length.least + (bits & ((1 << length.extra) - 1));
      bits >>>= length.extra;
      count -= length.extra;
      for (; count < 24; count += 8) bits |= data[from++] << count;
      const symbol = distanceEntries[bits & distanceMask];
      bits >>>= symbol & 15;
      count -= symbol & 15;
      const base = DISTANCES[symbol >> 4];
      for (; count < 16; count += 8) bits |= data[from++] << count;
      const distance = base.least + (bits & ((1 << base.extra) - 1));
      bits >>>= base.extra;
      count -= base.extra;
      for (; to < end; to++) out[to] = out[to - distance];
    }
    held = bits;
    heldBits = count;
    byte = from;
    at = to;
  };
  const codes = (): [Code, Code] => {
    const literals = take(5) + 257;
    const distances = take(5) + 1;
    const bitsOfLengths = new Uint8Array(ORDER.length);
    for (let i = 0, count = take(4) + 4; i < count; i++) bitsOfLengths[ORDER[i]] = take(3);
    const lengths = codeOf(bitsOfLengths);
    const bits = new Uint8Array(literals + distances);
    for (let i = 0; i < bits.length; ) {
      const value = symbol(lengths);
      if (value < 16) {
        bits[i++] = value;
        continue;
      }
      const repeated = value === 16 ? bits[i - 1] : 0;
      const count = value === 16 ? 3 + take(2) : value === 17 ? 3 + take(3) : 11 + take(7);
      bits.fill(repeated, i, i + count);
      i += count;
    }
    return [codeOf(bits.subarray(0, literals)), codeOf(bits.subarray(literals))];
  };

  for (let isLast = false; !isLast; ) {
    isLast = take(1) === 1;
    const kind = take(2);
    if (kind === 0) stored();
    else if (kind === 2) compressed(...codes());
    else {
      const fixed = Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
      compressed(codeOf(fixed), codeOf(new Uint8Array(30).fill(5)));
    }
  }
  return out;
}
