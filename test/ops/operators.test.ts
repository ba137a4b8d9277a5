import { CsrMatrix, convMatrix, dotTest, type LinearOperator, operators, tensor, toeplitz } from 'convmat';
import { describe, expect, test } from 'vitest';
import { random } from '../support/random';

const {
  add,
  asOperator,
  blockDiag,
  compose,
  diagonal,
  diagonals,
  difference,
  gradient,
  hstack,
  identity,
  laplacian,
  restriction,
  scale,
  tilePlan,
  vstack,
} = operators;

/** Column by column, as a list of rows. */
function denseOf(A: LinearOperator): number[][] {
  const [rows, cols] = A.shape;
  const dense = Array.from({ length: rows }, () => new Array<number>(cols).fill(0));
  for (let j = 0; j < cols; j++) {
    const unit = new Float64Array(cols);
    unit[j] = 1;
    A.matvec(unit).forEach((value, i) => {
      dense[i][j] = value;
    });
  }
  return dense;
}

const matrix = (rows: number, cols: number, seed: number) => random([rows, cols], 'float64', seed);
const nested = (t: { toNested(): unknown }) => t.toNested() as number[][];
const times = (a: number[][], b: number[][]) =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const close = (actual: number[][], expected: number[][]) => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((row, i) => {
    row.forEach((value, j) => {
      expect(value).toBeCloseTo(expected[i][j], 12);
    });
  });
};

const A = matrix(4, 6, 1);
const B = matrix(4, 6, 2);
const C = matrix(6, 3, 3);
const conv = convMatrix(random([1, 1, 2, 2], 'float64', 4), { inputShape: [2, 3], padding: 'same' });
const mine: LinearOperator = {
  shape: [2, 6],
  matvec: (x) => Float64Array.of((x as Float64Array)[0], 2 * (x as Float64Array)[5]),
  rmatvec: (y) => Float64Array.of((y as Float64Array)[0], 0, 0, 0, 0, 2 * (y as Float64Array)[1]),
};

const ALL: Record<string, operators.Operator> = {
  asOperator: asOperator(A),
  "asOperator of a user's own": asOperator(mine),
  'asOperator, transposed': asOperator(A).T,
  add: add(asOperator(A), asOperator(B), asOperator(A)),
  scale: scale(-2.5, asOperator(A)),
  'scale of a convolution': scale(3, conv),
  'scale of stored entries': scale(3, CsrMatrix.fromDense(A)),
  compose: compose(asOperator(A), conv, asOperator(C), identity(3)),
  vstack: vstack(asOperator(A), conv, mine),
  hstack: hstack(asOperator(A), asOperator(matrix(4, 2, 5))),
  blockDiag: blockDiag(asOperator(A), identity(2), conv.T),
  identity: identity(5),
  diagonal: diagonal([1, -2, 3]),
  restriction: restriction(5, [4, 0, 4]),
  difference: difference([3, 4], 1),
  'difference of float32': difference([3, 4], 0, { dtype: 'float32', boundary: 'zeros' }),
  gradient: gradient([3, 4, 2]),
  laplacian: laplacian([4, 5], { boundary: 'circular' }),
  'laplacian of four axes': laplacian([2, 3, 2, 3]),
  'a nested expression': add(
    compose(asOperator(A).T, scale(0.5, asOperator(B))),
    scale(2, identity(6)),
    compose(conv.T, conv),
  ),
};

describe.each(Object.entries(ALL))('%s', (_, operator) => {
  test('has its adjoint', () => {
    const bound = operator.dtype === 'float32' ? 1e-5 : 1e-13;
    expect(dotTest(operator)).toBeLessThan(bound);
    expect(dotTest(operator.T)).toBeLessThan(bound);
  });

  test('is its transpose’s transpose', () => {
    expect(operator.T.shape).toEqual([operator.shape[1], operator.shape[0]]);
    expect(operator.T.dtype).toBe(operator.dtype);
    const x = random([operator.shape[1]], 'float64', 9).data;
    const expected = [...operator.matvec(x)];
    const digits = operator.dtype === 'float32' ? 5 : 12;
    for (const y of [operator.T.T.matvec(x), operator.T.rmatvec(x)])
      y.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i], digits);
      });
  });

  test('writes into out, which is of its dtype, twice the same', () => {
    const x = random([operator.shape[1]], operator.dtype, 8).data;
    const y = operator.matvec(x);
    expect(y.constructor).toBe(operator.dtype === 'float32' ? Float32Array : Float64Array);
    const out = y.map(() => NaN);
    expect(operator.matvec(x, out)).toBe(out);
    expect(out).toEqual(y);
    const back = operator.rmatvec(y);
    expect(operator.rmatvec(y, back.slice().fill(NaN) as Float64Array)).toEqual(back);
  });
});

