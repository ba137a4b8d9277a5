/** Files: NumPy's arrays, SciPy's sparse matrices, Matrix Market. */
export { readMatrixMarket, writeMatrixMarket } from './matrix-market.js';
export { readNpy, writeNpy } from './npy.js';
export type { ReadNpzOptions } from './npz.js';
export { readNpz, writeNpz } from './npz.js';
export { readSparseNpz, writeSparseNpz } from './sparse-npz.js';
