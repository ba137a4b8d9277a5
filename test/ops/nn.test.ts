import { ArgumentError, conv2d, DTypeError, nn, ShapeError, Tensor, tensor, UnsupportedError } from 'convmat';
import { describe, expect, test } from 'vitest';
import { expectWithin } from '../support/compare';
import { expectGradients, inFloat64 } from '../support/differences';
import { golden } from '../support/golden';
import { random } from '../support/random';
import { expectRefusal } from '../support/refusals';
import { type Float, sums } from '../support/tolerance';

/** The network of PyTorch's tutorial: 1×32×32 → 6@3×3, pool, 16@3×3, pool → 16×6×6 → 120 → 84 → 10. */
function lenet(): nn.Sequential {
  return new nn.Sequential(
    new nn.Conv2d(1, 6, 3, { seed: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 16, 3, { seed: 2 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(16 * 6 * 6, 120, { seed: 3 }),
    new nn.ReLU(),
    new nn.Linear(120, 84, { seed: 4 }),
    new nn.ReLU(),
    new nn.Linear(84, 10, { seed: 5 }),
  );
}

/** A small one with every kind of layer. */
function small(): nn.Sequential {
  return new nn.Sequential(
    new nn.Conv2d(2, 4, 3, { padding: 1, paddingMode: 'circular', groups: 2, seed: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2, { stride: 1 }),
    new nn.Sequential(new nn.Conv2d(4, 3, [2, 3], { stride: [2, 1], bias: false, seed: 2 }), new nn.ReLU()),
    new nn.AvgPool2d(2, { padding: 1 }),
    new nn.Flatten(),
    new nn.Linear(18, 5, { seed: 3 }),
  );
}

const SMALL_INPUT = [2, 2, 6, 7];

function maxDifference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b.data[i])), 0);
}

// biome-ignore lint/suspicious/noExplicitAny: layers as golden files name them
function build(layers: any[]): nn.Sequential {
  const made = layers.map(
    ([kind, ...given]) =>
      new (nn as unknown as Record<string, new (...a: unknown[]) => nn.Module>)[kind](...given),
  );
  return new nn.Sequential(...made);
}

const stateOf = (tensors: Record<string, Tensor>, map = (value: number) => value): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith('state.'))
      .map(([name, { data, shape }]) => [name.slice('state.'.length), new Tensor(data.map(map), shape)]),
  );

describe('golden data of PyTorch', () => {
  const cases = golden('torch_nn').cases.filter(({ call }) => call === 'nn.Sequential');
  test.each(cases)('$id', ({ args, tensors, expected }) => {
    const given = tensors as unknown as Record<string, Tensor>;
    const run = (map: (value: number) => number) => {
      const net = build(args.layers);
      net.loadStateDict(stateOf(given, map));
      const output = net.forward(new Tensor(given.input.data.map(map), given.input.shape));
      const gradInput = net.backward(new Tensor(given.gradOutput.data.map(map), output.shape));
      const grads = net.parameters().map(({ name, grad }): [string, Tensor] => [`grad.${name}`, grad]);
      return { output, gradInput, ...Object.fromEntries(grads) } as Record<string, Tensor>;
    };
    const actual = run((value) => value);
    // The same network of absolute values bounds every sum of products in the first.
    const magnitude = run(Math.abs);
    expect(Object.keys(actual).toSorted()).toEqual(Object.keys(expected).toSorted());
    const sizes = Object.values(given).map(({ data }) => data.length);
    const tolerance = sums(
      sizes.reduce((sum, size) => sum + size, 0),
      given.input.dtype as Float,
    );
    for (const [name, tensor] of Object.entries(expected)) {
      expect(actual[name].dtype).toBe(tensor.dtype);
      expectWithin(actual[name], tensor, magnitude[name], { ...tolerance, scale: 'largest' });
    }
  });

  const bounds = golden('torch_nn').cases.filter(({ id }) => id.startsWith('initialisation'));
  test.each(bounds)('$id', ({ call, args, plain }) => {
    const kind = call.slice('nn.'.length);
    const options = args.arguments.find(
      (argument: unknown) => Object.getPrototypeOf(argument) === Object.prototype,
    );
    const sizes = args.arguments.filter((argument: unknown) => argument !== options);
    const [layer] = build([[kind, ...sizes, { ...options, seed: 1 }]]).modules;
    for (const { name, data } of layer.parameters()) {
      const largest = Math.max(...Array.from(data, Math.abs));
      expect(largest).toBeLessThanOrEqual(plain[`${name}Bound`] * (1 + 2 ** -24));
      // Of 40 uniform numbers, all within 4/5 of the bound: one seed in 7500.
      expect(largest).toBeGreaterThan(plain[`${name}Bound`] * 0.8);
    }
  });
});

