/** The gradient in the bias: sums over the batch and all places, in float64. */
import type { FloatArray } from '../../tensor/dtype.js';

export function convBiasGrad(
  batch: number,
  channels: number,
  places: number,
  gradOutput: FloatArray,
  gradBias: FloatArray,
): void {
  const sums = new Float64Array(channels);
  for (let n = 0, at = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      sums[c] += sumOf(gradOutput, at, places);
      at += places;
    }
  }
  gradBias.set(sums);
}

/** Four sums side by side: one alone would wait for each addition to finish. */
function sumOf(values: FloatArray, start: number, count: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let at = start;
  for (const end = start + count - 3; at < end; at += 4) {
    a += values[at];
    b += values[at + 1];
    c += values[at + 2];
    d += values[at + 3];
  }
  for (const end = start + count; at < end; at++) a += values[at];
  return a + b + (c + d);
}
