import * as convmat from 'convmat';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { integerConvolution, scaled } from '../oracle/integer.js';
import { check } from '../support/fuzz';
import { golden } from '../support/golden.js';
import { stream } from '../support/random.js';

const { convInteger, prepareQLinearConv, qlinearConv, tensor } = convmat;

describe('ONNX’s definitions, exactly', () => {
  for (const { id, call, args, tensors, expected } of golden('onnx_integer').cases) {
    it(id, () => {
      const { input, weight, bias } = tensors;
      const y =
        call === 'convInteger'
          ? convInteger(input, weight, args)
          : qlinearConv(input, weight, { ...args, ...(bias && { bias }) });
      expect([y.dtype, y.shape]).toEqual([expected.output.dtype, expected.output.shape]);
      expect(y.data).toEqual(expected.output.data);
    });
  }
});

describe('properties', () => {
  const bytes = (length: number, unsigned: boolean) =>
    fc.array(fc.integer(unsigned ? { min: 0, max: 255 } : { min: -128, max: 127 }), {
      minLength: length,
      maxLength: length,
    });

  it('equals float64 convolution of the centred values', () => {
    const sizes = fc.record({
      channels: fc.integer({ min: 1, max: 70 }),
      outChannels: fc.integer({ min: 1, max: 35 }),
      width: fc.integer({ min: 3, max: 20 }),
      unsigned: fc.boolean(),
      unsignedWeight: fc.boolean(),
    });
    const problems = sizes.chain(({ channels, outChannels, width, unsigned, unsignedWeight }) =>
      fc.record({
        input: bytes(channels * 3 * width, unsigned).map((v) =>
          tensor(unsigned ? Uint8Array.from(v) : Int8Array.from(v), [1, channels, 3, width]),
        ),
        weight: bytes(outChannels * channels * 9, unsignedWeight).map((v) =>
          tensor(unsignedWeight ? Uint8Array.from(v) : Int8Array.from(v), [outChannels, channels, 3, 3]),
        ),
        inputZeroPoint: fc.integer(unsigned ? { min: 0, max: 255 } : { min: -128, max: 127 }),
        weightZeroPoint: fc.array(
          fc.integer(unsignedWeight ? { min: 0, max: 255 } : { min: -128, max: 127 }),
          {
            minLength: outChannels,
            maxLength: outChannels,
          },
        ),
        stride: fc.integer({ min: 1, max: 2 }),
      }),
    );
    check(
      fc.property(problems, ({ input, weight, inputZeroPoint, weightZeroPoint, stride }) => {
        const centredInput = Float64Array.from(input.data, (v) => v - inputZeroPoint);
        const perChannel = weight.size / weight.shape[0];
        const centredWeight = Float64Array.from(
          weight.data,
          (v, i) => v - weightZeroPoint[Math.floor(i / perChannel)],
        );
        const expected = convmat.conv2d(
          tensor(centredInput, input.shape),
          tensor(centredWeight, weight.shape),
          {
            padding: 1,
            stride,
            algorithm: 'im2col',
          },
        );
        const y = convInteger(input, weight, { inputZeroPoint, weightZeroPoint, padding: 1, stride });
        expect(y.data).toEqual(Int32Array.from(expected.data));
      }),
      { numRuns: 60 },
    );
  });

  it('rounds halves to even and saturates at both ends', () => {
    const input = Int8Array.of(-5, -3, -1, 1, 3, 5, 127, -128);
    const y = qlinearConv(
      { data: input, shape: [1, 1, 8] },
      { data: Int8Array.of(1), shape: [1, 1, 1] },
      {
        inputScale: 0.5,
        inputZeroPoint: 0,
        weightScale: 1,
        weightZeroPoint: 0,
        outputScale: 1,
        outputZeroPoint: 100,
      },
    );
    // -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 63.5 and -64, around 100.
    expect([...y.data]).toEqual([98, 98, 100, 100, 102, 102, 127, 36]);
  });

  /** Values of the whole range of a dtype, its ends often. */
  const draw = (dtype: 'int8' | 'uint8', count: number, seed: number) => {
    const random = stream(seed);
    const low = dtype === 'int8' ? -128 : 0;
    const value = () => {
      const which = random();
      return low + (which < 0.2 ? 0 : which < 0.4 ? 255 : Math.floor(random() * 256));
    };
    return dtype === 'int8'
      ? Int8Array.from({ length: count }, value)
      : Uint8Array.from({ length: count }, value);
  };
  // 2056 products of −128 and 255 are the most whose sum stays within 2^26, of which JavaScript sums two at once.
  it.each([2055, 2056, 2057])('is exact where %i products are as large as can be', (channels) => {
    const columns = 3;
    // Of two groups, three output channels each: the least, the largest, and both in turn.
    const weight = Int8Array.from({ length: 6 * channels }, (_, i) => {
      const kind = Math.floor(i / channels) % 3;
      return kind === 0 || (kind === 2 && i % 2 === 0) ? -128 : 127;
    });
    const input = new Uint8Array(2 * channels * columns).fill(255);
    input[1] = 0;
    input[channels * columns + 1] = 254;
    const problem = {
      input: { data: input, shape: [1, 2 * channels, 1, columns] },
      weight: { data: weight, shape: [6, channels, 1, 1] },
      stride: [1, 1],
      dilation: [1, 1],
      padding: [
        [0, 0],
        [0, 0],
      ] as const,
      groups: 2,
      inputZeroPoint: 0,
      weightZeroPoint: [0, 0, 0, 0, 0, 0],
    };
    const { input: x, weight: w, ...options } = problem;
    const expected = integerConvolution(problem);
    expect(convInteger(x, w, options).data).toEqual(Int32Array.from(expected.sums, Number));
  });

  // Channels below, at and above words of 2 and 4, vectors of 4, 8 and 16, and panels.
  const COUNTS = [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 63, 65];
  it.each(COUNTS)('is exact with %i input channels, of any dtypes', (channels) => {
    for (const [n, outChannels] of [1, 5, 17, 33].entries()) {
      const dtypes = [(['int8', 'uint8'] as const)[n % 2], (['int8', 'uint8'] as const)[n >> 1]] as const;
      const problem = {
        input: { data: draw(dtypes[0], 2 * channels * 5 * 7, channels), shape: [2, channels, 5, 7] },
        weight: {
          data: draw(dtypes[1], outChannels * channels * 6, n),
          shape: [outChannels, channels, 3, 2],
        },
        stride: [2, 1],
        dilation: [1, 2],
        padding: [
          [1, 0],
          [2, 3],
        ] as const,
        groups: 1,
        inputZeroPoint: dtypes[0] === 'int8' ? -3 : 250,
        weightZeroPoint: Array.from({ length: outChannels }, (_, o) =>
          dtypes[1] === 'int8' ? (o * 7) % 100 : 200 - o,
        ),
      };
      const { input, weight, ...options } = problem;
      const expected = integerConvolution(problem);
      expect(convInteger(input, weight, options).data).toEqual(Int32Array.from(expected.sums, Number));
    }
  });
  it.each([1, 2, 3, 8, 15, 16, 17])(
    'is exact with %i outputs for each of three groups of one channel',
    (each) => {
      const problem = {
        input: { data: draw('uint8', 3 * 6 * 37, each), shape: [1, 3, 6, 37] },
        weight: { data: draw('int8', 3 * each * 9, each + 1), shape: [3 * each, 1, 3, 3] },
        stride: [1, 1],
        dilation: [1, 1],
        padding: [
          [1, 1],
          [1, 1],
        ] as const,
        groups: 3,
        inputZeroPoint: 9,
        weightZeroPoint: Array.from({ length: 3 * each }, (_, o) => o - 5),
      };
      const { input, weight, ...options } = problem;
      const expected = integerConvolution(problem);
      expect(convInteger(input, weight, options).data).toEqual(Int32Array.from(expected.sums, Number));
    },
  );
  it('scales, rounds and saturates as its definition in float64', () => {
    const outChannels = 40;
    const problem = {
      input: { data: draw('uint8', 19 * 9 * 9, 1), shape: [1, 19, 9, 9] },
      weight: { data: draw('int8', outChannels * 19 * 9, 2), shape: [outChannels, 19, 3, 3] },
      stride: [1, 1],
      dilation: [1, 1],
      padding: [
        [1, 1],
        [1, 1],
      ] as const,
      groups: 1,
      inputZeroPoint: 77,
      weightZeroPoint: Array<number>(outChannels).fill(3),
    };
    const { input, weight, ...options } = problem;
    const bias = Int32Array.from({ length: outChannels }, (_, o) => 5000 * o - 90_000);
    const weightScale = Float64Array.from(bias, (_, o) => (o === 7 ? 1e300 : 0.001 * (o + 1)));
    const scales = { inputScale: 0.3, weightScale, outputScale: 7.7 };
    for (const outputDType of ['int8', 'uint8'] as const) {
      const all = { ...options, ...scales, outputZeroPoint: 11, outputDType, bias };
      const expected = scaled(integerConvolution(problem), {
        ...scales,
        outputZeroPoint: 11,
        outputDType,
        bias,
      });
      expect([...qlinearConv(input, weight, all).data]).toEqual(expected);
      using layer = prepareQLinearConv(weight, all);
      expect([...layer.run(input).data]).toEqual(expected);
    }
  });
  it('is exact where 32 bits do not hold the sum', () => {
    const channels = 40_000;
    const [x, w] = [200, 255].map((value) => ({
      data: new Uint8Array(channels).fill(value),
      shape: [1, channels, 1],
    }));
    const options = {
      inputScale: 1,
      inputZeroPoint: 0,
      weightScale: 1,
      weightZeroPoint: 0,
      outputScale: 2 ** 24,
      outputZeroPoint: 0,
    };
    const expected = [Math.round((channels * 200 * 255 + 2 ** 31 - 1) / 2 ** 24)];
    const bias = Int32Array.of(2 ** 31 - 1);
    expect([...qlinearConv(x, w, { ...options, bias }).data]).toEqual(expected);
    using layer = prepareQLinearConv(w, { ...options, bias });
    expect([...layer.run(x).data]).toEqual(expected);
  });
  it('has no result for an empty batch', () => {
    const y = convInteger(
      { data: new Uint8Array(0), shape: [0, 3, 4, 4] },
      { data: new Int8Array(54), shape: [2, 3, 3, 3] },
    );
    expect([y.shape, y.size]).toEqual([[0, 2, 2, 2], 0]);
  });

  it('wraps modulo 2^32', () => {
    const channels = 40_000;
    const x = { data: new Uint8Array(channels).fill(255), shape: [1, channels, 1] };
    const w = { data: new Uint8Array(channels).fill(255), shape: [1, channels, 1] };
    expect(convInteger(x, w).data[0]).toBe((255 * 255 * channels) | 0);
  });
});