describe('gradients are derivatives', () => {
  const layers: [string, () => nn.Module, number[]][] = [
    ['Conv1d', () => new nn.Conv1d(4, 6, 3, { stride: 2, padding: 2, groups: 2, seed: 1 }), [2, 4, 9]],
    ['Conv1d without batch or bias', () => new nn.Conv1d(2, 3, 2, { bias: false, seed: 1 }), [2, 7]],
    ['Conv2d', () => new nn.Conv2d(2, 3, [3, 2], { dilation: [1, 2], seed: 1 }), [2, 2, 5, 6]],
    ['Conv2d without batch', () => new nn.Conv2d(2, 3, 3, { padding: 'same', seed: 1 }), [2, 4, 5]],
    [
      'Conv2d reflecting',
      () => new nn.Conv2d(1, 2, 3, { padding: 1, paddingMode: 'reflect', seed: 1 }),
      [1, 1, 4, 5],
    ],
    [
      'Conv3d',
      () =>
        new nn.Conv3d(2, 2, [1, 2, 3], {
          padding: [
            [0, 0],
            [1, 0],
            [1, 1],
          ],
          seed: 1,
        }),
      [1, 2, 2, 3, 4],
    ],
    ['Linear', () => new nn.Linear(5, 3, { seed: 1 }), [4, 5]],
    ['Linear without batch', () => new nn.Linear(5, 3, { seed: 1 }), [5]],
    [
      'Linear with two batch axes, without bias',
      () => new nn.Linear(4, 2, { bias: false, seed: 1 }),
      [2, 3, 4],
    ],
    ['ReLU', () => new nn.ReLU(), [3, 5]],
    ['MaxPool2d', () => new nn.MaxPool2d(2), [2, 2, 5, 4]],
    [
      'MaxPool2d overlapping',
      () => new nn.MaxPool2d(3, { stride: 1, padding: 1, dilation: [1, 1] }),
      [2, 4, 5],
    ],
    ['MaxPool2d in ceil mode', () => new nn.MaxPool2d([2, 3], { ceilMode: true }), [1, 2, 5, 7]],
    ['AvgPool2d', () => new nn.AvgPool2d(2), [2, 2, 5, 4]],
    [
      'AvgPool2d padded, in ceil mode',
      () => new nn.AvgPool2d(3, { stride: 2, padding: [1, 0], ceilMode: true }),
      [1, 2, 6, 6],
    ],
    [
      'AvgPool2d not counting padding',
      () =>
        new nn.AvgPool2d([3, 2], {
          stride: 1,
          padding: [
            [1, 0],
            [0, 1],
          ],
          countIncludePad: false,
        }),
      [2, 4, 5],
    ],
    ['Flatten', () => new nn.Flatten(), [2, 3, 4]],
    ['Sequential', small, SMALL_INPUT],
  ];
  test.each(layers)('%s', (_, make, shape) => {
    expectGradients(inFloat64(make()), random(shape, 'float64', 11));
  });

  test('layers that run together give what they give one by one', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const layers = () => [
        new nn.Conv2d(2, 5, 3, { seed: 1 }),
        new nn.ReLU(),
        new nn.MaxPool2d(3, { stride: 2 }),
        new nn.ReLU(),
        new nn.MaxPool2d(2, { stride: 1 }),
      ];
      const together = new nn.Sequential(...layers());
      const apart = new nn.Sequential(...layers().map((layer) => new nn.Sequential(layer)));
      const x = random([3, 2, 12, 11], dtype);
      x.data[5] = Number.NaN;
      const g = random(together.outputShape(x.shape), dtype, 2);
      const results = [together, apart].map((net) => {
        if (dtype === 'float64') inFloat64(net);
        return [net.forward(x), net.backward(g), ...net.parameters().map(({ grad }) => grad)].map(
          ({ data }) => data,
        );
      });
      expect(results[0]).toEqual(results[1]);
    }
  });

  test('add up until zeroGrad', () => {
    const net = small();
    const x = random(SMALL_INPUT);
    const g = random(net.outputShape(x.shape));
    net.forward(x);
    net.backward(g);
    const once = net.parameters().map(({ grad }) => grad.data.slice());
    net.forward(x);
    net.backward(g);
    net.parameters().forEach(({ grad }, i) => {
      expect(grad.data).toEqual(once[i].map((value) => 2 * value));
    });
    net.zeroGrad();
    for (const { grad } of net.parameters()) expect(grad.data.every((value) => value === 0)).toBe(true);
  });

  test('are of the latest forward', () => {
    const layer = new nn.Linear(3, 2, { seed: 1 });
    layer.forward([[9, 9, 9]]);
    layer.forward([[1, 2, 3]]);
    layer.backward([[1, 0]]);
    expect(layer.weight.grad.toNested()).toEqual([
      [1, 2, 3],
      [0, 0, 0],
    ]);
  });
});

