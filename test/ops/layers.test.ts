import {
  ArgumentError,
  CsrMatrix,
  conv2d,
  convTranspose2d,
  MemoryError,
  maxPool3d,
  nn,
  ShapeError,
  type Tensor,
  tensor,
} from 'convmat';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { expectGradients, inFloat64 } from '../support/differences';
import { golden } from '../support/golden';
import { random } from '../support/random';
import { expectRefusal } from '../support/refusals';
import { type Float, sums } from '../support/tolerance';

type Layer = new (...given: unknown[]) => nn.Module;

/** A layer as golden files name it: [class, arguments…], or a list of layers for a Sequential. */
// biome-ignore lint/suspicious/noExplicitAny: JSON
function build(layer: any): nn.Module {
  if (Array.isArray(layer[0])) return new nn.Sequential(...layer.map(build));
  const [kind, ...given] = layer;
  const Class = (nn as unknown as Record<string, Layer>)[kind];
  return kind === 'Residual' ? new Class(...given.map(build)) : new Class(...given);
}

/** The entries whose name begins with `prefix`, without it. */
const under = <T>(prefix: string, entries: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(entries)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );

describe('as PyTorch', () => {
  test.each(golden('torch_layers').cases)('$id', ({ args, tensors, expected }) => {
    const net = build(args.layer).train(args.mode === 'train');
    net.loadStateDict(under('state.', tensors));
    let output = net.forward(tensors.input);
    for (let step = 1; step < args.steps; step++) output = net.forward(tensors.input);
    const gradInput = net.backward(tensors.gradOutput);
    const grads = Object.fromEntries(net.parameters().map(({ name, grad }) => [`grad.${name}`, grad]));
    const state = Object.fromEntries(net.buffers().map(({ name, data }) => [`state.${name}`, data]));
    const actual: Record<string, Tensor> = { output, gradInput, ...grads, ...state };
    expect(Object.keys(actual).toSorted()).toEqual(Object.keys(expected).toSorted());
    // No sum here is longer, and each result is some sums of sums of numbers of order one.
    const tolerance = sums(1000, tensors.input.dtype as Float);
    for (const [name, want] of Object.entries(expected)) {
      expect(actual[name].dtype).toBe(want.dtype);
      const magnitude = { data: want.data.map((value) => Math.max(1, Math.abs(value))), shape: want.shape };
      expectWithin(actual[name], want, magnitude, { ...tolerance, scale: 'largest' });
    }
  });
});

const block = () =>
  new nn.Sequential(
    new nn.Conv2d(2, 3, 3, { stride: 2, padding: 1, seed: 1 }),
    new nn.BatchNorm2d(3),
    new nn.SiLU(),
    new nn.Conv2d(3, 3, 3, { padding: 1, seed: 2, bias: false }),
    new nn.BatchNorm2d(3),
  );
const residual = () => new nn.Residual(block(), new nn.Conv2d(2, 3, 1, { stride: 2, seed: 3 }));

