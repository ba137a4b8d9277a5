/** Kernels that no Fourier tile holds, by parts: every rank, direction, stride and dilation; and what is not finite. */
import {
  backendInfo,
  conv1d,
  conv2d,
  conv3d,
  convInputGrad,
  convWeightGrad,
  explainConv,
  prepareConv,
  Tensor,
} from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { random } from '../support/random';

const native = backendInfo().backend === 'native';
const conv = [conv1d, conv2d, conv3d];
type Options = NonNullable<Parameters<typeof conv2d>[2]>;

/** Errors are in proportion to the norms of what is summed, by some units for each pass of a transform. */
function expectNear(actual: Tensor, expected: Tensor, norm: number): void {
  const unit = actual.dtype === 'float32' ? 2 ** -24 : 2 ** -53;
  const magnitude = { data: new Float64Array(expected.size).fill(1), shape: expected.shape };
  expectWithin(actual, expected, magnitude, { factor: 32 * unit * norm, scale: 'own' });
}
const normOf = (t: Tensor) => Math.sqrt(Float64Array.from(t.data).reduce((sum, v) => sum + v * v, 0));

interface Problem {
  readonly dtype: 'float32' | 'float64';
  readonly batch: number;
  readonly groups: number;
  readonly channels: readonly [number, number];
  readonly axes: readonly {
    kernel: number;
    extra: number;
    stride: number;
    dilation: number;
    padding: number;
  }[];
  readonly mode: 'zeros' | 'circular' | 'reflect' | 'replicate';
}
const axis = (largest: number) =>
  fc.record({
    kernel: fc.integer({ min: 1, max: largest }),
    extra: fc.integer({ min: 0, max: largest }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 3 }),
    padding: fc.integer({ min: 0, max: 9 }),
  });
const problems = fc.record<Problem>({
  dtype: fc.constantFrom('float32', 'float64'),
  batch: fc.integer({ min: 1, max: 3 }),
  groups: fc.integer({ min: 1, max: 2 }),
  channels: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  axes: fc.oneof(fc.tuple(axis(1500)), fc.tuple(axis(40), axis(50)), fc.tuple(axis(5), axis(14), axis(16))),
  mode: fc.constantFrom('zeros', 'zeros', 'circular', 'reflect', 'replicate'),
});

function operands({ dtype, batch, groups, channels, axes, mode }: Problem, seed = 1) {
  // The padding must find its source, and a window must fit.
  const spatial = axes.map(({ kernel, extra, dilation, padding }) =>
    Math.max((kernel - 1) * dilation + 1 + extra, padding + 1),
  );
  const x = random([batch, channels[0] * groups, ...spatial], dtype, seed);
  const w = random([channels[1] * groups, channels[0], ...axes.map(({ kernel }) => kernel)], dtype, seed + 1);
  const options = {
    groups,
    paddingMode: mode,
    stride: axes.map(({ stride }) => stride),
    dilation: axes.map(({ dilation }) => dilation),
    padding: axes.map(({ padding }) => padding),
  } as Options;
  return { x, w, options, run: conv[axes.length - 1] as typeof conv2d };
}

describe.runIf(native)('by Fourier tiles', () => {
  test('any geometry is as by im2col', () => {
    check(
      fc.property(problems, (problem) => {
        const { x, w, options, run } = operands(problem);
        const bias = random([w.shape[0]], problem.dtype, 3);
        const given = { ...options, bias, activation: { clip: [-3, 4] as const } };
        const expected = run(x, w, { ...given, algorithm: 'im2col' });
        expectNear(run(x, w, { ...given, algorithm: 'fft' }), expected, normOf(x) * normOf(w));
      }),
      { numRuns: 120 },
    );
  });
  test('a prepared convolution serves other sizes and batches', () => {
    const w = random([2, 1, 700], 'float64', 1);
    const prepared = prepareConv(w, { algorithm: 'fft', stride: 2, padding: 5 });
    for (const [batch, size] of [
      [1, 700],
      [2, 5000],
      [3, 1401],
    ]) {
      const x = random([batch, 1, size], 'float64', size);
      const expected = conv1d(x, w, { stride: 2, padding: 5, algorithm: 'im2col' });
      expectNear(prepared.run(x), expected, normOf(x) * normOf(w));
    }
  });
});

// Long enough that 'auto' takes transforms, where there are any.
describe('gradients of long kernels', () => {
  const cases: [string, number[], number[], Options][] = [
    ['of one axis', [2, 1, 12_000], [1, 1, 3001], { padding: 1500 }],
    ['of channels', [1, 2, 6000], [3, 2, 1500], {}],
    ['of groups', [2, 4, 4000], [4, 2, 1200], { groups: 2, padding: 100 }],
    ['of a stride', [1, 1, 20_000], [1, 1, 4001], { stride: 3, padding: 700 }],
    ['of a dilation', [1, 1, 20_000], [1, 1, 1001], { dilation: 7, padding: 700 }],
    ['of two axes', [2, 1, 140, 150], [1, 1, 61, 73], { padding: [30, 36] }],
    ['of reflections', [1, 1, 10_000], [1, 1, 3001], { padding: 1500, paddingMode: 'reflect' }],
    ['of three axes', [1, 1, 12, 60, 50], [1, 1, 5, 31, 29], { padding: [2, 15, 14] }],
  ];
  for (const dtype of ['float32', 'float64'] as const) {
    test.each(cases)(`%s, ${dtype}`, (_, inputShape, weightShape, options) => {
      const [x, w] = [random(inputShape, dtype, 1), random(weightShape, dtype, 2)];
      const run = conv[inputShape.length - 3] as typeof conv2d;
      const g = random(run(x, w, { ...options, accuracy: 'strict' }).shape, dtype, 3);
      const strict = { ...options, accuracy: 'strict' } as const;
      expectNear(
        convWeightGrad(x, weightShape, g, options),
        convWeightGrad(x, weightShape, g, strict),
        normOf(x) * normOf(g),
      );
      expectNear(
        convInputGrad(inputShape, w, g, options),
        convInputGrad(inputShape, w, g, strict),
        normOf(w) * normOf(g) * (options.paddingMode === 'reflect' ? 4 : 1),
      );
    });
  }
});