describe('values', () => {
  test('a convolution layer is conv2d with its weight, bias and geometry', () => {
    const options = { stride: 2, padding: 1, paddingMode: 'replicate', dilation: 2, groups: 3 } as const;
    const layer = new nn.Conv2d(6, 9, 3, { ...options, seed: 5 });
    const x = random([2, 6, 11, 12]);
    const { weight, bias } = layer.stateDict();
    expect(layer.forward(x).data).toEqual(conv2d(x, weight, { ...options, bias }).data);
  });

  test('Linear is x·weightᵀ + bias', () => {
    const layer = new nn.Linear(3, 2);
    layer.loadStateDict({
      weight: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      bias: [10, 20],
    });
    expect(
      layer
        .forward([
          [1, 0, -1],
          [2, 2, 2],
        ])
        .toNested(),
    ).toEqual([
      [8, 18],
      [22, 50],
    ]);
    expect(layer.forward([1, 1, 1]).toNested()).toEqual([16, 35]);
  });

  test.each(['float32', 'float64'] as const)('ReLU of %s, special values included', (dtype) => {
    const layer = new nn.ReLU();
    // Negated: the sign of a NaN, which arithmetic may set, must not matter.
    const negativeNaN = new Float32Array(Uint32Array.of(0xffc00000).buffer)[0];
    const x = [NaN, negativeNaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 3, -3];
    const y = layer.forward(tensor(x, undefined, dtype));
    const tiny = dtype === 'float32' ? Math.fround(1e-45) : 1e-45;
    expect(Array.from(y.data, (value) => value + 0)).toEqual([NaN, NaN, Infinity, 0, 0, 0, tiny, 0, 3, 0]);
    const g = layer.backward(
      tensor(
        x.map((_, i) => i + 1),
        undefined,
        dtype,
      ),
    );
    expect(Array.from(g.data)).toEqual([1, 2, 3, 0, 0, 0, 7, 0, 9, 0]);
  });

  test('the gradient of a maximum goes to the first of equals', () => {
    const layer = new nn.MaxPool2d(2);
    layer.forward([
      [
        [5, 5],
        [5, 5],
      ],
    ]);
    expect(layer.backward([[[3]]]).toNested()).toEqual([
      [
        [3, 0],
        [0, 0],
      ],
    ]);
  });

  test('an empty batch goes through', () => {
    const net = small();
    const x = new Tensor(new Float32Array(0), [0, 2, 6, 7]);
    const y = net.forward(x);
    expect(y.shape).toEqual([0, 5]);
    expect(net.backward(y).shape).toEqual(x.shape);
    for (const { grad } of net.parameters()) expect(grad.data.every((value) => value === 0)).toBe(true);
  });

  test('outputShape is the shape of forward, with and without the batch', () => {
    const net = new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.ReLU(), new nn.AvgPool2d(2));
    for (const shape of [
      [4, 2, 9, 8],
      [2, 9, 8],
    ]) {
      expect(net.forward(random(shape)).shape).toEqual(net.outputShape(shape));
    }
  });
});

