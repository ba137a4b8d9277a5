/** Filters and transforms of arrays, beside Octave's; and what belongs to each other. */
import { signal, Tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { type GoldenCase, golden } from '../support/golden';
import { random } from '../support/random';

interface Parts {
  readonly re: Tensor;
  readonly im: Tensor;
}
type Result = Record<string, { readonly data: ArrayLike<number>; readonly shape: readonly number[] }>;

const flat = (values: ArrayLike<number>) => ({ data: values, shape: [values.length] });

const CALLS: Record<string, (tensors: GoldenCase['tensors'], args: GoldenCase['args']) => Result> = {
  fft2: (t) => both(signal.fft2(parts(t))),
  ifft2: (t) => both(signal.ifft2(parts(t))),
  fftAlong: (t, { axis }) => both(signal.fftAlong(parts(t), axis)),
  ifftAlong: (t, { axis }) => both(signal.ifftAlong(parts(t), axis)),
  fftshift: ({ A }) => ({ output: signal.fftshift(A) as Tensor }),
  ifftshift: ({ A }) => ({ output: signal.ifftshift(A) as Tensor }),
  filter: ({ b, a, x }) => ({ output: flat(signal.filter(b, a, x)) }),
  deconv: ({ y, a }) => ({ output: flat(signal.deconv(y, a).quotient) }),
  xcorr: ({ a, b }) => ({ output: flat(signal.xcorr(a, b)) }),
  convmtx: ({ h }, { n }) => ({ output: signal.convmtx(h, n) }),
};
const both = ({ re, im }: Parts): Result => ({ re, im });
const parts = ({ re, im }: GoldenCase['tensors']) => ({ re, im });

/** Of values up to 4 in sums of up to 40 terms; recursions multiply by up to 2 a step. */
const TOLERANCE = 1e-11;

describe('golden data of Octave', () => {
  const cases = golden('octave_signal').cases.filter(({ call }) => call in CALLS);
  test.each(cases)('$id', ({ call, tensors, args, expected }) => {
    const result = CALLS[call](tensors, args);
    for (const [name, want] of Object.entries(expected)) {
      expect(result[name].shape).toEqual(want.shape);
      const largest = Math.max(1, ...want.data.map(Math.abs));
      want.data.forEach((value, i) => {
        expect(Math.abs(result[name].data[i] - value)).toBeLessThanOrEqual(TOLERANCE * largest);
      });
    }
  });
});

test('ifft2 undoes fft2, and ifftshift fftshift', () => {
  const A = random([6, 7], 'float64', 1);
  const { re, im } = signal.ifft2(signal.fft2(A));
  A.data.forEach((value, i) => {
    expect(Math.abs(re.data[i] - value)).toBeLessThan(1e-14);
    expect(Math.abs(im.data[i])).toBeLessThan(1e-14);
  });
  expect(signal.ifftshift(signal.fftshift(A))).toEqual(A);
  expect(signal.fftshift([0, 1, 2, 3, 4])).toEqual(Float64Array.of(3, 4, 0, 1, 2));
});

test('deconv undoes conv, and leaves the remainder', () => {
  const [a, q] = [random([4], 'float64', 1), random([6], 'float64', 2)];
  a.data[0] = 1;
  const y = signal.conv(a, q);
  y[8] += 0.5;
  const { quotient, remainder } = signal.deconv(y, a);
  quotient.forEach((value, i) => {
    expect(Math.abs(value - q.data[i])).toBeLessThan(1e-12);
  });
  expect(remainder.length).toBe(9);
  expect(Math.abs(remainder[8] - 0.5)).toBeLessThan(1e-12);
  expect(signal.deconv([1, 2], [1, 2, 3])).toEqual({
    quotient: Float64Array.of(0),
    remainder: Float64Array.of(1, 2),
  });
});

test('convmtx multiplies as conv does, a row from the other side', () => {
  const h = [1, -2, 3];
  const C = signal.convmtx(h, 4);
  const x = [2, 0, 1, -1];
  const product = C.toNested(2).map((row) => row.reduce((sum, v, j) => sum + v * x[j], 0));
  expect(product).toEqual([...signal.conv(h, x)]);
  expect(signal.convmtx([h], 4).shape).toEqual([4, 6]);
});

test('xcorr of one operand is symmetric about its middle', () => {
  const r = signal.xcorr([1, 2, 3]);
  expect([...r]).toEqual([3, 8, 14, 8, 3]);
});

describe('complex operands', () => {
  const complex = (shape: number[], seed: number) => ({
    re: random(shape, 'float64', seed),
    im: random(shape, 'float64', seed + 1),
  });
  const near = (got: ArrayLike<number>, want: ArrayLike<number>) => {
    expect(got.length).toBe(want.length);
    Array.from(got).forEach((value, i) => {
      expect(Math.abs(value - want[i])).toBeLessThan(1e-9);
    });
  };
  test.each([
    [5, 3],
    [3000, 2000],
  ])('conv of %i by %i is a product of spectra', (n, m) => {
    const [a, b] = [complex([n], 1), complex([m], 3)];
    const size = n + m - 1;
    const [A, B] = [signal.fft(a, size), signal.fft(b, size)];
    const product = {
      re: A.re.map((v, k) => v * B.re[k] - A.im[k] * B.im[k]),
      im: A.re.map((v, k) => v * B.im[k] + A.im[k] * B.re[k]),
    };
    const expected = signal.ifft(product);
    for (const actual of [signal.conv(a, b), signal.cconv(a, b), signal.conv(a, b, { accuracy: 'strict' })]) {
      near(actual.re, expected.re);
      near(actual.im, expected.im);
    }
  });
  test('a real operand is one without imaginary part', () => {
    const [A, B] = [complex([6, 7], 1), random([3, 2], 'float64', 5)];
    const zero = new Tensor(new Float64Array(6), [3, 2]);
    for (const [name, run] of [
      ['conv2', signal.conv2],
      ['convn', signal.convn],
      ['filter2', signal.filter2],
    ] as const) {
      const [real, both] = [run(A, B, 'same'), run(A, { re: B, im: zero }, 'same')];
      expect(real.re.shape, name).toEqual(both.im.shape);
      near(real.re.data, both.re.data);
      near(real.im.data, both.im.data);
    }
  });
  test('parts of one shape', () => {
    expect(() => signal.conv({ re: [1, 2], im: [1] }, [1])).toThrow(/^a\.im: /);
    expect(() => signal.conv2([[1]], { re: [[1, 2]], im: [[1], [2]] })).toThrow(/^B\.im: /);
  });
});

describe('errors', () => {
  test.each([
    ['a first coefficient of zero', () => signal.filter([1], [0, 1], [1]), 'ARGUMENT', /^a: /],
    ['nothing to divide by', () => signal.deconv([1], []), 'SHAPE', /^a: /],
    ['no columns', () => signal.convmtx([1], 0), 'ARGUMENT', /^n: /],
    ['a vector', () => signal.fft2([1, 2]), 'SHAPE', /^A: expected a matrix/],
    ['parts that differ', () => signal.fft2({ re: [[1]], im: [[1, 2]] }), 'SHAPE', /^A\.im: /],
    ['no such axis', () => signal.fftAlong([[1]], 2), 'ARGUMENT', /^axis: /],
  ])('%s', (_, call, code, message) => {
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ code: `ERR_CONVMAT_${code}` }));
  });
});
