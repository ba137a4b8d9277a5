import {
  ArgumentError,
  ConvmatError,
  DTypeError,
  FormatError,
  MemoryError,
  onnx,
  ShapeError,
  Tensor,
  tensor,
  UnsupportedError,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { type GoldenCase, type GoldenTensor, golden } from '../support/golden';
import { modelBytes, node, tensor as stored, value } from '../support/models';

const { prepareNetwork, readModel } = onnx;
const { source, cases } = golden('torch_onnx');

const bytesOf = ({ tensors }: GoldenCase) => Uint8Array.from(tensors.model.data);
const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const LABELS = ['as exported', 'of other sizes'];

/** The longest path of these networks has some thousand roundings, each relative to values below the largest. */
const ROUNDINGS = 1000;

function expectClose(actual: Tensor, expected: GoldenTensor): void {
  const magnitude = { ...expected, data: expected.data.map(Math.abs) };
  expectWithin(actual, expected, magnitude, { factor: ROUNDINGS * 2 ** -24, scale: 'largest' });
}

describe(`networks as ${source} exports them`, () => {
  test.each(cases)('$id', async (one) => {
    for (const accuracy of ['fast', 'strict'] as const) {
      const network = await prepareNetwork(bytesOf(one), { accuracy });
      for (const label of LABELS) {
        const { y } = network.run({ x: one.tensors[`x ${label}`] });
        expectClose(y, one.expected[`y ${label}`]);
        const bare = await network.runAsync(one.tensors[`x ${label}`]);
        expectClose(bare.y, one.expected[`y ${label}`]);
      }
      network.dispose();
    }
  });

  test.each(cases)('$id, written and read again', async (one) => {
    const model = await readModel(new Blob([bytesOf(one)]));
    const again = await readModel(model.encode());
    expect(again.nodes.map(({ opType }) => opType)).toEqual(model.nodes.map(({ opType }) => opType));
    expect(again.inputs).toEqual(model.inputs);
    expect([...again.initializers]).toEqual([...model.initializers]);
    const network = await prepareNetwork(again);
    expectClose(network.run(one.tensors['x as exported']).y, one.expected['y as exported']);
  });

  test('run many at once, some aborted, some after others have been disposed of', async () => {
    const [one] = cases;
    const network = await prepareNetwork(bytesOf(one));
    const runs = Array.from({ length: 12 }, (_, i) => {
      const label = LABELS[i % 2];
      const controller = new AbortController();
      const run = network.runAsync({ x: one.tensors[`x ${label}`] }, { signal: controller.signal });
      if (i % 3 === 0) controller.abort(new Error('enough'));
      return run.then(
        ({ y }) => expectClose(y, one.expected[`y ${label}`]),
        (error) => expect([i % 3, error.message]).toEqual([0, 'enough']),
      );
    });
    await Promise.all(runs);
    const last = network.runAsync(one.tensors['x as exported']);
    network.dispose();
    network.dispose();
    expectClose((await last).y, one.expected['y as exported']);
    expect(() => network.run(one.tensors['x as exported'])).toThrow(/disposed/);
  });

  test('off the event loop, values that several nodes read stay what they are', async () => {
    // Large enough for memory to be given back early: 2 MiB for each value.
    const [channels, size] = [8, 256];
    const model = modelBytes({
      nodes: [
        node('Conv', ['x', 'w'], ['a']),
        node('Relu', ['a'], ['b']),
        node('Conv', ['b', 'w'], ['c']),
        node('Add', ['b', 'c'], ['y']),
      ],
      inputs: [value('x', [1, channels, size, size])],
      outputs: [value('y', [1, channels, size, size]), value('b', [1, channels, size, size])],
      initializers: [
        stored(
          'w',
          [channels, channels, 1, 1],
          Array.from({ length: 64 }, (_, i) => (i % 7) - 3),
        ),
      ],
    });
    const network = await prepareNetwork(model);
    const data = Float32Array.from({ length: channels * size * size }, (_, i) => (i % 11) - 5);
    const x = new Tensor(data.slice(), [1, channels, size, size]);
    const expected = network.run(x);
    const actual = await network.runAsync(x);
    expect(actual.b).toEqual(expected.b);
    expect(actual.y).toEqual(expected.y);
    expect(x.data).toEqual(data);
  });

  test('results are new tensors, and inputs stay as they are', async () => {
    const [one] = cases;
    const network = await prepareNetwork(bytesOf(one));
    const x = new Tensor(one.tensors['x as exported'].data.slice(), one.tensors['x as exported'].shape);
    const first = network.run(x).y;
    const copy = first.data.slice();
    first.data.fill(7);
    expect(network.run(x).y.data).toEqual(copy);
    expect(x.data).toEqual(one.tensors['x as exported'].data);
  });

  test('explain and profile tell of each step; inputShapes prepares', async () => {
    const [one] = cases;
    const shape = one.tensors['x as exported'].shape;
    const network = await prepareNetwork(bytesOf(one), { inputShapes: { x: shape } });
    const { steps, peakBytes } = network.explain();
    expect(peakBytes).toBeGreaterThan(0);
    expect(steps.reduce((sum, { multiplications }) => sum + multiplications, 0)).toBeGreaterThan(10_000);
    expect(`${network.explain({ x: [2, ...shape.slice(1)] })}`).toMatch(/Conv .*\[2, 8, 10, 10\]/);
    const profile = network.profile(one.tensors['x as exported']);
    expect(profile.steps.length).toBe(steps.length);
    expect(`${profile}`).toMatch(/total +\d+\.\d+ ms/);
    const open = await prepareNetwork(bytesOf(one));
    expect(() => open.explain()).toThrow(/inputShapes: expected shapes for x/);
  });

  test('summary counts parameters and multiplications', async () => {
    const model = await readModel(bytesOf(cases[0]));
    const { rows } = model.summary({ x: [1, 3, 20, 20] });
    const stem = rows.find(({ opType }) => opType === 'Conv');
    expect(stem?.outputShapes).toEqual([[1, 8, 10, 10]]);
    expect(stem?.multiplications).toBe(8 * 10 * 10 * 27);
    expect(stem?.parameters).toBeGreaterThanOrEqual(8 * 27);
    expect(model.summary().rows[0].outputShapes).toEqual([null]);
    expect(`${model.summary({ x: [1, 3, 20, 20] })}`).toMatch(/total/);
  });
});

describe('the memory that a model was read from', () => {
  const weights = {
    convolution: { op: 'Conv', dims: [4, 3, 10, 10], x: ['n', 3, 12, 12], y: ['n', 4, 3, 3] },
    'transposed convolution': {
      op: 'ConvTranspose',
      dims: [3, 4, 10, 10],
      x: ['n', 3, 2, 2],
      y: ['n', 4, 11, 11],
    },
    'small convolution': { op: 'Conv', dims: [2, 3, 1, 1], x: ['n', 3, 4, 4], y: ['n', 2, 4, 4] },
    product: { op: 'MatMul', dims: [60, 20], x: ['n', 60], y: ['n', 20] },
    gather: { op: 'Gather', dims: [60, 20], x: ['n'], y: ['n', 20] },
  } as const;

  test.each(Object.entries(weights))('may be handed on: %s', async (_, { op, dims, x, y }) => {
    const size = dims.reduce((a: number, b) => a * b, 1);
    const isGather = op === 'Gather';
    const bytes = modelBytes({
      nodes: [node(op, isGather ? ['w', 'x'] : ['x', 'w'], ['y'])],
      initializers: [
        stored(
          'w',
          dims,
          numbers(size).map((i) => (i % 17) - 8),
        ),
      ],
      inputs: [value('x', x, isGather ? 'int64' : 'float')],
      outputs: [value('y', y)],
    });
    const inputOf = (n: number) => {
      const shape = x.map((axis) => (axis === 'n' ? n : axis));
      const values = numbers(shape.reduce((a, b) => a * b, 1)).map((i) => i % 7);
      return isGather ? Int32Array.from(values) : tensor(Float32Array.from(values), shape);
    };
    const expected = (await prepareNetwork(bytes.slice())).run({ x: inputOf(2) }).y;
    const network = await prepareNetwork(bytes);
    expect(network.run({ x: inputOf(2) }).y).toEqual(expected);
    structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
    expect(network.run({ x: inputOf(2) }).y).toEqual(expected);
    const kept = await settled(async () => network.run({ x: inputOf(3) }));
    expect(await settled(() => network.runAsync({ x: inputOf(3) }))).toEqual(kept);
    if (kept instanceof Error) {
      expect(kept).toBeInstanceOf(ArgumentError);
      expect(kept.message).toMatch(/^model: tensor "w": expected the bytes that the model was read from/);
    }
  });

  /** What comes of a call, its error too. */
  async function settled<T>(call: () => Promise<T>): Promise<T | Error> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof Error) return error;
      throw error;
    }
  }
});