describe('initial weights', () => {
  test.each([
    ['Conv1d', (seed: number) => new nn.Conv1d(8, 64, 5, { groups: 4, seed }), 10],
    ['Conv2d', (seed: number) => new nn.Conv2d(3, 64, 3, { seed }), 27],
    ['Conv3d', (seed: number) => new nn.Conv3d(2, 64, 2, { seed }), 16],
    ['Linear', (seed: number) => new nn.Linear(40, 64, { seed }), 40],
  ] as const)('%s: uniform in ±1/√fanIn', (_, make, fanIn) => {
    const bound = 1 / Math.sqrt(fanIn);
    for (const { data } of make(3).parameters()) {
      const values = Array.from(data.data, (value) => value / bound);
      expect(data.dtype).toBe('float32');
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1 + 2 ** -24);
      // Of n uniform numbers in ±1, mean 0 and mean square 1/3 within five standard deviations.
      const n = values.length;
      expect(Math.abs(values.reduce((sum, v) => sum + v, 0) / n)).toBeLessThan(5 * Math.sqrt(1 / 3 / n));
      const squares = values.reduce((sum, v) => sum + v * v, 0) / n;
      expect(Math.abs(squares - 1 / 3)).toBeLessThan(5 * Math.sqrt(4 / 45 / n));
    }
    const [a, b, other] = [make(3), make(3), make(4)].map((layer) => layer.stateDict().weight.data);
    expect(a).toEqual(b);
    expect(a).not.toEqual(other);
  });

  test('differ when no seed is given', () => {
    expect(new nn.Linear(4, 4).stateDict()).not.toEqual(new nn.Linear(4, 4).stateDict());
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53, '1'])('seed %s is refused', (seed) => {
    expectRefusal(
      () => new nn.Linear(1, 1, { seed: seed as number }),
      ArgumentError,
      /^options\.seed: expected an integer/,
    );
  });
});

