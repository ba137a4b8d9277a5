/** Convolutions of awkward values: wide ranges, one sign, huge, tiny, NaN and infinity; by sums and by transforms. */
import { circulant, conv1d, conv2d, hankel, signal, Tensor, toeplitz } from 'convmat';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { backend } from '../../dist/backend/select.js';
import { expectWithin } from '../support/compare';
import { check } from '../support/fuzz';
import { random } from '../support/random';
import { EXACT, sums } from '../support/tolerance';

const STRICT = { accuracy: 'strict' } as const;
const SHAPES = ['full', 'same', 'valid'] as const;

/** The probabilities of 0 … n heads in n tosses: from 2⁻ⁿ to 1/√n. */
function binomial(n: number): Float64Array {
  const p = new Float64Array(n + 1);
  let log = 0;
  for (let k = 0; k <= n; k++) {
    p[k] = Math.exp(log - n * Math.LN2);
    log += Math.log((n - k) / (k + 1));
  }
  return p;
}

/** Σ_j a[j]·b[i − j], each in double-double: to twice the digits, for values whose products are in range. */
function exactly(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length + b.length - 1);
  for (let i = 0; i < out.length; i++) {
    const terms: number[] = [];
    for (let j = Math.max(0, i - b.length + 1); j <= Math.min(a.length - 1, i); j++)
      terms.push(a[j] * b[i - j]);
    // Of one sign, so that the order of the sum costs little: the smallest first.
    terms.sort((x, y) => Math.abs(x) - Math.abs(y));
    out[i] = terms.reduce((sum, term) => sum + term, 0);
  }
  return out;
}

describe('each element to its own size', () => {
  const column = (data: Float64Array) => new Tensor(data, [data.length, 1]);
  const ways: [string, (p: Float64Array, options?: { accuracy: 'strict' }) => ArrayLike<number>][] = [
    ['conv', (p, options) => signal.conv(p, p, options)],
    ['conv, full', (p, options) => signal.conv(p, p, 'full', options)],
    ['conv2', (p, options) => signal.conv2(column(p), column(p), options).data],
    ['convn', (p, options) => signal.convn(column(p), column(p), 'full', options).data],
    ['cconv', (p, options) => signal.cconv(p, p, options)],
    ['cconv, n', (p, options) => signal.cconv(p, p, 2 * p.length - 1, options)],
  ];
  test.each(ways)('%s, by default where it costs little', (_, run) => {
    const p = binomial(150);
    const expected = exactly(p, p);
    const tensor = (data: ArrayLike<number>) => ({ data, shape: [data.length] });
    expectWithin(tensor(run(p)), tensor(expected), tensor(expected), sums(151, 'float64'));
  });
  test.each(ways)('%s, strict at any length', (_, run) => {
    const p = binomial(900).subarray(0, 700);
    const long = Float64Array.from({ length: 2800 }, (_unused, i) => p[i % 700] * 2 ** -(i % 31));
    const expected = exactly(long, long);
    const tensor = (data: ArrayLike<number>) => ({ data, shape: [data.length] });
    expectWithin(tensor(run(long, STRICT)), tensor(expected), tensor(expected), sums(2800, 'float64'));
  });

  test('strict and fast agree to the norm, whatever the function and the shape', () => {
    const length = fc.integer({ min: 1, max: 5000 });
    check(
      fc.property(length, length, fc.constantFrom(...SHAPES), fc.integer(), (n, m, shape, seed) => {
        const [a, b] = [random([n], 'float64', seed), random([m], 'float64', seed + 1)];
        const strict = signal.conv(a, b, shape, STRICT);
        const allowed = 2 ** -50 * Math.log2(4 * (n + m)) * Math.hypot(...a.data) * Math.hypot(...b.data);
        signal.conv(a, b, shape).forEach((value, i) => {
          expect(Math.abs(value - strict[i])).toBeLessThanOrEqual(allowed);
        });
      }),
      { numRuns: 20 },
    );
  });
});

