/** Kernels of rank one, which go by two passes: found by their values, and the same sums. */
import { backendInfo, conv2d, convMatrix, explainConv, prepareConv, Tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { conv } from '../oracle/conv';
import { absolute } from '../oracle/window';
import { expectWithin } from '../support/compare';
import { random } from '../support/random';
import { type Float, sums } from '../support/tolerance';

const native = backendInfo().backend === 'native';

/** [count, 1, height, width]: columns times rows, rounded to the dtype. */
function separable(count: number, height: number, width: number, dtype: Float = 'float32', seed = 1): Tensor {
  const columns = random([count, height], 'float64', seed).data;
  const rows = random([count, width], 'float64', seed + 1).data;
  const data = Float64Array.from(
    { length: count * height * width },
    (_, i) => columns[Math.floor(i / width)] * rows[Math.floor(i / (height * width)) * width + (i % width)],
  );
  return new Tensor(dtype === 'float32' ? Float32Array.from(data) : data, [count, 1, height, width]);
}

function gaussian(size: number, sigma: number): Tensor {
  const at = (i: number) => Math.exp(-((i - (size - 1) / 2) ** 2) / (2 * sigma * sigma));
  const data = Float32Array.from({ length: size * size }, (_, i) => at(Math.floor(i / size)) * at(i % size));
  return new Tensor(data, [1, 1, size, size]);
}

const chosen = (weight: Tensor, options: object = {}, channels = 1, size = 400) =>
  explainConv([1, channels, size, size], weight, options);

describe.runIf(native)('what is found', () => {
  test('a Gaussian, a box, a kernel that is zero, and many columns times rows', () => {
    const ones = new Tensor(new Float32Array(81).fill(1 / 81), [1, 1, 9, 9]);
    const zeros = new Tensor(new Float64Array(121), [1, 1, 11, 11]);
    for (const weight of [gaussian(15, 2), gaussian(31, 5), ones]) {
      expect(chosen(weight).chosen).toBe('depthwise');
      expect(chosen(weight).reason).toMatch(/^separable: a column times a row of taps takes \d+ \+ \d+ /);
    }
    expect(chosen(separable(6, 9, 13), { groups: 6 }, 6).reason).toContain('separable');
    expect(chosen(separable(6, 9, 13, 'float64'), { groups: 3 }, 3).reason).toContain('separable');
    expect(() => conv2d(new Tensor(new Float64Array(400), [1, 1, 20, 20]), zeros)).not.toThrow();
  });
  test('not when one kernel of many is not, or by more than rounding, or not finite', () => {
    const change = (by: (value: number) => number) => {
      const weight = separable(5, 9, 9);
      weight.data[4 * 81 + 40] = by(weight.data[4 * 81 + 40]);
      return chosen(weight, { groups: 5 }, 5).reason;
    };
    expect(change((value) => value)).toContain('separable');
    expect(change((value) => value * (1 + 2 ** -23))).toContain('separable');
    expect(change((value) => value * (1 + 2 ** -18))).not.toContain('separable');
    expect(change(() => Number.NaN)).not.toContain('separable');
    expect(change(() => Number.POSITIVE_INFINITY)).not.toContain('separable');
  });
  test('not with several channels to sum, strides, dilation, or too few taps', () => {
    const weight = separable(4, 9, 9);
    expect(chosen(new Tensor(weight.data, [2, 2, 9, 9]), {}, 2).reason).not.toContain('separable');
    expect(chosen(weight, { groups: 4, stride: 2 }, 4).reason).not.toContain('separable');
    expect(chosen(weight, { groups: 4, dilation: 2 }, 4).reason).not.toContain('separable');
    expect(chosen(separable(4, 3, 3), { groups: 4 }, 4).reason).not.toContain('separable');
  });
  test('named, it serves what it serves, and says why it does not', () => {
    const x = random([1, 1, 400, 400]);
    const named = conv2d(x, gaussian(11, 2), { algorithm: 'depthwise' });
    expect(named.data).toEqual(conv2d(x, gaussian(11, 2)).data);
    expect(() => conv2d(x, random([1, 1, 11, 11]), { algorithm: 'depthwise' })).toThrow(
      "'depthwise' cannot serve this call: needs a 3×3 or 5×5 kernel",
    );
  });
  test('the cost counts the two passes', () => {
    const { costs } = chosen(gaussian(15, 2), { padding: 7 });
    const { multiplications } = costs.find(({ algorithm }) => algorithm === 'depthwise') ?? {};
    expect(multiplications).toBe(400 * 400 * 30);
  });
  test('the matrix of a separable convolution goes by two passes as well, both ways', () => {
    const w = gaussian(9, 2);
    const matrix = convMatrix(w, { inputShape: [1, 20, 21], padding: 4 });
    const x = random([1, 1, 20, 21], 'float32', 9);
    const exact = conv(x, w, { padding: 4 });
    expectWithin(
      new Tensor(matrix.matvec(x.data as Float32Array), [1, 1, 20, 21]),
      exact,
      conv(absolute(x), absolute(w), { padding: 4 }),
      sums(81, 'float32'),
    );
  });
});

describe('within the bound of a sum of all taps', () => {
  const sizes = [
    { input: [1, 1, 40, 50], kernel: [7, 7], options: { padding: 3 } },
    { input: [2, 3, 20, 257], kernel: [7, 9], options: { groups: 3 } },
    { input: [1, 2, 33, 513], kernel: [9, 7], options: { groups: 2, padding: [4, 3] } },
    { input: [1, 1, 700, 18], kernel: [41, 7], options: { padding: [20, 3] } },
    { input: [1, 1, 9, 9], kernel: [9, 9], options: {} },
    { input: [1, 1, 30, 31], kernel: [15, 11], options: { padding: [14, 10], paddingMode: 'reflect' } },
    { input: [1, 1, 30, 31], kernel: [15, 11], options: { padding: [9, 7], paddingMode: 'circular' } },
    { input: [1, 1, 30, 31], kernel: [15, 11], options: { padding: 40, paddingMode: 'replicate' } },
    {
      input: [1, 1, 30, 31],
      kernel: [15, 11],
      options: {
        padding: [
          [0, 14],
          [3, 0],
        ],
      },
    },
  ] as const;
  const cases = sizes.flatMap((size) => [
    { ...size, dtype: 'float32' as const },
    { ...size, dtype: 'float64' as const },
  ]);
  test.each(cases)('$dtype $input by $kernel, $options', ({ input, kernel, options, dtype }) => {
    const x = random(input, dtype, 5);
    const w = separable(2 * input[1], kernel[0], kernel[1], dtype, 7);
    const exact = conv(x, w, options);
    const magnitude = conv(absolute(x), absolute(w), options);
    for (const accuracy of ['fast', 'strict'] as const) {
      expectWithin(
        conv2d(x, w, { ...options, accuracy }),
        exact,
        magnitude,
        sums(kernel[0] * kernel[1], dtype),
      );
    }
    const bias = random([2 * input[1]], dtype, 8);
    using prepared = prepareConv(w, { ...options, bias, activation: 'relu6' });
    const plain = conv2d(x, w, options);
    const plane = plain.shape[2] * plain.shape[3];
    const fused = plain.data.map((value, i) =>
      Math.min(6, Math.max(0, value + bias.data[Math.floor(i / plane) % bias.size])),
    );
    expectWithin(
      prepared.run(x),
      { shape: plain.shape, data: fused },
      { shape: plain.shape, data: magnitude.data.map((m, i) => m + Math.abs(fused[i]) + 1) },
      sums(kernel[0] * kernel[1] + 2, dtype),
    );
  });
});
