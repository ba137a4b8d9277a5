/** unfold, fold and matrix products, by definition, in float64. */
import { type Geometry, product, type Result, slide, type Values, withBatch, zeros } from './window';

type Lowering = Omit<Geometry, 'groups'>;

/** columns[n][c·taps][places] ← image[n][c][…] */
export function unfold(x: Values, kernel: readonly number[], geometry: Lowering = {}): Result {
  const [n, c, ...spatial] = withBatch(x.shape, kernel.length);
  const { from } = slide(spatial, kernel, geometry);
  const taps = product(kernel);
  const batch = x.shape.slice(0, x.shape.length - kernel.length - 1);
  const columns = zeros([...batch, c * taps, from.length]);
  for (let plane = 0; plane < n * c; plane++) {
    for (let tap = 0; tap < taps; tap++) {
      for (let place = 0; place < from.length; place++) {
        const pixel = from[place][tap];
        const value = pixel < 0 ? 0 : x.data[plane * product(spatial) + pixel];
        columns.data[(plane * taps + tap) * from.length + place] = value;
      }
    }
  }
  return columns;
}

/** image[n][c][…] ← Σ of what unfold would have read from there */
export function fold(
  columns: Values,
  output: readonly number[],
  kernel: readonly number[],
  geometry: Lowering = {},
): Result {
  const { from } = slide(output, kernel, geometry);
  const taps = product(kernel);
  const batch = columns.shape.slice(0, -2);
  const channels = columns.shape[columns.shape.length - 2] / taps;
  const image = zeros([...batch, channels, ...output]);
  for (let plane = 0; plane < product(batch) * channels; plane++) {
    for (let tap = 0; tap < taps; tap++) {
      for (let place = 0; place < from.length; place++) {
        const pixel = from[place][tap];
        if (pixel < 0) continue;
        image.data[plane * product(output) + pixel] +=
          columns.data[(plane * taps + tap) * from.length + place];
      }
    }
  }
  return image;
}

/** c[m][n] = Σ a[m][k]·b[k][n] */
export function matmul(a: Values, b: Values): Result {
  const [m, k] = a.shape;
  const n = b.shape[1];
  const c = zeros([m, n]);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      for (let j = 0; j < n; j++) c.data[i * n + j] += a.data[i * k + p] * b.data[p * n + j];
    }
  }
  return c;
}
