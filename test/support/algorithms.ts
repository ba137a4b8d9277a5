/** The algorithms of convolutions, as the library lists them, and what tests know of them besides. */
import type { AlgorithmName } from '../../dist/plan/algorithms/algorithm.js';

export { ALGORITHM_OPTIONS, ALGORITHMS } from '../../dist/plan/algorithms/algorithm.js';

/** Those that serve every convolution and add its products as they are, without transforms: their errors are those of sums. */
export const SUMMING = ['im2col', 'direct', 'toeplitz'] as const satisfies readonly AlgorithmName[];
