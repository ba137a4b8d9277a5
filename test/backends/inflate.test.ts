/** What browsers inflate WebAssembly by, against zlib. */
import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inflate } from '../../dist/backend/wasm/inflate.js';
import { stream } from '../support/random';

/** Few and many symbols, far and near copies, one byte over and over. */
function texts(): readonly (readonly [string, Uint8Array])[] {
  const random = stream(5);
  const noise = (length: number, symbols: number) =>
    Uint8Array.from({ length }, () => Math.floor(random() * symbols));
  const phrase = noise(2000, 256);
  const copies = new Uint8Array(300_000);
  for (let at = 0; at < copies.length; ) {
    const begin = Math.floor(random() * phrase.length);
    const piece = phrase.subarray(begin, begin + 1 + Math.floor(random() * 300));
    copies.set(piece.subarray(0, copies.length - at), at);
    at += piece.length;
  }
  return [
    ['nothing', new Uint8Array()],
    ['one byte', Uint8Array.of(7)],
    ['one byte over and over', new Uint8Array(100_000).fill(1)],
    ['four symbols', noise(50_000, 4)],
    ['all symbols', noise(200_000, 256)],
    ['copies', copies],
  ];
}

describe.each(texts())('%s', (_, text) => {
  test.each([
    ['stored', { level: 0 }],
    ['quickly', { level: 1 }],
    ['well', { level: 9 }],
    ['by the fixed code', { strategy: constants.Z_FIXED }],
    ['without copies', { strategy: constants.Z_HUFFMAN_ONLY }],
    ['in small blocks', { level: 9, memLevel: 1 }],
  ])('%s', (_, options) => {
    expect(Buffer.compare(inflate(deflateRawSync(text, options), text.length), text)).toBe(0);
  });
});
