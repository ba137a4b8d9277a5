/** Weights that lie in a file's bytes, wherever they begin: to the last bit what the same elements in an array give. */
import { describe, expect, test } from 'vitest';
import { evaluationOf } from '../../dist/graph/operators/index.js';
import { compiled, GraphOf, results, worstDifference } from '../support/graphs';
import { random } from '../support/random';

type Kind = 'constantOf' | 'stored';

const PADDED = {
  strides: [1, 1],
  dilations: [1, 1],
  pads: [
    [1, 1],
    [1, 1],
  ],
  groups: 1,
} as const;

/** A convolution by Winograd's tiles, one by direct sums, and one of one pixel, scaled by channels; then products. */
function graphOf(kind: Kind, height: number, scales: number) {
  const g = new GraphOf();
  let seed = 1;
  const weight = (shape: number[]) => g[kind](shape, random(shape, 'float32', seed++).data as Float32Array);
  const scaled = (x: number, shape: number[]) => {
    let y = x;
    for (let i = 0; i < scales; i++)
      y = g.add('Binary', { fn: 'Mul' }, [y, g.constant([shape[1], 1, 1])], shape);
    return y;
  };
  const x = g.input([1, 5, height, 9], 1);
  const shape = (channels: number) => [1, channels, height, 9];
  const thin = { ...PADDED, kernel: [3, 3] };
  let y = scaled(g.add('Conv', thin, [x, weight([40, 5, 3, 3])], shape(40)), shape(40));
  y = scaled(g.add('Conv', thin, [y, weight([40, 40, 3, 3])], shape(40)), shape(40));
  y = g.add('Reduce', { fn: 'Mean', axes: [2, 3], keepDims: true }, [y], [1, 40, 1, 1]);
  y = g.add('Reshape', {}, [y, g.integers([1, 40], [2])], [1, 40]);
  const gemm = { alpha: 1, beta: 1, transA: false };
  const rows = weight([30, 40]);
  y = g.add('Gemm', { ...gemm, transB: true }, [y, rows, g.constant([30])], [1, 30]);
  y = g.add('MatMul', {}, [y, weight([30, 20])], [1, 20]);
  return g.graph(y);
}

function outputs(height: number, scales: number) {
  const [byBytes, byElements] = (['stored', 'constantOf'] as const).map((kind) => {
    const graph = graphOf(kind, height, scales);
    const network = compiled(graph);
    const { inputs } = results(graph, evaluationOf);
    const [data] = network.run(inputs);
    network.release();
    return data;
  });
  return { byBytes, byElements };
}

describe('weights in the bytes of a file', () => {
  test.each([9, 14])('give what the same elements do, %i rows', (height) => {
    const { byBytes, byElements } = outputs(height, 1);
    expect(byElements.some((value) => value !== 0)).toBe(true);
    expect(byBytes).toEqual(byElements);
  });
  test('factors of several scales are multiplied first, and round once more', () => {
    const { byBytes, byElements } = outputs(9, 3);
    expect(worstDifference(byBytes, byElements)).toBeLessThan(2e-6);
    expect(worstDifference(byBytes, byElements)).toBeGreaterThan(0);
  });
});
