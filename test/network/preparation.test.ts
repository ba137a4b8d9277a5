/** Preparation off the event loop: who packs, for whom, and what becomes of it when calls end before it does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { backend } from '../../dist/backend/select.js';
import { ArgumentError, ShapeError } from '../../dist/errors.js';
import { prepareNetwork } from '../../dist/onnx/network.js';
import { readModel } from '../../dist/onnx/read.js';
import { FileTensor } from '../../dist/onnx-file/file-tensor.js';
import { InferenceSession } from '../../dist/ort/session.js';
import { Tensor } from '../../dist/ort/tensor.js';
import { modelBytes, node, TYPES, value } from '../support/models';

const [CHANNELS, LAYERS] = [48, 6];
const WEIGHTS = CHANNELS * CHANNELS * 9;

/** As files have them: weights stay views of these bytes. */
function floats(name: string, dims: readonly number[], values: Float32Array): FileTensor {
  const bytes = new Uint8Array(values.buffer);
  return new FileTensor('test', name, dims, TYPES.float, { kind: 'raw', bytes });
}

/** Convolutions behind one another, for maps of any size. */
function model(): Uint8Array {
  const names = Array.from({ length: LAYERS }, (_, i) => `x${i}`);
  return modelBytes({
    inputs: [value('x0', [1, CHANNELS, 'height', 'width'])],
    outputs: [value('y', [1, CHANNELS, 'height', 'width'])],
    initializers: names.map((_, i) =>
      floats(
        `w${i}`,
        [CHANNELS, CHANNELS, 3, 3],
        Float32Array.from({ length: WEIGHTS }, (_, k) => Math.sin(k * 7.13 + i) / 20),
      ),
    ),
    nodes: names.map((name, i) =>
      node('Conv', [name, `w${i}`], [i === LAYERS - 1 ? 'y' : `x${i + 1}`], {
        pads: { kind: 'ints', value: [1, 1, 1, 1] },
      }),
    ),
  });
}

const image = (size: number) => ({
  shape: [1, CHANNELS, size, size],
  data: Float32Array.from({ length: CHANNELS * size * size }, (_, i) => Math.cos(i * 3.7)),
});

/** Counts what the backend packs here, and elsewhere. */
function counters() {
  const used = backend();
  const here = used.bindNetwork === undefined ? null : vi.spyOn(used, 'bindNetwork');
  const elsewhere = used.bindNetworkAsync === undefined ? null : vi.spyOn(used, 'bindNetworkAsync');
  const packs = elsewhere === null ? 0 : 1;
  const counts = () => ({ here: here?.mock.calls.length ?? 0, elsewhere: elsewhere?.mock.calls.length ?? 0 });
  return { counts, packs };
}

afterEach(() => vi.restoreAllMocks());

describe('the calling thread packs nothing', () => {
  test('when a network is prepared and run asynchronously', async () => {
    const { counts, packs } = counters();
    const network = await prepareNetwork(model(), { inputShapes: { x0: [1, CHANNELS, 20, 20] } });
    expect(counts()).toEqual({ here: 0, elsewhere: packs });
    await network.runAsync(image(20));
    expect(counts()).toEqual({ here: 0, elsewhere: packs });
    await network.runAsync(image(12));
    expect(counts()).toEqual({ here: 0, elsewhere: 2 * packs });
    network.dispose();
  });

  test('and calls that come at the same time share what is packed', async () => {
    const { counts, packs } = counters();
    const network = await prepareNetwork(model());
    const [expected, ...others] = await Promise.all(
      Array.from({ length: 5 }, () => network.runAsync(image(16))),
    );
    expect(counts()).toEqual({ here: 0, elsewhere: packs });
    for (const { y } of others) expect(y.data).toEqual(expected.y.data);
    expect(network.run(image(16)).y.data).toEqual(expected.y.data);
    expect(counts()).toEqual({ here: 0, elsewhere: packs });
    network.dispose();
  });
});

test('what is packed elsewhere gives the same bits as what is packed here', async () => {
  const [here, elsewhere] = await Promise.all([prepareNetwork(model()), prepareNetwork(model())]);
  for (const size of [9, 20]) {
    const { y } = await elsewhere.runAsync(image(size));
    expect(y.data).toEqual(here.run(image(size)).y.data);
  }
  here.dispose();
  elsewhere.dispose();
});

