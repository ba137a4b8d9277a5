import type { ConvTransposeOptions, Tensor, TensorLike } from 'convmat';
import * as convmat from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AlgorithmName } from '../../dist/plan/algorithms/algorithm.js';
import { activate } from '../oracle/activation';
import { convTranspose, inputGrad } from '../oracle/conv';
import { absolute, type Geometry, product, type Result, type Values } from '../oracle/window';
import { SUMMING } from '../support/algorithms';
import { expectSame, expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { golden } from '../support/golden';
import { random } from '../support/random';
import { type Float, sums, type Tolerance, transformed } from '../support/tolerance';

type Transpose = (input: TensorLike, weight: TensorLike, options?: ConvTransposeOptions) => Tensor;
const TRANSPOSE: Record<number, Transpose> = {
  1: convmat.convTranspose1d,
  2: convmat.convTranspose2d,
  3: convmat.convTranspose3d,
};
type Accuracy = 'fast' | 'strict';

/** An output element sums at most inChannels/groups · taps products. */
function tolerance(weight: readonly number[], groups: number, dtype: Float, accuracy: Accuracy): Tolerance {
  const length = (weight[0] / groups) * product(weight.slice(2));
  return accuracy === 'strict' ? sums(length, dtype) : transformed(length, dtype);
}

describe.each(['fast', 'strict'] as const)("golden data of PyTorch, accuracy '%s'", (accuracy) => {
  test.each(golden('torch_conv_transpose').cases)('$id', ({ tensors, args, expected }) => {
    const { input, weight, bias } = tensors;
    const y = TRANSPOSE[weight.shape.length - 2](input, weight, { ...args, bias, accuracy });
    const { activation: _, ...geometry } = args;
    const magnitude = convTranspose(absolute(input), absolute(weight), geometry, bias && absolute(bias));
    const allowed = tolerance(weight.shape, args.groups ?? 1, input.dtype as Float, accuracy);
    expect(y.dtype).toBe(expected.output.dtype);
    expectWithin(y, expected.output, magnitude, allowed);
  });
});

type Options = Geometry & { outputPadding?: number | readonly number[] };

function expectOracle(
  input: readonly number[],
  weight: readonly number[],
  options: Options,
  dtype: Float,
  seed: number,
): void {
  const x = random(input, dtype, seed);
  const w = random(weight, dtype, seed + 1);
  const groups = options.groups ?? 1;
  const bias = seed % 2 === 0 ? random([weight[1] * groups], dtype, seed + 2) : null;
  const activation = seed % 3 === 0 ? 'relu' : 'none';
  const y = TRANSPOSE[weight.length - 2](x, w, { ...options, bias, activation });
  const exact = activate(convTranspose(x, w, options, bias), activation);
  const magnitude = convTranspose(absolute(x), absolute(w), options, bias && absolute(bias));
  expectWithin(y, exact, magnitude, tolerance(weight, groups, dtype, 'fast'));
}

describe('sizes around the edges of vectors and tiles', () => {
  const sizes = [6, 14, 16, 32, 48, 64].flatMap((edge) => [edge - 1, edge, edge + 1]);
  test.each(sizes)('%i', (size) => {
    for (const dtype of ['float32', 'float64'] as const) {
      expectOracle([1, 3, 4, 5], [3, size, 3, 3], { stride: 2, padding: 1, outputPadding: 1 }, dtype, size);
      expectOracle([1, size, 4, 5], [size, 5, 3, 3], { padding: 1 }, dtype, size);
      expectOracle([1, 3, 3, size], [3, 4, 3, 3], { stride: 2 }, dtype, size);
      expectOracle([1, size, 4, 3], [size, 1, 3, 3], { groups: size, stride: 2 }, dtype, size);
      expectOracle([2, 3, size], [3, 4, 4], { stride: 2, padding: 1 }, dtype, size);
    }
  });

  test('a stride that nothing takes costs nothing', () => {
    expectOracle([1, 1, 1], [1, 1, 3], { stride: 1e9 }, 'float32', 1);
  });

  test('a generator layer: 48 to 24 channels, 4x4, stride 2', () => {
    expectOracle([1, 48, 7, 8], [48, 24, 4, 4], { stride: 2, padding: 1 }, 'float32', 1);
  });
});

test.each(['circular', 'reflect', 'replicate'] as const)(
  '%s padding: the adjoint of a convolution that pads so',
  (paddingMode) => {
    const x = random([2, 3, 5, 6]);
    const w = random([3, 4, 3, 3], 'float32', 2);
    const options = {
      padding: [
        [1, 2],
        [2, 0],
      ] as [number, number][],
      paddingMode,
      stride: 2,
    };
    const y = convmat.convTranspose2d(x, w, options);
    expect(y.shape).toEqual([2, 4, 8, 11]);
    const exact = inputGrad(y.shape, w, x, options);
    const magnitude = inputGrad(y.shape, absolute(w), absolute(x), options);
    // An edge element may be what every tap of every place reads.
    expectWithin(y, exact, magnitude, transformed(3 * 9 * 30, 'float32'));
  },
);

/** Every algorithm of the forward convolution that serves a transposed one, on padding that crops, too. */
describe.runIf(convmat.backendInfo().backend === 'native')('algorithms by name', () => {
  const GEOMETRIES: readonly [string, Options][] = [
    ['no padding', {}],
    ['padding 1', { padding: 1 }],
    ['padding that crops', { padding: [4, 4] }],
    ['sides of their own', { padding: [[0, 2] as const, [2, 1] as const] }],
    ['circular', { padding: 2, paddingMode: 'circular' }],
    ['reflect', { padding: [[2, 0] as const, [0, 1] as const], paddingMode: 'reflect' }],
  ];
  const adjoint = (
    shape: readonly number[],
    x: Values,
    w: Values,
    options: Options,
    bias: Values,
  ): Result => {
    const dx = inputGrad(shape, w, x, options);
    const plane = shape[2] * shape[3];
    return { ...dx, data: dx.data.map((v, i) => v + bias.data[Math.floor(i / plane) % shape[1]]) };
  };
  const SERVES: readonly [AlgorithmName, number[], number][] = [
    ['im2col', [18, 17, 3, 3], 1],
    ['direct', [18, 17, 3, 3], 1],
    ['direct', [16, 9, 3, 5], 2],
    ['winograd', [18, 17, 3, 3], 1],
    ['winograd', [34, 17, 3, 3], 2],
    ['fft', [2, 3, 5, 4], 1],
    ['toeplitz', [18, 17, 3, 3], 1],
    ['depthwise', [5, 1, 3, 3], 5],
  ];
  const CASES = SERVES.flatMap(([algorithm, weight, groups]) =>
    GEOMETRIES.map(([name, options]) => ({ algorithm, weight, groups, name, options })),
  );
  test.each(CASES)('$algorithm, $weight, $name', ({ algorithm, weight, groups, name, options }) => {
    const geometry = { ...options, groups };
    const [x, w] = [random([1, weight[0], 8, 8]), random(weight, 'float32', 2)];
    const bias = random([weight[1] * groups], 'float32', 3);
    const call = () => convmat.convTranspose2d(x, w, { ...geometry, bias, activation: 'relu', algorithm });
    if (algorithm === 'depthwise' && name.startsWith('padding that crops')) {
      expect(call).toThrow(`'${algorithm}' cannot serve this call: cannot crop`);
      return;
    }
    const y = call();
    const exact = adjoint(y.shape, x, w, geometry, bias);
    const magnitude = adjoint(y.shape, absolute(x), absolute(w), geometry, absolute(bias));
    const bound = algorithm === 'winograd' || algorithm === 'fft' ? transformed : sums;
    // An edge element may be what four padded places read, on each axis.
    const readers = options.paddingMode === undefined ? 1 : 16;
    const products = (weight[0] / groups) * weight[2] * weight[3];
    expectWithin(y, activate(exact, 'relu'), magnitude, bound(products * readers, 'float32'));
  });

  test.each(SUMMING)('%s, by the sub-lattices of a stride', (algorithm) => {
    const strides: readonly Options[] = [
      { stride: 2, padding: 1, outputPadding: 1 },
      { stride: [3, 2], padding: [0, 4] },
      { stride: [1, 4], dilation: [2, 2], padding: 2 },
      { stride: 5, outputPadding: 3 },
    ];
    for (const options of strides) {
      const [x, w] = [random([3, 18, 9, 8]), random([18, 17, 3, 4], 'float32', 2)];
      const bias = random([17], 'float32', 3);
      const y = convmat.convTranspose2d(x, w, { ...options, bias, activation: 'relu', algorithm });
      const exact = activate(convTranspose(x, w, options, bias), 'relu');
      const magnitude = convTranspose(absolute(x), absolute(w), options, absolute(bias));
      expectWithin(y, exact, magnitude, sums(18 * 12, 'float32'));
    }
  });

  test('rows and images of a strided result that exceed what is interleaved at a time', () => {
    const whole = (shape: number[], seed: number) => {
      const t = random(shape, 'float32', seed);
      return new convmat.Tensor(
        t.data.map((v) => Math.round(8 * v)),
        shape,
      );
    };
    for (const input of [
      [1, 5, 150, 200],
      [9, 5, 60, 61],
    ]) {
      const [x, w] = [whole(input, 1), whole([5, 17, 3, 3], 2)];
      const options = { stride: 2, padding: 1, outputPadding: 1 };
      const expected = convmat.convTranspose2d(x, w, { ...options, algorithm: 'toeplitz' });
      expectSame(convmat.convTranspose2d(x, w, { ...options, algorithm: 'im2col' }), expected);
      expectSame(convmat.convTranspose2d(x, w, { ...options, algorithm: 'direct' }), expected);
    }
  });

  test.each(['winograd', 'depthwise'] as const)('%s declines a stride', (algorithm) => {
    const call = () =>
      convmat.convTranspose2d(random([1, 4, 9, 9]), random([4, 1, 3, 3]), {
        algorithm,
        groups: 4,
        stride: 2,
      });
    expect(call).toThrow(`'${algorithm}' cannot serve this call: serves gradients of stride 1 only`);
  });
});

interface AnyTranspose {
  input: number[];
  weight: number[];
  options: Options;
  dtype: Float;
  /** Sizes of the result without the output padding: nothing may be left. */
  unpadded: number[];
}

function anyTranspose(): fc.Arbitrary<AnyTranspose> {
  const axis = fc
    .record({
      size: fc.integer({ min: 1, max: 6 }),
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 3 }),
      dilation: fc.integer({ min: 1, max: 3 }),
      before: fc.integer({ min: 0, max: 3 }),
      after: fc.integer({ min: 0, max: 3 }),
      extra: fc.integer({ min: 0, max: 2 }),
    })
    .map((a) => ({
      ...a,
      unpadded: (a.size - 1) * a.stride + a.dilation * (a.kernel - 1) + 1 - a.before - a.after,
    }))
    .filter(({ unpadded, stride, dilation, extra }) => {
      return unpadded + extra >= 1 && extra < Math.max(stride, dilation);
    });
  return fc
    .record({
      axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
      batch: fc.constantFrom([], [0], [1], [2]),
      groups: fc.integer({ min: 1, max: 3 }),
      inPerGroup: fc.integer({ min: 1, max: 4 }),
      outPerGroup: fc.integer({ min: 1, max: 4 }),
      dtype: fc.constantFrom<Float>('float32', 'float64'),
    })
    .map(({ axes, batch, groups, inPerGroup, outPerGroup, dtype }) => ({
      input: [...batch, groups * inPerGroup, ...axes.map((a) => a.size)],
      weight: [groups * inPerGroup, outPerGroup, ...axes.map((a) => a.kernel)],
      options: {
        stride: axes.map((a) => a.stride),
        dilation: axes.map((a) => a.dilation),
        padding: axes.map((a) => [a.before, a.after] as const),
        outputPadding: axes.map((a) => a.extra),
        groups,
      },
      dtype,
      unpadded: axes.map((a) => a.unpadded),
    }));
}

describe('properties', () => {
  test('any geometry agrees with the oracle', () => {
    check(
      fc.property(anyTranspose(), fc.nat(1000), ({ input, weight, options, dtype }, seed) =>
        expectOracle(input, weight, options, dtype, seed),
      ),
      { seed: 40, numRuns: 300 },
    );
  });

  test('it is the input gradient of the convolution with the same options', () => {
    check(
      fc.property(anyTranspose(), fc.nat(1000), ({ input, weight, options, dtype, unpadded }, seed) => {
        const { outputPadding: _, ...geometry } = options;
        const x = random(input, dtype, seed);
        const w = random(weight, dtype, seed + 1);
        const rank = weight.length - 2;
        const transpose = () => TRANSPOSE[rank](x, w, { ...geometry, accuracy: 'strict' });
        fc.pre(unpadded.every((size) => size >= 1));
        const y = transpose();
        expect(y.shape).toEqual(convTranspose(x, w, geometry).shape);
        expectSame(y, convmat.convInputGrad(y.shape, w, x, { ...geometry, accuracy: 'strict' }));
      }),
      { seed: 41, numRuns: 100 },
    );
  });
});
