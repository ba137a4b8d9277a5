/** Networks that run at the same time, are aborted, and are let go while they run. */
import { describe, expect, test } from 'vitest';
import type { Graph } from '../../dist/graph/graph.js';
import { evaluationOf } from '../../dist/graph/operators/index.js';
import { compiled, GraphOf, results, worstDifference } from '../support/graphs';

/** Some convolutions behind one another, with a residual sum: long enough for aborts to come in between. */
function deepGraph(blocks: number): Graph {
  const g = new GraphOf();
  const shape = [1, 16, 40, 40];
  let x = g.input(shape, 1);
  for (let i = 0; i < blocks; i++) {
    const window = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], groups: 1 };
    const pads: [number, number][] = [
      [1, 1],
      [1, 1],
    ];
    const y = g.add('Conv', { ...window, pads }, [x, g.constant([16, 16, 3, 3])], shape);
    const sum = g.add('Binary', { fn: 'Add' }, [x, y], shape);
    x = g.add('Unary', { fn: 'Tanh', alpha: 0, beta: 0 }, [sum], shape);
  }
  return g.graph(x);
}

describe('runs at the same time', () => {
  test('are each their own, whatever their inputs become meanwhile', async () => {
    const graph = deepGraph(6);
    const network = compiled(graph);
    const { inputs } = results(graph, evaluationOf);
    const runs = Array.from({ length: 12 }, (_, i) => inputs[0].map((v) => v * (1 - i / 16)));
    const expected = runs.map((input) => network.run([input])[0]);
    const got = runs.map((input) => network.runAsync([input]));
    for (const input of runs) input.fill(Number.NaN);
    for (const [i, result] of (await Promise.all(got)).entries())
      expect(worstDifference(result[0], expected[i])).toBe(0);
    network.release();
  });

  test('abort with the reason, and leave the others alone', async () => {
    const graph = deepGraph(20);
    const network = compiled(graph);
    const { inputs } = results(graph, evaluationOf);
    const expected = network.run(inputs)[0];
    const reason = new Error('enough');
    const calls = Array.from({ length: 16 }, (_, i) => {
      const controller = new AbortController();
      const call = network.runAsync(inputs, controller.signal);
      if (i % 2 === 0) setTimeout(() => controller.abort(reason), i / 4);
      return call.then(
        ([data]) => worstDifference(data, expected),
        (error: unknown) => error,
      );
    });
    const ends = await Promise.all(calls);
    for (const [i, end] of ends.entries()) {
      if (i % 2 === 1) expect(end).toBe(0);
      else expect([0, reason]).toContain(end);
    }
    const late = AbortSignal.abort(reason);
    await expect(network.runAsync(inputs, late)).rejects.toBe(reason);
    network.release();
  });

  test('end well when the network is let go', async () => {
    const graph = deepGraph(8);
    const network = compiled(graph);
    const { inputs } = results(graph, evaluationOf);
    const expected = network.run(inputs)[0];
    const calls = Array.from({ length: 6 }, () => network.runAsync(inputs));
    network.release();
    network.release();
    for (const [data] of await Promise.all(calls)) expect(worstDifference(data, expected)).toBe(0);
  });
});

test('networks of other shapes share what is packed', () => {
  const preparation = { exactness: { accuracy: 'fast', precision: 'float32' } } as const;
  const shared = new Float32Array(64 * 64 * 9).map((_, i) => Math.sin(i * 7.13));
  const graphs = [20, 36].map((size) => {
    const g = new GraphOf();
    const w = g.constantOf([64, 64, 3, 3], shared);
    const shape = [1, 64, size, size];
    const window = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], groups: 1 };
    const pads: [number, number][] = [
      [1, 1],
      [1, 1],
    ];
    return g.graph(g.add('Conv', { ...window, pads }, [g.input(shape, 1), w], shape));
  });
  const networks = graphs.map((graph) => compiled(graph, preparation));
  for (const [i, graph] of graphs.entries()) {
    const { inputs, outputs } = results(graph, evaluationOf);
    expect(worstDifference(networks[i].run(inputs)[0], outputs[0])).toBeLessThan(1e-5);
  }
  networks[0].release();
  const { inputs, outputs } = results(graphs[1], evaluationOf);
  expect(worstDifference(networks[1].run(inputs)[0], outputs[0])).toBeLessThan(1e-5);
  networks[1].release();
});
