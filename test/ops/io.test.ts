import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import * as convmat from 'convmat';
import { io } from 'convmat';
import { afterAll, describe, expect, it } from 'vitest';
import { type GoldenCase, type GoldenTensor, golden } from '../support/golden.js';
import { stream } from '../support/random.js';
import { expectRefusal } from '../support/refusals.js';

const files = join(import.meta.dirname, '../golden/files');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-io-'));
const draft = (name: string) => join(scratch, name);
afterAll(() => rmSync(scratch, { recursive: true }));

function expectTensor(actual: convmat.Tensor, expected: GoldenTensor): void {
  expect(actual.dtype).toBe(expected.dtype);
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.data).toEqual(expected.data);
}

type Reader = (source: io.Source, options?: io.ReadOptions) => Promise<unknown>;
const READERS: Record<string, Reader> = {
  readNpy: io.readNpy,
  readNpz: io.readNpz,
  readSparseNpz: io.readSparseNpz,
  readMatrixMarket: io.readMatrixMarket,
  readSafetensors: io.readSafetensors,
};

/** What a reader gave, compared with what another program says of the file. */
function expectRead(result: unknown, { call, expected, plain }: GoldenCase): void {
  if (call === 'readSparseNpz' || call === 'readMatrixMarket') {
    const matrix = result as convmat.CsrMatrix | convmat.ComplexCsrMatrix;
    expect(matrix.shape).toEqual(plain.shape);
    for (const part of ['indptr', 'indices'] as const) expect(matrix[part]).toEqual(expected[part].data);
    const { data } = matrix;
    expect(data).toEqual(
      're' in data ? { re: expected['data.re'].data, im: expected['data.im'].data } : expected.data.data,
    );
  } else if ('re' in expected) {
    const { re, im } = result as io.ComplexTensor;
    expectTensor(re, expected.re);
    expectTensor(im, expected.im);
  } else if ('z.re' in expected) {
    const { z } = result as Record<string, io.ComplexTensor>;
    expectTensor(z.re, expected['z.re']);
    expectTensor(z.im, expected['z.im']);
  } else if ('tensor' in expected) expectTensor(result as convmat.Tensor, expected.tensor);
  else {
    const arrays = result as Record<string, convmat.Tensor>;
    const unreadable: string[] = plain.unreadable ?? [];
    expect(Object.keys(arrays).sort()).toEqual([...Object.keys(expected), ...unreadable].sort());
    for (const name of Object.keys(expected)) expectTensor(arrays[name], expected[name]);
    for (const name of unreadable) expectRefusal(() => arrays[name], convmat.FormatError, new RegExp(name));
  }
}

describe('files that other programs wrote', () => {
  const cases = [...golden('scipy_files').cases, ...golden('safetensors').cases];
  it.each(cases.map((one) => [`${one.call} ${one.id}`, one] as const))('%s', async (_, one) => {
    const path = join(files, one.args.file);
    const bytes = readFileSync(path);
    const sources: [string, io.Source][] = [
      [one.args.file, path],
      [one.args.file, pathToFileURL(path)],
      ['source', bytes],
      ['source', Uint8Array.from(bytes).buffer],
      ['source', new Blob([bytes])],
      [one.args.file, new File([bytes], one.args.file)],
      ['source', Readable.from([bytes.subarray(0, 7), bytes.subarray(7)])],
    ];
    for (const [name, source] of sources) {
      const read = READERS[one.call](source, one.args.options);
      if (one.plain.error !== 'FormatError') {
        expectRead(await read, one);
        continue;
      }
      const error = await read.then(
        () => null,
        (caught) => caught,
      );
      expect(error).toBeInstanceOf(convmat.FormatError);
      expect(error.code).toBe('ERR_CONVMAT_FORMAT');
      expect(error.message).toContain(name);
      expect(error.message.length).toBeLessThan(800);
    }
  });
});

