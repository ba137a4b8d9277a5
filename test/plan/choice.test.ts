/** Which algorithm 'auto' takes, why others decline, and that every one keeps the error that docs/accuracy.md states. */
import { backendInfo, conv2d, explainConv, Tensor, UnsupportedError } from 'convmat';
import { describe, expect, test } from 'vitest';
import { layersOf } from '../../bench/layers.mjs';
import { loadAddon } from '../../dist/backend/native/loader.js';
import { conv } from '../oracle/conv';
import { random } from '../support/random';

const native = backendInfo().backend === 'native';
const accuracies = ['fast', 'strict'] as const;

function explain(
  input: number[],
  weight: number[],
  options: object = {},
  accuracy: 'fast' | 'strict' = 'fast',
) {
  return explainConv(input, { shape: weight }, { ...options, accuracy });
}

describe.runIf(native)('the native choice', () => {
  test.each(accuracies)("3×3 over many channels goes by Winograd, accuracy '%s'", (accuracy) => {
    const { chosen, reason } = explain([1, 64, 56, 56], [64, 64, 3, 3], { padding: 1 }, accuracy);
    expect(chosen).toBe('winograd');
    expect(reason).toContain(accuracy === 'fast' ? 'F(4×4, 3×3)' : 'F(2×2, 3×3)');
  });
  test('few tiles under weights beyond the cache go by the smaller tile', () => {
    // Where it is Winograd at all: with 4 lanes a product may be faster.
    const [one, four] = [1, 4].map((n) => explain([n, 512, 7, 7], [512, 512, 3, 3], { padding: 1 }));
    expect(one.reason).not.toContain('F(4×4, 3×3)');
    expect(four.reason).not.toContain('F(2×2, 3×3)');
  });
  test('Winograd is left where its transforms or surplus outputs eat the gain', () => {
    expect(explain([1, 15, 56, 56], [64, 15, 3, 3]).chosen).not.toBe('winograd');
    expect(explain([1, 16, 56, 56], [1, 16, 3, 3]).chosen).not.toBe('winograd');
    expect(explain([1, 64, 3, 3], [64, 64, 3, 3]).chosen).not.toBe('winograd');
    expect(explain([1, 64, 56, 56], [64, 64, 3, 3], { stride: 2 }).chosen).not.toBe('winograd');
  });
  // Densities count in steps of 1/64.
  test.each([
    { id: 'F(4×4, 3×3)', accuracy: 'fast', channels: 64, kernel: 3, stride: 1, last: 5 },
    { id: 'F(2×2, 3×3)', accuracy: 'strict', channels: 64, kernel: 3, stride: 1, last: 7 },
    { id: 'direct', accuracy: 'strict', channels: 16, kernel: 5, stride: 1, last: 19 },
    { id: 'direct with a stride', accuracy: 'fast', channels: 64, kernel: 3, stride: 2, last: 10 },
  ] as const)('beside $id sparse weights are visited alone up to $last/64', (problem) => {
    const { accuracy, channels, kernel, stride, last } = problem;
    const reason = (steps: number) => {
      const shape = [channels, channels, kernel, kernel];
      const weight = new Float32Array(channels ** 2 * kernel ** 2).map((_, i) =>
        (i * 27) % 64 < steps ? 1 : 0,
      );
      const options = { accuracy, stride, padding: 1 };
      return explainConv([1, channels, 56, 56], new Tensor(weight, shape), options).reason;
    };
    expect(reason(last)).toContain('so few weights are nonzero');
    expect(reason(last + 1)).not.toContain('so few weights are nonzero');
  });
  test('strided and pointwise layers go by direct sums or by a product', () => {
    // With fewer lanes, shifted rows are as fast as either.
    const products = hasLongVectors() ? ['direct', 'im2col'] : ['direct', 'im2col', 'toeplitz'];
    expect(products).toContain(explain([1, 3, 224, 224], [64, 3, 7, 7], { stride: 2, padding: 3 }).chosen);
    expect(products).toContain(explain([1, 64, 14, 14], [256, 64, 1, 1]).chosen);
    expect(products).toContain(explain([1, 64, 56, 56], [256, 64, 1, 1]).chosen);
  });
  test('one channel per group goes by planes', () => {
    const groups = { groups: 96, padding: 1 };
    // With 4 lanes, shifted rows of one channel are faster than whole planes.
    const best = backendInfo().isa === 'generic' ? 'toeplitz' : 'depthwise';
    expect(explain([1, 96, 28, 28], [96, 1, 3, 3], groups).chosen).toBe(best);
    expect(explain([1, 96, 28, 28], [96, 1, 3, 3], { ...groups, stride: 2 }, 'strict').chosen).toBe(best);
    expect(explain([1, 96, 28, 28], [96, 1, 3, 3], { ...groups, stride: 3 }).chosen).not.toBe('depthwise');
  });
  test('large kernels go by Fourier tiles, unless strict', () => {
    const { chosen, reason } = explain([1, 1, 256, 256], [1, 1, 31, 31], { padding: 15 });
    expect(chosen).toBe('fft');
    expect(reason).toMatch(/Fourier tiles of \d+×\d+ take \d+ times less arithmetic/);
    expect(explain([1, 1, 256, 256], [1, 1, 31, 31], { padding: 15 }, 'strict').chosen).not.toBe('fft');
    expect(explain([1, 1, 256, 256], [1, 1, 5, 5]).chosen).not.toBe('fft');
  });
  test('long filters go by Fourier tiles of one row, or of one column', () => {
    const line = explain([1, 1, 16000], [1, 1, 401], { padding: 200 });
    expect(line.chosen).toBe('fft');
    expect(line.reason).toMatch(/Fourier tiles of 1×\d+ take/);
    expect(explain([1, 1, 16000], [1, 1, 401], {}, 'strict').chosen).not.toBe('fft');
    expect(explain([1, 1, 16000], [1, 1, 3]).chosen).not.toBe('fft');
    expect(explain([1, 8, 400, 400], [8, 8, 1, 129]).reason).toMatch(/Fourier tiles of 1×\d+ take/);
    expect(explain([1, 8, 400, 400], [8, 8, 129, 1]).reason).toMatch(/Fourier tiles of \d+×1 take/);
  });
  test('transformed weights count as extra memory, in the tile that was chosen', () => {
    const extra = (accuracy: 'fast' | 'strict') => {
      const { costs } = explain([1, 64, 56, 56], [64, 64, 3, 3], { padding: 1 }, accuracy);
      return costs.find((cost) => cost.algorithm === 'winograd')?.extraBytes;
    };
    const workspace = 4 * 2 ** 20;
    expect(extra('fast')).toBe(4 * 64 * 64 * 36 + workspace);
    expect(extra('strict')).toBe(4 * 64 * 64 * 16 + workspace);
  });
});

