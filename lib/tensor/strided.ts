/** Elements of memory in another order: what permuting, slicing and column-major data come to. */
import { product } from '../numbers.js';
import { type TypedArray, uninitialisedLike } from './dtype.js';

// Square tiles, so that the lines that a tile reads stay in the L1 cache until they are used up.
const TILE = 16;

/**
 * A row-major copy of a strided view: element [i, j, …] is data[offset + i·strides[0] + j·strides[1] + …]. All of them
 * lie within `data`.
 */
export function gather<A extends TypedArray>(
  data: A,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): A {
  const count = product(shape);
  const dense = uninitialisedLike(data, count);
  if (count === 0) return dense;
  // Rows and columns of planes, which lower ranks have one of.
  const outer = Math.max(0, shape.length - 2);
  const [rows, cols] = shape.length < 2 ? [1, ...shape, 1] : shape.slice(-2);
  const [rowStride, colStride] = strides.length < 2 ? [0, ...strides, 1] : strides.slice(-2);
  let at = 0;
  const walk = (axis: number, from: number): void => {
    if (axis === outer) {
      copyPlane(data, from, rows, cols, rowStride, colStride, dense, at);
      at += rows * cols;
      return;
    }
    for (let i = 0; i < shape[axis]; i++) walk(axis + 1, from + i * strides[axis]);
  };
  walk(0, offset);
  return dense;
}

function copyPlane(
  data: TypedArray,
  from: number,
  rows: number,
  cols: number,
  rowStride: number,
  colStride: number,
  dense: TypedArray,
  to: number,
): void {
  // Across rows whose elements are neighbours tiles gain nothing.
  const tile = colStride === 1 ? cols : TILE;
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(top + TILE, rows);
    for (let left = 0; left < cols; left += tile) {
      const right = Math.min(left + tile, cols);
      for (let i = top; i < bottom; i++) {
        const row = from + i * rowStride;
        for (let j = left; j < right; j++) dense[to + i * cols + j] = data[row + j * colStride];
      }
    }
  }
}

/** How a flat array runs through a tensor: 'C' along the last axis first (row-major), 'F' along the first. */
export type Order = 'C' | 'F';

/** The strides of dense data. */
export function stridesOf(shape: readonly number[], order: Order): number[] {
  const strides = Array<number>(shape.length).fill(1);
  if (order === 'C') for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  else for (let i = 1; i < shape.length; i++) strides[i] = strides[i - 1] * shape[i - 1];
  return strides;
}
