import * as convmat from 'convmat';
import { type ConvOptions, prepareConv, type Tensor, type TensorLike, tensor } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Activation, activate } from '../oracle/activation';
import { conv } from '../oracle/conv';
import { absolute, product } from '../oracle/window';
import { ALGORITHMS, SUMMING } from '../support/algorithms';
import { expectSame, expectWithin } from '../support/compare';
import { check, checkAsync } from '../support/fuzz';
import { type GoldenCase, golden } from '../support/golden';
import { anyProblem, edgeProblems, layerProblems, type Problem } from '../support/problems';
import { random } from '../support/random';
import { type Float, sums, type Tolerance, transformed } from '../support/tolerance';

type Conv = (input: TensorLike, weight: TensorLike, options?: ConvOptions) => Tensor;
const CONV: Record<number, Conv> = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };

function rankOf(weight: { shape: readonly number[] }): number {
  return weight.shape.length - 2;
}

/** Products that one output sums, and the bound that follows: wider for what 'fast' may choose. */
function tolerance(weightShape: readonly number[], dtype: Float, accuracy: 'fast' | 'strict'): Tolerance {
  const length = product(weightShape.slice(1));
  return accuracy === 'strict' ? sums(length, dtype) : transformed(length, dtype);
}

describe.each(['fast', 'strict'] as const)("golden data of PyTorch, accuracy '%s'", (accuracy) => {
  test.each(golden('torch_conv').cases)('$id', ({ tensors, args, expected }: GoldenCase) => {
    const { input, weight, bias } = tensors;
    const y = CONV[rankOf(weight)](input, weight, { ...args, bias, accuracy });
    const { activation: _, ...geometry } = args;
    const magnitude = conv(absolute(input), absolute(weight), geometry, bias && absolute(bias));
    expect(y.dtype).toBe(expected.output.dtype);
    expectWithin(y, expected.output, magnitude, tolerance(weight.shape, input.dtype as Float, accuracy));
  });
});

const ACTIVATIONS: readonly Activation[] = ['none', 'relu', 'relu6', { clip: [-0.5, 0.75] }];

/** A call and its exact answer, with a bias on every other seed and an activation in turn. */
function oracleOf({ input, weight, options, dtype }: Problem, seed: number) {
  const x = random(input, dtype, seed);
  const w = random(weight, dtype, seed + 1);
  const bias = seed % 2 === 0 ? random([weight[0]], dtype, seed + 2) : null;
  const activation = ACTIVATIONS[seed % ACTIVATIONS.length];
  const exact = activate(conv(x, w, options, bias), activation);
  const magnitude = conv(absolute(x), absolute(w), options, bias && absolute(bias));
  return (extra: Pick<ConvOptions, 'accuracy' | 'algorithm'>): void => {
    const y = CONV[rankOf(w)](x, w, { ...options, bias, activation, ...extra });
    const accuracy = extra.algorithm === 'im2col' ? 'strict' : (extra.accuracy ?? 'fast');
    expectWithin(y, exact, magnitude, tolerance(weight, dtype, accuracy));
  };
}

describe('sizes around the edges of vectors and tiles', () => {
  const problems = edgeProblems().map((problem, seed) => ({ ...problem, problem, seed }));
  test.each(problems)('$id', ({ problem, seed }) => {
    const expectOracle = oracleOf(problem, seed);
    expectOracle({});
    expectOracle({ algorithm: 'im2col' });
  });
});

describe('layers of real shape, by every algorithm that can serve them', () => {
  const problems = layerProblems().map((problem, seed) => ({ ...problem, problem, seed }));
  test.each(problems)('$id', ({ problem, seed }) => {
    const expectOracle = oracleOf(problem, seed);
    expectOracle({});
    expectOracle({ accuracy: 'strict' });
    const served = ALGORITHMS.filter((algorithm) => {
      try {
        expectOracle({ algorithm });
        return true;
      } catch (error) {
        if (!(error instanceof convmat.UnsupportedError)) throw error;
        expect(error.message).toContain(`'${algorithm}' cannot serve`);
        return false;
      }
    });
    expect(served).toContain('im2col');
  });
});

