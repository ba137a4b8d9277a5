/**
 * What writing does to what is there: links, pipes, modes, other names, and files that a failure must leave alone.
 * Nothing outside of a folder of its own is touched.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CsrMatrix, io, tensor } from 'convmat';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const array = tensor(Float32Array.of(1, 2, 3));
const bytes = Buffer.from(io.encodeNpy(array));
const matrix = CsrMatrix.fromDense([
  [1, 0],
  [0, 2],
]);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'convmat-writing-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});
const at = (...names: string[]) => join(folder, ...names);
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

/** What there is besides the files that were meant. */
function expectOnly(...names: string[]): void {
  expect(readdirSync(folder).sort()).toEqual([...names].sort());
}

const posix = process.platform !== 'win32';

describe.runIf(posix)('what a path leads to', () => {
  it('a new file has the mode that new files have', async () => {
    const umask = process.umask();
    await io.writeNpy(at('a.npy'), array);
    expect(modeOf(at('a.npy'))).toBe((0o666 & ~umask).toString(8));
    expectOnly('a.npy');
  });

  it.each([0o600, 0o640, 0o755, 0o4711])('a file keeps its mode: %o', async (mode) => {
    writeFileSync(at('a.npy'), 'old');
    chmodSync(at('a.npy'), mode);
    await io.writeNpy(at('a.npy'), array);
    expect(readFileSync(at('a.npy'))).toEqual(bytes);
    expect(modeOf(at('a.npy'))).toBe(mode.toString(8));
  });

  it('a symbolic link stays one, and what it leads to is written', async () => {
    mkdirSync(at('there'));
    writeFileSync(at('there', 'a.npy'), 'old');
    symlinkSync(join('there', 'a.npy'), at('link'));
    symlinkSync('link', at('link of link'));
    await io.writeNpy(at('link of link'), array);
    expect(lstatSync(at('link of link')).isSymbolicLink()).toBe(true);
    expect(readlinkSync(at('link'))).toBe(join('there', 'a.npy'));
    expect(readFileSync(at('there', 'a.npy'))).toEqual(bytes);
    expect(readdirSync(at('there'))).toEqual(['a.npy']);
  });

  it('a link that leads nowhere makes the file that it names', async () => {
    mkdirSync(at('there'));
    symlinkSync(join('there', 'new.npy'), at('link'));
    await io.writeNpy(at('link'), array);
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('there', 'new.npy'))).toEqual(bytes);
  });

  it('links in a circle are the file system’s own error', async () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    await expect(io.writeNpy(at('a'), array)).rejects.toMatchObject({ code: 'ELOOP' });
    expectOnly('a', 'b');
  });

  it.each([
    ['longer', 3],
    ['shorter', 5000],
  ])('every name of a file shows what was written, %s than before', async (_, length) => {
    writeFileSync(at('a.npy'), 'x'.repeat(length));
    linkSync(at('a.npy'), at('other'));
    await io.writeNpy(at('a.npy'), array);
    expect(readFileSync(at('other'))).toEqual(bytes);
    expect(statSync(at('a.npy')).ino).toBe(statSync(at('other')).ino);
    expectOnly('a.npy', 'other');
  });

  it.each([
    ['writeNpy', (path: string) => io.writeNpy(path, array)],
    ['writeNpz', (path: string) => io.writeNpz(path, { array })],
    ['writeSparseNpz', (path: string) => io.writeSparseNpz(path, matrix)],
    ['writeMatrixMarket', (path: string) => io.writeMatrixMarket(path, matrix)],
    ['writeSafetensors', (path: string) => io.writeSafetensors(path, { array })],
  ])('%s writes through a pipe', async (_, write) => {
    execFileSync('mkfifo', [at('pipe')]);
    const [read] = await Promise.all([readFile(at('pipe')), write(at('pipe'))]);
    await write(at('file'));
    expect(read).toEqual(readFileSync(at('file')));
    expect(lstatSync(at('pipe')).isFIFO()).toBe(true);
    expectOnly('pipe', 'file');
  });

  it('a pipe is read', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const [copy] = await Promise.all([io.readNpy(at('pipe')), io.writeNpy(at('pipe'), array)]);
    expect(copy.data).toEqual(array.data);
  });

  it('a folder is the file system’s own error', async () => {
    mkdirSync(at('folder'));
    await expect(io.writeNpy(at('folder'), array)).rejects.toMatchObject({ code: 'EISDIR' });
    expectOnly('folder');
  });

  // Root may write everywhere.
  it.runIf(process.getuid?.() !== 0)('what may not be written is left, and what may is', async () => {
    writeFileSync(at('a.npy'), 'old', { mode: 0o400 });
    await expect(io.writeNpy(at('a.npy'), array)).rejects.toMatchObject({ code: 'EACCES' });
    expect(readFileSync(at('a.npy'), 'utf8')).toBe('old');
    chmodSync(at('a.npy'), 0o600);
    chmodSync(folder, 0o500);
    await io.writeNpy(at('a.npy'), array);
    expect(readFileSync(at('a.npy'))).toEqual(bytes);
    chmodSync(folder, 0o700);
  });

  it.each([239, 250, 255])('a name of %i bytes', async (length) => {
    const name = `${'n'.repeat(length - 4)}.npy`;
    await io.writeNpy(at(name), array);
    await io.writeNpy(at(name), array);
    expectOnly(name);
  });
});

