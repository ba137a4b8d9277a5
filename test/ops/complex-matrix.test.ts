/** Complex matrices, beside SciPy's. */
import {
  type ComplexStructuredMatrix,
  type ComplexVectorLike,
  circulant,
  convolutionMatrix,
  hankel,
  toeplitz,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { operandOf, type Parts, partsOf, plain } from '../support/complex';
import { type GoldenCase, golden } from '../support/golden';
import { sums } from '../support/tolerance';

const { cases } = golden('scipy_complex_matrix');
const of = (...calls: string[]) => cases.filter(({ call }) => calls.includes(call));
const wrap = (data: ArrayLike<number>) => ({ data, shape: [data.length] });

function expectParts(
  found: Parts<{ data: ArrayLike<number> } | ArrayLike<number>>,
  given: GoldenCase,
  name: string,
) {
  const values = (part: { data: ArrayLike<number> } | ArrayLike<number>) =>
    'data' in part ? part.data : part;
  const expected = partsOf(given.expected, name);
  // Of numbers on a grid: exact in any order.
  expect(plain(values(found.re))).toEqual(plain(expected.re.data));
  expect(plain(values(found.im))).toEqual(plain(expected.im.data));
}

function build(given: GoldenCase) {
  const c: ComplexVectorLike = operandOf(given, 'c');
  const r: ComplexVectorLike | undefined = 'r.re' in given.tensors ? operandOf(given, 'r') : undefined;
  if (given.call === 'circulant') return circulant(c);
  return given.call === 'hankel' ? hankel(c, r) : toeplitz(c, r);
}

describe('structured matrices', () => {
  test.each(of('toeplitz', 'circulant', 'hankel'))('$id', (given) => {
    const A = build(given);
    expect(A.isComplex).toBe(true);
    expect(A.shape).toEqual(given.expected['dense.re'].shape);
    expectParts(A.toDense(), given, 'dense');
    expectParts(A.matvec(operandOf(given, 'x')), given, 'matvec');
    expectParts(A.rmatvec(operandOf(given, 'y')), given, 'rmatvec');
    if ('solution.re' in given.expected) {
      const found = (A as ComplexStructuredMatrix).solve(operandOf(given, 'b'));
      const exact = partsOf(given.expected, 'solution');
      const largest = Math.max(...[exact.re, exact.im].flatMap(({ data }) => Array.from(data, Math.abs)));
      const factor = sums(2 * A.shape[1], 'float64').factor * given.plain.condition;
      for (const part of ['re', 'im'] as const)
        expectWithin(wrap(found[part]), exact[part], wrap([largest]), { factor, scale: 'largest' });
    }
  });

  test.each(of('convolutionMatrix'))('$id', (given) => {
    const { n, mode } = given.args;
    const c: ComplexVectorLike = operandOf(given, 'c');
    expectParts(convolutionMatrix(c, n, mode), given, 'dense');
  });
});
