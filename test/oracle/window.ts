/**
 * What the oracles share: where each tap of each output place reads. Written from the definitions, in the plainest way,
 * and on purpose without a line of the library: when both agree, neither is likely to be wrong.
 */

export interface Values {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}
export interface Result {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}
type PerAxis = number | readonly number[];
export interface Geometry {
  stride?: PerAxis;
  padding?: PerAxis | readonly (readonly [number, number])[] | 'valid' | 'same';
  paddingMode?: 'zeros' | 'circular' | 'reflect' | 'replicate';
  dilation?: PerAxis;
  groups?: number;
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

export function zeros(shape: readonly number[]): Result {
  return { data: new Float64Array(product(shape)), shape };
}

/** Every multi-index of a shape, in row-major order. */
export function indices(shape: readonly number[]): number[][] {
  let all: number[][] = [[]];
  for (const size of shape) {
    all = all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i]));
  }
  return all;
}

/** Row-major position of a multi-index. */
export function flat(index: readonly number[], shape: readonly number[]): number {
  return index.reduce((at, i, axis) => at * shape[axis] + i, 0);
}

export function perAxis(value: PerAxis | undefined, rank: number, fallback: number): number[] {
  if (value === undefined) return Array(rank).fill(fallback);
  return typeof value === 'number' ? Array(rank).fill(value) : [...value];
}

/** Elements added before and after each axis. */
export function margins(
  padding: Geometry['padding'],
  kernel: readonly number[],
  dilation: readonly number[],
): [number, number][] {
  if (padding === undefined || padding === 'valid') return kernel.map(() => [0, 0]);
  if (padding === 'same') {
    return kernel.map((k, axis) => {
      const total = dilation[axis] * (k - 1);
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    });
  }
  if (typeof padding === 'number') return kernel.map(() => [padding, padding]);
  return padding.map((p) => (typeof p === 'number' ? [p, p] : [p[0], p[1]]));
}

/** The element that stands at `position` of an axis of `size` once it is padded; null where padding is zero. */
export function source(position: number, size: number, mode: Geometry['paddingMode']): number | null {
  if (position >= 0 && position < size) return position;
  switch (mode) {
    case 'circular':
      return ((position % size) + size) % size;
    case 'reflect':
      return position < 0 ? -position : 2 * (size - 1) - position;
    case 'replicate':
      return position < 0 ? 0 : size - 1;
    default:
      return null;
  }
}

/** The reads of a sliding window: `from[place][tap]` is a flat spatial index of the input, or -1 for a zero. */
export interface Window {
  readonly places: readonly number[];
  readonly from: readonly Int32Array[];
}

export function slide(spatial: readonly number[], kernel: readonly number[], geometry: Geometry): Window {
  const rank = kernel.length;
  const stride = perAxis(geometry.stride, rank, 1);
  const dilation = perAxis(geometry.dilation, rank, 1);
  const margin = margins(geometry.padding, kernel, dilation);
  const places = spatial.map((size, axis) => {
    const padded = size + margin[axis][0] + margin[axis][1];
    return Math.floor((padded - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
  });
  // Where tap t of place p of an axis reads, -1 where padding is zero.
  const reads = spatial.map((size, axis) =>
    Array.from({ length: places[axis] }, (_, p) =>
      Array.from({ length: kernel[axis] }, (_, t) => {
        const position = p * stride[axis] + t * dilation[axis] - margin[axis][0];
        return source(position, size, geometry.paddingMode) ?? -1;
      }),
    ),
  );
  const taps = indices(kernel);
  const from = indices(places).map((place) =>
    Int32Array.from(taps, (tap) => {
      let pixel = 0;
      for (let axis = 0; axis < rank; axis++) {
        const at = reads[axis][place[axis]][tap[axis]];
        if (at < 0) return -1;
        pixel = pixel * spatial[axis] + at;
      }
      return pixel;
    }),
  );
  return { places, from };
}

/** [N, C, …] of a tensor that may lack N. */
export function withBatch(shape: readonly number[], rank: number): readonly number[] {
  return shape.length === rank + 1 ? [1, ...shape] : shape;
}

/** The magnitude of every value: what rounding errors are measured against. */
export function absolute(values: Values): Values {
  return { data: Float64Array.from(values.data, Math.abs), shape: values.shape };
}
