/** Chains whose channels lie in blocks between their steps, against the evaluation of their operations. */
import { describe, expect, test } from 'vitest';
import type { Graph } from '../../dist/graph/graph.js';
import { evaluationOf } from '../../dist/graph/operators/index.js';
import { backendInfo } from '../../dist/index.js';
import { compiled, GraphOf, results, worstDifference } from '../support/graphs';

const BOUND = 2e-5;

type Shape = readonly [batch: number, channels: number, height: number, width: number];
interface Window {
  readonly k?: number;
  readonly kernel?: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilation?: number;
  readonly pads?: readonly (readonly [number, number])[];
  readonly groups?: number;
}

/** A value and its shape, with the operations that networks of images are made of. */
class Images extends GraphOf {
  readonly shapes = new Map<number, Shape>();

  image(shape: Shape): number {
    return this.#of(this.input(shape, 1), shape);
  }
  shape(id: number): Shape {
    const shape = this.shapes.get(id);
    if (shape === undefined) throw new Error(`${id} is no image`);
    return shape;
  }
  #of(id: number, shape: Shape): number {
    this.shapes.set(id, shape);
    return id;
  }

  conv(x: number, out: number, window: Window = {}, accuracy?: 'bias'): number {
    const { attributes, sizes } = this.#window(x, window);
    const [batch, channels] = this.shape(x);
    const groups = window.groups ?? 1;
    const operands = [x, this.constant([out, channels / groups, ...attributes.kernel])];
    if (accuracy !== undefined) operands.push(this.constant([out]));
    const shape: Shape = [batch, out, ...sizes];
    // Sums of many products are kept small, so that a chain neither grows nor vanishes.
    const sums = this.#of(this.add('Conv', { ...attributes, groups }, operands, shape), shape);
    const scale = 1 / Math.sqrt((channels / groups) * attributes.kernel[0] * attributes.kernel[1]);
    return this.#of(this.add('Binary', { fn: 'Mul' }, [sums, this.number(scale)], shape), shape);
  }
  depthwise(x: number, window: Window): number {
    const channels = this.shape(x)[1];
    return this.conv(x, channels, { ...window, groups: channels }, 'bias');
  }
  maxPool(x: number, window: Window): number {
    const { attributes, sizes } = this.#window(x, window);
    const [batch, channels] = this.shape(x);
    const shape: Shape = [batch, channels, ...sizes];
    return this.#of(this.add('MaxPool', { ...attributes, columnMajor: false }, [x], shape), shape);
  }
  averagePool(x: number, window: Window, countIncludePad: boolean): number {
    const { attributes, sizes } = this.#window(x, window);
    const [batch, channels] = this.shape(x);
    const shape: Shape = [batch, channels, ...sizes];
    return this.#of(this.add('AveragePool', { ...attributes, countIncludePad }, [x], shape), shape);
  }
  mean(x: number): number {
    const [batch, channels] = this.shape(x);
    const shape: Shape = [batch, channels, 1, 1];
    return this.#of(this.add('Reduce', { fn: 'Mean', axes: [2, 3], keepDims: true }, [x], shape), shape);
  }
  unary(fn: 'Relu' | 'Sigmoid' | 'HardSwish' | 'Exp', x: number): number {
    return this.#of(this.add('Unary', { fn, alpha: 0, beta: 0 }, [x], this.shape(x)), this.shape(x));
  }
  sum(a: number, b: number): number {
    return this.#of(this.add('Binary', { fn: 'Add' }, [a, b], this.shape(a)), this.shape(a));
  }
  concat(...parts: readonly number[]): number {
    const [batch, , ...sizes] = this.shape(parts[0]);
    const channels = parts.reduce((sum, id) => sum + this.shape(id)[1], 0);
    const shape: Shape = [batch, channels, sizes[0], sizes[1]];
    return this.#of(this.add('Concat', { axis: 1 }, parts, shape), shape);
  }
  zeros(channels: number, like: number): number {
    const [batch, , height, width] = this.shape(like);
    const shape: Shape = [batch, channels, height, width];
    return this.#of(this.constantOf(shape, new Float32Array(batch * channels * height * width)), shape);
  }

  #window(x: number, { k = 1, kernel = [k, k], strides = [1, 1], dilation = 1, pads }: Window) {
    const [, , ...sizes] = this.shape(x);
    const spans = kernel.map((size) => (size - 1) * dilation + 1);
    const around = pads ?? spans.map((span): [number, number] => [(span - 1) >> 1, span >> 1]);
    const outputs = spans.map(
      (span, axis) =>
        Math.floor((sizes[axis] + around[axis][0] + around[axis][1] - span) / strides[axis]) + 1,
    );
    return {
      attributes: { kernel, strides, dilations: [dilation, dilation], pads: around },
      sizes: [outputs[0], outputs[1]] as const,
    };
  }
}