describe('archives that are opened', () => {
  it.each(['mixed.npz', 'mixed-deflated.npz'])(
    '%s: names, good arrays, and the bad one when it is asked for',
    async (name) => {
      const file = await io.openNpz(join(files, name));
      expect(file.names).toContain('labels');
      expect((await file.read('w')).shape).toEqual([2, 3, 4]);
      await expect(file.read('labels')).rejects.toThrow(
        /mixed.*labels.npy: expected numbers .*, got strings \(dtype "U1"\)/,
      );
      await expect(file.read('objects')).rejects.toThrow(/Python objects/);
      await expect(file.read('wide')).rejects.toThrow(/fit in 32 bits \(or the option int64: 'float64'\)/);
      await expect(file.read('absent')).rejects.toThrow(convmat.ArgumentError);
      const [w, half] = await Promise.all([file.read('w'), file.read('half')]);
      expect([w.size, half.size]).toEqual([24, 2]);
      await file.close();
      await file.close();
      await expect(file.read('w')).rejects.toThrow(/expected an open archive, got a closed one/);
    },
  );

  it('one array may take maxBytes, not all together', async () => {
    const bytes = io.encodeNpz({ a: new Float64Array(100), b: new Float64Array(100) });
    const file = await io.openNpz(bytes, { maxBytes: 900 });
    expect((await file.read('a')).size + (await file.read('b')).size).toBe(200);
    await expect(io.readNpz(bytes, { maxBytes: 900 })).rejects.toThrow(convmat.MemoryError);
  });

  it('safetensors: metadata, names, tensors', async () => {
    const file = await io.openSafetensors(join(files, 'partly.safetensors'));
    expect(file.names).toEqual(['good', 'scales', 'wide']);
    expect((await file.read('good')).data).toEqual(Float32Array.of(1.5));
    await expect(file.read('scales')).rejects.toThrow(/expected one of the dtypes .*, got "F8_E8M0"/);
    await file.close();
    const described = await io.openSafetensors(join(files, 'every-dtype.safetensors'));
    expect(described.metadata).toEqual({ format: 'pt', 'an "odd" key': 'é' });
    await described.close();
  });

  it.each([
    ['checkpoint.pt', 'readNpz', /PyTorch checkpoint .*save_file.*numpy\.savez/],
    ['checkpoint.pt', 'readSafetensors', /a zip archive: readNpz for an .npz; a PyTorch checkpoint/],
    ['checkpoint.pt', 'readNpy', /a PyTorch checkpoint \(.pt\) has to be saved/],
    ['float32.npy', 'readSafetensors', /an .npy array \(readNpy\)/],
    ['float32.npy', 'readMatrixMarket', /an .npy array \(readNpy\)/],
    ['general.mtx', 'readNpy', /a Matrix Market file \(readMatrixMarket\)/],
    ['bsr.npz', 'readSparseNpz', /format csr, csc or coo .*, got "bsr"/],
    ['dia.npz', 'readSparseNpz', /format csr, csc or coo .*, got "dia"/],
  ])('%s in %s: the error says what it is', async (name, reader, message) => {
    await expect(READERS[reader](join(files, name))).rejects.toThrow(message);
  });
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

  it.each(['complex64.npy', 'complex128.npy'])('complex arrays as NumPy writes them: %s', async (name) => {
    const z = await io.readNpy<io.ComplexTensor>(join(files, name));
    await io.writeNpy(draft(name), z);
    expect(readFileSync(draft(name))).toEqual(readFileSync(join(files, name)));
    expect(Buffer.from(io.encodeNpy(z))).toEqual(readFileSync(join(files, name)));
    await io.writeNpz(draft('z.npz'), { z, real: z.re });
    const copy = await io.readNpz<io.ArrayRead>(draft('z.npz'));
    expect(copy.z).toEqual(z);
    expect(copy.real).toEqual(z.re);
    expect(readFileSync(draft('z.npz'))).toEqual(Buffer.from(io.encodeNpz({ z, real: z.re })));
  });

  it('complex arrays: more than one piece, and parts that disagree', async () => {
    const re = Float32Array.from({ length: 300_001 }, (_, i) => i);
    const im = re.map((value) => -value);
    const copy = await io.readNpy<io.ComplexTensor>(io.encodeNpy({ re, im }));
    expect([copy.re.data, copy.im.data]).toEqual([re, im]);
    expect(() => io.encodeNpy({ re, im: im.subarray(1) })).toThrow('t.im: expected shape [300001]');
    expect(() => io.encodeNpy({ re, im: new Float64Array(300_001) })).toThrow(
      't.im: expected float32, as t.re',
    );
    expect(() => io.encodeNpz({ z: { re: Int32Array.of(1), im: Int32Array.of(1) } })).toThrow('arrays.z.re');
  });

  it.each(['csr-complex64.npz', 'csr-complex128.npz'])('complex matrices: %s', async (name) => {
    const matrix = await io.readSparseNpz<convmat.ComplexCsrMatrix>(join(files, name));
    await io.writeSparseNpz(draft(name), matrix);
    const copy = await io.readSparseNpz<convmat.ComplexCsrMatrix>(draft(name));
    const text = draft(name.replace('npz', 'mtx'));
    await io.writeMatrixMarket(text, matrix);
    const read = await io.readMatrixMarket<convmat.ComplexCsrMatrix<Float64Array>>(text);
    expect(Array.from(read.data.re)).toEqual(Array.from(matrix.data.re));
    expect(Array.from(read.data.im)).toEqual(Array.from(matrix.data.im));
    expect([read.indptr, read.indices]).toEqual([matrix.indptr, matrix.indices]);
    expect([copy.shape, copy.indptr, copy.indices, copy.data]).toEqual([
      matrix.shape,
      matrix.indptr,
      matrix.indices,
      matrix.data,
    ]);
  });

  it('safetensors: every dtype, the same bytes as a file', async () => {
    await io.writeSafetensors(draft('all.safetensors'), tensors, { metadata: { format: 'pt' } });
    expect(readFileSync(draft('all.safetensors'))).toEqual(
      Buffer.from(io.encodeSafetensors(tensors, { metadata: { format: 'pt' } })),
    );
    const copy = await io.readSafetensors(draft('all.safetensors'));
    expect(Object.keys(copy).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, t] of Object.entries(tensors)) {
      expect([copy[name].dtype, copy[name].shape, copy[name].data]).toEqual([t.dtype, t.shape, t.data]);
    }
  });

  it('encoders give the bytes of the writers of their names', async () => {
    await io.writeNpy(draft('e.npy'), tensors.float32);
    expect(Buffer.from(io.encodeNpy(tensors.float32))).toEqual(readFileSync(draft('e.npy')));
    await io.writeNpz(draft('e.npz'), tensors);
    expect(Buffer.from(io.encodeNpz(tensors))).toEqual(readFileSync(draft('e.npz')));
    expect(Object.keys(await io.readNpz(io.encodeNpz(tensors)))).toEqual(Object.keys(tensors));
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

  it.each(['sparse.npz', 'matrix.mtx', 'matrix.mtx.gz'])('%s of a ConvMatrix', async (name) => {
    const m = convmat.convMatrix([[1, -2.5]], { inputShape: [3, 4] });
    const [write, read] = name.endsWith('npz')
      ? [io.writeSparseNpz, io.readSparseNpz]
      : [io.writeMatrixMarket, io.readMatrixMarket];
    await write(draft(name), m);
    expect((await read(draft(name))).toDense().toNested()).toEqual(m.toDense().toNested());
    expect(readFileSync(draft(name)).subarray(0, 2).toString('hex') === '1f8b').toBe(name.endsWith('.gz'));
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

describe('decimal numbers', () => {
  it('are the nearest ones, ties to even, at every length and exponent', async () => {
    const below = stream(7);
    const digits = (count: number) => Array.from({ length: count }, () => Math.floor(10 * below())).join('');
    const texts: string[] = [];
    for (let i = 0; i < 4000; i++) {
      const length = 14 + (i % 8);
      texts.push(
        `0.${digits(length)}`,
        `-${digits(1)}.${digits(length)}e${(i % 141) - 70}`,
        `${digits(length)}E+${i % 30}`,
      );
      // Half-way between two neighbours, and a unit of the last place beside it.
      const odd = 2n * BigInt(Math.floor(below() * 2 ** 52) + 2 ** 52) + 1n;
      const half = odd << BigInt(i % 10);
      texts.push(`${half}`, `${half + 1n}`, `${half - 1n}`);
    }
    const header = `%%MatrixMarket matrix array real general\n${texts.length} 1\n`;
    const read = await io.readMatrixMarket(Buffer.from(`${header}${texts.join('\n')}\n`));
    const stored = texts.map(Number).filter((value) => value !== 0);
    expect(read.data).toEqual(Float64Array.from(stored));
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

  it.each([undefined, '', 'a\0b', 7, new URL('http://localhost/a.npy'), new SharedArrayBuffer(8), {}])(
    'the source %j',
    async (path) => {
      const refused = /^(path|source): expected a (file )?(path|URL).*, got /;
      await expect(io.readNpy(path as string)).rejects.toThrow(refused);
      await expect(io.writeNpy(path as string, [1])).rejects.toThrow(
        /^path: expected a file (path|URL), got /,
      );
    },
  );

  it('a Blob that holds less than it says, or cannot be read', async () => {
    const whole = new Blob([io.encodeNpy(new Float64Array(1000))]);
    const part: io.BlobLike = {
      size: whole.size,
      slice: (start, end) => whole.slice(start, Math.min(end, 500)),
      arrayBuffer: () => whole.arrayBuffer(),
    };
    await expect(io.readNpy(part)).rejects.toThrow(
      /^source: expected bytes up to 8128, got the end at byte 500/,
    );
    const gone = new DOMException('the file is gone', 'NotFoundError');
    const slice = () => ({ arrayBuffer: () => Promise.reject(gone) });
    await expect(io.readNpy({ ...part, slice })).rejects.toBe(gone);
    const text = { arrayBuffer: async () => 'text' as unknown as ArrayBuffer };
    await expect(io.readNpy({ ...part, slice: () => text })).rejects.toThrow(convmat.ArgumentError);
    await expect(io.readNpy({ ...part, size: -1 })).rejects.toThrow(convmat.ArgumentError);
  });

  it('arrays that together pass maxBytes', async () => {
    await io.writeNpz(draft('sum.npz'), { a: new Float64Array(100), b: new Float64Array(100) });
    await expect(io.readNpz(draft('sum.npz'), { maxBytes: 1500 })).rejects.toThrow(convmat.MemoryError);
  });

  it('a Matrix Market file of another object is told by its object', async () => {
    for (const object of ['vector', 'graph']) {
      const text = Buffer.from(`%%MatrixMarket ${object} coordinate real general\n2 1\n1 3.5\n`);
      const wrong = new RegExp(`expected the object to be matrix, got "${object}"`);
      await expect(io.readMatrixMarket(text)).rejects.toThrow(wrong);
    }
  });

  it('small members of a compressed archive have sizes and checksum in front', async () => {
    await io.writeSparseNpz(draft('small.npz'), convmat.CsrMatrix.fromDense([[1, 2, 3]]));
    const bytes = readFileSync(draft('small.npz'));
    expect(bytes.readUInt16LE(6) & 8).toBe(0);
    expect(bytes.readUInt32LE(22)).toBe(128 + 3 * 4);
    expect((await io.readSparseNpz(bytes)).nnz).toBe(3);
  });

  it('a few bytes that claim rows beyond what may be taken', async () => {
    const text = '%%MatrixMarket matrix coordinate real general\n2147483647 2147483647 1\n1 1 5\n';
    writeFileSync(draft('tall.mtx'), text);
    await expect(io.readMatrixMarket(draft('tall.mtx'))).rejects.toThrow(convmat.MemoryError);
    await io.writeSparseNpz(draft('sparse.npz'), convmat.CsrMatrix.fromDense([[1, 2, 3]]));
    expect((await io.readSparseNpz(draft('sparse.npz'))).nnz).toBe(3);
    await expect(io.readSparseNpz(draft('sparse.npz'), { maxBytes: 40 })).rejects.toThrow(
      /expected what takes at most 40 bytes \(options.maxBytes\), got /,
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

describe('bytes that are taken away while they are read', () => {
  it.each(Object.keys(READERS))('%s: an answer, or an error of the library', async (name) => {
    const path = draft(`${name}.bytes`);
    const values = new Float64Array(100_000).fill(1.5);
    const matrix = convmat.CsrMatrix.fromDense(new convmat.Tensor(values, [100, 1000]));
    const write: Record<string, () => Promise<void>> = {
      readNpy: () => io.writeNpy(path, values),
      readNpz: () => io.writeNpz(path, { values, small: [1] }),
      readSparseNpz: () => io.writeSparseNpz(path, matrix),
      readMatrixMarket: () => io.writeMatrixMarket(path, matrix),
      readSafetensors: () => io.writeSafetensors(path, { values, small: [1] }),
    };
    await write[name]();
    // After so many turns of the event loop.
    for (let turns = 0; turns < 8; turns++) {
      const bytes = new Uint8Array(readFileSync(path)).slice();
      const read = READERS[name](bytes).then(
        () => undefined,
        (error: unknown) => error,
      );
      for (let turn = 0; turn < turns; turn++) await setImmediate();
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      const error = await read;
      if (error !== undefined) expect(error).toBeInstanceOf(convmat.ConvmatError);
    }
  });
});