describe('properties', () => {
  test('any geometry agrees with the oracle', () => {
    check(
      fc.property(anyProblem(), fc.nat(1000), (problem, seed) => {
        const expectOracle = oracleOf(problem, seed);
        expectOracle({});
        expectOracle({ accuracy: 'strict' });
      }),
      { seed: 20, numRuns: 300 },
    );
  });

  test('linear in the input: conv(a·x + x′) = a·conv(x) + conv(x′), exactly on small integers', () => {
    check(
      fc.property(anyProblem(), fc.integer({ min: -3, max: 3 }), fc.nat(1000), (problem, a, seed) => {
        const integers = (shape: readonly number[], from: number) => {
          const t = random(shape, problem.dtype, from);
          t.data.forEach((value, i) => {
            t.data[i] = Math.round(value * 8);
          });
          return t;
        };
        const [x, x2] = [integers(problem.input, seed), integers(problem.input, seed + 1)];
        const w = integers(problem.weight, seed + 2);
        const mixed = tensor(
          x.data.map((value, i) => a * value + x2.data[i]),
          x.shape,
        );
        const run = (t: Tensor) => CONV[rankOf(w)](t, w, { ...problem.options, algorithm: 'im2col' });
        const [y, y2] = [run(x), run(x2)];
        // Adding +0 leaves a zero of either sign as +0.
        const sum = y.data.map((value, i) => a * value + y2.data[i] + 0);
        expectSame(
          { shape: y.shape, data: run(mixed).data.map((value) => value + 0) },
          { shape: y.shape, data: sum },
        );
      }),
      { seed: 21, numRuns: 100 },
    );
  });

  test('prepared, prepared again with out, and async give the same bits as the plain call', async () => {
    await checkAsync(
      fc.asyncProperty(anyProblem(), fc.nat(1000), async (problem, seed) => {
        const x = random(problem.input, problem.dtype, seed);
        const w = random(problem.weight, problem.dtype, seed + 1);
        const options = { ...problem.options, bias: random([problem.weight[0]], problem.dtype, seed + 2) };
        const plain = CONV[rankOf(w)](x, w, options);
        using prepared = prepareConv(w, options);
        expect(prepared.outputShape(x.shape)).toEqual(plain.shape);
        expectSame(prepared.run(x), plain);
        const out = random(plain.shape, problem.dtype, seed + 3);
        expect(prepared.run(x, out)).toBe(out);
        expectSame(out, plain);
        expectSame(await prepared.runAsync(x), plain);
      }),
      { seed: 22, numRuns: 60 },
    );
  });
});

describe('a leading axis whose only output reads padding alone', () => {
  // Depth 1 with a stride, padded before: not the convolution over the other two axes that it looks like.
  test.each([
    ['dense', [1, 32, 1, 16, 16], [32, 32, 1, 3, 3], 1],
    ['depthwise', [1, 8, 1, 18, 17], [8, 1, 1, 3, 3], 8],
    ['large, depthwise', [1, 2, 1, 40, 40], [2, 1, 1, 15, 15], 2],
    ['separable', [1, 1, 1, 40, 40], [1, 1, 1, 9, 9], 1],
  ] as const)('%s', (_, input, weight, groups) => {
    const x = random([...input], 'float32', 1);
    const w = random([...weight], 'float32', 2);
    if (weight[3] === 9) w.data.fill(0.5);
    const options = {
      groups,
      stride: [2, 1, 1],
      padding: [
        [1, 0],
        [1, 1],
        [1, 1],
      ],
    } as const;
    const expected = conv(x, w, options as never);
    for (const algorithm of [undefined, ...ALGORITHMS]) {
      let y: Tensor;
      try {
        y = convmat.conv3d(x, w, { ...options, ...(algorithm && { algorithm }) } as never);
      } catch (error) {
        if (!(error instanceof convmat.UnsupportedError) || algorithm === undefined) throw error;
        continue;
      }
      expect([...y.data]).toEqual([...expected.data]);
    }
  });
});