describe('values that cross', () => {
  const gather = modelBytes({
    nodes: [
      node('Gather', ['x', 'i'], ['y']),
      node('Add', ['i', 'i'], ['twice']),
      node('Equal', ['i', 'i'], ['same']),
    ],
    inputs: [value('x', ['n']), value('i', ['k'], 'int64')],
    outputs: [value('y', ['k']), value('twice', ['k'], 'int64'), value('same', ['k'], 'bool')],
  });

  test('int64 is int32 or BigInt64Array, bool is uint8', async () => {
    const network = await prepareNetwork(gather);
    expect(network.inputs[1]).toEqual({ name: 'i', dtype: 'int64', shape: ['k'] });
    const x = Float32Array.of(5, 6, 7);
    for (const i of [Int32Array.of(2, -1), BigInt64Array.of(2n, -1n), [2, -1]]) {
      const { y, twice, same } = network.run({ x, i: i as Int32Array });
      expect(y.toNested()).toEqual([7, 7]);
      expect(twice).toEqual(tensor(Int32Array.of(4, -2)));
      expect(same).toEqual(tensor(Uint8Array.of(1, 1)));
    }
    const far = { data: BigInt64Array.of(2n ** 60n), shape: [1] } as never;
    expect(() => network.run({ x, i: far })).toThrow(DTypeError);
    expect(() => network.run({ x, i: Int32Array.of(2 ** 30) })).toThrow(ArgumentError);
  });

  test('int64 results that int32 does not hold are DTypeErrors', async () => {
    const network = await prepareNetwork(
      modelBytes({
        nodes: [node('Mul', ['x', 'x'], ['y'])],
        inputs: [value('x', [1], 'int64')],
        outputs: [value('y', [1], 'int64')],
      }),
    );
    expect(network.run(Int32Array.of(9)).y.data).toEqual(Int32Array.of(81));
    expect(() => network.run(Int32Array.of(100_000))).toThrow(DTypeError);
  });

  test('what does not fit an input is refused by name', async () => {
    const network = await prepareNetwork(gather);
    const x = Float32Array.of(1);
    const i = Int32Array.of(0);
    expect(() => network.run({ x })).toThrow(/inputs: expected a tensor for "i"/);
    expect(() => network.run({ x, i, z: x })).toThrow(/inputs: expected the names "x", "i", got "z"/);
    expect(() => network.run({ x: new Float64Array(1), i })).toThrow(DTypeError);
    expect(() => network.run({ x: [[1]], i })).toThrow(ShapeError);
    expect(() => network.run(x)).toThrow(ArgumentError);
    expect(() => network.run(null as never)).toThrow(ArgumentError);
  });

  // Where onnxruntime 1.30 goes from one neighbour to the other: units of float32 between a scale and 1 / 3.5.
  test.each([
    { mode: 'round_prefer_ceil', units: 2, nearest: 4 },
    { mode: 'round_prefer_ceil', units: 3, nearest: 3 },
    { mode: 'round_prefer_floor', units: -3, nearest: 3 },
    { mode: 'round_prefer_floor', units: -4, nearest: 4 },
  ])(
    'Resize, $mode: $units units from a half it reads element $nearest',
    async ({ mode, units, nearest }) => {
      const scale = Float32Array.of(1 / 3.5);
      new Uint32Array(scale.buffer)[0] += units;
      const attributes = {
        mode: { kind: 'string', value: 'nearest' },
        coordinate_transformation_mode: { kind: 'string', value: 'asymmetric' },
        nearest_mode: { kind: 'string', value: mode },
      } as const;
      const network = await prepareNetwork(
        modelBytes({
          nodes: [node('Resize', ['x', '', 'scales'], ['y'], attributes)],
          initializers: [stored('scales', [1], [...scale])],
          inputs: [value('x', [24])],
          outputs: [value('y', [null])],
        }),
      );
      expect(network.run(Float32Array.from(numbers(24))).y.data[1]).toBe(nearest);
    },
  );

  test('an equation of Einsum is read in time with its length', async () => {
    const einsum = (equation: string) =>
      prepareNetwork(
        modelBytes({
          nodes: [node('Einsum', ['x'], ['y'], { equation: { kind: 'string', value: equation } })],
          inputs: [value('x', [2, 3])],
          outputs: [value('y', [])],
        }),
      );
    const network = await einsum('ij->');
    expect(network.run({ x: tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]) }).y.data).toEqual(
      Float32Array.of(21),
    );
    // One pattern for the whole took 200 s for 18 letters, and four times as long for each more.
    for (const equation of [
      `${'a'.repeat(100_000)}!`,
      'a,'.repeat(5000),
      'ij->i->j',
      '...i...',
      'i'.repeat(40),
    ]) {
      await expect(einsum(equation)).rejects.toThrow(ConvmatError);
    }
  });

  test('shapes that elements decide are followed', async () => {
    const network = await prepareNetwork(
      modelBytes({
        nodes: [
          node('Add', ['x', 'x'], ['double']),
          node('Reshape', ['double', 's'], ['shaped']),
          node('Shape', ['shaped'], ['sizes']),
          node('Neg', ['shaped'], ['y']),
        ],
        inputs: [value('x', [6]), value('s', [2], 'int64')],
        outputs: [value('y', [null, null]), value('sizes', [2], 'int64'), value('s', [2], 'int64')],
      }),
    );
    const x = Float32Array.of(1, 2, 3, 4, 5, 6);
    for (const s of [
      [2, 3],
      [3, -1],
      [2, 3],
    ]) {
      const { y, sizes, s: same } = network.run({ x, s });
      expect(y.shape).toEqual(s.map((size) => (size < 0 ? 2 : size)));
      expect([...sizes.data]).toEqual([...y.shape]);
      expect([...same.data]).toEqual(s);
      expect([...y.data]).toEqual([-2, -4, -6, -8, -10, -12]);
    }
  });

  test('float16, bfloat16 and list forms of weights', async () => {
    const model = await readModel(
      modelBytes({
        nodes: [node('Cast', ['h'], ['y'], { to: { kind: 'int', value: 1 } })],
        inputs: [],
        outputs: [value('y', [4])],
        // 1, −2, the smallest positive number, infinity.
        initializers: [
          stored('h', [4], [0x3c00, 0xc000, 1, 0x7c00], 'float16'),
          stored('i', [1], [2n ** 40n], 'int64'),
        ],
      }),
    );
    expect([...(model.initializers.get('h')?.data ?? [])]).toEqual([1, -2, 2 ** -24, Infinity]);
    expect(() => model.initializers.get('i')).toThrow(DTypeError);
    expect([...(await prepareNetwork(model)).run({}).y.data]).toEqual([1, -2, 2 ** -24, Infinity]);
  });
});

