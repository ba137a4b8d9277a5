import { ArgumentError, DTypeError, fixed, ShapeError, Tensor, tensor } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stored } from '../oracle/fixed';
import { expectSame } from '../support/compare';
import { check } from '../support/fuzz';
import { type GoldenTensor, golden } from '../support/golden';
import { stream } from '../support/random';
import { expectRefusal } from '../support/refusals';

const { add, cast, conv2d, FixedTensor, fi, multiply, relu } = fixed;
const ROUNDINGS = ['nearest', 'floor', 'ceiling', 'zero', 'convergent', 'round'] as const;
const BYTE = { signed: true, wordLength: 8, fractionLength: 7 };

const made = ({ data, shape }: GoldenTensor, type: fixed.NumericType) =>
  new FixedTensor(new Tensor(data, shape), type);

describe("Python's integers", () => {
  test.each(golden('fixed_layers').cases)('$id', ({ call, args, tensors, expected, plain }) => {
    if (call === 'fixed.fi') {
      const result = fi(tensors.values, args.type);
      expect(result.type.fractionLength).toBe(plain.fractionLength);
      expectSame(result.raw, expected.raw);
    } else if (call === 'fixed.conv2d') {
      const bias = args.bias === null ? null : made(tensors.bias, args.bias);
      const result = conv2d(made(tensors.image, args.image), made(tensors.weight, args.weight), {
        ...args.options,
        bias,
      });
      expectSame(result.raw, expected.raw);
      expect(result.type).toEqual(args.options.output);
    } else if (call === 'network') {
      const { types, accumulate } = args;
      let x = made(tensors.image, types.image);
      [
        { stride: 1, padding: 1, output: types.hidden1 },
        { stride: 2, padding: 0, output: types.hidden2 },
        { stride: 1, padding: 0, output: types.scores },
      ].forEach((options, i) => {
        const [weight, bias] = ['weight', 'bias']
          .map((name) => `${name}${i + 1}`)
          .map((name) => made(tensors[name], types[name]));
        x = conv2d(x, weight, { ...options, bias, accumulate });
        if (i < 2) x = relu(x);
      });
      expectSame(x.raw, expected.raw);
    } else {
      const run = call === 'fixed.add' ? add : multiply;
      expectSame(run(made(tensors.a, args.a), made(tensors.b, args.b), args.type).raw, expected.raw);
    }
  });
});

/** A float64 as numerator / 2^places. */
function fractionOf(value: number): { numerator: bigint; places: number } {
  let places = 0;
  let scaled = value;
  for (; !Number.isInteger(scaled); scaled *= 2) places++;
  return { numerator: BigInt(scaled), places };
}

const bits = new DataView(new ArrayBuffer(8));
/** The float64 that lies `steps` further from zero. */
function further(value: number, steps: number): number {
  bits.setFloat64(0, value);
  bits.setBigInt64(0, bits.getBigInt64(0) + BigInt(steps));
  return bits.getFloat64(0);
}

describe('rounding', () => {
  const byDefinition = (value: number, type: fixed.NumericType): number => {
    const { numerator, places } = fractionOf(value);
    return Number(stored(numerator, places, type));
  };

  test('just below half a unit is nothing', () => {
    const type = { signed: true, wordLength: 8, fractionLength: 7, rounding: 'round' } as const;
    expect(fi([-0.49999999999999994 / 128], type).raw.data[0]).toBe(0);
  });

  test.each(ROUNDINGS)('%s: ties, the ends of the range, and what is beside them', (rounding) => {
    for (const signed of [true, false]) {
      for (const overflow of ['saturate', 'wrap'] as const) {
        const type = { signed, wordLength: 8, fractionLength: 7, rounding, overflow };
        for (let half = -520; half <= 520; half++) {
          for (const steps of half === 0 ? [0] : [-2, -1, 0, 1, 2]) {
            const value = further(half / 256, steps);
            expect([value, fi([value], type).raw.data[0]]).toEqual([value, byDefinition(value, type)]);
          }
        }
      }
    }
  });

  test('any number, any type', () => {
    const type = fc.record({
      signed: fc.boolean(),
      wordLength: fc.integer({ min: 1, max: 32 }),
      fractionLength: fc.integer({ min: -40, max: 1100 }),
      rounding: fc.constantFrom(...ROUNDINGS),
      overflow: fc.constantFrom('saturate' as const, 'wrap' as const),
    });
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc
        .tuple(fc.integer({ min: -(2 ** 33), max: 2 ** 33 }), fc.integer({ min: -3, max: 3 }))
        .map(([n, steps]) => (n === 0 ? 0 : further(n / 2, steps))),
    );
    check(
      fc.property(value, type, (x, t) => {
        // As many units of the type as halves were drawn.
        const scaled = Math.abs(t.fractionLength) <= 40 ? x * 2 ** -t.fractionLength : x;
        expect(fi([scaled], t).raw.data[0]).toBe(byDefinition(scaled, t));
        const [raw] = fi([x], t).raw.data;
        const t2 = { ...t, fractionLength: t.fractionLength - 3, wordLength: 9 };
        expect(cast(fi([x], t), t2).raw.data[0]).toBe(Number(stored(BigInt(raw), t.fractionLength, t2)));
      }),
    );
  });
});

