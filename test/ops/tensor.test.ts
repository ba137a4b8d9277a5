import {
  ArgumentError,
  concat,
  conv2d,
  DTypeError,
  MemoryError,
  pad,
  ShapeError,
  Tensor,
  tensor,
} from 'convmat';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { check } from '../support/fuzz';
import { golden } from '../support/golden';
import { random } from '../support/random';
import { expectRefusal } from '../support/refusals';

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

describe("NumPy's tensors", () => {
  test.each(golden('numpy_tensor').cases)('$id', ({ call, args, tensors, expected }) => {
    const x = new Tensor(tensors.x.data, tensors.x.shape);
    const calls: Record<string, () => Tensor> = {
      permute: () => x.permute(...args.axes),
      transpose: () => x.transpose(),
      ravel: () => tensor(x.ravel(args.order)),
      from: () => Tensor.from(tensors.x.data, args),
      slice: () => x.slice(...args.ranges),
      concat: () => concat([x, tensors.z, x], args.axis),
    };
    const y = calls[call]();
    expect({ dtype: y.dtype, shape: [...y.shape], data: y.data }).toEqual(expected.y);
  });
});

describe('axes, order and dtype', () => {
  const matrix = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  test('are copies', () => {
    const copies = [
      matrix.permute(0, 1),
      matrix.transpose(0, 0),
      matrix.slice(),
      matrix.cast('float32'),
      concat([matrix]),
      Tensor.from(matrix.data, { shape: [2, 3] }),
    ];
    for (const copy of copies) {
      expect(copy.toNested()).toEqual(matrix.toNested());
      expect(copy.data.buffer).not.toBe(matrix.data.buffer);
    }
    expect(matrix.ravel().buffer).not.toBe(matrix.data.buffer);
  });

  test('two exchanges undo one another, and both orders name the same elements', () => {
    check(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }), fc.integer(), (shape, seed) => {
        const x = random(shape, 'int32', seed);
        const axes = shape.map((_, axis) => axis).sort((a, b) => Math.sin(a + seed) - Math.sin(b + seed));
        const back = axes.map((_, axis) => axes.indexOf(axis));
        expect(x.permute(axes).permute(back)).toEqual(x);
        expect(Tensor.from(x.ravel('F'), { shape, order: 'F' })).toEqual(x);
        expect(x.transpose().ravel()).toEqual(x.ravel('F'));
      }),
    );
  });

  test('cast converts as typed arrays do', () => {
    const cast = tensor([1.9, -1.9, 256.5, Number.NaN, Number.POSITIVE_INFINITY]).cast('uint8');
    expect(cast.data).toEqual(Uint8Array.of(1, 255, 0, 0, 0));
    expect(cast.dtype).toBe('uint8');
  });

  test('Tensor.from takes lists, dtypes and arrays of its own dtype', () => {
    expect(Tensor.from([1, 2]).data).toEqual(Float32Array.of(1, 2));
    expect(Tensor.from([1, 2], { dtype: 'int8' }).data).toEqual(Int8Array.of(1, 2));
    expect(Tensor.from(Int8Array.of(1, 2), { dtype: 'float64' }).data).toEqual(Float64Array.of(1, 2));
    expect(Tensor.from(Int8Array.of(1, 2)).data).toEqual(Int8Array.of(1, 2));
  });

  test('refuse what has no meaning', () => {
    expectRefusal(() => matrix.permute(0), ArgumentError, /^axes: expected each of 2 axes once, got \[0\]/);
    expectRefusal(() => matrix.permute(0, 0), ArgumentError, /^axes: expected each axis once/);
    expectRefusal(
      () => matrix.permute([0, 2]),
      ArgumentError,
      /^axes\[1\]: expected an integer from -2 to 1, got 2/,
    );
    expectRefusal(() => matrix.transpose(0), ArgumentError, /^second: expected an integer/);
    expectRefusal(
      () => matrix.slice(2),
      ArgumentError,
      /^ranges\[0\]: expected an integer from -2 to 1, got 2/,
    );
    expectRefusal(
      () => matrix.slice([0, 1, 0]),
      ArgumentError,
      /^ranges\[0\]\[2\]: expected a step that is not 0/,
    );
    expectRefusal(
      () => matrix.slice(0, 0, 0),
      ArgumentError,
      /^ranges: expected at most 2, one per axis, got 3/,
    );
    expectRefusal(() => matrix.slice('x' as never), ArgumentError, /^ranges\[0\]: expected an index/);
    expectRefusal(() => matrix.cast('float16' as never), ArgumentError, /^dtype: expected one of/);
    expectRefusal(() => matrix.ravel('K' as never), ArgumentError, /^order: expected one of 'C', 'F'/);
    expectRefusal(
      () => Tensor.from(Float32Array.of(1), { shape: [2] }),
      ShapeError,
      /^data: expected 2 elements/,
    );
    expectRefusal(
      () => Tensor.from([1], { oder: 'F' } as never),
      ArgumentError,
      /^options\.oder: unknown option/,
    );
    expectRefusal(() => concat([]), ArgumentError, /^tensors: expected an array of at least one tensor/);
    expectRefusal(
      () => concat([matrix, tensor([[1, 2]])]),
      ShapeError,
      /^tensors\[1\]: expected shape \[2, 3\] but for axis 0/,
    );
    expectRefusal(
      () => concat([matrix, tensor(Int8Array.of(1), [1, 1])], 1),
      DTypeError,
      /^tensors\[1\]: expected float32/,
    );
    expectRefusal(() => concat([matrix], 2), ArgumentError, /^axis: expected an integer from -2 to 1/);
    expectRefusal(() => concat([1]), ShapeError, /^tensors\[0\]: expected at least 1 axis/);
  });
});