describe('a failure leaves the old file whole, and nothing beside it', () => {
  const large = CsrMatrix.fromDense(
    Array.from({ length: 300 }, (_, i) => Array.from({ length: 300 }, (_, j) => i + j + 1)),
  );
  const stop = () => {
    throw new RangeError('enough');
  };

  it.each(['writeSparseNpz', 'writeMatrixMarket'] as const)('%s whose onProgress throws', async (write) => {
    for (const name of ['a', 'a.gz', 'absent/a']) {
      const path = at(name.replace('absent/', ''));
      writeFileSync(path, 'old');
      await expect(io[write](path, large, { onProgress: stop })).rejects.toThrow(new RangeError('enough'));
      expect(readFileSync(path, 'utf8')).toBe('old');
    }
    expectOnly('a', 'a.gz');
  });

  it.runIf(posix)('through a second name of the file, too', async () => {
    writeFileSync(at('a'), 'old');
    linkSync(at('a'), at('b'));
    await expect(io.writeSparseNpz(at('a'), large, { onProgress: stop })).rejects.toThrow('enough');
    expect(readFileSync(at('b'), 'utf8')).toBe('old');
    expectOnly('a', 'b');
  });

  it('an array whose memory goes away while it is written', async () => {
    const writers: ((path: string, data: Float32Array) => Promise<void>)[] = [
      (path, data) => io.writeNpy(path, data),
      (path, data) => io.writeNpz(path, { first: new Float32Array(9), data }),
      (path, data) => io.writeSafetensors(path, { data }),
    ];
    for (const write of writers) {
      for (const change of ['resize', 'transfer']) {
        writeFileSync(at('a'), 'old');
        // 1 MiB and more: several pieces.
        const buffer = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(3 << 20, {
          maxByteLength: 4 << 20,
        });
        const data = new Float32Array(buffer);
        const written = write(at('a'), data);
        if (change === 'resize') (buffer as ArrayBuffer & { resize(size: number): void }).resize(16);
        else structuredClone(buffer, { transfer: [buffer] });
        await expect(written).rejects.toThrow(/expected memory that stays while it is written/);
        expect(readFileSync(at('a'), 'utf8')).toBe('old');
      }
    }
    expectOnly('a');
  });

  it('an array that changes between its checksum and its bytes', async () => {
    const data = new Float32Array(1 << 22);
    const written = io.writeNpz(at('a.npz'), { data });
    const change = setInterval(() => data.fill(Math.random()), 0);
    // It may have been written as it was: then what was written is whole.
    const outcome = await written.then(
      () => io.readNpz(at('a.npz')),
      (error) => error.message,
    );
    clearInterval(change);
    if (typeof outcome === 'string') {
      expect(outcome).toMatch(/stay as they are while they are written/);
      expect(existsSync(at('a.npz'))).toBe(false);
    } else expect(outcome.data.size).toBe(1 << 22);
  });
});
