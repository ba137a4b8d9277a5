import { ArgumentError, data, ShapeError, Tensor, tensor } from 'convmat';
import { describe, expect, test } from 'vitest';
import { random } from '../support/random';
import { expectRefusal } from '../support/refusals';

const numbered = (n: number): data.TensorDataset =>
  new data.TensorDataset(
    tensor(
      Float32Array.from({ length: 2 * n }, (_, i) => i),
      [n, 2],
    ),
    tensor(Int32Array.from({ length: n }, (_, i) => i)),
  );

/** The labels of each batch, after checking that the rows go with them. */
function epoch(loader: data.DataLoader): number[][] {
  return Array.from(loader, ([rows, labels]) => {
    expect(rows.shape).toEqual([labels.size, 2]);
    expect(Array.from(rows)).toEqual(Array.from(labels).flatMap((label) => [2 * label, 2 * label + 1]));
    return Array.from(labels);
  });
}

describe('TensorDataset', () => {
  test('gives sample i of every tensor, copied', () => {
    const x = random([3, 2, 2]);
    const set = new data.TensorDataset(x, Uint8Array.of(7, 8, 9), [[1], [2], [3]]);
    expect(set.length).toBe(3);
    const [row, label, nested] = set.get(1);
    expect([row.shape, row.dtype, label.shape, label.dtype, nested.dtype]).toEqual([
      [2, 2],
      'float32',
      [],
      'uint8',
      'float32',
    ]);
    expect(Array.from(row)).toEqual(Array.from(x).slice(4, 8));
    expect([label.toNested(), nested.toNested()]).toEqual([8, [2]]);
    row.data[0] = 99;
    expect(x.data[4]).not.toBe(99);
  });

  test('stacks samples in the order that is asked for', () => {
    const [rows, labels] = numbered(4).batch([3, 0, 3]);
    expect(rows.toNested()).toEqual([
      [6, 7],
      [0, 1],
      [6, 7],
    ]);
    expect(labels.toNested()).toEqual([3, 0, 3]);
  });

  test('refuses', () => {
    expectRefusal(() => new data.TensorDataset(), ArgumentError, /^tensors: expected at least one tensor/);
    expectRefusal(() => new data.TensorDataset(5), ShapeError, /^tensors\[0\]: expected at least 1 axis/);
    expectRefusal(
      () => new data.TensorDataset(random([3, 2]), random([4])),
      ShapeError,
      /^tensors\[1\]: expected 3 samples, as tensors\[0\], got shape \[4\]/,
    );
    for (const index of [-1, 3, 0.5, Number.NaN]) {
      expectRefusal(() => numbered(3).get(index), ArgumentError, /^index: expected an integer from 0 to 2/);
      expectRefusal(() => numbered(3).batch([0, index]), ArgumentError, /^indices\[1\]: expected an integer/);
    }
  });
});

describe('DataLoader', () => {
  test('goes in order, the last batch short unless dropped', () => {
    const loader = new data.DataLoader(numbered(7), { batchSize: 3 });
    expect(loader.length).toBe(3);
    expect(epoch(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(epoch(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const dropping = new data.DataLoader(numbered(7), { batchSize: 3, dropLast: true });
    expect(dropping.length).toBe(2);
    expect(epoch(dropping)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(epoch(new data.DataLoader(numbered(2)))).toEqual([[0], [1]]);
  });

  test('batches larger than the dataset, and an empty dataset', () => {
    expect(epoch(new data.DataLoader(numbered(2), { batchSize: 5 }))).toEqual([[0, 1]]);
    expect(epoch(new data.DataLoader(numbered(2), { batchSize: 5, dropLast: true }))).toEqual([]);
    const empty = new data.TensorDataset(new Tensor(new Float32Array(0), [0, 3]));
    expect([...new data.DataLoader(empty, { batchSize: 2, shuffle: true })]).toEqual([]);
  });

  test('shuffles anew each time, and the same for the same seed', () => {
    const make = (seed: number) => new data.DataLoader(numbered(50), { batchSize: 8, shuffle: true, seed });
    const loader = make(3);
    const [first, second] = [epoch(loader), epoch(loader)];
    for (const order of [first, second]) {
      expect(order.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    }
    expect(second).not.toEqual(first);
    const again = make(3);
    expect([epoch(again), epoch(again)]).toEqual([first, second]);
    expect(epoch(make(4))).not.toEqual(first);
  });

  test('passes that overlap have the orders of passes one after the other', () => {
    const make = () => new data.DataLoader(numbered(9), { shuffle: true, seed: 1 });
    const loader = make();
    const passes = [loader[Symbol.iterator](), loader[Symbol.iterator]()];
    const orders: number[][] = [[], []];
    for (let i = 0; i < 9; i++) {
      for (const [k, pass] of passes.entries()) orders[k].push(pass.next().value[1].data[0]);
    }
    const after = make();
    expect(orders).toEqual([epoch(after).flat(), epoch(after).flat()]);
  });

  test('every order of four is equally likely', () => {
    const counts = new Map<string, number>();
    const loader = new data.DataLoader(numbered(4), { batchSize: 4, shuffle: true, seed: 5 });
    const passes = 4800;
    for (let i = 0; i < passes; i++) {
      const order = epoch(loader).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const expected = passes / 24;
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 23 degrees of freedom: above 49.7 once in a thousand seeds.
    expect(chiSquare).toBeLessThan(49.7);
  });

  test.each([0, -1, 1.5, Number.NaN, '2'])('refuses a batch size of %s', (batchSize) => {
    expectRefusal(
      () => new data.DataLoader(numbered(3), { batchSize: batchSize as number }),
      ArgumentError,
      /^options\.batchSize: expected an integer ≥ 1/,
    );
  });

  test('refuses', () => {
    expectRefusal(
      () => new data.DataLoader([1, 2] as unknown as data.TensorDataset),
      ArgumentError,
      /^dataset: expected a TensorDataset/,
    );
    expectRefusal(
      () => new data.DataLoader(numbered(3), { shuffle: 1 as unknown as boolean }),
      ArgumentError,
      /^options\.shuffle: expected true or false/,
    );
    expectRefusal(
      () => new data.DataLoader(numbered(3), { batch: 3 } as object),
      ArgumentError,
      /^options\.batch: unknown option/,
    );
    expectRefusal(
      () => new data.DataLoader(numbered(3), { seed: -1 }),
      ArgumentError,
      /^options\.seed: expected an integer/,
    );
  });
});
