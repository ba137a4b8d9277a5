import * as convmat from 'convmat';
import { fold, matmul, type Tensor, tensor, unfold } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold as exactFold, matmul as exactMatmul, unfold as exactUnfold } from '../oracle/lowering';
import { absolute, type Geometry, product, type Values } from '../oracle/window';
import { expectSame, expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { golden } from '../support/golden';
import { anyProblem } from '../support/problems';
import { type DType, random } from '../support/random';
import { EXACT, type Float, sums } from '../support/tolerance';

const DTYPES = ['float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const;

function isFloat(dtype: string): dtype is Float {
  return dtype === 'float32' || dtype === 'float64';
}

function kernelOf(kernelSize: number | number[], rank: number): number[] {
  return typeof kernelSize === 'number' ? Array(rank).fill(kernelSize) : kernelSize;
}

describe('golden data of PyTorch and NumPy', () => {
  test.each(golden('torch_unfold_fold').cases)('$id', ({ call, tensors, args, expected }) => {
    const { kernelSize, outputSize, ...geometry } = args;
    if (call === 'unfold') {
      const columns = unfold(tensors.input, kernelSize, geometry);
      expect(columns.dtype).toBe(expected.output.dtype);
      expectSame(columns, expected.output);
      return;
    }
    const image = fold(tensors.columns, outputSize, kernelSize, geometry);
    expect(image.dtype).toBe(expected.output.dtype);
    const kernel = kernelOf(kernelSize, outputSize.length);
    const magnitude = exactFold(absolute(tensors.columns), outputSize, kernel, geometry);
    const { dtype } = expected.output;
    expectWithin(image, expected.output, magnitude, isFloat(dtype) ? sums(product(kernel), dtype) : EXACT);
  });
});

/** The oracle's float64 in the dtype: integers wrap as a typed array wraps them. */
function inDType(values: Values, dtype: DType): Tensor {
  return tensor(
    random(values.shape, dtype).data.map((_, i) => values.data[i]),
    values.shape,
  );
}

describe('sizes around the edges of vectors', () => {
  const sizes = [6, 14, 16, 32, 48, 64].flatMap((edge) => [edge - 1, edge, edge + 1]);
  test.each(sizes)('rows of %i', (size) => {
    for (const dtype of DTYPES) {
      for (const stride of [1, 2, 3]) {
        const options: Geometry = {
          padding: [
            [1, 0],
            [2, 1],
          ],
          stride: [1, stride],
          dilation: [1, 2],
        };
        const x = random([1, 2, 4, size], dtype, size);
        const columns = unfold(x, [2, 3], options);
        expectSame(columns, inDType(exactUnfold(x, [2, 3], options), dtype));
        const image = fold(columns, [4, size], [2, 3], options);
        const exact = exactFold(columns, [4, size], [2, 3], options);
        if (isFloat(dtype)) {
          const magnitude = exactFold(absolute(columns), [4, size], [2, 3], options);
          expectWithin(image, exact, magnitude, sums(6, dtype));
        } else {
          expectSame(image, inDType(exact, dtype));
        }
      }
    }
  });
});

/** The options of lowering: those of a convolution without its groups. */
function loweringOf({ groups: _, ...geometry }: Geometry): Omit<Geometry, 'groups'> {
  return geometry;
}

function integers(shape: readonly number[], dtype: Float, seed: number): Tensor {
  const t = random(shape, dtype, seed);
  t.data.forEach((value, i) => {
    t.data[i] = Math.round(value * 8);
  });
  return t;
}

function dot(a: Values, b: Values): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i] * b.data[i];
  return sum;
}

const CONV = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };

describe('properties', () => {
  test('unfold of any geometry and dtype agrees with the oracle', () => {
    check(
      fc.property(
        anyProblem(),
        fc.constantFrom(...DTYPES),
        fc.nat(1000),
        ({ input, weight, options }, dtype, seed) => {
          const x = random(input, dtype, seed);
          const columns = unfold(x, weight.slice(2), loweringOf(options));
          expectSame(columns, inDType(exactUnfold(x, weight.slice(2), options), dtype));
        },
      ),
      { seed: 50, numRuns: 200 },
    );
  });

  test('fold is the adjoint of unfold: ⟨unfold(x), c⟩ = ⟨x, fold(c)⟩, exactly on small integers', () => {
    const zeroPadded = anyProblem().filter(({ options }) => options.paddingMode === 'zeros');
    check(
      fc.property(zeroPadded, fc.nat(1000), ({ input, weight, options, dtype }, seed) => {
        const { stride, padding, dilation } = options;
        const kernel = weight.slice(2);
        const x = integers(input, dtype, seed);
        const columns = unfold(x, kernel, { stride, padding, dilation });
        const c = integers(columns.shape, dtype, seed + 1);
        const image = fold(c, input.slice(-kernel.length), kernel, { stride, padding, dilation });
        expect(image.shape).toEqual(input);
        expect(dot(columns, c)).toBe(dot(x, image));
      }),
      { seed: 51, numRuns: 200 },
    );
  });

  test('conv = weight · unfold(input), exactly on small integers', () => {
    const ungrouped = anyProblem().filter(({ options }) => options.groups === 1);
    check(
      fc.property(ungrouped, fc.nat(1000), ({ input, weight, options, dtype }, seed) => {
        const rank = (weight.length - 2) as 1 | 2 | 3;
        const x = integers(input, dtype, seed);
        const w = integers(weight, dtype, seed + 1);
        const columns = unfold(x, weight.slice(2), loweringOf(options));
        const [rows, places] = columns.shape.slice(-2);
        const batch = input.length === rank + 2 ? input[0] : 1;
        const y = CONV[rank](x, w, { ...options, algorithm: 'im2col' });
        for (let n = 0; n < batch; n++) {
          const own = tensor(columns.data.subarray(n * rows * places, (n + 1) * rows * places), [
            rows,
            places,
          ]);
          const product = matmul(w.reshape([weight[0], rows]), own);
          expect(product.data).toEqual(y.data.subarray(n * product.size, (n + 1) * product.size));
        }
      }),
      { seed: 52, numRuns: 100 },
    );
  });
});

describe('matmul', () => {
  const edges = [6, 14, 16, 32, 48, 64].flatMap((edge) => [edge - 1, edge, edge + 1]);
  const shapes = [
    [1, 1, 1],
    [1, 1, 300],
    [3, 4, 0],
    [0, 4, 3],
    [3, 0, 4],
    [70, 33, 600],
    [130, 200, 65],
    ...edges.flatMap((edge) => [
      [edge, 7, 9],
      [5, edge, 9],
      [5, 7, edge],
    ]),
  ];
  const cases = shapes.map(([m, n, k]) => ({ id: `[${m}, ${k}] × [${k}, ${n}]`, m, n, k }));

  test.each(cases)('floats: $id', ({ m, n, k }) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const [a, b] = [random([m, k], dtype, 1), random([k, n], dtype, 2)];
      const c = matmul(a, b);
      expect(c.dtype).toBe(dtype);
      expectWithin(c, exactMatmul(a, b), exactMatmul(absolute(a), absolute(b)), sums(k, dtype));
    }
  });

  test.each(cases)('bytes, exactly: $id', ({ m, n, k }) => {
    for (const [left, right] of [
      ['int8', 'int8'],
      ['uint8', 'uint8'],
      ['uint8', 'int8'],
      ['int8', 'uint8'],
    ] as const) {
      const [a, b] = [random([m, k], left, 1), random([k, n], right, 2)];
      const c = matmul(a, b);
      expectSame(c, { shape: [m, n], data: Int32Array.from(exactMatmul(a, b).data) });
    }
  });

  test('bytes at the ends of their range do not saturate on the way', () => {
    for (const k of [1, 2, 3, 4, 5, 63, 64, 65, 257]) {
      const a = tensor(new Uint8Array(3 * k).fill(255), [3, k]);
      const low = tensor(new Int8Array(k * 2).fill(-128), [k, 2]);
      const high = tensor(new Int8Array(k * 2).fill(127), [k, 2]);
      expect(matmul(a, low).data).toEqual(new Int32Array(6).fill(-32640 * k));
      expect(matmul(a, high).data).toEqual(new Int32Array(6).fill(32385 * k));
    }
  });

  test('nested arrays', () => {
    expect(
      matmul(
        [
          [1, 2],
          [3, 4],
        ],
        [[5], [6]],
      ).toNested(),
    ).toEqual([[17], [39]]);
  });
});
