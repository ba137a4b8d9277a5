/** The JavaScript backend through the Backend interface, against PyTorch's answers. */
import { describe, expect, test } from 'vitest';
import type { Clamp } from '../../dist/backend/backend.js';
import { createJsBackend } from '../../dist/backend/js/backend.js';
import type { Variant } from '../../dist/plan/algorithms/algorithm.js';
import { jsFft } from '../../dist/plan/algorithms/js/fft.js';
import { type Axis, extent, perAxis, type Rank } from '../../dist/plan/options/axes.js';
import { axisOptions, forwardAxes, readWindow } from '../../dist/plan/options/window.js';
import { type ConvPlan, planConv } from '../../dist/plan/plans/conv.js';
import { planPool } from '../../dist/plan/plans/pool.js';
import { type FloatArray, type FloatDType, zeros } from '../../dist/tensor/dtype.js';
import { SUMMING } from '../support/algorithms';
import { type GoldenCase, type GoldenTensor, golden } from '../support/golden';

const backend = createJsBackend();

const BY_PRODUCT: Variant = { algorithm: 'im2col' };
const BY_PLANES: Variant = { algorithm: 'depthwise', kernels: 'any' };

const CLAMPS: Record<string, Clamp> = {
  none: { min: -Infinity, max: Infinity },
  relu: { min: 0, max: Infinity },
  relu6: { min: 0, max: 6 },
};

function clampOf(activation: string | { clip: [number, number] } = 'none'): Clamp {
  return typeof activation === 'string'
    ? CLAMPS[activation]
    : { min: activation.clip[0], max: activation.clip[1] };
}

function batched(shape: readonly number[], rank: number): readonly number[] {
  return shape.length === rank + 2 ? shape : [1, ...shape];
}

function convPlan(op: ConvPlan['op'], { tensors, args }: GoldenCase): ConvPlan {
  const { input, weight } = tensors;
  const rank = (weight.shape.length - 2) as Rank;
  const window = readWindow(args, weight.shape.slice(2), rank);
  const [batch, inChannels, ...spatial] = batched(input.shape, rank);
  return planConv(
    {
      op,
      dtype: input.dtype as FloatDType,
      rank,
      batch,
      groups: window.groups,
      inChannels,
      outChannels: weight.shape[0],
      axes: forwardAxes(window, spatial),
      paddingMode: window.paddingMode,
      algorithm: 'auto',
      accuracy: 'strict',
      precision: 'float32',
      density: 1,
      separable: false,
    },
    backend.machine,
  );
}

function transposePlan({ tensors, args }: GoldenCase): ConvPlan {
  const { input, weight } = tensors;
  const rank = (weight.shape.length - 2) as Rank;
  const window = readWindow(args, weight.shape.slice(2), rank);
  const [batch, outChannels, ...spatial] = batched(input.shape, rank);
  const extra = perAxis(args.outputPadding ?? 0, rank, 'outputPadding', 0);
  const axes = spatial.map((size, axis): Axis => {
    const own = axisOptions(window, axis);
    const full = (size - 1) * own.stride + extent(own.kernel, own.dilation) + extra[axis];
    return { in: full - own.padBefore - own.padAfter, ...own, out: size };
  });
  return planConv(
    {
      op: 'inputGrad',
      dtype: input.dtype as FloatDType,
      rank,
      batch,
      groups: window.groups,
      inChannels: weight.shape[1] * window.groups,
      outChannels,
      axes,
      paddingMode: window.paddingMode,
      algorithm: 'auto',
      accuracy: 'strict',
      precision: 'float32',
      density: 1,
      separable: false,
    },
    backend.machine,
  );
}

function floats(tensor: GoldenTensor): FloatArray {
  return tensor.data as FloatArray;
}

/** Sums in float64, rounded once: on the golden data, which is exact in float64, that is the last bit. */
function expectExactly(actual: unknown, expected: GoldenTensor): void {
  expect(actual).toEqual(expected.data);
}

function operands({ tensors, args }: GoldenCase) {
  const bias = tensors.bias === undefined ? null : floats(tensors.bias);
  return { weight: floats(tensors.weight), bias, clamp: clampOf(args.activation) };
}