describe('gradients are derivatives', () => {
  const layers: [string, () => nn.Module, number[]][] = [
    ['BatchNorm1d', () => new nn.BatchNorm1d(3), [4, 3]],
    ['BatchNorm2d in evaluation', () => new nn.BatchNorm2d(2).eval(), [2, 2, 3, 2]],
    [
      'BatchNorm3d without statistics',
      () => new nn.BatchNorm3d(2, { trackRunningStats: false }).eval(),
      [2, 2, 1, 3, 2],
    ],
    [
      'ConvTranspose1d without batch',
      () => new nn.ConvTranspose1d(2, 3, 3, { stride: 2, padding: 1, seed: 1 }),
      [2, 4],
    ],
    [
      'ConvTranspose2d circular',
      () => new nn.ConvTranspose2d(2, 2, 3, { padding: 1, paddingMode: 'circular', seed: 1 }),
      [1, 2, 3, 4],
    ],
    [
      'ConvTranspose2d in groups',
      () =>
        new nn.ConvTranspose2d(4, 6, [2, 3], { stride: [2, 1], outputPadding: [1, 0], groups: 2, seed: 1 }),
      [2, 4, 2, 3],
    ],
    [
      'ConvTranspose3d',
      () => new nn.ConvTranspose3d(1, 2, 2, { dilation: 2, outputPadding: 1, seed: 1 }),
      [1, 1, 2, 2, 2],
    ],
    ['AdaptiveAvgPool2d', () => new nn.AdaptiveAvgPool2d([3, 2]), [2, 4, 5]],
    ['MaxPool1d', () => new nn.MaxPool1d(3, { stride: 2 }), [2, 8]],
    ['MaxPool3d', () => new nn.MaxPool3d(2, { stride: 1, padding: 1 }), [2, 3, 3, 4]],
    ['AvgPool1d', () => new nn.AvgPool1d(3, { stride: 2, padding: 1 }), [1, 2, 8]],
    ['AvgPool3d', () => new nn.AvgPool3d([1, 2, 3], { ceilMode: true }), [2, 2, 5, 4]],
    ['Sigmoid', () => new nn.Sigmoid(), [3, 5]],
    ['Tanh', () => new nn.Tanh(), [3, 5]],
    ['LeakyReLU', () => new nn.LeakyReLU(0.2), [3, 5]],
    ['GELU', () => new nn.GELU(), [3, 5]],
    ['GELU by tanh', () => new nn.GELU({ approximate: 'tanh' }), [3, 5]],
    ['SiLU', () => new nn.SiLU(), [3, 5]],
    ['Softmax', () => new nn.Softmax(0), [3, 5]],
    ['Residual', residual, [2, 2, 4, 5]],
    ['Residual without a shortcut', () => new nn.Residual(new nn.Linear(3, 3, { seed: 1 })), [2, 3]],
  ];
  test.each(layers)('%s', (_, make, shape) => {
    expectGradients(inFloat64(make()), random(shape, 'float64', 11));
  });

  test.each(layers)('%s: a copy is the same layer, and leaves the first alone', (_, make, shape) => {
    const layer = make();
    const twin = layer.copy();
    expect(twin.training).toBe(layer.training);
    expect(twin.describe()).toBe(layer.describe());
    expect(twin.stateDict()).toEqual(layer.stateDict());
    const x = random(shape, 'float32', 5);
    const y = layer.forward(x);
    expect(twin.forward(x)).toEqual(y);
    expect(layer.outputShape(shape)).toEqual(y.shape);
    for (const { data } of twin.parameters()) data.data.fill(0);
    expect(layer.forward(x)).toEqual(y);
  });
});

describe('GELU', () => {
  test('is exact in its tails and between them', () => {
    // x·erfc(−x/√2)/2, by C's erfc.
    const known = [
      [-6, -5.919525870226207e-9],
      [-1, -0.15865525393145707],
      [0.5, 0.34573123063700656],
      [1, 0.8413447460685429],
      [2.25, 2.2224949365261493],
      [9, 9.0],
    ];
    const y = new nn.GELU().forward(
      tensor(
        known.map(([x]) => x),
        undefined,
        'float64',
      ),
    );
    known.forEach(([x, value], i) => {
      expect(Math.abs(y.data[i] - value)).toBeLessThanOrEqual(2 ** -52 * Math.max(1, Math.abs(x)));
    });
    expect(Array.from(new nn.GELU().forward(tensor([Number.NaN])))).toEqual([Number.NaN]);
  });
});

describe('Dropout', () => {
  test('drops a share p while training, scales the rest, and passes the same gradients', () => {
    const dropout = new nn.Dropout(0.25, { seed: 3 });
    const x = tensor(new Float64Array(10_000).fill(3));
    const y = dropout.forward(x);
    const dropped = y.data.filter((value) => value === 0).length;
    // Four standard deviations of the binomial distribution.
    expect(Math.abs(dropped - 2500)).toBeLessThan(4 * Math.sqrt(10_000 * 0.25 * 0.75));
    expect(y.data.every((value) => value === 0 || value === 4)).toBe(true);
    expect(dropout.backward(x)).toEqual(y);
    expect(dropout.eval().forward(x)).toEqual(x);
    expect(dropout.backward(x)).toEqual(x);
    expect(new nn.Dropout(1).forward(tensor([1, Number.POSITIVE_INFINITY])).data).toEqual(
      Float32Array.of(0, 0),
    );
    expectRefusal(() => new nn.Dropout(1.5), ArgumentError, /^p: expected a number from 0 to 1/);
  });
});

