import { fixed, Tensor, tensor } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fixedConv2, type NumericType } from '../oracle/fixed';
import { expectSame } from '../support/compare';
import { check } from '../support/fuzz';
import { type GoldenCase, golden } from '../support/golden';
import { stream } from '../support/random';

const ROUNDINGS = ['nearest', 'floor', 'ceiling', 'zero', 'convergent', 'round'] as const;
const OVERFLOWS = ['saturate', 'wrap'] as const;
const ACCUMULATES = ['full', 'every-step'] as const;
const BYTE = { signed: true, wordLength: 8, fractionLength: 7 };

describe('golden data of exact fractions', () => {
  const cases = golden('fixed').cases;
  const conversions = cases.filter(({ call }) => call === 'fi');
  test.each(conversions)('$id', ({ args, tensors, expected }: GoldenCase) => {
    const { values } = tensors;
    const converted = fixed.fi(values, args.type);
    expectSame(converted.raw, expected['raw']);
    expectSame(converted.toFloat(), expected['values']);
  });
  const convolutions = cases.filter(({ call }) => call === 'fixed.conv2');
  test.each(convolutions)('$id', ({ args, tensors, expected }: GoldenCase) => {
    const image = fixed.fi(tensors['image'], args.image);
    const kernel = fixed.fi(tensors['kernel'], args.kernel);
    const result = fixed.conv2(image, kernel, args.options);
    expectSame(result.raw, expected['raw']);
    expect(result.type).toEqual({ rounding: 'nearest', overflow: 'saturate', ...args.options.output });
  });
});

/** Stored integers over the whole word, its ends among them. */
function anyStored(shape: readonly number[], type: NumericType, seed: number): fixed.FixedTensor {
  const next = stream(seed);
  const span = 2 ** type.wordLength;
  const low = type.signed ? -span / 2 : 0;
  const count = shape.reduce((product, size) => product * size, 1);
  const draw = () => (next() < 0.2 ? (next() < 0.5 ? low : low + span - 1) : low + Math.floor(next() * span));
  const values = Float64Array.from({ length: count }, draw);
  const { raw } = fixed.fi(new Tensor(values, shape), { ...(type as fixed.NumericType), fractionLength: 0 });
  return new fixed.FixedTensor(raw, type as fixed.NumericType);
}

describe('the definition', () => {
  const type = fc.record({
    signed: fc.boolean(),
    wordLength: fc.integer({ min: 1, max: 32 }),
    fractionLength: fc.integer({ min: -20, max: 40 }),
    rounding: fc.constantFrom(...ROUNDINGS),
    overflow: fc.constantFrom(...OVERFLOWS),
  });
  const size = fc.integer({ min: 1, max: 4 });
  // Widths of 15 to 17 and of 31 to 33 elements: about the vectors that the rows are cut into.
  const width = fc.constantFrom(1, 7, 15, 16, 17, 31, 32, 33, 70);

  test('conv2, any types', () => {
    check(
      fc.property(
        fc.tuple(type, type, type),
        fc.tuple(size, size, size, width),
        fc.integer({ min: -30, max: 60 }),
        fc.constantFrom(...ACCUMULATES),
        fc.integer(),
        ([imageType, kernelType, output], [kh, kw, oh, ow], productShift, accumulate, seed) => {
          const image = anyStored([oh + kh - 1, ow + kw - 1], imageType, seed);
          const kernel = anyStored([kh, kw], kernelType, seed + 1);
          const options = { output, productShift, accumulate };
          const plane = ({ raw }: fixed.FixedTensor, numeric: NumericType) => {
            const [rows, columns] = raw.shape;
            return { rows, columns, raw: raw.data, type: numeric };
          };
          const result = fixed.conv2(image, kernel, options);
          expect(result.raw.shape).toEqual([oh, ow]);
          expect([...result.raw.data]).toEqual(
            fixedConv2(plane(image, imageType), plane(kernel, kernelType), options),
          );
        },
      ),
      { numRuns: 400 },
    );
  });

  // Products, sums and rounding terms on either side of what 16, 32 and 64 bits hold.
  const words = [6, 7, 8, 13, 14, 15, 16, 29, 30, 31, 32];
  test.each(words.flatMap((word) => ACCUMULATES.map((accumulate) => [word, accumulate] as const)))(
    'extremes of %i bits, %s',
    (word, accumulate) => {
      for (const outWord of new Set([word, 15, 30, 32])) {
        for (const rounding of ROUNDINGS) {
          for (const overflow of OVERFLOWS) {
            for (const productShift of [0, 1, word, 2 * word, 70, -5]) {
              const numeric = { signed: true, wordLength: word, fractionLength: 0 };
              const low = -(2 ** (word - 1));
              const image = fixed.fi(new Tensor(new Float64Array(24).fill(low), [4, 6]), numeric);
              image.raw.data[7] = -low - 1;
              const kernel = fixed.fi([[low, low, -low - 1]], numeric);
              const output = { signed: true, wordLength: outWord, fractionLength: 0, rounding, overflow };
              const options = { output, productShift, accumulate };
              const expected = fixedConv2(
                { rows: 4, columns: 6, raw: image.raw.data, type: numeric },
                { rows: 1, columns: 3, raw: kernel.raw.data, type: numeric },
                options,
              );
              expect([...fixed.conv2(image, kernel, options).raw.data]).toEqual(expected);
            }
          }
        }
      }
    },
  );
});

