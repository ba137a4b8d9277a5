/** How the layers of bench/integer.bench.mjs are quantised: powers of two, on which float32 and float64 agree. */
export function quantizationOf(layer) {
  const terms = layer.weightShape.slice(1).reduce((count, size) => count * size, 1);
  return {
    inputScale: 2 ** -7,
    inputZeroPoint: 120,
    weightScale: 2 ** -8,
    weightZeroPoint: 0,
    // Sums of random bytes deviate by about 74·74·√terms from 0.
    outputScale: 2 ** (Math.round(Math.log2((74 * 74 * Math.sqrt(terms)) / 40)) - 15),
    outputZeroPoint: 128,
  };
}
