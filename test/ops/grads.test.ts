import * as convmat from 'convmat';
import {
  ArgumentError,
  convBiasGrad,
  convInputGrad,
  convWeightGrad,
  DTypeError,
  ShapeError,
  type Tensor,
} from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { biasGrad, inputGrad, outputShape, weightGrad } from '../oracle/conv';
import { absolute, product, type Values } from '../oracle/window';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { golden } from '../support/golden';
import { anyProblem, edgeProblems, layerProblems, type Problem } from '../support/problems';
import { random } from '../support/random';
import { expectRefusal } from '../support/refusals';
import { type Float, sums, type Tolerance, transformed } from '../support/tolerance';

type Accuracy = 'fast' | 'strict';

/** Products that each gradient sums: over output channels and taps, over the batch and all places, and over the latter alone. */
function tolerances(
  { weight, options, dtype }: Pick<Problem, 'weight' | 'options' | 'dtype'>,
  gradOutput: readonly number[],
  accuracy: Accuracy,
): { input: Tolerance; weight: Tolerance; bias: Tolerance } {
  const rank = weight.length - 2;
  const places = product(gradOutput.slice(-rank));
  const batch = gradOutput.length === rank + 2 ? gradOutput[0] : 1;
  const taps = product(weight.slice(2));
  // Without zeros around it, an edge element may be what every tap of every place reads.
  const readers = (options.paddingMode ?? 'zeros') === 'zeros' ? taps : taps * places;
  const bound = accuracy === 'strict' ? sums : transformed;
  return {
    input: bound((weight[0] / (options.groups ?? 1)) * readers, dtype),
    weight: bound(batch * places, dtype),
    bias: sums(batch * places, dtype),
  };
}

/** Both gradients at each accuracy, against the exact ones. */
function expectGrads(
  problem: Omit<Problem, 'id'>,
  [x, w, g]: readonly [Values, Values, Values],
  [dx, dw]: readonly [Values, Values],
): void {
  const { input, weight, options, dtype } = problem;
  const [absX, absW, absG] = [x, w, g].map(absolute);
  const inputMagnitude = inputGrad(input, absW, absG, options);
  const weightMagnitude = weightGrad(absX, weight, absG, options);
  const like = (t: Values) => t as Tensor;
  for (const accuracy of ['fast', 'strict'] as const) {
    const allowed = tolerances(problem, g.shape, accuracy);
    const gotInput = convInputGrad(input, like(w), like(g), { ...options, accuracy });
    expect(gotInput.dtype).toBe(dtype);
    expectWithin(gotInput, dx, inputMagnitude, allowed.input);
    const gotWeight = convWeightGrad(like(x), weight, like(g), { ...options, accuracy });
    expect(gotWeight.dtype).toBe(dtype);
    expectWithin(gotWeight, dw, weightMagnitude, allowed.weight);
  }
}

describe('golden data of PyTorch', () => {
  test.each(golden('torch_conv_grads').cases)('$id', ({ tensors, args, expected }) => {
    const { input: x, weight: w, gradOutput: g } = tensors;
    const problem = { input: x.shape, weight: w.shape, options: args, dtype: x.dtype as Float };
    expectGrads(problem, [x, w, g], [expected.input, expected.weight]);
  });
});

describe('the bias gradient', () => {
  const batched = golden('torch_conv_grads').cases.filter(
    ({ tensors }) => tensors.gradOutput.shape.length === tensors.weight.shape.length,
  );
  test.each(batched)('$id', ({ tensors, args, expected }) => {
    const { weight, gradOutput } = tensors;
    const rank = weight.shape.length - 2;
    const problem = { weight: weight.shape, options: args, dtype: gradOutput.dtype as Float };
    const allowed = tolerances(problem, gradOutput.shape, 'strict').bias;
    const got = convBiasGrad(gradOutput);
    expect(got.dtype).toBe(gradOutput.dtype);
    expectWithin(got, expected.bias, biasGrad(absolute(gradOutput), rank), allowed);
  });
});

function expectOracle(problem: Problem, seed: number): void {
  const { input, weight, options, dtype } = problem;
  const x = random(input, dtype, seed);
  const w = random(weight, dtype, seed + 1);
  const g = random(outputShape(input, weight, options), dtype, seed + 2);
  const exact = [inputGrad(input, w, g, options), weightGrad(x, weight, g, options)] as const;
  expectGrads(problem, [x, w, g], exact);
}

describe('sizes around the edges of vectors and tiles', () => {
  const problems = edgeProblems().map((problem, seed) => ({ ...problem, problem, seed }));
  test.each(problems)('$id', ({ problem, seed }) => expectOracle(problem, seed));
});

describe('layers of real shape', () => {
  const problems = layerProblems().map((problem, seed) => ({ ...problem, problem, seed }));
  test.each(problems)('$id', ({ problem, seed }) => expectOracle(problem, seed));
});