const FAMILIES = [
  ['convolution', 'torch_conv', (one: GoldenCase) => convPlan('forward', one)],
  ['transposed convolution', 'torch_conv_transpose', transposePlan],
] as const;
// Which one is worth its while is for the plan to say; here each must be right wherever it can run.

describe.each(FAMILIES.flatMap((family) => SUMMING.map((algorithm) => [...family, algorithm] as const)))(
  '%s, %s: $3',
  (_, family, makePlan, algorithm) => {
    test.each(golden(family).cases)('$id', async (one) => {
      const plan = { ...makePlan(one), algorithm };
      const input = floats(one.tensors.input);
      const output = zeros(plan.dtype as FloatDType, one.expected.output.data.length).fill(7);
      backend.conv(plan, operands(one), input, output);
      expectExactly(output, one.expected.output);

      const bound = backend.bindConv(plan, operands(one));
      bound.run(input, output.fill(8));
      expectExactly(output, one.expected.output);
      expectExactly(await bound.runAsync(input), one.expected.output);
      expectExactly(await backend.convAsync(plan, operands(one), input), one.expected.output);
      bound.release();
    });
  },
);

test('convolutions that take turns do not disturb one another', async () => {
  // The arrays that vectors, tiles, lines and planes are laid in are shared; several blocks and units each.
  const problems = [
    { channels: [256, 300], size: 15, kernel: 1, groups: 1, algorithm: 'im2col' },
    { channels: [96, 130], size: 17, kernel: 3, groups: 1, algorithm: 'im2col' },
    { channels: [64, 96], size: 30, kernel: 3, groups: 1, algorithm: 'winograd' },
    { channels: [40, 48], size: 30, kernel: 3, groups: 1, algorithm: 'direct' },
    { channels: [64, 64], size: 90, kernel: 5, groups: 64, algorithm: 'depthwise' },
    { channels: [4, 4], size: 120, kernel: 21, groups: 4, algorithm: 'fft' },
    { channels: [32, 40], size: 40, kernel: 3, groups: 1, algorithm: 'toeplitz' },
  ] as const;
  const float32 = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
  const runs = problems.map(({ channels, size, kernel, groups, algorithm }) => {
    const window = readWindow({ padding: 1, groups }, [kernel, kernel], 2);
    const plan = planConv(
      {
        op: 'forward',
        dtype: 'float32',
        rank: 2,
        batch: 2,
        groups,
        inChannels: channels[0],
        outChannels: channels[1],
        axes: forwardAxes(window, [size, size]),
        paddingMode: 'zeros',
        algorithm,
        accuracy: 'fast',
        precision: 'float32',
        density: 1,
        separable: false,
      },
      backend.machine,
    );
    const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
    const weight = float32(count(plan.weightShape));
    const operands = { weight, bias: null, clamp: CLAMPS.none };
    const input = float32(count(plan.inputShape));
    const expected = new Float32Array(count(plan.outputShape));
    backend.conv(plan, operands, input, expected);
    return { plan, operands, input, expected };
  });
  const results = await Promise.all(
    [...runs, ...runs].map(({ plan, operands, input }) => backend.convAsync(plan, operands, input)),
  );
  results.forEach((result, i) => {
    const { expected } = runs[i % runs.length];
    expect(result.every((value, at) => value === expected[at])).toBe(true);
  });
});

