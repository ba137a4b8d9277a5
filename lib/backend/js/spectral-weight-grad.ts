/**
 * The gradient in the weight by Fourier transforms: a padded channel of x as one line, and a channel of dy as a line with the
 * same distances between its elements, so that their correlation is the one over all axes. See plan/algorithms/js/fft.ts.
 *   dw[o, c, t] = Σ_n Σ_j dy[n, o, j] · x[n, c, j·stride + t·dilation]
 */
import { product } from '../../numbers.js';
import { flatGradient } from '../../plan/algorithms/js/fft.js';
import type { ConvPlan } from '../../plan/plans/conv.js';
import type { FloatArray } from '../../tensor/dtype.js';
import { convolveAny, wholeLine } from '../by-transforms.js';
import { convolveBlocks } from './fft.js';
import { forwardLattice, type Lattice } from './gather.js';
import type { Work } from './work.js';

/** @param block  Points of a transform. */
export function* convolveGradients(
  plan: ConvPlan,
  block: number,
  input: FloatArray,
  gradOutput: FloatArray,
  gradWeight: FloatArray,
): Work {
  const { groups, axes, batch } = plan;
  const { padded, signal, kernel, out } = flatGradient(axes);
  const lattice = forwardLattice(axes, plan.paddingMode);
  const inChannels = plan.inChannels / groups;
  const outChannels = plan.outChannels / groups;
  const sizes = (of: 'in' | 'out' | 'kernel'): number[] => axes.map((axis) => axis[of]);
  const [inPlane, outPlane, taps] = [product(sizes('in')), product(sizes('out')), product(sizes('kernel'))];
  // Backwards, as a convolution flips it.
  const places = placesOf(
    sizes('out'),
    axes.map((axis) => axis.stride),
    padded,
  ).map((place) => kernel - 1 - place);
  const results = placesOf(
    sizes('kernel'),
    axes.map((axis) => axis.dilation),
    padded,
  );
  const channel = new Float64Array(signal);
  const gradient = new Float64Array(kernel);
  const stretch = new Float64Array(out);
  const sums = new Float64Array(outChannels * taps);
  for (let c = 0; c < plan.inChannels; c++) {
    const group = Math.floor(c / inChannels);
    sums.fill(0);
    for (let n = 0; n < batch; n++) {
      layPadded(lattice, padded, sizes('in'), input, (n * plan.inChannels + c) * inPlane, channel);
      for (let o = 0; o < outChannels; o++) {
        const from = (n * plan.outChannels + group * outChannels + o) * outPlane;
        places.forEach((place, i) => {
          gradient[place] = gradOutput[from + i];
        });
        yield* convolveAny(
          wholeLine(channel),
          { values: gradient, places: () => places },
          kernel - 1,
          stretch,
          (x, y, to) => convolveBlocks(x, y, block, kernel - 1, to),
        );
        for (let t = 0; t < taps; t++) sums[o * taps + t] += stretch[results[t]];
      }
    }
    for (let o = 0; o < outChannels; o++) {
      const to = ((group * outChannels + o) * inChannels + (c % inChannels)) * taps;
      gradWeight.set(sums.subarray(o * taps, (o + 1) * taps), to);
    }
  }
}

/** Where the elements of a grid lie among `padded` positions, `steps` apart along each axis. */
function placesOf(sizes: readonly number[], steps: readonly number[], padded: readonly number[]): Int32Array {
  let places = [0];
  sizes.forEach((size, axis) => {
    places = places.flatMap((place) =>
      Array.from({ length: size }, (_, i) => place * padded[axis] + i * steps[axis]),
    );
  });
  return Int32Array.from(places);
}

/** channel[z][y][x] ← the lines of all axes, zeros where they read none */
function layPadded(
  [gd, gh, gw]: Lattice,
  [depths, heights, widths]: readonly number[],
  [, height, width]: readonly number[],
  input: FloatArray,
  from: number,
  channel: Float64Array,
): void {
  let to = 0;
  for (let u = 0; u < depths; u++) {
    for (let v = 0; v < heights; v++) {
      const [z, y] = [gd.line[u], gh.line[v]];
      const row = from + (z * height + y) * width;
      for (let w = 0; w < widths; w++) {
        const x = gw.line[w];
        channel[to++] = z < 0 || y < 0 || x < 0 ? 0 : input[row + x];
      }
    }
  }
}
