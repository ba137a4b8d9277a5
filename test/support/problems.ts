/** Convolution problems as data: what the tests of convolution, its transpose and its gradients run over. */
import fc from 'fast-check';
import { type Geometry, product } from '../oracle/window';
import type { Float } from './tolerance';

/** One problem, with an id that says what is particular about it. */
export interface Problem {
  readonly id: string;
  readonly dtype: Float;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: Geometry;
}

// Around the vector lengths, the tiles of the micro-kernels and their multiples.
const EDGES = [6, 14, 16, 32, 48, 64];
const AROUND_EDGES = EDGES.flatMap((edge) => [edge - 1, edge, edge + 1]);

function problem(
  id: string,
  input: readonly number[],
  weight: readonly number[],
  options: Geometry = {},
  dtype: Float = 'float32',
): Problem {
  return { id: `${id}${dtype === 'float32' ? '' : ', float64'}`, dtype, input, weight, options };
}

/** Each dimension of the product in turn around every edge, the others small and odd. */
export function edgeProblems(): Problem[] {
  const problems: Problem[] = [];
  for (const size of AROUND_EDGES) {
    for (const dtype of ['float32', 'float64'] as const) {
      problems.push(
        problem(`${size} output channels`, [1, 3, 5, 7], [size, 3, 3, 3], { padding: 1 }, dtype),
        problem(`${size} input channels`, [1, size, 5, 4], [5, size, 3, 3], { padding: 1 }, dtype),
        problem(`rows of ${size}`, [1, 3, 3, size], [5, 3, 3, 3], { padding: 1 }, dtype),
        problem(`rows of ${size}, pointwise`, [2, 3, 2, size], [7, 3, 1, 1], {}, dtype),
        problem(
          `${size} channels, depthwise`,
          [1, size, 5, 6],
          [size, 1, 3, 3],
          { padding: 1, groups: size },
          dtype,
        ),
        problem(
          `rows of ${size}, depthwise`,
          [1, 2, 6, size],
          [2, 1, 3, 3],
          { padding: 1, groups: 2 },
          dtype,
        ),
        problem(`signal of ${size}`, [1, 2, size], [3, 2, 5], {}, dtype),
      );
    }
    problems.push(
      problem(`rows of ${size}, stride 2`, [1, 3, 5, 2 * size], [4, 3, 3, 3], { padding: 1, stride: 2 }),
      problem(`rows of ${size}, stride 2, depthwise`, [1, 3, 5, 2 * size], [3, 1, 3, 3], {
        padding: 1,
        stride: 2,
        groups: 3,
      }),
      problem(`rows of ${size}, dilation 2`, [1, 2, 6, size + 4], [3, 2, 3, 3], { dilation: 2 }),
      problem(`volume rows of ${size}`, [1, 2, 3, 3, size], [3, 2, 2, 3, 3], { padding: [0, 1, 1] }),
      problem(`kernel of ${size} taps`, [1, 1, size + 9], [2, 1, size], { padding: 3 }),
    );
  }
  return problems;
}

/** Layers of real shape, where every loop of the blocking runs more than once. */
export function layerProblems(): Problem[] {
  return [
    problem('3x3, 64 channels over 14x14', [1, 64, 14, 14], [64, 64, 3, 3], { padding: 1 }),
    problem('3x3, 33 to 65 channels over 15x13, batch 2', [2, 33, 15, 13], [65, 33, 3, 3], { padding: 1 }),
    problem('3x3, stride 2, 32 to 48 channels', [1, 32, 17, 15], [48, 32, 3, 3], { padding: 1, stride: 2 }),
    problem('7x7, stride 2, 3 to 64 channels', [1, 3, 31, 33], [64, 3, 7, 7], { padding: 3, stride: 2 }),
    problem('1x1, 256 to 64 channels', [1, 256, 7, 9], [64, 256, 1, 1]),
    problem('1x1, 64 to 256 channels', [1, 64, 9, 7], [256, 64, 1, 1]),
    problem('1x1, stride 2, 70 to 30 channels', [1, 70, 11, 12], [30, 70, 1, 1], { stride: 2 }),
    problem('5x5 depthwise, 40 channels', [1, 40, 19, 21], [40, 1, 5, 5], { padding: 2, groups: 40 }),
    // One output of an axis, though others are skipped.
    problem('1x1, stride 2 by 1, one row', [2, 4, 2, 7], [6, 2, 1, 1], { stride: [2, 1], groups: 2 }),
    problem('1x1, stride 1 by 2, one column', [2, 4, 7, 2], [6, 2, 1, 1], { stride: [1, 2], groups: 2 }),
    problem('1x1, stride 1 by 3, one column', [1, 40, 7, 3], [33, 40, 1, 1], { stride: [1, 3] }, 'float64'),
    // Of the axis with one output, the stride says nothing.
    ...([3, 5] as const).flatMap((k) => [
      problem(`${k}x${k} depthwise, stride 2, one column`, [2, 4, 11, k], [4, 1, k, k], {
        stride: 2,
        groups: 4,
      }),
      problem(`${k}x${k} depthwise, stride 2, one row`, [2, 4, k, 11], [8, 1, k, k], {
        stride: 2,
        groups: 4,
      }),
    ]),
    problem('3x3, 4 groups of 8 channels', [2, 32, 12, 11], [32, 8, 3, 3], { padding: 1, groups: 4 }),
    problem('17x17, one channel', [1, 1, 50, 45], [1, 1, 17, 17], { padding: 8 }),
    problem('1-D filter of 101 taps', [1, 1, 700], [1, 1, 101], { padding: 50 }),
    problem('3x3x3, 9 to 17 channels', [1, 9, 7, 8, 9], [17, 9, 3, 3, 3], { padding: 1 }),
    problem('3x3, 40 channels over 12x13', [1, 40, 12, 13], [40, 40, 3, 3], { padding: 1 }, 'float64'),
  ];
}

