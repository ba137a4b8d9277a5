/** PNG, as ISO/IEC 15948 has it: the little that a picture of eight-bit RGBA needs. */
import { deflated } from '#host';

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** RGBA, row-major. */
  readonly data: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const RGBA = 6;
/** Of a row: each byte is stored as its difference from the one above, so that rows alike become zeros. */
const UP = 2;

export function encodePng({ width, height, data }: Raster): Uint8Array {
  const header = new Uint8Array(13);
  const fields = new DataView(header.buffer);
  fields.setUint32(0, width);
  fields.setUint32(4, height);
  header.set([8, RGBA], 8);
  const rows = filtered(data, 4 * width, height);
  return joined([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflated(rows) ?? stored(rows)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function filtered(data: Uint8Array, rowBytes: number, height: number): Uint8Array {
  const rows = new Uint8Array((rowBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    const start = y * (rowBytes + 1);
    rows[start] = UP;
    for (let x = 0; x < rowBytes; x++) {
      const at = y * rowBytes + x;
      rows[start + 1 + x] = data[at] - (y === 0 ? 0 : data[at - rowBytes]);
    }
  }
  return rows;
}

/** Length, name, content, and the checksum of the last two. */
function chunk(name: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(
    Array.from(name, (letter) => letter.charCodeAt(0)),
    4,
  );
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc32(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

/** A zlib stream (RFC 1950) of blocks that are not compressed (RFC 1951, 3.2.4), 65,535 bytes at most in each. */
function stored(bytes: Uint8Array): Uint8Array {
  const most = 0xffff;
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at === 0 || at < bytes.length; at += most) {
    const block = bytes.subarray(at, at + most);
    const { length } = block;
    const isLast = at + most >= bytes.length ? 1 : 0;
    parts.push(Uint8Array.of(isLast, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255), block);
  }
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, adler32(bytes));
  return joined([...parts, checksum]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}
