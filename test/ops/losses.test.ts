import { ArgumentError, DTypeError, nn, ShapeError, tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { golden } from '../support/golden';
import { random } from '../support/random';
import { expectRefusal } from '../support/refusals';

/** The gradient of `loss` at x, by central differences in float64. */
function differences(loss: (x: Float64Array) => number, x: Float64Array): Float64Array {
  const step = 1e-6;
  return x.map((at, i) => {
    const [above, below] = [at + step, at - step].map((value) => loss(x.with(i, value)));
    return (above - below) / (2 * step);
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, digits: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i], digits);
}

const parameter = (values: number[], dtype: 'float32' | 'float64' = 'float64'): nn.Parameter => ({
  name: 'p',
  data: tensor(values, undefined, dtype),
  grad: tensor(
    values.map(() => 1),
    undefined,
    dtype,
  ),
});

describe('golden data of PyTorch', () => {
  const cases = golden('torch_nn').cases.filter(({ call }) => call.endsWith('Loss'));
  test.each(cases)('$id', ({ call, args, tensors, expected, plain }) => {
    const { value, grad } =
      call === 'nn.mseLoss'
        ? nn.mseLoss(tensors.prediction, tensors.target)
        : nn.crossEntropyLoss(tensors.logits, tensors.labels, args);
    // Losses are summed in float64 from operands that both sides hold exactly.
    expect(Math.abs(value - plain.value)).toBeLessThanOrEqual(1e-15 * Math.max(1, Math.abs(plain.value)));
    expect(grad.dtype).toBe(expected.grad.dtype);
    expect(grad.shape).toEqual(expected.grad.shape);
    const roundoff = grad.dtype === 'float32' ? 2 ** -24 : 4 * 2 ** -53;
    expected.grad.data.forEach((want, i) => {
      expect(Math.abs(grad.data[i] - want)).toBeLessThanOrEqual(roundoff * Math.max(1, Math.abs(want)));
    });
  });
});

describe('mseLoss', () => {
  test('is the mean over all elements', () => {
    const { value, grad } = nn.mseLoss(
      [
        [1, 2],
        [3, 4],
      ],
      [
        [1, 0],
        [0, 4],
      ],
    );
    expect(value).toBe((4 + 9) / 4);
    expect(grad.toNested()).toEqual([
      [0, 1],
      [1.5, 0],
    ]);
    expect(grad.dtype).toBe('float32');
  });

  test('its gradient is its derivative, in the dtype of the operands', () => {
    const p = random([3, 4], 'float64', 1);
    const t = random([3, 4], 'float64', 2);
    const { grad } = nn.mseLoss(p, t);
    expect(grad.dtype).toBe('float64');
    const loss = (x: Float64Array) => nn.mseLoss(tensor(x, [3, 4]), t).value;
    expectClose(grad.data, differences(loss, p.data as Float64Array), 8);
  });

  test('refuses', () => {
    expectRefusal(
      () => nn.mseLoss(random([2, 3]), random([3])),
      ShapeError,
      /^target: expected shape \[2, 3\], as prediction, got shape \[3\]/,
    );
    expectRefusal(
      () => nn.mseLoss(random([2]), random([2], 'float64')),
      DTypeError,
      /^target: expected float32/,
    );
    expectRefusal(
      () => nn.mseLoss(random([2], 'int8'), random([2], 'int8')),
      DTypeError,
      /^prediction: expected float32 or float64/,
    );
    expectRefusal(
      () => nn.mseLoss(random([0]), random([0])),
      ShapeError,
      /^prediction: expected at least one element/,
    );
  });
});

describe('crossEntropyLoss', () => {
  test('is −log softmax of the label, mean over the batch', () => {
    const { value, grad } = nn.crossEntropyLoss(
      tensor(
        [
          [0, Math.log(3)],
          [0, 0],
        ],
        undefined,
        'float64',
      ),
      [1, 0],
    );
    expect(value).toBeCloseTo((Math.log(4 / 3) + Math.log(2)) / 2, 15);
    expectClose(grad.data, [0.125, -0.125, -0.25, 0.25], 15);
  });

  test('its gradient is its derivative', () => {
    const z = random([4, 5], 'float64', 1);
    const labels = [4, 0, 2, 2];
    const { grad } = nn.crossEntropyLoss(z, labels);
    const loss = (x: Float64Array) => nn.crossEntropyLoss(tensor(x, [4, 5]), labels).value;
    expectClose(grad.data, differences(loss, z.data as Float64Array), 8);
  });

  test('logits of any size', () => {
    const { value, grad } = nn.crossEntropyLoss(
      [
        [1e30, -1e30, 0],
        [-1e30, -1e30, -1e30],
      ],
      [0, 1],
    );
    expect(value).toBeCloseTo(Math.log(3) / 2, 6);
    expectClose(grad.data, [0, 0, 0, 1 / 6, -1 / 3, 1 / 6], 7);
    const off = nn.crossEntropyLoss([[-Infinity, 5]], [1]);
    expect([off.value, ...off.grad.data]).toEqual([0, 0, 0]);
    expect(nn.crossEntropyLoss([[-Infinity, 5]], [0]).value).toBe(Infinity);
    expect(nn.crossEntropyLoss([[1, Number.NaN]], [0]).value).toBeNaN();
  });

  test('labels as an array, a typed array or a tensor', () => {
    const z = random([3, 4]);
    const expected = nn.crossEntropyLoss(z, [0, 3, 1]);
    for (const labels of [Uint8Array.of(0, 3, 1), Float64Array.of(0, 3, 1), tensor(Int32Array.of(0, 3, 1))]) {
      expect(nn.crossEntropyLoss(z, labels)).toEqual(expected);
    }
  });

  test.each([[-1], [4], [0.5], [Number.NaN], ['1']])('refuses the label %s', (label) => {
    const labels = [0, label as number, 1];
    expectRefusal(
      () => nn.crossEntropyLoss(random([3, 4]), labels),
      ArgumentError,
      /^labels\[1\]: expected an integer from 0 to 3, got/,
    );
  });

  test('refuses', () => {
    expectRefusal(() => nn.crossEntropyLoss(random([3]), [0]), ShapeError, /^logits: expected 2 axes/);
    expectRefusal(
      () => nn.crossEntropyLoss(random([0, 4]), []),
      ShapeError,
      /^logits: expected 2 axes .* neither of them empty/,
    );
    expectRefusal(
      () => nn.crossEntropyLoss(random([3, 4]), [0, 1]),
      ShapeError,
      /^labels: expected 3, one per row of logits, got 2/,
    );
    expectRefusal(
      () => nn.crossEntropyLoss(random([1, 4], 'int32'), [0]),
      DTypeError,
      /^logits: expected float32 or float64/,
    );
    expectRefusal(
      () => nn.crossEntropyLoss(random([1, 4]), null as unknown as number[]),
      ArgumentError,
      /^labels: /,
    );
  });
});

describe('l1Penalty', () => {
  test.each(['float32', 'float64'] as const)('adds λ·sign(p) to the gradient, in %s', (dtype) => {
    const p = parameter([2, -3, 0, -0], dtype);
    expect(nn.l1Penalty(p, 0.5)).toBe(2.5);
    expect(p.grad.toNested()).toEqual([1.5, 0.5, 1, 1]);
    expect(p.data.toNested()).toEqual([2, -3, 0, -0]);
  });

  test.each([-1, Number.NaN, Infinity, '1'])('refuses λ = %s, and adds nothing', (lambda) => {
    const p = parameter([2, -3]);
    expectRefusal(() => nn.l1Penalty(p, lambda as number), ArgumentError, /^lambda: expected a number/);
    expect(p.grad.toNested()).toEqual([1, 1]);
  });

  test('refuses what is no parameter', () => {
    expectRefusal(
      () => nn.l1Penalty(null as unknown as nn.Parameter, 1),
      ArgumentError,
      /^parameter: expected a Parameter, got null/,
    );
    expectRefusal(
      () => nn.l1Penalty({ ...parameter([1]), grad: tensor([1, 2], undefined, 'float64') }, 1),
      ShapeError,
      /^parameter\.grad: expected shape \[1\], as data/,
    );
    expectRefusal(
      () => nn.l1Penalty({ ...parameter([1]), grad: tensor([1]) }, 1),
      DTypeError,
      /^parameter\.grad: expected float64, as data/,
    );
  });
});

describe('labels', () => {
  const z = random([3, 4], 'float64');
  const expected = nn.crossEntropyLoss(z, [0, 3, -100]);

  test('of 64 bits', () => {
    const wide = BigInt64Array.of(0n, 3n, -100n);
    expect(nn.crossEntropyLoss(z, wide)).toEqual(expected);
    expect(nn.crossEntropyLoss(z, { data: wide, shape: [3] } as never)).toEqual(expected);
    expectRefusal(
      () => nn.crossEntropyLoss(z, BigInt64Array.of(0n, 4n, 0n)),
      ArgumentError,
      /^labels\[1\]: expected an integer from 0 to 3, got 4/,
    );
  });

  test('that are ignored count for nothing', () => {
    expect(expected.grad.slice(2).data).toEqual(new Float64Array(4));
    const two = nn.crossEntropyLoss(z.slice([0, 2]), [0, 3]);
    expect(expected.value).toBe(two.value);
    expect(nn.crossEntropyLoss(z, [7, 0, 3], { ignoreIndex: 7 }).grad.slice([1]).data).toEqual(
      nn.crossEntropyLoss(z.slice([1]), [0, 3]).grad.data,
    );
    const none = nn.crossEntropyLoss(z, [-100, -100, -100]);
    expect(none.value).toBeNaN();
    expect(none.grad.data).toEqual(new Float64Array(12));
  });
});