describe('no value of the wrong sign', () => {
  const products: [string, (a: Float64Array, b: Float64Array) => ArrayLike<number>][] = [
    ['conv', (a, b) => signal.conv(a, b)],
    [
      'conv2',
      (a, b) => signal.conv2(new Tensor(a, [a.length / 80, 80]), new Tensor(b, [b.length / 80, 80])).data,
    ],
    ['cconv', (a, b) => signal.cconv(a, b, a.length)],
    [
      'toeplitz',
      (a, b) =>
        toeplitz(
          a,
          b.map((v, i) => (i === 0 ? a[0] : v)),
        ).matvec(b),
    ],
    [
      'toeplitz, transposed',
      (a, b) =>
        toeplitz(
          a,
          b.map((v, i) => (i === 0 ? a[0] : v)),
        ).rmatvec(a),
    ],
    ['circulant', (a, b) => circulant(a).matvec(b)],
    ['hankel', (a, b) => hankel(a).matvec(b)],
    ['circulant, float32', (a, b) => circulant(Float32Array.from(a)).matvec(Float32Array.from(b))],
  ];
  test.each(products)('%s', (_, run) => {
    // Long enough that no sum is direct.
    const wide = (seed: number) =>
      random([6400], 'float64', seed).data.map((v, i) => v * v * 2 ** -(i % 90)) as Float64Array;
    const [a, b] = [wide(1), wide(2)];
    const isAtLeastZero = (v: number) => v >= 0 && !Object.is(v, -0);
    expect(Array.from(run(a, b)).every(isAtLeastZero)).toBe(true);
    const minus = b.map((v) => -v);
    expect(
      Array.from(
        run(
          a.map((v) => -v),
          minus,
        ),
      ).every(isAtLeastZero),
    ).toBe(true);
    if (!_.startsWith('toeplitz')) expect(Array.from(run(a, minus)).every((v) => v <= 0)).toBe(true);
  });
});

describe('any scale', () => {
  const a = random([3000], 'float64', 3).data as Float64Array;
  const b = random([2500], 'float64', 4).data as Float64Array;
  const plain = signal.conv(a, b);
  test.each([
    [600, -600],
    [-600, 600],
    [500, 300],
    [-700, -200],
    [1000, -10],
    [-1060, 1000],
  ])('2^%i times 2^%i', (p, q) => {
    // Powers of two change nothing but the exponents, as long as the operands keep their digits.
    const x = a.map((v) => Math.fround(v) * 2 ** (p / 2) * 2 ** (p - p / 2));
    const y = b.map((v) => Math.fround(v) * 2 ** (q / 2) * 2 ** (q - q / 2));
    const expected = signal.conv(
      a.map((v) => Math.fround(v)),
      b.map((v) => Math.fround(v)),
    );
    const tolerance = 2 ** -46 * Math.hypot(...a) * Math.hypot(...b);
    const lost = p < -1000 ? 2 ** (-1074 - p) * 3000 : 0;
    signal.conv(x, y).forEach((value, i) => {
      const back = value * 2 ** (-(p + q) / 2) * 2 ** (-(p + q) / 2);
      expect(Math.abs(back - expected[i])).toBeLessThanOrEqual(tolerance + lost);
    });
    expect(plain.every(Number.isFinite)).toBe(true);
  });
  test('sums out of range are infinite or zero', () => {
    const huge = a.map(() => 2 ** 1000);
    expect(signal.conv(huge, huge).every((v) => v === Infinity)).toBe(true);
    const tiny = a.map(() => 2 ** -1000);
    expect(signal.conv(tiny, tiny).every((v) => v === 0)).toBe(true);
  });
  test('a few huge numbers stay by themselves', () => {
    const x = a.slice();
    x[1000] = 1e300;
    const y = signal.conv(x, b);
    const rest = a.slice();
    rest[1000] = 0;
    const others = signal.conv(rest, b);
    y.forEach((value, i) => {
      if (i < 1000 || i >= 1000 + b.length) expect(value).toBe(others[i]);
      else expect(value).toBe(others[i] + 1e300 * b[i - 1000]);
    });
  });
});