describe('what a call takes and returns', () => {
  const x = random([1, 2, 4, 5]);
  const w = random([3, 2, 3, 3], 'float32', 2);

  test('out receives the result and is returned; unwritten values do not show', () => {
    const out = tensor(new Float32Array(3 * 2 * 3).fill(NaN), [1, 3, 2, 3]);
    expect(convmat.conv2d(x, w, { out })).toBe(out);
    expectSame(out, convmat.conv2d(x, w));
  });

  test('the operands are left as they were', () => {
    const [before, beforeW] = [x.data.slice(), w.data.slice()];
    convmat.conv2d(x, w, { padding: 1, activation: 'relu' });
    expect(x.data).toEqual(before);
    expect(w.data).toEqual(beforeW);
  });

  test('every form of tensor is taken: {data, shape}, {data, dims}, a strided view, nested arrays', () => {
    const expected = convmat.conv2d(x, w);
    expectSame(convmat.conv2d({ data: x.data, shape: x.shape }, w), expected);
    expectSame(convmat.conv2d({ data: x.data, dims: x.shape }, w), expected);
    expectSame(convmat.conv2d(x.toNested(), w), expected);
    // Every other element of a buffer that runs backwards.
    const spread = new Float32Array(2 * x.size + 1);
    x.data.forEach((value, i) => {
      spread[2 * (x.size - 1 - i) + 1] = value;
    });
    const view = { data: spread, shape: x.shape, stride: [-80, -40, -10, -2], offset: 2 * x.size - 1 };
    expectSame(convmat.conv2d(view, w), expected);
  });

  test('operands may be views at any offset into one buffer', () => {
    for (const shift of [1, 3, 5]) {
      const buffer = new Float32Array(200);
      const views = [x, w].map((t, i) => {
        const view = buffer.subarray(shift + 80 * i, shift + 80 * i + t.size);
        view.set(t.data as Float32Array);
        return { data: view, shape: t.shape };
      });
      expectSame(convmat.conv2d(views[0], views[1]), convmat.conv2d(x, w));
    }
  });

  test('nested arrays take the dtype of the other operand', () => {
    const wide = random([3, 2, 3, 3], 'float64', 2);
    expect(convmat.conv2d(x.toNested(), wide).dtype).toBe('float64');
    expect(convmat.conv2d(x.toNested(), w.toNested()).dtype).toBe('float32');
  });
});

describe('NaN and infinity', () => {
  const values = [
    { name: 'NaN', value: NaN },
    { name: 'infinity', value: Infinity },
  ];
  const shape = [1, 32, 20, 21];
  const weightShape = [32, 32, 3, 3];
  const row = 9;
  const column = 10;

  function withOne(value: number): Tensor {
    const x = random(shape);
    x.data[(5 * 20 + row) * 21 + column] = value;
    return x;
  }

  test.each(values)('$name: where direct summation puts it, by every algorithm that sums', ({ value }) => {
    const x = withOne(value);
    const w = random(weightShape, 'float32', 2);
    const exact = conv(x, w, { padding: 1 });
    const finite = tensor(
      x.data.map((v) => (Number.isFinite(v) ? v : 0)),
      shape,
    );
    const magnitude = conv(absolute(finite), absolute(w), { padding: 1 });
    for (const algorithm of SUMMING) {
      try {
        const y = convmat.conv2d(x, w, { padding: 1, algorithm });
        expectWithin(y, exact, magnitude, sums(9 * 32, 'float32'));
      } catch (error) {
        if (!(error instanceof convmat.UnsupportedError)) throw error;
      }
    }
  });

  /** Not finite where the oracle is not, and the same there; elsewhere as near as the transforms come. */
  function expectAsSummed(y: Tensor, { data: exact }: { data: ArrayLike<number> }): void {
    const largest = Array.from(exact).reduce(
      (m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m),
      0,
    );
    y.data.forEach((got, at) => {
      if (!Number.isFinite(exact[at])) expect(got, `at ${at}`).toBe(exact[at]);
      else expect(Math.abs(got - exact[at]), `at ${at}`).toBeLessThan(1e-5 * largest);
    });
  }

  describe.each(values)('$name by algorithms that transform: where direct summation puts it', ({ value }) => {
    const w = random(weightShape, 'float32', 2);

    test.each(['fast', 'strict'] as const)('winograd, %s, and auto', (accuracy) => {
      const x = withOne(value);
      const exact = conv(x, w, { padding: 1 });
      for (const algorithm of ['winograd', 'auto'] as const)
        expectAsSummed(convmat.conv2d(x, w, { padding: 1, algorithm, accuracy }), exact);
      const prepared = convmat.prepareConv(w, { padding: 1, algorithm: 'winograd', accuracy });
      expectAsSummed(prepared.run(x), exact);
      expectAsSummed(prepared.run(withOne(1)), conv(withOne(1), w, { padding: 1 }));
    });

    test('winograd, in a weight', () => {
      const x = random(shape);
      const odd = tensor(Float32Array.from(w.data), weightShape);
      odd.data[(7 * 32 + 3) * 9 + 4] = value;
      expectAsSummed(convmat.conv2d(x, odd, { algorithm: 'winograd' }), conv(x, odd, {}));
    });

    test.each([
      { id: 'a dense kernel', zeros: 0 },
      { id: 'a kernel with zeros, which make NaN of infinity', zeros: 3 },
    ])('fft, $id', ({ zeros }) => {
      const x = random([1, 1, 90, 70]);
      x.data[40 * 70 + 30] = value;
      const k = random([1, 1, 15, 15], 'float32', 3);
      k.data.fill(0, 0, zeros);
      const y = convmat.conv2d(x, k, { padding: 7, algorithm: 'fft' });
      expectAsSummed(y, conv(x, k, { padding: 7 }));
    });
  });
});