describe('layers of words of any length', () => {
  const word = (type: fixed.NumericType) => {
    const low = type.signed ? -(2 ** (type.wordLength - 1)) : 0;
    const high = low + 2 ** type.wordLength - 1;
    return fc.oneof(fc.constantFrom(low, high), fc.integer({ min: low, max: high }));
  };
  const typeOf = (lengths: readonly number[]) =>
    fc.record({
      signed: fc.boolean(),
      wordLength: fc.constantFrom(...lengths),
      fractionLength: fc.integer({ min: -2, max: 20 }),
      rounding: fc.constantFrom(...ROUNDINGS),
      overflow: fc.constantFrom('saturate' as const, 'wrap' as const),
    });
  const CHANNELS = 3;
  const problem = fc
    .record({
      x: typeOf([5, 8, 9, 16, 20]),
      w: typeOf([7, 8, 12, 16]),
      b: typeOf([8, 16, 32]),
      output: typeOf([4, 8, 16, 32]),
      hasBias: fc.boolean(),
    })
    .chain((types) =>
      fc.record({
        types: fc.constant(types),
        image: fc.array(word(types.x), { minLength: 5 * CHANNELS, maxLength: 5 * CHANNELS }),
        weight: fc.array(word(types.w), { minLength: 2 * CHANNELS, maxLength: 2 * CHANNELS }),
        bias: fc.array(word(types.b), { minLength: 2, maxLength: 2 }),
      }),
    );

  test('are sums of products, stored once', () => {
    const raw = (values: number[], shape: number[], type: fixed.NumericType) =>
      fi(
        new Tensor(
          Float64Array.from(values, (value) => value * 2 ** -type.fractionLength),
          shape,
        ),
        type,
      );
    check(
      fc.property(problem, ({ types, image, weight, bias }) => {
        const { x, w, b, output, hasBias } = types;
        const result = conv2d(raw(image, [CHANNELS, 1, 5], x), raw(weight, [2, CHANNELS, 1, 1], w), {
          output,
          bias: hasBias ? raw(bias, [2], b) : null,
        });
        // In units far below all of the types'.
        const places = 64;
        const units = (value: bigint, fractionLength: number) => value << BigInt(places - fractionLength);
        const expected = Array.from({ length: 10 }, (_, i) => {
          const o = Math.floor(i / 5);
          let sum = hasBias ? units(BigInt(bias[o]), b.fractionLength) : 0n;
          for (let c = 0; c < CHANNELS; c++) {
            const product = BigInt(image[5 * c + (i % 5)]) * BigInt(weight[CHANNELS * o + c]);
            sum += units(product, x.fractionLength + w.fractionLength);
          }
          return Number(stored(sum, places, output));
        });
        expect(Array.from(result.raw.data)).toEqual(expected);
      }),
    );
  });
});

test.each([8, 12, 16])('planes of many places by words of %i bits, of either rounding', (wordLength) => {
  const [rows, cols] = [35, 37];
  const type = { signed: true, wordLength, fractionLength: wordLength - 3 };
  const span = 2 ** wordLength;
  const made = (shape: number[], seed: number) => {
    const next = stream(seed);
    const values = Float64Array.from(
      { length: shape.reduce((size, n) => size * n) },
      () => (Math.floor(next() * span) - span / 2) * 2 ** -type.fractionLength,
    );
    return fi(new Tensor(values, shape), type);
  };
  const [x, w, bias] = [made([2, 3, rows, cols], 1), made([5, 3, 1, 1], 2), made([5], 3)];
  for (const rounding of ['nearest', 'floor'] as const) {
    for (const fractionLength of [wordLength - 5, 2, -3]) {
      const output = { signed: fractionLength > 0, wordLength, fractionLength, rounding };
      const { data, shape } = conv2d(x, w, { bias, output }).raw;
      expect(shape).toEqual([2, 5, rows, cols]);
      const places = rows * cols;
      const expected = Array.from(data, (_, i) => {
        const [n, o, at] = [Math.floor(i / places / 5), Math.floor(i / places) % 5, i % places];
        let sum = bias.raw.data[o] * 2 ** type.fractionLength;
        for (let c = 0; c < 3; c++) sum += x.raw.data[(3 * n + c) * places + at] * w.raw.data[3 * o + c];
        return Number(stored(BigInt(sum), 2 * type.fractionLength, output));
      });
      expect(Array.from(data)).toEqual(expected);
    }
  }
});

