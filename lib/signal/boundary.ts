/** What a matrix has beyond its edges. */

import type { ConvShape } from '../plan/plans/linear.js';
import { type LinearAxis, linearAxis } from '../plan/plans/linear.js';
import { zeros } from '../tensor/dtype.js';
import type { DoubleTensor } from './operands.js';

/** 'fill': one value; 'symm': the mirror image, the edge repeated (b a | a b c | c b); 'wrap': the matrix again (b c | a b c | a b). */
export const BOUNDARIES = ['fill', 'symm', 'wrap'] as const;
export type Boundary = (typeof BOUNDARIES)[number];

/** As much of the extended matrix as that window of its convolution with a kernel of `kernel` reads: then a 'valid' one. */
export function extendMatrix(
  { data, shape }: DoubleTensor,
  kernel: readonly number[],
  window: ConvShape,
  boundary: Boundary,
  fillValue: number,
): DoubleTensor {
  const axes = shape.map((size, axis) => linearAxis(size, kernel[axis], window));
  const [rows, columns] = axes.map((axis) => sources(axis, boundary));
  const extended = zeros('float64', rows.length * columns.length);
  rows.forEach((row, i) => {
    for (let j = 0; j < columns.length; j++) {
      const outside = row < 0 || columns[j] < 0;
      extended[i * columns.length + j] = outside ? fillValue : data[row * shape[1] + columns[j]];
    }
  });
  return { data: extended, shape: [rows.length, columns.length] };
}

/** Where the elements that a window reads come from, −1 for the fill value. */
function sources({ a, b, start, out }: LinearAxis, boundary: Boundary): number[] {
  return Array.from({ length: out === 0 ? 0 : out + b - 1 }, (_, i) => {
    const at = start - (b - 1) + i;
    if (at >= 0 && at < a) return at;
    if (boundary === 'fill') return -1;
    const period = boundary === 'wrap' ? a : 2 * a;
    const place = ((at % period) + period) % period;
    return place < a ? place : period - 1 - place;
  });
}