describe('state', () => {
  const NAMES = ['0.weight', '0.bias', '3.0.weight', '6.weight', '6.bias'];

  test('is named as in PyTorch, and copied both ways', () => {
    const net = small();
    const state = net.stateDict();
    expect(Object.keys(state)).toEqual(NAMES);
    expect(net.parameters().map(({ name }) => name)).toEqual(NAMES);
    const first = state['0.weight'].data[0];
    net.parameters()[0].data.data[0] += 1;
    expect(state['0.weight'].data[0]).toBe(first);
    const twin = small();
    twin.loadStateDict(state);
    state['0.weight'].data[0] = 77;
    expect(twin.parameters()[0].data.data[0]).toBe(first);
  });

  test('carries a network over: same outputs', () => {
    const [from, to] = [small(), small()];
    for (const { data } of from.parameters())
      data.data.forEach((value, i) => {
        data.data[i] = value * 2;
      });
    to.loadStateDict(from.stateDict());
    const x = random(SMALL_INPUT);
    expect(to.forward(x).data).toEqual(from.forward(x).data);
  });

  test('its dtype is adopted, by parameters and gradients; nested arrays take it', () => {
    const net = new nn.Sequential(new nn.Linear(2, 2, { seed: 1 }));
    net.loadStateDict({
      '0.weight': tensor(
        [
          [1, 2],
          [3, 4],
        ],
        undefined,
        'float64',
      ),
      '0.bias': [0.1, 0.2],
    });
    for (const { data, grad } of net.parameters())
      expect([data.dtype, grad.dtype]).toEqual(['float64', 'float64']);
    expect(net.forward([[1, 1]]).toNested()).toEqual([[3.1, 7.2]]);
    expectRefusal(() => net.forward(tensor([[1, 1]])), DTypeError, /^x: expected float64, got float32/);
    net.loadStateDict({
      '0.weight': [
        [0, 0],
        [0, 0],
      ],
      '0.bias': [0.1, 0],
    });
    expect(net.parameters()[1].data.toNested()).toEqual([0.1, 0]);
  });

  const good = (): Record<string, Tensor> => small().stateDict();
  test.each([
    [
      'a missing entry',
      () => ({ ...good(), '6.bias': undefined }),
      ArgumentError,
      /^state: expected an entry '6\.bias'/,
    ],
    [
      'an extra entry',
      () => ({ ...good(), '7.weight': random([1]) }),
      ArgumentError,
      /^state: .*got the entry "7\.weight"/,
    ],
    [
      'a misshapen entry',
      () => ({ ...good(), '6.bias': random([6]) }),
      ShapeError,
      /^state\['6\.bias'\]: expected shape \[5\], got shape \[6\]/,
    ],
    [
      'mixed dtypes',
      () => ({ ...good(), '6.bias': random([5], 'float64') }),
      DTypeError,
      /^state\['6\.bias'\]: expected float32/,
    ],
    [
      'integers',
      () => ({ ...good(), '0.weight': random([4, 1, 3, 3], 'int32') }),
      DTypeError,
      /^state\['0\.weight'\]: expected float32 or float64/,
    ],
    ['no object', () => null, ArgumentError, /^state: expected an object of tensors/],
    ['an entry that is none', () => ({ ...good(), '0.bias': 'x' }), ArgumentError, /^state\['0\.bias'\]: /],
  ])('%s is refused, and nothing changes', (_, state, Class, message) => {
    const net = small();
    const before = net.stateDict();
    const x = random(SMALL_INPUT);
    const y = net.forward(x);
    expectRefusal(() => net.loadStateDict(state() as Record<string, Tensor>), Class, message);
    expect(net.stateDict()).toEqual(before);
    expect(net.backward(y).shape).toEqual(x.shape);
  });

  test('copies have parameters of their own', () => {
    const net = small();
    const twin = net.copy();
    expect(twin.stateDict()).toEqual(net.stateDict());
    twin.parameters()[0].data.data[0] += 1;
    expect(twin.stateDict()).not.toEqual(net.stateDict());
    const x = random(SMALL_INPUT);
    net.forward(x);
    expectRefusal(() => twin.backward(random([2, 5])), ArgumentError, /expected a forward call/);
  });
});

