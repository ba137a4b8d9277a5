import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as convmat from 'convmat';
import { afterAll, describe, expect, it } from 'vitest';
import { type GoldenTensor, golden } from '../support/golden.js';

const { io } = convmat;
const files = join(import.meta.dirname, '../golden/files');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-io-'));
const draft = (name: string) => join(scratch, name);
afterAll(() => rmSync(scratch, { recursive: true }));

function expectTensor(actual: convmat.Tensor, expected: GoldenTensor): void {
  expect(actual.dtype).toBe(expected.dtype);
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.data).toEqual(expected.data);
}

describe('files that NumPy and SciPy wrote', () => {
  for (const { id, call, args, expected, plain } of golden('scipy_files').cases) {
    const read = () =>
      io[call as 'readNpy' | 'readNpz' | 'readSparseNpz' | 'readMatrixMarket'](join(files, args.file));
    it(`${call} ${id}`, async () => {
      if (plain.error === 'FormatError') {
        const error = await read().then(
          () => null,
          (caught) => caught,
        );
        expect(error).toBeInstanceOf(convmat.FormatError);
        expect(error.code).toBe('ERR_CONVMAT_FORMAT');
        expect(error.message).toContain(args.file);
        return;
      }
      const result = await read();
      if (call === 'readNpy') expectTensor(result as convmat.Tensor, expected.tensor);
      else if (call === 'readNpz') {
        const arrays = result as Record<string, convmat.Tensor>;
        expect(Object.keys(arrays).sort()).toEqual(Object.keys(expected).sort());
        for (const [name, array] of Object.entries(expected)) expectTensor(arrays[name], array);
      } else {
        const matrix = result as convmat.CsrMatrix;
        expect(matrix.shape).toEqual(plain.shape);
        for (const part of ['indptr', 'indices', 'data'] as const)
          expect(matrix[part]).toEqual(expected[part].data);
      }
    });
  }
});

describe('round trips', () => {
  const tensors = {
    float32: convmat.tensor(Float32Array.of(1.5, -0, Number.NaN, Infinity, -Infinity, 1e-40), [2, 3]),
    float64: convmat.tensor(Float64Array.of(Math.PI, -1e300), [2, 1]),
    int8: convmat.tensor(Int8Array.of(-128, 127), [2]),
    uint8: convmat.tensor(Uint8Array.of(0, 255), [1, 2]),
    int16: convmat.tensor(Int16Array.of(-32768), [1, 1, 1]),
    uint16: convmat.tensor(Uint16Array.of(65535), []),
    int32: convmat.tensor(new Int32Array(0), [0, 3]),
    uint32: convmat.tensor(Uint32Array.of(2 ** 32 - 1), [1]),
  };

  it.each(Object.entries(tensors))('npy: %s', async (dtype, original) => {
    const path = draft(`${dtype}.npy`);
    await io.writeNpy(path, original);
    const copy = await io.readNpy(path);
    expect([copy.dtype, copy.shape, copy.data]).toEqual([original.dtype, original.shape, original.data]);
  });

  it('npz keeps every array under its name, and is the same file each time', async () => {
    await io.writeNpz(draft('a.npz'), tensors);
    await io.writeNpz(draft('b.npz'), tensors);
    expect(readFileSync(draft('a.npz'))).toEqual(readFileSync(draft('b.npz')));
    const copy = await io.readNpz(draft('a.npz'));
    expect(Object.keys(copy)).toEqual(Object.keys(tensors));
    for (const [name, t] of Object.entries(tensors)) expect(copy[name].data).toEqual(t.data);
  });

  it('npz: more than one piece of a stream', async () => {
    const large = convmat.tensor(Float64Array.from({ length: 400_001 }, (_, i) => i));
    await io.writeNpz(draft('large.npz'), { large });
    expect((await io.readNpz(draft('large.npz'))).large.data).toEqual(large.data);
  });

  const matrix = convmat
    .convMatrix(
      [
        [1, -2.5],
        [0, 1e-30],
      ],
      { inputShape: [3, 4], padding: 1 },
    )
    .toCSR();
  it.each(['float32', 'float64'] as const)('sparse npz: %s', async (dtype) => {
    const data = dtype === 'float32' ? Float32Array.from(matrix.data) : Float64Array.from(matrix.data);
    const original = new convmat.CsrMatrix(matrix.shape, matrix.indptr, matrix.indices, data);
    await io.writeSparseNpz(draft('m.npz'), original);
    const copy = await io.readSparseNpz(draft('m.npz'));
    expect([copy.shape, copy.indptr, copy.indices, copy.data]).toEqual([
      original.shape,
      original.indptr,
      original.indices,
      original.data,
    ]);
  });

  it.each(['writeSparseNpz', 'writeMatrixMarket'] as const)('%s tells of its progress', async (write) => {
    const dense = Array.from({ length: 300 }, (_, i) => Array.from({ length: 300 }, (_, j) => i + j + 1));
    const shares: number[] = [];
    const onProgress = (share: number) => shares.push(share);
    await io[write](draft('progress'), convmat.CsrMatrix.fromDense(dense), { onProgress });
    expect(shares.length).toBeGreaterThan(2);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.every((share) => share > 0 && share <= 1)).toBe(true);
    const bad = { onProgress: 1 } as never;
    await expect(io[write](draft('progress'), convmat.CsrMatrix.fromDense(dense), bad)).rejects.toThrow(
      /^options.onProgress: expected a function, got 1/,
    );
  });

  it('Matrix Market keeps every digit, and the special values', async () => {
    const data = Float64Array.of(0.1, -0, Infinity, -Infinity, Number.NaN, 5e-324);
    const rows = Int32Array.of(0, 0, 1, 1, 2, 2);
    const cols = Int32Array.of(0, 2, 1, 2, 0, 1);
    const original = convmat.CsrMatrix.fromCOO([3, 3], rows, cols, data);
    await io.writeMatrixMarket(draft('m.mtx'), original);
    expect((await io.readMatrixMarket(draft('m.mtx'))).data).toEqual(original.data);
  });
});