function hasLongVectors(): boolean {
  return ['amx', 'avx512'].includes(backendInfo().isa);
}

/** What is near the fastest for a layer on any CPU that was measured; with few lanes shifted rows are, too. */
function sensible(weight: number[], stride: number[], groups: number): string[] {
  const { isa } = backendInfo();
  if (groups > 1) return isa === 'generic' ? ['depthwise', 'toeplitz'] : ['depthwise'];
  const isSpatial = weight[2] === 3 && stride.every((s) => s === 1);
  if (isSpatial && weight[1] >= 16) return ['winograd'];
  const isNarrow = weight[1] <= 32 || !hasLongVectors();
  return isNarrow ? ['direct', 'im2col', 'toeplitz'] : ['direct', 'im2col'];
}

describe.runIf(native)('layers of networks go by what is known to be fast for them', () => {
  test.each(['resnet50', 'vgg16', 'mobilenetv2'])('%s', (network) => {
    const layers = layersOf(network);
    expect(layers.length).toBeGreaterThan(8);
    for (const { name, inputShape, weightShape, stride, padding, groups } of layers)
      expect(sensible(weightShape, stride, groups), name).toContain(
        explain(inputShape, weightShape, { stride, padding, groups }).chosen,
      );
  });
});

test.runIf(native)('the addon tells the sizes of its loops, of each of its instruction sets', () => {
  const { addon } = loadAddon();
  expect(addon?.isas.length).toBeGreaterThan(0);
  for (const isa of addon?.isas ?? []) {
    const { lanes, ...rooms } = addon?.tuning[isa] ?? {};
    expect(lanes).toBeGreaterThan(0);
    for (const [room, sizes] of Object.entries(rooms)) {
      expect(Object.keys(sizes).length, `${isa}, ${room}`).toBeGreaterThan(0);
      for (const size of Object.values(sizes)) expect(size, `${isa}, ${room}`).toBeGreaterThan(0);
    }
  }
});

