import { signal, Tensor, tensor } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linear } from '../oracle/linear';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { type GoldenCase, golden } from '../support/golden';
import { random, stream } from '../support/random';
import { sharedArray } from '../support/shared-memory';
import { EXACT, sums } from '../support/tolerance';

type Shape = 'full' | 'same' | 'valid';
const SHAPES: readonly Shape[] = ['full', 'same', 'valid'];

function vector(data: Float64Array): Tensor {
  return new Tensor(data, [data.length]);
}

/** Runs a golden case's call with its operands in the order of the contract. */
function run(
  call: string,
  { A, B, a, b, column, row }: GoldenCase['tensors'],
  args: GoldenCase['args'],
): Tensor {
  switch (call) {
    case 'conv':
      return vector(signal.conv(A, B, args.shape));
    case 'cconv':
      return vector(signal.cconv(a, b, args.n));
    case 'conv2Separable':
      return signal.conv2Separable(column, row, A, args.shape);
    case 'im2col':
      return signal.im2col(A, args.block, args.kind);
    case 'col2im':
      return signal.col2im(B, args.block, args.size, args.kind);
    default:
      return signal[call as 'conv2' | 'convn' | 'filter2'](A, B, args.shape);
  }
}

describe('golden data of Octave', () => {
  const EXACTLY = ['conv', 'cconv', 'conv2', 'conv2Separable', 'convn', 'filter2', 'im2col', 'col2im'];
  const cases = golden('octave_signal').cases.filter(({ call }) => EXACTLY.includes(call));
  // Operands lie on a grid on which these sums are exact, in any order.
  test.each(cases)('$id', ({ call, tensors, args, expected }: GoldenCase) => {
    const actual = run(call, tensors, args);
    expect(actual.dtype).toBe('float64');
    expectWithin(actual, expected['output'], expected['output'], EXACT);
  });
});

/** Where kernels of fewer elements are always summed directly. */
const TRANSFORMED_FROM = 64;

/**
 * Short kernels err as sums do, each result in proportion to its own terms. Transforms err in proportion to the
 * operands' norms, by a few units for each of their log₂(n) passes.
 */
function expectLinear(actual: Tensor, a: Tensor, b: Tensor, shape: Shape): void {
  const expected = linear(a, b, shape);
  const absolute = (t: Tensor) => new Tensor(t.data.map(Math.abs) as Float64Array, t.shape);
  if (Math.min(a.size, b.size) < TRANSFORMED_FROM) {
    const magnitude = linear(absolute(a), absolute(b), shape);
    expectWithin(actual, expected, magnitude, sums(b.size, 'float64'));
    return;
  }
  const allowed = 2 ** -50 * Math.log2(4 * (a.size + b.size)) * Math.hypot(...a.data) * Math.hypot(...b.data);
  const magnitude = { data: new Float64Array(expected.data.length).fill(1), shape: expected.shape };
  expectWithin(actual, expected, magnitude, { factor: allowed, scale: 'own' });
}

describe('the definition', () => {
  const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 })), {
    minLength: 1,
    maxLength: 4,
  });
  test('convn, any rank and sizes', () => {
    check(
      fc.property(sizes, fc.constantFrom(...SHAPES), fc.integer(), (pairs, shape, seed) => {
        const short = pairs.length > 3 ? pairs.map(([p, q]) => [Math.min(p, 3), Math.min(q, 3)]) : pairs;
        const a = random(
          short.map(([p]) => p),
          'float64',
          seed,
        );
        const b = random(
          short.map(([, q]) => q),
          'float64',
          seed + 1,
        );
        expectLinear(signal.convn(a, b, shape), a, b, shape);
      }),
      { numRuns: 150 },
    );
  });

  // Kernels on either side of where transforms may take over, and lengths about a block's.
  const lengths = [
    [5000, 63],
    [5000, 64],
    [5000, 65],
    [512, 511],
    [512, 513],
    [700, 700],
    [300, 2000],
    [8000, 999],
  ];
  test.each(lengths.flatMap(([n, m]) => SHAPES.map((shape) => [n, m, shape] as const)))(
    'conv of %i by %i, %s',
    (n, m, shape) => {
      const a = random([n], 'float64', n);
      const b = random([m], 'float64', m);
      expectLinear(vector(signal.conv(a, b, shape)), a, b, shape);
    },
  );

  test.each(SHAPES)('conv2 and convn by transforms, %s', (shape) => {
    for (const [sizeA, sizeB] of [
      [
        [60, 50],
        [15, 17],
      ],
      [
        [15, 17],
        [40, 50],
      ],
      [
        [12, 14, 20],
        [8, 5, 7],
      ],
    ]) {
      const a = random(sizeA, 'float64', 3);
      const b = random(sizeB, 'float64', 4);
      expectLinear(signal.convn(a, b, shape), a, b, shape);
    }
  });
});