describe('what goes wrong', () => {
  it('a write that fails leaves the old file and no draft', async () => {
    const path = draft('kept.npz');
    writeFileSync(path, 'old');
    await expect(io.writeNpz(path, { '../escape': [1] })).rejects.toThrow(convmat.ArgumentError);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(scratch).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('a folder that is not there is the file system’s own error', async () => {
    await expect(io.writeNpy(draft('absent/a.npy'), [1])).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(io.readNpy(draft('absent.npy'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([undefined, '', 'a\0b', 7])('the path %j', async (path) => {
    await expect(io.readNpy(path as string)).rejects.toThrow(/^path: expected a file path, got /);
  });

  it('arrays that together pass maxBytes', async () => {
    await io.writeNpz(draft('sum.npz'), { a: new Float64Array(100), b: new Float64Array(100) });
    await expect(io.readNpz(draft('sum.npz'), { maxBytes: 1500 })).rejects.toThrow(convmat.MemoryError);
  });

  it('a few bytes that claim rows beyond what may be taken', async () => {
    const text = '%%MatrixMarket matrix coordinate real general\n2147483647 2147483647 1\n1 1 5\n';
    writeFileSync(draft('tall.mtx'), text);
    await expect(io.readMatrixMarket(draft('tall.mtx'))).rejects.toThrow(convmat.MemoryError);
    await io.writeSparseNpz(draft('sparse.npz'), convmat.CsrMatrix.fromDense([[1, 2, 3]]));
    expect((await io.readSparseNpz(draft('sparse.npz'))).nnz).toBe(3);
    await expect(io.readSparseNpz(draft('sparse.npz'), { maxBytes: 200 })).rejects.toThrow(
      /expected what takes at most 200 bytes \(options.maxBytes\), got /,
    );
    for (const maxBytes of [-1, NaN, '5'] as number[]) {
      await expect(io.readNpz(draft('sparse.npz'), { maxBytes })).rejects.toThrow(convmat.ArgumentError);
    }
  });

  it('an entry that claims more than deflate can hold', async () => {
    await io.writeSparseNpz(draft('liar.npz'), convmat.CsrMatrix.fromDense([[1]]));
    const bytes = readFileSync(draft('liar.npz'));
    const directory = bytes.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    bytes.writeUInt32LE(2 ** 31, directory + 24);
    writeFileSync(draft('liar.npz'), bytes);
    await expect(io.readSparseNpz(draft('liar.npz'))).rejects.toThrow(/deflate can hold/);
  });
});
