/**
 * Files made by grammars (grammars.mjs), a few of each format here and as many as wanted by `npm run test:fuzz:files`; and
 * what was found so or by hand, each kind of it: time and memory that a few bytes asked for, descriptors that stayed open,
 * exceptions that nobody could catch.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import * as convmat from 'convmat';
import fc from 'fast-check';
import { afterAll, describe, expect, it, test } from 'vitest';
import { checkAsync } from '../support/fuzz';
import { GRAMMARS, generate } from './grammars.mjs';
import { misread, readersOf } from './reading.mjs';

const { FormatError, io, MemoryError } = convmat;
const readers = readersOf(io);
const scratch = mkdtempSync(join(tmpdir(), 'convmat-files-'));
afterAll(() => rmSync(scratch, { recursive: true }));

type Format = keyof typeof GRAMMARS;
/** Nothing in the suite depends on time: `npm run test:fuzz:files` measures it. */
const NO_CLOCK = Number.POSITIVE_INFINITY;

test.each(Object.keys(GRAMMARS) as Format[])('files of the grammar of %s', async (format) => {
  await checkAsync(
    fc.asyncProperty(fc.nat(2 ** 31), async (seed) => {
      const wrong = await misread(convmat, readers[format], generate(format, seed), undefined, NO_CLOCK);
      expect(wrong).toBeNull();
    }),
    { numRuns: 100 },
  );
});

/** An .npy with this header. */
function npy(text: string, elements = 4): Buffer {
  const header = Buffer.from(text);
  const prefix = Buffer.from('\x93NUMPY\x02\0\0\0\0\0', 'latin1');
  prefix.writeUInt32LE(header.length, 8);
  return Buffer.concat([prefix, header, Buffer.alloc(elements)]);
}
const header = (shape: string, order = 'False') =>
  `{'descr': '|u1', 'fortran_order': ${order}, 'shape': ${shape}, }`;