describe('windows and planes', () => {
  const output = { signed: true, wordLength: 12, fractionLength: 6 };
  const image = anyStored([6, 7], BYTE, 1);
  const kernel = anyStored([3, 2], BYTE, 2);
  test.each(ACCUMULATES)("'same' and 'valid' are windows of 'full', %s", (accumulate) => {
    const [full, same, valid] = (['full', 'same', 'valid'] as const).map(
      (shape) => fixed.conv2(image, kernel, { output, shape, accumulate }).raw,
    );
    expect([full, same, valid].map(({ shape }) => shape)).toEqual([
      [8, 8],
      [6, 7],
      [4, 6],
    ]);
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 7; j++) expect(same.data[i * 7 + j]).toBe(full.data[(i + 1) * 8 + j + 1]);
    }
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 6; j++) expect(valid.data[i * 6 + j]).toBe(full.data[(i + 2) * 8 + j + 1]);
    }
  });
  test.each(ACCUMULATES)('each plane is on its own, %s', (accumulate) => {
    const planes = anyStored([6, 7, 3], BYTE, 3);
    const together = fixed.conv2(planes, kernel, { output, shape: 'same', accumulate });
    expect(together.raw.shape).toEqual([6, 7, 3]);
    for (let plane = 0; plane < 3; plane++) {
      const pick = ({ data }: Tensor) => Int16Array.from(data).filter((_, at) => at % 3 === plane);
      const alone = new fixed.FixedTensor(new Tensor(Int8Array.from(pick(planes.raw)), [6, 7]), BYTE);
      expect(pick(together.raw)).toEqual(
        fixed.conv2(alone, kernel, { output, shape: 'same', accumulate }).raw.data,
      );
    }
  });
  test('nothing is left of valid when the kernel is larger', () => {
    expect(fixed.conv2(kernel, image, { output }).raw.shape).toEqual([0, 0]);
  });
  test('by default sums are exact and brought into the output once', () => {
    const one = fixed.fi([[1, 1, 1]], { signed: true, wordLength: 4, fractionLength: 0 });
    const options = { output: { signed: true, wordLength: 8, fractionLength: 0 }, productShift: 2 };
    expect(fixed.conv2(one, one, options).raw.data[0]).toBe(1); // 3/4
    expect(fixed.conv2(one, one, { ...options, accumulate: 'every-step' }).raw.data[0]).toBe(0); // 1/4 thrice
  });
});

describe('fi', () => {
  test('infinities saturate, wrap or not', () => {
    for (const overflow of OVERFLOWS) {
      const { raw } = fixed.fi([Infinity, -Infinity], { ...BYTE, overflow });
      expect([...raw.data]).toEqual([127, -128]);
    }
  });
  test.each([-2000, -1074, -500, 500, 1074, 2000])(
    'fraction length %i, past what float64 scales',
    (fractionLength) => {
      const type = { signed: true, wordLength: 8, fractionLength };
      const { raw } = fixed.fi([1, -1, 0, 5e-324, -1e308], { ...type, rounding: 'ceiling' });
      // value·2^f is beyond the word, or a trace of its sign, for all but the denormal and the huge one in the middle.
      const large = fractionLength > 0;
      const tiny = fractionLength >= 2000 ? 127 : 1;
      expect([...raw.data].slice(0, 4)).toEqual([
        large ? 127 : 1,
        large ? -128 : 0,
        0,
        fractionLength === 1074 ? 1 : tiny,
      ]);
      expect(raw.data[4]).toBe(fractionLength > -1000 ? -128 : 0);
    },
  );
  test('toFloat scales exactly', () => {
    const type = (fractionLength: number) => ({ signed: true, wordLength: 32, fractionLength });
    const raw = tensor(Int32Array.of(-(2 ** 31), 1, 3));
    expect([...new fixed.FixedTensor(raw, type(1074)).toFloat()]).toEqual([-(2 ** -1043), 5e-324, 1.5e-323]);
    expect([...new fixed.FixedTensor(raw, type(-1020)).toFloat()]).toEqual([
      -Infinity,
      2 ** 1020,
      3 * 2 ** 1020,
    ]);
  });
  test('words take the narrowest dtype', () => {
    const dtype = (signed: boolean, wordLength: number) =>
      fixed.fi([0], { signed, wordLength, fractionLength: 0 }).raw.dtype;
    expect([1, 8, 9, 16, 17, 32].map((w) => dtype(true, w))).toEqual([
      'int8',
      'int8',
      'int16',
      'int16',
      'int32',
      'int32',
    ]);
    expect([1, 8, 9, 16, 17, 32].map((w) => dtype(false, w))).toEqual([
      'uint8',
      'uint8',
      'uint16',
      'uint16',
      'uint32',
      'uint32',
    ]);
  });
  test('shapes and dtypes of every kind', () => {
    expect(fixed.fi(Int16Array.of(1, 2), BYTE).raw.shape).toEqual([2]);
    expect(fixed.fi({ data: Float32Array.of(0.5, -0.5), dims: [1, 2] }, BYTE).raw.toNested()).toEqual([
      [64, -64],
    ]);
    expect(fixed.fi(0.25, BYTE).toFloat().toNested()).toBe(0.25);
  });
});

