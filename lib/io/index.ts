/** Files: NumPy's arrays, SciPy's sparse matrices, Matrix Market. */
export type { ReadOptions } from './budget.js';
export type { WriteOptions } from './files.js';
export { readMatrixMarket, writeMatrixMarket } from './matrix-market.js';
export { readNpy, writeNpy } from './npy.js';

export { readNpz, writeNpz } from './npz.js';
export { readSparseNpz, writeSparseNpz } from './sparse-npz.js';
