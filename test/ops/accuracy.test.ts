/** The errors that docs/accuracy.md promises, measured: it is the table there that this test reads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Algorithm,
  backendInfo,
  conv1d,
  conv2d,
  convInputGrad,
  convWeightGrad,
  Tensor,
  UnsupportedError,
} from 'convmat';
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

const { backend, isa } = backendInfo();
const native = backend === 'native';
const page = readFileSync(join(__dirname, '..', '..', 'docs', 'accuracy.md'), 'utf8');
/** The tables of the page, as rows of cells. */
const tables = page
  .split('\n\n')
  .filter((paragraph) => paragraph.startsWith('| '))
  .map((table) =>
    table
      .trim()
      .split('\n')
      .map((line) =>
        line
          .split('|')
          .map((cell) => cell.trim())
          .slice(1, -1),
      ),
  );
const [rows] = tables;
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

  test.each(promised.filter(({ name }) => name.startsWith('auto')))(
    'input gradient, $name: within $most',
    ({ accuracy, most }) => {
      const dx = convInputGrad([1, outputs, size, size], adjoint(w, channels, groups), x, {
        padding: 1,
        groups,
        accuracy,
      });
      expect(rootMeanSquare(dx.data, exact) / unit).toBeLessThanOrEqual(most);
    },
  );
});

/** The weight whose input gradient is the convolution with w: channels exchanged within each group, taps in reverse. */
function adjoint(w: Tensor, channels: number, groups: number): Tensor {
  const [outputs, perGroup] = w.shape;
  const each = outputs / groups;
  const data = new Float32Array(w.size);
  for (let o = 0; o < outputs; o++) {
    for (let c = 0; c < perGroup; c++) {
      const to = (Math.floor(o / each) * perGroup + c) * each + (o % each);
      for (let t = 0; t < 9; t++) data[to * 9 + t] = w.data[(o * perGroup + c) * 9 + 8 - t];
    }
  }
  return new Tensor(data, [channels, each, 3, 3]);
}

/** The second table: other operations, in the same unit, for both dtypes. */
interface Bound {
  readonly float32: number;
  readonly float64: number;
}
const bounds = new Map(
  tables[1]
    .slice(2)
    .map(([name, float32, float64]) => [
      name,
      { float32: Number(float32), float64: Number(float64) } as Bound,
    ]),
);

/** A sum of products: in order with every step rounded to the dtype, and exact but for 2⁻¹⁰⁴. */
function sumOf(terms: readonly (readonly [number, number])[], dtype: 'float32' | 'float64') {
  const round = dtype === 'float32' ? Math.fround : (value: number) => value;
  let rounded = 0;
  let [high, low] = [0, 0];
  for (const [a, b] of terms) {
    rounded = round(rounded + round(a * b));
    const [product, error] = exactProduct(a, b);
    const sum = high + product;
    const part = sum - high;
    low += high - (sum - part) + (product - part) + error;
    high = sum;
  }
  return { rounded, high, low };
}

/** a·b as a rounded product and its error: Dekker 1971, by Veltkamp's splitting. */
function exactProduct(a: number, b: number): [product: number, error: number] {
  const split = (value: number): [number, number] => {
    const scaled = 134217729 * value;
    const high = scaled - (scaled - value);
    return [high, value - high];
  };
  const product = a * b;
  const [[aHigh, aLow], [bHigh, bLow]] = [split(a), split(b)];
  return [product, aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)];
}

/** A column times a row, of normally distributed factors, for every kernel. */
function outer([count, perGroup, height, width]: readonly number[], dtype: 'float32' | 'float64'): Tensor {
  const columns = normal([count * perGroup, height], 4, 'float64').data;
  const rows = normal([count * perGroup, width], 5, 'float64').data;
  const data = Float64Array.from({ length: count * perGroup * height * width }, (_, i) => {
    const kernel = Math.floor(i / (height * width));
    return columns[Math.floor(i / width)] * rows[kernel * width + (i % width)];
  });
  const shape = [count, perGroup, height, width];
  return new Tensor(dtype === 'float32' ? Float32Array.from(data) : data, shape);
}

type Terms = (readonly [number, number])[];
type Operation = 'forward' | 'input gradient' | 'weight gradient';