describe('what is not supported', () => {
  test('is named all at once, with its nodes', async () => {
    const model = modelBytes({
      nodes: [
        node('LSTM', ['x'], ['a'], {}, 'memory'),
        node('If', ['x'], ['b'], {}, 'branch'),
        node('Conv', ['x', 'x'], ['c'], { odd: { kind: 'int', value: 1 } }, 'first'),
        node('Pad', ['x', 'x'], ['d'], { mode: { kind: 'string', value: 'mirror' } }, 'edge'),
        node('LSTM', ['x'], ['e'], {}, 'more'),
      ],
      inputs: [value('x', [1, 'n']), value('s', [1], 'string')],
      outputs: [value('a', []), value('b', [])],
    });
    const read = await readModel(model);
    expect(read.nodes.map(({ opType }) => opType)).toEqual(['LSTM', 'If', 'Conv', 'Pad', 'LSTM']);
    const error = await prepareNetwork(read).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UnsupportedError);
    for (const part of [
      'operator LSTM: LSTM "memory", LSTM "more"',
      'operator If: If "branch"',
      'attribute odd of Conv: Conv "first"',
      'attribute mode of Pad = "mirror": Pad "edge"',
      'type string: input "s"',
    ])
      expect((error as Error).message).toContain(part);
  });

  test('opsets past 22, and types that only shapes bring to light', async () => {
    const parts = { inputs: [value('x', [2], 'int32')], outputs: [value('y', [2], 'int32')] };
    const exp = [node('Exp', ['x'], ['a'], {}, 'e'), node('Sin', ['x'], ['y'], {}, 's')];
    await expect(prepareNetwork(modelBytes({ ...parts, nodes: exp, opset: 40 }))).rejects.toThrow(/opset 40/);
    const types = prepareNetwork(modelBytes({ ...parts, nodes: exp }));
    await expect(types).rejects.toThrow(/float32 or float64, got int32: Exp "e", Sin "s"/);
  });
});

