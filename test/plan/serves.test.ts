/** Who serves what is known twice, where algorithms are chosen and where they run: for any plan, both say the same. */
import { UnsupportedError } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../dist/backend/native/loader.js';
import { backend } from '../../dist/backend/select.js';
import { ALGORITHMS, type AlgorithmName } from '../../dist/plan/algorithms/algorithm.js';
import { type ConvRequest, planConv } from '../../dist/plan/plans/conv.js';
import { CONV_PLAN_FIELDS } from '../../dist/plan/plans/wire.js';
import { check } from '../support/fuzz';

const { addon } = loadAddon();
const { machine } = backend();

const PADDING_MODES = ['zeros', 'circular', 'reflect', 'replicate'] as const;
const mostly = <T>(usual: T, others: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: others });

/** Padding that the smallest size can be the source of, in every mode; always more than one output. */
const anyAxis = (kernel: number, stride: number) =>
  fc
    .record({
      kernel: mostly(kernel, fc.integer({ min: 1, max: 9 })),
      stride: mostly(stride, fc.integer({ min: 1, max: 3 })),
      dilation: mostly(1, fc.integer({ min: 1, max: 3 })),
      padBefore: fc.nat(4),
      padAfter: fc.nat(4),
      more: fc.integer({ min: 3, max: 40 }),
    })
    .map(({ more, ...axis }) => {
      const span = (axis.kernel - 1) * axis.dilation + 1;
      const size = Math.max(5, span) + more;
      const out = Math.floor((size + axis.padBefore + axis.padAfter - span) / axis.stride) + 1;
      return { ...axis, in: size, out };
    });

const anyRequest: fc.Arbitrary<ConvRequest> = fc
  .record({
    kernel: fc.constantFrom(1, 3, 3, 5, 11),
    stride: fc.constantFrom(1, 1, 1, 2),
    rank: fc.constantFrom(1, 2, 2, 2, 3),
  })
  .chain(({ kernel, stride, rank }) =>
    fc.record({
      op: fc.constantFrom('forward', 'inputGrad'),
      dtype: fc.constantFrom('float32', 'float64'),
      rank: fc.constant(rank as 1 | 2 | 3),
      batch: fc.integer({ min: 0, max: 2 }),
      groups: fc.constantFrom(1, 2, 5),
      inPerGroup: fc.constantFrom(1, 1, 4),
      outPerGroup: fc.constantFrom(1, 1, 2, 40),
      axes: fc.array(anyAxis(kernel, stride), { minLength: rank, maxLength: rank }),
      paddingMode: mostly('zeros', fc.constantFrom(...PADDING_MODES)),
      accuracy: fc.constantFrom('fast', 'strict'),
      precision: fc.constant('float32' as const),
      density: fc.constant(1),
      // Weights that TypeScript looks at and native code takes on trust.
      separable: fc.constant(true),
    }),
  )
  .map(({ inPerGroup, outPerGroup, ...request }) => ({
    ...request,
    algorithm: 'im2col',
    inChannels: request.groups * inPerGroup,
    outChannels: request.groups * outPerGroup,
  }));

/** Every choice within an algorithm that could be in a plan: of tiles for Fourier transforms, some. */
const VARIANTS: Readonly<Record<AlgorithmName, readonly number[]>> = {
  im2col: [0],
  direct: [0],
  toeplitz: [0],
  depthwise: [0, 1],
  winograd: [2, 4],
  fft: [
    [32, 32],
    [64, 96],
    [1, 256],
    [1, 1024],
    [64, 1],
    [960, 480],
  ].map(([rows, columns]) => rows * 2 ** 16 + columns),
};

/** Null when TypeScript declines. */
function planOf(request: ConvRequest): Int32Array | null {
  try {
    return planConv(request, machine).wire;
  } catch (error) {
    if (error instanceof UnsupportedError) return null;
    throw error;
  }
}

/** Memory that only TypeScript minds: native code serves the same plans, if slowly. */
const MINDS_MEMORY: readonly AlgorithmName[] = ['direct'];

describe.skipIf(addon === undefined || machine.isa === 'js')(
  'TypeScript declines when native code refuses',
  () => {
    test.each([...ALGORITHMS])('%s', (algorithm) => {
      let [served, declined] = [0, 0];
      check(
        fc.property(anyRequest, (request) => {
          const plan = planOf({ ...request, algorithm });
          if (plan !== null) {
            served++;
            expect(addon?.serves(plan)).toBe(true);
            return;
          }
          if (MINDS_MEMORY.includes(algorithm)) return;
          declined++;
          const other = planConv(request, machine).wire;
          for (const variant of VARIANTS[algorithm]) {
            const wire = other.slice();
            wire[CONV_PLAN_FIELDS.indexOf('algorithm')] = ALGORITHMS.indexOf(algorithm);
            wire[CONV_PLAN_FIELDS.indexOf('variant')] = variant;
            expect([variant, addon?.serves(wire)]).toEqual([variant, false]);
          }
        }),
        { numRuns: 600 },
      );
      expect(served).toBeGreaterThan(10);
      if (['winograd', 'depthwise'].includes(algorithm)) expect(declined).toBeGreaterThan(100);
      if (algorithm === 'fft') expect(declined).toBeGreaterThan(0);
    });
  },
);
