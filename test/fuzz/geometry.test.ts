/** Any geometry, past the tiles of every kernel, by every algorithm, forward and backward, against the oracle. */

import type { Tensor } from 'convmat';
import * as convmat from 'convmat';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { conv, inputGrad, weightGrad } from '../oracle/conv';
import { fold, unfold } from '../oracle/lowering';
import { avgPool, maxPool } from '../oracle/pool';
import { absolute, product } from '../oracle/window';
import { ALGORITHM_OPTIONS, SUMMING } from '../support/algorithms';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { anyProblem, LARGE, type Problem } from '../support/problems';
import { prune, random } from '../support/random';
import { EXACT, sums, transformed } from '../support/tolerance';

const few = { numRuns: 150 };

const CONV = { 1: convmat.conv1d, 2: convmat.conv2d, 3: convmat.conv3d };
const MAX_POOL = { 1: convmat.maxPool1d, 2: convmat.maxPool2d, 3: convmat.maxPool3d };
const AVG_POOL = { 1: convmat.avgPool1d, 2: convmat.avgPool2d, 3: convmat.avgPool3d };

function rankOf({ weight }: Problem): 1 | 2 | 3 {
  return (weight.length - 2) as 1 | 2 | 3;
}

/** undefined when the algorithm declines the geometry. */
function unlessDeclined(call: () => Tensor): Tensor | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof convmat.UnsupportedError) return undefined;
    throw error;
  }
}

test('convolution, by every algorithm', () => {
  check(
    fc.property(anyProblem(LARGE), fc.nat(1e6), fc.boolean(), (problem, seed, pruned) => {
      const { input, weight, options, dtype } = problem;
      const x = random(input, dtype, seed);
      const dense = random(weight, dtype, seed + 1);
      const w = pruned ? prune(dense, 0.8) : dense;
      const exact = conv(x, w, options);
      const magnitude = conv(absolute(x), absolute(w), options);
      const length = product(weight.slice(1));
      for (const algorithm of ALGORITHM_OPTIONS) {
        const y = unlessDeclined(() => CONV[rankOf(problem)](x, w, { ...options, algorithm }));
        if (y === undefined) continue;
        const summed = SUMMING.some((name) => name === algorithm);
        expectWithin(y, exact, magnitude, (summed ? sums : transformed)(length, dtype));
      }
    }),
    few,
  );
});

test('gradients', () => {
  check(
    fc.property(anyProblem(LARGE), fc.nat(1e6), (problem, seed) => {
      const { input, weight, options, dtype } = problem;
      const [x, w] = [random(input, dtype, seed), random(weight, dtype, seed + 1)];
      const g = random(conv(x, w, options).shape, dtype, seed + 2);
      const places = product(g.shape.slice(-rankOf(problem)));
      const batch = input.length === weight.length ? input[0] : 1;
      const taps = product(weight.slice(2)) * (options.paddingMode === 'zeros' ? 1 : places);
      const readers = (weight[0] / (options.groups ?? 1)) * taps;
      const [absX, absW, absG] = [x, w, g].map(absolute);
      const dx = convmat.convInputGrad(input, w, g, options);
      const dw = convmat.convWeightGrad(x, weight, g, options);
      expectWithin(
        dx,
        inputGrad(input, w, g, options),
        inputGrad(input, absW, absG, options),
        transformed(readers, dtype),
      );
      expectWithin(
        dw,
        weightGrad(x, weight, g, options),
        weightGrad(absX, weight, absG, options),
        transformed(batch * places, dtype),
      );
    }),
    few,
  );
});

test('lowering', () => {
  check(
    fc.property(anyProblem(LARGE), fc.nat(1e6), (problem, seed) => {
      const { input, weight, dtype } = problem;
      const { groups: _, ...geometry } = problem.options;
      const kernel = weight.slice(2);
      const x = random(input, dtype, seed);
      const columns = unfold(x, kernel, geometry);
      expectWithin(convmat.unfold(x, kernel, geometry), columns, columns, EXACT);
      const { paddingMode: _mode, ...zeroPadded } = geometry;
      const c = random(unfold(x, kernel, zeroPadded).shape, dtype, seed + 1);
      const size = input.slice(-kernel.length);
      const image = convmat.fold(c, size, kernel, zeroPadded);
      const magnitude = fold(absolute(c), size, kernel, zeroPadded);
      expectWithin(image, fold(c, size, kernel, zeroPadded), magnitude, sums(product(kernel), dtype));
    }),
    few,
  );
});

test('pooling', () => {
  check(
    fc.property(
      anyProblem(LARGE),
      fc.boolean(),
      fc.boolean(),
      fc.nat(1e6),
      (problem, ceilMode, countIncludePad, seed) => {
        const { input, weight, dtype } = problem;
        const kernel = weight.slice(2);
        const { stride, dilation, padding } = problem.options;
        const options = { stride, padding, ceilMode } as const;
        const x = random(input, dtype, seed);
        const pools = [
          {
            got: () => MAX_POOL[rankOf(problem)](x, kernel, { ...options, dilation } as object),
            want: () => maxPool(x, kernel, { ...options, dilation } as object).output,
            allowed: EXACT,
          },
          {
            got: () => AVG_POOL[rankOf(problem)](x, kernel, { ...options, countIncludePad } as object),
            want: () => avgPool(x, kernel, { ...options, countIncludePad } as object),
            allowed: sums(product(kernel), dtype),
          },
        ];
        for (const { got, want, allowed } of pools) {
          let y: Tensor;
          try {
            y = got();
          } catch (error) {
            // Padding that leaves a window without an element of the input is refused.
            expect(error).toBeInstanceOf(convmat.ConvmatError);
            continue;
          }
          const exact = want();
          const ones = { shape: exact.shape, data: exact.data.map(() => 1) };
          expectWithin(y, exact, ones, allowed);
        }
      },
    ),
    few,
  );
});