describe('operands', () => {
  const x = fi(
    [
      [
        [1, -2],
        [3, 0.5],
      ],
    ],
    { signed: true, wordLength: 8 },
  );

  test('of one number go with any shape', () => {
    const two = fi(2, BYTE_OF_UNITS);
    expect(add(x, two, BYTE_OF_UNITS).toFloat().toNested()).toEqual([
      [
        [3, 0],
        [5, 2.5],
      ],
    ]);
    expect(multiply(two, x, BYTE_OF_UNITS).toFloat().toNested()).toEqual([
      [
        [2, -4],
        [6, 1],
      ],
    ]);
    expect(relu(x).toFloat().toNested()).toEqual([
      [
        [1, 0],
        [3, 0.5],
      ],
    ]);
    expect(relu(x).type).toEqual(x.type);
    const empty = fi(new Tensor(new Float64Array(0), [0, 2]), BYTE);
    expect(add(empty, two, BYTE).raw.shape).toEqual([0, 2]);
  });

  test('come with a batch or without', () => {
    const weight = fi([[[[0.5]]]], { signed: true, wordLength: 8 });
    const one = conv2d(x, weight, { output: BYTE });
    expect(one.raw.shape).toEqual([1, 2, 2]);
    const batch = new FixedTensor(x.raw.reshape([1, 1, 2, 2]), x.type);
    expect(conv2d(batch, weight, { output: BYTE }).raw).toEqual(one.raw.reshape([1, 1, 2, 2]));
  });

  test('are refused when they do not fit', () => {
    const weight = fi([[[[1]]]], BYTE);
    expectRefusal(
      () => add(x, fi([1, 2], BYTE), BYTE),
      ShapeError,
      /^b: expected shape \[1, 2, 2\], as a, or a single number, got shape \[2\]/,
    );
    expectRefusal(() => add(tensor([1]) as never, x, BYTE), ArgumentError, /^a: expected a FixedTensor/);
    expectRefusal(() => relu([1] as never), ArgumentError, /^a: expected a FixedTensor/);
    expectRefusal(() => cast(x, {} as never), ArgumentError, /^type\.signed: expected true or false/);
    expectRefusal(() => fi([1], {} as never), ArgumentError, /^type\.signed: expected true or false/);
    expectRefusal(() => fi([1], null as never), ArgumentError, /^type: expected an object/);
    expectRefusal(() => conv2d(x, weight, {} as never), ArgumentError, /^options\.output\.signed/);
    expectRefusal(() => conv2d(x, x, { output: BYTE }), ShapeError, /^weight: expected 4 axes/);
    expectRefusal(
      () => conv2d(x, fi([[[[1]], [[1]]]], BYTE), { output: BYTE }),
      ShapeError,
      /^image: expected 2 channels/,
    );
    expectRefusal(
      () => conv2d(x, weight, { output: BYTE, bias: fi([1, 2], BYTE) }),
      ShapeError,
      /^options\.bias: expected shape \[1\]/,
    );
    expectRefusal(
      () => conv2d(x, weight, { output: BYTE, dilation: 2 } as never),
      ArgumentError,
      /^options\.dilation: unknown option/,
    );
    expectRefusal(() => new FixedTensor(tensor(Int16Array.of(1)), BYTE), DTypeError, /^raw: expected int8/);
  });
});

const BYTE_OF_UNITS = { signed: true, wordLength: 8, fractionLength: 1 };

test('printing shows values and type', () => {
  const t = fi(
    [
      [0.5, -1],
      [0.25, 0],
    ],
    BYTE,
  );
  expect(String(t)).toBe(
    ['   0.5    -1', '  0.25     0', '  ([2, 2]: signed, 8 bits, 7 behind the point)'].join('\n'),
  );
  expect(String(fi(3, { signed: false, wordLength: 4 }))).toBe(
    '  3\n  (one number: unsigned, 4 bits, 2 behind the point)',
  );
  const large = String(fi(new Tensor(new Float64Array(50 * 30), [50, 30]), BYTE)).split('\n');
  expect(large).toHaveLength(22);
  expect(large[0]).toBe(`  ${Array(10).fill('0').join('  ')} …`);
});