describe('of both precisions', () => {
  type Precision = 'float32' | 'float64';
  const square = (dtype: Precision) => random([6, 6], dtype, 11);
  const KINDS: Record<string, (dtype: Precision) => LinearOperator> = {
    convolution: (dtype) =>
      convMatrix(random([1, 1, 2, 2], dtype, 4), { inputShape: [2, 3], padding: 'same' }),
    'transposed convolution': (dtype) =>
      convMatrix(random([1, 1, 2, 2], dtype, 4), { inputShape: [2, 3], padding: 'same' }).T,
    'stored entries': (dtype) => CsrMatrix.fromDense(square(dtype)),
    'transposed entries': (dtype) => CsrMatrix.fromDense(square(dtype)).T,
    dense: (dtype) => asOperator(square(dtype)),
    'transposed dense': (dtype) => asOperator(square(dtype)).T,
    diagonal: (dtype) => diagonal(random([6], dtype, 5)),
    identity: (dtype) => identity(6, { dtype }),
    restriction: (dtype) => restriction(6, [5, 0, 0, 2, 1, 4], { dtype }),
    difference: (dtype) => difference([2, 3], 1, { dtype }),
    toeplitz: (dtype) => toeplitz(random([6], dtype, 6)),
    scaled: (dtype) => scale(0.3, toeplitz(random([6], dtype, 6))),
    'of both': (dtype) => add(asOperator(square(dtype)), asOperator(square('float64'))),
  };
  test.each(Object.keys(KINDS))('%s, joined with every other kind', (name) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const first = KINDS[name](dtype);
      const a = denseOf(first);
      for (const [other, make] of Object.entries(KINDS)) {
        const second = make(dtype === 'float32' ? 'float64' : 'float32');
        const b = denseOf(second);
        const zeros = a.map((row) => row.map(() => 0));
        const beside = (left: number[][], right: number[][]) => left.map((row, i) => [...row, ...right[i]]);
        const joined: [operators.Operator, number[][]][] = [
          [add(first, second), a.map((row, i) => row.map((value, j) => value + b[i][j]))],
          [compose(first, second), times(a, b)],
          [vstack(first, second), [...a, ...b]],
          [hstack(first, second), beside(a, b)],
          [blockDiag(first, second), [...beside(a, zeros), ...beside(zeros, b)]],
        ];
        for (const [operator, expected] of joined) {
          // An identity drops out of a product, and its precision with it.
          const isIdentity = [name, other].includes('identity') && operator === joined[1][0];
          if (!isIdentity) expect(operator.dtype, other).toBe('float64');
          denseOf(operator).forEach((row, i) => {
            row.forEach((value, j) => {
              expect(value, other).toBeCloseTo(expected[i][j], 5);
            });
          });
          expect(dotTest(operator), other).toBeLessThan(1e-5);
        }
      }
    }
  });

  test('complex ones', () => {
    const re = diagonal(new Float32Array([1, 2]));
    const A = add(
      re,
      diagonal({ re: [3, 4], im: [5, 6] }),
      CsrMatrix.fromDense(
        tensor([
          [1, 1],
          [0, 1],
        ]),
      ),
    );
    const { re: x, im: y } = A.matvec({ re: [1, 1], im: [0, 1] });
    expect([...x]).toEqual([6, 1]);
    expect([...y]).toEqual([6, 13]);
    expect(dotTest(A)).toBeLessThan(1e-5);
  });
});

