/** Networks of bytes as onnxruntime computes them: every byte, on every backend. */
import { describe, expect, test } from 'vitest';
import { backendInfo, Tensor } from '../../dist/index.js';
import { prepareNetwork } from '../../dist/onnx/index.js';
import { type GoldenCase, golden } from '../support/golden';

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
