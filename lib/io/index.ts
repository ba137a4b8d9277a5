/**
 * Files: NumPy's arrays, SciPy's sparse matrices, Matrix Market, safetensors.
 *
 * @module
 */

export type { ComplexTensor } from '../tensor/complex.js';
export type { BlobLike } from './blob.js';
export type { ReadOptions } from './budget.js';
export type { WriteOptions } from './files.js';
export type { ArrayRead, ArrayToWrite } from './npy.js';
export { encodeNpy, readNpy, writeNpy } from './npy.js';
export type { OpenArchive } from './npz.js';
export { encodeNpz, openNpz, readNpz, writeNpz } from './npz.js';
export type { MatrixRead } from './read-matrix-market.js';
export { readMatrixMarket } from './read-matrix-market.js';
export type { OpenSafetensors, SafetensorsOptions } from './safetensors.js';
export { encodeSafetensors, openSafetensors, readSafetensors, writeSafetensors } from './safetensors.js';
export type { FileURL, Source } from './source.js';
export { readSparseNpz, writeSparseNpz } from './sparse-npz.js';
export { writeMatrixMarket } from './write-matrix-market.js';