describe('values', () => {
  const [a, b, c] = [A, B, C].map(nested);
  test.each<[string, LinearOperator, number[][]]>([
    ['asOperator', asOperator(A), a],
    ['add', add(asOperator(A), asOperator(B)), a.map((row, i) => row.map((value, j) => value + b[i][j]))],
    ['scale', scale(2, asOperator(A)), a.map((row) => row.map((value) => 2 * value))],
    ['compose', compose(asOperator(A), asOperator(C)), times(a, c)],
    ['vstack', vstack(asOperator(A), asOperator(B)), [...a, ...b]],
    ['hstack', hstack(asOperator(A), asOperator(B)), a.map((row, i) => [...row, ...b[i]])],
    [
      'blockDiag',
      blockDiag(diagonal([5]), asOperator([[1, 2]])),
      [
        [5, 0, 0],
        [0, 1, 2],
      ],
    ],
    [
      'restriction',
      restriction(3, [2, 0]),
      [
        [0, 0, 1],
        [1, 0, 0],
      ],
    ],
  ])('%s', (_, operator, expected) => close(denseOf(operator), expected));

  const x = Float64Array.of(1, 3, 6, 10);
  test.each([
    [1, 'replicate', [2, 3, 4, 0]],
    [1, 'circular', [2, 3, 4, -9]],
    [1, 'zeros', [2, 3, 4, -10]],
    [2, 'replicate', [2, 1, 1, -4]],
    [2, 'circular', [11, 1, 1, -13]],
    [2, 'zeros', [1, 1, 1, -14]],
  ] as const)('difference of order %d, %s', (order, boundary, expected) => {
    expect([...difference([4], 0, { order, boundary }).matvec(x)]).toEqual(expected);
    // The same along each axis of a field that is constant along the others.
    const field = tensor(Array.from({ length: 12 }, (_, i) => x[i % 4])).data;
    const along = difference([3, 4], 1, { order, boundary }).matvec(field);
    expect([...along]).toEqual([...expected, ...expected, ...expected]);
    const across = difference([4, 3], 0, { order, boundary }).matvec(
      Float64Array.from({ length: 12 }, (_, i) => x[Math.floor(i / 3)]),
    );
    expect([...across]).toEqual(expected.flatMap((value) => [value, value, value]));
  });

  test.each(['replicate', 'circular', 'zeros'] as const)(
    'laplacian is the sum of second differences, %s',
    (boundary) => {
      for (const shape of [[5], [3, 4], [2, 3, 4], [2, 2, 3, 2]]) {
        const field = random([shape.reduce((n, size) => n * size, 1)], 'float64', 3).data;
        const sum = shape.reduce<Float32Array | Float64Array>(
          (total, _, axis) =>
            difference(shape, axis, { order: 2, boundary })
              .matvec(field)
              .map((v, i) => v + total[i]),
          new Float64Array(field.length),
        );
        close([[...laplacian(shape, { boundary }).matvec(field)]], [[...sum]]);
      }
    },
  );

  test('scaling keeps what can be stored as it is, and merges', () => {
    expect(scale(2, conv).constructor).toBe(conv.constructor);
    expect(scale(2, CsrMatrix.fromDense(A))).toBeInstanceOf(CsrMatrix);
    close(
      denseOf(scale(2, conv)),
      denseOf(conv).map((row) => row.map((value) => 2 * value)),
    );
    close(denseOf(scale(2, scale(3, asOperator(A)))), denseOf(scale(6, asOperator(A))));
    close(
      denseOf(scale(0, conv)),
      denseOf(conv).map((row) => row.map(() => 0)),
    );
  });

  test('products of one operator that take turns keep apart', () => {
    const twice = compose(conv, conv);
    const x = random([6], 'float64', 7).data;
    const recursive: LinearOperator = {
      shape: [6, 6],
      matvec: (v) => {
        twice.matvec(random([6], 'float64', 1).data);
        return v as Float64Array;
      },
      rmatvec: (v) => v as Float64Array,
    };
    expect(compose(conv, recursive, conv).matvec(x)).toEqual(twice.matvec(x));
  });
});