describe('modes', () => {
  test('reach every module, and copies keep each its own', () => {
    const net = new nn.Sequential(residual(), new nn.Dropout());
    const modes = (module: nn.Module): boolean[] => [
      module.training,
      ...module.children().flatMap(([, child]) => modes(child)),
    ];
    expect(modes(net).every(Boolean)).toBe(true);
    expect(modes(net.eval()).some(Boolean)).toBe(false);
    net.train().modules[1].eval();
    expect(modes(net.copy())).toEqual(modes(net));
  });

  test('BatchNorm: a batch without images passes, and moves no running statistics', () => {
    const norm = new nn.BatchNorm2d(2);
    const before = norm.stateDict();
    const x = tensor(new Float32Array(0), [0, 2, 3, 3]);
    expect(norm.forward(x).shape).toEqual([0, 2, 3, 3]);
    expect(norm.backward(x).shape).toEqual([0, 2, 3, 3]);
    const { num_batches_tracked: batches, ...after } = norm.stateDict();
    expect([...batches.data]).toEqual([1]);
    for (const [name, { data }] of Object.entries(after)) expect(data, name).toEqual(before[name].data);
    expect([...norm.parameters()[0].grad.data]).toEqual([0, 0]);
  });

  test('a state without parameters has the dtype of its buffers', () => {
    const norm = new nn.BatchNorm1d(2, { affine: false });
    const of = (...values: number[]) => tensor(Float64Array.from(values), [2]);
    norm.loadStateDict({ running_mean: of(1, 2), running_var: of(4, 9), num_batches_tracked: 3 });
    const y = norm.eval().forward(tensor(Float64Array.of(3, 5), [1, 2]));
    expect(y.dtype).toBe('float64');
    expect(y.data[0]).toBeCloseTo(2 / Math.sqrt(4 + 1e-5), 14);
  });

  test('a batch of one value per channel cannot be trained on', () => {
    const norm = new nn.BatchNorm1d(2);
    expectRefusal(() => norm.forward([[1, 2]]), ShapeError, /^x: expected more than one value per channel/);
    expect(norm.eval().forward([[1, 2]]).shape).toEqual([1, 2]);
  });
});

describe('loadStateDict', () => {
  const names = [
    'body.0.weight',
    'body.0.bias',
    'body.1.weight',
    'body.1.bias',
    'body.3.weight',
    'body.4.weight',
    'body.4.bias',
    'shortcut.weight',
    'shortcut.bias',
  ];

  test('names parameters and buffers as PyTorch does', () => {
    const net = residual();
    expect(net.parameters().map(({ name }) => name)).toEqual(names);
    const statistics = ['running_mean', 'running_var', 'num_batches_tracked'];
    expect(net.buffers().map(({ name }) => name)).toEqual(
      ['body.1', 'body.4'].flatMap((norm) => statistics.map((name) => `${norm}.${name}`)),
    );
  });

  test('maps the names of another model', () => {
    const state = residual().stateDict();
    const other = Object.fromEntries(Object.entries(state).map(([name, t]) => [`layer1.${name}`, t]));
    const net = residual();
    for (const { data } of net.parameters()) data.data.fill(0);
    expect(net.loadStateDict(other, { map: (name) => name.slice('layer1.'.length) })).toEqual({
      missing: [],
      unexpected: [],
    });
    expect(net.stateDict()).toEqual(state);
    expectRefusal(
      () => net.loadStateDict(other),
      ArgumentError,
      /^state: expected an entry 'body\.0\.weight'/,
    );
    expectRefusal(
      () => net.loadStateDict(other, { map: () => 'x' }),
      ArgumentError,
      /^options\.map: expected names of their own, got "x" twice/,
    );
    expectRefusal(
      () => net.loadStateDict(other, { map: (() => 1) as never }),
      ArgumentError,
      /^options\.map: expected a name for each name/,
    );
  });

  test('takes what is there when it is not strict', () => {
    const net = new nn.Linear(2, 1, { seed: 1 });
    const before = net.bias?.data.data[0];
    const told = net.loadStateDict(
      { weight: tensor(Float64Array.of(1, 2), [1, 2]), extra: [1] },
      { strict: false },
    );
    expect(told).toEqual({ missing: ['bias'], unexpected: ['extra'] });
    expect(net.stateDict()).toEqual({
      weight: tensor(Float64Array.of(1, 2), [1, 2]),
      bias: tensor(Float64Array.of(before ?? Number.NaN)),
    });
    expectRefusal(
      () => net.loadStateDict({ weight: [[1]] }, { strict: false }),
      ShapeError,
      /^state\['weight'\]/,
    );
  });

  test('takes a count of any dtype', () => {
    const norm = new nn.BatchNorm1d(1);
    norm.loadStateDict({
      weight: [1],
      bias: [0],
      running_mean: [0],
      running_var: [1],
      num_batches_tracked: tensor(Float64Array.of(7), []),
    });
    expect(norm.stateDict().num_batches_tracked).toEqual(tensor(Int32Array.of(7), []));
  });
});