describe('what is not finite', () => {
  const NOT_FINITE = [Number.NaN, Infinity, -Infinity];
  /** Some values of the operand replaced, and some zeros, which meet infinities as NaN. */
  function spoil(t: Tensor, places: readonly number[], kinds: readonly number[]): Tensor {
    const data = t.data.slice();
    for (let i = 0; i < data.length; i += 5) data[i] = 0;
    places.forEach((place, i) => {
      data[place % data.length] = NOT_FINITE[kinds[i % kinds.length]];
    });
    return new Tensor(data as Float64Array, t.shape);
  }
  function expectSameKinds(actual: ArrayLike<number>, strict: ArrayLike<number>): void {
    const kind = (v: number) => (Number.isFinite(v) ? 0 : v);
    expect(Array.from(actual, kind)).toEqual(Array.from(strict, kind));
  }
  const spots = fc.array(fc.nat({ max: 1e6 }), { minLength: 0, maxLength: 6 });
  const kinds = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 3 });

  test('stands where direct sums put it, in one axis', () => {
    check(
      fc.property(spots, spots, kinds, fc.constantFrom(...SHAPES), fc.nat(), (p, q, of, shape, seed) => {
        const a = spoil(random([4100], 'float64', seed), p, of);
        const b = spoil(random([1900], 'float64', seed + 1), q, of);
        expectSameKinds(signal.conv(a, b, shape), signal.conv(a, b, shape, STRICT));
      }),
      { numRuns: 12 },
    );
  });
  test('and in two', () => {
    check(
      fc.property(spots, spots, kinds, fc.constantFrom(...SHAPES), fc.nat(), (p, q, of, shape, seed) => {
        const a = spoil(random([90, 70], 'float64', seed), p, of);
        const b = spoil(random([41, 37], 'float64', seed + 1), q, of);
        expectSameKinds(signal.conv2(a, b, shape).data, signal.conv2(a, b, shape, STRICT).data);
      }),
      { numRuns: 8 },
    );
  });
  test('and where many are', () => {
    const many = Array.from({ length: 1500 }, (_, i) => i * 3);
    for (const of of [[0], [1], [2], [1, 2], [0, 1, 2]]) {
      const a = spoil(random([6000], 'float64', 1), many, of);
      const b = spoil(random([2300], 'float64', 2), many.slice(0, 4), of);
      expectSameKinds(signal.conv(a, b), signal.conv(a, b, STRICT));
      expectSameKinds(signal.conv(b, a), signal.conv(a, b, STRICT));
    }
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });
  test('costs no direct sum, and no more than a few transforms', () => {
    const transform = vi.spyOn(backend(), 'fftConvolve');
    const direct = vi.spyOn(backend(), 'conv');
    const a = random([24000], 'float64', 1);
    const b = random([12000], 'float64', 2);
    const c = random([24000], 'float64', 3).data as Float64Array;
    const work = () => {
      transform.mockClear();
      signal.conv(a, b);
      circulant(c).matvec(a);
      return transform.mock.calls.length;
    };
    expect(work()).toBe(2);
    for (const count of [1, 100, 20000]) {
      for (let i = 0; i < count; i++) a.data[i] = NOT_FINITE[i % 3];
      expect(work()).toBeLessThanOrEqual(2 * 9);
    }
    expect(direct).not.toHaveBeenCalled();
  });

  test.each(['auto', 'direct', 'depthwise', 'im2col', 'fft'] as const)('of 5×5 taps by %s', (algorithm) => {
    const x = random([1, 1, 40, 50], 'float64', 8);
    x.data[20 * 50 + 25] = Infinity;
    const w = new Tensor(new Float64Array(25).fill(2), [1, 1, 5, 5]);
    const y = conv2d(x, w, { algorithm });
    for (let i = 0; i < 36; i++) {
      for (let j = 0; j < 46; j++) {
        const reads = i <= 20 && i + 4 >= 20 && j <= 25 && j + 4 >= 25;
        expect(Number.isFinite(y.data[i * 46 + j])).toBe(!reads);
        if (reads) expect(y.data[i * 46 + j]).toBe(Infinity);
      }
    }
  });
  test('of a convolution by transforms reaches what reads it alone', () => {
    const x = random([1, 1, 20000], 'float64', 5);
    const w = random([1, 1, 3001], 'float64', 6);
    x.data[9000] = Number.NaN;
    const y = conv1d(x, w, { padding: 1500, algorithm: 'fft' });
    for (let i = 0; i < 20000; i++) expect(Number.isNaN(y.data[i])).toBe(i >= 7500 && i <= 10500);
    const image = random([1, 1, 100, 120], 'float64', 7);
    image.data[50 * 120 + 60] = Infinity;
    const kernel = new Tensor(new Float64Array(31 * 33).fill(1), [1, 1, 31, 33]);
    const z = conv2d(image, kernel, { algorithm: 'fft' });
    for (let i = 0; i < 70; i++) {
      for (let j = 0; j < 88; j++) {
        const reads = i <= 50 && i + 30 >= 50 && j <= 60 && j + 32 >= 60;
        expect(z.data[i * 88 + j] === Infinity).toBe(reads);
      }
    }
  });
});

test('options are checked', () => {
  expect(() => signal.conv([1], [1], 'full', { accuracy: 'best' as 'fast' })).toThrow(/^options\.accuracy: /);
  expect(() => signal.conv2([[1]], [[1]], { acuracy: 'fast' } as never)).toThrow(/^options\.acuracy: /);
  expect(() => signal.conv([1], [1], null as never)).toThrow(/^shape: /);
  expectWithin(
    { data: signal.cconv([1, 2], [3], 2, STRICT), shape: [2] },
    { data: [3, 6], shape: [2] },
    { data: [3, 6], shape: [2] },
    EXACT,
  );
});
