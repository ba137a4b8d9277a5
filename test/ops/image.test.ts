import { conv2d, image, prepareConv, Tensor, tensor } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectSame } from '../support/compare';
import { check } from '../support/fuzz';
import { isNode } from '../support/host';
import { random, stream } from '../support/random';

const { fromPixels, fromPixelsAsync, toPixels, toPixelsAsync } = image;

const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };
const LARGEST = { uint8: 255, uint16: 65535, float32: 1 };
type Depth = keyof typeof ARRAYS;

function anyPixels(width: number, height: number, channels: number, depth: Depth, seed = 1): image.Pixels {
  const next = stream(seed);
  const data = new ARRAYS[depth](width * height * channels);
  for (let i = 0; i < data.length; i++)
    data[i] = depth === 'float32' ? next() : next() * (LARGEST[depth] + 1);
  return { data, width, height, channels };
}

/** By the definition, pixel by pixel. */
function expectedPlanes(pixels: image.Pixels, options: image.FromPixelsOptions, depth: Depth): number[][] {
  const { data, channels = 1 } = pixels;
  const { channels: order = 'keep', premultiply = false, scale = 1, mean = 0, std = 1 } = options;
  const colour = channels >= 3;
  const alpha = channels % 2 === 0 ? channels - 1 : -1;
  const sources = {
    keep: Array.from({ length: channels }, (_, c) => c),
    rgb: colour ? [0, 1, 2] : [0, 0, 0],
    bgr: colour ? [2, 1, 0] : [0, 0, 0],
    grey: [colour ? -1 : 0],
  }[order];
  return sources.map((c, k) =>
    Array.from({ length: data.length / channels }, (_, i) => {
      const at = (channel: number) => data[i * channels + channel];
      let value = c < 0 ? 0.2126 * at(0) + 0.7152 * at(1) + 0.0722 * at(2) : at(c);
      if (premultiply && alpha >= 0 && c !== alpha) value = (value * at(alpha)) / LARGEST[depth];
      const [m, s] = [mean, std].map((given) => (typeof given === 'number' ? given : given[k]));
      return Math.fround((value * scale - m) * (1 / s));
    }),
  );
}

function expectSamePixels(actual: image.Pixels, { data, width, height, channels = 1 }: image.Pixels): void {
  expect([actual.width, actual.height, actual.channels]).toEqual([width, height, channels]);
  expectSame({ data: actual.data, shape: [] }, { data, shape: [] });
}