/** The largest difference, and how many steps have their channels in blocks. */
function compare(
  graph: Graph,
  given?: (inputs: Float32Array[]) => void,
): [difference: number, steps: number] {
  const { inputs } = results(graph, evaluationOf);
  given?.(inputs);
  const { outputs } = results(graph, evaluationOf, inputs);
  let difference = 0;
  let steps = 0;
  for (const accuracy of ['fast', 'strict'] as const) {
    const network = compiled(graph, { exactness: { accuracy, precision: 'float32' } });
    const got = network.run(inputs);
    steps = network.executable.steps.filter(({ algorithm }) =>
      algorithm.endsWith('channels in blocks'),
    ).length;
    network.release();
    difference = Math.max(difference, ...outputs.map((expected, i) => worstDifference(got[i], expected)));
  }
  return [difference, steps];
}

/** JavaScript has no vectors to fill, and where nothing is faster than 128 bits other algorithms are chosen. */
const hasBlocks = !['js', 'generic', 'wasm', 'wasm-relaxed'].includes(backendInfo().isa);

function expectBlocks(graph: Graph, least: number): void {
  const [difference, steps] = compare(graph);
  expect(difference).toBeLessThan(BOUND);
  if (hasBlocks) expect(steps).toBeGreaterThanOrEqual(least);
}

