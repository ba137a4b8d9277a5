/** Max and average pooling as PyTorch defines them, by definition, in float64. */
import {
  flat,
  indices,
  margins,
  perAxis,
  product,
  type Result,
  type Values,
  withBatch,
  zeros,
} from './window';

type PerAxis = number | readonly number[];
export interface PoolOptions {
  stride?: PerAxis;
  padding?: PerAxis | readonly (readonly [number, number])[];
  dilation?: PerAxis;
  ceilMode?: boolean;
  countIncludePad?: boolean;
}

/** One window: the input elements it sees, in order, and how many padded elements it spans. */
interface Seen {
  readonly pixels: readonly number[];
  readonly spanned: number;
}

function windows(
  spatial: readonly number[],
  kernel: readonly number[],
  options: PoolOptions,
): { places: number[]; seen: Seen[] } {
  const rank = kernel.length;
  const stride = options.stride === undefined ? [...kernel] : perAxis(options.stride, rank, 1);
  const dilation = perAxis(options.dilation, rank, 1);
  const margin = margins(options.padding, kernel, dilation);
  const places = spatial.map((size, axis) => {
    const [before, after] = margin[axis];
    const room = size + before + after - dilation[axis] * (kernel[axis] - 1) - 1;
    const steps = room / stride[axis];
    if (!options.ceilMode) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    // A last window that starts past the input and its leading padding does not count.
    return (count - 1) * stride[axis] >= size + before ? count - 1 : count;
  });
  const seen = indices(places).map((place) => {
    const pixels: number[] = [];
    let spanned = 0;
    for (const tap of indices(kernel)) {
      const at = place.map((p, axis) => p * stride[axis] + tap[axis] * dilation[axis] - margin[axis][0]);
      if (at.every((i, axis) => i < spatial[axis] + margin[axis][1])) spanned++;
      if (at.every((i, axis) => i >= 0 && i < spatial[axis])) pixels.push(flat(at, spatial));
    }
    return { pixels, spanned };
  });
  return { places, seen };
}

function overPlanes(
  x: Values,
  kernel: readonly number[],
  options: PoolOptions,
  pool: (plane: ArrayLike<number>, seen: Seen, at: number) => void,
): readonly number[] {
  const [n, c, ...spatial] = withBatch(x.shape, kernel.length);
  const { places, seen } = windows(spatial, kernel, options);
  const pixels = product(spatial);
  for (let plane = 0; plane < n * c; plane++) {
    const values = Array.from({ length: pixels }, (_, i) => x.data[plane * pixels + i]);
    seen.forEach((window, place) => {
      pool(values, window, plane * seen.length + place);
    });
  }
  return [...x.shape.slice(0, x.shape.length - kernel.length), ...places];
}

/** The largest element of each window, and its flat spatial index: the first of equals; the last NaN wins over all. */
export function maxPool(
  x: Values,
  kernel: readonly number[],
  options: PoolOptions = {},
): { output: Result; indices: Result } {
  const output: number[] = [];
  const chosen: number[] = [];
  const shape = overPlanes(x, kernel, options, (plane, { pixels }, at) => {
    let best = pixels[0];
    for (const pixel of pixels) {
      if (plane[pixel] > plane[best] || Number.isNaN(plane[pixel])) best = pixel;
    }
    output[at] = plane[best];
    chosen[at] = best;
  });
  return {
    output: { data: Float64Array.from(output), shape },
    indices: { data: Float64Array.from(chosen), shape },
  };
}

/** The mean of each window, over the padded elements that it spans or over those of the input alone. */
export function avgPool(x: Values, kernel: readonly number[], options: PoolOptions = {}): Result {
  const output: number[] = [];
  const shape = overPlanes(x, kernel, options, (plane, { pixels, spanned }, at) => {
    const sum = pixels.reduce((total, pixel) => total + plane[pixel], 0);
    output[at] = sum / (options.countIncludePad === false ? pixels.length : spanned);
  });
  const result = zeros(shape);
  result.data.set(output);
  return result;
}
