import { ArgumentError, DTypeError, ShapeError, Tensor, tensor } from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { check } from '../support/fuzz';

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
};

describe('tensor()', () => {
  test.each(Object.entries(ARRAYS))('%s: a typed array is shared, not copied', (dtype, TypedArray) => {
    const data = TypedArray.from([1, 2, 3, 4, 5, 6]);
    const t = tensor(data, [2, 3]);
    expect(t).toBeInstanceOf(Tensor);
    expect(t.data).toBe(data);
    expect(t.shape).toEqual([2, 3]);
    expect(t.dtype).toBe(dtype);
    expect(t.size).toBe(6);
  });

  test.each(Object.entries(ARRAYS))('%s from nested arrays', (dtype, TypedArray) => {
    const t = tensor(
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      undefined,
      dtype as 'int8',
    );
    expect(t.data).toEqual(TypedArray.from([1, 2, 3, 4, 5, 6]));
    expect(t.shape).toEqual([3, 2]);
  });

  test('nested arrays are float32 unless told otherwise', () => {
    expect(tensor([1, 2]).dtype).toBe('float32');
  });

  test('a number is a tensor without axes, an empty array one of no elements', () => {
    expect(tensor(2.5).shape).toEqual([]);
    expect(tensor(2.5).data).toEqual(Float32Array.of(2.5));
    expect(tensor([[], []]).shape).toEqual([2, 0]);
  });

  test('nested arrays with a shape of their own', () => {
    expect(tensor([1, 2, 3, 4], [2, 2]).toNested()).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test('a dtype other than the array’s converts into a copy', () => {
    const data = Float64Array.of(1.5, -2);
    const t = tensor(data, [2], 'float32');
    expect(t.data).toEqual(Float32Array.of(1.5, -2));
  });

  test('the shape is a copy that nobody can change', () => {
    const shape = [2, 2];
    const t = tensor(new Float32Array(4), shape);
    shape[0] = 9;
    expect(t.shape).toEqual([2, 2]);
    expect(() => {
      (t.shape as number[])[0] = 9;
    }).toThrow(TypeError);
  });
});

describe('reshape', () => {
  const t = tensor(
    Float32Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  );

  test('the same data under another shape', () => {
    const r = t.reshape([4, 6]);
    expect(r.shape).toEqual([4, 6]);
    expect(r.data).toBe(t.data);
  });

  test('one axis may be -1', () => {
    expect(t.reshape([-1]).shape).toEqual([24]);
    expect(t.reshape([2, -1, 2]).shape).toEqual([2, 6, 2]);
    expect(tensor(new Float32Array(0), [0, 3]).reshape([-1, 3]).shape).toEqual([0, 3]);
  });

  test.each([
    { shape: [5, 5], why: 'another count' },
    { shape: [-1, -1], why: 'two open axes' },
    { shape: [-1, 7], why: 'an open axis that cannot be whole' },
    { shape: [-1, 0], why: 'an open axis beside a zero' },
  ])('refused: $why', ({ shape }) => {
    expect(() => t.reshape(shape)).toThrow(ShapeError);
    expect(() => t.reshape(shape)).toThrow(/^shape: expected .*24.*got/);
  });

  test.each([[[24.5]], [[-2, -12]], [['24']], [[NaN]]])('refused: sizes %j', (shape) => {
    expect(() => t.reshape(shape as number[])).toThrow(ArgumentError);
  });
});

describe('iteration and nesting', () => {
  test('iterates over the elements in row-major order', () => {
    expect([
      ...tensor([
        [1, 2],
        [3, 4],
      ]),
    ]).toEqual([1, 2, 3, 4]);
  });

  test('toNested undoes tensor()', () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
    check(
      fc.property(shapes, fc.infiniteStream(fc.integer({ min: -100, max: 100 })), (shape, values) => {
        const count = shape.reduce((a, b) => a * b, 1);
        const t = tensor(Float32Array.from(values.take(count)), shape);
        const back = tensor(t.toNested());
        expect(back.shape).toEqual(t.shape);
        expect(back.data).toEqual(t.data);
      }),
      { seed: 70 },
    );
  });
});

describe('refusals', () => {
  test('data that is not as long as its shape', () => {
    expect(() => tensor(new Float32Array(5), [2, 3])).toThrow(ShapeError);
    expect(() => tensor(new Float32Array(5), [2, 3])).toThrow(
      'data: expected 6 elements for shape [2, 3], got 5 elements',
    );
  });

  test('ragged nesting', () => {
    expect(() => tensor([[1, 2], [3]])).toThrow(ShapeError);
    expect(() => tensor([[1, 2], 3])).toThrow(ShapeError);
    expect(() => tensor([1, [2]])).toThrow(ShapeError);
  });

  test('leaves that are not numbers', () => {
    for (const leaf of ['1', null, undefined, {}, 1n]) {
      expect(() => tensor([[leaf as unknown as number]])).toThrow(ArgumentError);
    }
  });

  test('arrays of no dtype here', () => {
    expect(() => tensor(new BigInt64Array(2) as unknown as Float32Array)).toThrow(DTypeError);
    expect(() => tensor(new Uint8ClampedArray(2) as unknown as Uint8Array)).toThrow(DTypeError);
    expect(() => tensor(new DataView(new ArrayBuffer(8)) as unknown as Uint8Array)).toThrow(DTypeError);
  });

  test('an unknown dtype', () => {
    expect(() => tensor([1], undefined, 'float16' as 'float32')).toThrow(ArgumentError);
    expect(() => tensor([1], undefined, 'float16' as 'float32')).toThrow(/^dtype: expected one of 'float32'/);
  });

  test('sizes that are no sizes', () => {
    for (const size of [-1, 1.5, NaN, Infinity, '2']) {
      expect(() => tensor(new Float32Array(2), [size as number])).toThrow(ArgumentError);
    }
  });
});
