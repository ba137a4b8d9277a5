import { existsSync } from 'node:fs';
import { MemoryError, onnx, Tensor, UnsupportedError } from 'convmat';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { golden } from '../support/golden';
import { modelBytes, node, tensor as stored, value } from '../support/models';

const { linearize, prepareNetwork } = onnx;
const { cases } = golden('torch_onnx');
const networks = cases
  .filter(({ id }) => /opset (11|17)/.test(id))
  .map((one) => ({ ...one, model: Uint8Array.from(one.tensors.model.data) }));

/** Two ways to one sum: their roundings are those of the longest path. */
const ROUNDINGS = 1000;

function expectClose(actual: Tensor, expected: { data: ArrayLike<number>; shape: readonly number[] }): void {
  const magnitude = { ...expected, data: Array.from(expected.data, Math.abs) };
  expectWithin(actual, expected, magnitude, { factor: ROUNDINGS * 2 ** -24, scale: 'largest' });
}

describe('networks as matrices', () => {
  test.each(networks)(
    '$id: stages compute what the network computes',
    async ({ model, tensors, expected }) => {
      for (const merge of [true, false]) {
        for (const label of ['as exported', 'of other sizes']) {
          const x = tensors[`x ${label}`];
          const network = await linearize(model, { inputShapes: { x: x.shape }, merge });
          expectClose(network.run({ x }).y, expected[`y ${label}`]);
          if (merge) {
            // Nothing affine follows something affine, but where its value is a stage for another reason.
            const affine = network.stages.filter(({ kind }) => kind === 'affine').length;
            const whole = await linearize(model, { inputShapes: { x: x.shape }, merge: false });
            expect(affine).toBeLessThanOrEqual(whole.stages.filter(({ kind }) => kind === 'affine').length);
          }
        }
      }
    },
  );

  test.each(networks.filter(({ id }) => id.startsWith('residual')))(
    '$id: one matrix for each chain, and dense layers for tools',
    async ({ model, tensors, expected }) => {
      const x = tensors['x as exported'];
      const network = await linearize(model, { inputShapes: { x: x.shape } });
      expect(network.stages.map((stage) => (stage.kind === 'affine' ? 'affine' : stage.opType))).toEqual([
        'affine',
        'Relu',
        'MaxPool',
        'affine',
        'Relu',
        'affine',
        'Relu',
        'affine',
        'Relu',
        'affine',
        'LogSoftmax',
      ]);
      const dense = network.toModel();
      const allowed = ['Gemm', 'Add', 'Relu', 'Reshape', 'MaxPool', 'LogSoftmax'];
      expect(dense.nodes.filter(({ opType }) => !allowed.includes(opType))).toEqual([]);
      expect(new Set(dense.nodes.map(({ name }) => name)).size).toBe(dense.nodes.length);
      for (const { opType, attributes } of dense.nodes) {
        if (opType === 'Gemm') expect({ ...attributes }).toEqual({ alpha: 1, beta: 1, transA: 0, transB: 1 });
      }
      const flat = new Tensor(x.data, [1, x.data.length]);
      const { y } = (await prepareNetwork(dense.encode())).run(flat);
      expectClose(y.reshape([1, 5]), expected['y as exported']);
      expect(() => network.toModel({ maxBytes: 10_000 })).toThrow(MemoryError);
      expect(() => network.toModel({ maxBytes: 10_000 })).toThrow(/\d+ × 1200: [\d.]+ MB/);
      expect(`${network}`).toMatch(/= Relu\(/);
    },
  );

  test('a convolution that merges with nothing stays a ConvMatrix, and BatchNormalization goes into its kernel', async () => {
    const [{ model, tensors }] = networks;
    const network = await linearize(model, { inputShapes: { x: tensors['x as exported'].shape } });
    const [first] = network.stages;
    if (first.kind !== 'affine') throw new Error('expected an affine stage');
    expect(first.terms[0].matrix.constructor.name).toBe('ConvMatrix');
  });

  test('sizes are told before memory is taken', async () => {
    const [{ model, tensors }] = networks;
    const options = { inputShapes: { x: tensors['x as exported'].shape }, maxBytes: 1000 };
    await expect(linearize(model, options)).rejects.toThrow(MemoryError);
    await expect(linearize(model, options)).rejects.toThrow(/the matrix of .* has \d+ entries/);
  });

  test('shapes that depend on elements are not for matrices', async () => {
    const model = modelBytes({
      nodes: [node('Reshape', ['x', 's'], ['y'])],
      inputs: [value('x', [6]), value('s', [2], 'int64')],
      outputs: [value('y', [null, null])],
    });
    await expect(linearize(model)).rejects.toThrow(UnsupportedError);
  });

  test('inputs and constants that are outputs, and outputs that share a value', async () => {
    const model = modelBytes({
      nodes: [node('Add', ['x', 'w'], ['y']), node('Identity', ['y'], ['z']), node('Identity', ['w'], ['c'])],
      inputs: [value('x', [2])],
      outputs: [value('x', [2]), value('y', [2]), value('z', [2]), value('c', [2])],
      initializers: [stored('w', [2], [10, 20])],
    });
    const network = await linearize(model);
    const results = network.run([1, 2]);
    expect(Object.fromEntries(Object.entries(results).map(([name, t]) => [name, [...t.data]]))).toEqual({
      x: [1, 2],
      y: [11, 22],
      z: [11, 22],
      c: [10, 20],
    });
  });
});

/** Small networks of other people's, which are beside the repository where it is worked on. */
const OTHERS = '../shared/onnx/vnncomp';
const FILES = ['cifar10_small', 'cifar_base_kw', 'resnet_2b', 'Convnet_maxpool'];

describe.skipIf(!existsSync(OTHERS))('the networks of VNN-COMP 2021', () => {
  test.each(FILES)('%s: the same as dense layers', async (name) => {
    const path = `${OTHERS}/${name}.onnx`;
    const network = await prepareNetwork(path);
    const [{ name: input, shape }] = network.inputs;
    const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
    const count = sizes.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 1000) / 1000);
    const expected = network.run({ [input]: new Tensor(data, sizes) });
    const linear = await linearize(path, { inputShapes: { [input]: sizes } });
    const stages = linear.run({ [input]: new Tensor(data, sizes) });
    const dense = (await prepareNetwork(linear.toModel())).run(new Tensor(data, [1, count]));
    for (const [output, result] of Object.entries(expected)) {
      expectClose(stages[output], result);
      expectClose(Object.values(dense)[0].reshape(result.shape), result);
    }
  });
});
