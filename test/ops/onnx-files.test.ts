import { execFileSync } from 'node:child_process';
import { mkdtempSync, promises, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError, FormatError, io, onnx, type Tensor, tensor } from 'convmat';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { type GoldenCase, type GoldenTensor, golden } from '../support/golden';
import { modelBytes, node, tensor as stored, value } from '../support/models';

const { prepareNetwork, readModel, writeModel } = onnx;
const { cases } = golden('torch_onnx');

const bytesOf = ({ tensors }: GoldenCase) => Uint8Array.from(tensors.model.data);

/** The longest path of these networks has some thousand roundings, each relative to values below the largest. */
const ROUNDINGS = 1000;

function expectClose(actual: Tensor, expected: GoldenTensor): void {
  const magnitude = { ...expected, data: expected.data.map(Math.abs) };
  expectWithin(actual, expected, magnitude, { factor: ROUNDINGS * 2 ** -24, scale: 'largest' });
}

describe('files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'convmat-onnx-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const product = (location: string, length = 16) => {
    const bytes = modelBytes({
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      inputs: [value('x', [1, 2])],
      outputs: [value('y', [1, 2])],
      initializers: [stored('w', [2, 2], [1, 2, 3, 4])],
    });
    // The same with the weight elsewhere: written by hand, since writers of this library never place one outside.
    return replaceRaw(bytes, location, length);
  };

  test('external data lie beside the path, and nowhere else', async () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(join(folder, 'w.bin'), new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer));
    writeFileSync(path, product('w.bin'));
    const network = await prepareNetwork(path);
    expect(network.run([[1, 10]]).y.toNested()).toEqual([[31, 42]]);
    await expect(readModel(product('w.bin'))).rejects.toThrow(/externalData/);
    const given = { externalData: { 'w.bin': new Uint8Array(Float32Array.of(1, 0, 0, 1).buffer) } };
    const model = await readModel(product('w.bin'), given);
    expect((await prepareNetwork(model)).run([[1, 10]]).y.toNested()).toEqual([[1, 10]]);
    for (const outside of ['../w.bin', '/etc/hostname', 'a/../../w.bin']) {
      writeFileSync(path, product(outside));
      await expect(readModel(path), outside).rejects.toThrow(/within the model's folder/);
    }
    symlinkSync('/etc/hostname', join(folder, 'link.bin'));
    writeFileSync(path, product('link.bin'));
    await expect(readModel(path)).rejects.toThrow(/within the model's folder/);
    writeFileSync(path, product('w.bin', 12));
    await expect(readModel(path)).rejects.toThrow(FormatError);
  });

  test('writeModel puts weights beside the model when asked', async () => {
    const [one] = cases;
    const path = join(folder, 'residual.onnx');
    for (const externalData of [undefined, true, false]) {
      await writeModel(path, await readModel(bytesOf(one)), { externalData });
      const network = await prepareNetwork(path);
      expectClose(network.run(one.tensors['x as exported']).y, one.expected['y as exported']);
    }
    await expect(readModel(join(folder, 'absent.onnx'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readModel(7 as never)).rejects.toThrow(ArgumentError);
  });

  test('what is no file, or holds nothing, is said with its name', async () => {
    const reading = { code: 'EISDIR', message: expect.stringContaining(folder) };
    await expect(readModel(folder)).rejects.toMatchObject(reading);
    await expect(io.readNpy(folder)).rejects.toMatchObject(reading);
    await expect(readModel(new Uint8Array(0))).rejects.toThrow('expected an ONNX model, got no bytes');
    await expect(io.readNpy(new Uint8Array(0))).rejects.toThrow('at byte 0, got none');
  });

  test.runIf(process.platform === 'linux')('a model is read from a pipe', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const written = promises.writeFile(path, bytesOf(cases[0]));
    expect((await readModel(path)).nodes.length).toBe((await readModel(bytesOf(cases[0]))).nodes.length);
    await written;
  });

  test('layer normalization by parameters that differ between rows', async () => {
    const [x, scale, bias] = [
      [1, 3, 2, 6],
      [1, 10],
      [1, 2, 3, 4],
    ];
    const bytes = modelBytes({
      nodes: [node('LayerNormalization', ['x', 'scale', 'bias'], ['y'])],
      inputs: [value('x', [2, 2])],
      outputs: [value('y', [2, 2])],
      initializers: [stored('scale', [2, 1], scale), stored('bias', [2, 2], bias)],
    });
    const { y } = (await prepareNetwork(bytes)).run({ x: tensor([x.slice(0, 2), x.slice(2)]) });
    const expected = x.map((_, i) => {
      const row = i >> 1;
      const half = (x[2 * row + 1] - x[2 * row]) / 2;
      return (scale[row] * (i % 2 === 0 ? -half : half)) / Math.sqrt(half * half + 1e-5) + bias[i];
    });
    for (const [i, expectedValue] of expected.entries()) expect(y.data[i]).toBeCloseTo(expectedValue, 5);
  });
});

/** The model with the raw bytes of its only weight told to be in another file. */
function replaceRaw(bytes: Uint8Array, location: string, length: number): Uint8Array {
  const raw = Float32Array.of(1, 2, 3, 4);
  const needle = Buffer.concat([Buffer.from([0x4a, 16]), Buffer.from(raw.buffer)]);
  const whole = Buffer.from(bytes);
  const at = whole.indexOf(needle);
  const field = (number: number, body: Buffer) =>
    Buffer.concat([Buffer.from([number * 8 + 2, body.length]), body]);
  const entry = (key: string, text: string) =>
    field(13, Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(text))]));
  const elsewhere = Buffer.concat([
    entry('location', location),
    entry('length', `${length}`),
    Buffer.from([14 * 8, 1]),
  ]);
  const grown = elsewhere.length - needle.length;
  const changed = Buffer.concat([whole.subarray(0, at), elsewhere, whole.subarray(at + needle.length)]);
  // The lengths of the tensor and of the graph around it.
  const tensorAt = whole.lastIndexOf(Buffer.from([5 * 8 + 2]), at - 1);
  const graphAt = whole.indexOf(Buffer.from([7 * 8 + 2]));
  changed[tensorAt + 1] += grown;
  if (changed[graphAt + 1] >= 128) {
    const total = (changed[graphAt + 1] & 127) + 128 * changed[graphAt + 2] + grown;
    changed[graphAt + 1] = (total & 127) | 128;
    changed[graphAt + 2] = total >> 7;
  } else changed[graphAt + 1] += grown;
  return changed;
}