// By tiles that no cache holds, where 'auto' takes them.
describe.runIf(native)('large kernels over planes', () => {
  const cases: [string, number[], number[], Options][] = [
    ['as large as the image', [1, 1, 350, 330], [1, 1, 331, 312], { padding: [9, 11] }],
    ['of channels and images', [2, 2, 300, 310], [3, 2, 280, 291], {}],
    ['of a stride', [1, 1, 400, 380], [1, 1, 251, 229], { stride: [11, 13], padding: [125, 49] }],
    ['of reflections', [1, 1, 280, 300], [1, 1, 271, 281], { padding: [12, 10], paddingMode: 'reflect' }],
  ];
  const dot = (a: Tensor, b: Tensor) =>
    Float64Array.from(a.data).reduce((sum, value, i) => sum + value * b.data[i], 0);
  for (const dtype of ['float32', 'float64'] as const) {
    test.each(cases)(`%s, ${dtype}`, (_, inputShape, weightShape, options) => {
      const [x, w] = [random(inputShape, dtype, 1), random(weightShape, dtype, 2)];
      const y = conv2d(x, w, options);
      expectNear(y, conv2d(x, w, { ...options, accuracy: 'strict' }), normOf(x) * normOf(w));
      // ⟨y, g⟩ = ⟨x, dx⟩ = ⟨w, dw⟩: gradients are adjoints.
      const g = random(y.shape, dtype, 3);
      const tolerance = 32 * (dtype === 'float32' ? 2 ** -24 : 2 ** -53) * normOf(x) * normOf(w) * normOf(g);
      const forward = dot(y, g);
      expect(Math.abs(dot(x, convInputGrad(inputShape, w, g, options)) - forward)).toBeLessThan(tolerance);
      expect(Math.abs(dot(w, convWeightGrad(x, weightShape, g, options)) - forward)).toBeLessThan(tolerance);
    });
  }
});

describe.runIf(native)('what is not finite', () => {
  const kinds = (t: Tensor) => Array.from(t.data, (v) => (Number.isFinite(v) ? 0 : v));
  const spots = fc.array(fc.tuple(fc.nat(), fc.constantFrom(Number.NaN, Infinity, -Infinity)), {
    maxLength: 4,
  });
  const spoilt = (t: Tensor, places: readonly (readonly [number, number])[]) => {
    const data = t.data.slice();
    for (const [place, value] of places) data[place % data.length] = value;
    return new Tensor(data as Float32Array, t.shape);
  };
  test('stands where im2col puts it', () => {
    check(
      fc.property(problems, spots, (problem, places) => {
        const { x, w, options, run } = operands(problem);
        const y = spoilt(x, places);
        const expected = run(y, w, { ...options, algorithm: 'im2col' });
        expect(kinds(run(y, w, { ...options, algorithm: 'fft' }))).toEqual(kinds(expected));
      }),
      { numRuns: 60 },
    );
  });
  test('in weights as well, where no padding meets them', () => {
    check(
      fc.property(problems, spots, spots, (problem, inputs, weights) => {
        const { x, w, options, run } = operands(problem);
        const [y, v] = [spoilt(x, inputs), spoilt(w, weights)];
        const plain = { ...options, padding: 0 };
        const expected = run(y, v, { ...plain, algorithm: 'im2col' });
        expect(kinds(run(y, v, { ...plain, algorithm: 'fft' }))).toEqual(kinds(expected));
      }),
      { numRuns: 60 },
    );
  });
});

describe.runIf(native)('no length is left without transforms', () => {
  test.each([1000, 20_000, 24_000, 32_768, 40_000, 100_000, 1_000_000])('%i taps', (taps) => {
    const explained = explainConv([1, 1, 1_000_000], { shape: [1, 1, taps] }, { padding: taps >> 1 });
    expect(explained.chosen).toBe('fft');
    for (const options of [{ stride: 2 }, { dilation: 2 }] as const) {
      const other = explainConv([1, 1, 3_000_000], { shape: [1, 1, taps] }, options);
      expect(other.chosen).toBe('fft');
    }
  });
  test.each([100, 512, 1023, 1025, 2048])('%i² taps', (side) => {
    const explained = explainConv([1, 1, 2048, 2048], { shape: [1, 1, side, side] }, { padding: side >> 1 });
    expect(explained.chosen).toBe('fft');
    if (side > 256) expect(explained.reason).toContain('the whole kernel in each');
  });
  test.each([16, 64])('%i³ taps', (side) => {
    const explained = explainConv([1, 1, 128, 128, 128], { shape: [1, 1, side, side, side] });
    expect(explained.chosen).toBe('fft');
  });
});
