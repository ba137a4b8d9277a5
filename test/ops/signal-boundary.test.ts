/** conv2 beyond the edges of its first operand, beside SciPy's convolve2d. */
import { ArgumentError, signal, tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { golden } from '../support/golden';
import { random } from '../support/random';

const BOUNDARIES = [
  { boundary: 'symm' },
  { boundary: 'wrap' },
  { boundary: 'fill', fillValue: 2.5 },
] as const;

describe('conv2 with a boundary', () => {
  test.each(golden('scipy_conv2').cases)('$id', ({ tensors, args, expected }) => {
    const { shape, ...options } = args;
    const { data, shape: sizes } = signal.conv2(tensors.A, tensors.B, shape, options);
    expect(sizes).toEqual(expected.C.shape);
    // Of numbers on a grid: exact in any order.
    expect(Array.from(data)).toEqual(Array.from(expected.C.data));
  });

  test.each(BOUNDARIES)(
    "$boundary: 'same' is the middle of 'full', 'valid' reads nothing beyond",
    (options) => {
      const [A, B] = [random([5, 6], 'float64', 1), random([2, 4], 'float64', 2)];
      const full = signal.conv2(A, B, { ...options, accuracy: 'strict' });
      const same = signal.conv2(A, B, 'same', { ...options, accuracy: 'strict' });
      expect(same.toNested()).toEqual(full.slice([1, 6], [2, 8]).toNested());
      expect(signal.conv2(A, B, 'valid', options)).toEqual(signal.conv2(A, B, 'valid'));
      expect(signal.conv2(B, A, 'valid', options).shape).toEqual([0, 0]);
    },
  );

  test.each(BOUNDARIES)('$boundary: complex operands by their parts', (options) => {
    const [re, im, B] = [1, 2, 3].map((seed) => random([3, 3], 'float64', seed));
    const found = signal.conv2({ re, im }, B, 'same', options);
    expect(found.re).toEqual(signal.conv2(re, B, 'same', options));
    const imaginary =
      options.boundary === 'fill' ? signal.conv2(im, B, 'same') : signal.conv2(im, B, 'same', options);
    expect(found.im).toEqual(imaginary);
  });

  test('a constant stays one, beyond its edges too', () => {
    const A = tensor(new Float64Array(12).fill(3), [3, 4]);
    const B = tensor(new Float64Array(35).fill(1), [5, 7]);
    for (const options of [{ boundary: 'symm' }, { boundary: 'wrap' }, { fillValue: 3 }] as const) {
      expect(new Set(signal.conv2(A, B, options).data)).toEqual(new Set([105]));
    }
  });

  test('what is refused', () => {
    const A = random([2, 2], 'float64', 4);
    expect(() => signal.conv2(A, A, 'full', { boundary: 'reflect' as 'symm' })).toThrow(ArgumentError);
    expect(() => signal.conv2(A, A, 'full', { boundary: 'symm', fillValue: 1 })).toThrow(ArgumentError);
    expect(() => signal.conv2(A, A, 'full', { fillValue: '1' as unknown as number })).toThrow(ArgumentError);
  });
});