describe('summary', () => {
  const summary = lenet().summary([1, 32, 32]);
  const { rows } = summary;

  test('walks 1×32×32 to 16×6×6 and 10', () => {
    expect(rows.map(({ outputShape }) => outputShape.join('×'))).toEqual([
      '6×30×30',
      '6×30×30',
      '6×15×15',
      '16×13×13',
      '16×13×13',
      '16×6×6',
      '576',
      '120',
      '120',
      '84',
      '84',
      '10',
    ]);
    rows.slice(1).forEach((row, i) => {
      expect(row.inputShape).toEqual(rows[i].outputShape);
    });
  });

  test('counts parameters and multiplications', () => {
    expect(rows.map(({ parameters }) => parameters)).toEqual([
      60, 0, 0, 880, 0, 0, 0, 69240, 0, 10164, 0, 850,
    ]);
    expect(rows.map(({ multiplications }) => multiplications)).toEqual([
      6 * 900 * 9,
      0,
      0,
      16 * 169 * 54,
      0,
      0,
      0,
      576 * 120,
      0,
      120 * 84,
      0,
      84 * 10,
    ]);
    const grouped = new nn.Sequential(new nn.Conv1d(4, 6, 3, { groups: 2 })).summary([4, 10]);
    expect(grouped.rows[0].multiplications).toBe(6 * 8 * 2 * 3);
  });

  test('says in words where each 6 comes from', () => {
    expect(rows[0].how).toMatch(/^6 kernels give 6 channels; height and width: 32 − 3 \+ 1 = 30 /);
    expect(rows[5].how).toBe(
      'height and width: ⌊(13 − 2)/2⌋ + 1 = 6 (windows of 2, side by side, reach 12 of 13: 1 left over)',
    );
    expect(rows[6].how).toBe('16·6·6 = 576: 16×6×6 in one row');
  });

  test('tells padding, dilation, strides and windows past the end', () => {
    const net = new nn.Sequential(
      new nn.Conv2d(1, 1, [3, 1], { padding: [1, 0], dilation: [2, 1], stride: [1, 3] }),
      new nn.MaxPool2d(2, { ceilMode: true }),
    );
    const [conv, pool] = net.summary([1, 9, 7]).rows;
    expect(conv.layer).toBe('0 Conv2d(1 → 1, 3×1, stride 1×3, padding 1×0, dilation 2×1)');
    expect(conv.how).toBe(
      '1 kernel gives 1 channel; height: 9 + 2 − 5 + 1 = 7 (a window of 3 taps that span 5 starts at each of 11 (2 of them padding) but the last 4); ' +
        'width: ⌊(7 − 1)/3⌋ + 1 = 3 (windows of 1, one every 3, reach all 7)',
    );
    expect(pool.how).toBe(
      'height: ⌈(7 − 2)/2⌉ + 1 = 4 (windows of 2, side by side, reach 1 past the end of 7); ' +
        'width: ⌈(3 − 2)/2⌉ + 1 = 2 (windows of 2, side by side, reach 1 past the end of 3)',
    );
  });

  test('prints a table with totals', () => {
    const lines = String(summary).split('\n');
    expect(lines[0]).toMatch(/^layer +output +parameters +multiplications$/);
    expect(lines.at(-1)).toMatch(/^total +81,194 +274,656$/);
    expect(new Set(lines.filter((line) => / 0$| \d{2,}$/.test(line)).map((line) => line.length)).size).toBe(
      1,
    );
  });

  test('refuses a shape that a layer cannot take', () => {
    expectRefusal(
      () => lenet().summary([1, 28, 28]),
      ShapeError,
      /^layer 7, Linear\(576 → 120\): inputShape: expected a last axis of 576, got shape \[1, 400\]/,
    );
    expectRefusal(
      () => lenet().summary([3, 32, 32]),
      ShapeError,
      /^layer 0, Conv2d\(1 → 6, 3×3\): inputShape: expected 1 channels/,
    );
    expectRefusal(
      () => lenet().summary('x' as unknown as number[]),
      ArgumentError,
      /^inputShape: expected an array/,
    );
  });
});

describe('linearize', () => {
  test('gives the same outputs and gradients through matrices', () => {
    const net = inFloat64(small());
    const linear = nn.linearize(net, [2, 6, 7]);
    const shapes = Object.entries(linear.stateDict()).map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual([
      ['0.weight', [4 * 42, 2 * 42]],
      ['0.bias', [4 * 42]],
      ['3.0.weight', [3 * 2 * 4, 4 * 30]],
      ['3.0.bias', [3 * 2 * 4]],
      ['6.weight', [5, 18]],
      ['6.bias', [5]],
    ]);
    const x = random(SMALL_INPUT, 'float64', 3);
    expect(maxDifference(linear.forward(x), net.forward(x))).toBeLessThan(1e-14);
    const g = random([2, 5], 'float64', 4);
    expect(maxDifference(linear.backward(g), net.backward(g))).toBeLessThan(1e-14);
  });

  test('takes LeNet apart: two convolutions become matrices', () => {
    const net = lenet();
    const linear = nn.linearize(net, [1, 32, 32]);
    const x = random([3, 1, 32, 32]);
    const y = net.forward(x);
    const largest = Math.max(...y.data);
    expect(maxDifference(linear.forward(x), y)).toBeLessThan(1e-5 * largest);
    const rows = linear.summary([1, 32, 32]).rows;
    expect(rows[0].layer).toBe('0 Linear(1024 → 5400) for Conv2d(1 → 6, 3×3)');
    expect(rows[3].multiplications).toBe(1350 * 2704);
  });

  test('works without the batch axis, and refuses other sizes', () => {
    const net = new nn.Sequential(new nn.Conv1d(2, 3, 3, { seed: 1 }));
    const linear = nn.linearize(net, [2, 5]);
    const x = random([2, 5]);
    expect(maxDifference(linear.forward(x), net.forward(x))).toBeLessThan(1e-6);
    expectRefusal(() => linear.forward(random([2, 6])), ShapeError, /expected shape \[2, 5\]/);
  });

  test('leaves the network as it was', () => {
    const net = small();
    const linear = nn.linearize(net, [2, 6, 7]);
    for (const { data } of linear.parameters()) data.data.fill(0);
    expect(net.stateDict()).toEqual(small().stateDict());
  });

  test('refuses what is no Sequential, and layers that cannot be copied', () => {
    expectRefusal(
      () => nn.linearize(new nn.ReLU() as unknown as nn.Sequential, [2]),
      ArgumentError,
      /^net: expected a Sequential/,
    );
    expectRefusal(
      () => nn.linearize(new nn.Sequential(new Doubling()), [2]),
      UnsupportedError,
      /^Doubling: expected a layer with a copy/,
    );
  });
});

