/** Numbers in [0, 1) from a seed. */
export function stream(seed: number): () => number;