describe('padding that repeats elements', () => {
  // With 9 output channels or fewer what elements of 20 × 20 give as padding is computed by itself, with 10 it is folded back.
  const channels = [1, 9, 10];
  const modes = ['reflect', 'replicate', 'circular'] as const;
  const cases = channels.flatMap((outC) => modes.map((paddingMode) => ({ outC, paddingMode })));
  test.each(cases)('$paddingMode, $outC output channels', ({ outC, paddingMode }) => {
    const [input, weight] = [
      [2, 2, 20, 20],
      [outC, 2, 3, 3],
    ];
    const options = { padding: 1, paddingMode } as const;
    const g = random([2, outC, 20, 20], 'float64', outC);
    for (const zeros of [0, 1]) {
      const w = random(weight, 'float64', 4);
      w.data.fill(0, 0, zeros);
      const expected = inputGrad(input, w, g, options);
      const magnitude = inputGrad(input, absolute(w), absolute(g), options);
      for (const accuracy of ['fast', 'strict'] as const) {
        const dx = convInputGrad(input, w, g, { ...options, accuracy });
        expectWithin(dx, expected, magnitude, transformed(36 * outC, 'float64'));
      }
    }
  });

  test('wider than the kernel reaches, on one side, in three axes, with strides, of large kernels', () => {
    const geometries: { input: number[]; weight: number[]; options: Problem['options'] }[] = [
      { input: [1, 30, 31], weight: [1, 1, 3, 3], options: { padding: 4, paddingMode: 'reflect' } },
      {
        input: [1, 30, 31],
        weight: [1, 1, 3, 5],
        options: {
          padding: [
            [0, 2],
            [4, 0],
          ],
          paddingMode: 'reflect',
        },
      },
      { input: [1, 9, 8, 10], weight: [1, 1, 3, 3, 3], options: { padding: 1, paddingMode: 'circular' } },
      {
        input: [2, 40, 41],
        weight: [1, 2, 5, 5],
        options: { padding: 2, stride: 2, paddingMode: 'replicate' },
      },
      {
        input: [2, 40, 41],
        weight: [1, 2, 2, 2],
        options: { padding: 1, stride: 3, paddingMode: 'reflect' },
      },
      {
        input: [3, 32, 40],
        weight: [3, 1, 15, 15],
        options: { padding: 7, groups: 3, paddingMode: 'reflect' },
      },
      {
        input: [1, 60, 52],
        weight: [1, 1, 31, 29],
        options: { padding: [15, 14], paddingMode: 'circular' },
      },
    ];
    for (const [seed, { input, weight, options }] of geometries.entries())
      expectOracle({ id: '', input, weight, options, dtype: 'float64' }, seed);
  });

  test('what is not finite reaches what reads it, and nothing else', () => {
    const options = { padding: 7, paddingMode: 'reflect' } as const;
    const w = random([1, 1, 15, 15], 'float64', 1);
    const g = random([1, 1, 64, 64], 'float64', 2);
    g.data[3 * 64 + 60] = NaN;
    const expected = inputGrad([1, 1, 64, 64], w, g, options);
    for (const accuracy of ['fast', 'strict'] as const) {
      const dx = convInputGrad([1, 1, 64, 64], w, g, { ...options, accuracy });
      expect(Array.from(dx.data, Number.isNaN)).toEqual(Array.from(expected.data, Number.isNaN));
    }
  });
});

/** Small integers: every sum below is exact in both dtypes, so both sides of an identity agree to the last bit. */
function integers(shape: readonly number[], dtype: Float, seed: number): Tensor {
  const t = random(shape, dtype, seed);
  t.data.forEach((value, i) => {
    t.data[i] = Math.round(value * 4);
  });
  return t;
}

function dot(a: Values, b: Values): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i] * b.data[i];
  return sum;
}

const CONV = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };

describe('out', () => {
  const options = { stride: 2, padding: 1 };
  const [x, w, g] = [random([2, 3, 7, 5]), random([4, 3, 3, 3]), random([2, 4, 4, 3])];

  test('receives the gradients, whatever it held, and is returned', () => {
    const dx = random(x.shape);
    const dw = random(w.shape);
    expect(convInputGrad(x.shape, w, g, { ...options, out: dx })).toBe(dx);
    expect(convWeightGrad(x, w.shape, g, { ...options, out: dw })).toBe(dw);
    expect(dx.data).toEqual(convInputGrad(x.shape, w, g, options).data);
    expect(dw.data).toEqual(convWeightGrad(x, w.shape, g, options).data);
  });

  test('is refused where it does not fit, and where it shares memory', () => {
    const wrong = random([2, 3, 7, 6]);
    expectRefusal(
      () => convInputGrad(x.shape, w, g, { ...options, out: wrong }),
      ShapeError,
      /^out: expected/,
    );
    const same = { stride: 1, padding: 1 };
    const y = random([1, 3, 4, 4]);
    const kernel = random([3, 3, 3, 3]);
    expectRefusal(
      () => convInputGrad(y.shape, kernel, y, { ...same, out: y }),
      ArgumentError,
      /^out: expected memory of its own, got memory shared with gradOutput/,
    );
    const double = random(w.shape, 'float64');
    expectRefusal(() => convWeightGrad(x, w.shape, g, { ...options, out: double }), DTypeError, /^out: /);
  });
});

describe('properties', () => {
  test('any geometry agrees with the oracle', () => {
    check(
      fc.property(anyProblem(), fc.nat(1000), (problem, seed) => expectOracle(problem, seed)),
      { seed: 30, numRuns: 300 },
    );
  });

  test('adjoint: ⟨conv(x, w), g⟩ = ⟨x, inputGrad(w, g)⟩ = ⟨w, weightGrad(x, g)⟩', () => {
    check(
      fc.property(anyProblem(), fc.nat(1000), ({ input, weight, options, dtype }, seed) => {
        const x = integers(input, dtype, seed);
        const w = integers(weight, dtype, seed + 1);
        const rank = (weight.length - 2) as 1 | 2 | 3;
        const y = CONV[rank](x, w, { ...options, algorithm: 'im2col' });
        const g = integers(y.shape, dtype, seed + 2);
        const product = dot(y, g);
        const strict = { ...options, accuracy: 'strict' as const };
        expect(dot(x, convInputGrad(input, w, g, strict))).toBe(product);
        expect(dot(w, convWeightGrad(x, weight, g, strict))).toBe(product);
      }),
      { seed: 31, numRuns: 200 },
    );
  });
});