describe('damaged and hostile files', () => {
  const x = [value('x', [2])];
  const y = [value('y', [2])];

  test.each([
    [
      'a name that nobody defines',
      { nodes: [node('Relu', ['z'], ['y'])] },
      /inputs that the graph defines, got "z"/,
    ],
    [
      'an output that nobody defines',
      { nodes: [node('Relu', ['x'], ['z'])] },
      /outputs that the graph defines, got "y"/,
    ],
    [
      'nodes that wait for one another',
      { nodes: [node('Add', ['x', 'b'], ['y']), node('Relu', ['y'], ['b'])] },
      /without cycles/,
    ],
    [
      'one name twice',
      { nodes: [node('Relu', ['x'], ['y']), node('Neg', ['x'], ['y'])] },
      /defined once, got "y"/,
    ],
    [
      'an initializer twice',
      { nodes: [node('Relu', ['x'], ['y'])], initializers: [stored('w', [1], [1]), stored('w', [1], [2])] },
      /defined once, got "w"/,
    ],
  ])('%s is a FormatError', async (_, parts, message) => {
    const reading = readModel(modelBytes({ inputs: x, outputs: y, ...parts }));
    await expect(reading).rejects.toThrow(FormatError);
    await expect(readModel(modelBytes({ inputs: x, outputs: y, ...parts }))).rejects.toThrow(message);
  });

  test.each([
    {
      kind: 'one value that all read, a sum of all',
      nodes: (n: number) => [
        ...numbers(n).map((i) => node('Relu', ['x'], [`r${i}`])),
        node(
          'Sum',
          numbers(n).map((i) => `r${i}`),
          ['y'],
        ),
      ],
      expected: (n: number, x: number[]) => x.map((v) => n * Math.max(v, 0)),
    },
    {
      kind: 'a chain that folds into one',
      nodes: (n: number) =>
        numbers(n).map((i) =>
          node('Mul', [i === 0 ? 'x' : `r${i - 1}`, 'one'], [i === n - 1 ? 'y' : `r${i}`]),
        ),
      expected: (_n: number, x: number[]) => x,
    },
    {
      kind: 'sums of what is the same',
      nodes: (n: number) =>
        numbers(n).map((i) => node('Add', ['x', i === 0 ? 'x' : `r${i - 1}`], [i === n - 1 ? 'y' : `r${i}`])),
      expected: (n: number, x: number[]) => x.map((v) => (n + 1) * v),
    },
    {
      kind: 'a concatenation of all',
      nodes: (n: number) => [
        node(
          'Concat',
          numbers(n).map(() => 'x'),
          ['y'],
          { axis: { kind: 'int', value: 0n } },
        ),
      ],
      expected: (n: number, x: number[]) => numbers(n).flatMap(() => x),
    },
  ])('graphs of many nodes: $kind', async ({ nodes, expected }) => {
    const n = 2000;
    const x = [1, -2, 3, 4];
    const model = await readModel(
      modelBytes({
        nodes: nodes(n),
        inputs: [value('x', [1, 4])],
        outputs: [value('y', [null, 4])],
        initializers: [stored('one', [1], [1])],
      }),
    );
    const input = tensor(Float32Array.from(x), [1, 4]);
    expect(Array.from((await prepareNetwork(model)).run(input).y.data)).toEqual(expected(n, x));
    const linear = await onnx.linearize(model);
    expect(Array.from(linear.run(input).y.data)).toEqual(expected(n, x));
  });

  test('nodes in any order are put in one that runs', async () => {
    const nodes = [node('Neg', ['b'], ['y']), node('Add', ['a', 'x'], ['b']), node('Relu', ['x'], ['a'])];
    const network = await prepareNetwork(modelBytes({ nodes, inputs: x, outputs: y }));
    expect([...network.run([-1, 3]).y.data]).toEqual([1, -6]);
  });

  test('sizes are checked before memory is taken', async () => {
    const size = 2 ** 31 - 1;
    const shape = stored('s', [1], [size], 'int64');
    const constant = {
      nodes: [node('ConstantOfShape', ['s'], ['y'])],
      inputs: [],
      outputs: y,
      initializers: [shape],
    };
    await expect(prepareNetwork(modelBytes(constant))).rejects.toThrow(MemoryError);
    const huge = stored('s', [3], [size, size, size], 'int64');
    await expect(prepareNetwork(modelBytes({ ...constant, initializers: [huge] }))).rejects.toThrow(
      MemoryError,
    );
    const lies = modelBytes({
      nodes: [node('Relu', ['x'], ['y'])],
      inputs: x,
      outputs: y,
      initializers: [stored('w', [2], [1, 2])],
    });
    // The tensor's dimension: a varint of one byte, behind the length of the list.
    const at = lies.findIndex(
      (byte, i) => byte === 0x0a && lies[i + 1] === 1 && lies[i + 2] === 2 && lies[i + 3] === 0x10,
    );
    expect(at).toBeGreaterThan(0);
    lies[at + 2] = 127;
    await expect(readModel(lies)).rejects.toThrow(/expected 508 bytes for 127 elements of float, got 8/);
  });

  test('every way to cut or to change a file gives a model or an error of the library', async () => {
    const bytes = bytesOf(cases.find(({ id }) => id.startsWith('attention')) ?? cases[0]);
    let random = 12345;
    const next = (below: number) => {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      return random % below;
    };
    for (let round = 0; round < 400; round++) {
      const damaged = round % 2 === 0 ? bytes.slice(0, next(bytes.length)) : bytes.slice();
      if (round % 2 === 1) for (let i = 0; i <= round % 5; i++) damaged[next(damaged.length)] = next(256);
      try {
        const network = await prepareNetwork(damaged);
        network.run({ x: new Tensor(new Float32Array(72), [1, 6, 12]) });
      } catch (error) {
        if (!(error instanceof ConvmatError)) throw error;
      }
    }
  });
});