const MODES = ['zeros', 'circular', 'reflect', 'replicate'] as const;

/** How large the dimensions of any problem may be. */
interface Limits {
  readonly groups: number;
  readonly perGroup: number;
  readonly size: number;
  readonly kernel: number;
}
const SMALL: Limits = { groups: 3, perGroup: 5, size: 9, kernel: 4 };
/** Past the tiles of every kernel, in each dimension now and then. */
export const LARGE: Limits = { groups: 70, perGroup: 70, size: 70, kernel: 20 };

// What the oracle has time for.
const MOST_PRODUCTS = 500_000;

/** Small as a rule, up to max now and then. */
function upTo(max: number): fc.Arbitrary<number> {
  const small = fc.integer({ min: 1, max: Math.min(max, 5) });
  return fc.oneof({ weight: 4, arbitrary: small }, { weight: 1, arbitrary: fc.integer({ min: 1, max }) });
}

/** Any problem of any geometry that a convolution takes, small ones unless told otherwise. */
export function anyProblem(limits: Limits = SMALL): fc.Arbitrary<Problem> {
  return fc
    .record({
      rank: fc.integer({ min: 1, max: 3 }),
      batch: fc.integer({ min: 0, max: 2 }),
      unbatched: fc.boolean(),
      groups: fc.oneof(fc.constant(1), upTo(limits.groups)),
      inPerGroup: upTo(limits.perGroup),
      outPerGroup: upTo(limits.perGroup),
      mode: fc.constantFrom(...MODES),
      dtype: fc.constantFrom<Float>('float32', 'float64'),
    })
    .chain((sizes) =>
      fc
        .array(anyAxis(sizes.mode, limits), { minLength: sizes.rank, maxLength: sizes.rank })
        .map((axes) => ({ ...sizes, axes })),
    )
    .map(({ batch, unbatched, groups, inPerGroup, outPerGroup, mode, dtype, axes }) => {
      const channels = groups * inPerGroup;
      const spatial = axes.map((axis) => axis.size);
      const input = unbatched ? [channels, ...spatial] : [batch, channels, ...spatial];
      const weight = [groups * outPerGroup, inPerGroup, ...axes.map((axis) => axis.kernel)];
      const options: Geometry = {
        stride: axes.map((axis) => axis.stride),
        dilation: axes.map((axis) => axis.dilation),
        padding: axes.map((axis) => axis.padding),
        paddingMode: mode,
        groups,
      };
      return problem(`${input} by ${weight}, ${JSON.stringify(options)}`, input, weight, options, dtype);
    })
    .filter(({ input, weight }) => {
      const rank = weight.length - 2;
      return product(weight) * product(input.slice(-rank)) <= MOST_PRODUCTS;
    });
}

interface AnyAxis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
}

/** An axis on which the dilated kernel fits into the padded input, and the padding into its mode's limit. */
function anyAxis(mode: (typeof MODES)[number], limits: Limits): fc.Arbitrary<AnyAxis> {
  const side = fc.integer({ min: 0, max: 4 });
  return fc
    .record({
      size: fc.oneof(fc.integer({ min: 1, max: 9 }), upTo(limits.size)),
      kernel: upTo(limits.kernel),
      stride: fc.integer({ min: 1, max: 3 }),
      dilation: fc.integer({ min: 1, max: 3 }),
      padding: fc.tuple(side, side),
    })
    .filter(({ size, kernel, dilation, padding }) => {
      const limit = mode === 'circular' ? size : mode === 'reflect' ? size - 1 : Infinity;
      const fits = size + padding[0] + padding[1] >= dilation * (kernel - 1) + 1;
      return fits && Math.max(...padding) <= limit;
    });
}