describe('whole numbers stay whole', () => {
  function whole(length: number, largest: number, seed: number): Float64Array {
    const next = stream(seed);
    return Float64Array.from({ length }, () => Math.round((next() - 0.5) * 2 * largest));
  }
  test.each([
    [4000, 300, 100],
    [60000, 5000, 9],
    [1000, 1000, 30000],
  ])('conv of %i by %i up to %i', (n, m, largest) => {
    const a = whole(n, largest, 1);
    const b = whole(m, largest, 2);
    const actual = signal.conv(a, b, 'same');
    const start = Math.ceil((m - 1) / 2);
    for (let i = 0; i < n; i += 997) {
      let sum = 0;
      for (let j = Math.max(0, i + start - n + 1); j <= Math.min(m - 1, i + start); j++)
        sum += b[j] * a[i + start - j];
      expect(actual[i]).toBe(sum);
    }
    expect(actual.every(Number.isInteger)).toBe(true);
  });
});

describe('values that are not finite', () => {
  test.each([Number.NaN, Infinity, -Infinity, 1e200])('%d stays where the sum meets it', (value) => {
    const a = new Float64Array(3000).fill(1);
    a[1500] = value;
    const b = new Float64Array(200).fill(1);
    const y = signal.conv(a, b, 'same');
    expect(y[1300]).toBe(200);
    expect(y[1500]).toBe(value + 199);
    expect(y[1700]).toBe(200);
  });
});

describe('ways to one answer', () => {
  const a = random([40], 'float64', 1);
  const b = random([23], 'float64', 2);
  const close = (x: ArrayLike<number>, y: ArrayLike<number>) => {
    expect(x.length).toBe(y.length);
    Array.from(x).forEach((value, i) => {
      expect(Math.abs(value - y[i])).toBeLessThan(1e-13);
    });
  };

  test('conv commutes', () => close(signal.conv(a, b), signal.conv(b, a)));
  test('cconv of enough points is conv; of more, zeros follow', () => {
    expect(signal.cconv(a, b)).toEqual(signal.conv(a, b));
    expect([...signal.cconv([1, 2], [1, 1], 5)]).toEqual([1, 3, 2, 0, 0]);
  });
  test.each([1, 2, 7, 23, 40, 61, 62, 64])('cconv modulo %i is a product of spectra', (n) => {
    const wrapped = (x: Tensor) => signal.cconv(x, [1], n);
    const [A, B] = [signal.fft(wrapped(a)), signal.fft(wrapped(b))];
    const re = A.re.map((v, k) => v * B.re[k] - A.im[k] * B.im[k]);
    const im = A.re.map((v, k) => v * B.im[k] + A.im[k] * B.re[k]);
    close(signal.cconv(a, b, n), signal.ifft({ re, im }).re);
  });
  test.each(SHAPES)('conv2Separable is conv2 with an outer product, %s', (shape) => {
    const A = random([9, 11], 'float64', 3);
    const column = [1, -2, 3, 0.5];
    const row = [2, 1, -1];
    const outer = column.map((u) => row.map((v) => u * v));
    close(signal.conv2Separable(column, row, A, shape).data, signal.conv2(A, outer, shape).data);
  });
  test('filter2 turns its kernel and keeps the size', () => {
    const X = random([6, 7], 'float64', 4);
    const h = random([3, 2], 'float64', 5);
    const turned = new Tensor(h.data.slice().reverse() as Float64Array, h.shape);
    expect(signal.filter2(h, X)).toEqual(signal.conv2(X, turned, 'same'));
  });
  test('col2im of distinct blocks undoes im2col', () => {
    const A = random([7, 10], 'float64', 6);
    expect(signal.col2im(signal.im2col(A, [3, 4], 'distinct'), [3, 4], [7, 10], 'distinct')).toEqual(A);
  });
  test('a filter by sliding blocks is filter2', () => {
    const A = random([6, 8], 'float64', 7);
    const h = random([2, 3], 'float64', 8);
    const columns = signal.im2col(A, [2, 3]);
    const taps = [0, 3, 1, 4, 2, 5].map((at) => h.data[at]);
    const sums = Array.from({ length: columns.shape[1] }, (_, c) =>
      taps.reduce((sum, tap, r) => sum + tap * columns.data[r * columns.shape[1] + c], 0),
    );
    close(signal.col2im([sums], [2, 3], [6, 8]).data, signal.filter2(h, A, 'valid').data);
  });
});

