/** The activations that a convolution may end in. */
import type { Result } from './window';

export type Activation = 'none' | 'relu' | 'relu6' | { readonly clip: readonly [number, number] };

function bounds(activation: Activation): readonly [number, number] {
  switch (activation) {
    case 'none':
      return [-Infinity, Infinity];
    case 'relu':
      return [0, Infinity];
    case 'relu6':
      return [0, 6];
    default:
      return activation.clip;
  }
}

/** Every value clamped; NaN stays NaN. */
export function activate(y: Result, activation: Activation = 'none'): Result {
  const [min, max] = bounds(activation);
  return { shape: y.shape, data: y.data.map((value) => Math.min(Math.max(value, min), max)) };
}