describe('planes of one channel', () => {
  const cases = FAMILIES.flatMap(([name, family, makePlan]) =>
    golden(family).cases.map((one) => ({ name, one, plan: makePlan(one) })),
  ).filter(({ plan }) => (plan.op === 'forward' ? plan.inChannels : plan.outChannels) === plan.groups);
  test.each(cases)('$name: $one.id', async ({ one, plan: chosen }) => {
    const plan = { ...chosen, algorithm: 'depthwise' } as const;
    const input = floats(one.tensors.input);
    const output = zeros(plan.dtype as FloatDType, one.expected.output.data.length).fill(7);
    backend.conv(plan, operands(one), input, output);
    expectExactly(output, one.expected.output);
    expectExactly(await backend.convAsync(plan, operands(one), input), one.expected.output);
  });

  // Rows, strips, calls of the inner loop and passes of taps, just below, at and above their ends.
  const layouts = [
    [1, 1, 1],
    [2, 1, 1],
    [3, 1, 1],
    [4, 1, 2],
    [3, 2, 1],
    [3, 3, 2],
    [5, 2, 3],
    [7, 1, 1],
  ].flatMap(([kernel, stride, dilation]) =>
    (['zeros', 'reflect', 'circular'] as const).map((mode) => ({ kernel, stride, dilation, mode })),
  );
  test.each(layouts)('kernel $kernel, stride $stride, dilation $dilation, $mode', (layout) => {
    const { kernel, stride, dilation, mode } = layout;
    for (const [height, width] of [
      [13, 40],
      [14, 41],
      [12, 170],
      [25, 171],
      [40, 31],
      [9, 600],
    ]) {
      for (const op of ['forward', 'inputGrad'] as const) {
        const window = readWindow(
          { padding: 2, stride, dilation, paddingMode: mode, groups: 3 },
          [kernel, kernel],
          2,
        );
        const plan = planConv(
          {
            op,
            dtype: 'float64',
            rank: 2,
            batch: 1,
            groups: 3,
            inChannels: 3,
            outChannels: op === 'forward' ? 6 : 3,
            axes: forwardAxes(window, [height, width]),
            paddingMode: mode,
            algorithm: 'auto',
            accuracy: 'strict',
            precision: 'float32',
            density: 1,
            separable: false,
          },
          backend.machine,
        );
        const [from, to] =
          op === 'forward' ? [plan.inputShape, plan.outputShape] : [plan.outputShape, plan.inputShape];
        const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
        const integers = (length: number) => Float64Array.from({ length }, (_, i) => ((i * 7919) % 17) - 8);
        const problem = { weight: integers(count(plan.weightShape)), bias: null, clamp: CLAMPS.none };
        const [expected, actual] = [zeros('float64', count(to)), zeros('float64', count(to)).fill(7)];
        backend.conv({ ...plan, variant: BY_PRODUCT }, problem, integers(count(from)), expected);
        backend.conv({ ...plan, variant: BY_PLANES }, problem, integers(count(from)), actual);
        expect(actual.every((value, i) => value === expected[i])).toBe(true);
      }
    }
  });
});