test('operands of any dtype and kind, untouched', () => {
  const a = Int16Array.of(1, 2, 3);
  const expected = Float64Array.of(1, 3, 5, 3);
  expect(signal.conv(a, Uint8Array.of(1, 1))).toEqual(expected);
  expect(signal.conv([[1, 2, 3]], tensor([[1], [1]]))).toEqual(expected);
  expect(signal.conv({ data: a, dims: [3] }, [1, 1])).toEqual(expected);
  expect([...a]).toEqual([1, 2, 3]);
  expect(signal.conv2([[1, 2]], 3).toNested()).toEqual([[3, 6]]);
  expect(signal.convn([1, 2], [[1, 1]]).toNested()).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

test('nothing is left of valid when the kernel is larger', () => {
  expect(signal.conv([1, 2], [1, 2, 3], 'valid')).toHaveLength(0);
  expect(signal.conv2(random([3, 10]), random([5, 2]), 'valid').shape).toEqual([0, 9]);
  expect(signal.conv2Separable([1, 1, 1, 1], [1, 1], random([3, 10]), 'valid').shape).toEqual([0, 9]);
});

describe('errors', () => {
  const A = random([3, 4]);
  test.each([
    ['an empty signal', () => signal.conv([], [1]), 'SHAPE', /^a: expected at least one element/],
    ['an empty kernel', () => signal.conv([1], new Float64Array(0), 'valid'), 'SHAPE', /^b: /],
    ['an empty matrix', () => signal.conv2(A, new Tensor(new Float64Array(0), [0, 3])), 'SHAPE', /^B: /],
    ['an empty circle', () => signal.cconv([1], [], 3), 'SHAPE', /^b: /],
    ['matrices for vectors', () => signal.conv(A, [1]), 'SHAPE', /^a: expected a vector, got shape \[3, 4\]/],
    ['vectors for matrices', () => signal.conv2(A, [1, 2]), 'SHAPE', /^B: expected a matrix/],
    ['three axes', () => signal.filter2(A, random([2, 2, 2])), 'SHAPE', /^X: expected a matrix/],
    [
      'an unknown shape',
      () => signal.conv([1], [1], 'half' as Shape),
      'ARGUMENT',
      /^shape: expected one of 'full', 'same', 'valid', got "half"/,
    ],
    ['an unknown kind', () => signal.im2col(A, [1, 1], 'loose' as 'sliding'), 'ARGUMENT', /^kind: /],
    ['n = 0', () => signal.cconv([1], [1], 0), 'ARGUMENT', /^n: expected an integer ≥ 1, got 0/],
    ['n = -3', () => signal.cconv([1], [1], -3), 'ARGUMENT', /^n: /],
    [
      'sliding blocks too large',
      () => signal.im2col(A, [4, 1]),
      'SHAPE',
      /^block: expected at most shape \[3, 4\]/,
    ],
    ['one size for a block', () => signal.im2col(A, [2] as never), 'SHAPE', /^block: expected two sizes/],
    ['a block of no size', () => signal.im2col(A, [0, 1]), 'ARGUMENT', /^block\[0\]: /],
    [
      'too few columns',
      () => signal.col2im(A, [1, 3], [3, 3], 'distinct'),
      'SHAPE',
      /^B: expected shape \[3, 3\]/,
    ],
    [
      'columns where values are asked',
      () => signal.col2im(random([4, 6]), [2, 2], [3, 4]),
      'SHAPE',
      /^B: expected 6 values/,
    ],
    ['text', () => signal.conv('ab' as never, [1]), 'ARGUMENT', /^a: /],
    ['shared memory', () => signal.conv(sharedArray(Float64Array, 2), [1]), 'ARGUMENT', /^a: /],
  ])('%s', (_, call, name, message) => {
    expect(call).toThrow(expect.objectContaining({ code: `ERR_CONVMAT_${name}` }));
    expect(call).toThrow(message);
  });
});