/** A network with statistics of its own, in evaluation mode. */
function settled(net: nn.Module, shape: number[]): nn.Module {
  inFloat64(net);
  for (let seed = 1; seed <= 3; seed++) net.forward(random([5, ...shape], 'float64', seed));
  return net.eval();
}

describe('foldBatchNorm', () => {
  const nets: [string, () => nn.Module, number[]][] = [
    ['residual', residual, [2, 4, 5]],
    [
      'linear',
      () =>
        new nn.Sequential(
          new nn.Linear(3, 4, { seed: 1, bias: false }),
          new nn.BatchNorm1d(4),
          new nn.ReLU(),
        ),
      [3],
    ],
    [
      'transposed, in groups',
      () =>
        new nn.Sequential(
          new nn.ConvTranspose2d(4, 6, 2, { groups: 2, stride: 2, seed: 1 }),
          new nn.BatchNorm2d(6, { affine: false }),
        ),
      [4, 2, 3],
    ],
    [
      'nested',
      () => new nn.Sequential(block(), new nn.Sequential(new nn.BatchNorm2d(3), new nn.Tanh())),
      [2, 6, 6],
    ],
  ];
  test.each(nets)('%s: the same outputs with fewer layers', (_, make, shape) => {
    const net = settled(make(), shape);
    const folded = nn.foldBatchNorm(net);
    expect(folded.training).toBe(false);
    const x = random([2, ...shape], 'float64', 9);
    const want = net.forward(x);
    const magnitude = { data: want.data.map((value) => Math.max(1, Math.abs(value))), shape: want.shape };
    expectWithin(folded.forward(x), want, magnitude, { ...sums(1000, 'float64'), scale: 'largest' });
    expect(folded.buffers().length).toBeLessThan(Math.max(1, net.buffers().length));
  });

  test('leaves what it cannot fold', () => {
    const net = new nn.Sequential(new nn.Conv1d(1, 2, 1), new nn.ReLU(), new nn.BatchNorm1d(2));
    const kinds = (nn.foldBatchNorm(net) as nn.Sequential).modules.map((module) => module.describe());
    expect(kinds).toEqual(['Conv1d(1 → 2, 1)', 'ReLU', 'BatchNorm1d(2)']);
    expectRefusal(() => nn.foldBatchNorm({} as nn.Module), ArgumentError, /^net: expected a Module/);
  });
});

describe('linearize', () => {
  const net = () =>
    inFloat64(
      new nn.Sequential(
        new nn.Residual(
          new nn.Conv2d(2, 2, 3, { padding: 1, seed: 1 }),
          new nn.Conv2d(2, 2, 1, { bias: false, seed: 2 }),
        ),
        new nn.ReLU(),
        new nn.ConvTranspose2d(2, 3, 3, { stride: 2, padding: 1, outputPadding: 1, seed: 3 }),
        new nn.Flatten(),
        new nn.Linear(3 * 8 * 8, 2, { seed: 4 }),
      ),
    );

  test.each([false, true])('sparse: %s', (sparse) => {
    const conv = net();
    const linear = nn.linearize(conv, [2, 4, 4], { sparse });
    const x = random([3, 2, 4, 4], 'float64', 5);
    const g = random([3, 2], 'float64', 6);
    for (const [got, want] of [
      [linear.forward(x), conv.forward(x)],
      [linear.backward(g), conv.backward(g)],
    ]) {
      const magnitude = { data: want.data.map((value) => Math.max(1, Math.abs(value))), shape: want.shape };
      expectWithin(got, want, magnitude, { ...sums(1000, 'float64'), scale: 'largest' });
    }
    expect(linear.copy().forward(x)).toEqual(linear.forward(x));
    const { weight } = linear.modules[2] as nn.Linear | nn.SparseLinear;
    expect(weight instanceof CsrMatrix).toBe(sparse);
  });

  test('sparse where the dense matrix would not fit', () => {
    const big = new nn.Sequential(new nn.Conv2d(3, 64, 3, { padding: 1, seed: 1 }));
    expectRefusal(
      () => nn.linearize(big, [3, 64, 64]),
      MemoryError,
      /^layer 0, .*linearize: expected a dense matrix of at most 1 GiB/,
    );
    const linear = nn.linearize(big, [3, 64, 64], { sparse: true });
    const x = random([3, 64, 64]);
    const want = big.forward(x);
    expectWithin(
      linear.forward(x),
      want,
      { data: want.data.map(() => 1), shape: want.shape },
      sums(28, 'float32'),
    );
    expect(linear.summary([3, 64, 64]).rows[0].layer).toMatch(
      /^0 SparseLinear\(12288 → 262144, \d+ entries\) for Conv2d/,
    );
  });
});

