import { conv2d, prepareConv, type Tensor } from 'convmat';
import { random } from '../support/random';

/** A convolution whose result is known from the synchronous call. */
export interface Problem {
  readonly input: Tensor;
  readonly weight: Tensor;
  readonly expected: Tensor;
}

export const options = { padding: 1 } as const;

export function problem(batch = 1, size = 13, seed = 1): Problem {
  const input = random([batch, 8, size, size], 'float32', seed);
  const weight = random([12, 8, 3, 3], 'float32', seed + 1);
  return { input, weight, expected: conv2d(input, weight, options) };
}

/** A problem that takes this backend about `ms`, and how long it does take. */
export function slowProblem(ms: number): Problem & { readonly ms: number } {
  const time = (batch: number) => {
    const { input, weight } = problem(batch, 64);
    using conv = prepareConv(weight, { ...options, inputShape: input.shape });
    const start = performance.now();
    conv.run(input);
    return performance.now() - start;
  };
  time(1);
  const batch = Math.max(2, Math.ceil((4 * ms) / time(4)));
  return { ...problem(batch, 64), ms: time(batch) };
}