describe('Fourier transforms', () => {
  const RANKS = [1, 2, 3] as const;
  const problem = (
    op: ConvPlan['op'],
    sizes: readonly number[],
    kernel: readonly number[],
    dilation: number,
    mode: ConvPlan['paddingMode'],
    stride: number | readonly number[] = 1,
    channels = 1,
    algorithm: 'im2col' | 'auto' = 'im2col',
  ) => {
    const rank = RANKS[sizes.length - 1];
    const window = readWindow({ padding: 1, dilation, stride, paddingMode: mode, groups: 2 }, kernel, rank);
    const plan = planConv(
      {
        op,
        dtype: 'float64',
        rank,
        batch: 2,
        groups: 2,
        inChannels: op === 'forward' ? 2 * channels : 4,
        outChannels: op === 'forward' ? 4 : 2 * channels,
        axes: forwardAxes(window, sizes),
        paddingMode: mode,
        algorithm,
        accuracy: 'fast',
        precision: 'float32',
        density: 1,
        separable: false,
      },
      backend.machine,
    );
    const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
    const integers = (length: number) => Float64Array.from({ length }, (_, i) => ((i * 7919) % 17) - 8);
    const [from, to] =
      op === 'forward' ? [plan.inputShape, plan.outputShape] : [plan.outputShape, plan.inputShape];
    const bias = Float64Array.from({ length: to[1] }, (_, i) => i - 1);
    const operands = { weight: integers(count(plan.weightShape)), bias, clamp: CLAMPS.none };
    return { plan, operands, input: integers(count(from)), output: zeros('float64', count(to)) };
  };
  const run = ({ plan, operands, input, output }: ReturnType<typeof problem>, variant: Variant) => {
    backend.conv({ ...plan, variant }, operands, input, output.fill(7));
    return output.slice();
  };
  const largestDifference = (a: FloatArray, b: FloatArray): number =>
    Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
  const byBlocksOf = (columns: number): Variant => ({ algorithm: 'fft', rows: 1, columns });
  /** Points of the blocks that the plan takes. */
  const blockOf = ({ plan }: ReturnType<typeof problem>): number => {
    const variant = jsFft.variant(plan, {
      algorithm: 'fft',
      accuracy: 'fast',
      precision: 'float32',
      density: 1,
      separable: false,
    });
    return variant.algorithm === 'fft' ? variant.columns : Number.NaN;
  };

  test.each(
    (['zeros', 'reflect', 'replicate', 'circular'] as const).flatMap((mode) =>
      [
        [[1, 3], 1],
        [[3, 3], 2],
        [[4, 7], 1],
        [[9, 2], 1],
      ].map(([kernel, dilation]) => ({ kernel, dilation, mode }) as const),
    ),
  )('$kernel taps, dilation $dilation, $mode', ({ kernel, dilation, mode }) => {
    for (const op of ['forward', 'inputGrad'] as const) {
      const one = problem(op, [12, 23], kernel as number[], dilation as number, mode);
      const exact = run(one, BY_PRODUCT);
      // Blocks of the size that the plan takes, of twice that, and one for all.
      for (const block of [blockOf(one), 2 * blockOf(one), 2 ** 13]) {
        const actual = run(one, byBlocksOf(block));
        expect(largestDifference(actual, exact)).toBeLessThan(1e-10);
      }
    }
  });

  test.each([
    { sizes: [12, 23], kernel: [5, 4], stride: [2, 3], channels: 1 },
    { sizes: [12, 23], kernel: [5, 4], stride: [1, 3], channels: 3 },
    { sizes: [9, 10, 11], kernel: [3, 2, 4], stride: 1, channels: 2 },
    { sizes: [9, 10, 11], kernel: [4, 3, 5], stride: [3, 1, 2], channels: 2 },
    { sizes: [15], kernel: [7], stride: 4, channels: 2 },
    { sizes: [15, 6], kernel: [9, 1], stride: 1, channels: 1 },
  ])(
    '$kernel taps, stride $stride, $channels channels that are read',
    ({ sizes, kernel, stride, channels }) => {
      for (const op of ['forward', 'inputGrad'] as const) {
        for (const mode of ['zeros', 'circular'] as const) {
          for (const dilation of [1, 2]) {
            if (sizes.some((size, i) => size + 2 <= dilation * (kernel[i] - 1))) continue;
            const one = problem(op, sizes, kernel, dilation, mode, stride, channels);
            const exact = run(one, BY_PRODUCT);
            for (const block of [blockOf(one), 2 * blockOf(one)]) {
              const actual = run(one, byBlocksOf(block));
              expect(largestDifference(actual, exact)).toBeLessThan(1e-10);
            }
          }
        }
      }
    },
  );

  test('long kernels of any stride and number of axes go by transforms, and short ones do not', () => {
    const variantOf = (
      op: ConvPlan['op'],
      sizes: number[],
      kernel: number[],
      stride: number,
      channels: number,
    ) => problem(op, sizes, kernel, 1, 'zeros', stride, channels, 'auto').plan.variant.algorithm;
    for (const op of ['forward', 'inputGrad'] as const) {
      expect(variantOf(op, [480_000], [50_000], 3, 1)).toBe('fft');
      expect(variantOf(op, [100_000], [20_000], 1, 4)).toBe('fft');
      expect(variantOf(op, [64, 64, 64], [20, 20, 20], 1, 1)).toBe('fft');
      expect(variantOf(op, [60_000, 4], [20_000, 1], 1, 1)).toBe('fft');
      expect(variantOf(op, [64, 64], [3, 3], 2, 8)).not.toBe('fft');
      expect(variantOf(op, [16, 16, 16], [3, 3, 3], 1, 8)).not.toBe('fft');
    }
  });

  test('taps that meet padding alone add nothing', () => {
    const one = problem('forward', [2, 3], [1, 3], 2, 'zeros');
    // Of taps 2 apart over 3 columns padded by 1, the first and the last read padding.
    one.operands.weight.forEach((_, i) => {
      if (i % 3 === 1) one.operands.weight[i] = 0;
    });
    const exact = run(one, BY_PRODUCT);
    expect(exact.some((value) => value !== 0)).toBe(true);
    expect(run(one, byBlocksOf(blockOf(one)))).toEqual(exact);
  });

  test.each([1, 2])(
    'NaN and infinity reach the outputs whose windows hold them, and no others, stride %i',
    (stride) => {
      const one = problem('forward', [30, 31], [5, 5], 1, 'zeros', stride, stride);
      one.input[35] = Number.NaN;
      one.input[2000] = Number.POSITIVE_INFINITY;
      const odd = (y: FloatArray) => Array.from(y, (value) => (Number.isFinite(value) ? 0 : value));
      const exact = run(one, BY_PRODUCT);
      expect(odd(run(one, byBlocksOf(blockOf(one))))).toEqual(odd(exact));
      expect(odd(exact).filter((value) => value !== 0).length).toBeGreaterThan(40 / stride ** 2);
    },
  );
});

