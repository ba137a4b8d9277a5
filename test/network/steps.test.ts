/** Every kind of step against the evaluation of the operations that it stands for, in shapes that break corners. */
import { describe, expect, test } from 'vitest';
import type {
  Attributes,
  BinaryFunction,
  Graph,
  ReduceFunction,
  UnaryFunction,
} from '../../dist/graph/graph.js';
import { evaluationOf } from '../../dist/graph/operators/index.js';
import { compiled, GraphOf, results, worstDifference } from '../support/graphs';

const CONV = {
  strides: [1, 1],
  dilations: [1, 1],
  pads: [
    [0, 0],
    [0, 0],
  ],
  groups: 1,
} as const;

/** The largest difference relative to the RMS of what the operations give, one by one. */
function difference(graph: Graph): number {
  const network = compiled(graph);
  const { inputs, outputs } = results(graph, evaluationOf);
  const got = network.run(inputs);
  network.release();
  return Math.max(...outputs.map((expected, i) => worstDifference(got[i], expected)));
}

const UNARY: readonly [UnaryFunction, number, number][] = [
  ['Abs', 0, 0],
  ['Ceil', 0, 0],
  ['Celu', 1.5, 0],
  ['Clip', -0.5, 0.7],
  ['Cos', 0, 0],
  ['Elu', 0.8, 0],
  ['Erf', 0, 0],
  ['Exp', 0, 0],
  ['Floor', 0, 0],
  ['Gelu', 0, 0],
  ['GeluTanh', 0, 0],
  ['HardSigmoid', 0.3, 0.4],
  ['HardSwish', 0, 0],
  ['LeakyRelu', 0.1, 0],
  ['Mish', 0, 0],
  ['Neg', 0, 0],
  ['Reciprocal', 0, 0],
  ['Relu', 0, 0],
  ['Round', 0, 0],
  ['Selu', 1.67, 1.05],
  ['Sigmoid', 0, 0],
  ['Sign', 0, 0],
  ['Sin', 0, 0],
  ['Softplus', 0, 0],
  ['Softsign', 0, 0],
  ['Tanh', 0, 0],
  ['ThresholdedRelu', 0.3, 0],
];

describe('elementwise programs', () => {
  test.each(UNARY)('%s', (fn, alpha, beta) => {
    for (const size of [1, 7, 515]) {
      const g = new GraphOf();
      const x = g.input([2, size], 3);
      expect(difference(g.graph(g.add('Unary', { fn, alpha, beta }, [x], [2, size])))).toBeLessThan(3e-6);
    }
  });

  const BINARY: BinaryFunction[] = ['Add', 'Div', 'Max', 'Min', 'Mul', 'Pow', 'PRelu', 'Sub'];
  test.each(BINARY)('%s of operands that broadcast', (fn) => {
    const shapes = [
      [
        [2, 3, 5, 7],
        [2, 3, 5, 7],
      ],
      [
        [2, 3, 5, 7],
        [3, 1, 1],
      ],
      [[2, 3, 5, 7], [1]],
      [
        [3, 1, 1],
        [2, 3, 5, 7],
      ],
      [
        [2, 3, 1, 7],
        [1, 3, 5, 1],
      ],
      [[4, 600], [600]],
      [
        [2, 1],
        [1, 900],
      ],
    ];
    for (const [a, b] of shapes) {
      const g = new GraphOf();
      const shape = broadcast(a, b);
      const [x, z] = [g.input(a, 1, fn === 'Pow'), g.input(b, 1, fn === 'Pow')];
      expect(difference(g.graph(g.add('Binary', { fn }, [x, z], shape)))).toBeLessThan(2e-6);
    }
  });

  test('a chain with operands that are used again, and constants', () => {
    const g = new GraphOf();
    const [x, s] = [g.input([2, 8, 6, 6], 1), g.constant([8, 1, 1])];
    const a = g.add('Binary', { fn: 'Mul' }, [x, s], [2, 8, 6, 6]);
    const b = g.add('Unary', { fn: 'Sigmoid', alpha: 0, beta: 0 }, [a], [2, 8, 6, 6]);
    const c = g.add('Binary', { fn: 'Mul' }, [a, b], [2, 8, 6, 6]);
    const d = g.add('Binary', { fn: 'Add' }, [c, x], [2, 8, 6, 6]);
    const e = g.add('Binary', { fn: 'Sub' }, [g.number(1), d], [2, 8, 6, 6]);
    expect(difference(g.graph(e))).toBeLessThan(2e-6);
  });
});