describe('prepareQLinearConv', () => {
  const weight = { data: Int8Array.of(1, -2, 3, 4), shape: [2, 1, 2] };
  const options = {
    inputScale: 0.5,
    inputZeroPoint: 3,
    weightScale: [0.25, 0.125],
    weightZeroPoint: 1,
    outputScale: 0.25,
    outputZeroPoint: 100,
    bias: Int32Array.of(10, -10),
  };
  const input = { data: Uint8Array.of(1, 2, 3, 4, 250), shape: [1, 1, 5] };

  it('is qlinearConv, for inputs of any shape', () => {
    using layer = prepareQLinearConv(weight, { ...options, inputShape: [1, 1, 5] });
    expect(layer.weightShape).toEqual([2, 1, 2]);
    for (const size of [5, 2, 5, 3]) {
      const x = { data: input.data.slice(0, size), shape: [1, size] };
      expect(layer.outputShape(x.shape)).toEqual([2, size - 1]);
      const expected = qlinearConv(x, weight, options);
      expect(layer.run(x)).toEqual(expected);
      const out = tensor(new Uint8Array(expected.size), expected.shape);
      expect(layer.run(x, out)).toBe(out);
      expect(out).toEqual(expected);
    }
  });
  it('keeps copies of what it was given', () => {
    const changing = { data: weight.data.slice(), shape: weight.shape };
    const bias = options.bias.slice();
    using layer = prepareQLinearConv(changing, { ...options, bias });
    changing.data.fill(0);
    bias.fill(0);
    expect(layer.run(input)).toEqual(qlinearConv(input, weight, options));
  });
  it('refuses what does not fit, and runs after it is disposed', () => {
    const layer = prepareQLinearConv(weight, options);
    const signed = { data: new Int8Array(5), shape: [1, 1, 5] };
    expect(() => layer.run(signed)).toThrow(/^input: expected uint8, got int8/);
    expect(() => layer.run(input, tensor(new Int8Array(8), [1, 2, 4]))).toThrow(
      /^out: expected uint8, got int8/,
    );
    expect(() => layer.run(input, tensor(new Uint8Array(6), [1, 2, 3]))).toThrow(convmat.ShapeError);
    expect(() => prepareQLinearConv(weight, { ...options, inputDType: 'int32' as 'int8' })).toThrow(
      /inputDType: expected one of 'int8', 'uint8'/,
    );
    layer.run(input);
    layer.dispose();
    layer.dispose();
    expect(() => layer.run(input)).toThrow(/^PreparedQLinearConv: expected one in use, got a disposed one/);
  });
});