/** The products that some elements of a result sum, by definition. */
function termsOf(
  operation: Operation,
  [x, w, dy]: readonly Tensor[],
  options: { padding?: number | number[] },
  picked: readonly number[],
): Terms[] {
  const [, ic, ...spatial] = x.shape;
  const [oc, , ...kernel] = w.shape;
  const { from } = slide(spatial, kernel, options);
  const [pixels, places, taps] = [x.size / ic, from.length, w.size / oc / ic];
  const sums = new Map<number, Terms>(picked.map((at) => [at, []]));
  for (let o = 0; o < oc; o++) {
    for (let c = 0; c < ic; c++) {
      from.forEach((reads, place) => {
        for (let tap = 0; tap < taps; tap++) {
          if (reads[tap] < 0) continue;
          const at = { x: c * pixels + reads[tap], w: (o * ic + c) * taps + tap, y: o * places + place };
          if (operation === 'forward') sums.get(at.y)?.push([x.data[at.x], w.data[at.w]]);
          else if (operation === 'input gradient') sums.get(at.x)?.push([dy.data[at.y], w.data[at.w]]);
          else sums.get(at.w)?.push([dy.data[at.y], x.data[at.x]]);
        }
      });
    }
  }
  return [...sums.values()];
}

interface Case {
  readonly name: string;
  readonly operation: Operation;
  readonly input: number[];
  readonly weight: number[];
  readonly padding: number | number[];
  readonly algorithm?: Algorithm;
  readonly separable?: true;
}
const CASES: readonly Case[] = [
  {
    name: 'fft, 15×15',
    operation: 'forward',
    input: [1, 1, 60, 60],
    weight: [1, 1, 15, 15],
    padding: 7,
    algorithm: 'fft',
  },
  {
    name: 'fft, 9×9, 8 channels',
    operation: 'forward',
    input: [1, 8, 40, 40],
    weight: [2, 8, 9, 9],
    padding: 4,
    algorithm: 'fft',
  },
  {
    name: 'fft, 401',
    operation: 'forward',
    input: [1, 1, 3000],
    weight: [1, 1, 401],
    padding: 200,
    algorithm: 'fft',
  },
  {
    name: 'fft, 64, 8 channels',
    operation: 'forward',
    input: [1, 8, 900],
    weight: [2, 8, 64],
    padding: 32,
    algorithm: 'fft',
  },
  {
    name: 'fft, 65×1',
    operation: 'forward',
    input: [1, 1, 200, 20],
    weight: [1, 1, 65, 1],
    padding: [32, 0],
    algorithm: 'fft',
  },
  {
    name: 'separable, 15×15',
    operation: 'forward',
    input: [1, 1, 60, 60],
    weight: [1, 1, 15, 15],
    padding: 7,
    separable: true,
  },
  {
    name: 'separable, 7×7',
    operation: 'forward',
    input: [1, 1, 60, 60],
    weight: [1, 1, 7, 7],
    padding: 3,
    separable: true,
  },
  {
    name: 'input gradient',
    operation: 'input gradient',
    input: [1, 32, 14, 14],
    weight: [64, 32, 3, 3],
    padding: 1,
  },
  {
    name: 'weight gradient',
    operation: 'weight gradient',
    input: [1, 16, 30, 30],
    weight: [32, 16, 3, 3],
    padding: 1,
  },
];

test('the second table has a row for every operation', () => {
  expect([...bounds.keys()]).toEqual(CASES.map(({ name }) => name));
});

describe.each(['float32', 'float64'] as const)('%s against sums in twice the precision', (dtype) => {
  test.each(CASES)('$name', ({ name, operation, input, weight, padding, algorithm, separable }) => {
    const x = normal(input, 1, dtype);
    const w = separable ? outer(weight, dtype) : normal(weight, 2, dtype);
    const rank = input.length - 2;
    const convolve = rank === 1 ? conv1d : conv2d;
    const options = { padding } as { padding: number };
    // JavaScript transforms a channel at a time, and no column.
    const serves = algorithm !== undefined && (native || (input[1] === 1 && weight.at(-1) !== 1));
    const y = convolve(x, w, { ...options, ...(serves && { algorithm }) });
    const dy = normal([...y.shape], 3, dtype);
    const result =
      operation === 'forward'
        ? y
        : operation === 'input gradient'
          ? convInputGrad(input, w, dy, options)
          : convWeightGrad(x, weight, dy, options);
    const picked = Array.from({ length: 400 }, (_, i) => Math.floor((i * result.size) / 400));
    const terms = termsOf(operation, [x, w, dy], options, [...new Set(picked)]);
    let [own, sequential] = [0, 0];
    [...new Set(picked)].forEach((at, i) => {
      const { rounded, high, low } = sumOf(terms[i], dtype);
      own += (result.data[at] - high - low) ** 2;
      sequential += (rounded - high - low) ** 2;
    });
    const ratio = Math.sqrt(own / sequential);
    expect(ratio, name).toBeLessThanOrEqual((bounds.get(name) as Bound)[dtype]);
  });
});