function broadcast(a: number[], b: number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) =>
    Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1),
  );
}

describe('convolutions and what finishes them', () => {
  const cases = [
    { name: 'direct', channels: 3, out: 20, kernel: [3, 3], strides: [2, 2], size: 21 },
    { name: 'Winograd', channels: 32, out: 40, kernel: [3, 3], strides: [1, 1], size: 30 },
    { name: '1x1', channels: 24, out: 50, kernel: [1, 1], strides: [1, 1], size: 27 },
    { name: 'depthwise', channels: 33, out: 33, kernel: [3, 3], strides: [1, 1], size: 17, groups: 33 },
    {
      name: 'depthwise of unequal strides',
      channels: 17,
      out: 17,
      kernel: [5, 5],
      strides: [2, 1],
      size: 19,
      groups: 17,
    },
    { name: 'one row', channels: 16, out: 16, kernel: [1, 3], strides: [1, 1], size: 14 },
    { name: 'large kernel', channels: 2, out: 4, kernel: [15, 15], strides: [1, 1], size: 60 },
  ];
  test.each(cases)('$name', ({ channels, out, kernel, strides, size, groups = 1 }) => {
    const pads = kernel.map((k): [number, number] => [k >> 1, (k - 1) >> 1]);
    const sizes = kernel.map((k, axis) => Math.floor((size + k - 1 - k) / strides[axis]) + 1);
    const shape = [2, out, ...sizes];
    for (const finish of ['none', 'relu', 'residual', 'swish', 'scaled'] as const) {
      const g = new GraphOf();
      const x = g.input([2, channels, size, size], 1);
      const [w, b] = [g.constant([out, channels / groups, ...kernel]), g.constant([out])];
      let y = g.add('Conv', { ...CONV, kernel, strides, pads, groups }, [x, w, b], shape);
      if (finish === 'relu') y = g.add('Unary', { fn: 'Relu', alpha: 0, beta: 0 }, [y], shape);
      if (finish === 'residual') {
        const r = g.input(shape, 1);
        y = g.add('Binary', { fn: 'Add' }, [r, y], shape);
        y = g.add('Unary', { fn: 'Relu', alpha: 0, beta: 0 }, [y], shape);
      }
      if (finish === 'swish') {
        const s = g.add('Unary', { fn: 'Sigmoid', alpha: 0, beta: 0 }, [y], shape);
        y = g.add('Binary', { fn: 'Mul' }, [y, s], shape);
      }
      if (finish === 'scaled') {
        const n = [1, 2, 3].map(() => g.constant([out]));
        y = g.add('BatchNormalization', { epsilon: 1e-5 }, [y, ...n, g.constant([out], true)], shape);
        y = g.add('Unary', { fn: 'LeakyRelu', alpha: 0.1, beta: 0 }, [y], shape);
      }
      expect(difference(g.graph(y)), finish).toBeLessThan(2e-5);
    }
  });

  test.each([
    [2, 2, 0],
    [3, 2, 1],
    [4, 2, 1],
    [3, 1, 1],
  ])('transposed %d, stride %d, padding %d', (k, s, p) => {
    const g = new GraphOf();
    const x = g.input([1, 12, 9, 11], 1);
    const [w, b] = [g.constant([12, 10, k, k]), g.constant([10])];
    const size = (n: number) => (n - 1) * s + k - 2 * p;
    const shape = [1, 10, size(9), size(11)];
    const attributes = {
      kernel: [k, k],
      strides: [s, s],
      dilations: [1, 1],
      pads: [
        [p, p],
        [p, p],
      ] as const,
      groups: 1,
      outputPads: [0, 0],
    };
    const y = g.add('ConvTranspose', attributes, [x, w, b], shape);
    expect(
      difference(g.graph(g.add('Unary', { fn: 'Sigmoid', alpha: 0, beta: 0 }, [y], shape))),
    ).toBeLessThan(1e-5);
  });

  test('a result that is not finite is finished once', () => {
    const g = new GraphOf();
    const x = g.input([1, 32, 28, 28], 1);
    const w = g.constant([32, 32, 3, 3]);
    const shape = [1, 32, 28, 28];
    const y = g.add(
      'Conv',
      {
        ...CONV,
        kernel: [3, 3],
        pads: [
          [1, 1],
          [1, 1],
        ],
      },
      [x, w],
      shape,
    );
    const z = g.add(
      'Binary',
      { fn: 'Add' },
      [g.add('Unary', { fn: 'Tanh', alpha: 0, beta: 0 }, [y], shape), g.number(1)],
      shape,
    );
    const graph = g.graph(z);
    const network = compiled(graph);
    const { inputs } = results(graph, evaluationOf);
    inputs[0][1000] = Infinity;
    const expected = results(graph, evaluationOf, inputs).outputs[0];
    expect(worstDifference(network.run(inputs)[0], expected)).toBeLessThan(2e-5);
    network.release();
  });
});

