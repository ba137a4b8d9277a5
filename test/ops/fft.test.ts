import { signal } from 'convmat';
import { describe, expect, test } from 'vitest';
import { fourier } from '../oracle/linear';
import { type GoldenCase, golden } from '../support/golden';
import { random } from '../support/random';

type Complex = { re: Float64Array; im: Float64Array };

const U = 2 ** -53;

function norm({ re, im }: Complex): number {
  return Math.hypot(...re, ...im);
}

/** An FFT's error is below about 4·u·log₂(n) of the norm (Higham §24.1), three times over where a chirp needs three. */
function expectClose(actual: Complex, expected: Complex, scale: number): void {
  const n = expected.re.length;
  const allowed = 16 * U * (1 + Math.log2(n)) * scale;
  expect(actual.re).toHaveLength(n);
  expect(actual.im).toHaveLength(n);
  for (let k = 0; k < n; k++) {
    const error = Math.max(Math.abs(actual.re[k] - expected.re[k]), Math.abs(actual.im[k] - expected.im[k]));
    if (!(error <= allowed)) expect.fail(`n = ${n}, at ${k}: off by ${error}, allowed ${allowed}`);
  }
}

function noise(n: number, seed: number): Complex {
  const draw = (shift: number) => random([n], 'float64', seed + shift).data as Float64Array;
  return { re: draw(0), im: draw(1) };
}

describe('golden data of Octave', () => {
  const cases = golden('octave_signal').cases.filter(({ call }) => call === 'fft' || call === 'ifft');
  test.each(cases)('$id', ({ call, tensors, args, expected }: GoldenCase) => {
    const re = tensors['re'].data as Float64Array;
    const im = tensors['im']?.data as Float64Array | undefined;
    const given = { re, im: im ?? new Float64Array(re.length) };
    const transform = call === 'fft' ? signal.fft : signal.ifft;
    const actual = transform(im === undefined ? tensors['re'] : given, args['n']);
    const want = { re: expected['re'].data, im: expected['im'].data } as Complex;
    expectClose(actual, want, norm(given));
  });
});

describe('the definition', () => {
  const lengths = [
    ...Array.from({ length: 66 }, (_, i) => i + 1),
    81,
    97,
    121,
    125,
    127,
    128,
    129,
    210,
    243,
    255,
    256,
    257,
  ];
  test.each(lengths)('n = %i', (n) => {
    const x = noise(n, n);
    const expected = fourier(x.re, x.im);
    expectClose(signal.fft(x), expected, norm(x));
    const real = { re: x.re, im: new Float64Array(n) };
    const spectrum = signal.fft(x.re);
    expectClose(spectrum, fourier(real.re, real.im), norm(real));
    for (let k = 1; k < n; k++) {
      expect(Math.abs(spectrum.re[k] - spectrum.re[n - k])).toBeLessThan(32 * U * n);
    }
    expectClose(signal.ifft(expected), x, norm(expected) / n + norm(x));
  });
});

describe('long transforms', () => {
  // Powers of two on either side of the split into strips, mixed radices, and primes with a chirp.
  test.each([4096, 6000, 8192, 10007, 16383, 65536, 65537, 100000])(
    'n = %i comes back, and keeps its energy',
    (n) => {
      const x = noise(n, 7);
      const spectrum = signal.fft(x);
      const energy = (z: Complex) => z.re.reduce((sum, v, k) => sum + v * v + z.im[k] ** 2, 0);
      expect(energy(spectrum) / n / energy(x)).toBeCloseTo(1, 12);
      expectClose(signal.ifft(spectrum), x, Math.sqrt(energy(x)));
    },
  );

  test('an impulse turns evenly, wherever it stands', () => {
    const n = 3 * 5 * 7 * 64;
    const at = 1234;
    const re = new Float64Array(n);
    re[at] = 1;
    const X = signal.fft(re);
    for (let k = 0; k < n; k++) {
      const angle = (-2 * Math.PI * ((at * k) % n)) / n;
      if (Math.hypot(X.re[k] - Math.cos(angle), X.im[k] - Math.sin(angle)) > 1e-14) expect.fail(`at ${k}`);
    }
  });
});

