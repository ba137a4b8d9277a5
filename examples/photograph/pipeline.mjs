// The convolutions of the demo, on whatever backend this process runs: a Gaussian blur, Sobel edges, and a
// 3 → 32 channel layer of oriented filters.
import * as convmat from 'convmat';

/** w[i] ∝ exp(−i²/2σ²), as an outer product of itself: a (2r+1) × (2r+1) kernel that sums to 1. */
function gaussian(sigma, radius) {
  const line = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = line.reduce((sum, value) => sum + value, 0) ** 2;
  return line.map((a) => line.map((b) => (a * b) / total));
}

const GAUSSIAN = gaussian(2, 6);
const SOBEL = [
  [
    [-1, 0, 1],
    [-2, 0, 2],
    [-1, 0, 1],
  ],
  [
    [-1, -2, -1],
    [0, 0, 0],
    [1, 2, 1],
  ],
];
const LUMA = [0.299, 0.587, 0.114];

/** 32 derivative filters of the colour image: every direction of luma, then of red against green. */
function orientedFilters() {
  return Array.from({ length: 32 }, (_, o) => {
    const angle = (Math.PI * (o % 16)) / 16;
    const colours = o < 16 ? LUMA : [0.5, -0.5, 0];
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const tap = (p, q) => cos * SOBEL[0][p][q] + sin * SOBEL[1][p][q];
    return colours.map((weight) => [0, 1, 2].map((p) => [0, 1, 2].map((q) => weight * tap(p, q))));
  });
}

/**
 * The stages by name, each a function of the photograph, [1, 3, h, w] with values from 0 to 1, and of the result of an
 * earlier run to write over: a service keeps its buffers, since fresh memory costs more than a small convolution.
 */
export const stages = {
  'Gaussian blur 13×13': (photo, out) => blur.run(photo, out),
  'Sobel edges 3×3': (photo, out) => {
    luma = grey.run(photo, luma);
    return sobel.run(luma, out);
  },
  'layer 3→32, 3×3': (photo, out) => layer.run(photo, out),
};
let luma;

export const layerWeight = convmat.tensor(orientedFilters());

const blur = convmat.prepareConv(convmat.tensor([[GAUSSIAN], [GAUSSIAN], [GAUSSIAN]]), {
  groups: 3,
  padding: 6,
  paddingMode: 'reflect',
});
const grey = convmat.prepareConv(convmat.tensor([LUMA.map((weight) => [[weight]])]));
const sobel = convmat.prepareConv(convmat.tensor([[SOBEL[0]], [SOBEL[1]]]), {
  padding: 1,
  paddingMode: 'replicate',
});
const layer = convmat.prepareConv(layerWeight, { padding: 1, activation: 'relu' });