describe('moves', () => {
  const shape = [2, 3, 5, 7];
  const PERMS = [
    [0, 2, 3, 1],
    [0, 3, 1, 2],
    [3, 2, 1, 0],
    [1, 0, 2, 3],
    [0, 1, 3, 2],
  ];
  test.each(PERMS)('Transpose %d %d %d %d', (...perm) => {
    for (const size of [shape, [1, 33, 40, 18], [1, 1, 6, 1]]) {
      const g = new GraphOf();
      const y = g.add(
        'Transpose',
        { perm },
        [g.input(size, 1)],
        perm.map((axis) => size[axis]),
      );
      expect(difference(g.graph(y))).toBe(0);
    }
  });

  test('Slice: stretches, steps and backwards', () => {
    const cases = [
      { starts: [0, 1, 0, 0], steps: [1, 1, 1, 1], to: [2, 2, 5, 7] },
      { starts: [1, 0, 0, 0], steps: [1, 1, 1, 1], to: [1, 3, 5, 7] },
      { starts: [0, 0, 4, 6], steps: [1, 1, -2, -1], to: [2, 3, 3, 5] },
      { starts: [0, 0, 1, 0], steps: [1, 1, 2, 3], to: [2, 3, 2, 3] },
    ];
    for (const { starts, steps, to } of cases) {
      const g = new GraphOf();
      const y = g.add('Slice', { starts, steps }, [g.input(shape, 1)], to);
      expect(difference(g.graph(g.add('Unary', { fn: 'Neg', alpha: 0, beta: 0 }, [y], to)))).toBe(0);
      expect(difference(g.graph(y))).toBe(0);
    }
  });

  test('Slice: axes of one and of three, each whole or cut', () => {
    for (let wide = 0; wide < 8; wide++) {
      for (let cut = 0; cut < 8; cut++) {
        const from = [0, 1, 2].map((axis) => ((wide >> axis) & 1 ? 3 : 1));
        const isCut = from.map((size, axis) => size > 1 && ((cut >> axis) & 1) === 1);
        const to = from.map((size, axis) => (isCut[axis] ? size - 1 : size));
        const starts = isCut.map((is) => (is ? 1 : 0));
        const g = new GraphOf();
        const y = g.add('Slice', { starts, steps: [1, 1, 1] }, [g.input(from, 1)], to);
        expect(difference(g.graph(y)), `${to} of ${from}`).toBe(0);
      }
    }
  });

  test('results without elements, of operands that have some', () => {
    for (const [whole, part] of [
      [[0, 3], [3]],
      [
        [2, 0, 3],
        [1, 3],
      ],
      [
        [0, 4],
        [1, 1],
      ],
    ]) {
      const g = new GraphOf();
      const y = g.add('Binary', { fn: 'Mul' }, [g.input(whole, 1), g.input(part, 2)], whole);
      const network = compiled(g.graph(y));
      const { inputs } = results(g.graph(y), evaluationOf);
      expect(network.run(inputs)[0].length).toBe(0);
      network.release();
    }
  });

  test('Concat of what steps write, of inputs, constants, and the same twice', () => {
    for (const [axis, batch] of [
      [1, 1],
      [1, 2],
      [3, 1],
      [0, 2],
    ]) {
      const g = new GraphOf();
      const part = [batch, 3, 4, 5];
      const whole = part.map((n, i) => (i === axis ? 5 * n : n));
      const x = g.input(part, 1);
      const a = g.add('Unary', { fn: 'Tanh', alpha: 0, beta: 0 }, [x], part);
      const b = g.add('Unary', { fn: 'Neg', alpha: 0, beta: 0 }, [a], part);
      const y = g.add('Concat', { axis }, [a, x, b, g.constant(part), a], whole);
      const z = g.add('Binary', { fn: 'Add' }, [y, y], whole);
      expect(difference(g.graph(z, b)), `axis ${axis}`).toBeLessThan(1e-6);
    }
  });

  test.each(['constant', 'reflect', 'edge', 'wrap'] as const)('Pad by %s', (mode) => {
    const g = new GraphOf();
    const before = [0, 1, 2, 3];
    const after = [0, 0, 4, 1];
    const to = shape.map((n, axis) => n + before[axis] + after[axis]);
    const y = g.add('Pad', { mode, before, after, value: 0.5 }, [g.input(shape, 1)], to);
    expect(difference(g.graph(y))).toBe(0);
  });

  test('Expand, Tile and Gather', () => {
    const g = new GraphOf();
    const x = g.input([3, 1, 7], 1);
    const a = g.add('Expand', {}, [x], [2, 3, 5, 7]);
    const b = g.add('Tile', { repeats: [1, 2, 1, 3] }, [a], [2, 6, 5, 21]);
    const c = g.add('Gather', { axis: 1 }, [b, g.integers([4, -1, 0], [3])], [2, 3, 5, 21]);
    expect(difference(g.graph(c))).toBe(0);
  });
});

