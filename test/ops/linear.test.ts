import { CsrMatrix, conv2d, convMatrix, convToLinear, linearToConv, matmul, Tensor, tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { conv } from '../oracle/conv';
import { random } from '../support/random';

const geometry = { inputShape: [4, 5, 6], stride: [1, 2], padding: 1, groups: 2 } as const;

describe('convToLinear', () => {
  test.each(['float32', 'float64'] as const)('the layer equals the convolution, in %s', (dtype) => {
    const weight = random([6, 2, 3, 3], dtype, 1);
    const bias = random([6], dtype, 2);
    const linear = convToLinear(weight, { ...geometry, bias });
    expect(linear.weight).toEqual(convMatrix(weight, geometry).toDense());
    expect(linear.bias.dtype).toBe(dtype);
    const x = random([4, 5, 6], dtype, 3);
    const product = matmul(linear.weight, tensor(x.data, [x.size, 1]));
    const exact = conv(x, weight, geometry, bias).data;
    const bound = dtype === 'float32' ? 1e-5 : 1e-13;
    for (const [i, value] of exact.entries()) {
      expect(Math.abs(product.data[i] + linear.bias.data[i] - value)).toBeLessThan(bound);
    }
  });

  test('sparse, the same entries; a bias of zeros when there is none', () => {
    const weight = random([6, 2, 3, 3], 'float64', 4);
    const sparse = convToLinear(weight, { ...geometry, sparse: true });
    expect(sparse.weight).toBeInstanceOf(CsrMatrix);
    expect(sparse.weight.toDense()).toEqual(convToLinear(weight, geometry).weight);
    expect(sparse.bias).toEqual(
      new Tensor(new Float64Array(sparse.weight.shape[0]), [sparse.weight.shape[0]]),
    );
  });
});

describe('linearToConv', () => {
  test('the valid convolution over its input is the layer', () => {
    const weight = random([5, 2 * 3 * 4], 'float32', 5);
    const bias = random([5], 'float32', 6);
    const layer = linearToConv(weight, { inputShape: [2, 3, 4], bias });
    expect(layer.weight.shape).toEqual([5, 2, 3, 4]);
    const x = random([2, 3, 4], 'float32', 7);
    const y = conv2d(x, layer.weight, { bias: layer.bias });
    expect(y.shape).toEqual([5, 1, 1]);
    for (let o = 0; o < 5; o++) {
      let sum = bias.data[o];
      for (let i = 0; i < 24; i++) sum += weight.data[o * 24 + i] * x.data[i];
      expect(Math.abs(y.data[o] - sum)).toBeLessThan(1e-5);
    }
  });

  test('and back again, in every rank', () => {
    for (const inputShape of [
      [3, 4],
      [1, 2, 3],
      [2, 2, 1, 3],
    ]) {
      const weight = random([4, inputShape.reduce((n, size) => n * size, 1)], 'float64', 8);
      const layer = linearToConv(weight, { inputShape });
      const back = convToLinear(layer.weight, { inputShape, bias: layer.bias });
      expect(back.weight).toEqual(weight);
      expect(back.bias.data).toEqual(new Float64Array(4));
      expect(layer.weight.data).not.toBe(weight.data);
    }
  });
});

test.each<[string, () => unknown, string, string]>([
  [
    'a bias of other length',
    () => convToLinear(random([2, 1, 3]), { inputShape: [1, 5], bias: [1, 2, 3] }),
    'ERR_CONVMAT_SHAPE',
    'options.bias: expected shape [2], got shape [3]',
  ],
  [
    'sparse that is no boolean',
    () => convToLinear([1], { inputShape: [5], sparse: 1 as never }),
    'ERR_CONVMAT_ARGUMENT',
    'options.sparse: expected true or false, got 1',
  ],
  [
    'a dense weight past a gibibyte',
    () => convToLinear(random([3, 3]), { inputShape: [512, 512] }),
    'ERR_CONVMAT_MEMORY',
    'toDense',
  ],
  [
    'mixed dtypes',
    () => convToLinear(random([2, 1, 3]), { inputShape: [5], bias: random([2], 'float64') }),
    'ERR_CONVMAT_DTYPE',
    'options.bias',
  ],
  [
    'a layer of other inputs',
    () => linearToConv(random([2, 5]), { inputShape: [1, 2, 3] }),
    'ERR_CONVMAT_SHAPE',
    'weight: expected shape [outputs, 6], got shape [2, 5]',
  ],
  [
    'an input without spatial axes',
    () => linearToConv(random([2, 5]), { inputShape: [5] }),
    'ERR_CONVMAT_SHAPE',
    'options.inputShape',
  ],
  [
    'integers',
    () => linearToConv(tensor(new Int8Array(4), [2, 2]), { inputShape: [1, 2] }),
    'ERR_CONVMAT_DTYPE',
    'weight',
  ],
])('%s', (_, call, code, message) => {
  expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
});
