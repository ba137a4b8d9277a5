import * as convmat from 'convmat';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check } from '../support/fuzz';
import { golden } from '../support/golden.js';

const { convInteger, qlinearConv, tensor } = convmat;

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

  it('wraps modulo 2^32', () => {
    const channels = 40_000;
    const x = { data: new Uint8Array(channels).fill(255), shape: [1, channels, 1] };
    const w = { data: new Uint8Array(channels).fill(255), shape: [1, channels, 1] };
    expect(convInteger(x, w).data[0]).toBe((255 * 255 * channels) | 0);
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
