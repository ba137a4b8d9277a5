import * as convmat from 'convmat';
import { explainConv, prepareConv } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { outputShape } from '../oracle/conv';
import { product, slide } from '../oracle/window';
import { expectSame } from '../support/compare';
import { check } from '../support/fuzz';
import { anyProblem, layerProblems } from '../support/problems';
import { random } from '../support/random';

const CONV = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };

function costs(explanation: convmat.Explanation) {
  return Object.fromEntries(explanation.costs.map((cost) => [cost.algorithm, cost]));
}

describe('explainConv', () => {
  test('the textbook image: 3x3 under a 2x2 kernel', () => {
    const {
      'dense-toeplitz': dense,
      toeplitz,
      im2col,
    } = costs(explainConv([1, 3, 3], { shape: [1, 1, 2, 2] }));
    // A 4 by 9 matrix, of which each row holds the four taps.
    expect(dense).toMatchObject({ multiplications: 36, additions: 32 });
    expect(toeplitz).toMatchObject({ multiplications: 16, additions: 12 });
    expect(im2col).toMatchObject({ multiplications: 16, additions: 12 });
    // Floats in, weights, floats out.
    expect(im2col.bytes).toBe(4 * (9 + 4 + 4));
    expect(dense.extraBytes).toBe(4 * 36);
    expect(toeplitz.extraBytes).toBe(0);
  });

  test('counts are those of the definition, for any geometry', () => {
    check(
      fc.property(anyProblem(), ({ input, weight, options, dtype }) => {
        const explanation = explainConv(input, { shape: weight }, { ...options, dtype });
        const rank = weight.length - 2;
        const batch = input.length === rank + 2 ? input[0] : 1;
        const outputs = product(outputShape(input, weight, options).slice(-rank - 1));
        const inputs = product(input.slice(-rank - 1));
        const { from } = slide(input.slice(-rank), weight.slice(2), options);
        const taps = product(weight.slice(2));
        const inside = from.reduce((count, reads) => count + reads.filter((pixel) => pixel >= 0).length, 0);
        const { 'dense-toeplitz': dense, toeplitz, im2col } = costs(explanation);
        expect(explanation.outputShape).toEqual(outputShape(input, weight, options));
        expect(dense.multiplications).toBe(batch * inputs * outputs);
        expect(toeplitz.multiplications).toBe(batch * weight[0] * weight[1] * inside);
        expect(im2col.multiplications).toBe(batch * outputs * weight[1] * taps);
        expect(im2col.additions).toBe(batch * outputs * (weight[1] * taps - 1));
        expect(im2col.bytes).toBe(
          (dtype === 'float32' ? 4 : 8) * (batch * (inputs + outputs) + product(weight)),
        );
      }),
      { seed: 80, numRuns: 200 },
    );
  });

  // 1 → 1 channels, 256×256, 5×5: Fourier tiles of 64×64 points do not lose their counts where another algorithm runs.
  test.runIf(convmat.backendInfo().backend === 'native')('of an algorithm that is not chosen, too', () => {
    const explanation = explainConv([1, 1, 256, 256], { shape: [1, 1, 5, 5] });
    expect(explanation.chosen).not.toBe('fft');
    expect(costs(explanation).fft).toMatchObject({ multiplications: 1_427_456, extraBytes: 4_202_496 });
  });

  test('an algorithm costs the same whether it is chosen or named', () => {
    check(
      fc.property(
        anyProblem(),
        fc.constantFrom('fast' as const, 'strict' as const),
        fc.boolean(),
        ({ input, weight, options, dtype }, accuracy, isSeparable) => {
          const w = random(weight, dtype, 2);
          // Kernels that are all ones are a column times a row.
          if (isSeparable) w.data.fill(1);
          for (const cost of explainConv(input, w, { ...options, accuracy }).costs) {
            const { algorithm } = cost;
            if (algorithm === 'dense-toeplitz') continue;
            try {
              using prepared = prepareConv(w, { ...options, accuracy, algorithm });
              expect(costs(prepared.explain(input))[algorithm]).toEqual(cost);
            } catch (error) {
              // Its counts are shown wherever there is a matrix, whether or not it can run by them.
              if (!(error instanceof convmat.UnsupportedError) || algorithm !== 'toeplitz') throw error;
            }
          }
        },
      ),
      { seed: 82, numRuns: 200 },
    );
  });

  test('the chosen algorithm is among the costs, has a reason, and is what auto runs', () => {
    check(
      fc.property(
        anyProblem(),
        fc.constantFrom('fast', 'strict'),
        ({ input, weight, options, dtype }, accuracy) => {
          const explanation = explainConv(
            input,
            { shape: weight },
            { ...options, dtype, accuracy: accuracy as 'fast' },
          );
          const { chosen, reason } = explanation;
          expect(Object.keys(costs(explanation))).toContain(chosen);
          expect(reason.length).toBeGreaterThan(0);
          const [x, w] = [random(input, dtype, 1), random(weight, dtype, 2)];
          const conv = CONV[(weight.length - 2) as 1 | 2 | 3];
          const named = conv(x, w, { ...options, accuracy: accuracy as 'fast', algorithm: chosen });
          expectSame(conv(x, w, { ...options, accuracy: accuracy as 'fast' }), named);
        },
      ),
      { seed: 81, numRuns: 100 },
    );
  });

  test.each(layerProblems())(
    'every way to compute it costs something: $id',
    ({ input, weight, options, dtype }) => {
      for (const accuracy of ['fast', 'strict'] as const) {
        const explanation = explainConv(input, { shape: weight }, { ...options, dtype, accuracy });
        for (const { algorithm, multiplications, additions, bytes, extraBytes } of explanation.costs) {
          for (const count of [multiplications, additions, bytes]) {
            expect(Number.isSafeInteger(count) && count > 0, algorithm).toBe(true);
          }
          expect(Number.isSafeInteger(extraBytes) && extraBytes >= 0, algorithm).toBe(true);
        }
      }
    },
  );

  test('a prepared convolution explains itself in the same words', () => {
    const w = random([8, 3, 3, 3]);
    const options = { padding: 1, stride: 2 };
    using prepared = prepareConv(w, options);
    const [own, free] = [prepared.explain([1, 3, 20, 21]), explainConv([1, 3, 20, 21], w, options)];
    expect(own.outputShape).toEqual([1, 8, 10, 11]);
    expect(own.toString()).toBe(free.toString());
  });

  test('prints an aligned table, the chosen algorithm marked and its reason below', () => {
    const explanation = explainConv([1, 3, 32, 32], { shape: [32, 3, 3, 3] }, { padding: 1 });
    const lines = explanation.toString().split('\n');
    const table = lines.slice(0, -1);
    expect(table[0]).toMatch(/^algorithm +multiplications +additions +bytes +extra bytes$/);
    expect(new Set(table.map((line) => line.length)).size).toBe(1);
    expect(table.length).toBe(explanation.costs.length + 1);
    expect(table.filter((line) => line.startsWith(`${explanation.chosen} *`))).toHaveLength(1);
    expect(lines.at(-1)).toBe(`* ${explanation.chosen}: ${explanation.reason}`);
  });

  test('takes a weight or its shape, and refuses what conv refuses', () => {
    const w = random([2, 1, 3, 3]);
    expect(explainConv([1, 5, 5], w).costs).toEqual(explainConv([1, 5, 5], { shape: w.shape }).costs);
    expect(() => explainConv([1, 2, 5, 5], w)).toThrow(convmat.ShapeError);
    expect(() => explainConv([1, 1, 5, 5], w, { stride: 0 })).toThrow(convmat.ArgumentError);
    expect(() => explainConv([1, 1, 5, 5], { shape: [3, 3] })).toThrow(convmat.ShapeError);
  });
});
