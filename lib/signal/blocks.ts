/** MATLAB's im2col and col2im: blocks of a matrix as columns. `unfold` and `fold` are PyTorch's. */
import {
  checkOneOf,
  checkShape,
  describe,
  describeShape,
  elementCount,
  mismatch,
  sameShape,
} from '../check.js';
import { ShapeError } from '../errors.js';
import { zeros } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/take.js';
import { Tensor } from '../tensor/tensor.js';
import { takeMatrix } from './operands.js';

/** Every position of the block, or side by side. */
export type BlockKind = 'sliding' | 'distinct';
const BLOCK_KINDS = ['sliding', 'distinct'] as const satisfies readonly BlockKind[];

/**
 * Blocks of a matrix as columns, MATLAB's `im2col`. Blocks follow one another in column-major order, and so do the
 * elements of a block.
 *
 * @param A      A matrix [M, N].
 * @param block  [m, n], both ≥ 1.
 * @param kind   'sliding' (the default): one block per position within A; the result is [m·n, (M − m + 1)·(N − n + 1)].
 *   'distinct': A is tiled, with zeros beyond its edges; the result is [m·n, ⌈M/m⌉·⌈N/n⌉].
 * @returns a float64 tensor.
 * @throws {ShapeError} for an empty A, or sliding blocks larger than A.
 * @example signal.im2col([[1, 2], [3, 4], [5, 6]], [2, 2])   // [[1, 3], [3, 5], [2, 4], [4, 6]]
 */
export function im2col(
  A: TensorLike,
  block: readonly [number, number],
  kind: BlockKind = 'sliding',
): Tensor<Float64Array> {
  const { data, shape } = takeMatrix(A, 'A');
  const grid = readGrid(block, shape, kind);
  const columns = grid.count[0] * grid.count[1];
  const out = zeros('float64', elementCount([grid.size[0] * grid.size[1], columns], 'output'));
  visitElements(grid, (row, column, element, blockIndex) => {
    out[element * columns + blockIndex] = data[row * shape[1] + column];
  });
  return new Tensor(out, [grid.size[0] * grid.size[1], columns]);
}

/**
 * Columns back to a matrix, MATLAB's `col2im`.
 *
 * @param B      'distinct': [m·n, ⌈M/m⌉·⌈N/n⌉], a block per column. 'sliding' (the default): one value per block,
 *   (M − m + 1)·(N − n + 1) of them in a row or column, as when im2col's columns have each been reduced to a number.
 * @param block  [m, n].
 * @param size   [M, N], of the matrix that im2col took.
 * @returns 'distinct': [M, N]; what lies beyond its edges is dropped. 'sliding': [M − m + 1, N − n + 1]. float64.
 * @throws {ShapeError} when B is not of the size that block and size ask for.
 * @example signal.col2im([[1], [2], [3], [4]], [2, 2], [2, 2], 'distinct').toNested()   // [[1, 3], [2, 4]]
 */
export function col2im(
  B: TensorLike,
  block: readonly [number, number],
  size: readonly [number, number],
  kind: BlockKind = 'sliding',
): Tensor<Float64Array> {
  const shape = readPair(size, 'size');
  const grid = readGrid(block, shape, kind);
  const columns = grid.count[0] * grid.count[1];
  const { data, shape: given } = takeMatrix(B, 'B');
  if (kind === 'sliding') {
    if (data.length !== columns || !given.includes(1)) {
      throw mismatch(ShapeError, 'B', `${columns} values in one row, one per block`, describeShape(given));
    }
    const [rows, across] = grid.count;
    const out = zeros('float64', columns);
    for (let i = 0; i < rows; i++) for (let j = 0; j < across; j++) out[i * across + j] = data[j * rows + i];
    return new Tensor(out, [rows, across]);
  }
  const expected = [grid.size[0] * grid.size[1], columns];
  if (!sameShape(given, expected))
    throw mismatch(ShapeError, 'B', describeShape(expected), describeShape(given));
  const out = zeros('float64', elementCount(shape, 'size'));
  visitElements(grid, (row, column, element, blockIndex) => {
    out[row * shape[1] + column] = data[element * columns + blockIndex];
  });
  return new Tensor(out, shape);
}

interface Grid {
  /** The matrix, a block, the blocks along each axis, and the distance from one to the next. */
  readonly shape: readonly number[];
  readonly size: readonly number[];
  readonly count: readonly number[];
  readonly step: readonly number[];
}

function readGrid(block: unknown, shape: readonly number[], kind: unknown): Grid {
  const size = readPair(block, 'block');
  if (checkOneOf(kind, 'kind', BLOCK_KINDS) === 'distinct') {
    return { shape, size, count: size.map((length, axis) => Math.ceil(shape[axis] / length)), step: size };
  }
  if (size.some((length, axis) => length > shape[axis])) {
    throw mismatch(ShapeError, 'block', `at most ${describeShape(shape)} for sliding blocks`, describe(size));
  }
  return { shape, size, count: size.map((length, axis) => shape[axis] - length + 1), step: [1, 1] };
}

function readPair(sizes: unknown, argument: string): number[] {
  const pair = checkShape(sizes, argument, 1);
  if (pair.length !== 2) throw mismatch(ShapeError, argument, 'two sizes', describe(pair));
  return pair;
}

/** Every element of every block that lies within the matrix, each index in MATLAB's order. */
function visitElements(
  { shape, size, count, step }: Grid,
  visit: (row: number, column: number, element: number, block: number) => void,
): void {
  let block = 0;
  for (let bj = 0; bj < count[1]; bj++) {
    for (let bi = 0; bi < count[0]; bi++, block++) {
      const rows = Math.min(size[0], shape[0] - bi * step[0]);
      const columns = Math.min(size[1], shape[1] - bj * step[1]);
      for (let j = 0; j < columns; j++) {
        for (let i = 0; i < rows; i++) visit(bi * step[0] + i, bj * step[1] + j, j * size[0] + i, block);
      }
    }
  }
}