test('weights of bytes are copied for the first shape, and for those that want them packed otherwise', async () => {
  const used = backend();
  const spy = used.bindNetworkAsync === undefined ? null : vi.spyOn(used, 'bindNetworkAsync');
  const sizes = [20, 21, 12, 3, 1, 40, 2];
  const network = await prepareNetwork(model(), { inputShapes: { x0: [1, CHANNELS, 20, 20] } });
  await network.runAsync(image(21));
  const copied = spy?.mock.calls.map(([{ constants }]) =>
    constants.reduce((sum, { byteLength }) => sum + byteLength, 0),
  );
  // WebAssembly is handed the caller's own.
  if (used.name === 'native') expect(copied).toEqual([LAYERS * WEIGHTS * 4, 0]);
  for (const size of sizes) {
    const alone = await prepareNetwork(model());
    expect((await network.runAsync(image(size))).y.data).toEqual(alone.run(image(size)).y.data);
    alone.dispose();
  }
  network.dispose();
});

describe('rows of a matrix that nobody else sees', () => {
  /** A classifier over maps of any size, as bytes and in a file. */
  function classifier() {
    const [classes, channels] = [40, 300];
    const rows = Float32Array.from({ length: classes * channels }, (_, k) => Math.sin(k * 3.1));
    const bytes = modelBytes({
      inputs: [value('x', [1, channels, 'height', 'width'])],
      outputs: [value('y', [1, classes])],
      initializers: [floats('w', [classes, channels], rows)],
      nodes: [
        node('GlobalAveragePool', ['x'], ['mean']),
        node('Flatten', ['mean'], ['row']),
        node('Gemm', ['row', 'w'], ['y'], { transB: { kind: 'int', value: 1 } }),
      ],
    });
    const path = join(mkdtempSync(join(tmpdir(), 'convmat-test-')), 'classifier.onnx');
    writeFileSync(path, bytes);
    const map = (size: number) => ({
      shape: [1, channels, size, size],
      data: Float32Array.from({ length: channels * size * size }, (_, i) => Math.cos(i * 0.7)),
    });
    return { path, bytes, map };
  }

  test('are the same read in place and copied, for every shape, after the network was let go', async () => {
    const { path, bytes, map } = classifier();
    const copied = await prepareNetwork(bytes);
    const inPlace = await prepareNetwork(path);
    const expected = [3, 5].map((size) => copied.run(map(size)).y.data);
    const first = inPlace.run(map(3)).y.data;
    expect(first).toEqual(expected[0]);
    const calls = [3, 5, 5].map((size) => inPlace.runAsync(map(size)));
    inPlace.dispose();
    // Memory that nobody held would be another's by now.
    for (let i = 0; i < 50; i++) new Float32Array(2 ** 20).fill(i);
    const results = await Promise.all(calls);
    expect(results.map(({ y }) => y.data)).toEqual([expected[0], expected[1], expected[1]]);
    rmSync(dirname(path), { recursive: true });
    copied.dispose();
  });

  test('of bytes that others see are copied', async () => {
    const { bytes, map } = classifier();
    const network = await prepareNetwork(bytes);
    const before = (await network.runAsync(map(3))).y.data;
    bytes.fill(0);
    expect((await network.runAsync(map(3))).y.data).toEqual(before);
    network.dispose();
  });
});

test('a network of fixed shapes gives the bytes of its file back, and each weight to all that read it', async () => {
  const shape = [1, CHANNELS, 16, 16];
  const window = { pads: { kind: 'ints', value: [1, 1, 1, 1] } } as const;
  const weights = Float32Array.from({ length: WEIGHTS }, (_, k) => Math.sin(k * 7.13) / 20);
  const other = weights.map((w) => 1 - w);
  const bytes = modelBytes({
    inputs: [value('x', shape)],
    outputs: [value('y', shape)],
    initializers: [
      floats('own', [CHANNELS, CHANNELS, 3, 3], weights),
      floats('shared', [CHANNELS, CHANNELS, 3, 3], other),
    ],
    nodes: [
      node('Conv', ['x', 'shared'], ['a'], window),
      node('Conv', ['a', 'own'], ['b'], window),
      node('Conv', ['b', 'shared'], ['y'], window),
    ],
  });
  const path = join(mkdtempSync(join(tmpdir(), 'convmat-test-')), 'fixed.onnx');
  writeFileSync(path, bytes);
  const used = backend();
  const spy = used.bindNetworkAsync === undefined ? null : vi.spyOn(used, 'bindNetworkAsync');
  const [ofBytes, ofFile] = [await prepareNetwork(bytes), await prepareNetwork(path)];
  const [kept, spent] = spy?.mock.calls.map(([program]) => program.spent) ?? [[], [0]];
  expect(kept).toEqual([]);
  expect(spent).toHaveLength(1);
  const { y } = ofBytes.run(image(16));
  for (let i = 0; i < 2; i++) {
    expect(ofFile.run(image(16)).y.data).toEqual(y.data);
    expect((await ofFile.runAsync(image(16))).y.data).toEqual(y.data);
  }
  expect(ofFile.explain().steps).toEqual(ofBytes.explain().steps);
  expect(ofFile.profile(image(16)).steps).toHaveLength(ofBytes.explain().steps.length);
  rmSync(dirname(path), { recursive: true });
  ofBytes.dispose();
  ofFile.dispose();
});