describe('Winograd', () => {
  const run = (plan: ConvPlan, variant: Variant, input: FloatArray, weight: FloatArray) => {
    const bias = zeros('float64', plan.op === 'forward' ? plan.outChannels : plan.inChannels).fill(0.5);
    const size = (plan.op === 'forward' ? plan.outputShape : plan.inputShape).reduce((a, b) => a * b, 1);
    const output = zeros('float64', size);
    const operands = { weight, bias, clamp: { min: -Infinity, max: 40 } };
    backend.conv({ ...plan, variant }, operands, input, output);
    return output;
  };
  const geometry = (
    op: ConvPlan['op'],
    height: number,
    width: number,
    channels: readonly [number, number],
    kernel = 3,
    stride = 1,
    paddingMode: ConvPlan['paddingMode'] = 'zeros',
  ) => {
    const window = readWindow({ padding: 1, stride, paddingMode }, [kernel, kernel], 2);
    return planConv(
      {
        op,
        dtype: 'float64',
        rank: 2,
        batch: 2,
        groups: 1,
        inChannels: channels[0],
        outChannels: channels[1],
        axes: forwardAxes(window, [height, width]),
        paddingMode,
        algorithm: 'auto',
        accuracy: 'fast',
        precision: 'float32',
        density: 1,
        separable: false,
      },
      backend.machine,
    );
  };
  // Small integers: every sum is exact, so a difference is an error of the transforms.
  const integers = (length: number) => Float64Array.from({ length }, (_, i) => ((i * 7919) % 17) - 8);
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

  const expectExact = (plan: ConvPlan, tile: number) => {
    const input = integers(size(plan.op === 'forward' ? plan.inputShape : plan.outputShape));
    const weight = integers(size(plan.weightShape));
    const exact = run(plan, BY_PRODUCT, input, weight);
    // Of the largest sum there can be: sixteen roundings; by the points that only float32 results are made by, what is as
    // small beside their rounding as a unit beside 2¹⁶.
    const points = tile + Math.ceil(plan.axes[2].kernel / plan.axes[2].stride) - 1;
    const bound = 64 * 9 * 1000 * (points > 6 ? 2 ** -40 : 2 ** -49);
    run(plan, { algorithm: 'winograd', tile }, input, weight).forEach((value, i) => {
      expect(Math.abs(value - exact[i])).toBeLessThan(bound);
    });
  };

  // Sizes around one tile and several; channels around the tiles of the product; more weights than a block holds.
  const problems = [1, 2, 3, 4, 5, 7, 8, 9, 12, 13].flatMap((size) =>
    (['forward', 'inputGrad'] as const).map((op) => [op, size, 14 - size, [3, 5]] as const),
  );
  describe.each([4, 6, 7])('tiles of %i, 3 × 3 kernels', (tile) => {
    test.each([
      ...problems,
      ['forward', 9, 8, [1, 1]],
      ['forward', 8, 31, [130, 67]],
      ['inputGrad', 8, 31, [67, 130]],
      ['forward', 6, 6, [1000, 9]],
    ] as const)('%s over %i × %i, %j channels', (op, height, width, channels) => {
      expectExact(geometry(op, height, width, channels), tile);
    });
  });

  // Of a stride, phases with all taps and with one less, in every order; tiles of six, eight and nine points.
  const strided = [
    [2, 1],
    [4, 1],
    [5, 1],
    [3, 2],
    [4, 2],
    [5, 2],
    [7, 2],
    [9, 2],
    [5, 3],
    [10, 5],
  ].flatMap(([kernel, stride]) => {
    const taps = Math.ceil(kernel / stride);
    return [6, 8, 9].map((points) => [kernel, stride, points - taps + 1] as const);
  });
  test.each(strided)('%i taps, stride %i, tiles of %i', (kernel, stride, tile) => {
    for (const outputs of [tile - 1, tile, tile + 1, 2 * tile]) {
      const extent = (outputs - 1) * stride + kernel - 2;
      for (const rest of [0, stride - 1])
        expectExact(geometry('forward', extent + rest, extent + 3, [3, 4], kernel, stride), tile);
    }
  });

  test.each(['reflect', 'replicate', 'circular'] as const)('%s padding', (paddingMode) => {
    expectExact(geometry('forward', 11, 15, [3, 4], 3, 1, paddingMode), 7);
    expectExact(geometry('forward', 11, 16, [3, 4], 3, 2, paddingMode), 5);
  });

  test.each([
    [3, 1, 4],
    [3, 1, 7],
    [3, 2, 7],
    [7, 2, 6],
  ])(
    'NaN and infinity reach the outputs whose windows hold them: %i taps, stride %i',
    (kernel, stride, tile) => {
      const plan = geometry('forward', 9, 10, [2, 3], kernel, stride);
      const input = integers(2 * 2 * 90);
      input[35] = Number.NaN;
      input[230] = Number.POSITIVE_INFINITY;
      const weight = integers(size(plan.weightShape));
      const exact = run(plan, BY_PRODUCT, input, weight);
      const odd = (y: FloatArray) => Array.from(y, (value) => (Number.isFinite(value) ? 0 : value));
      expect(odd(run(plan, { algorithm: 'winograd', tile }, input, weight))).toEqual(odd(exact));
      expect(odd(exact).filter((value) => value !== 0).length).toBeGreaterThan(8);
    },
  );
});