describe('errors', () => {
  test('of layers and parts name them', () => {
    expectRefusal(() => new nn.Residual({} as nn.Module), ArgumentError, /^body: expected a Module/);
    const layer = new nn.Conv2d(1, 1, 1);
    expectRefusal(
      () => new nn.Residual(layer, layer),
      ArgumentError,
      /^shortcut: expected a module of its own/,
    );
    const narrow = new nn.Residual(new nn.Conv2d(1, 2, 3));
    expectRefusal(
      () => narrow.forward(random([1, 4, 4])),
      ShapeError,
      /^shortcut: expected shape \[2, 2, 2\], as the body, got shape \[1, 4, 4\]/,
    );
    expectRefusal(
      () => new nn.AdaptiveAvgPool2d([1] as never),
      ArgumentError,
      /^outputSize: expected a size, or \[height, width\]/,
    );
    expectRefusal(
      () => new nn.BatchNorm2d(3).forward(random([2, 4, 2, 2])),
      ShapeError,
      /^x: expected 3 channels, got 4 channels/,
    );
    expectRefusal(() => new nn.BatchNorm2d(3).forward(random([3, 2, 2])), ShapeError, /^x: expected 4 axes/);
    expectRefusal(() => new nn.Softmax(3).forward([1, 2]), ShapeError, /^x: expected an axis 3, got 1 axes/);
    expectRefusal(
      () => new nn.Sequential(narrow, new nn.Sequential(narrow)),
      ArgumentError,
      /^modules\[1\]\.modules\[0\]: expected a module of its own/,
    );
  });
});

describe('transposed convolution by outputSize', () => {
  const x = random([1, 2, 3, 3]);
  const weight = random([2, 2, 3, 3], 'float32', 2);

  test('is the one with the outputPadding that gives it', () => {
    for (const size of [5, 6]) {
      const y = convTranspose2d(x, weight, { stride: 2, padding: 1, outputSize: [size, 5] });
      expect(y).toEqual(convTranspose2d(x, weight, { stride: 2, padding: 1, outputPadding: [size - 5, 0] }));
      expect(conv2d(y, weight, { stride: 2, padding: 1 }).shape).toEqual([1, 2, 3, 3]);
    }
  });

  test('refuses sizes that no outputPadding gives', () => {
    const run = (outputSize: number[], rest = {}) =>
      convTranspose2d(x, weight, { stride: 2, padding: 1, outputSize, ...rest });
    expectRefusal(
      () => run([4, 5]),
      ShapeError,
      /^options\.outputSize: expected 5 to 6 on spatial axis 0, got 4/,
    );
    expectRefusal(
      () => run([5, 7]),
      ShapeError,
      /^options\.outputSize: expected 5 to 6 on spatial axis 1, got 7/,
    );
    expectRefusal(() => run([5]), ArgumentError, /^options\.outputSize: expected an integer, or 2 of them/);
    expectRefusal(
      () => run([5, 5], { outputPadding: 0 }),
      ArgumentError,
      /^options\.outputSize: expected no outputPadding beside it/,
    );
  });
});

test('pooling in three dimensions tells where its maxima are', async () => {
  const { maxPool3dWithIndices, maxPool1dWithIndices } = await import('convmat');
  const x = random([2, 3, 4, 5, 6]);
  const { output, indices } = maxPool3dWithIndices(x, 2);
  expect(output).toEqual(maxPool3d(x, 2));
  const places = 4 * 5 * 6;
  output.data.forEach((value, i) => {
    const plane = Math.floor(i / (output.size / 6));
    expect(x.data[plane * places + indices.data[i]]).toBe(value);
  });
  expect(maxPool1dWithIndices([[1, 3, 2, 5]], 2).indices.data).toEqual(Int32Array.of(1, 3));
});