test('inputs stay as they are, of every kind', () => {
  const re = Float64Array.of(1, 2, 3, 4, 5);
  const im = Float64Array.of(0, 1, 0, -1, 2);
  const X = signal.fft({ re, im });
  expect([...re, ...im]).toEqual([1, 2, 3, 4, 5, 0, 1, 0, -1, 2]);
  expect(signal.fft({ re: [1, 2, 3, 4, 5], im: Int8Array.from(im) })).toEqual(X);
  expect(signal.fft(Float32Array.from(re)).re[0]).toBe(15);
  expect(signal.fft(7)).toEqual({ re: Float64Array.of(7), im: Float64Array.of(0) });
});

test('out receives the result and is returned', () => {
  const x = noise(24, 3);
  const out = { re: new Float64Array(24).fill(9), im: new Float64Array(24).fill(9) };
  expect(signal.fft(x, undefined, out)).toBe(out);
  expect(out).toEqual(signal.fft(x));
  const back = { re: new Float64Array(24), im: new Float64Array(24) };
  expect(signal.ifft(out, 24, back)).toBe(back);
  expectClose(back, x, norm(x));
});

describe('errors', () => {
  const points = new Float64Array(3);
  const code = (name: string) => expect.objectContaining({ code: `ERR_CONVMAT_${name}` });
  test.each([
    ['an empty vector', () => signal.fft([]), 'SHAPE', /^x: expected at least one element/],
    [
      'empty parts',
      () => signal.ifft({ re: new Float64Array(0), im: new Float64Array(0) }),
      'SHAPE',
      /^x\.re: /,
    ],
    [
      'parts of two lengths',
      () => signal.fft({ re: [1, 2], im: [1] }),
      'SHAPE',
      /^x\.im: expected 2 elements, as x\.re, got 1/,
    ],
    [
      'a matrix',
      () =>
        signal.fft([
          [1, 2],
          [3, 4],
        ]),
      'SHAPE',
      /^x: expected a vector/,
    ],
    ['n = 0', () => signal.fft([1], 0), 'ARGUMENT', /^n: expected an integer ≥ 1, got 0/],
    ['n = 2.5', () => signal.ifft({ re: [1], im: [1] }, 2.5), 'ARGUMENT', /^n: /],
    ['n = NaN', () => signal.fft([1], Number.NaN), 'ARGUMENT', /^n: /],
    [
      'an out that is too short',
      () => signal.fft([1, 2], 3, { re: new Float64Array(2), im: new Float64Array(3) }),
      'SHAPE',
      /^out\.re: expected 3 elements, got 2/,
    ],
    [
      'an out of float32',
      () => signal.fft([1], 1, { re: new Float64Array(1), im: new Float32Array(1) as never }),
      'DTYPE',
      /^out\.im: expected float64, got float32/,
    ],
    [
      'an out over the input',
      () => signal.fft(points, 3, { re: points.subarray(0, 3), im: new Float64Array(3) }),
      'ARGUMENT',
      /^out\.re: expected memory of its own, got memory shared with x\.re/,
    ],
    [
      'an out over itself',
      () => signal.fft([1, 2, 3], 3, { re: points, im: points }),
      'ARGUMENT',
      /^out\.im: expected memory of its own, got memory shared with out\.re/,
    ],
    ['an out of one part', () => signal.fft([1], 1, [1] as never), 'ARGUMENT', /^out: expected \{re, im\}/],
    ['text', () => signal.fft('abc' as never), 'ARGUMENT', /^x: /],
  ])('%s', (_, call, name, message) => {
    expect(call).toThrow(code(name));
    expect(call).toThrow(message);
  });
});