/** A layer as users write them: only what must be there. */
class Doubling extends nn.Module {
  forward(x: Tensor): Tensor {
    return new Tensor(
      x.data.map((value) => 2 * value),
      x.shape,
    );
  }
  backward(g: Tensor): Tensor {
    return new Tensor(
      g.data.map((value) => 2 * value),
      g.shape,
    );
  }
  outputShape(shape: readonly number[]): readonly number[] {
    return shape;
  }
}

test('layers of one’s own go into a Sequential', () => {
  const net = new nn.Sequential(new nn.Linear(2, 2, { seed: 1 }), new Doubling());
  const x = random([3, 2], 'float64');
  expectGradients(inFloat64(net), x);
  expect(net.summary([2]).rows[1]).toMatchObject({
    layer: '1 Doubling',
    how: '2 → 2',
    parameters: 0,
    multiplications: 0,
  });
});

describe('refusals', () => {
  const SIZES: readonly unknown[] = [0, -1, 1.5, Number.NaN, '3', {}];
  test.each(SIZES)('sizes of %s', (size) => {
    const bad = size as number;
    expectRefusal(() => new nn.Conv2d(bad, 1, 1), ArgumentError, /^inChannels: expected an integer ≥ 1/);
    expectRefusal(() => new nn.Conv2d(1, bad, 1), ArgumentError, /^outChannels: /);
    expectRefusal(() => new nn.Conv2d(1, 1, bad), ArgumentError, /^kernelSize: /);
    expectRefusal(() => new nn.Linear(bad, 1), ArgumentError, /^inFeatures: /);
    expectRefusal(() => new nn.Linear(1, bad), ArgumentError, /^outFeatures: /);
    expectRefusal(() => new nn.MaxPool2d(bad), ArgumentError, /^kernelSize: /);
    expectRefusal(() => new nn.AvgPool2d(2, { stride: bad }), ArgumentError, /^options\.stride: /);
  });

  test('options', () => {
    expectRefusal(
      () => new nn.Conv2d(3, 4, 3, { groups: 2 }),
      ArgumentError,
      /^inChannels: expected a multiple of groups \(2\), got 3/,
    );
    expectRefusal(() => new nn.Conv2d(4, 3, 3, { groups: 2 }), ArgumentError, /^outChannels: /);
    expectRefusal(
      () => new nn.Conv2d(1, 1, [3]),
      ArgumentError,
      /^kernelSize: expected an integer, or 2 of them/,
    );
    expectRefusal(() => new nn.Conv2d(1, 1, 3, { padding: -1 }), ArgumentError, /^options\.padding: /);
    expectRefusal(
      () => new nn.Conv2d(1, 1, 3, { pading: 1 } as object),
      ArgumentError,
      /^options\.pading: unknown option/,
    );
    expectRefusal(
      () => new nn.Conv2d(1, 1, 3, { bias: 1 as unknown as boolean }),
      ArgumentError,
      /^options\.bias: expected true or false/,
    );
    expectRefusal(
      () => new nn.MaxPool2d(2, { padding: 2 }),
      ArgumentError,
      /^options\.padding: expected less than/,
    );
    expectRefusal(
      () => new nn.AvgPool2d(2, { dilation: 2 } as object),
      ArgumentError,
      /^options\.dilation: unknown option/,
    );
  });

  test.each([
    ['Conv2d', () => new nn.Conv2d(1, 1, 1), [1, 1, 2, 2]],
    ['Linear', () => new nn.Linear(2, 2), [1, 2]],
    ['ReLU', () => new nn.ReLU(), [2]],
    ['MaxPool2d', () => new nn.MaxPool2d(1), [1, 1, 2, 2]],
    ['AvgPool2d', () => new nn.AvgPool2d(1), [1, 1, 2, 2]],
    ['Flatten', () => new nn.Flatten(), [1, 2]],
    ['Sequential', () => new nn.Sequential(new nn.ReLU()), [2]],
  ])('%s: backward before forward, gradients of another shape or dtype, integers', (name, make, shape) => {
    const layer = make();
    expectRefusal(
      () => layer.backward(random(shape)),
      ArgumentError,
      new RegExp(`^${name}\\.backward: expected a forward call before it`),
    );
    expectRefusal(
      () => layer.forward(random(shape, 'int32')),
      DTypeError,
      /^x: expected float32 or float64, got int32/,
    );
    const y = layer.forward(random(shape));
    expectRefusal(() => layer.backward(random([...y.shape, 1])), ShapeError, /^gradOutput: expected shape/);
    expectRefusal(
      () => layer.backward(random(y.shape, 'float64')),
      DTypeError,
      /^gradOutput: expected float32, got float64/,
    );
    for (const { grad } of layer.parameters()) expect(grad.data.every((value) => value === 0)).toBe(true);
    layer.forget();
    expectRefusal(() => layer.backward(y), ArgumentError, /expected a forward call/);
  });

  test('inputs that a layer cannot take', () => {
    expectRefusal(
      () => new nn.Conv2d(2, 1, 3).forward(random([1, 3, 5, 5])),
      ShapeError,
      /^input: expected 2 channels/,
    );
    expectRefusal(
      () => new nn.Conv2d(1, 1, 3).forward(random([5, 5])),
      ShapeError,
      /^input: expected 4 axes/,
    );
    expectRefusal(
      () => new nn.Linear(3, 1).forward(random([2, 4])),
      ShapeError,
      /^x: expected a last axis of 3/,
    );
    expectRefusal(() => new nn.MaxPool2d(2).forward(random([2])), ShapeError, /^input: expected 4 axes/);
    expectRefusal(() => new nn.Flatten().forward(random([2])), ShapeError, /^x: expected at least 2 axes/);
    expectRefusal(
      () => new nn.Conv2d(1, 1, 3).outputShape([1, 1, 2, 2]),
      ShapeError,
      /dilated kernel within the padded input/,
    );
  });

  test('a Sequential refuses before a layer has forgotten its last input', () => {
    const net = small();
    const y = net.forward(random(SMALL_INPUT));
    net.backward(y);
    const grads = net.parameters().map(({ grad }) => grad.data.slice());
    expectRefusal(
      () => net.forward(random([2, 2, 6, 9])),
      ShapeError,
      /^layer 6, Linear\(18 → 5\): inputShape: expected a last axis of 18/,
    );
    expectRefusal(() => net.forward(random(SMALL_INPUT, 'float64')), DTypeError, /^x: expected float32/);
    net.zeroGrad();
    net.backward(y);
    net.parameters().forEach(({ grad }, i) => {
      expect(grad.data).toEqual(grads[i]);
    });
  });

  test('what is no module, and one that is there twice', () => {
    const relu = new nn.ReLU();
    expectRefusal(
      () => new nn.Sequential(relu, {} as nn.Module),
      ArgumentError,
      /^modules\[1\]: expected a Module/,
    );
    expectRefusal(
      () => new nn.Sequential(relu, new nn.Sequential(relu)),
      ArgumentError,
      /^modules\[1\]\.modules\[0\]: expected a module of its own/,
    );
  });
});
