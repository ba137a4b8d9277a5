/** MATLAB's convolutions of complex operands, beside SciPy's. */
import { signal, type Tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { operandOf } from '../support/complex';
import { type GoldenCase, golden } from '../support/golden';

function convolve(problem: GoldenCase) {
  const [a, b] = [operandOf(problem, 'a'), operandOf(problem, 'b')];
  const { shape, n } = problem.args;
  const calls: Record<string, () => { re: Float64Array | Tensor; im: Float64Array | Tensor }> = {
    conv: () => signal.conv(a, b, shape),
    conv2: () => signal.conv2(a, b, shape),
    convn: () => signal.convn(a, b, shape),
    cconv: () => signal.cconv(a, b, n),
  };
  return calls[problem.call]();
}

describe('complex operands', () => {
  test.each(golden('scipy_complex').cases)('$id', (problem) => {
    const found = convolve(problem);
    for (const part of ['re', 'im'] as const) {
      const { data, shape } = problem.expected[part];
      const values = found[part];
      if (!(values instanceof Float64Array)) expect(values.shape).toEqual(shape);
      // Of numbers on a grid: exact in any order.
      expect(Array.from(values instanceof Float64Array ? values : values.data)).toEqual(Array.from(data));
    }
  });
});