describe('toNested', () => {
  test('of a given rank says so, or refuses', () => {
    const rows: number[][] = tensor(Int8Array.of(1, 2), [2, 1]).toNested(2);
    expect(rows).toEqual([[1], [2]]);
    expectRefusal(
      () => tensor([1, 2]).toNested(2),
      ShapeError,
      /^toNested: expected 2 axes, got shape \[2\]/,
    );
  });

  test('of nothing is small, or refused', () => {
    expect(new Tensor(new Float32Array(0), [3, 0, 7]).toNested()).toEqual([[], [], []]);
    expect(new Tensor(new Float32Array(0), [0, 2 ** 31 - 1]).toNested()).toEqual([]);
    const hollow = new Tensor(new Float32Array(0), [2 ** 31 - 1, 0]);
    expectRefusal(() => hollow.toNested(), MemoryError, /^toNested: expected at most 1048576 empty arrays/);
  });
});

describe('pad', () => {
  const image = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  test('by a constant, around the last axes', () => {
    expect(pad(image, [[1, 2]], { value: 0.5 }).toNested()).toEqual([
      [0.5, 1, 2, 3, 0.5, 0.5],
      [0.5, 4, 5, 6, 0.5, 0.5],
    ]);
    expect(pad(tensor(Int8Array.of(7)), [[1, 1]], { value: -128 }).data).toEqual(Int8Array.of(-128, 7, -128));
    expect(
      pad(
        new Tensor(new Float32Array(0), [0, 2]),
        [
          [1, 0],
          [0, 0],
        ],
        { value: 3 },
      ).toNested(),
    ).toEqual([[3, 3]]);
  });

  // A convolution with one tap of 1 gives its padded input back.
  test.each(['circular', 'reflect', 'replicate'] as const)('%s: as convolutions pad', (mode) => {
    const x = random([2, 4, 5]);
    const padding: [number, number][] = [
      [1, 3],
      [2, 1],
    ];
    const padded = pad(x, padding, { mode });
    for (let channel = 0; channel < 2; channel++) {
      const tap = tensor([[[[Number(channel === 0)]], [[Number(channel === 1)]]]]);
      expect(padded.slice([channel, channel + 1])).toEqual(conv2d(x, tap, { padding, paddingMode: mode }));
    }
  });

  test('refuses what it cannot hold', () => {
    expectRefusal(
      () => pad(image, [[3, 0]], { mode: 'reflect' }),
      ShapeError,
      /^padding: expected at most 2 elements of mode 'reflect' on axis 1, got 3/,
    );
    expectRefusal(
      () =>
        pad(image, [
          [0, 0],
          [0, 0],
          [0, 0],
        ]),
      ShapeError,
      /^padding: expected at most 2 pairs/,
    );
    expectRefusal(() => pad(image, [[1]] as never), ArgumentError, /^padding\[0\]: expected a pair/);
    expectRefusal(
      () => pad(image, [[-1, 0]]),
      ArgumentError,
      /^padding\[0\]\[0\]: expected an integer ≥ 0, got -1/,
    );
    expectRefusal(
      () => pad(tensor(Uint8Array.of(1)), [[1, 0]], { value: 256 }),
      ArgumentError,
      /^options\.value: expected a value of uint8, got 256/,
    );
  });
});
