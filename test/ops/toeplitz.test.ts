import * as convmat from 'convmat';
import {
  type ConvOptions,
  type ConvTransposeOptions,
  prepareConv,
  type Tensor,
  type TensorLike,
} from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { activate } from '../oracle/activation';
import { conv, inputGrad } from '../oracle/conv';
import { absolute, margins, perAxis, product, slide, type Values } from '../oracle/window';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { anyProblem, edgeProblems, layerProblems, type Problem } from '../support/problems';
import { random } from '../support/random';
import { sums } from '../support/tolerance';

type Conv = (input: TensorLike, weight: TensorLike, options?: ConvOptions) => Tensor;
type Transpose = (input: TensorLike, weight: TensorLike, options?: ConvTransposeOptions) => Tensor;
const CONV: Record<number, Conv> = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };
const TRANSPOSE: Record<number, Transpose> = {
  1: convmat.convTranspose1d,
  2: convmat.convTranspose2d,
  3: convmat.convTranspose3d,
};

/** A weight of which about this share is not zero: every form of its packing occurs among 0.1, 0.5 and 1. */
function pruned(problem: Problem, density: number, seed: number): Tensor {
  const weight = random(problem.weight, problem.dtype, seed);
  const kept = random(problem.weight, problem.dtype, seed + 1);
  weight.data.forEach((_, i) => {
    if ((kept.data[i] + 1) / 2 >= density) weight.data[i] = 0;
  });
  return weight;
}

function expectForward(problem: Problem, density: number, seed: number): void {
  const { input, options, dtype } = problem;
  const x = random(input, dtype, seed);
  const w = pruned(problem, density, seed + 1);
  const bias = seed % 2 === 0 ? random([w.shape[0]], dtype, seed + 3) : null;
  const activation = seed % 3 === 0 ? ('relu' as const) : ('none' as const);
  const y = CONV[w.shape.length - 2](x, w, { ...options, bias, activation, algorithm: 'toeplitz' });
  const magnitude = conv(absolute(x), absolute(w), options, bias && absolute(bias));
  const exact = activate(conv(x, w, options, bias), activation);
  expectWithin(y, exact, magnitude, sums(product(w.shape.slice(1)), dtype));
}

/** The transposed convolution whose result has the problem's input shape. */
function expectTransposed(problem: Problem, density: number, seed: number): void {
  const { input, options, dtype } = problem;
  const w = pruned(problem, density, seed);
  const rank = w.shape.length - 2;
  const dy = random(conv(random(input, dtype), w, options).shape, dtype, seed + 2);
  const size = TRANSPOSE[rank](dy, w, { ...options, algorithm: 'toeplitz' }).shape;
  const exact = inputGrad(size, w, dy, options);
  const magnitude = inputGrad(size, absolute(w), absolute(dy), options);
  const bias = seed % 2 === 0 ? random([size[size.length - rank - 1]], dtype, seed + 3) : null;
  const activation = seed % 3 === 0 ? ('relu6' as const) : ('none' as const);
  const y = TRANSPOSE[rank](dy, w, { ...options, bias, activation, algorithm: 'toeplitz' });
  const shift = (values: Values, by: Tensor | null): Values => {
    if (by === null) return values;
    const plane = product(size.slice(-rank));
    const data = Float64Array.from(values.data, (v, at) => v + by.data[Math.floor(at / plane) % by.size]);
    return { data, shape: values.shape };
  };
  const positive = bias && convmat.tensor(bias.data.map(Math.abs), bias.shape);
  // Taps that coincide in the padding are added after they were rounded.
  const length = w.shape[0] * product(w.shape.slice(2)) * 2 ** rank;
  const allowed = sums(length, dtype);
  expectWithin(y, activate(shift(exact, bias) as never, activation), shift(magnitude, positive), allowed);
}

/** Whether padding leaves anything of the transposed result. */
function isTransposable({ input, weight, options }: Problem): boolean {
  const kernel = weight.slice(2);
  const rank = kernel.length;
  const [stride, dilation] = [perAxis(options.stride, rank, 1), perAxis(options.dilation, rank, 1)];
  const margin = margins(options.padding, kernel, dilation);
  return slide(input.slice(-rank), kernel, options).places.every((places, axis) => {
    const reach = (places - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
    return reach - margin[axis][0] - margin[axis][1] >= 1;
  });
}

const DENSITIES = [0.1, 0.5, 1];

describe.each(DENSITIES)('density %d', (density) => {
  const problems = [...edgeProblems(), ...layerProblems()].map((problem, seed) => ({
    id: problem.id,
    problem,
    seed,
  }));
  test.each(problems)('$id', ({ problem, seed }) => {
    expectForward(problem, density, seed);
    if (!problem.id.includes('channels over')) expectTransposed(problem, density, seed);
  });
});

/** Tiles take more columns the fewer rows and channels are read: 64 to 2048 of them. */
describe('rows of several tiles', () => {
  const options = [{ padding: 1 }, { padding: 2, dilation: 2 }, { padding: 1, stride: 2 }];
  const shapes = [
    [1, 2, 3, 2047],
    [1, 2, 3, 2049],
    [1, 5, 30, 515],
    [1, 1, 4, 4099],
  ] as const;
  const problems = shapes.flatMap((input) =>
    options.map((option) => ({ id: `${input.join('×')} ${JSON.stringify(option)}`, input, option })),
  );
  test.each(problems)('$id', ({ id, input, option }) => {
    expectForward(
      { id, dtype: 'float32', input: [...input], weight: [9, input[1], 3, 3], options: option },
      1,
      1,
    );
  });
});

describe('any geometry', () => {
  test('forward', () => {
    check(
      fc.property(anyProblem(), fc.constantFrom(...DENSITIES), fc.nat(99), (problem, density, seed) =>
        expectForward(problem, density, seed),
      ),
      { numRuns: 300 },
    );
  });

  test('transposed', () => {
    check(
      fc.property(anyProblem(), fc.constantFrom(...DENSITIES), fc.nat(99), (problem, density, seed) => {
        const zeros: Problem = { ...problem, options: { ...problem.options, paddingMode: 'zeros' } };
        fc.pre(isTransposable(zeros));
        expectTransposed(zeros, density, seed);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the choice', () => {
  test("'auto' takes it for a pruned weight, and not for a dense one", () => {
    const problem: Problem = {
      id: '',
      dtype: 'float32',
      input: [1, 64, 28, 28],
      weight: [64, 64, 5, 5],
      options: {},
    };
    const chosen = (density: number) => {
      using prepared = prepareConv(pruned(problem, density, 1), { padding: 2 });
      return prepared.explain(problem.input).chosen;
    };
    expect(chosen(0.08)).toBe('toeplitz');
    expect(chosen(0.9)).not.toBe('toeplitz');
  });

  test('threads do not change a bit', () => {
    const { threads } = convmat.backendInfo();
    const x = random([2, 5, 70, 65]);
    const w = random([9, 5, 3, 3]);
    const run = () => convmat.conv2d(x, w, { padding: 1, algorithm: 'toeplitz' });
    convmat.setNumThreads(1);
    const alone = run();
    convmat.setNumThreads(3);
    const shared = run();
    convmat.setNumThreads(threads);
    expect(shared).toEqual(alone);
  });
});