describe('errors', () => {
  const x = fixed.fi(
    [
      [1, 2],
      [3, 4],
    ],
    { signed: true, wordLength: 8, fractionLength: 0 },
  );
  const bad = (change: object) => () => fixed.fi([1], { ...BYTE, ...change } as fixed.NumericType);
  const conv = (change: object) => () =>
    fixed.conv2(x, x, { output: BYTE, ...change } as fixed.FixedConvOptions);
  const raw = (values: Int8Array | Uint8Array, wordLength: number) => () =>
    new fixed.FixedTensor(new Tensor(values, [values.length]), { ...BYTE, wordLength });
  test.each([
    ['NaN', () => fixed.fi([1, Number.NaN], BYTE), 'ARGUMENT', /^values\[1\]: expected a number, got NaN/],
    [
      'a word of no bits',
      bad({ wordLength: 0 }),
      'ARGUMENT',
      /^type\.wordLength: expected an integer from 1 to 32, got 0/,
    ],
    ['a word of 33 bits', bad({ wordLength: 33 }), 'ARGUMENT', /^type\.wordLength: /],
    ['a word of half a bit', bad({ wordLength: 7.5 }), 'ARGUMENT', /^type\.wordLength: /],
    ['no fraction length', bad({ fractionLength: undefined }), 'ARGUMENT', /^type\.fractionLength: /],
    ['signed by a number', bad({ signed: 1 }), 'ARGUMENT', /^type\.signed: expected true or false, got 1/],
    [
      'an unknown rounding',
      bad({ rounding: 'up' }),
      'ARGUMENT',
      /^type\.rounding: expected one of 'nearest'/,
    ],
    ['an unknown overflow', bad({ overflow: 'clip' }), 'ARGUMENT', /^type\.overflow: /],
    ['an unknown field', bad({ word: 8 }), 'ARGUMENT', /^type\.word: unknown option/],
    ['no type', () => fixed.fi([1], undefined as never), 'ARGUMENT', /^type\.signed: /],
    ['no output', conv({ output: undefined }), 'ARGUMENT', /^options\.output\.signed: /],
    [
      'an output of 40 bits',
      conv({ output: { ...BYTE, wordLength: 40 } }),
      'ARGUMENT',
      /^options\.output\.wordLength: /,
    ],
    ['half a shift', conv({ productShift: 0.5 }), 'ARGUMENT', /^options\.productShift: /],
    ['an unknown accumulation', conv({ accumulate: 'twice' }), 'ARGUMENT', /^options\.accumulate: /],
    ['an unknown shape', conv({ shape: 'half' }), 'ARGUMENT', /^options\.shape: /],
    [
      'a tensor for a FixedTensor',
      () => fixed.conv2(x.raw as never, x, { output: BYTE }),
      'ARGUMENT',
      /^image: expected a FixedTensor/,
    ],
    [
      'a vector',
      () => fixed.conv2(fixed.fi([1], BYTE), x, { output: BYTE }),
      'SHAPE',
      /^image: expected \[H, W\] or/,
    ],
    [
      'planes of kernels',
      () => fixed.conv2(x, fixed.fi([[[1]]], BYTE), { output: BYTE }),
      'SHAPE',
      /^kernel: expected \[kH, kW\]/,
    ],
    ['an empty image', () => fixed.conv2(fixed.fi([[]], BYTE), x, { output: BYTE }), 'SHAPE', /^image: /],
    [
      'raw of another dtype',
      raw(Uint8Array.of(1), 8),
      'DTYPE',
      /^raw: expected int8 for signed words of 8 bits, got uint8/,
    ],
    [
      'raw past its word',
      raw(Int8Array.of(1, 4), 3),
      'ARGUMENT',
      /^raw: expected integers from -4 to 3 .*, got 4/,
    ],
  ])('%s', (_, call, name, message) => {
    expect(call).toThrow(expect.objectContaining({ code: `ERR_CONVMAT_${name}` }));
    expect(call).toThrow(message);
  });

  test('stored integers written past their word afterwards', () => {
    const nibble = fixed.fi([[1]], { signed: true, wordLength: 4, fractionLength: 0 });
    nibble.raw.data[0] = 100;
    expect(() => fixed.conv2(x, nibble, { output: BYTE })).toThrow(/^kernel: expected integers from -8 to 7/);
  });
});