/** Milliseconds of processor time, which may be many times what they should be: seconds are what is looked for. */
async function cost(work: Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work.catch(() => {});
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

describe('a few bytes that ask for much', () => {
  const spaces = ' '.repeat(80_000);
  const cases: [string, keyof typeof readers, Buffer | string, unknown][] = [
    ['a shape of 500,000 axes', 'npy', npy(header(`(${'1,'.repeat(500_000)})`)), FormatError],
    ['a column-major shape of 65 axes', 'npy', npy(header(`(${'1,'.repeat(65)})`, 'True'), 1), FormatError],
    ['80,000 spaces in a shape', 'npy', npy(header(`(1${spaces}x)`)), FormatError],
    ['80,000 spaces between entries', 'npy', npy(`{${spaces}'descr'${spaces}:${spaces}?`), FormatError],
    ['a dtype that nests', 'npy', npy(`{'descr': ${'['.repeat(100_000)}`), FormatError],
    ['2^31 empty rows', 'npy', npy(header('(4294967296, 0)'), 0), FormatError],
    [
      '10^8 rows without entries',
      'mtx',
      '%%MatrixMarket matrix coordinate real general\n100000000 1 0\n',
      MemoryError,
    ],
    ['2^31 columns', 'mtx', '%%MatrixMarket matrix coordinate real general\n1 2147483647 0\n', MemoryError],
    ['spaces in a banner', 'mtx', `%%MatrixMarket${spaces}x`, FormatError],
    ['a header of 2^53 bytes', 'safetensors', Buffer.from('00000000000020007b7d', 'hex'), FormatError],
    [
      'the end of a directory without room for it',
      'npz',
      Buffer.from('PK\x05\x06\0\0\0\0\0\0\0\0', 'latin1'),
      FormatError,
    ],
  ];
  it.each(cases)('%s', async (_, reader, bytes, expected) => {
    const read = () => readers[reader](typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    await expect(read()).rejects.toThrow(expected as never);
    // They took 0.4 to 11 s.
    expect(await cost(read())).toBeLessThan(2000);
  });

  it('may have it when maxBytes says so', async () => {
    const text = Buffer.from('%%MatrixMarket matrix coordinate real general\n2000000 1 1\n7 1 2\n');
    await expect(io.readMatrixMarket(text)).rejects.toThrow(/options.maxBytes/);
    expect((await io.readMatrixMarket(text, { maxBytes: 2 ** 25 })).shape).toEqual([2_000_000, 1]);
  });

  it('gzip that expands to comments', async () => {
    const text = `%%MatrixMarket matrix array real general\n%${'c'.repeat(2 ** 22)}\n1 1\n5\n`;
    const packed = gzipSync(text);
    expect((await io.readMatrixMarket(packed)).nnz).toBe(1);
    await expect(io.readMatrixMarket(packed, { maxBytes: 2 ** 20 })).rejects.toThrow(MemoryError);
  });

  it('toNested of an array without elements', () => {
    const empty = convmat.tensor(new Float32Array(0), [2 ** 31 - 1, 0]);
    expect(() => empty.toNested()).toThrow(MemoryError);
    expect(convmat.tensor(new Float32Array(0), [2, 0]).toNested()).toEqual([[], []]);
  });
});

describe('streams end with the call', () => {
  it.runIf(process.platform === 'linux')('a file that is refused part-way is closed', async () => {
    const path = join(scratch, 'bad.mtx');
    writeFileSync(
      path,
      `%%MatrixMarket matrix coordinate real general\n9 9 9\n${'1 1 1\n'.repeat(5)}1 1 x\n`,
    );
    writeFileSync(join(scratch, 'bad.mtx.gz'), gzipSync('%%MatrixMarket\n').subarray(0, 20));
    const sources = ['bad.mtx', 'bad.mtx.gz'].map((name) => join(scratch, name));
    const all = async () => {
      for (const read of Object.values(readers)) {
        for (const source of sources) await expect(read(source)).rejects.toThrow(FormatError);
      }
      await expect(io.openNpz(path)).rejects.toThrow(FormatError);
      await expect(io.openSafetensors(path)).rejects.toThrow(FormatError);
    };
    await all();
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) await all();
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  it('a stream that fails', async () => {
    const failing = Readable.from(
      (async function* () {
        yield Buffer.from('%%Matrix');
        throw new RangeError('the wire was cut');
      })(),
    );
    await expect(io.readMatrixMarket(failing)).rejects.toThrow(new RangeError('the wire was cut'));
    await expect(io.readNpy(Readable.from(['text']))).rejects.toThrow(convmat.ArgumentError);
    await expect(io.readNpy(Readable.from([new Uint8Array(100)]), { maxBytes: 50 })).rejects.toThrow(
      MemoryError,
    );
  });

  it('a line without an end', async () => {
    async function* endless() {
      yield Buffer.from('%%MatrixMarket matrix coordinate real general\n');
      for (let i = 0; i < 64; i++) yield Buffer.alloc(2 ** 20, '1');
    }
    await expect(io.readMatrixMarket(endless())).rejects.toThrow(/:2: expected lines of at most 65536 bytes/);
  });

  it('bytes that shrink while they are read', async () => {
    const sound = io.encodeNpz({ a: new Float32Array(200_000), b: new Float32Array(200_000) });
    const Resizable = ArrayBuffer as new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
    const buffer = new Resizable(sound.length, { maxByteLength: sound.length });
    const view = new Uint8Array(buffer);
    view.set(sound);
    const read = io.readNpz(view);
    (buffer as ArrayBuffer & { resize(size: number): void }).resize(1000);
    await expect(read).rejects.toThrow(FormatError);
  });
});

test('bytes whose buffer is taken away while they are read are refused', async () => {
  const bytes = io.encodeNpz({ a: new Float32Array(1000), b: new Float32Array(1000) });
  const buffer = new ArrayBuffer(bytes.length);
  const source = new Uint8Array(buffer);
  source.set(bytes);
  const reading = io.readNpz(source);
  structuredClone(buffer, { transfer: [buffer] });
  await expect(reading).rejects.toThrow(FormatError);
  await expect(io.readNpy(source)).rejects.toThrow(convmat.ArgumentError);
});