describe('along axes', () => {
  const FUNCTIONS: ReduceFunction[] = [
    'L1',
    'L2',
    'LogSumExp',
    'Max',
    'Mean',
    'Min',
    'Prod',
    'Sum',
    'SumSquare',
  ];
  test.each(FUNCTIONS)('Reduce%s', (fn) => {
    for (const [shape, axes] of [
      [
        [2, 3, 5, 7],
        [2, 3],
      ],
      [[2, 3, 5, 7], [1]],
      [
        [2, 3, 5, 7],
        [0, 1, 2, 3],
      ],
      [[4, 300], [1]],
      [[300, 5], [0]],
      [
        [2, 3, 4],
        [0, 2],
      ],
    ]) {
      const g = new GraphOf();
      const to = shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
      const y = g.add('Reduce', { fn, axes, keepDims: true }, [g.input(shape, 1)], to);
      expect(difference(g.graph(y))).toBeLessThan(5e-6);
    }
  });

  test.each(['Softmax', 'LogSoftmax'] as const)('%s', (op) => {
    for (const [shape, axis] of [
      [[3, 1000], 1],
      [[2, 5, 9], 1],
      [[2, 5, 1100], 1],
      [[6, 1], 1],
    ] as [number[], number][]) {
      const g = new GraphOf();
      expect(difference(g.graph(g.add(op, { axis }, [g.input(shape, 4)], shape)))).toBeLessThan(3e-6);
    }
  });

  test.each([0, 1])('LogSoftmax along axis %i: what is equal stays equal, beside any maximum', (axis) => {
    const shape = axis === 0 ? [2, 300] : [300, 2];
    const g = new GraphOf();
    const graph = g.graph(g.add('LogSoftmax', { axis }, [g.input(shape, 1)], shape));
    const network = compiled(graph);
    const data = new Float32Array(600).map((_, i) => (axis === 0 ? i % 300 : i >> 1) * 0.37);
    const [y] = network.run([data]);
    network.release();
    expect(y).toEqual(new Float32Array(600).fill(-Math.LN2));
  });

  test('normalisations', () => {
    const shape = [2, 6, 5, 7];
    const g = new GraphOf();
    const x = g.input(shape, 1);
    const parameters = [g.constant([6]), g.constant([6])];
    const a = g.add('InstanceNormalization', { epsilon: 1e-5 }, [x, ...parameters], shape);
    const b = g.add(
      'LayerNormalization',
      { axis: 2, epsilon: 1e-5 },
      [a, g.constant([5, 7]), g.constant([5, 7])],
      shape,
    );
    const c = g.add('LayerNormalization', { axis: 3, epsilon: 1e-5 }, [b, g.constant([7])], shape);
    expect(difference(g.graph(c))).toBeLessThan(1e-5);
  });

  test('LayerNormalization: parameters of one element, and one of each length', () => {
    const [shape, attributes] = [[2, 3, 4], { axis: 1, epsilon: 1e-5 }];
    for (const scale of [[3, 4], [4], [1]]) {
      for (const bias of [[3, 4], [3, 1], [1]]) {
        const g = new GraphOf();
        const operands = [g.input(shape, 1), g.constant(scale), g.constant(bias)];
        const y = g.add('LayerNormalization', attributes, operands, shape);
        expect(difference(g.graph(y)), `${scale} and ${bias}`).toBeLessThan(1e-5);
      }
    }
  });

  test('LRN', () => {
    for (const beta of [0.75, 0.5, 0.6]) {
      for (const size of [5, 2]) {
        const g = new GraphOf();
        const shape = [2, 7, 23, 24];
        const y = g.add('LRN', { alpha: 0.3, beta, bias: 1.5, size }, [g.input(shape, 2)], shape);
        expect(difference(g.graph(y))).toBeLessThan(2e-6);
      }
    }
  });

  test.each(['MaxPool', 'AveragePool'] as const)('%s', (op) => {
    const cases = [
      {
        kernel: [3, 3],
        strides: [2, 2],
        pads: [
          [1, 1],
          [1, 1],
        ],
        to: [2, 3, 7, 9],
      },
      {
        kernel: [3, 3],
        strides: [1, 1],
        pads: [
          [1, 1],
          [1, 1],
        ],
        to: [2, 3, 13, 17],
      },
      {
        kernel: [3, 2],
        strides: [2, 1],
        pads: [
          [0, 0],
          [0, 1],
        ],
        to: [2, 3, 6, 17],
      },
      {
        kernel: [2, 2],
        strides: [2, 2],
        pads: [
          [0, 1],
          [0, 1],
        ],
        to: [2, 3, 7, 9],
      },
    ];
    for (const { kernel, strides, pads, to } of cases) {
      for (const countIncludePad of [true, false]) {
        const window = { kernel, strides, pads: pads as [number, number][], dilations: [1, 1] };
        const g = new GraphOf();
        const x = g.input([2, 3, 13, 17], 1);
        const y =
          op === 'MaxPool'
            ? g.add(op, { ...window, columnMajor: false } as Attributes['MaxPool'], [x], to)
            : g.add(op, { ...window, countIncludePad }, [x], to);
        expect(difference(g.graph(y))).toBeLessThan(2e-6);
      }
    }
  });
});

