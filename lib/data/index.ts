/**
 * Datasets and loaders.
 *
 * @module
 */
export type { Dataset } from './dataset.js';
export { TensorDataset } from './dataset.js';
export type { DataLoaderOptions } from './loader.js';
export { DataLoader } from './loader.js';