describe.runIf(native)('algorithms that are named but cannot serve', () => {
  const image = random([1, 4, 12, 12]);
  test.each([
    ['depthwise', [4, 4, 3, 3], {}, 'needs one input channel per group'],
    ['depthwise', [4, 1, 7, 7], { groups: 4 }, 'needs a 3×3 or 5×5 kernel'],
    ['depthwise', [4, 1, 3, 3], { groups: 4, stride: 3 }, 'needs strides of 1 or 2'],
    ['depthwise', [4, 1, 3, 3], { groups: 4, dilation: 2 }, 'needs dilation 1'],
    ['depthwise', [4, 1, 3, 3], { groups: 4, padding: 1, paddingMode: 'reflect' }, 'needs zeros padding'],
    ['winograd', [4, 4, 5, 5], {}, 'needs a 3×3 kernel'],
    ['winograd', [4, 4, 3, 3], { stride: 2 }, 'needs stride 1'],
    ['winograd', [4, 4, 3, 3], { dilation: 2 }, 'needs dilation 1'],
  ] as const)('%s, weight %j, %j', (algorithm, weight, options, reason) => {
    const call = () => conv2d(image, random(weight), { ...options, algorithm });
    expect(call).toThrow(UnsupportedError);
    expect(call).toThrow(`'${algorithm}' cannot serve this call: ${reason}`);
  });
});

/** Root-mean-square error relative to the root-mean-square result. */
function rmsError(y: ArrayLike<number>, exact: ArrayLike<number>): number {
  let error = 0;
  let size = 0;
  for (let i = 0; i < exact.length; i++) {
    error += (y[i] - exact[i]) ** 2;
    size += exact[i] ** 2;
  }
  return Math.sqrt(error / size);
}

describe.runIf(native)('errors, as docs/accuracy.md bounds them', () => {
  test.each([
    {
      name: '3×3, 64 channels',
      input: [1, 64, 10, 10],
      weight: [8, 64, 3, 3],
      groups: 1,
      bounds: { direct: 4e-7, winograd: 1e-6 },
    },
    {
      name: '3×3 depthwise',
      input: [1, 8, 20, 20],
      weight: [8, 1, 3, 3],
      groups: 8,
      bounds: { direct: 2e-7, depthwise: 2e-7 },
    },
    {
      name: '15×15',
      input: [1, 1, 60, 60],
      weight: [1, 1, 15, 15],
      groups: 1,
      bounds: { direct: 4e-7, fft: 4e-7 },
    },
    {
      name: '31×31',
      input: [1, 1, 90, 70],
      weight: [1, 1, 31, 31],
      groups: 1,
      bounds: { toeplitz: 4e-7, fft: 4e-7 },
    },
    {
      name: '61×7, 4 channels',
      input: [1, 4, 90, 40],
      weight: [2, 4, 61, 7],
      groups: 1,
      bounds: { toeplitz: 4e-7, fft: 4e-7 },
    },
    {
      name: '1×401',
      input: [1, 2, 1, 1200],
      weight: [3, 2, 1, 401],
      groups: 1,
      bounds: { fft: 4e-7 },
    },
    {
      name: '129×1',
      input: [1, 2, 400, 18],
      weight: [3, 2, 129, 1],
      groups: 1,
      bounds: { fft: 4e-7 },
    },
    {
      name: '5×60, 8 channels',
      input: [1, 8, 40, 130],
      weight: [4, 8, 5, 60],
      groups: 1,
      bounds: { fft: 4e-7 },
    },
  ] as const)('$name', ({ input, weight, groups, bounds }) => {
    const x = random(input);
    const w = random(weight, 'float32', 2);
    const exact = conv(x, w, { groups }).data;
    const error = (options: object) => rmsError(conv2d(x, w, { groups, ...options }).data, exact);
    const im2col = error({ algorithm: 'im2col' });
    expect(im2col).toBeLessThan(8e-7);
    for (const [algorithm, bound] of Object.entries(bounds)) {
      expect(error({ algorithm }), algorithm).toBeLessThan(bound);
    }
    expect(error({ accuracy: 'strict' })).toBeLessThanOrEqual(im2col);
  });
});
