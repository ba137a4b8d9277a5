import type { AvgPoolOptions, PoolOptions, Tensor, TensorLike } from 'convmat';
import * as convmat from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { avgPool, maxPool } from '../oracle/pool';
import { absolute, product } from '../oracle/window';
import { expectSame, expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { golden } from '../support/golden';
import { type DType, random } from '../support/random';
import { type Float, sums } from '../support/tolerance';

type Pool<O> = (input: TensorLike, kernelSize: number | readonly number[], options?: O) => Tensor;
const MAX: Record<number, Pool<PoolOptions>> = {
  1: convmat.maxPool1d,
  2: convmat.maxPool2d,
  3: convmat.maxPool3d,
};
const AVG: Record<number, Pool<AvgPoolOptions>> = {
  1: convmat.avgPool1d,
  2: convmat.avgPool2d,
  3: convmat.avgPool3d,
};
const DTYPES = ['float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const;

function perAxis(value: number | number[], rank: number): number[] {
  return typeof value === 'number' ? Array(rank).fill(value) : value;
}

describe('golden data of PyTorch', () => {
  test.each(golden('torch_pool').cases)('$id', ({ call, tensors: { input }, args, expected }) => {
    const { kernelSize, ...options } = args;
    const rank = Number(call.at(-2));
    if (call.startsWith('max')) {
      const output = MAX[rank](input, kernelSize, options);
      expect(output.dtype).toBe(input.dtype);
      expectSame(output, expected.output);
      if (rank !== 2) return;
      const both = convmat.maxPool2dWithIndices(input, kernelSize, options);
      expectSame(both.output, expected.output);
      expect(both.indices.dtype).toBe('int32');
      expectSame(both.indices, expected.indices);
    } else {
      const kernel = perAxis(kernelSize, rank);
      const output = AVG[rank](input, kernelSize, options);
      const magnitude = avgPool(absolute(input), kernel, options);
      expect(output.dtype).toBe(input.dtype);
      expectWithin(output, expected.output, magnitude, sums(product(kernel), input.dtype as Float));
    }
  });
});

function expectMaxOracle(
  shape: number[],
  kernel: number[],
  options: PoolOptions,
  dtype: DType,
  seed: number,
): void {
  const x = random(shape, dtype, seed);
  const rank = kernel.length;
  const exact = maxPool(x, kernel, options as object);
  const output = MAX[rank](x, kernel, options);
  expect(output.shape).toEqual(exact.output.shape);
  expect(Array.from(output.data)).toEqual(Array.from(exact.output.data));
  if (rank === 2) {
    const { indices } = convmat.maxPool2dWithIndices(x, kernel, options);
    expect(Array.from(indices.data)).toEqual(Array.from(exact.indices.data));
  }
}

function expectAvgOracle(
  shape: number[],
  kernel: number[],
  options: AvgPoolOptions,
  dtype: Float,
  seed: number,
): void {
  const x = random(shape, dtype, seed);
  const output = AVG[kernel.length](x, kernel, options);
  const [exact, magnitude] = [x, absolute(x)].map((t) => avgPool(t, kernel, options as object));
  expectWithin(output, exact, magnitude, sums(product(kernel), dtype));
}

describe('rows around the edges of vectors', () => {
  const sizes = [6, 14, 16, 32, 48, 64].flatMap((edge) => [edge - 1, edge, edge + 1]);
  test.each(sizes)('%i', (size) => {
    const shape = [1, 2, 5, size];
    for (const stride of [1, 2, 3]) {
      for (const kernel of [
        [2, 2],
        [3, 3],
        [1, 5],
      ]) {
        const padding = kernel.map((k) => Math.floor(k / 2));
        for (const ceilMode of [false, true]) {
          expectMaxOracle(shape, kernel, { stride, padding, ceilMode }, 'float32', size);
          expectAvgOracle(shape, kernel, { stride, padding, ceilMode }, 'float32', size);
        }
      }
      const options = { stride, padding: 1 };
      for (const dtype of DTYPES) expectMaxOracle(shape, [3, 3], options, dtype, size);
      for (const countIncludePad of [false, true]) {
        expectAvgOracle(shape, [3, 3], { ...options, countIncludePad }, 'float64', size);
      }
    }
  });
});

interface AnyPool {
  readonly shape: number[];
  readonly kernel: number[];
  readonly options: PoolOptions;
}

/** Any pooling that is not refused: every window holds an element of the input. */
function anyPool(largestDilation: number): fc.Arbitrary<AnyPool> {
  const axis = fc
    .record({
      size: fc.integer({ min: 1, max: 9 }),
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dilation: fc.integer({ min: 1, max: largestDilation }),
      before: fc.integer({ min: 0, max: 3 }),
      after: fc.integer({ min: 0, max: 3 }),
    })
    .filter(({ size, kernel, stride, dilation, before, after }) => {
      const reach = dilation * (kernel - 1) + 1;
      const room = size + before + after - reach;
      if (room < 0 || Math.max(before, after) >= reach) return false;
      const holds = (place: number) =>
        Array.from({ length: kernel }, (_, tap) => place * stride + tap * dilation - before).some(
          (i) => i >= 0 && i < size,
        );
      const places = Math.ceil(room / stride) + 1;
      return Array.from({ length: places }, (_, place) => place).every(
        (place) => place * stride >= size + before || holds(place),
      );
    });
  return fc
    .record({
      axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
      leading: fc.constantFrom([2], [1, 2], [2, 3], [0, 3]),
      ceilMode: fc.boolean(),
    })
    .map(({ axes, leading, ceilMode }) => ({
      shape: [...leading, ...axes.map((a) => a.size)],
      kernel: axes.map((a) => a.kernel),
      options: {
        stride: axes.map((a) => a.stride),
        padding: axes.map((a) => [a.before, a.after] as const),
        ...(largestDilation > 1 && { dilation: axes.map((a) => a.dilation) }),
        ceilMode,
      },
    }));
}

describe('properties', () => {
  test('max pooling of any geometry and dtype agrees with the oracle', () => {
    check(
      fc.property(
        anyPool(3),
        fc.constantFrom(...DTYPES),
        fc.nat(1000),
        ({ shape, kernel, options }, dtype, seed) => expectMaxOracle(shape, kernel, options, dtype, seed),
      ),
      { seed: 60, numRuns: 300 },
    );
  });

  test('average pooling of any geometry agrees with the oracle', () => {
    check(
      fc.property(
        anyPool(1),
        fc.boolean(),
        fc.constantFrom<Float>('float32', 'float64'),
        fc.nat(1000),
        ({ shape, kernel, options }, countIncludePad, dtype, seed) =>
          expectAvgOracle(shape, kernel, { ...options, countIncludePad }, dtype, seed),
      ),
      { seed: 61, numRuns: 300 },
    );
  });

  test('what the indices point at is the maximum', () => {
    const planes = anyPool(3).filter(({ kernel }) => kernel.length === 2);
    check(
      fc.property(planes, fc.nat(1000), ({ shape, kernel, options }, seed) => {
        const x = random(shape, 'float32', seed);
        const { output, indices } = convmat.maxPool2dWithIndices(x, kernel, options);
        const pixels = product(shape.slice(-2));
        const places = product(output.shape.slice(-2));
        output.data.forEach((value, at) => {
          expect(x.data[Math.floor(at / places) * pixels + indices.data[at]]).toBe(value);
        });
      }),
      { seed: 62, numRuns: 100 },
    );
  });
});
