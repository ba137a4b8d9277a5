/** Networks as their users meet them: the command line, the subpaths, a folder of matrices in SciPy. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { io, onnx, Tensor } from 'convmat';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { golden } from '../support/golden';

const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'convmat-networks-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const residual = golden('torch_onnx').cases.find(({ id }) => id === 'residual at opset 13');
if (residual === undefined) throw new Error('the golden file lacks its network');
const { tensors } = residual;
const input = tensors['x as exported'];
const expected = residual.expected['y as exported'];

function expectNear(actual: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(actual.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(actual[i]).toBeCloseTo(wanted[i], 4);
}

function convmat(...args: string[]) {
  const main = join(root, 'dist/cli/main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    cwd: scratch,
  });
  return { status, stdout, stderr };
}

beforeAll(async () => {
  writeFileSync(join(scratch, 'model.onnx'), tensors.model.data);
  await io.writeNpy(join(scratch, 'x.npy'), input);
});

describe('the command', () => {
  it('inspects', () => {
    const { status, stdout } = convmat('inspect', 'model.onnx', '--shape', 'x=1x3x20x20');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^opset 13, by pytorch/);
    expect(stdout).toMatch(/Conv .*\[1, 8, 10, 10\] .*21,600/);
    const { nodes, inputs } = JSON.parse(convmat('inspect', 'model.onnx', '--json').stdout);
    expect(inputs[0].shape).toEqual(['batch', 3, 'height', 'width']);
    expect(nodes.length).toBeGreaterThan(10);
  });

  it('runs on files of arrays', async () => {
    const { status, stdout } = convmat('run', 'model.onnx', '--input', 'x=x.npy', '-o', 'y.npy');
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^y float32\[1, 5\] \[.*\]\ny\.npy: run in/)]);
    expectNear((await io.readNpy(join(scratch, 'y.npy'))).data, expected.data);
    const { outputs } = JSON.parse(convmat('run', 'model.onnx', '--input', 'x.npy', '--json').stdout);
    expectNear(outputs[0].data, expected.data);
    await io.writeNpz(join(scratch, 'all.npz'), { x: input });
    expect(convmat('run', 'model.onnx', '--input', 'all.npz').status).toBe(0);
  });

  it('runs on images', async () => {
    const pixels = Uint8Array.from({ length: 20 * 24 * 3 }, (_value, i) => (i * 37) % 256);
    await sharp(pixels, { raw: { width: 24, height: 20, channels: 3 } }).toFile(join(scratch, 'image.png'));
    const args = ['--mean', '0.5,0.4,0.3', '--std', '0.2'];
    const { outputs } = JSON.parse(
      convmat('run', 'model.onnx', '--input', 'image.png', ...args, '--json').stdout,
    );
    const mean = [0.5, 0.4, 0.3];
    const planes = Float32Array.from({ length: pixels.length }, (_value, i) => {
      const c = Math.floor(i / 480);
      return (pixels[(i % 480) * 3 + c] / 255 - mean[c]) / 0.2;
    });
    const network = await onnx.prepareNetwork(tensors.model.data as Uint8Array);
    expectNear(outputs[0].data, network.run(new Tensor(planes, [1, 3, 20, 24])).y.data);
  });

  it('profiles', () => {
    const { stdout } = convmat('profile', 'model.onnx', '--shape', '1x3x20x20', '--runs', '2');
    expect(stdout).toMatch(/ms .*% {2}\w/);
    expect(stdout).toMatch(/100\.0 % {2}total/);
    const { steps } = JSON.parse(convmat('profile', 'model.onnx', '--input', 'x.npy', '--json').stdout);
    expect(steps.length).toBeGreaterThan(3);
  });

  it('linearizes', async () => {
    const shape = ['--shape', 'x=1x3x20x20'];
    expect(convmat('linearize', 'model.onnx', ...shape).stdout).toMatch(/800 × 1200.*· x \+ bias/);
    expect(convmat('linearize', 'model.onnx', ...shape, '-o', 'dense.onnx').status).toBe(0);
    const dense = await onnx.prepareNetwork(join(scratch, 'dense.onnx'));
    expectNear(dense.run(new Tensor(input.data, [1, 1200])).y.data, expected.data);
    const { stages } = JSON.parse(convmat('linearize', 'model.onnx', ...shape, '--json').stdout);
    expect(stages[0]).toMatchObject({ kind: 'affine', terms: [{ input: 'x', shape: [800, 1200] }] });
  });

  it.each([
    [['run', 'model.onnx', '--input', 'z=x.npy'], /--input: expected one of the names "x", got "z"/],
    [['run', 'absent.onnx'], /ENOENT/],
    [['profile', 'model.onnx'], /--shape: expected x=SIZES/],
    [['run', 'x.npy', '--input', 'x.npy'], /x\.npy: expected/],
    [['linearize', 'model.onnx'], /inputShapes/],
  ])('%j is refused in a line', (args, message) => {
    const { status, stderr } = convmat(...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n').length).toBe(1);
  });
});

describe('the folder of matrices', () => {
  const python = spawnSync('/usr/bin/python3', ['-c', 'import scipy.sparse'], { encoding: 'utf8' });

  it.skipIf(python.status !== 0)('runs by the page of Python in docs/networks-onnx.md', async () => {
    const page = readFileSync(join(root, 'docs/networks-onnx.md'), 'utf8');
    const [, program] = /^```python\n([\s\S]*?)^```$/m.exec(page) ?? [];
    writeFileSync(join(scratch, 'run.py'), program);
    for (const merge of [true, false]) {
      const folder = join(scratch, merge ? 'merged' : 'single');
      const network = await onnx.linearize(join(scratch, 'model.onnx'), {
        inputShapes: { x: input.shape },
        merge,
      });
      await network.write(folder);
      const { status, stderr } = spawnSync('/usr/bin/python3', ['run.py', folder, 'x.npy', 'scipy.npy'], {
        cwd: scratch,
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([0, '']);
      expectNear((await io.readNpy(join(scratch, 'scipy.npy'))).data, expected.data);
    }
  });
});

describe('convmat/ort', () => {
  const { InferenceSession, Tensor: OrtTensor } = createRequire(join(root, 'package.json'))(
    'convmat/ort',
  ) as typeof import('../../dist/ort/index.js');

  it('is onnxruntime by its names', async () => {
    const bytes = tensors.model.data as Uint8Array;
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    for (const session of [
      await InferenceSession.create(join(scratch, 'model.onnx'), { executionProviders: ['cpu'] }),
      await InferenceSession.create(bytes),
      await InferenceSession.create(buffer, 0, buffer.byteLength, {
        freeDimensionOverrides: { batch: 1, height: 20, width: 20 },
      }),
      // Of another realm, as test runners have them.
      await InferenceSession.create(runInNewContext('Uint8Array.from(bytes).buffer', { bytes }), 0),
    ]) {
      expect([session.inputNames, session.outputNames]).toEqual([['x'], ['y']]);
      expect(session.inputMetadata).toEqual([
        { name: 'x', isTensor: true, type: 'float32', shape: ['batch', 3, 'height', 'width'] },
      ]);
      const x = new OrtTensor('float32', input.data as Float32Array, input.shape);
      const { y } = await session.run({ x });
      expect([y.type, y.dims]).toEqual(['float32', [1, 5]]);
      expectNear(y.data as Float32Array, expected.data);
      const target = new OrtTensor('float32', new Float32Array(5), [1, 5]);
      expect((await session.run({ x }, { y: target })).y).toBe(target);
      expectNear(target.data as Float32Array, expected.data);
      expect(Object.keys(await session.run({ x }, ['y'], {}))).toEqual(['y']);
      await expect(session.run({ x }, ['z'])).rejects.toThrow(/fetches/);
      await expect(session.run({ x: new OrtTensor('float64', new Float64Array(3)) })).rejects.toThrow(
        /float32/,
      );
      await expect(session.run({})).rejects.toThrow(/a tensor for "x"/);
      await session.release();
    }
  });

  it('makes tensors as onnxruntime-common does', () => {
    expect(new OrtTensor('int64', [1, 2n]).data).toEqual(BigInt64Array.of(1n, 2n));
    expect(new OrtTensor([true, false])).toMatchObject({ type: 'bool', dims: [2], size: 2 });
    expect(new OrtTensor(Float32Array.of(1, 2, 3, 4), [2, 2]).reshape([4]).dims).toEqual([4]);
    expect(new OrtTensor('float16', Uint16Array.of(0x3c00)).type).toBe('float16');
    expect(() => new OrtTensor('complex64' as never, [])).toThrow(/type: expected/);
    expect(() => new OrtTensor('float32', Float32Array.of(1), [2])).toThrow(/2 elements/);
    expect(() => new OrtTensor('float32', new Float64Array(1))).toThrow(/elements of float32/);
  });
});