describe('structure', () => {
  const kernel = random([3, 2, 3, 3], 'float64', 1);
  const matrices = {
    'a padded convolution': convMatrix(kernel, { inputShape: [2, 5, 6], padding: 1 }),
    'one that wraps': convMatrix(kernel, { inputShape: [2, 5, 6], padding: 1, paddingMode: 'circular' }),
    'a strided one': convMatrix(kernel, {
      inputShape: [2, 7, 8],
      stride: 2,
      padding: [
        [1, 0],
        [2, 1],
      ],
    }),
    'its transpose': convMatrix(kernel, { inputShape: [2, 7, 8], stride: 2 }).T,
    'stored entries': CsrMatrix.fromDense(matrix(5, 7, 3)),
    'a wide one': CsrMatrix.fromDense({ data: Float64Array.of(0, 1, 0, 0, 2, 0, 0), shape: [1, 7] }),
  };

  test.each(Object.entries(matrices))('diagonals of %s make its product', (_, A) => {
    const [rows, cols] = A.shape;
    const { offsets, values } = diagonals(A);
    expect([...offsets]).toEqual([...offsets].sort((a, b) => a - b));
    const dense = nested(A.toDense());
    const expected = new Set<number>();
    dense.forEach((row, i) => {
      row.forEach((value, j) => {
        if (value !== 0) expected.add((((j - i) % cols) + cols) % cols);
      });
    });
    expect(new Set(offsets)).toEqual(expected);
    const x = random([cols], 'float64', 5).data;
    const y = new Float64Array(rows);
    values.forEach((diagonal, k) => {
      for (let i = 0; i < rows; i++) y[i] += diagonal[i] * x[(i + offsets[k]) % cols];
    });
    close([[...y]], [[...A.matvec(x)]]);
  });

  test.each(Object.entries(matrices))('tiles of %s hold its entries', (_, A) => {
    for (const [height, width] of [
      [1, 1],
      [3, 4],
      [7, 5],
      [100, 100],
    ]) {
      const { grid, nnz, occupied, fill } = tilePlan(A, height, width);
      expect(grid).toEqual([Math.ceil(A.shape[0] / height), Math.ceil(A.shape[1] / width)]);
      const expected = new Int32Array(grid[0] * grid[1]);
      const { row, col } = A.toCOO();
      row.forEach((i, p) => {
        expected[Math.floor(i / height) * grid[1] + Math.floor(col[p] / width)]++;
      });
      expect(nnz).toEqual(expected);
      expect(occupied).toBe(expected.filter((count) => count > 0).length);
      expect(fill).toBeCloseTo(A.nnz / (occupied * height * width), 14);
    }
  });

  test('of 4096 × 4096 pixels, from the runs of its rows alone', () => {
    const large = convMatrix(random([5, 5], 'float32', 1), { inputShape: [4096, 4096], padding: 'same' });
    const { offsets, values } = diagonals(large);
    expect(offsets.length).toBe(25);
    expect(values.length).toBe(25);
    const { grid, occupied, nnz } = tilePlan(large, 65536, 65536);
    expect(grid).toEqual([256, 256]);
    expect(occupied).toBe(256 + 2 * 255);
    expect(nnz.reduce((sum, count) => sum + count, 0)).toBe(large.nnz);
  });
});

describe('refusals', () => {
  test.each<[string, () => unknown, string]>([
    ['no operator', () => add(), 'A: expected at least one operator to add, got none'],
    ['what is none', () => vstack({} as never), 'A[0]: expected a tensor'],
    ['sums of other shapes', () => add(asOperator(A), asOperator(C)), 'A[1]: expected 4 rows, as A[0] has'],
    ['products that do not meet', () => compose(asOperator(A), asOperator(A)), 'A[1]: expected 6 rows'],
    ['stacks of other widths', () => vstack(asOperator(A), asOperator(C)), 'A[1]: expected 6 columns'],
    ['a vector as a matrix', () => asOperator([1, 2]), 'A: expected 2 axes [rows, cols], got shape [2]'],
    [
      'an index out of range',
      () => restriction(3, [3]),
      'indices[0]: expected an integer from 0 to 2, got 3',
    ],
    ['an axis that is not there', () => difference([3], 1), 'axis: expected an integer from 0 to 0, got 1'],
    ['an order that is none', () => difference([3], 0, { order: 3 as 1 }), 'options.order'],
    ['a boundary that is none', () => gradient([3], { boundary: 'x' as never }), 'options.boundary'],
    ['tiles of nothing', () => tilePlan(conv, 0, 1), 'rows: expected an integer ≥ 1, got 0'],
    [
      'more tiles than can be counted',
      () => tilePlan(convMatrix([1, 1], { inputShape: [1e6] }), 1, 1),
      'grid',
    ],
    [
      'no sparse formats',
      () => diagonals(toeplitz([1, 2]) as never),
      'A: expected a matrix with sparse formats',
    ],
    ['a vector of another length', () => identity(3).matvec([1]), 'x: expected 3 elements'],
    [
      'out over the operand',
      () => {
        const x = new Float64Array(3);
        identity(3).matvec(x, x);
      },
      'out: expected memory of its own',
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });
});