describe('channels in blocks', () => {
  test.each([
    [1, 32, 28],
    [2, 20, 13],
    [1, 51, 7],
    [3, 16, 1],
  ])('a residual block: batch %d, %d channels on %d', (batch, channels, size) => {
    const g = new Images();
    let x = g.unary(
      'Relu',
      g.conv(g.image([batch, 3, 2 * size, 2 * size]), channels, { k: 3, strides: [2, 2] }),
    );
    const shortcut = x;
    x = g.unary('Relu', g.conv(x, 2 * channels, {}, 'bias'));
    x = g.unary('Relu', g.conv(x, 2 * channels, { k: 3 }, 'bias'));
    x = g.unary('Relu', g.sum(g.conv(x, channels), shortcut));
    x = g.conv(x, 40, { k: 3, strides: [2, 2] });
    expectBlocks(g.graph(g.mean(x)), size > 1 ? 4 : 0);
  });

  test.each([
    { k: 3 },
    { k: 5, strides: [2, 2] as const },
    { k: 3, strides: [2, 1] as const },
    {
      k: 5,
      strides: [1, 2] as const,
      pads: [
        [0, 3],
        [4, 1],
      ] as const,
    },
    {
      k: 3,
      pads: [
        [0, 0],
        [0, 0],
      ] as const,
    },
  ])('an inverted residual block: %j', (window) => {
    for (const [batch, size] of [
      [1, 30],
      [2, 7],
    ]) {
      const g = new Images();
      let x = g.conv(g.image([batch, 3, size, size]), 24, { k: 3 });
      x = g.unary('HardSwish', g.conv(x, 70, {}, 'bias'));
      x = g.unary('Relu', g.depthwise(x, window));
      x = g.sum(g.conv(x, 24), g.conv(x, 24, {}, 'bias'));
      expectBlocks(g.graph(g.mean(x)), 3);
    }
  });

  test.each([
    { k: 3, dilation: 2 },
    { kernel: [1, 3] as const },
    { kernel: [3, 1] as const, strides: [1, 2] as const },
    {
      k: 5,
      pads: [
        [1, 2],
        [0, 1],
      ] as const,
    },
    {
      k: 2,
      strides: [2, 2] as const,
      pads: [
        [0, 0],
        [0, 0],
      ] as const,
    },
    { kernel: [1, 7] as const, strides: [3, 2] as const },
    {
      kernel: [13, 13] as const,
      pads: [
        [0, 0],
        [0, 0],
      ] as const,
    },
  ])('a convolution of blocks: %j', (window) => {
    const g = new Images();
    const x = g.unary('Relu', g.conv(g.image([2, 3, 13, 13]), 37, { k: 3 }));
    const y = g.unary('Sigmoid', g.conv(g.conv(x, 33, window), 20));
    expectBlocks(g.graph(g.mean(y)), 2);
  });

  test('pools of every kind', () => {
    const windows: Window[] = [
      { k: 3, strides: [2, 2] },
      {
        k: 2,
        strides: [2, 2],
        pads: [
          [0, 0],
          [0, 0],
        ],
      },
      {
        kernel: [3, 2],
        strides: [1, 2],
        pads: [
          [1, 0],
          [0, 1],
        ],
      },
      { k: 5 },
    ];
    for (const window of windows) {
      const g = new Images();
      const x = g.conv(g.image([2, 3, 21, 35]), 35, { k: 3 });
      const pools = [g.maxPool(x, window), g.averagePool(x, window, true), g.averagePool(x, window, false)];
      const y = pools.map((pool) => g.conv(pool, 32)).reduce((a, b) => g.sum(a, b));
      expectBlocks(g.graph(g.mean(y)), 5);
    }
  });

  test('parts of one whole, the same twice, and a part that is an output', () => {
    for (const batch of [1, 2]) {
      const g = new Images();
      const x = g.unary('Relu', g.conv(g.image([batch, 3, 16, 16]), 32, { k: 3 }));
      const a = g.unary('Relu', g.conv(x, 64, { k: 3 }));
      const b = g.conv(x, 16, { k: 1 });
      const y = g.conv(g.concat(a, b, a, x), 48);
      expectBlocks(g.graph(g.mean(y), b), 4);
    }
  });

  test('zeros behind the channels, in the last block and beyond', () => {
    for (const [channels, more] of [
      [24, 4],
      [28, 14],
      [32, 32],
      [5, 1],
    ]) {
      const g = new Images();
      const x = g.unary('Relu', g.conv(g.image([1, 3, 24, 24]), channels, { k: 3 }));
      const pool = g.maxPool(x, {
        k: 2,
        strides: [2, 2],
        pads: [
          [0, 0],
          [0, 0],
        ],
      });
      const whole = g.concat(pool, g.zeros(more, pool));
      const y = g.depthwise(x, { k: 3, strides: [2, 2] });
      const z = g.unary('Relu', g.sum(g.conv(y, channels + more), whole));
      expect(compare(g.graph(g.conv(z, 40)))[0]).toBeLessThan(BOUND);
    }
  });

  test('lanes beyond the last channel are not mixed in, whatever they hold', () => {
    const g = new Images();
    // e^0 is 1, and log 0 is infinite: zeros of a block that is not full do not stay zeros.
    const x = g.conv(g.image([1, 3, 20, 20]), 21, { k: 3 });
    const y = g.add('Unary', { fn: 'Log', alpha: 0, beta: 0 }, [g.unary('Exp', x)], g.shape(x));
    g.shapes.set(y, g.shape(x));
    const z = g.concat(y, g.zeros(3, y));
    expect(compare(g.graph(g.conv(g.conv(z, 24, { k: 3 }), 24), g.mean(z)))[0]).toBeLessThan(BOUND);
  });

  test('numbers that are none go no further than they are read', () => {
    const g = new Images();
    const x = g.conv(g.image([1, 3, 30, 30]), 40, {});
    const y = g.unary('Relu', g.sum(g.conv(g.unary('HardSwish', g.conv(x, 33, { k: 3 })), 40, { k: 3 }), x));
    const z = g.maxPool(y, { k: 3, strides: [2, 2] });
    const graph = g.graph(g.conv(z, 16), g.averagePool(z, { k: 3 }, false));
    const spoil = (inputs: Float32Array[]) => {
      inputs[0][17 * 30 + 3] = Number.NaN;
      inputs[0][900 + 45] = Number.POSITIVE_INFINITY;
    };
    expect(compare(graph, spoil)[0]).toBeLessThan(BOUND);
  });

  test.each([{ k: 3, strides: [2, 1] as const }, { k: 5 }, { k: 3 }, { k: 1 }])(
    'images of one channel: %j',
    (window) => {
      const g = new Images();
      const x = g.unary('Relu', g.conv(g.image([2, 1, 28, 28]), 32, window));
      const y = g.maxPool(g.unary('Relu', g.conv(x, 64, { k: 3 }, 'bias')), { k: 3, strides: [2, 2] });
      expectBlocks(g.graph(g.mean(g.conv(y, 48))), 3);
    },
  );

  test('a residual that is read again is not written over', () => {
    const g = new Images();
    const x = g.unary('Relu', g.conv(g.image([1, 3, 28, 28]), 32, { k: 3 }));
    const y = g.unary('Relu', g.sum(g.conv(x, 32), x));
    const z = g.unary('Relu', g.sum(g.conv(y, 32), x));
    const last = g.unary('Relu', g.sum(g.conv(z, 32), z));
    expectBlocks(g.graph(g.conv(last, 20), g.mean(y)), 5);
  });
});