describe('products', () => {
  test.each([
    [1, 64, 100],
    [5, 33, 20],
    [40, 120, 360],
  ])('Gemm of %d rows, %d by %d', (m, k, n) => {
    for (const transB of [false, true]) {
      for (const [alpha, beta] of [
        [1, 1],
        [0.5, 2],
      ]) {
        const g = new GraphOf();
        const b = g.constant(transB ? [n, k] : [k, n]);
        const y = g.add(
          'Gemm',
          { alpha, beta, transA: false, transB },
          [g.input([m, k], 1), b, g.constant([n])],
          [m, n],
        );
        expect(
          difference(g.graph(g.add('Unary', { fn: 'Relu', alpha: 0, beta: 0 }, [y], [m, n]))),
        ).toBeLessThan(1e-5);
      }
    }
  });

  test('MatMul in batches', () => {
    for (const [a, b, to] of [
      [
        [2, 4, 9, 16],
        [2, 4, 16, 11],
        [2, 4, 9, 11],
      ],
      [
        [3, 9, 16],
        [16, 11],
        [3, 9, 11],
      ],
      [
        [9, 16],
        [3, 16, 11],
        [3, 9, 11],
      ],
    ]) {
      const g = new GraphOf();
      expect(difference(g.graph(g.add('MatMul', {}, [g.input(a, 1), g.input(b, 1)], to)))).toBeLessThan(5e-6);
    }
  });

  test('MatMul by a constant, which is packed', () => {
    for (const [rows, k, n] of [
      [1, 5, 7],
      [3, 400, 33],
      [40, 120, 97],
      [17, 1000, 64],
    ]) {
      const g = new GraphOf();
      const [x, w] = [g.input([2, rows, k], 1), g.constant([k, n])];
      expect(difference(g.graph(g.add('MatMul', {}, [x, w], [2, rows, n])))).toBeLessThan(5e-6);
    }
  });
});
