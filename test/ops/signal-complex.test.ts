/** MATLAB's convolutions of complex operands, beside SciPy's and Octave's. */
import { signal, type Tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { operandOf } from '../support/complex';
import { type GoldenCase, golden } from '../support/golden';
import { random } from '../support/random';

type Operand = ReturnType<typeof operandOf>;
type Found = { re: Float64Array | Tensor; im: Float64Array | Tensor };
const CALLS: Record<string, (a: Operand, b: Operand, args: GoldenCase['args']) => Found> = {
  conv: (a, b, { shape }) => signal.conv(a, b, shape),
  conv2: (a, b, { shape }) => signal.conv2(a, b, shape),
  convn: (a, b, { shape }) => signal.convn(a, b, shape),
  cconv: (a, b, { n }) => signal.cconv(a, b, n),
};

describe('complex operands', () => {
  const cases = ['scipy_complex', 'octave_complex'].flatMap((family) => golden(family).cases);
  test.each(cases.filter(({ call }) => call in CALLS))('$id', (problem) => {
    const found = CALLS[problem.call](operandOf(problem, 'a'), operandOf(problem, 'b'), problem.args);
    for (const part of ['re', 'im'] as const) {
      const { data, shape } = problem.expected[part];
      const values = found[part];
      if (!(values instanceof Float64Array)) expect(values.shape).toEqual(shape);
      // Of numbers on a grid: exact in any order.
      expect(Array.from(values instanceof Float64Array ? values : values.data)).toEqual(Array.from(data));
    }
  });
});

describe('long complex operands, by transforms', () => {
  const numbers = (shape: number[], seed: number, f = (v: number) => v) => ({
    re: { data: random(shape, 'float64', seed).data.map(f), shape },
    im: { data: random(shape, 'float64', seed + 1).data.map(f), shape },
  });
  const normOf = ({ re, im }: ReturnType<typeof numbers>) =>
    Math.sqrt([re.data, im.data].flatMap((part) => Array.from(part)).reduce((sum, v) => sum + v * v, 0));
  const sizes = [
    [[3000], [700]],
    [[2500], [2500]],
    [[700], [3000]],
    [[20_000], [90]],
    [
      [70, 60],
      [40, 50],
    ],
  ] as const;
  const cases = sizes.flatMap(([a, b]) =>
    (['full', 'same', 'valid'] as const).map((shape) => ({ a, b, shape })),
  );
  test.each(cases)('$a by $b, $shape, is as direct sums are', ({ a, b, shape }) => {
    const [p, q] = [numbers([...a], 1), numbers([...b], 3)];
    const found = signal.convn(p, q, shape);
    const expected = signal.convn(p, q, shape, { accuracy: 'strict' });
    const tolerance = 2 ** -52 * 4 * 16 * normOf(p) * normOf(q);
    for (const part of ['re', 'im'] as const) {
      expect(found[part].shape).toEqual(expected[part].shape);
      const errors = found[part].data.map((value, i) => Math.abs(value - expected[part].data[i]));
      expect(errors.reduce((most, error) => Math.max(most, error), 0)).toBeLessThan(tolerance);
    }
  });
  test('whole numbers stay exact', () => {
    const whole = (v: number) => Math.round(v * 9);
    const [p, q] = [numbers([3000], 1, whole), numbers([900], 3, whole)];
    const expected = signal.convn(p, q, 'full', { accuracy: 'strict' });
    const found = signal.convn(p, q);
    expect(found.re.data).toEqual(expected.re.data);
    expect(found.im.data).toEqual(expected.im.data);
  });
  test('terms of one sign give no values of the other', () => {
    const [p, q] = [numbers([3000], 1, Math.abs), numbers([900], 3, (v) => Math.abs(v) ** 40)];
    expect(signal.convn(p, q).im.data.every((value) => value >= 0)).toBe(true);
  });
  test.each([Number.NaN, Infinity, 1e300])('%d reaches what reads it alone', (value) => {
    const [p, q] = [numbers([3000], 1), numbers([900], 3)];
    p.im.data[1500] = value;
    const kind = (part: Tensor) =>
      Array.from(part.data, (v) => (Math.abs(v) < 1e100 ? 0 : v > 0 ? 1 : v < 0 ? -1 : 2));
    const expected = signal.convn(p, q, 'full', { accuracy: 'strict' });
    const found = signal.convn(p, q);
    expect(kind(found.re)).toEqual(kind(expected.re));
    expect(kind(found.im)).toEqual(kind(expected.im));
  });
});