describe('what is refused', () => {
  const x = tensor(Uint8Array.of(1, 2, 3), [1, 1, 3]);
  const w = tensor(Int8Array.of(1), [1, 1, 1]);
  const q = {
    inputScale: 1,
    inputZeroPoint: 0,
    weightScale: 1,
    weightZeroPoint: 0,
    outputScale: 1,
    outputZeroPoint: 0,
  };
  it.each<[() => unknown, new (message: string) => Error, RegExp]>([
    [
      () => convInteger(tensor(Float32Array.of(1), [1, 1, 1]), w),
      convmat.DTypeError,
      /^input: expected int8 or uint8, got float32/,
    ],
    [
      () => convInteger(x, tensor(Int16Array.of(1), [1, 1, 1])),
      convmat.DTypeError,
      /^weight: expected int8 or uint8, got int16/,
    ],
    [() => convInteger([[[256]]], w), convmat.ArgumentError, /^input: expected values of uint8, got 256/],
    [
      () => convInteger(x, w, { inputZeroPoint: -1 }),
      convmat.ArgumentError,
      /inputZeroPoint: expected an integer from 0 to 255, got -1/,
    ],
    [
      () => convInteger(x, w, { weightZeroPoint: [128] }),
      convmat.ArgumentError,
      /weightZeroPoint: expected an integer from -128 to 127, got 128/,
    ],
    [
      () => convInteger(x, w, { weightZeroPoint: [1, 2] }),
      convmat.ArgumentError,
      /weightZeroPoint: expected one value, or one per output channel \(1\)/,
    ],
    [
      () => convInteger(x, w, { bias: [1] } as object),
      convmat.ArgumentError,
      /options\.bias: unknown option/,
    ],
    [
      () => convInteger(x, tensor(Int8Array.of(1, 1), [1, 2, 1])),
      convmat.ShapeError,
      /^input: expected 2 channels/,
    ],
    [
      () => qlinearConv(x, w, { ...q, inputScale: 0 }),
      convmat.ArgumentError,
      /inputScale: expected a number/,
    ],
    [
      () => qlinearConv(x, w, { ...q, weightScale: [Number.NaN] }),
      convmat.ArgumentError,
      /weightScale: expected a number/,
    ],
    [
      () => qlinearConv(x, w, { ...q, outputZeroPoint: 256 }),
      convmat.ArgumentError,
      /outputZeroPoint: expected an integer from 0 to 255, got 256/,
    ],
    [
      () => qlinearConv(x, w, { ...q, outputDType: 'int16' as 'int8' }),
      convmat.ArgumentError,
      /outputDType: expected one of 'int8', 'uint8'/,
    ],
    [
      () => qlinearConv(x, w, { ...q, bias: Float32Array.of(1) }),
      convmat.DTypeError,
      /bias: expected int32, got float32/,
    ],
    [
      () => qlinearConv(x, w, { ...q, bias: [1, 2] }),
      convmat.ShapeError,
      /bias: expected shape \[1\], got shape \[2\]/,
    ],
    [() => qlinearConv(x, w, undefined as never), convmat.ArgumentError, /inputScale: expected a number/],
  ])('%s', (call, Class, message) => {
    expect(call).toThrow(Class);
    expect(call).toThrow(message);
  });
});
