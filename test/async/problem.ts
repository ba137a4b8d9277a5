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
  return make([batch, 8, size, size], [12, 8, 3, 3], seed);
}

function make(inputShape: number[], weightShape: number[], seed: number): Problem {
  const input = random(inputShape, 'float32', seed);
  const weight = random(weightShape, 'float32', seed + 1);
  return { input, weight, expected: conv2d(input, weight, options) };
}

/** Milliseconds of processor time since the process began: other processes do not count. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * A problem that takes this backend about `ms` of processor time, and how long it does take. Many multiplications for
 * little memory.
 */
export function slowProblem(ms: number): Problem & { readonly ms: number } {
  const solve = (batch: number) => {
    const { input, weight } = make([batch, 128, 16, 16], [128, 128, 5, 5], 1);
    using conv = prepareConv(weight, { ...options, inputShape: input.shape });
    // What is compiled or packed when it first runs is no part of the time.
    conv.run(input);
    const start = processorTime();
    const expected = conv.run(input);
    return { input, weight, expected, ms: processorTime() - start };
  };
  solve(1);
  return solve(Math.max(2, Math.ceil((2 * ms) / solve(2).ms)));
}
