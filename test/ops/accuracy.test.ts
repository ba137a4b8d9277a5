/** The errors that docs/accuracy.md promises, measured: it is the table there that this test reads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Algorithm, backendInfo, conv2d, type Tensor, UnsupportedError } from 'convmat';
import { describe, expect, test } from 'vitest';
import { conv } from '../oracle/conv';
import { slide } from '../oracle/window';
import { normal } from '../support/random';

/** A row of the table, in the column of this run. */
interface Promised {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly accuracy: 'fast' | 'strict';
  readonly most: number;
}

const { isa } = backendInfo();
const page = readFileSync(join(__dirname, '..', '..', 'docs', 'accuracy.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
const column = rows[0].findIndex((heading) => heading.split(', ').includes(isa));
const promises = rows.slice(2).map((row) => {
  const [algorithm, accuracy = 'fast'] = row[0].split(', ');
  return { name: row[0], algorithm, accuracy, most: Number(row[column]) } as Promised;
});

/** The sum in the order of the definition, every product and every partial sum rounded to float32. */
function sequential(x: Tensor, w: Tensor, groups: number): Float64Array {
  const [, ic, ...spatial] = x.shape;
  const [oc, perGroup, ...kernel] = w.shape;
  const { from } = slide(spatial, kernel, { padding: 1 });
  const pixels = x.size / ic;
  const y = new Float64Array(oc * from.length);
  for (let o = 0; o < oc; o++) {
    const first = Math.floor(o / (oc / groups)) * perGroup;
    from.forEach((reads, place) => {
      let sum = 0;
      for (let c = 0; c < perGroup; c++) {
        for (let tap = 0; tap < reads.length; tap++) {
          if (reads[tap] < 0) continue;
          const product =
            x.data[(first + c) * pixels + reads[tap]] * w.data[(o * perGroup + c) * reads.length + tap];
          sum = Math.fround(sum + Math.fround(product));
        }
      }
      y[o * from.length + place] = sum;
    });
  }
  return y;
}

function rootMeanSquare(actual: ArrayLike<number>, exact: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < exact.length; i++) sum += (actual[i] - exact[i]) ** 2;
  return Math.sqrt(sum / exact.length);
}

const LAYERS = [
  { id: '16 to 32 channels', channels: 16, outputs: 32, size: 26, groups: 1 },
  { id: '32 to 32 channels', channels: 32, outputs: 32, size: 22, groups: 1 },
  { id: '64 to 64 channels', channels: 64, outputs: 64, size: 14, groups: 1 },
  { id: '512 to 32 channels', channels: 512, outputs: 32, size: 9, groups: 1 },
  { id: '48 channels, depthwise', channels: 48, outputs: 48, size: 24, groups: 48 },
];

test('the table has a column for this instruction set and a row for every way', () => {
  expect(column).toBeGreaterThan(0);
  for (const { most } of promises) expect(most).toBeGreaterThan(0);
  expect(promises.map(({ name }) => name)).toContain('auto, fast');
});

describe.each(LAYERS)('$id', ({ channels, outputs, size, groups }) => {
  const perGroup = channels / groups;
  const x = normal([1, channels, size, size], 1);
  const w = normal([outputs, perGroup, 3, 3], 2);
  const exact = conv(x, w, { padding: 1, groups }).data;
  const unit = rootMeanSquare(sequential(x, w, groups), exact);

  const promised = promises.filter(({ algorithm }) => algorithm !== 'winograd' || perGroup >= 16);
  test.each(promised)('$name: within $most of a sequential sum', ({ algorithm, accuracy, most, name }) => {
    let y: Tensor;
    try {
      y = conv2d(x, w, { padding: 1, groups, algorithm, accuracy });
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      expect(name).not.toMatch(/^(auto|im2col)/);
      return;
    }
    expect(rootMeanSquare(y.data, exact) / unit).toBeLessThanOrEqual(most);
  });
});
