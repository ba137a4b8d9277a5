/**
 * Files that are not what they should be: sound ones of every kind, cut, repeated, spliced and overwritten at random. A
 * reader gives what the file then says, or an error of the library's own classes; it never takes more memory than it may.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComplexCsrMatrix, ConvmatError, CsrMatrix, io, Tensor } from 'convmat';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { writeArchive } from '../../dist/io/npz.js';
import { partOf } from '../../dist/io/parts.js';
import { checkAsync } from '../support/fuzz';
import { golden } from '../support/golden';
import { type DType, random } from '../support/random';

const scratch = mkdtempSync(join(tmpdir(), 'convmat-fuzz-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const READERS = {
  npy: io.readNpy,
  npz: io.readNpz,
  sparse: io.readSparseNpz,
  mtx: io.readMatrixMarket,
} as const;
type Reader = keyof typeof READERS;
const OF_CALL: Record<string, Reader> = {
  readNpy: 'npy',
  readNpz: 'npz',
  readSparseNpz: 'sparse',
  readMatrixMarket: 'mtx',
};
const MOST_BYTES = 1 << 26;

/** What NumPy and SciPy wrote, and what the library writes. */
async function soundFiles(): Promise<Record<Reader, Buffer[]>> {
  const files: Record<Reader, Buffer[]> = { npy: [], npz: [], sparse: [], mtx: [] };
  for (const { call, args } of golden('scipy_files').cases) {
    files[OF_CALL[call]].push(readFileSync(join(import.meta.dirname, '../golden/files', args.file)));
  }
  const path = join(scratch, 'sound');
  const keep = (reader: Reader) => files[reader].push(readFileSync(path));
  for (const dtype of ['float32', 'float64', 'int8', 'uint16', 'int32'] as DType[]) {
    await io.writeNpy(path, random([2, 3, 5], dtype));
    keep('npy');
  }
  await io.writeNpz(path, { a: random([4, 5]), 'b/c': random([3], 'int16') });
  keep('npz');
  const matrix = CsrMatrix.fromDense(random([6, 7], 'float64'));
  await io.writeSparseNpz(path, matrix);
  keep('sparse');
  await io.writeMatrixMarket(path, matrix);
  keep('mtx');
  return files;
}

const SPLINTERS = [
  ...[
    '\0',
    '\xff\xff\xff\xff',
    '\0\0\0\x80',
    'PK\x01\x02',
    'PK\x05\x06',
    '\x93NUMPY',
    '\n',
    '\r\n',
    ' ',
    '%',
    "'",
    '(',
    ')',
  ],
  ...[
    ',',
    '}',
    '{',
    '-1',
    '0',
    '1',
    '2147483647',
    '2147483648',
    '4294967295',
    '9007199254740993',
    '1e999',
    'nan',
    '-inf',
  ],
  ...[
    '<i8',
    '>f4',
    '|u1',
    '<U9',
    '|S3',
    '<c8',
    '|O',
    'True',
    'False',
    'symmetric',
    'skew-symmetric',
    'array',
    'pattern',
  ],
  ...['integer', 'complex', 'csr', 'csc', 'coo', 'bsr', '9'.repeat(400), '('.repeat(50), ' '.repeat(3000)],
].map((text) => Buffer.from(text, 'latin1'));

interface Damage {
  readonly kind: 'set' | 'flip' | 'cut' | 'drop' | 'repeat' | 'insert' | 'replace' | 'splice';
  /** Where, as a share of the file, and how much. */
  readonly at: number;
  readonly length: number;
  readonly value: number;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('set', 'set', 'flip', 'flip', 'cut', 'drop', 'repeat', 'insert', 'replace', 'splice'),
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  length: fc.integer({ min: 1, max: 40 }),
  value: fc.nat(255),
});