test('a network of fixed shapes takes its inputs in any order', async () => {
  const bytes = modelBytes({
    inputs: [value('a', [2, 3]), value('b', [3])],
    outputs: [value('y', [2, 3])],
    nodes: [node('Add', ['a', 'b'], ['y'])],
  });
  const path = join(mkdtempSync(join(tmpdir(), 'convmat-test-')), 'sum.onnx');
  writeFileSync(path, bytes);
  const session = await InferenceSession.create(path);
  const a = new Tensor('float32', Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  const b = new Tensor('float32', Float32Array.of(10, 20, 30), [3]);
  for (const feeds of [
    { a, b },
    { b, a },
  ]) {
    const { y } = await session.run(feeds);
    expect([...y.data]).toEqual([11, 22, 33, 14, 25, 36]);
  }
  const wrong = new Tensor('float32', new Float32Array(9), [3, 3]);
  await expect(session.run({ a: wrong, b })).rejects.toThrow(ShapeError);
  await session.release();
  rmSync(dirname(path), { recursive: true });
});

describe('a preparation goes on', () => {
  test('when a call that waits for it is aborted', async () => {
    const { counts, packs } = counters();
    const network = await prepareNetwork(model());
    const controller = new AbortController();
    const reason = new Error('enough');
    const aborted = network.runAsync(image(16), { signal: controller.signal });
    const other = network.runAsync(image(16));
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect((await other).y.data).toEqual(network.run(image(16)).y.data);
    expect(counts()).toEqual({ here: 0, elsewhere: packs });
    network.dispose();
  });

  test('when a call that cannot wait has made its own', async () => {
    const { counts, packs } = counters();
    const network = await prepareNetwork(model());
    const later = network.runAsync(image(16));
    const now = network.run(image(16));
    expect(counts()).toMatchObject({ here: packs });
    expect((await later).y.data).toEqual(now.y.data);
    expect((await network.runAsync(image(16))).y.data).toEqual(now.y.data);
    expect(counts()).toMatchObject({ here: packs });
    network.dispose();
  });

  test('for calls that came before the network was let go', async () => {
    const network = await prepareNetwork(model());
    const calls = [16, 16, 20].map((size) => network.runAsync(image(size)));
    network.dispose();
    await expect(network.runAsync(image(16))).rejects.toThrow(ArgumentError);
    const [a, b] = await Promise.all(calls);
    expect(a.y.data).toEqual(b.y.data);
  });

  test('to no end when its only call was aborted and the network is let go', async () => {
    const network = await prepareNetwork(model());
    const controller = new AbortController();
    const call = network.runAsync(image(16), { signal: controller.signal });
    controller.abort();
    network.dispose();
    await expect(call).rejects.toBe(controller.signal.reason);
  });
});

describe('while a call waits for its preparation', () => {
  test('its inputs may change', async () => {
    const network = await prepareNetwork(model());
    const { shape, data } = image(16);
    const call = network.runAsync({ shape, data });
    data.fill(Number.NaN);
    expect((await call).y.data).toEqual(network.run(image(16)).y.data);
    network.dispose();
  });

  test('the bytes of the model may be handed on, which is told or does not matter', async () => {
    const expected = (await (await prepareNetwork(model())).runAsync(image(16))).y.data;
    for (let turns = 0; turns < 8; turns++) {
      const bytes = model();
      const network = await prepareNetwork(await readModel(bytes));
      const call = network.runAsync(image(16)).then(
        ({ y }) => y.data,
        (error: unknown) => error,
      );
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
      structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
      const end = await call;
      if (end instanceof Error) expect(end).toBeInstanceOf(ArgumentError);
      else expect(end).toEqual(expected);
      network.dispose();
    }
  });
});
