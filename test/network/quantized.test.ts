/** Networks of bytes as onnxruntime computes them: every byte, on every backend. */
import { describe, expect, test } from 'vitest';
import { backendInfo, Tensor } from '../../dist/index.js';
import { prepareNetwork } from '../../dist/onnx/index.js';
import { FileTensor } from '../../dist/onnx-file/file-tensor.js';
import { type GoldenCase, golden } from '../support/golden';
import { modelBytes, node, TYPES, value } from '../support/models';

const { cases } = golden('onnxruntime_quantized');

function decoded({ args }: GoldenCase): Uint8Array {
  return Uint8Array.from(atob(args.model), (character) => character.charCodeAt(0));
}

function inputsOf({ tensors }: GoldenCase): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { data, shape }]) => [name, new Tensor(data, shape)]),
  );
}

/** Elements that differ at all: -0 from 0, too. */
function differing(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let count = Math.abs(a.length - b.length);
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) count++;
  return count;
}

describe('networks of bytes', () => {
  test.each(cases.map((one) => [one.id, one] as const))('%s', async (_, one) => {
    const network = await prepareNetwork(decoded(one));
    const inputs = inputsOf(one);
    const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
    for (const outputs of [network.run(inputs), await network.runAsync(inputs)]) {
      for (const [name, expected] of Object.entries(one.expected)) {
        expect(outputs[name].dtype).toBe(expected.dtype);
        expect(outputs[name].shape).toEqual(expected.shape);
        expect(differing(outputs[name].data, expected.data)).toBe(0);
      }
    }
    const scripts = network.explain(shapes).steps.filter(({ algorithm }) => algorithm === 'JavaScript');
    if (backendInfo().backend !== 'js') expect(scripts).toEqual([]);
    network.dispose();
  });
});

test.each([
  [1, 1, 1],
  [3, 64, 5],
  [2, 150, 37],
  [9, 129, 65],
])('products of %i rows by matrices of %i rows and %i columns', async (rows, k, n) => {
  const bytesOf = (count: number, seed: number) =>
    Int8Array.from({ length: count }, (_, i) => ((i * 7919 + seed * 104729) % 251) - 125);
  const [a, b] = [bytesOf(rows * k, 1), bytesOf(k * n, 2)];
  const tensor = (name: string, dims: readonly number[], type: number, elements: Int8Array | Float32Array) =>
    new FileTensor('test', name, dims, type, { kind: 'raw', bytes: new Uint8Array(elements.buffer) });
  // A power of two: what is rounded is exact before.
  const scale = 2 ** 12;
  const network = await prepareNetwork(
    modelBytes({
      inputs: [value('a', [rows, k], 'int8')],
      outputs: [value('y', [rows, n], 'int8')],
      initializers: [
        tensor('b', [k, n], TYPES.int8, b),
        tensor('one', [], TYPES.float, Float32Array.of(1)),
        tensor('scale', [], TYPES.float, Float32Array.of(scale)),
        tensor('zero', [], TYPES.int8, Int8Array.of(0)),
      ],
      nodes: [node('QLinearMatMul', ['a', 'one', 'zero', 'b', 'one', 'zero', 'scale', 'zero'], ['y'])],
    }),
  );
  const expected = Int8Array.from({ length: rows * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += a[row * k + j] * b[j * n + column];
    const below = Math.floor(sum / scale);
    const above = sum / scale - below;
    const isUp = above > 0.5 || (above === 0.5 && below % 2 !== 0);
    return Math.max(-128, Math.min(127, below + (isUp ? 1 : 0)));
  });
  expect(network.run({ a: new Tensor(a, [rows, k]) }).y.data).toEqual(expected);
  network.dispose();
});