function damaged(file: Buffer, other: Buffer, { kind, at, length, value }: Damage): Buffer {
  const from = Math.floor(at * file.length);
  const [before, rest] = [file.subarray(0, from), file.subarray(from)];
  const splinter = SPLINTERS[value % SPLINTERS.length];
  const changed = Buffer.from(file);
  switch (kind) {
    case 'set':
      if (file.length > 0) changed[from] = value;
      return changed;
    case 'flip':
      if (file.length > 0) changed[from] ^= 1 << (value % 8);
      return changed;
    case 'cut':
      return before;
    case 'drop':
      return Buffer.concat([before, rest.subarray(length)]);
    case 'repeat':
      return Buffer.concat([before, rest.subarray(0, length), rest]);
    case 'insert':
      return Buffer.concat([before, splinter, rest]);
    case 'replace':
      return Buffer.concat([before, splinter, rest.subarray(splinter.length)]);
    default:
      return Buffer.concat([before, other.subarray(Math.floor(at * other.length))]);
  }
}

/** Fails unless a reader's answer is whole: it has as many elements as it says, and its indices lead nowhere else. */
function expectWhole(result: unknown): void {
  if (result instanceof Tensor) expect(result.data.length).toBe(result.shape.reduce((a, b) => a * b, 1));
  else if (result instanceof CsrMatrix) {
    const { shape, indptr, indices, data } = result;
    // The constructor checks every part.
    expect(new CsrMatrix(shape, indptr, indices, data).nnz).toBe(indices.length);
  } else if (result instanceof ComplexCsrMatrix) {
    expectWhole(result.re);
    expectWhole(result.im);
  } else for (const part of Object.values(result as object)) expectWhole(part);
}

async function expectHandled(reader: Reader, bytes: Buffer): Promise<void> {
  const path = join(scratch, `damaged.${reader}`);
  writeFileSync(path, bytes);
  const call = READERS[reader] as (path: string, options?: io.ReadOptions) => Promise<unknown>;
  try {
    expectWhole(await (reader === 'npy' ? call(path) : call(path, { maxBytes: MOST_BYTES })));
  } catch (error) {
    if (!(error instanceof ConvmatError)) throw error;
    expect(error.message).not.toBe('');
  }
}

const pick = fc.record({
  file: fc.nat(),
  other: fc.nat(),
  wounds: fc.array(damage, { minLength: 1, maxLength: 6 }),
});

test.each(Object.keys(READERS) as Reader[])('any damage to a file: %s', async (reader) => {
  const files = (await soundFiles())[reader];
  for (const bytes of files) await expectHandled(reader, bytes);
  await checkAsync(
    fc.asyncProperty(pick, async ({ file, other, wounds }) => {
      const [bytes, donor] = [files[file % files.length], files[other % files.length]];
      await expectHandled(
        reader,
        wounds.reduce((state, wound) => damaged(state, donor, wound), bytes),
      );
    }),
    { numRuns: 150 },
  );
});

// A damaged archive is mostly found out by its checksums: these have sound ones around damaged arrays.
test('any damage to the arrays of an archive', async () => {
  const { npy } = await soundFiles();
  const names = ['indices', 'indptr', 'format', 'shape', 'data', 'row', 'col', 'a'];
  const parts = fc.array(fc.tuple(fc.constantFrom(...names), pick), { minLength: 1, maxLength: 6 });
  await checkAsync(
    fc.asyncProperty(parts, fc.boolean(), fc.boolean(), async (chosen, compress, sparse) => {
      const entries = new Map(
        chosen.map(([name, { file, other, wounds }]) => {
          const [bytes, donor] = [npy[file % npy.length], npy[other % npy.length]];
          return [name, wounds.reduce((state, wound) => damaged(state, donor, wound), bytes)] as const;
        }),
      );
      const path = join(scratch, 'inner.npz');
      const list = [...entries].map(([name, bytes]) => ({ name, parts: [partOf(bytes)] }));
      await writeArchive(path, list, compress);
      await expectHandled(sparse ? 'sparse' : 'npz', readFileSync(path));
    }),
    { numRuns: 150 },
  );
});