describe('gradients', () => {
  test.each(golden('torch_conv_grads').cases)('$id', (one) => {
    const { input, weight, gradOutput } = one.tensors;
    const dx = zeros(input.dtype as FloatDType, input.data.length).fill(7);
    backend.conv(
      convPlan('inputGrad', one),
      { weight: floats(weight), bias: null, clamp: CLAMPS.none },
      floats(gradOutput),
      dx,
    );
    expectExactly(dx, one.expected.input);
    const dw = zeros(input.dtype as FloatDType, weight.data.length).fill(7);
    backend.convWeightGrad(convPlan('weightGrad', one), floats(input), floats(gradOutput), dw);
    expectExactly(dw, one.expected.weight);
  });
});

describe('lowering', () => {
  test.each(golden('torch_unfold_fold').cases)('$id', ({ call, tensors, args, expected }) => {
    const { kernelSize, outputSize, ...geometry } = args;
    const from = call === 'unfold' ? tensors.input : tensors.columns;
    const rank = (
      call === 'fold'
        ? outputSize.length
        : Array.isArray(kernelSize)
          ? kernelSize.length
          : from.shape.length - 2
    ) as Rank;
    const kernel = perAxis(kernelSize, rank, 'kernelSize', 1);
    const window = readWindow(geometry, kernel, rank);
    const image = call === 'unfold' ? from : expected.output;
    const [batch, channels, ...spatial] = batched(image.shape, rank);
    const plan = planConv(
      {
        op: 'forward',
        dtype: 'float32',
        rank,
        batch,
        groups: 1,
        inChannels: channels,
        outChannels: 1,
        axes: forwardAxes(window, spatial),
        paddingMode: window.paddingMode,
        algorithm: 'auto',
        accuracy: 'strict',
        precision: 'float32',
        density: 1,
        separable: false,
      },
      backend.machine,
    );
    const to = zeros(from.dtype, expected.output.data.length).fill(7);
    backend[call as 'unfold' | 'fold'](plan, from.data, to);
    expectExactly(to, expected.output);
  });
});

describe('pooling', () => {
  test.each(golden('torch_pool').cases)('$id', ({ call, tensors, args, expected }) => {
    const { kernelSize, ...options } = args;
    const { input } = tensors;
    const plan = planPool(input.shape, input.dtype, Number(call.at(-2)) as Rank, kernelSize, options);
    const output = zeros(input.dtype, expected.output.data.length).fill(7);
    if (call.startsWith('avg')) {
      backend.avgPool(plan, floats(input), output as FloatArray);
      expectExactly(output, expected.output);
      return;
    }
    const indices = zeros('int32', output.length);
    backend.maxPool(plan, input.data, output, expected.indices ? indices : null);
    expectExactly(output, expected.output);
    if (expected.indices) expectExactly(indices, expected.indices);
  });
});