const OPTIONS: image.FromPixelsOptions[] = [
  {},
  { scale: 1 / 255 },
  { channels: 'rgb', scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  { channels: 'bgr', mean: 127.5, std: 128 },
  { channels: 'grey', scale: 1 / 255 },
  { premultiply: true },
  { channels: 'rgb', premultiply: true, scale: 2 },
  { channels: 'grey', premultiply: true },
];

describe.each(['uint8', 'uint16', 'float32'] as const)('%s', (depth) => {
  test.each([1, 2, 3, 4])('%i channels become planes by the definition', async (channels) => {
    for (const [width, height] of [
      [1, 1],
      [7, 5],
      [133, 129],
    ]) {
      const pixels = anyPixels(width, height, channels, depth);
      for (const options of OPTIONS) {
        const planes = expectedPlanes(pixels, options, depth);
        const result = fromPixels(pixels, options);
        expectSame(result, { data: Float32Array.from(planes.flat()), shape: [planes.length, height, width] });
        expectSame(await fromPixelsAsync(pixels, options), result);
      }
    }
  });

  test.each([1, 2, 3, 4])('%i planes become pixels and are what they were', async (channels) => {
    const pixels = anyPixels(131, 127, channels, depth, 3);
    const planes = fromPixels(pixels, { scale: 1 / LARGEST[depth] });
    const back = toPixels(planes, { scale: LARGEST[depth], dtype: depth });
    expectSamePixels(back, pixels);
    expectSamePixels(await toPixelsAsync(planes, { scale: LARGEST[depth], dtype: depth }), pixels);
  });
});

describe('toPixels', () => {
  test('rounds half to even, saturates, and makes NaN 0', () => {
    const values = [
      0.5,
      1.5,
      2.5,
      -0.5,
      -7,
      254.5,
      255.5,
      1e300,
      Infinity,
      -Infinity,
      NaN,
      2.4999999999999996,
    ];
    const expected = [0, 2, 2, 0, 0, 254, 255, 255, 255, 0, 0, 2];
    const { data } = toPixels({ data: Float64Array.from(values), shape: [1, 3, 4] });
    expect([...data]).toEqual(expected);
    expect([...toPixels(tensor([[65534.5, 65535.5]]), { dtype: 'uint16' }).data]).toEqual([65534, 65535]);
  });

  test('keeps floats as they are', () => {
    const { data } = toPixels(tensor([[-1, NaN, 0.1]]), { dtype: 'float32', scale: 2, offset: 1 });
    expect(data).toEqual(Float32Array.of(-1, NaN, Math.fround(Math.fround(0.1) * 2 + 1)));
  });

  test('divides by opacity, and makes what is transparent black', () => {
    const pixels = {
      data: Uint8Array.of(200, 100, 50, 128, 10, 20, 30, 0, 255, 1, 2, 255),
      width: 3,
      height: 1,
    };
    const planes = fromPixels(pixels, { premultiply: true });
    const { data, channels } = toPixels(planes, { unpremultiply: true });
    expect(channels).toBe(4);
    expect([...data]).toEqual([200, 100, 50, 128, 0, 0, 0, 0, 255, 1, 2, 255]);
  });

  test('takes a batch of one, and a plane without channels', () => {
    const planes = random([2, 3, 4], 'float32', 1);
    const scaled = { scale: 100, offset: 128 };
    expect(toPixels({ data: planes.data, shape: [1, 2, 3, 4] }, scaled)).toEqual(toPixels(planes, scaled));
    expect(toPixels(random([3, 4]), scaled)).toMatchObject({ width: 4, height: 3, channels: 1 });
  });
});

describe('out', () => {
  test('holds the result, of frames one after the other', () => {
    const planes = new Tensor(new Float32Array(3 * 33 * 41), [3, 33, 41]);
    const clamped = new Uint8ClampedArray(3 * 33 * 41);
    for (const seed of [1, 2]) {
      const pixels = anyPixels(41, 33, 3, 'uint8', seed);
      expect(fromPixels(pixels, { out: planes })).toBe(planes);
      expectSame(planes, fromPixels(pixels));
      const back = toPixels(planes, { out: clamped });
      expect(back.data).toBe(clamped);
      expect(Array.from(clamped)).toEqual(Array.from(pixels.data));
    }
  });

  test('is of the result’s type and size, with memory of its own', () => {
    const floats = new Float32Array(12);
    const pixels = { data: floats, width: 2, height: 2 };
    const t = new Tensor(floats, [3, 2, 2]);
    const wrong: [() => unknown, string][] = [
      [
        () => fromPixels(pixels, { out: new Tensor(floats.slice(), [12]) }),
        'out: expected shape [3, 2, 2], got shape [12]',
      ],
      [
        () => fromPixels(pixels, { out: t }),
        'out: expected memory of its own, got memory shared with pixels.data',
      ],
      [
        () => toPixels(t, { out: floats, dtype: 'float32' }),
        'out: expected memory of its own, got memory shared with t',
      ],
      [() => toPixels(t, { out: new Uint8Array(11) }), 'out: expected 12 elements'],
      [() => toPixels(t, { out: new Uint16Array(12) }), 'out: expected uint8, got uint16'],
      [() => toPixels(t, { out: [0] as never }), 'out: expected a Uint8Array'],
    ];
    for (const [call, message] of wrong) expect(call).toThrow(message);
  });
});

describe('pixels as others have them', () => {
  test('a canvas’s clamped bytes, without channels', () => {
    const bytes = Uint8ClampedArray.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect(fromPixels({ data: bytes, width: 2, height: 1 }).shape).toEqual([4, 1, 2]);
  });

  test.runIf(isNode)('a Buffer’s slice', () => {
    const slice = Buffer.from([9, 1, 2, 3, 4, 5, 6]).subarray(1);
    expect([...fromPixels({ data: slice, width: 2, height: 1 }).data]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test('an image through a convolution and back', () => {
    const pixels = anyPixels(20, 10, 3, 'uint8');
    const planes = fromPixels(pixels);
    const same = conv2d(planes.reshape([3, 1, 10, 20]), tensor([[[[1]]]])).reshape([3, 10, 20]);
    expect(toPixels(same)).toEqual(pixels);
  });

  test('many at once, while other work runs', async () => {
    const pixels = anyPixels(640, 480, 3, 'uint8');
    const expected = fromPixels(pixels, { scale: 1 / 255 });
    const all = await Promise.all(
      Array.from({ length: 20 }, () => fromPixelsAsync(pixels, { scale: 1 / 255 })),
    );
    for (const result of all) expectSame(result, expected);
    const controller = new AbortController();
    const aborted = toPixelsAsync(expected, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
  });

  test('what is handed over is not copied, and gone', async () => {
    const pixels = anyPixels(64, 48, 3, 'uint8');
    const kept = { ...pixels, data: pixels.data.slice() };
    const planes = await fromPixelsAsync(pixels, { transfer: true });
    expectSame(planes, fromPixels(kept));
    expect(pixels.data.length).toBe(0);
    expectSamePixels(await toPixelsAsync(planes, { transfer: true }), kept);
    expect(planes.data.length).toBe(0);
    await expect(toPixelsAsync(planes, { transfer: 1 as never })).rejects.toMatchObject({
      code: 'ERR_CONVMAT_ARGUMENT',
    });
  });

  test('any shape, depth and order', () => {
    check(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom('uint8', 'uint16', 'float32'),
        fc.constantFrom(...OPTIONS),
        (width, height, channels, depth: Depth, options) => {
          const pixels = anyPixels(width, height, channels, depth, width);
          const expected = expectedPlanes(pixels, options, depth);
          const result = fromPixels(pixels, options);
          expectSame(result, { data: Float32Array.from(expected.flat()), shape: result.shape });
        },
      ),
    );
  });
});

describe('convolve', () => {
  const weight = (channels: number) => random([channels, 1, 5, 3], 'float32', 4);
  const options = { padding: 'same', paddingMode: 'reflect' } as const;

  test.each<[string, Depth, number, image.ConvolveOptions]>([
    ['bytes', 'uint8', 3, {}],
    ['16 bits, scaled', 'uint16', 1, { from: { scale: 1 / 65535 }, to: { scale: 65535, dtype: 'uint16' } }],
    ['opacity', 'uint8', 4, { from: { premultiply: true }, to: { unpremultiply: true } }],
    ['one depth to another', 'uint8', 2, { from: { scale: 1 / 255 }, to: { dtype: 'float32' } }],
    ['floats', 'float32', 3, { to: { scale: 255, offset: 0.5 } }],
  ])('is what its parts are: %s', async (_, depth, channels, given) => {
    using layer = prepareConv(weight(channels), { ...options, groups: channels });
    for (const [width, height] of [
      [5, 4],
      [131, 67],
    ]) {
      const pixels = anyPixels(width, height, channels, depth);
      const expected = toPixels(layer.run(fromPixels(pixels, given.from)), given.to);
      expectSamePixels(image.convolve(pixels, layer, given), expected);
      expectSamePixels(await image.convolveAsync(pixels, layer, given), expected);
    }
  });

  test('makes other channels and sizes', async () => {
    using edges = prepareConv(random([2, 3, 3, 3]), { stride: 2 });
    const pixels = anyPixels(21, 11, 4, 'uint8');
    const given = { from: { channels: 'bgr' }, to: { scale: 0.1 } } as const;
    const result = image.convolve(pixels, edges, given);
    expect([result.width, result.height, result.channels]).toEqual([10, 5, 2]);
    expectSamePixels(await image.convolveAsync(pixels, edges, given), result);
  });

  test('many at once, of many sizes, whose memory is used again', async () => {
    using layer = prepareConv(weight(3), { ...options, groups: 3 });
    const all = Array.from({ length: 24 }, (_, i) => anyPixels(40 + 37 * (i % 5), 30 + i, 3, 'uint8', i));
    const results = await Promise.all(all.map((pixels) => image.convolveAsync(pixels, layer)));
    for (const [i, pixels] of all.entries()) expectSamePixels(results[i], image.convolve(pixels, layer));
  });

  test('ends what is under way when it is disposed of, and hands pixels over', async () => {
    const layer = prepareConv(weight(3), { ...options, groups: 3 });
    const pixels = anyPixels(60, 50, 3, 'uint8');
    const expected = image.convolve(pixels, layer);
    const result = image.convolveAsync(pixels, layer, { transfer: true });
    layer.dispose();
    expectSamePixels(await result, expected);
    expect(pixels.data.length).toBe(0);
    expect(() => image.convolve(expected, layer)).toThrow('got a disposed one');
  });

  test('refuses what is none, and aborts', async () => {
    using layer = prepareConv(weight(3), { ...options, groups: 3 });
    using wide = prepareConv(random([8, 3, 3, 3]));
    using double = prepareConv(random([3, 1, 3, 3], 'float64'), { groups: 3 });
    const pixels = anyPixels(6, 5, 3, 'uint8');
    const refusals: [unknown, string][] = [
      [{ run: () => 1 }, 'layer: expected what prepareConv returns'],
      [wide, 'output: expected [channels, height, width] with 1 to 4 channels'],
      [double, 'weight: expected float32, got float64'],
    ];
    for (const [other, message] of refusals) {
      expect(() => image.convolve(pixels, other as never)).toThrow(message);
      await expect(image.convolveAsync(pixels, other as never)).rejects.toThrow(message);
    }
    expect(() => image.convolve(pixels, layer, { from: { dtype: 'uint8' } as never })).toThrow(
      'options.from.dtype',
    );
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(image.convolveAsync(pixels, layer, { signal })).rejects.toThrow('enough');
  });
});

describe('kernels', () => {
  test('sum to what their names say', () => {
    const sum = (t: { data: ArrayLike<number> }) =>
      Array.from(t.data).reduce((total, value) => total + value, 0);
    expect(image.gaussian(1.5).shape).toEqual([11, 11]);
    expect(image.gaussian(2, 5).shape).toEqual([5, 5]);
    expect(sum(image.gaussian(1.5))).toBeCloseTo(1, 6);
    expect(sum(image.box(4))).toBeCloseTo(1, 6);
    expect([sum(image.sobel('x')), sum(image.sobel('y')), sum(image.laplacian())]).toEqual([0, 0, 0]);
    expect([sum(image.sharpen()), sum(image.sharpen(0.25))]).toEqual([1, 1]);
    expect(image.sharpen().toNested()).toEqual([
      [0, -1, 0],
      [-1, 5, -1],
      [0, -1, 0],
    ]);
  });

  test('a derivative is positive where the image grows', () => {
    const ramp = tensor([
      [
        [0, 1, 2],
        [0, 1, 2],
        [0, 1, 2],
      ],
    ]);
    const slope = conv2d(ramp.reshape([1, 1, 3, 3]), image.sobel('x').reshape([1, 1, 3, 3]));
    expect(slope.data[0]).toBe(8);
  });
});

describe('refusals', () => {
  const three = { data: new Uint8Array(12), width: 2, height: 2 };
  test.each<[string, () => unknown, string]>([
    ['no pixels', () => fromPixels(null as never), 'pixels: expected { data, width, height }'],
    [
      'a wrong size',
      () => fromPixels({ ...three, width: 5 }),
      'pixels.channels: expected an integer from 1 to 4',
    ],
    [
      'too few bytes',
      () => fromPixels({ ...three, channels: 4 }),
      'pixels.data: expected 2 × 2 pixels of 4 channels',
    ],
    [
      'other arrays',
      () => fromPixels({ ...three, data: new Int16Array(12) as never }),
      'pixels.data: expected uint8',
    ],
    ['no array', () => fromPixels({ ...three, data: 'x' as never }), 'pixels.data'],
    [
      'too many means',
      () => fromPixels(three, { mean: [1, 2] }),
      'options.mean: expected a number, or 3 of them',
    ],
    ['a deviation of 0', () => fromPixels(three, { std: 0 }), 'options.std'],
    ['an unknown order', () => fromPixels(three, { channels: 'rgba' as never }), 'options.channels'],
    [
      'integers',
      () => toPixels({ data: new Int32Array(4), shape: [2, 2] }),
      't: expected float32 or float64',
    ],
    [
      'channels last',
      () => toPixels(random([5, 6, 7])),
      't: expected [channels, height, width] with 1 to 4 channels',
    ],
    ['an even size', () => image.gaussian(1, 4), 'size: expected an odd number, got 4'],
    ['a sigma of 0', () => image.gaussian(0), 'sigma: expected a number above 0'],
    ['a third axis', () => image.sobel('z' as never), 'axis'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });
});
