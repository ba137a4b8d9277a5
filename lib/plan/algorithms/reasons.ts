/** Why 'auto' takes an algorithm, in words: what it saves over the others. */

import type { ConvGeometry } from '../geometry.js';
import { type AlgorithmName, SEPARABLE } from './algorithm.js';
import { fftWork } from './fft.js';
import { winogradSaving } from './winograd.js';

/** Output channels of a group that leave the tiles of a product nearly empty. */
const FEW_OUT_CHANNELS = 8;

const count = (g: ConvGeometry, size: 'kernel' | 'out'): number =>
  g.axes.reduce((product, axis) => product * axis[size], 1);

/**
 * Of a convolution as it is computed, or of the gradient of its weight, by an algorithm that serves it.
 *
 * @param isSparse  Whether so few weights are nonzero that it decides.
 */
export function reasonFor(
  algorithm: AlgorithmName,
  variant: number,
  g: ConvGeometry,
  isSparse: boolean,
): string {
  if (g.op === 'weightGrad') {
    return algorithm === 'direct'
      ? 'output channels fill the vectors, and the image is read where it lies'
      : 'output channels leave most of the vectors empty: patches packed into the panels of a product fill them';
  }
  switch (algorithm) {
    case 'depthwise': {
      if (variant !== SEPARABLE)
        return 'one channel per group: each plane goes straight from image to output';
      const [, height, width] = g.axes;
      const passes = `separable: a column times a row of taps takes ${height.kernel} + ${width.kernel}`;
      return `${passes} multiplications an output instead of ${count(g, 'kernel')}`;
    }
    case 'fft': {
      const work = fftWork(g);
      if (work === null) return 'Fourier tiles';
      const direct =
        2 * g.batch * g.outChannels * (g.inChannels / g.groups) * count(g, 'kernel') * count(g, 'out');
      const saving = direct / (work.multiplications + work.additions);
      const { rows, columns } = work.tile;
      return `Fourier tiles of ${rows}×${columns} take ${saving.toPrecision(2)} times less arithmetic`;
    }
    case 'toeplitz':
      if (isSparse) return 'so few weights are nonzero that visiting them alone is faster';
      return g.outChannels / g.groups <= FEW_OUT_CHANNELS
        ? 'so few output channels a group that each tap as a shifted row beats a product of matrices'
        : 'rows fill the vectors, and are read where they lie: nothing is packed';
    case 'winograd': {
      const saving = winogradSaving(g, variant);
      return `F(${variant}×${variant}, 3×3) takes ${saving.toFixed(1)} times fewer multiplications`;
    }
    case 'direct':
      return 'output channels fill the vectors, and pixels are read where they lie: nothing is packed';
    default:
      return count(g, 'kernel') === 1
        ? 'a kernel of one tap: one product of matrices, tiled to fill the vectors'
        : 'patches packed straight into the panels of one product fill the vectors best';
  }
}
