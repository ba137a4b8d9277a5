// Digits as other hands would write them: turned, stretched, slanted and moved a little.
import { Tensor } from 'convmat';

const TURN = 0.2;
const STRETCH = 0.15;
const SLANT = 0.2;
const SHIFT = 2;

/**
 * The batch [n, 1, side, side], each image read through an affine map of its own, drawn anew; bilinear, and what lies
 * outside is as the corner.
 *
 * @param next  Random numbers in [0, 1).
 */
export function distorted({ data: from, shape }, next) {
  const side = shape[3];
  const to = new Float32Array(from.length);
  const around = (width) => (2 * next() - 1) * width;
  const middle = (side - 1) / 2;
  for (let start = 0; start < from.length; start += side * side) {
    const angle = around(TURN);
    const [cos, sin, slant] = [Math.cos(angle), Math.sin(angle), around(SLANT)];
    const [down, across] = [1 + around(STRETCH), 1 + around(STRETCH)];
    const [moveRow, moveCol] = [middle + around(SHIFT), middle + around(SHIFT)];
    const blank = from[start];
    const pixel = (row, col) =>
      row >= 0 && row < side && col >= 0 && col < side ? from[start + row * side + col] : blank;
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++) {
        const y = i - middle;
        const x = j - middle + slant * y;
        const row = moveRow + down * (cos * y - sin * x);
        const col = moveCol + across * (sin * y + cos * x);
        const [top, left] = [Math.floor(row), Math.floor(col)];
        const [v, u] = [row - top, col - left];
        to[start + i * side + j] =
          (1 - v) * ((1 - u) * pixel(top, left) + u * pixel(top, left + 1)) +
          v * ((1 - u) * pixel(top + 1, left) + u * pixel(top + 1, left + 1));
      }
    }
  }
  return new Tensor(to, shape);
}
